"""Which entries, with which answers, make up each of the seven blocks (paper, Table 1)."""

import polars as pl

from onkocode.catalogues.codes import SECONDARY
from onkocode.config.schema import Data
from onkocode.records.ids import digest, shuffled

YES, NO = "Ja", "Nein"


def block_entries(
    alphaid: pl.DataFrame, icdo3: pl.DataFrame, ops: pl.DataFrame, tumours: pl.DataFrame, options: Data
) -> dict[str, pl.DataFrame]:
    """Return per block its entries with the columns of ENTRIES plus `answer` and `expected` (code; null for yes/no).

    Args:
        alphaid: entries of Alpha-ID.
        icdo3: entries of ICD-O-3.
        ops: entries of OPS.
        tumours: label space of ICD-10-GM, whose `tumour` column tells tumours from the rest.
        options: the data key.
    """
    diagnoses = alphaid.filter(pl.col("code").is_not_null() & ~pl.col("flags").list.contains("invalid"))
    tumour_codes = tumours.filter("tumour")["code"].implode()
    positive = diagnoses.filter(pl.col("code").is_in(tumour_codes))
    if not options.secondary_tumours:
        positive = positive.filter(~pl.col("code").str.head(3).is_in(SECONDARY))
    positive = _prepare(positive, options)
    negative = _negatives(diagnoses.filter(~pl.col("code").is_in(tumour_codes)), positive.height, options)
    width = options.ops_characters + 1  # with the hyphen
    procedures = _prepare(ops.filter(pl.col("code").str.len_chars() <= width), options)
    topography = _prepare(icdo3.filter(pl.col("kind") == "topography"), options)
    morphology = _prepare(icdo3.filter(pl.col("kind") == "morphology"), options)

    code = pl.col("code")
    none = pl.lit(None, pl.String)
    both = pl.concat(
        [
            positive.with_columns(answer=pl.lit(YES), expected=none),
            negative.with_columns(answer=pl.lit(NO), expected=none),
        ]
    )
    prefix, suffix = options.yes_with_code.split("{code}")
    coded = pl.concat(
        [
            positive.with_columns(answer=pl.lit(prefix) + code + pl.lit(suffix), expected=code),
            negative.with_columns(answer=pl.lit(NO), expected=none),
        ]
    )
    return {
        "icd10": positive.with_columns(answer=code, expected=code),
        "tumour": both,
        "tumour-icd10": coded,
        "ops": procedures.with_columns(answer=code.str.head(width), expected=code.str.head(width)),
        "ops-tumour": procedures.with_columns(answer=pl.lit(NO), expected=none),
        "morphology": morphology.with_columns(answer=code, expected=code),
        "topography": topography.with_columns(answer=code, expected=code),
    }


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


def _negatives(candidates: pl.DataFrame, positives: int, options: Data) -> pl.DataFrame:
    """Return the seeded sample of non-tumour entries; all of them when there are fewer than asked for."""
    candidates = _without_duplicates(candidates, options)
    ids = candidates["entry_id"].to_list()
    count = min(len(ids), round(positives * options.negatives_per_tumour))
    kept = set(shuffled(ids, options.seed, "negatives", ids)[:count])
    return candidates.filter(pl.col("entry_id").is_in(kept))


def sample_hash(entries: pl.DataFrame) -> str:
    """Return the checksum of a sample of entries, by their ids."""
    return digest(*sorted(entries["entry_id"].to_list()))
