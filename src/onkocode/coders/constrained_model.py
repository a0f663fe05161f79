"""A language model that is held to the codes of a label space, as a coder: ranked answers with their probabilities."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from onkocode.coders.answer_trie import AnswerTrie
from onkocode.coders.answers import AnswerStore
from onkocode.coders.constrained import Ranking, rank_candidates
from onkocode.coders.course import Course
from onkocode.coders.language_model import Checkpoint
from onkocode.coders.prompting import Answering
from onkocode.coders.searches import GREEDY, Beam, BestFirst, Search
from onkocode.config.base import CONSTRAINED
from onkocode.config.schema import Conditions
from onkocode.records.errors import InputError
from onkocode.records.ids import canonical_json, digest
from onkocode.tasks import NO, TASKS, YES, YES_WITH_CODE


def candidates_of(task: str, codes: pl.DataFrame) -> list[str]:
    """Return the answers that a task allows: the terminal codes of its system, yes and no, or yes with each code.

    Args:
        task: a key of `TASKS`.
        codes: label spaces (schema Codes).

    Raises:
        InputError: no codes of the task's system.
    """
    asked = TASKS[task]
    if asked.system is None:
        return [YES, NO]
    found = codes.filter(pl.col("system") == asked.system, "terminal")["code"].unique().sort().to_list()
    if not found:
        raise InputError(f"task {task}: the label spaces have no codes of {asked.system}; give its codes.parquet")
    return [NO, *(YES_WITH_CODE.format(code=code) for code in found)] if asked.decides else found


def search_of(conditions: Conditions) -> Search:
    """Return how candidates are searched."""
    if conditions.search == "greedy":
        return GREEDY
    if conditions.search == "beam":
        return Beam(conditions.top)
    return BestFirst(conditions.top, conditions.tolerance)


@dataclass
class ConstrainedModel:
    """A checkpoint whose answers are codes that exist, whatever it would say by itself.

    Attributes:
        checkpoint: base and adapter.
        codes: label spaces (schema Codes).
        settings: how it is asked.
        conditions: how candidates are searched.
        kept: directory of the answers that outlive jobs.
        scratch: directory of this job's saves.
        load: returns the model; called only when something is to be asked.
        course: of the job.
        facts: of the answers, when there are some.
    """

    checkpoint: Checkpoint
    codes: pl.DataFrame
    settings: Answering
    conditions: Conditions
    kept: Path
    scratch: Path
    load: Callable[[], Any]
    course: Course
    facts: dict[str, Any] = field(default_factory=dict)
    _store: AnswerStore | None = None

    def answer(self, questions: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Return the ranked answers to every question, by data set.

        Raises:
            InputError: as of a free language model; a label space without codes, or with codes alike in tokens.
            StoppedError: the job is to leave; what was answered is saved.
        """
        coder = self.checkpoint.identity(self.settings.testing)
        store = self._store = AnswerStore(self.kept, self.scratch, coder)
        tokenizer, prompts = self.checkpoint.prompts(coder, CONSTRAINED, questions, self.settings)
        keys = {name: [""] * asked.height for name, asked in questions.items()}
        spaces: list[tuple[AnswerTrie, dict[str, list[int]]]] = []
        for task in sorted({task for asked in questions.values() for task in asked["task"]}):
            answers = candidates_of(task, self.codes)
            trie = AnswerTrie.build(tokenizer, prompts.form, answers)
            how = digest(canonical_json(self.conditions.model_dump(include={"top", "search", "tolerance"})), *answers)
            asked_for: dict[str, list[int]] = {}
            for name, asked in questions.items():
                for place, (found, key) in enumerate(zip(asked["task"], prompts.keys[name], strict=True)):
                    if found == task:
                        keys[name][place] = digest(how, key)
                        asked_for[keys[name][place]] = prompts.tokens[key]
            spaces.append((trie, asked_for))
        total, kept = sum(len(asked_for) for _, asked_for in spaces), store.keys
        self.course.announce(total, sum(key in kept for _, asked_for in spaces for key in asked_for))
        new = sum(self._ask(tokenizer.pad_token_id, trie, asked_for, store) for trie, asked_for in spaces)
        self.facts = {"prompt_sha256": prompts.form.sha256, "prompts": sum(map(len, keys.values())), "asked": new}
        return {
            name: store.answers(keys[name], asked["question_id"])
            .with_columns(truncated=pl.lit(None, pl.Boolean))
            .sort("question_id", "rank")
            for name, asked in questions.items()
        }

    def finish(self) -> str:
        """Keep the answers for later jobs, and remove the saves."""
        if self._store is not None:
            self._store.close()
        return f"{self.facts['asked']} of {self.facts['prompts']} texts put to the label space"

    def _ask(self, pad: int, trie: AnswerTrie, prompts: Mapping[str, list[int]], store: AnswerStore) -> int:
        """Rank the candidates of prompts without answers; every batch is saved. Returns how many these were."""
        kept = store.keys
        missing = [key for key in sorted(prompts, key=lambda key: (len(prompts[key]), prompts[key])) if key not in kept]
        if not missing:
            return 0
        model, size, search = self.load(), self.conditions.batch_size, search_of(self.conditions)
        with self.course.answering():
            for start in tqdm(range(0, len(missing), size), desc="ranking", unit="batch", mininterval=2):
                self.course.go_on()
                batch, began = missing[start : start + size], time.perf_counter()
                found = rank_candidates(model, pad, [prompts[key] for key in batch], trie, search, batch_size=size)
                seconds = time.perf_counter() - began
                store.add(_rows(batch, found, seconds / len(batch)))
                self.course.answered(len(batch), seconds)
        return len(missing)


def _rows(keys: list[str], rankings: list[Ranking], seconds: float) -> pl.DataFrame:
    """Return ranked answers (schema Answers); the score is the probability within the label space."""
    rows = [
        {
            "key": key,
            "rank": rank,
            "answer": candidate.answer,
            "score": candidate.probability,
            "tokens": None,
            "seconds": seconds,
            "batch": len(keys),
        }
        for key, ranking in zip(keys, rankings, strict=True)
        for rank, candidate in enumerate(ranking.candidates, 1)
    ]
    return pl.DataFrame(rows, schema_overrides={"tokens": pl.Int64})
