"""The one prompt function: training and evaluation put a question into tokens here and nowhere else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from onkocode.records.errors import InputError
from onkocode.records.ids import digest

# Stands for the question and the answer while the chat template is rendered once; it cannot occur in either.
QUESTION_MARK, ANSWER_MARK = "\ue000question\ue000", "\ue000answer\ue000"
# Some templates print the date in the system header. With today's, prompts would change from day to day and evaluation
# would not ask what was trained; so all get the date that Llama's template falls back to.
DATE, DAY = "26 Jul 2024", datetime(2024, 7, 26)
_PARTS_OF_A_DATE = "".join(f" | replace('%{part}', '{DAY:%{part}}')" for part in "dmbBaAjyYHMSIp")
CLOCK = "{% macro strftime_now(form) %}{{ form" + _PARTS_OF_A_DATE + " }}{% endmacro +%}"
# Mixtral's template writes its turn marks as plain text, so its tokenizer does not list them as special.
TURN_MARKS = ("[INST]", "[/INST]")
# Tokens such as <think> or <tool_call> are no special ones for the tokenizers that have them, but steer the model.
STEERING = re.compile(r"<.+>|\[.+\]", flags=re.DOTALL)
OPEN_THOUGHT = re.compile(r"<think>\s*\Z")
EMPTY_THOUGHT = re.compile(r"<think>\s*</think>\s*")


@dataclass(frozen=True)
class PromptFormat:
    """A chat template, rendered once: what stands before and after the question, and around the answer.

    `special` are the texts that the tokenizer turns into single tokens with a meaning of their own.
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
        broken = self._first_letters.sub(r"\g<0> ", question) if self.special else question
        return self.before + broken + self.after

    @cached_property
    def _first_letters(self) -> re.Pattern[str]:
        # Only the first letter of each is consumed, so that texts which overlap are all found in one pass.
        return re.compile("|".join(f"{re.escape(text[0])}(?={re.escape(text[1:])})" for text in self.special))

    @property
    def thought(self) -> str:
        """Return the empty think block with which the prompt ends; most have none."""
        found = EMPTY_THOUGHT.search(self.after)
        return found.group() if found and found.end() == len(self.after) else ""

    @property
    def opened(self) -> str:
        """Return the mark with which the prompt itself opens a thought; most leave that to the model."""
        found = OPEN_THOUGHT.search(self.after)
        return found.group() if found else ""

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
        InputError: no chat template, one that takes no system prompt, or one that does not repeat question and answer
            as they are.
    """
    name = tokenizer.name_or_path
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(f"{name}: the tokenizer has no chat template; use an instruction-tuned model")
    if not tokenizer.eos_token:
        raise InputError(f"{name}: the tokenizer has no end-of-turn token")
    messages = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
    messages.append({"role": "user", "content": QUESTION_MARK})
    prompt = _rendered(tokenizer, messages, thinking, add_generation_prompt=True)
    messages.append({"role": "assistant", "content": ANSWER_MARK})
    whole = _rendered(tokenizer, messages, thinking, add_generation_prompt=False)
    before, mark, after = prompt.partition(QUESTION_MARK)
    if not mark or QUESTION_MARK in after:
        raise InputError(f"{name}: the chat template does not hold the question exactly once")
    start, mark, end = whole.partition(QUESTION_MARK)[2].partition(ANSWER_MARK)
    if not mark:
        raise InputError(f"{name}: the chat template does not hold the answer after the question")
    # Some templates write a space between prompt and answer; others render the assistant's turn differently from the
    # generation prompt (think blocks), and then the generation prompt is what the model sees.
    answer_before = EMPTY_THOUGHT.sub("", start.removeprefix(after)) if start.startswith(after) else ""
    return PromptFormat(before, after, answer_before, _ended(end, tokenizer.eos_token), _special_texts(tokenizer))


def _rendered(tokenizer: Any, messages: list[dict[str, str]], thinking: bool, add_generation_prompt: bool) -> str:
    try:
        text: str = tokenizer.apply_chat_template(
            messages,
            chat_template=CLOCK + tokenizer.get_chat_template(),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=thinking,
            date_string=DATE,
        )
    except TemplateError as error:
        hint = "; leave training.system_prompt out" if messages[0]["role"] == "system" else ""
        raise InputError(f"{tokenizer.name_or_path}: the chat template refuses the messages ({error}){hint}") from error
    return text


def _ended(end: str, eos: str) -> str:
    """Return what follows the answer: what the template writes up to the end-of-turn token, and always that one."""
    return end[: end.index(eos)] + eos if eos in end else end.rstrip() + eos


def _special_texts(tokenizer: Any) -> tuple[str, ...]:
    """Return what must not stand in a question."""
    added = tokenizer.added_tokens_decoder.values()
    steering = (token.content for token in added if token.special or STEERING.fullmatch(token.content))
    texts = {*steering, *tokenizer.all_special_tokens, *TURN_MARKS}
    return tuple(sorted(text for text in texts if len(text) > 1))


def encode_prompts(tokenizer: Any, form: PromptFormat, questions: Sequence[str]) -> list[list[int]]:
    """Return token ids of prompts; the template brings its own begin-of-text token, so none is added."""
    return _encoded(tokenizer, [form.prompt(question) for question in questions])


def encode_answers(tokenizer: Any, form: PromptFormat, answers: Sequence[str]) -> dict[str, list[int]]:
    """Return the ids of each distinct answer as they follow the prompt, up to and with the end-of-turn token.

    Some tokenizers put a space before a text on its own, so answers are encoded behind the end of the prompt, which is
    then taken off again.
    """
    distinct = list(dict.fromkeys(answers))
    head = _encoded(tokenizer, [form.after])[0]
    behind = _encoded(tokenizer, [form.after + form.completion(answer) for answer in distinct])
    if all(ids[: len(head)] == head for ids in behind):
        return {answer: ids[len(head) :] for answer, ids in zip(distinct, behind, strict=True)}
    # The prompt's last token would merge with the answer's first letters, which evaluation's prompt cannot know.
    alone = _encoded(tokenizer, [form.completion(answer) for answer in distinct])
    return dict(zip(distinct, alone, strict=True))


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
        loss: `answer` masks the prompt; `full` does not, save for an empty think block at its end.
        max_length: longest example in tokens.

    Raises:
        InputError: an example is longer, since nothing is ever cut; or an answer becomes no token.
    """
    prompts = encode_prompts(tokenizer, form, questions)
    completions = encode_answers(tokenizer, form, answers)
    if not all(completions.values()):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer makes no token of an answer and its end-of-turn token, so there "
            "is nothing to learn; fetch the tokenizer's files of the model again"
        )
    thought = len(_encoded(tokenizer, [form.thought])[0]) if form.thought else 0
    examples = []
    for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        completion = completions[answer]
        if len(prompt) + len(completion) > max_length:
            raise InputError(
                f"training question {index} has {len(prompt) + len(completion)} tokens, more than training.max_length "
                f"({max_length}); raise it, nothing is cut"
            )
        masked = len(prompt) if loss == "answer" else thought
        head = prompt[: len(prompt) - masked] + [-100] * masked
        examples.append({"input_ids": prompt + completion, "labels": head + completion})
    return examples


def _encoded(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids
