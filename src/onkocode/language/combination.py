"""From topography and morphology to ICD-10-GM.

Solid tumours follow the rules of the registries (Plattform § 65c, "Umsetzung ICD-O-3 nach ICD-10"): the first rule that
fits counts; without one, a malignant tumour has the code of its site.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onkocode.language.rows import Combination, Dispute

WITHOUT_DIGIT = frozenset(
    (
        "C01",
        "C07",
        "C12",
        "C19",
        "C20",
        "C23",
        "C33",
        "C37",
        "C52",
        "C55",
        "C56",
        "C58",
        "C61",
        "C64",
        "C65",
        "C66",
        "C73",
    )
)
# Where ICD-10-GM has five characters, and topography does not tell which.
FINER = {
    "C41.0": "C41.02",
    "C41.3": "C41.30",
    "C44.5": "C44.59",
    **dict.fromkeys(("C42.0", "C42.1", "C42.3", "C42.4"), "C96.9"),
}


@dataclass(frozen=True)
class Combinations:
    """The rules.

    Args:
        rules: for tumours where they began.
        metastases: for where they came to.
        disputes: where several codes are defensible.
    """

    rules: Sequence[Combination]
    metastases: Sequence[Combination]
    disputes: Sequence[Dispute] = ()

    def icd10(self, topography: str, morphology: str) -> tuple[str | None, Combination | None]:
        """Return the code and the rule that gave it; no code where nothing fits.

        Args:
            topography: like C16.0.
            morphology: like 8140/3.
        """
        number, behaviour = int(morphology[:4]), morphology[5]
        for rule in self.rules:
            if rule.behaviour == behaviour and _fits(rule, number, topography):
                return rule.icd10, rule
        return (_same(topography) if behaviour == "3" else None), None

    def metastasis(self, topography: str) -> tuple[str, Combination | None]:
        """Return the code of a metastasis at a site."""
        for rule in self.metastases:
            if _fits(rule, 0, topography):
                return rule.icd10, rule
        return "C79.88", None

    def alternatives(self, topography: str, morphology: str) -> tuple[str, ...]:
        """Return the codes that are defensible for a tumour where more than one is; nothing where one is."""
        for dispute in self.disputes:
            fits = any(_is_one_of(morphology, choice) for choice in dispute.morphologies)
            if fits and any(first <= topography <= last for first, last in dispute.topographies):
                return dispute.codes
        return ()


def _is_one_of(morphology: str, choice: str) -> bool:
    first, _, last = choice.partition("-")
    return morphology == choice or bool(last and first <= morphology[:4] <= last)


def _fits(rule: Combination, number: int, topography: str) -> bool:
    if rule.morphologies and not any(first <= number <= last for first, last in rule.morphologies):
        return False
    return any(first <= topography <= last for first, last in rule.topographies)


def _same(topography: str) -> str:
    category = topography[:3]
    return category if category in WITHOUT_DIGIT else FINER.get(topography, topography)
