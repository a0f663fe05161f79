"""Sections on catalogues, data keys and test sets."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from onkocode.config.base import AugmentationKind, Key, Mark, PositiveInt, Section, Share, Version, Versions
from onkocode.config.changes import Change, keys_of
from onkocode.tasks import YES_WITH_CODE


class Catalogues(Section):
    """Where the catalogue files come from."""

    folder: Path | None = Field(
        None,
        description="Folder with catalogue files that you have, searched with its subfolders and zip files; or one "
        "such file. "
        "Default: the environment variable ONKOCODE_CATALOGUES. Without either, files are downloaded.",
    )
    files: dict[str, Path] = Field(
        default_factory=dict,
        description="Files that you name yourself, by `<dataset>-<version>`, e.g. `alphaid-2024: my/alphaid.txt`.",
    )
    sources: Path = Field(Path("config/catalogues.tsv"), description="Table of known sources.")
    accept_terms: bool = Field(
        False, description="Set to true after reading BfArM's terms of use; without it nothing is downloaded."
    )


class Sample(Section):
    """A part of the catalogues, for trying things out."""

    codes: PositiveInt = Field(description="Number of distinct codes kept of each block.")
    seed: int = Field(0, description="Seed of the choice.")


class Augmentation(Section):
    """Additional training rows whose labels are rewritten the way clinical texts are written."""

    share: float = Field(0.5, gt=0, le=1, description="Share of the training entries that get such rows.")
    copies: PositiveInt = Field(1, description="Rows per such entry.")
    kinds: list[AugmentationKind] = Field(
        ["abbreviation", "side", "stage", "grading", "certainty", "typing-error", "compound"],
        min_length=1,
        description="What may happen to a label.",
    )
    abbreviations: str = Field("v1", description="Version of the table of abbreviations.")
    seed: int = Field(0, description="Seed of all choices.")


class Clinical(Section):
    """Questions on texts as clinicians write them, composed from the tables of clinical language."""

    texts_per_code: PositiveInt = Field(150, description="Texts per ICD-10 code; fewer where words run out.")
    heldout_wordings: Share = Field(
        0.1,
        description="Share of the synonyms and abbreviations that stay out of training; as many texts more have them "
        "(development split).",
    )
    formulations: PositiveInt = Field(1, description="Formulations in which a text is asked about, of each block.")
    typing_errors: float = Field(0.08, ge=0, le=1, description="Share of the texts with a typing error.")
    abbreviations: str = Field("v1", description="Version of the table of abbreviations for writing.")
    seed: int = Field(0, description="Seed of all choices.")


class Data(Section):
    """A data key: dataset-versions plus the options that turn them into questions."""

    preset: Key = Field("paper", description="Preset that gives the options which are not set here.")
    alphaid: Versions = Field(
        description="Version of Alpha-ID (labels of diagnoses). In a list, the first leads and each further one adds "
        "the labels that those before it lack, as far as icd10gm still has their codes."
    )
    icd10gm: Version = Field(description="Version of ICD-10-GM (label space).")
    icdo3: Versions = Field(description="Version of ICD-O-3 (topography and morphology), or a list of versions.")
    ops: Versions = Field(description="Version of OPS (procedures), or a list of versions.")
    crosswalk: Version | None = Field(
        None, description="Version of the ICD-O-3 to ICD-10 rules; needed by topography_from_alphaid and links."
    )
    formulations: str = Field("v1", description="Version of the formulations.")
    seed: int = Field(20240627, description="Seed of the negatives, of both held-out choices and of the links.")
    negatives_per_tumour: float = Field(
        1.0, ge=0, description="Non-tumour entries added per tumour entry; the same sample serves both yes/no blocks."
    )
    duplicates: bool = Field(True, description="Keep labels that occur more than once for the same code.")
    secondary_tumours: bool = Field(True, description="Keep C77–C79 (metastases).")
    ops_classes: list[Literal[3, 4]] = Field(
        [3, 4], min_length=1, description="Lengths of the OPS classes (main categories) whose labels are asked for."
    )
    ops_inclusions: bool = Field(
        True, description="Ask for the inclusion labels of OPS as well; only the ClaML file has them."
    )
    yes_with_code: str = Field(
        YES_WITH_CODE,
        pattern=r"^[^{}]*\{code\}[^{}]*$",
        description="Answer to yes/no-with-code for a tumour; it is read by its `Ja` and its code.",
    )
    topography_from_alphaid: bool = Field(
        False, description="Add topography questions on the Alpha-ID labels whose code has exactly one topography."
    )
    links: int = Field(
        0, ge=0, description="Questions per topography code that ask for topography and morphology of one tumour."
    )
    heldout_labels: Share = Field(
        0.0, description="Share of the labels that stays out of training (development split)."
    )
    heldout_formulations: int = Field(
        0,
        ge=0,
        le=2,
        description="Formulations per block that stay out of training, to measure transfer to new phrasing.",
    )
    heldout_negatives: int = Field(
        0, ge=0, description="Further non-tumour entries, never trained on, to measure specificity."
    )
    augmentation: Augmentation | None = Field(None, description="Rewritten training labels; null = none.")
    sample: Sample | None = Field(None, description="Use only a part of the catalogues.")
    clinical: Annotated[Clinical | None, Mark.ADDED] = Field(
        None,
        description="Composed texts as clinicians write them; null = none. A key with a sample has those that it asks "
        "for itself, none of its preset.",
    )


# What each data key says for itself; the other keys may stand in a preset.
CATALOGUES = ("alphaid", "icd10gm", "icdo3", "ops", "crosswalk")
OF_A_DATA_KEY = (*CATALOGUES, "preset", "formulations", "seed", "yes_with_code", "sample")


class Leakage(Section):
    """The comparison of test texts with training labels."""

    near: float = Field(
        90.0, ge=50, le=100, description="Similarity (0–100) from which a test text is a near-duplicate of a label."
    )
    refuse: Literal["nothing", "exact", "near"] = Field(
        "nothing",
        description="What stops the workflow: a test text that stands in training, exactly or nearly.",
    )


class Columns(Section):
    """Names of the columns in a file of coded texts."""

    id: str = Field("id", description="Unique id of the row.")
    text: str = Field("text", description="The diagnosis text.")
    icd10: str = Field("icd10", description="ICD-10-GM code.")
    topography: str = Field(
        "topography", description="ICD-O-3 topography code, if known. Under this name the column may be missing."
    )
    morphology: str | None = Field(
        "morphology",
        description="ICD-O-3 morphology code, if known. Under this name the column may be missing; null = not read.",
    )
    cluster: str | None = Field(None, description="Patient or case, if known: intervals are clustered by it.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        """Refuse one column for two meanings: the text would become an id, which is not private."""
        named = [self.morphology] if self.morphology and "morphology" in self.model_fields_set else []
        names = [self.text, self.icd10, self.topography, *named, self.id]
        if len(set(names)) < len(names) or self.cluster in names[:-1]:
            raise ValueError("the columns text, icd10, topography, morphology, id and cluster must be different")
        return self


class Texts(Section):
    """A test set of coded diagnosis texts. It never takes part in training."""

    file: Path = Field(description="CSV or TSV file, UTF-8 or Windows-1252; the separator is recognised.")
    icd10gm: Version = Field(description="Version of ICD-10-GM that its codes follow.")
    icdo3: Version = Field(description="Version of ICD-O-3 that its codes follow.")
    columns: Columns = Field(
        default_factory=lambda: Columns.model_validate({}),
        description="Names of the columns that differ from the default.",
    )
    formulations: str = Field("v1", description="Version of the formulations.")


@keys_of(Data, without=OF_A_DATA_KEY)
class DataChange(Change):
    """Data options that a preset sets; null = not set here."""
