"""The one prompt function: training and evaluation put a question into tokens here and nowhere else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onkocode.records.errors import InputError
from onkocode.records.ids import digest

# Stands for the question and the answer while the chat template is rendered once; it cannot occur in either.
QUESTION_MARK, ANSWER_MARK = "\ue000question\ue000", "\ue000answer\ue000"
# Llama's template prints today's date in the system header otherwise, so prompts would change from day to day.
DATE = "26 Jul 2024"
# Mixtral's template writes its turn marks as plain text, so its tokenizer does not list them as special.
TURN_MARKS = ("[INST]", "[/INST]")
EMPTY_THOUGHT = re.compile(r"\s*<think>\s*</think>\s*")


@dataclass(frozen=True)
class PromptFormat:
    """A chat template, rendered once: what stands before and after the question, and around the answer.

    `special` are the texts that the tokenizer turns into special tokens.
    """

    before: str
    after: str
    answer_before: str
    answer_after: str
    special: tuple[str, ...] = ()

    def prompt(self, question: str) -> str:
        """Return the prompt up to the point where the model answers.

        A special token's text inside the question is broken by a space, so that no text of a user can end the turn.
        """
        for token in self.special:
            question = question.replace(token, f"{token[0]} {token[1:]}")
        return self.before + question + self.after

    def completion(self, answer: str) -> str:
        """Return what the model is to learn: the answer and the end-of-turn token."""
        return self.answer_before + answer + self.answer_after

    @property
    def sha256(self) -> str:
        """Hash for the provenance."""
        return digest(self.before, self.after, self.answer_before, self.answer_after)


def prompt_format(tokenizer: Any, system_prompt: str | None = None, thinking: bool = False) -> PromptFormat:
    """Render the tokenizer's chat template.

    Args:
        tokenizer: a transformers tokenizer with a chat template.
        system_prompt: system message; None = whatever the template does by itself.
        thinking: leave the model room to think first; without it, an empty think block belongs to the prompt, so that
            it is never a target.

    Raises:
        InputError: no chat template, or one that does not repeat question and answer as they are.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; use an instruction-tuned model"
        )
    messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    messages.append({"role": "user", "content": QUESTION_MARK})
    options = {"tokenize": False, "enable_thinking": thinking, "date_string": DATE}
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, **options)
    answered = [*messages, {"role": "assistant", "content": ANSWER_MARK}]
    whole = tokenizer.apply_chat_template(answered, add_generation_prompt=False, **options)
    before, mark, after = prompt.partition(QUESTION_MARK)
    if not mark or QUESTION_MARK in after:
        raise InputError(f"{tokenizer.name_or_path}: the chat template does not hold the question exactly once")
    start, mark, end = whole.partition(ANSWER_MARK)
    if not mark:
        raise InputError(f"{tokenizer.name_or_path}: the chat template does not hold the answer")
    # Some templates write a space between prompt and answer; others render the assistant's turn differently from the
    # generation prompt (think blocks), and then the generation prompt is what the model sees.
    answer_before = start[len(prompt) :] if start.startswith(prompt) else ""
    answer_before = EMPTY_THOUGHT.sub("", answer_before)
    eos = tokenizer.eos_token
    if not eos:
        raise InputError(f"{tokenizer.name_or_path}: the tokenizer has no end-of-turn token")
    answer_after = end[: end.index(eos) + len(eos)] if eos in end else eos
    return PromptFormat(before, after, answer_before, answer_after, _special_texts(tokenizer))


def _special_texts(tokenizer: Any) -> tuple[str, ...]:
    """Return what must not stand in a question, the longest first, since one may be a part of another."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    texts = {*added, *tokenizer.all_special_tokens, *TURN_MARKS}
    return tuple(sorted((text for text in texts if len(text) > 1), key=lambda text: (-len(text), text)))


def encode_prompts(tokenizer: Any, form: PromptFormat, questions: Sequence[str]) -> list[list[int]]:
    """Return token ids of prompts; the template brings its own begin-of-text token, so none is added."""
    ids: list[list[int]] = tokenizer([form.prompt(question) for question in questions], add_special_tokens=False)[
        "input_ids"
    ]
    return ids


def encode_examples(
    tokenizer: Any, form: PromptFormat, questions: Sequence[str], answers: Sequence[str], loss: str, max_length: int
) -> list[dict[str, list[int]]]:
    """Return training examples with `input_ids` and `labels` (-100 = no loss).

    Prompt and answer are encoded apart, so the ids that precede the answer are those that evaluation sends.

    Args:
        tokenizer: a transformers tokenizer.
        form: the rendered chat template.
        questions: user messages.
        answers: expected answers, as many.
        loss: `answer` masks the prompt, `full` does not.
        max_length: longest example in tokens.

    Raises:
        InputError: an example is longer; nothing is ever cut.
    """
    prompts = encode_prompts(tokenizer, form, questions)
    completions = tokenizer([form.completion(answer) for answer in answers], add_special_tokens=False)["input_ids"]
    examples = []
    for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if len(prompt) + len(completion) > max_length:
            raise InputError(
                f"training question {index} has {len(prompt) + len(completion)} tokens, more than training.max_length "
                f"({max_length}); raise it, nothing is cut"
            )
        head = [-100] * len(prompt) if loss == "answer" else list(prompt)
        examples.append({"input_ids": prompt + completion, "labels": head + completion})
    return examples
