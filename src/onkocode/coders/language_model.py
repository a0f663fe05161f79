"""The language model as a coder: a base model, or an adapter on it, that generates answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from onkocode.coders.answers import AnswerStore
from onkocode.coders.course import Course
from onkocode.coders.generation import answer_missing
from onkocode.coders.prompting import Answering, Prompts, prompts_of
from onkocode.config.base import THINKING
from onkocode.config.training import Testing
from onkocode.models.loading import load_adapter, load_base
from onkocode.models.locate import adapter_weights, weights_facts
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.ids import digest, hash_file

MODEL_SETTINGS = ("config.json", "generation_config.json", "tokenizer.json")  # that answers depend on beside weights


@dataclass(frozen=True)
class Checkpoint:
    """A base model (the record of prepare-model), and the adapter on it; None = the base alone, epoch 0."""

    base: Mapping[str, Any]
    adapter: Path | None

    def identity(self, testing: Testing) -> str:
        """Return a hash of what makes the model that answers.

        Raises:
            InputError: weights are missing.
        """
        path = Path(self.base["path"])
        # A commit of the Hub says what its files are; the cache may write them anew.
        hub = self.base.get("revision") and [self.base["hub"], self.base["revision"]]
        weights = hub or weights_facts(path)
        small = [hash_file(path / name) for name in MODEL_SETTINGS if (path / name).is_file()]
        trained = hash_file(adapter_weights(self.adapter)) if self.adapter else None
        return digest(*weights, *small, trained, testing.quantisation, testing.precision)

    def prompts(
        self, coder: str, condition: str, questions: Mapping[str, pl.DataFrame], settings: Answering
    ) -> tuple[Any, Prompts]:
        """Return the tokenizer, and what the model is asked; `coder` is its identity.

        Raises:
            InputError: a tokenizer that cannot be used.
        """
        tokenizer = load_tokenizer(Path(self.base["path"]))
        short = settings.asks_short(self.adapter is None, condition)
        return tokenizer, prompts_of(tokenizer, coder, short, condition, questions, settings)

    def load(self, testing: Testing) -> Any:
        """Load the model, ready to answer."""
        model = load_base(Path(self.base["path"]), testing.quantisation, testing.precision)
        return (load_adapter(model, self.adapter) if self.adapter else model).eval()


@dataclass
class LanguageModel:
    """A checkpoint that answers; what it has answered before it is not asked again.

    Attributes:
        checkpoint: base and adapter.
        condition: how it is asked.
        settings: how it is asked.
        kept: directory of the answers that outlive jobs.
        scratch: directory of this job's saves.
        shard: questions between two saves.
        load: returns the model, where others use it too; None = it is loaded here.
        course: of the job, where there is more to it; None = this is all.
        facts: of the answers, when there are some.
    """

    checkpoint: Checkpoint
    condition: str
    settings: Answering
    kept: Path
    scratch: Path
    shard: int
    load: Callable[[], Any] | None = None
    course: Course | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    _store: AnswerStore | None = None

    def answer(self, questions: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return an answer to every question, by data set.

        Raises:
            InputError: weights are missing, a tokenizer that cannot be used, or kept answers that cannot be read.
            StoppedError: the job is to leave; what was answered is saved.
        """
        coder = self.checkpoint.identity(self.settings.testing)
        tokenizer, prompts = self.checkpoint.prompts(coder, self.condition, questions, self.settings)
        store = self._store = AnswerStore(self.kept, self.scratch, coder)
        load = self.load or partial(self.checkpoint.load, self.settings.testing)
        decoding = self.settings.decoding(self.condition)
        course = self.course or Course(self.scratch)
        new = answer_missing(load, tokenizer, prompts.tokens, decoding, store, self.shard, course)
        self.facts = {"prompt_sha256": prompts.form.sha256, "prompts": len(prompts.tokens), "asked": new}
        # Where the prompt opens the thought, the answer alone does not show it.
        opened = pl.lit(prompts.form.opened if self.condition == THINKING else "")
        return {
            name: store.answers(prompts.keys[name], asked["question_id"])
            .with_columns(answer=opened + pl.col("answer"), truncated=pl.col("tokens") >= decoding.max_new_tokens)
            .sort("question_id", "rank")
            for name, asked in questions.items()
        }

    def finish(self) -> str:
        """Keep the answers for later jobs, and remove the saves."""
        if self._store is not None:
            self._store.close()
        return f"{self.facts['asked']} of {self.facts['prompts']} prompts asked, the others had an answer"
