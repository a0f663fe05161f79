"""Entries and label spaces of the catalogues, and the tables between them."""

import dataframely as dy
import polars as pl

from onkocode.records.tables.values import one_of


class Entries(dy.Schema):
    """Labels of catalogues, and users' texts."""

    entry_id = dy.String(primary_key=True, min_length=1)  # stable, e.g. alphaid-2024:I105731
    dataset = dy.String(min_length=1)  # catalogue or key of the user's test set
    version = dy.String()
    kind = dy.String(check=one_of("diagnosis", "topography", "morphology", "procedure", "text"))
    code = dy.String(nullable=True)  # null where the source row carries none
    topography = dy.String(nullable=True)  # users' texts only: second code of the same text, if known
    morphology = dy.String(nullable=True)  # users' texts only: third code of the same text, if known
    accepted = dy.List(dy.String())  # further codes that count as right
    text = dy.String(min_length=1)
    text_key = dy.String(min_length=1)
    cluster = dy.String()  # patient or case of a user's text; entry_id where unknown
    flags = dy.List(dy.String())


class Codes(dy.Schema):
    """A label space."""

    code = dy.String(primary_key=True, min_length=1)
    system = dy.String(primary_key=True, check=one_of("icd10gm", "topography", "morphology", "ops"))
    title = dy.String(min_length=1)
    terminal = dy.Bool()
    chapter = dy.String()
    group = dy.String()
    category = dy.String()  # ICD and topography: three characters; morphology: four digits; OPS: three-character class
    behaviour = dy.String(  # null outside tumours
        nullable=True,
        check=one_of(
            "malignant", "in-situ", "benign", "uncertain", "metastatic", "malignant, primary or metastatic unknown"
        ),
    )
    tumour = dy.Bool()

    @dy.rule()
    def behaviour_of_tumours_only(cls) -> pl.Expr:
        """Codes outside tumours have no behaviour."""
        return pl.col("tumour") | pl.col("behaviour").is_null()


class Transitions(dy.Schema):
    """How codes go over from one version of ICD-10-GM to the next; never written."""

    old = dy.String(nullable=True)  # terminal code of the earlier version; null = none
    new = dy.String(nullable=True)  # terminal code of the later version; null = none
    forward = dy.Bool()  # old → new may be done without looking at the case
    backward = dy.Bool()  # new → old may be done without looking at the case

    @dy.rule()
    def old_or_new(cls) -> pl.Expr:
        """A row without both says nothing."""
        return pl.col("old").is_not_null() | pl.col("new").is_not_null()

    @dy.rule()
    def pair_once(cls) -> pl.Expr:
        """A pair stands once."""
        return pl.struct("old", "new").is_unique()


class Crosswalk(dy.Schema):
    """The rules from ICD-O-3 to ICD-10, a row per range of morphologies."""

    rule = dy.Int64(min=1)  # line of the file, 1 = first rule
    topography = dy.String(min_length=1)  # regular expression that a topography code must match in full
    first = dy.Int64(min=0, max=9999)  # morphology without behaviour, e.g. 8000; one row per range of a rule
    last = dy.Int64(min=0, max=9999)  # inclusive
    behaviour = dy.String(regex=r"^[0-9]$")  # digit after the slash
    default = dy.Bool()
    icd10 = dy.String(min_length=1)
    title = dy.String()
