"""Follows docs/extending.md in a copy of the project, as a person would."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FORM = re.compile(
    r"- `(?P<path>[^`]+)`(?:, (?:(?P<where>in|after) `(?P<anchor>[^`]+)`|(?P<end>at the end)))?: "
    r"\[[^\]]+\]\((?P<source>[^)]+)\)"
    r"|- `(?P<written>[^`]+)`, by `(?P<command>[^`]+)`"
)
Run = Callable[[list[str]], object]


@dataclass(frozen=True)
class Instruction:
    """What is to be done to one file."""

    path: str
    source: str = ""
    where: str = ""  # in, after, at the end; empty = the file is new
    anchor: str = ""
    command: str = ""

    def follow(self, root: Path, page: Path, run: Run) -> None:
        """Do it below the root of a project; raises ValueError where that cannot be done as written."""
        target = root / self.path
        if not self.where and not self.command:
            if target.exists():
                raise ValueError(f"{self.path} exists already")
            target.write_bytes((page.parent / self.source).read_bytes())
            return
        if not target.is_file():
            raise ValueError(f"there is no {self.path}")
        if self.command:
            run(shlex.split(self.command))
            return
        added = (page.parent / self.source).read_text(encoding="utf-8")
        target.write_text(self._changed(target.read_text(encoding="utf-8"), added), encoding="utf-8")

    def _changed(self, text: str, added: str) -> str:
        lines = text.splitlines(keepends=True)
        place = len(lines) if self.where == "at the end" else self._end(lines)
        return "".join([*lines[:place], "\n\n" if self.where == "after" else "", added, *lines[place:]])

    def _end(self, lines: list[str]) -> int:
        """Return the number of the line behind what the line of the anchor opens."""
        found = [number for number, line in enumerate(lines) if line.lstrip().startswith(self.anchor)]
        if len(found) != 1:
            raise ValueError(f"{self.path}: {len(found)} lines begin with {self.anchor!r}, not one")
        (start,) = found
        end = start + 1
        for number, line in enumerate(lines[end:], end):
            if line.strip():
                if _depth(line) <= _depth(lines[start]):
                    break
                end = number + 1
        return end


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


@dataclass(frozen=True)
class Section:
    """How one kind of thing is added."""

    title: str
    lines: list[str]  # without empty ones
    instructions: list[Instruction]

    @property
    def files(self) -> set[str]:
        """The files that are touched."""
        return {instruction.path for instruction in self.instructions}


def read_page(page: Path) -> list[Section]:
    """Return the sections of the page; raises ValueError for an item that is no instruction."""
    _, *parts = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [_read_section(part) for part in parts]


def _read_section(part: str) -> Section:
    title, *rest = (line for line in part.splitlines() if line.strip())
    return Section(title, rest, [_read(line) for line in rest if line.startswith("-")])


def _read(line: str) -> Instruction:
    found = FORM.fullmatch(line)
    if found is None:
        raise ValueError(f"no instruction: {line}")
    if found["command"]:
        return Instruction(found["written"], command=found["command"])
    where = found["where"] or found["end"] or ""
    return Instruction(found["path"], found["source"], where, found["anchor"] or "")
