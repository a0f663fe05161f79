"""Which entries, with which answers, make up each block (paper, Table 1, and two blocks that go beyond it)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from onkocode.catalogues.versions.confirm import check_alphaid
from onkocode.catalogues.vocabulary.codes import SECONDARY
from onkocode.config.data import Data
from onkocode.questions.formulations import COUNTS
from onkocode.records.errors import InputError
from onkocode.records.ids import digest, shuffled
from onkocode.tasks import NO, TASKS, YES, YES_WITH_CODE, Task

HELDOUT_NEGATIVE = "heldout_negative"
COLUMNS = ("entry_id", "kind", "cluster", "code", "text", "text_key", "accepted", "flags")
NONE = pl.lit(None, pl.String)


@dataclass(frozen=True)
class CatalogueTables:
    """What a data key is built from.

    Of each catalogue the versions come one after the other, the leading one first, so that an iterator which reads them
    from disk never holds more than one.
    """

    alphaid: Iterable[pl.DataFrame]  # entries
    icdo3: Iterable[pl.DataFrame]  # entries
    ops: Iterable[pl.DataFrame]  # entries
    icd10gm: pl.DataFrame  # label space
    topographies: pl.DataFrame | None = None  # pairs icd10, topography of the ICD-O-3 to ICD-10 rules
    pairs: pl.DataFrame | None = None  # triples topography, morphology, icd10 that the rules allow


@dataclass(frozen=True)
class Selection:
    """The chosen entries, before they are given answers: frames with `COLUMNS`."""

    icdo3: frozenset[str]  # codes of both axes, whatever the sample
    positive: pl.DataFrame
    negative: pl.DataFrame
    heldout_negative: pl.DataFrame
    procedures: pl.DataFrame
    topography: pl.DataFrame
    morphology: pl.DataFrame


def select_entries(sources: CatalogueTables, options: Data) -> Selection:
    """Return the entries that a data key asks about."""
    tumours = sources.icd10gm.filter("tumour")["code"].implode()
    known = sources.icd10gm["code"].implode()
    usable = pl.col("code").is_not_null() & ~pl.col("flags").list.contains("invalid")
    diagnoses = combine_versions((frame.filter(usable) for frame in sources.alphaid), pl.col("code").is_in(known))
    _check_known(diagnoses, sources.icd10gm, options)
    positive = diagnoses.filter(pl.col("code").is_in(tumours))
    if not options.secondary_tumours:
        positive = positive.filter(~pl.col("code").str.head(3).is_in(SECONDARY))
    positive = _prepare(positive, options)
    candidates = _without_duplicates(diagnoses.filter(~pl.col("code").is_in(tumours)), options)
    procedures = _prepare(combine_versions(_procedures(frame, options) for frame in sources.ops), options)
    axes = combine_versions(sources.icdo3, per=("kind",))
    topography = _prepare(axes.filter(pl.col("kind") == "topography"), options)
    morphology = _prepare(axes.filter(pl.col("kind") == "morphology"), options)
    trained = (positive, procedures, topography, morphology)
    negative, heldout = _negatives(candidates, positive.height, trained, options)
    codes = frozenset(axes["code"].drop_nulls())
    chosen = (positive, negative, heldout, procedures, topography, morphology)
    return Selection(codes, *(frame.select(COLUMNS) for frame in chosen))


def combine_versions(
    frames: Iterable[pl.DataFrame], known: pl.Expr | None = None, per: tuple[str, ...] = ()
) -> pl.DataFrame:
    """Return the leading version's entries and, of each further one, those with a label that none before it has.

    A label that got another code over the years would otherwise be taught with both. Of further versions only entries
    with a ``known`` code stay (by default a code that the leading version uses).

    Args:
        frames: entries, the leading version first; read one at a time.
        known: filter on entries of further versions.
        per: further columns that tell equal labels apart.
    """
    parts: list[pl.DataFrame] = []
    keys = ["text_key", *per]
    seen = pl.DataFrame()
    for frame in frames:
        chosen = frame.select(COLUMNS)
        if parts:
            allowed = known if known is not None else pl.col("code").is_in(parts[0]["code"].unique().implode())
            chosen = chosen.filter(allowed).join(seen, on=keys, how="anti")
        seen = pl.concat([seen, chosen.select(keys).unique()]) if parts else chosen.select(keys).unique()
        parts.append(chosen)
    return pl.concat(parts)


def core_blocks(selection: Selection, options: Data) -> dict[str, pl.DataFrame]:
    """Return per block of Table 1 its entries with `answer` and `expected` (code; null where yes/no is asked)."""
    code, procedures = pl.col("code"), selection.procedures
    negative = selection.negative.with_columns(answer=pl.lit(NO), expected=NONE)
    labels = {"topography": selection.topography, "morphology": selection.morphology, "ops": procedures}
    blocks = {
        "ops": procedures.with_columns(answer=code, expected=code),
        "ops-tumour": procedures.with_columns(answer=pl.lit(NO), expected=NONE),
    }
    for task in TASKS.values():
        right = with_answers(labels.get(task.system or "", selection.positive), task, code, options.yes_with_code)
        blocks[task.block] = pl.concat([right, negative]) if task.decides else right
    return {name: blocks[name] for name in COUNTS}


def with_answers(entries: pl.DataFrame, task: Task, code: pl.Expr, yes_with_code: str = YES_WITH_CODE) -> pl.DataFrame:
    """Add the right answer to a task, and `expected`, the code in it (null where yes/no is asked)."""
    if task.system is None:
        return entries.with_columns(answer=pl.lit(YES), expected=NONE)
    before, after = yes_with_code.split("{code}") if task.decides else ("", "")
    return entries.with_columns(answer=pl.lit(before) + code + pl.lit(after), expected=code)


def topography_from_alphaid(positive: pl.DataFrame, topographies: pl.DataFrame) -> pl.DataFrame:
    """Return the tumour entries whose ICD-10 code has exactly one topography, which is their answer.

    Args:
        positive: tumour entries of Alpha-ID.
        topographies: pairs icd10, topography.
    """
    found = topographies.group_by("icd10").agg(pl.col("topography").unique())
    single = found.filter(pl.col("topography").list.len() == 1)
    answers = single.select(code="icd10", answer=pl.col("topography").list.first())
    return positive.join(answers, on="code", maintain_order="left").with_columns(expected=pl.col("answer"))


def links(
    pairs: pl.DataFrame, topography: pl.DataFrame, morphology: pl.DataFrame, heldout: set[str], options: Data
) -> pl.DataFrame:
    """Return made-up tumours, a morphology label and a topography label, whose answer is both codes.

    For every topography code ``options.links`` morphologies are chosen among those that the rules allow there, each
    spoken of by one of its labels. Labels that are held out take no part.

    Args:
        pairs: triples topography, morphology, icd10.
        topography: entries of that axis.
        morphology: entries of that axis.
        heldout: text keys that stay out of training.
        options: the data key.
    """
    places, kinds = (_labels_by_code(frame, heldout) for frame in (topography, morphology))
    allowed: dict[str, list[str]] = {}
    for place, kind in pairs.select("topography", "morphology").unique().sort("topography", "morphology").iter_rows():
        if place in places and kind in kinds:
            allowed.setdefault(place, []).append(kind)
    rows = []
    for place, candidates in allowed.items():
        ids = [f"{place}:{kind}" for kind in candidates]
        for kind in shuffled(candidates, options.seed, "links", ids)[: options.links]:
            one = shuffled(kinds[kind], options.seed, f"link-{place}-{kind}", kinds[kind])[0]
            where = shuffled(places[place], options.seed, f"link-{place}-{kind}", places[place])[0]
            rows.append((f"link:{place}:{kind}", f"{one}, Lokalisation: {where}", f"{place} {kind}"))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("entry_id", "text", "answer"), pl.String), orient="row")
    return frame.with_columns(
        kind=pl.lit("link"),
        cluster=pl.col("entry_id"),
        code=pl.col("answer"),
        expected=pl.col("answer"),
        text_key=pl.col("entry_id"),
        accepted=pl.lit([], pl.List(pl.String)),
        flags=pl.lit([], pl.List(pl.String)),
    )


def sample_hash(entries: pl.DataFrame) -> str:
    """Return the checksum of a sample of entries, by their ids."""
    return digest(*sorted(entries["entry_id"].to_list()))


def _check_known(diagnoses: pl.DataFrame, icd10gm: pl.DataFrame, options: Data) -> None:
    """Refuse an Alpha-ID with tumour codes that the label space lacks, or with many codes that are not terminal."""
    tumours = diagnoses.filter(pl.col("code").str.head(3).is_between(pl.lit("C00"), pl.lit("D48")))
    unknown = sorted(set(tumours["code"]) - set(icd10gm["code"]))
    if unknown:
        raise InputError(
            f"Alpha-ID {options.alphaid[0]} uses tumour codes that ICD-10-GM {options.icd10gm} does not have: "
            f"{', '.join(unknown[:10])}{' …' if len(unknown) > 10 else ''}; name matching versions in the data key"
        )
    check_alphaid(set(diagnoses["code"]), icd10gm, (f"Alpha-ID {options.alphaid[0]}", f"ICD-10-GM {options.icd10gm}"))


def _labels_by_code(entries: pl.DataFrame, heldout: set[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, text, key in entries.sort("entry_id").select("code", "text", "text_key").iter_rows():
        if key not in heldout:
            found.setdefault(code, []).append(text)
    return found


def _procedures(entries: pl.DataFrame, options: Data) -> pl.DataFrame:
    """Keep the classes of the asked lengths; a code is one character longer, because of the hyphen."""
    kept = entries.filter(pl.col("code").str.len_chars().is_in([length + 1 for length in options.ops_classes]))
    return kept if options.ops_inclusions else kept.filter(~pl.col("flags").list.contains("inclusion"))


def _prepare(entries: pl.DataFrame, options: Data) -> pl.DataFrame:
    """Apply de-duplication and the sample, if asked for."""
    entries = _without_duplicates(entries, options)
    if options.sample is not None:
        codes = sorted(entries["code"].unique().to_list())
        kept = shuffled(codes, options.sample.seed, "sample", codes)[: options.sample.codes]
        entries = entries.filter(pl.col("code").is_in(kept))
    return entries


def _without_duplicates(entries: pl.DataFrame, options: Data) -> pl.DataFrame:
    """Keep the entry with the first id of those that share text key and code, unless duplicates are wanted."""
    if options.duplicates:
        return entries
    return entries.sort("entry_id").unique(["text_key", "code"], keep="first", maintain_order=True)


def _negatives(
    candidates: pl.DataFrame, positives: int, trained: Iterable[pl.DataFrame], options: Data
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the seeded sample of non-tumour entries, and the further ones that measure specificity.

    The sample is all candidates when there are fewer than asked for. None of the further ones has a label that is
    trained on.
    """
    ids = candidates["entry_id"].to_list()
    order = shuffled(ids, options.seed, "negatives", ids)
    count = min(len(ids), round(positives * options.negatives_per_tumour))
    sample = candidates.filter(pl.col("entry_id").is_in(order[:count]))
    if not options.heldout_negatives:
        return sample, candidates.clear()
    keys = pl.concat([frame.select("text_key") for frame in (sample, *trained)])
    unseen = candidates.join(keys, on="text_key", how="anti").sort("entry_id").unique("text_key", keep="first")
    place = pl.DataFrame({"entry_id": order, "place": range(len(order))}, schema_overrides={"entry_id": pl.String})
    chosen = unseen.join(place, on="entry_id").sort("place").head(options.heldout_negatives)
    return sample, chosen.drop("place")
