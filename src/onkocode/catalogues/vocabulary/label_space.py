"""Which codes exist: the one place that judges a code."""

from dataclasses import dataclass

import polars as pl

SYSTEM_OF_TASK = {"icd10": "icd10gm", "topography": "topography"}


@dataclass(frozen=True)
class LabelSpace:
    """Codes of one system of one catalogue version, with whether each is terminal."""

    terminal: dict[str, bool]

    @classmethod
    def of(cls, codes: pl.DataFrame, system: str) -> "LabelSpace":
        """Take one system out of a label space table (schema CODES)."""
        rows = codes.filter(pl.col("system") == system)
        return cls(dict(zip(rows["code"].to_list(), rows["terminal"].to_list(), strict=True)))

    def exists(self, code: str) -> bool:
        """Tell whether the code stands in the catalogue, terminal or not."""
        return code in self.terminal

    def is_terminal(self, code: str) -> bool:
        """Tell whether the code may be used for coding."""
        return self.terminal.get(code, False)
