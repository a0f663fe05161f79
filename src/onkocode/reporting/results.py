"""What a figure or table may ask for. Each file is read once, when it is first asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from onkocode.config.base import Section
from onkocode.config.schema import VALID_FLOOR
from onkocode.evaluation.breakdown import CONFUSIONS
from onkocode.evaluation.crossfitting import FREQUENCIES
from onkocode.evaluation.selection import chosen_epochs, chosen_ways, read_selection
from onkocode.records.errors import InputError
from onkocode.records.schemas import read_table
from onkocode.reporting.inputs import Model, Target, read_metrics, read_models, targets
from onkocode.reporting.logs import read_failed, read_training


class Settings(Section):
    """Settings of figures and tables."""

    texts: tuple[str, ...] = Field((), description="Keys of the test sets, in order.")
    valid_floor: float = Field(VALID_FLOOR, ge=0, le=1, description="As evaluation.valid_floor.")
    paper_ceilings: bool = Field(False, description="As evaluation.paper_ceilings.")


@dataclass(frozen=True)
class Results:
    """Files of a study by the name of their kind (`registry.Input`), and settings."""

    files: Mapping[str, Sequence[Path]]
    settings: Settings = field(default_factory=Settings)

    @cached_property
    def metrics(self) -> pl.DataFrame:
        """Rates of all checkpoints, as in the schema Metrics."""
        return read_metrics(self._paths("metrics"))

    @cached_property
    def selection(self) -> pl.DataFrame:
        """Which epochs were chosen, as `select_checkpoints` returned them."""
        return read_selection(self._path("selection"))

    @cached_property
    def frequencies(self) -> pl.DataFrame:
        """How often each epoch would be chosen, as in `crossfitting.FREQUENCIES`."""
        return self._tsv("frequencies", FREQUENCIES)

    @cached_property
    def confusions(self) -> pl.DataFrame:
        """Wrong codes, as in `breakdown.CONFUSIONS`."""
        return self._tsv("confusions", CONFUSIONS)

    @cached_property
    def comparisons(self) -> pl.DataFrame:
        """Paired differences, as in the schema Comparisons."""
        return read_table(self._path("comparisons"), "comparisons")

    @cached_property
    def strata(self) -> pl.DataFrame:
        """Rates of parts of the answers, as in the schema Metrics."""
        return read_table(self._path("strata"), "metrics")

    @cached_property
    def breakdown(self) -> pl.DataFrame:
        """Rates by kind of code and by formulation, as in the schema Metrics."""
        return read_table(self._path("breakdown"), "metrics")

    @cached_property
    def certainty(self) -> pl.DataFrame:
        """What scores are worth, as in the schema Certainty."""
        return read_table(self._path("certainty"), "certainty")

    @cached_property
    def models(self) -> list[Model]:
        """Descriptions of the models, in the order of figures and tables."""
        return read_models(self._paths("models"))

    @cached_property
    def training(self) -> pl.DataFrame:
        """Rows that training logged."""
        return read_training(self._paths("training"))

    @cached_property
    def failed(self) -> pl.DataFrame:
        """Losses of failed attempts."""
        return read_failed(self._paths("attempts"))

    @cached_property
    def questions(self) -> pl.DataFrame:
        """Questions of a data key, with all splits."""
        return read_table(self._path("questions"), "questions")

    @property
    def texts(self) -> Sequence[str]:
        """Keys of the test sets, in order."""
        return self.settings.texts

    @property
    def valid_floor(self) -> float:
        """Share of valid answers, 0…1, below which rates of them are marked."""
        return self.settings.valid_floor

    @property
    def paper_ceilings(self) -> bool:
        """Whether to draw what the texts of Lenz et al. 2025 allow at best."""
        return self.settings.paper_ceilings

    @property
    def targets(self) -> list[Target]:
        """The question sets that results are reported on."""
        return targets(self.metrics, self.texts)

    @property
    def epochs(self) -> dict[str, int]:
        """The chosen epoch of each model that has one."""
        return chosen_epochs(self.selection)

    def chosen_on(self, dataset: str) -> set[str]:
        """Return the models whose epoch a test set chose."""
        return {model for model, chosen in chosen_ways(self.selection).items() if chosen == ("test", dataset)}

    def _tsv(self, name: str, columns: Mapping[str, Any]) -> pl.DataFrame:
        path = self._path(name)
        try:
            return pl.read_csv(path, separator="\t", schema_overrides=columns, glob=False).select(list(columns))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(f"{path}: not a table of {name} ({error}); remove it and run again") from error

    def _paths(self, name: str) -> Sequence[Path]:
        return self.files.get(name, ())

    def _path(self, name: str) -> Path:
        paths = self._paths(name)
        if len(paths) != 1:
            raise InputError(f"--{name} must name one file; {len(paths)} are given")
        return paths[0]
