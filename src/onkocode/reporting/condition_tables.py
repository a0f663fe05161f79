"""Tables of what is the same weights asked in other ways, of labels that are new in earnest, and of formulations."""

from collections.abc import Sequence

import polars as pl

from onkocode.config.base import CATALOGUE, CONSTRAINED, FREE, SINGLE, SWAPPED, THINKING
from onkocode.reporting.grids import NUMBERS, Cell, grid, shown_checkpoints
from onkocode.reporting.html import html_page
from onkocode.reporting.inputs import TASKS
from onkocode.reporting.outputs import Page, empty_page
from onkocode.reporting.results import Results

_RATES = (("accuracy", "Exact"), ("partial_accuracy", "Partial"), ("invalid_rate", "Invalid"))
FREE_GROUP = "As in the study: base models with the sentence, trained ones without"
SWAPPED_GROUP = "The other way round: base models without it, trained ones with it"
BOTH_CLASSES = "Tumours and non-tumours that were held out"
CATALOGUE_ROWS = [(CATALOGUE, "Catalogue")]


def prompts(results: Results) -> Page:
    """Return the 2 × 2 of prompt and training: base and trained, with and without the short-answer sentence."""
    rates = (*_RATES[:1], *_RATES[2:], ("truncated_rate", "Reached the limit"), ("tokens_per_question", "Tokens"))
    as_asked = [Cell(title, results.strata, key, "asked swapped", FREE, group=FREE_GROUP) for key, title in rates]
    swapped = [Cell(title, results.metrics, key, "all", SWAPPED, group=SWAPPED_GROUP) for key, title in rates]
    notes = [
        "The study asked base models, and only those, for a short answer with a sentence of its own. Here both are "
        "asked both ways, about the same texts (conditions.share), so that what training brings is told from what "
        "the sentence brings. The paired differences stand in the table of comparisons.",
        "Reached the limit: answers as long as testing.max_new_tokens allows. All in % of all answers; tokens per "
        "answer.",
    ]
    return _page("Prompt and training", [*as_asked, *swapped], results, notes)


def constrained(results: Results) -> Page:
    """Return free answers beside those that are held to the label space."""
    rates = (*_RATES, ("nonexistent_rate", "Not existing"))
    free = [
        Cell(title, results.metrics, key, "all", FREE, "valid" if key == "nonexistent_rate" else "all", "Free")
        for key, title in rates
    ]
    held = [
        Cell(title, results.metrics, key, "all", CONSTRAINED, group="Held to the label space")
        for key, title in (*_RATES, ("top5_accuracy", "In first five"))
    ]
    notes = [
        "Held to the label space, every answer is a terminal code, or yes or no, and each candidate has its "
        "probability. It is asked the first formulation of each text alone, so that n differs; the paired "
        "differences, on the same questions, stand in the table of comparisons. Not existing: % of valid "
        "answers.",
    ]
    return _page("Free answers and answers held to the label space", [*free, *held], results, notes)


def response_times(results: Results) -> Page:
    """Return seconds per question one at a time, beside those of a batch."""
    cells = [
        Cell("Seconds", results.metrics, "seconds_per_question", "all", SINGLE, group="One question at a time"),
        Cell("Tokens", results.metrics, "tokens_per_question", "all", SINGLE, group="One question at a time"),
        Cell("Seconds", results.metrics, "seconds_per_question", "all", FREE, group="In batches (testing.batch_size)"),
        Cell("Tokens", results.metrics, "tokens_per_question", "all", FREE, group="In batches (testing.batch_size)"),
        Cell("At once", results.metrics, "batch_size", "all", FREE, group="In batches (testing.batch_size)"),
    ]
    notes = [
        "One question at a time is what a person waits for; in batches, seconds per question are the batch's divided "
        "by its questions, and their inverse is the throughput. A sample of conditions.questions per task and test "
        "set. Intervals: percentiles of the cluster bootstrap.",
    ]
    return _page("Response time", cells, results, notes)


def heldout(results: Results) -> Page:
    """Return accuracy on held-out labels, and on those that are new in earnest; tumour recognition on both classes."""
    strata, metrics = results.strata, results.metrics
    cells = [
        Cell("By stem", strata, "accuracy", "heldout_label, new stem", group="Exact, held-out labels"),
        Cell("Not near", strata, "accuracy", "heldout_label, not near", group="Exact, held-out labels"),
        Cell("All", metrics, "accuracy", "heldout_label", group="Exact, held-out labels"),
        Cell("By stem", strata, "partial_accuracy", "heldout_label, new stem", group="Partial, held-out labels"),
        Cell("All", metrics, "partial_accuracy", "heldout_label", group="Partial, held-out labels"),
        Cell("Recall", metrics, "recall", "heldout_label", group=BOTH_CLASSES),
        Cell("Specificity", metrics, "specificity", "heldout_negative", group=BOTH_CLASSES),
        Cell("Balanced", strata, "balanced_accuracy", "heldout", group=BOTH_CLASSES),
    ]
    notes = [
        "By stem, the headline: held-out labels whose words, without endings, side, number and remarks, no trained "
        "label has; a stem counts once in the interval. Not near: without those within a tenth of the letters of a "
        "trained label. Balanced: mean of recall and specificity; who always says yes has 50 %. All answers count, "
        "in %.",
    ]
    checkpoints = shown_checkpoints(results, every_epoch=True)
    return _page("Labels that were held out", cells, results, notes, CATALOGUE_ROWS, checkpoints)


def formulations(results: Results) -> Page:
    """Return how much the phrasing of the question decides."""
    measures = (
        ("formulation_range", "Best minus worst, points"),
        ("formulation_agreement", "Same answer, % of pairs"),
        ("variance_text", "Texts, %"),
        ("variance_formulation", "Formulations, %"),
        ("variance_rest", "Rest, %"),
    )
    cells = [
        Cell(title, results.breakdown, key, "all", group="Variance of right and wrong" if "var" in key else "")
        for key, title in measures
    ]
    notes = [
        "Over the texts that were asked all formulations. The rest is what depends on text and formulation together. "
        "Who used one formulation alone would report any accuracy in this range.",
    ]
    return _page("Formulations", cells, results, notes)


def thinking_kept(results: Results) -> Page:
    """Return whether models still think when they are asked to, before and after training."""
    rates = (("thought_rate", "Thoughts not empty"), ("cut_rate", "Thoughts cut"), *_RATES)
    cells = [Cell(title, results.metrics, key, "all", THINKING) for key, title in rates]
    notes = ["All in % of all answers under the condition thinking, on the texts of thinking.share."]
    return _page("Thinking mode, switched on", cells, results, notes, checkpoints=shown_checkpoints(results, True))


def _page(
    title: str,
    cells: Sequence[Cell],
    results: Results,
    notes: Sequence[str],
    datasets: Sequence[tuple[str, str]] | None = None,
    checkpoints: Sequence | None = None,  # type: ignore[type-arg]
) -> Page:
    """Return a page with a grid per task, or one that says that nothing of it was measured."""
    rows = shown_checkpoints(results) if checkpoints is None else checkpoints
    places = [(text, f"Test set {text}") for text in results.texts] if datasets is None else datasets
    grids = [grid(cells, rows, places, task) for task in TASKS]
    sections = [section for section, _ in grids if section is not None]
    if not sections:
        return empty_page(title, "nothing of it was measured", pl.DataFrame(schema=NUMBERS))
    frame = pl.DataFrame([row for _, numbers in grids for row in numbers], schema=NUMBERS)
    return Page(html_page(title, sections, notes), frame)
