"""The errors that are meant for the person at the keyboard."""

from typing import Literal

Lack = Literal["memory", "gpu-memory", "gpus", "disk-full"]


class InputError(Exception):
    """Something that the user gave is wrong.

    The message names the file, line or key and says what to do. The command line prints it without a traceback and
    exits with status 2. It never holds the text of a diagnosis.
    """


class ShortageError(InputError):
    """A job ended for want of something, of which another try may be given more."""

    def __init__(self, message: str, cause: Lack) -> None:
        super().__init__(message)
        self.cause = cause


class StoppedError(Exception):
    """Somebody asked the job to stop; what it had done is saved.

    The command line prints it without a traceback and exits with status 75 ("try again later"), so that a workflow
    starts the job again.
    """


def first_of(problems: list[str], limit: int = 10) -> str:
    """Join problems, one a line, and count those beyond ``limit``."""
    shown = [f"  {problem}" for problem in problems[:limit]]
    if len(problems) > limit:
        shown.append(f"  … and {len(problems) - limit} more")
    return "\n".join(shown)
