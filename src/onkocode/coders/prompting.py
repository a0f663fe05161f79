"""How a language model is asked: the tokens that questions become, and the keys under which answers are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from pydantic import Field

from onkocode.coders.answers import Decoding, answer_keys
from onkocode.config.base import SINGLE, SWAPPED, THINKING, Section
from onkocode.config.schema import Thinking
from onkocode.config.training import Testing
from onkocode.models.prompts import PromptFormat, encode_prompts, prompt_format
from onkocode.questions.formulations import all_blocks


class Answering(Section):
    """How a language model answers."""

    testing: Testing = Field(default_factory=Testing)
    thinking: Thinking = Field(default_factory=lambda: Thinking.model_validate({}))
    formulations: str = "v1"
    system_prompt: str | None = None

    def decoding(self, condition: str) -> Decoding:
        """Return how answers are generated under a condition."""
        if condition == THINKING:
            return Decoding(self.thinking.batch_size, self.thinking.max_new_tokens, self.thinking)
        if condition == SINGLE:
            return Decoding(1, self.testing.max_new_tokens)
        return Decoding(self.testing.batch_size, self.testing.max_new_tokens)

    def asks_short(self, is_base: bool, condition: str) -> bool:
        """Tell whether the sentence that asks for a short answer stands in the prompts."""
        return (is_base and self.testing.short_answer) != (condition == SWAPPED)


@dataclass(frozen=True)
class Prompts:
    """What a language model is asked under a condition.

    Attributes:
        form: the chat template.
        keys: by data set, the key of the answer to each question.
        tokens: ids by key; equal prompts have the same key.
    """

    form: PromptFormat
    keys: dict[str, list[str]] = field(default_factory=dict)
    tokens: dict[str, list[int]] = field(default_factory=dict)


def prompts_of(
    tokenizer: Any,
    coder: str,
    short: bool,
    condition: str,
    questions: Mapping[str, pl.DataFrame],
    settings: Answering,
) -> Prompts:
    """Return what a language model is asked.

    Args:
        tokenizer: of its base.
        coder: its identity.
        short: whether they are asked for a short answer as well.
        condition: how they are asked.
        questions: those that are asked, by data set (schema Questions).
        settings: how they are asked.
    """
    prompts = Prompts(prompt_format(tokenizer, settings.system_prompt, condition == THINKING))
    for name, asked in questions.items():
        texts = with_short_answer(asked, settings.formulations) if short else asked["question"].to_list()
        encoded = encode_prompts(tokenizer, prompts.form, texts)
        ids = asked["question_id"].to_list()
        prompts.keys[name] = answer_keys(coder, settings.decoding(condition), encoded, ids)
        prompts.tokens.update(zip(prompts.keys[name], encoded, strict=True))
    return prompts


def with_short_answer(questions: pl.DataFrame, formulations: str) -> list[str]:
    """Return the question texts with the sentence that asks for a short answer."""
    sentences = {name: block.short for name, block in all_blocks(formulations).items()}
    return [f"{text}\n{sentences[block]}" for text, block in questions.select("question", "block").iter_rows()]
