"""What kind of answer stands in a data set, and its normal form, so that `C509` and `C50.9` count as the same code."""

import polars as pl

from onkocode.tasks import NO, YES

KINDS = ("icd10", "topography", "morphology", "ops", "yes-no", "yes-code", "both-codes", "other")
TITLES = {
    "icd10": "ICD-10 code",
    "topography": "ICD-O topography code",
    "morphology": "ICD-O morphology code",
    "ops": "OPS code",
    "yes-no": "Ja or Nein",
    "yes-code": "Ja and a code",
    "both-codes": "topography and morphology code",
    "other": "something else",
}
_ICD10 = r"[A-Za-z][0-9]{2}(?:\.?[0-9]{1,2})?(?:\.?-)?[+*!]?"
_MORPHOLOGY = r"M?-?[0-9]{4}[/:][0-9]"
_OPS = r"[0-9]-[0-9a-z]{2,3}(?:\.[0-9a-z]{1,2})?(?:\.?-)?"
_TOPOGRAPHY_LIKE = r"^(?:C[0-7][0-9]|C80)(?:\.[0-9])?$"
# In a question. ICD-O first: a question for it may say that it does not mean ICD-10.
_ASKS_TOPOGRAPHY = r"(?i)icd-?\s?o\b|topogra"
_ASKS_ICD10 = r"(?i)icd-?\s?10"


def with_kinds(pairs: pl.DataFrame) -> pl.DataFrame:
    """Add `kind` (one of `KINDS`), `key` (the answer in its normal form) and `unsure` to pairs of question and answer.

    The key of a code is the code, also where `Ja` stands before it. A code such as C50.9 is one of ICD-10 or of the
    topography, which the words of the question decide; `unsure` marks those that say neither, and their kind is icd10.
    """
    answer = pl.col("answer").str.strip_chars().str.strip_chars_end(".")
    shapes = pl.DataFrame({"answer": pairs["answer"].unique()}).with_columns(kind=_shape(answer), key=_key(answer))
    told = pairs.join(shapes, on="answer", how="left", maintain_order="left")
    question = pl.col("question")
    either = (pl.col("kind") == "icd10") & pl.col("key").str.contains(_TOPOGRAPHY_LIKE)
    topography, icd10 = question.str.contains(_ASKS_TOPOGRAPHY), question.str.contains(_ASKS_ICD10)
    return told.with_columns(
        kind=pl.when(either & topography).then(pl.lit("topography")).otherwise("kind"),
        unsure=either & ~topography & ~icd10,
    )


def _shape(answer: pl.Expr) -> pl.Expr:
    both = rf"^(?:{_ICD10}[^A-Za-z0-9]+{_MORPHOLOGY}|{_MORPHOLOGY}[^A-Za-z0-9]+{_ICD10})$"
    shapes = {
        rf"^{_ICD10}$": "icd10",
        rf"^{_MORPHOLOGY}$": "morphology",
        rf"^{_OPS}$": "ops",
        r"(?i)^(?:ja|nein)$": "yes-no",
        rf"(?i)^ja\b.{{0,60}}?[^A-Za-z0-9]{_ICD10}[^A-Za-z0-9]*$": "yes-code",
        both: "both-codes",
    }
    kind = pl.lit("other")
    for pattern, name in reversed(shapes.items()):
        kind = pl.when(answer.str.contains(pattern)).then(pl.lit(name)).otherwise(kind)
    return kind


def _key(answer: pl.Expr) -> pl.Expr:
    shape = _shape(answer)
    code = _code(answer.str.extract(rf"({_ICD10})[^A-Za-z0-9]*$"))
    morphology = answer.str.extract(rf"({_MORPHOLOGY})").str.strip_chars_start("M-").str.replace(":", "/", literal=True)
    place = _code(answer.str.extract(rf"(?:^|[^A-Za-z0-9])({_ICD10})"))
    yes = pl.when(answer.str.to_lowercase() == "ja").then(pl.lit(YES)).otherwise(pl.lit(NO))
    return (
        pl.when(shape.is_in(["icd10", "yes-code"]))
        .then(code)
        .when(shape == "morphology")
        .then(morphology)
        .when(shape == "ops")
        .then(answer.str.replace(r"\.?-$", ""))
        .when(shape == "yes-no")
        .then(yes)
        .when(shape == "both-codes")
        .then(pl.concat_str(place, morphology, separator=" "))
        .otherwise(answer)
    )


def _code(text: pl.Expr) -> pl.Expr:
    """Return an ICD-10 or topography code with its dot and without signs."""
    bare = text.str.to_uppercase().str.replace_all(r"[^A-Z0-9]", "")
    return bare.str.replace(r"^([A-Z][0-9]{2})([0-9]+)$", "${1}.${2}")
