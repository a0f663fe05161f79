"""What changes between two versions of ICD-10-GM: codes, and the Alpha-ID entries that carry them.

Sources: the label spaces of both versions, and BfArM's transition tables, which exist between consecutive years only. A
transition holds between terminal codes and is automatic forward or backward where it may be done without looking at the
case.
"""

import unicodedata
from collections.abc import Sequence

import polars as pl

from onkocode.catalogues.vocabulary.codes import is_tumour

# Kinds of change of a code, in the order of a report. The first five come from the label spaces and hold for codes of
# every level, the last three from the transitions. A code may stand under several kinds.
KINDS = {
    "added": "in NEW only",
    "removed": "in OLD only",
    "renamed": "in both, with another title; white space, hyphens and quotation marks do not count",
    "became-terminal": "in both, terminal in NEW only",
    "no-longer-terminal": "in both, terminal in OLD only",
    "split": "one old code → several new ones, a row each; the old code may go on as one of them",
    "merged": "several old codes → one new code, a row each",
    "moved": "one old code → one other code, which continues no further old code",
}
OFFICIAL = ("split", "merged", "moved")  # not known without transitions
CODE_CHANGES = {
    "change": pl.String,  # one of KINDS
    "old_code": pl.String,  # null where there is none
    "old_title": pl.String,
    "new_code": pl.String,
    "new_title": pl.String,
    "forward": pl.Boolean,  # official: old → new is automatic; null where the row comes from the label spaces
    "backward": pl.Boolean,  # official: new → old is automatic
    "group": pl.String,  # ICD-10-GM group of the new code, else of the old one, e.g. D10
}
ENTRY_KINDS = {
    "recoded": "in both versions, with another code",
    "reworded": "the same Alpha-ID and code, another text",
    "new": "valid in NEW only",
    "gone": "valid in OLD, not listed in NEW",
    "invalid": "valid in OLD, listed as invalid in NEW",
    "affected": "only one Alpha-ID was there: the entry's code is among the changed ones, titles aside",
}
ENTRY_CHANGES = {
    "change": pl.String,  # one of ENTRY_KINDS
    "old_id": pl.String,  # Alpha-ID; null where there is no such entry
    "new_id": pl.String,
    "old_code": pl.String,
    "new_code": pl.String,
    "old_text": pl.String,
    "new_text": pl.String,
}
FLAGS = ("forward", "backward")
# White space goes; signs that a typesetter swaps freely become one.
_TYPOGRAPHY = str.maketrans(dict.fromkeys("‐‑‒–—−", "-") | dict.fromkeys("„“”‟«»", '"') | dict.fromkeys("‚‘’´`", "'"))


def chain(links: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Compose transition tables of consecutive years into one (schema Transitions).

    A transition over several years is automatic where one route is automatic in every year: after a split that was
    merged again the code has one successor, but not an automatic one. A code that the next table lacks (updates within
    a year) goes on as it is, not automatically.
    """
    whole, *rest = links
    for link in rest:
        whole = _compose(whole, link)
    return whole


def reverse(transitions: pl.DataFrame) -> pl.DataFrame:
    """Return the transitions from the later version to the earlier one."""
    return transitions.select(old="new", new="old", forward="backward", backward="forward")


def _compose(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    left = first.select("old", via="new", known=pl.lit(True), f1="forward", b1="backward")
    right = second.select("new", via="old", f2="forward", b2="backward")
    routes = left.join(right, on="via", how="full", coalesce=True)
    ends = pl.col("via").is_null()  # gone in the first year, or new in the second
    routes = routes.select(
        old=pl.when(pl.col("known").is_null()).then("via").otherwise("old"),
        new=pl.when(pl.col("f2").is_null()).then("via").otherwise("new"),
        forward=pl.col("f1").fill_null(ends) & pl.col("f2").fill_null(ends),
        backward=pl.col("b1").fill_null(ends) & pl.col("b2").fill_null(ends),
    )
    pairs = routes.group_by("old", "new", maintain_order=True).agg(pl.col(flag).any() for flag in FLAGS)
    successors = pl.col("new").count().over("old")  # of non-null values
    predecessors = pl.col("old").count().over("new")
    return pairs.filter(
        (pl.col("old").is_not_null() & (pl.col("new").is_not_null() | (successors == 0)))
        | (pl.col("old").is_null() & pl.col("new").is_not_null() & (predecessors == 0))
    ).sort("old", "new", nulls_last=True)


def misfits(transitions: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame) -> list[str]:
    """Return the codes of a transition table that are not terminal in the version of their side, sorted."""
    unknown: set[str] = set()
    for side, codes in (("old", old), ("new", new)):
        unknown |= set(transitions[side].drop_nulls()) - set(codes.filter("terminal")["code"])
    return sorted(unknown)


def compare_codes(
    old: pl.DataFrame, new: pl.DataFrame, transitions: pl.DataFrame | None, all_codes: bool = False
) -> pl.DataFrame:
    """Return the changes of codes (columns CODE_CHANGES), sorted by kind and code.

    Args:
        old: label space (schema Codes) of ICD-10-GM in the version that is compared from.
        new: that of the version compared to.
        transitions: between the two (schema Transitions, see `chain`), or None: then no split, merged or moved codes.
        all_codes: False leaves out changes that touch no tumour code.
    """
    parts = [_in_label_spaces(old, new)]
    if transitions is not None:
        parts.append(_in_transitions(transitions))
    rows = pl.concat(parts, how="diagonal")
    for side, codes in (("old", old), ("new", new)):
        known = codes.select("code", pl.col("title", "tumour", "group").name.prefix(f"{side}_"))
        rows = rows.join(known, left_on=f"{side}_code", right_on="code", how="left")
    tumour = (pl.col("old_tumour").fill_null(False) | pl.col("new_tumour").fill_null(False)).any().over("change", "of")
    order = pl.col("change").cast(pl.Enum(list(KINDS)))
    return (
        rows.filter(pl.lit(all_codes) | tumour)
        .with_columns(group=pl.coalesce("new_group", "old_group"))
        .sort(order, "of", "old_code", "new_code")
        .select(pl.col(name).cast(dtype) for name, dtype in CODE_CHANGES.items())
    )


def _in_label_spaces(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return change, old_code, new_code and the code that the change is one `of`."""
    columns = ("code", "title", "terminal")
    both = old.select(columns).join(new.select(columns), on="code", suffix="_new")
    plain = {name: pl.Series([_plain(title) for title in both[name]]) for name in ("title", "title_new")}
    found = {
        "added": new.join(old, on="code", how="anti"),
        "removed": old.join(new, on="code", how="anti"),
        "renamed": both.filter(plain["title"] != plain["title_new"]),
        "became-terminal": both.filter(~pl.col("terminal") & pl.col("terminal_new")),
        "no-longer-terminal": both.filter(pl.col("terminal") & ~pl.col("terminal_new")),
    }
    code, none = pl.col("code"), pl.lit(None, pl.String)
    return pl.concat(
        rows.select(
            change=pl.lit(kind),
            of=code,
            old_code=none if kind == "added" else code,
            new_code=none if kind == "removed" else code,
            forward=pl.lit(None, pl.Boolean),
            backward=pl.lit(None, pl.Boolean),
        )
        for kind, rows in found.items()
    )


def _in_transitions(transitions: pl.DataFrame) -> pl.DataFrame:
    pairs = transitions.drop_nulls(["old", "new"]).with_columns(
        successors=pl.len().over("old"), predecessors=pl.len().over("new")
    )
    split, merged = pl.col("successors") > 1, pl.col("predecessors") > 1
    found = {
        "split": pairs.filter(split).with_columns(of="old"),
        "merged": pairs.filter(merged).with_columns(of="new"),
        "moved": pairs.filter(~split & ~merged & (pl.col("old") != pl.col("new"))).with_columns(of="old"),
    }
    return pl.concat(
        rows.select("of", *FLAGS, change=pl.lit(kind), old_code="old", new_code="new") for kind, rows in found.items()
    )


def _plain(title: str) -> str:
    return "".join(unicodedata.normalize("NFKC", title).translate(_TYPOGRAPHY).split())


def count_codes(changes: pl.DataFrame) -> dict[str, int]:
    """Return how many codes changed, by kind: a split counts once for its old code, a merger once for its new one."""
    counted = changes.select(
        "change",
        of=pl.when(pl.col("change").is_in(["added", "merged"])).then("new_code").otherwise("old_code"),
    )
    counts = dict(counted.group_by("change").agg(pl.col("of").n_unique()).iter_rows())
    return {kind: counts.get(kind, 0) for kind in KINDS}


def compare_entries(
    old: pl.DataFrame | None, new: pl.DataFrame | None, changes: pl.DataFrame, all_codes: bool = False
) -> pl.DataFrame:
    """Return which Alpha-ID entries change (columns ENTRY_CHANGES), sorted by kind and Alpha-ID.

    With both versions the valid entries are matched by Alpha-ID, then by text key. With one of them its valid entries
    with a changed code are listed.

    Args:
        old: entries (schema Entries) of the version compared from, or None.
        new: those of the version compared to, or None.
        changes: of the codes, as `compare_codes` returns them.
        all_codes: False leaves out entries whose codes are no tumour codes.
    """
    if old is not None and new is not None:
        found = _matched(_valid(old, "old"), _valid(new, "new"), new)
    else:
        known = [
            _affected(entries, side, changes) for side, entries in (("old", old), ("new", new)) if entries is not None
        ]
        found = pl.concat(known) if known else pl.DataFrame(schema={"change": pl.String})
    absent = [name for name in ENTRY_CHANGES if name not in found.columns]
    found = found.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    tumour = pl.Series(
        [all_codes or any(code and is_tumour(code) for code in pair) for pair in found["old_code", "new_code"].rows()],
        dtype=pl.Boolean,
    )
    order = pl.col("change").cast(pl.Enum(list(ENTRY_KINDS)))
    return found.filter(tumour).select(*ENTRY_CHANGES).sort(order, pl.coalesce("old_id", "new_id"))


def _alpha_id() -> pl.Expr:
    return pl.col("entry_id").str.split(":").list.last()


def _valid(entries: pl.DataFrame, side: str) -> pl.DataFrame:
    return (
        entries.filter(~pl.col("flags").list.contains("invalid"))
        .select("code", "text", "text_key", id=_alpha_id())
        .sort("id")
        .rename(lambda name: f"{side}_{name}")
    )


def _matched(old: pl.DataFrame, new: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Match by Alpha-ID, then by text key and code, then by text key; what is left is new, gone or invalid."""
    pairs = []
    for keys in (["id"], ["text_key", "code"], ["text_key"]):
        left, right = (
            rows.with_columns(place=pl.int_range(pl.len()).over([f"{side}_{key}" for key in keys]))
            for side, rows in (("old", old), ("new", new))
        )
        on_left, on_right = ([*(f"{side}_{key}" for key in keys), "place"] for side in ("old", "new"))
        pairs.append(
            left.join(right, left_on=on_left, right_on=on_right, coalesce=False).select(*old.columns, *new.columns)
        )
        old, new = (rows.join(pairs[-1], on=f"{side}_id", how="anti") for side, rows in (("old", old), ("new", new)))
    both = pl.concat(pairs)
    recoded = pl.col("old_code").ne_missing(pl.col("new_code"))
    reworded = pl.col("old_text_key") != pl.col("new_text_key")
    changed = pl.when(recoded).then(pl.lit("recoded")).when(reworded).then(pl.lit("reworded"))
    ended = pl.col("old_id").is_in(listed.select(_alpha_id()).to_series().implode())
    return pl.concat(
        [
            both.with_columns(change=changed).drop_nulls("change"),
            old.with_columns(change=pl.when(ended).then(pl.lit("invalid")).otherwise(pl.lit("gone"))),
            new.with_columns(change=pl.lit("new")),
        ],
        how="diagonal",
    )


def _affected(entries: pl.DataFrame, side: str, changes: pl.DataFrame) -> pl.DataFrame:
    codes = changes.filter(pl.col("change") != "renamed").select(pl.col(f"{side}_code")).unique()
    return _valid(entries, side).join(codes, on=f"{side}_code", how="semi").with_columns(change=pl.lit("affected"))
