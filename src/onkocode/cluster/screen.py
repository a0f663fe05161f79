"""A text that is written again and again in the same place of a terminal."""

import os
import shutil
import sys
import time
from collections.abc import Callable

from onkocode.terminal import say

PAUSE = 10.0  # seconds between two looks


def is_terminal() -> bool:
    """Tell whether standard output is a terminal that can move its cursor."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def has_colours() -> bool:
    """Tell whether colours are wanted and possible."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def refresh(text: Callable[[int, int | None], str], pause: float = PAUSE) -> None:
    """Show a text in place until Ctrl-C.

    On what is no terminal each one follows the one before.

    Args:
        text: returns it for a width and, on a terminal, a height that it must keep to.
        pause: seconds between two of them.
    """
    above, in_place = 0, is_terminal()
    try:
        while True:
            width, height = shutil.get_terminal_size()
            lines = text(width, max(5, height - 1) if in_place else None).split("\n")
            say(_frame(lines, above) if in_place else "\n".join([*lines, ""]), end="" if in_place else "\n")
            above = min(len(lines), height - 1)
            time.sleep(pause)
    except KeyboardInterrupt:
        say(end="\n" if in_place else "")


def _frame(lines: list[str], above: int) -> str:
    """Return what overwrites the frame before, in one piece, so that nothing flickers."""
    up = f"\x1b[{above}A" if above else ""
    return f"{up}\r" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J"
