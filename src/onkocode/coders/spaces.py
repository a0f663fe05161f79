"""Which answers a coder may give that knows more codes than its training labels have."""

import re
from collections.abc import Container, Iterable
from pathlib import Path

import polars as pl

from onkocode.catalogues.vocabulary.codes import CATEGORY_LENGTHS, ICD10, category_of
from onkocode.tasks import NO, TASKS

CODES = "codes.parquet"
_CODE = re.compile(rf"\d{{4}}/\d|{ICD10.pattern}", re.ASCII)


def write_codes(label_spaces: Iterable[pl.DataFrame], folder: Path) -> None:
    """Write the codes that label spaces (schema Codes) allow for coding."""
    frames = [space.filter("terminal").select("system", "code") for space in label_spaces]
    pl.concat(frames).unique().sort("system", "code").write_parquet(folder / CODES)


def allowed_answers(task: str, trained: Iterable[str], folder: Path) -> dict[str, str]:
    """Return the answers to a task by what each says: its code, or the answer itself where it holds none.

    They are those of the training entries and, where the folder holds label spaces, their codes, said alike.

    Args:
        task: as in the column `task`.
        trained: answers of the training entries.
        folder: of the coder.
    """
    found = {what_is_said(answer): answer for answer in sorted(set(trained), reverse=True)}
    system = TASKS[task].system if task in TASKS else None
    if system is None or not (folder / CODES).is_file():
        return found
    before, after = _around(found)
    codes = pl.read_parquet(folder / CODES).filter(pl.col("system") == system)["code"]
    return {code: f"{before}{code}{after}" for code in codes} | found


def fitting(code: str, allowed: Container[str]) -> str | None:
    """Return a code that may be answered: itself, a shorter one of the same beginning, or the unspecified one below."""
    shorter = [code[:end] for end in range(len(code) - 1, 2, -1)]
    unspecified = [f"{code}9" if "." in code else f"{code}.9"]
    return next((choice for choice in (code, *shorter, *unspecified) if choice in allowed), None)


def what_is_said(answer: str) -> str:
    """Return the code in an answer, or the answer itself where it holds none."""
    found = _CODE.search(answer)
    return found.group() if found else answer


def category_said(task: str, answer: str) -> str:
    """Return the category of the code in an answer to a task, or what else it says."""
    system = TASKS[task].system if task in TASKS else None
    said = what_is_said(answer)
    return category_of(said, system) if system in CATEGORY_LENGTHS and said != NO else said


def _around(answers: dict[str, str]) -> tuple[str, str]:
    """Return what stands before and after the code in answers that have one."""
    coded = next(((code, answer) for code, answer in answers.items() if code != answer and answer != NO), None)
    if coded is None:
        return "", ""
    before, _, after = coded[1].partition(coded[0])
    return before, after
