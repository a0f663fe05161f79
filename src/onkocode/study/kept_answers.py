"""Answers that an earlier version of onkocode left in predictions, put where later runs look for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders.answers import AnswerStore
from onkocode.coders.language_model import Checkpoint
from onkocode.config.base import CATALOGUE, validated
from onkocode.evaluation.asking import Asking, choose_questions
from onkocode.models.record import read_model
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.private import restrict_to_owner
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table
from onkocode.study.jobs import Study


@dataclass(frozen=True)
class Place:
    """Where the results of a checkpoint under a condition lie."""

    study: Study
    results: Path
    private: Path
    model: str
    epoch: int
    condition: str

    @property
    def below(self) -> Path:
        """Path below predictions and answers."""
        return Path(self.model, f"epoch-{self.epoch}", self.condition)

    @property
    def base(self) -> Path:
        """Record of prepare-model."""
        return self.results / "models" / str(self.study.base_of(self.model)) / "base.json"

    @property
    def adapter(self) -> Path | None:
        """Directory of the adapter."""
        if self.epoch == 0:
            return None
        if self.study.is_published(self.model):
            return self.results / "models" / self.model / "adapter"
        return self.results / "training" / self.model / f"epoch-{self.epoch}" / "adapter"

    def questions(self, dataset: str) -> Path:
        """Table of the questions of a data set."""
        if dataset == CATALOGUE:
            return self.results / "questions" / f"{self.study.recipes[self.model].config.data}.parquet"
        return self.private / "texts" / dataset / "questions.parquet"

    def __str__(self) -> str:
        return f"{self.model}, epoch {self.epoch}, {self.condition}"


def places_of(study: Study) -> Iterator[Place]:
    """Yield the checkpoints of a study under each condition."""
    results, private = (Path(study.config.pathvars.get(name, name)) for name in ("results", "private"))
    for model, epoch in study.checkpoints(0):
        if model in study.language_models:  # other coders keep no answers
            yield Place(study, results, private, model, epoch, "free")
    for model, epoch in study.thinking_checkpoints:
        yield Place(study, results, private, model, epoch, "thinking")


def keep_answers_of(place: Place) -> int:
    """Return how many answers were kept; raises InputError where there are none, or not to what would be asked now."""
    found = {
        name: place.private / "predictions" / place.below / f"{name}.parquet"
        for name in place.study.datasets(place.condition)
    }
    predictions = {name: read_table(path, "predictions") for name, path in found.items() if path.is_file()}
    if not predictions:
        raise InputError("no predictions")

    record = read_provenance(found[next(iter(predictions))])
    _check_inputs(record, place, predictions)
    settings = validated(Asking, record["settings"])
    checkpoint = Checkpoint(read_model(place.base), place.adapter)
    coder = checkpoint.identity(settings.testing)
    tables = {name: read_table(place.questions(name), "questions") for name in predictions}
    asked = choose_questions(tables, place.condition, settings)
    _, prompts = checkpoint.prompts(coder, place.condition, asked, settings)
    if prompts.form.sha256 != record["prompt_sha256"]:
        raise InputError("the chat template is another one now")
    kept, scratch = place.private / "answers" / place.below, place.private / "scratch" / place.below / "kept"
    for folder in (kept, scratch):
        restrict_to_owner(folder / "answers")
    store = AnswerStore(kept, scratch, coder)
    for name, table in predictions.items():
        ids = asked[name].select("question_id").with_columns(key=pl.Series(prompts.keys[name]))
        answers = table.join(ids, on="question_id").unique("key", keep="first", maintain_order=True)
        # In a prediction, the mark with which the prompt opens a thought may stand before the answer.
        answers = answers.with_columns(pl.col("answer").str.strip_prefix(prompts.form.opened))
        store.add(answers.filter(~pl.col("key").is_in(list(store.keys))))
    count = len(store.keys)
    store.close()
    return count


def _check_inputs(record: dict[str, Any], place: Place, datasets: dict[str, pl.DataFrame]) -> None:
    """Raise InputError where the predictions come from another base, adapter or table of questions than now."""
    files = {"base": place.base} | {name: place.questions(name) for name in datasets}
    for role, path in files.items():
        if not path.is_file() or record.get("inputs", {}).get(role, {}).get("sha256") != hash_file(path):
            raise InputError(f"{path} is not what they were made from")
    if place.adapter is not None:
        before = record["inputs"].get("adapter", {}).get("safetensors", {})
        now = {file.name: hash_file(file) for file in sorted(place.adapter.glob("*.safetensors"))}
        if not now or before != now:
            raise InputError(f"{place.adapter} is not what they were made from")
