"""The form of codes and what follows from a code alone. Source: ICD-10-GM, chapter II; ICD-O-3, both axes; OPS."""

import re

ICD10 = re.compile(r"[A-Z]\d{2}(\.\d{1,2})?", re.ASCII)
OPS = re.compile(r"\d-[0-9a-z]{2}([0-9a-z](\.[0-9a-z]{1,2})?)?", re.ASCII)
SECONDARY = ("C77", "C78", "C79")
CATEGORY_LENGTHS = {"icd10gm": 3, "topography": 3, "morphology": 4, "ops": 4}  # C50, C50, 8140, 5-87


def category_of(code: str, system: str) -> str:
    """Return the category of a code by its form, whether or not the code exists: `8140` of `8140/3`."""
    return code[: CATEGORY_LENGTHS[system]]


def is_tumour(code: str) -> bool:
    """Tell whether an ICD-10-GM code lies in C00–D48."""
    return "C00" <= code[:3] <= "D48"


def behaviour(code: str) -> str | None:
    """Return the behaviour class of an ICD-10-GM tumour code; None outside C00–D48."""
    category = code[:3]
    if not is_tumour(code):
        return None
    if category < "D00":
        return "malignant"
    if category < "D10":
        return "in-situ"
    return "benign" if category < "D37" else "uncertain"


MORPHOLOGY_BEHAVIOUR = {
    "0": "benign",
    "1": "uncertain",
    "2": "in-situ",
    "3": "malignant",
    "6": "metastatic",
    "9": "malignant, primary or metastatic unknown",
}
