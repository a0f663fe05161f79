"""Which codes exist: the one place that judges a code."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class LabelSpace:
    """Codes and categories of one system of one catalogue version, with whether each is terminal.

    A category that is no code of its own, such as the four digits `8140` of the morphology, stands there as well.
    """

    terminal: dict[str, bool]
    single: frozenset[str] = frozenset()  # categories with one terminal code: who names them leaves nothing open

    @classmethod
    def of(cls, codes: pl.DataFrame, system: str) -> "LabelSpace":
        """Take one system out of a label space table (schema Codes)."""
        rows = codes.filter(pl.col("system") == system)
        categories = dict.fromkeys(rows["category"].drop_nulls().to_list(), False)
        codes_of = rows.filter("terminal").group_by("category").agg(pl.len())
        single = codes_of.filter(pl.col("len") == 1)["category"].to_list()
        terminal = dict(zip(rows["code"].to_list(), rows["terminal"].to_list(), strict=True))
        return cls(categories | terminal, frozenset(single))

    def exists(self, code: str) -> bool:
        """Tell whether the code stands in the catalogue, terminal or not."""
        return code in self.terminal

    def is_terminal(self, code: str) -> bool:
        """Tell whether the code may be used for coding."""
        return self.terminal.get(code, False)


def label_spaces(codes: pl.DataFrame) -> dict[str, LabelSpace]:
    """Return the label space of every system in a table (schema Codes)."""
    return {system: LabelSpace.of(codes, system) for system in codes["system"].unique()}
