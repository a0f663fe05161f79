"""The command `onkocode`: the steps of the workflow, the same that the rules call, and questions to the catalogues.

Heavy libraries are imported by the step that needs them, so `--help` answers at once.
"""

import codecs
import faulthandler
import gc
import io
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from inspect import BoundArguments
from pathlib import Path

from cyclopts import App, CycloptsError

from onkocode.records.arguments import as_argument
from onkocode.records.errors import InputError, StoppedError
from onkocode.records.files import is_disk_full
from onkocode.records.log_file import logged
from onkocode.records.room import full_disk
from onkocode.steps.app import load_steps
from onkocode.terminal import CLOSED_PIPE, OutputError, drop_output, make_readable, say

__all__ = ["main"]

OPTION = re.compile(r"--[a-z][a-z-]*(=|$)")
# New objects between two searches for unreachable ones. Importing torch and transformers makes millions that all stay:
# at Python's 700, the searches take a fifth of the time of a job's start.
NEW_OBJECTS = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run a step; returns the exit status.

    2 = the user's input is wrong, 75 = the job was asked to stop and goes on when it is started again, 141 = nobody
    reads the output any more.
    """
    make_readable()
    gc.set_threshold(NEW_OBJECTS)
    if sys.stderr is sys.__stderr__:
        faulthandler.enable()  # a crash inside a library leaves the lines of Python that led there in the log
    try:
        status = _run([_word(word) for word in (sys.argv[1:] if arguments is None else arguments)])
        say(end="")
    except OutputError as error:
        drop_output()
        if error.closed:
            return CLOSED_PIPE
        print(f"onkocode: the output cannot be written: {error}", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        if arguments is None:
            # The end of the process frees everything; Python would search all of torch for what is unreachable before.
            gc.freeze()
    return status


def _word(word: str) -> str:
    """Return a word of the command line; a path in a folder whose name begins with a dash is no option."""
    return as_argument(word) if "/" in word and not OPTION.match(word) else word


def _run(words: list[str]) -> int:
    app = load_steps()
    chain, *_ = app.parse_commands(words)
    verb = " ".join(["onkocode", *(word for word in chain if not word.startswith("-"))])
    try:
        with logged(verb):
            command, bound, _ = app.parse_args(words)
            if command == app.help_print:
                return _help(app, bound, words, verb)
            command(*bound.args, **bound.kwargs)
    except (CycloptsError, InputError) as error:
        return _told(verb, str(error).removeprefix(f'Command "{" ".join(chain)}" parameter '), 2)
    except StoppedError as error:
        return _told(verb, str(error), 75)
    except UnicodeEncodeError as error:
        if error.encoding == "utf-8" or error.encoding != codecs.lookup(sys.getfilesystemencoding()).name:
            raise
        message = f"the name of a file cannot be written in this locale ({error.encoding}); "
        return _told(verb, f"{message}set LC_ALL=C.UTF-8, or rename the file", 2)
    except OutputError:
        raise
    except Exception as error:
        return _told(verb, *_unforeseen(error))
    return 0


def _unforeseen(error: Exception) -> tuple[str, int]:
    """Return what is said of an error of the machine, and the exit status; any other one goes through."""
    if is_disk_full(error):
        return str(full_disk(error, Path())), 2
    if not isinstance(error, OSError) or error.filename is None:
        raise error
    return f"{error.filename}: {error.strerror}", 1


def _told(verb: str, message: str, status: int) -> int:
    with suppress(OSError):  # the disk of the log may be the full one
        print(f"{verb}: {message}", file=sys.stderr, flush=True)  # noqa: T201
    return status


def _help(app: App, bound: BoundArguments, words: Sequence[str], verb: str) -> int:
    """Print the help that was asked for; a command line without a verb is a mistake."""
    if not set(words) & {"--help", "-h"}:
        return _told(verb, f"name a verb; `{verb} --help` lists them", 2)

    from cyclopts.help import DefaultFormatter, PanelSpec
    from rich.box import Box
    from rich.console import Console

    app.help_formatter = DefaultFormatter(panel_spec=PanelSpec(box=Box("    \n" * 8)))  # no lines, which ASCII lacks
    text = io.StringIO()
    width = shutil.get_terminal_size().columns
    app.help_print(bound.arguments["tokens"], console=Console(file=text, width=width, color_system=None))
    say("\n".join(line.rstrip() for line in text.getvalue().splitlines()).strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
