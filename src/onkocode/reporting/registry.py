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
Input = Literal[
    "metrics",
    "selection",
    "models",
    "training",
    "attempts",
    "questions",
    "frequencies",
    "comparisons",
    "strata",
    "breakdown",
    "confusions",
    "certainty",
]
Setting = Literal["texts", "valid_floor", "paper_ceilings"]
Condition = Literal[
    "always",
    "trained models",
    "thinking models",
    "replicates",
    "swapped",
    "single",
    "constrained",
    "test sets",
    "held-out labels",
    "scores",
]
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
        "labels in formulations that were held out, and on held-out labels of new stems. The distance between "
        f"the panels is what was memorised and not learned. {BASE_NOTE} A thin line across is a coder with a "
        "single checkpoint.",
        function="onkocode.reporting.heldout_by_epoch:draw",
        inputs=("metrics", "strata", "models"),
    ),
    Item(
        "size_accuracy", "figure", "3", "Accuracy against size",
        caption="Exact and partial accuracy of all answers against the number of parameters, for base models and "
        "the selected trained checkpoints; the paper's Figure 3 is of the valid answers, which flatters "
        f"models that give few. A line across with a name is a coder without parameters. {BASE_NOTE}",
        function="onkocode.reporting.size_accuracy:draw",
        inputs=("metrics", "selection", "comparisons", "models"),
        settings=("texts", "paper_ceilings"),
    ),
    Item(
        "thinking_mode", "figure", "4", "Thinking mode",
        caption="Models with a thinking mode: base, base with thinking, and trained, all on the texts that thinking "
        "mode was asked about. Dotted: invalid answers whose thought does not end, as a rule since "
        "thinking.max_new_tokens cut it, a limit that is this project's and not the paper's. \\*: the valid answers, "
        "which accuracies are relative to, were fewer than evaluation.valid_floor of all.",
        function="onkocode.reporting.thinking_mode:draw",
        inputs=("metrics", "strata", "selection", "comparisons", "models"),
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
        inputs=("metrics", "strata", "selection", "comparisons", "models"),
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
    Item(
        "comparisons", "table", "", "Paired differences",
        caption="Differences between trained and base models, prompts, conditions, epochs and coders on the same "
        "questions, with intervals over texts, p values by flipped signs and their correction for the number of "
        "comparisons.",
        function="onkocode.reporting.comparisons_table:tabulate",
        inputs=("comparisons", "models"),
    ),
    Item(
        "chosen_epochs", "table", "", "Chosen epochs",
        caption="The chosen epochs with the accuracy that chose them, the same by cross-fitting, the optimism of the "
        "choice, and how often each epoch would be chosen.",
        function="onkocode.reporting.choice_table:tabulate",
        inputs=("selection", "frequencies", "models"),
        condition="trained models",
    ),
    Item(
        "breakdown", "table", "", "Accuracy by kind of code",
        caption="Exact accuracy by behaviour, number of training labels, chapter, group and category of the expected "
        "code, and the mean over codes.",
        function="onkocode.reporting.breakdown_tables:tabulate",
        inputs=("breakdown", "metrics", "selection", "models"),
        settings=("texts",),
    ),
    Item(
        "confusions", "table", "", "Confusions",
        caption="The most frequent wrong codes, with the titles of the catalogue.",
        function="onkocode.reporting.breakdown_tables:confused",
        inputs=("confusions", "models"),
    ),
    Item(
        "heldout", "table", "", "Held-out labels",
        caption="Accuracy on labels that were held out, without those near a trained one and grouped by stem; recall, "
        "specificity and balanced accuracy of tumour recognition.",
        function="onkocode.reporting.condition_tables:heldout",
        inputs=("metrics", "strata", "selection", "models"),
        condition="held-out labels",
    ),
    Item(
        "formulations", "table", "", "Formulations",
        caption="Range of accuracy and agreement of answers over the formulations of the question, and the variance "
        "between texts and between formulations.",
        function="onkocode.reporting.condition_tables:formulations",
        inputs=("metrics", "breakdown", "selection", "models"),
        settings=("texts",),
        condition="test sets",
    ),
    Item(
        "prompts", "table", "", "Prompt and training",
        caption="Base and trained models with and without the sentence that asks for a short answer.",
        function="onkocode.reporting.condition_tables:prompts",
        inputs=("metrics", "strata", "selection", "models"),
        settings=("texts",),
        condition="swapped",
    ),
    Item(
        "response_times", "table", "", "Response times",
        caption="Seconds per question, one at a time and in batches.",
        function="onkocode.reporting.condition_tables:response_times",
        inputs=("metrics", "selection", "models"),
        settings=("texts",),
        condition="single",
    ),
    Item(
        "constrained", "table", "", "Held to the label space",
        caption="Free answers beside answers that are held to the codes of the label space.",
        function="onkocode.reporting.condition_tables:constrained",
        inputs=("metrics", "selection", "models"),
        settings=("texts",),
        condition="constrained",
    ),
    Item(
        "thinking_kept", "table", "", "Thinking mode, switched on",
        caption="Whether base and trained models think when they are asked to.",
        function="onkocode.reporting.condition_tables:thinking_kept",
        inputs=("metrics", "selection", "models"),
        settings=("texts",),
        condition="thinking models",
    ),
    Item(
        "coverage", "figure", "", "Accuracy against coverage",
        caption="Exact accuracy of the most certain answers against the share of cases that they are; an answer "
        "withheld is none that is right. A single point: a coder without scores, at its share of valid answers.",
        function="onkocode.reporting.certainty:coverage",
        inputs=("certainty", "models"),
        settings=("texts",),
        condition="scores",
    ),
    Item(
        "reliability", "figure", "", "Reliability of scores",
        caption="Accuracy against the score of the first answer; on the diagonal, scores are probabilities.",
        function="onkocode.reporting.certainty:reliability",
        inputs=("certainty", "models"),
        settings=("texts",),
        condition="scores",
    ),
    Item(
        "certainty", "table", "", "Certainty",
        caption="Calibration, and how many of 100 cases need no human at an allowed error.",
        function="onkocode.reporting.certainty:tabulate",
        inputs=("certainty", "models"),
        settings=("texts",),
        condition="scores",
    ),
)
# fmt: on


def find(name: str) -> Item:
    """Return the item that a file belongs to; raises InputError for a name that no item has."""
    for item in ITEMS:
        if re.fullmatch(re.escape(item.key).replace(re.escape(DATA), ".+"), name):
            return item
    raise InputError(f"{name}: no figure or table; known are {', '.join(item.key for item in ITEMS)}")
