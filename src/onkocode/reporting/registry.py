"""Every figure and table, a row each. Rules, the verb and the report take what they say of it from here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from onkocode.records.errors import InputError

if TYPE_CHECKING:
    from onkocode.reporting.outputs import Drawing, Page
    from onkocode.reporting.results import Results

Kind = Literal["figure", "table"]
Input = Literal["metrics", "selection", "models", "training", "attempts", "questions"]
Setting = Literal["texts", "valid_floor", "paper_ceilings"]
Condition = Literal["always", "trained models", "thinking models", "replicates"]
DATA = "{data}"  # in a key: one file per data key


@dataclass(frozen=True)
class Item:
    """A figure or table.

    Attributes:
        key: name of its files; `DATA` in it stands for a data key.
        kind: figure (SVG, PNG, TSV) or table (HTML, TSV).
        number: in Lenz et al. 2025; empty = it is not there.
        title: in the report.
        caption: in the report.
        function: module:function that draws it; it takes `Results`.
        inputs: files that it reads.
        settings: settings that it reads.
        condition: which studies have it.
    """

    key: str
    kind: Kind
    number: str
    title: str
    caption: str
    function: str
    inputs: tuple[Input, ...]
    settings: tuple[Setting, ...] = ()
    condition: Condition = "always"

    def names(self, data: Sequence[str]) -> list[str]:
        """Return the names of its files: one, or one per data key."""
        return [self.key.replace(DATA, key) for key in data] if DATA in self.key else [self.key]

    def data(self, name: str) -> str | None:
        """Return the data key in a name; None where there is none."""
        before, place, after = self.key.partition(DATA)
        return name[len(before) : len(name) - len(after)] if place else None

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels in the report of the file of a name."""
        label = f"{self.number} {self.title}".strip()
        return {"figure": label} if self.kind == "figure" else {"table": label, "data": self.data(name) or "all"}

    def draw(self, results: "Results") -> "Drawing | Page":
        """Return the figure or page with its numbers; raises InputError when an input is missing or holds nothing."""
        module, _, function = self.function.partition(":")
        drawn: Drawing | Page = getattr(import_module(module), function)(results)
        return drawn


BASE_NOTE = "Models that differ in their seed alone share one base, drawn with the first of them."
# fmt: off
ITEMS = (
    Item(
        "loss_curves", "figure", "1", "Loss curves",
        caption="Training loss per model against the epoch. Faint: as logged. Line: centred rolling mean.",
        function="onkocode.reporting.loss_curves:draw",
        inputs=("training", "attempts", "models"),
        condition="trained models",
    ),
    Item(
        "accuracy_by_epoch", "figure", "2", "Accuracy by epoch",
        caption="Exact accuracy, partial accuracy (same category) and rate of invalid answers of base models (epoch "
        "0) and trained models, on questions from the catalogue and on test texts. Accuracies are relative "
        "to the valid answers, as in the paper; hollow markers: these were fewer than "
        f"evaluation.valid_floor of all answers. {BASE_NOTE} A thin line across is a coder with a single "
        "checkpoint.",
        function="onkocode.reporting.accuracy_by_epoch:draw",
        inputs=("metrics", "models"),
        settings=("texts", "valid_floor"),
    ),
    Item(
        "heldout_by_epoch", "figure", "2b", "Held-out formulations and labels",
        caption="Exact accuracy, relative to all answers, on trained labels in trained formulations, on trained "
        "labels in formulations that were held out, and on labels that were held out. The distance between "
        f"the panels is what was memorised and not learned. {BASE_NOTE} A thin line across is a coder with a "
        "single checkpoint.",
        function="onkocode.reporting.heldout_by_epoch:draw",
        inputs=("metrics", "models"),
    ),
    Item(
        "size_accuracy", "figure", "3", "Accuracy against size",
        caption="Exact and partial accuracy of all answers against the number of parameters, for base models and "
        "the selected trained checkpoints; the paper's Figure 3 is of the valid answers, which flatters "
        f"models that give few. A line across with a name is a coder without parameters. {BASE_NOTE}",
        function="onkocode.reporting.size_accuracy:draw",
        inputs=("metrics", "selection", "models"),
        settings=("texts", "paper_ceilings"),
    ),
    Item(
        "thinking_mode", "figure", "4", "Thinking mode",
        caption="Models with a thinking mode: base, base with thinking, and trained. Thinking mode is asked about a "
        "share of the texts only. Dotted: invalid answers whose thought does not end, as a rule since "
        "thinking.max_new_tokens cut it, a limit that is this project's and not the paper's. \\*: the valid "
        "answers, which accuracies are relative to, were fewer than evaluation.valid_floor of all.",
        function="onkocode.reporting.thinking_mode:draw",
        inputs=("metrics", "selection", "models"),
        settings=("texts", "valid_floor"),
        condition="thinking models",
    ),
    Item(
        "questions-{data}", "table", "1", "Questions",
        caption="Questions per block, with the paper's Table 1 beside them.",
        function="onkocode.reporting.questions_table:tabulate",
        inputs=("questions",),
    ),
    Item(
        "models", "table", "3", "Models",
        caption="The models, their quantisation, GPUs and hours of fine-tuning.",
        function="onkocode.reporting.models_table:tabulate",
        inputs=("models", "training"),
    ),
    Item(
        "performance", "table", "4", "Performance",
        caption="Base and selected trained checkpoints on the test sets. The development split of the catalogue "
        "selects the checkpoint; where the test set itself would have selected another one, by the accuracy "
        "of all answers or, as the paper chose, by that of the valid ones, that one is shown as well. The "
        "paper's way needs an epoch with enough valid answers (evaluation.valid_floor).",
        function="onkocode.reporting.performance:tabulate",
        inputs=("metrics", "selection", "models"),
        settings=("texts", "valid_floor"),
    ),
    Item(
        "replicates", "table", "", "Replicates",
        caption="Accuracy of each recipe over its seeds, epoch by epoch. Replicates differ in the seed of training "
        "alone, so the standard deviation says how much single trainings vary, and the interval how well "
        "their mean is known.",
        function="onkocode.reporting.replicates:tabulate",
        inputs=("metrics", "models"),
        settings=("texts",),
        condition="replicates",
    ),
)
# fmt: on


def find(name: str) -> Item:
    """Return the item that a file belongs to; raises InputError for a name that no item has."""
    for item in ITEMS:
        if re.fullmatch(re.escape(item.key).replace(re.escape(DATA), ".+"), name):
            return item
    raise InputError(f"{name}: no figure or table; known are {', '.join(item.key for item in ITEMS)}")
