"""What a checkpoint is asked: questions, the tokens they become, and the keys under which their answers are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from onkocode.config.base import Section
from onkocode.config.schema import Evaluation, Thinking
from onkocode.config.training import Testing
from onkocode.evaluation.answers import Decoding, answer_keys
from onkocode.evaluation.sampling import THINKING, chosen_questions, with_short_answer
from onkocode.models.loading import load_adapter, load_base
from onkocode.models.locate import adapter_weights, weights_facts
from onkocode.models.prompts import PromptFormat, encode_prompts, prompt_format
from onkocode.models.tokenizing import load_tokenizer
from onkocode.records.ids import digest, hash_file

MODEL_SETTINGS = ("config.json", "generation_config.json", "tokenizer.json")  # that answers depend on beside weights


class Asking(Section):
    """Settings of evaluate-checkpoint."""

    testing: Testing = Field(default_factory=Testing)
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation.model_validate({}))
    thinking: Thinking = Field(default_factory=lambda: Thinking.model_validate({}))
    formulations: str = "v1"
    system_prompt: str | None = None

    def decoding(self, condition: str) -> Decoding:
        """Return how answers are generated under a condition."""
        if condition == THINKING:
            return Decoding(self.thinking.batch_size, self.thinking.max_new_tokens, self.thinking)
        return Decoding(self.testing.batch_size, self.testing.max_new_tokens)


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

    def load(self, testing: Testing) -> Any:
        """Load the model, ready to answer."""
        model = load_base(Path(self.base["path"]), testing.quantisation, testing.precision)
        return (load_adapter(model, self.adapter) if self.adapter else model).eval()


@dataclass(frozen=True)
class Asked:
    """What a checkpoint is asked under a condition.

    Attributes:
        tokenizer: of the base.
        form: the chat template.
        questions: by data set (schema QUESTIONS).
        keys: by data set, the key of the answer to each question.
        prompts: token ids by key; equal prompts have the same key.
    """

    tokenizer: Any
    form: PromptFormat
    questions: Mapping[str, pl.DataFrame]
    keys: dict[str, list[str]] = field(default_factory=dict)
    prompts: dict[str, list[int]] = field(default_factory=dict)


def asked_of(
    checkpoint: Checkpoint, coder: str, condition: str, tables: Mapping[str, pl.DataFrame], settings: Asking
) -> Asked:
    """Return what a checkpoint is asked.

    Args:
        checkpoint: the model; base models, and only those, are asked for a short answer as well.
        coder: its identity.
        condition: free or thinking.
        tables: all questions of each data set (schema QUESTIONS).
        settings: which of them are asked, and how.

    Raises:
        InputError: a data set of which nothing is asked, or a tokenizer that cannot be used.
    """
    chosen = {
        name: chosen_questions(table, name, condition, settings.evaluation, settings.thinking)
        for name, table in tables.items()
    }
    tokenizer = load_tokenizer(Path(checkpoint.base["path"]))
    form = prompt_format(tokenizer, settings.system_prompt, condition == THINKING)
    asked = Asked(tokenizer, form, chosen)
    for name, questions in chosen.items():
        short = checkpoint.adapter is None and settings.testing.short_answer
        texts = with_short_answer(questions, settings.formulations) if short else questions["question"].to_list()
        encoded = encode_prompts(tokenizer, form, texts)
        ids = questions["question_id"].to_list()
        asked.keys[name] = answer_keys(coder, settings.decoding(condition), encoded, ids)
        asked.prompts.update(zip(asked.keys[name], encoded, strict=True))
    return asked
