"""Numbers that Lenz et al. 2025 ("Unlocking Public Catalogues") print, to stand beside the project's own.

Its Table 1 is in `onkocode.questions.counts`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ceiling:
    """95 % interval (Clopper–Pearson, in %) of what the texts of the study's registry allow at best.

    ``exact`` is in Table 2; ``partial`` is computed the same way from its rows "fully" and "partially derivable".
    """

    exact: tuple[float, float]
    partial: tuple[float, float]


CEILINGS = {
    "icd10": Ceiling(exact=(60, 79), partial=(81, 94)),
    "topography": Ceiling(exact=(55, 74), partial=(84, 96)),
}
