"""Answers that were given once are kept: no model is asked the same in the same way a second time."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.config.schema import Thinking
from onkocode.records.ids import canonical_json, digest
from onkocode.records.ownership import check_owned
from onkocode.records.schemas import empty_table, read_table, write_table

SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed")


@dataclass(frozen=True)
class Decoding:
    """How answers are generated. `sampling` None = greedy."""

    batch_size: int
    max_new_tokens: int
    sampling: Thinking | None = None


def answer_keys(coder: str, decoding: Decoding, prompts: Sequence[list[int]], question_ids: Sequence[str]) -> list[str]:
    """Return a key per question that changes with everything an answer depends on.

    Greedy answers follow from model, prompt and length alone, so equal prompts share an answer. Where it is sampled,
    each question has a draw of its own. How many are asked at once is no part of the key: it changes greedy answers by
    rounding at most, and gives sampled ones other draws.

    Args:
        coder: hash of everything that makes the model.
        decoding: length and sampling.
        prompts: token ids per question.
        question_ids: as many.
    """
    sampling = decoding.sampling
    drawn = None if sampling is None else sampling.model_dump(mode="json", include=set(SAMPLING))
    how = digest(coder, canonical_json({"max_new_tokens": decoding.max_new_tokens, "sampling": drawn}))
    names = [""] * len(prompts) if sampling is None else question_ids
    return [digest(how, name, prompt) for name, prompt in zip(names, prompts, strict=True)]


class AnswerStore:
    """The answers of one coder: those kept for good, and those that the running job adds.

    Every file is written whole, so a job that dies loses at most the answers since its last save.

    Args:
        kept: directory that outlives jobs; holds a file per coder.
        scratch: directory of this job's saves.
        coder: hash of everything that makes the model.

    Raises:
        InputError: a file that is no table of answers.
    """

    def __init__(self, kept: Path, scratch: Path, coder: str) -> None:
        self._file = kept / f"{coder[:16]}.parquet"
        self._scratch = scratch
        self._folder = scratch / coder[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        files = [self._file] if self._file.is_file() else []
        files += sorted(path for path in self._folder.glob("*.parquet") if not path.name.startswith("."))
        frames = [empty_table("answers"), *(read_table(path, "answers") for path in files)]
        self._answers = pl.concat(frames).unique(["key", "rank"], keep="first", maintain_order=True)

    @property
    def keys(self) -> set[str]:
        """Keys of all answers that are there."""
        return set(self._answers["key"])

    def add(self, answers: pl.DataFrame) -> None:
        """Save further answers (schema Answers)."""
        check_owned(self._scratch)
        write_table(answers, "answers", self._folder / f"{digest(*answers['key'])[:16]}.parquet")
        columns = empty_table("answers").schema
        self._answers = pl.concat([self._answers, answers.select(pl.col(name).cast(columns[name]) for name in columns)])

    def answers(self, keys: Sequence[str], questions: Sequence[str] | pl.Series | None = None) -> pl.DataFrame:
        """Return the ranked answers by their keys, in the order of the keys; ValueError where one is missing.

        Args:
            keys: of the answers.
            questions: as many ids, which come back in the column question_id.
        """
        asked = pl.DataFrame({"key": keys}, schema={"key": pl.String})
        if questions is not None:
            asked = asked.with_columns(question_id=pl.Series(questions, dtype=pl.String))
        found = asked.join(self._answers, on="key", how="left", maintain_order="left")
        if found["answer"].null_count():
            raise ValueError(f"{found['answer'].null_count()} answers are missing")
        return found.drop("key")

    def close(self) -> None:
        """Put all answers into the file that is kept, and remove the saves."""
        write_table(self._answers, "answers", self._file)
        shutil.rmtree(self._folder)
