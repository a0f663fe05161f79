"""What a check found: one line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from onkocode.config.site import SITE_FILE

Level = Literal["ok", "warning", "wrong"]
WIDTH = max(map(len, ("ok", "warning", "wrong")))


@dataclass(frozen=True)
class Finding:
    """The outcome of a check: what was found, and what to do where that is not good."""

    level: Level
    what: str
    advice: str = ""

    def __str__(self) -> str:
        """Return the line that a person reads."""
        return f"{self.level:<{WIDTH}}  {self.what}" + (f"; {self.advice}" if self.advice else "")


def ok(what: str) -> Finding:
    """Return that a check was passed."""
    return Finding("ok", what)


def warning(what: str, advice: str = "") -> Finding:
    """Return what may go well, and what to do if it does not."""
    return Finding("warning", what, advice)


def wrong(what: str, advice: str) -> Finding:
    """Return what jobs would fail of, and what to do."""
    return Finding("wrong", what, advice)


def key(name: str) -> str:
    """Return how a key of the site file is named to a person."""
    return f"`{name}` in {SITE_FILE}"


def summary(found: Sequence[Finding]) -> str:
    """Return the last line: how many checks had which outcome."""
    counts = [(sum(item.level == level for item in found), level) for level in ("wrong", "warning", "ok")]
    return ", ".join(f"{count} {level}" for count, level in counts)
