"""Numbers that Lenz et al. 2025 ("Unlocking Public Catalogues") print, to stand beside the project's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QuestionBlock:
    """A row of Table 1; ``codes`` is None where the paper counts none."""

    block: str
    title: str
    entries: int
    codes: int | None
    formulations: int
    questions: int


@dataclass(frozen=True)
class Ceiling:
    """95 % interval (Clopper–Pearson, in %) of what the texts of the study's registry allow at best.

    ``exact`` is in Table 2; ``partial`` is computed the same way from its rows "fully" and "partially derivable".
    """

    exact: tuple[float, float]
    partial: tuple[float, float]


TABLE_1 = (
    QuestionBlock("icd10", "ICD-10 code of a tumour diagnosis", 13_600, 809, 12, 163_200),
    QuestionBlock("tumour", "Tumour diagnosis? Yes or no", 27_200, None, 6, 163_200),
    QuestionBlock("tumour-icd10", "Tumour diagnosis? Yes or no, and the ICD-10 code", 27_200, None, 4, 108_800),
    QuestionBlock("ops", "OPS main category of a procedure", 2_964, None, 10, 29_640),
    QuestionBlock("ops-tumour", "OPS procedure is not a tumour diagnosis", 2_964, None, 4, 11_856),
    QuestionBlock("morphology", "ICD-O morphology code", 2_804, 1_145, 10, 28_040),
    QuestionBlock("topography", "ICD-O topography code", 1_338, 400, 10, 13_380),
)
TABLE_1_QUESTIONS = 518_116
CEILINGS = {
    "icd10": Ceiling(exact=(60, 79), partial=(81, 94)),
    "topography": Ceiling(exact=(55, 74), partial=(84, 96)),
}
