"""The command `onkocode`: the steps of the workflow, the same that the rules call, and questions to the catalogues.

Heavy libraries are imported by the verb that needs them, so `--help` answers at once.
"""

import argparse
import codecs
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from onkocode.records.arguments import as_argument
from onkocode.records.errors import InputError, StoppedError
from onkocode.terminal import CLOSED_PIPE, OutputError, drop_output, make_readable, say
from onkocode.verbs import VERBS, Option, Verb

__all__ = ["VERBS", "Option", "Verb", "build_parser", "main"]

GROUPS = {"catalogues": "ask the catalogues: differences between years", "questions": "look at a data set of questions"}


class Parser(argparse.ArgumentParser):
    """A parser whose help does not vanish without a word where it cannot be written."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout and message:
            say(message, end="")
        else:
            super()._print_message(message, file)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; a verb of two words stands in the group of its first."""
    parser = Parser(prog="onkocode", description=__doc__.splitlines()[0] if __doc__ else "")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    groups = {}
    for name, text in GROUPS.items():
        group = verbs.add_parser(name, help=text, description=text)
        groups[name] = group.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        *group_name, name = verb.name.split()
        place = groups[group_name[0]] if group_name else verbs
        sub = place.add_parser(name, help=verb.help, description=verb.help)
        for option in verb.options:
            _add(sub, option)
        sub.set_defaults(run=verb)
    return parser


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.flag:
        parser.add_argument(option.name, action="store_true", help=option.help)
        return
    if not option.name.startswith("--"):
        parser.add_argument(option.name, help=option.help, type=option.type, metavar=option.name.upper())
        return
    parser.add_argument(
        option.name,
        action="extend" if option.many else "store",  # values may stand together or each behind the option
        help=option.help,
        type=option.type,
        required=option.required,
        nargs=("+" if option.required else "*") if option.many else None,
        default=[] if option.many and option.default is None else option.default,
        choices=option.choices,
        dest="from_" if option.name == "--from" else None,  # `from` is a keyword
        metavar="VERSION" if option.name in ("--from", "--to") else None,
    )


def _word(word: str) -> str:
    """Return a word of the command line; a path in a folder whose name begins with a dash is no option."""
    return as_argument(word) if "/" in word.partition("=")[0] else word


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run a verb; returns the exit status.

    2 = the user's input is wrong, 75 = the job was asked to stop and goes on when it is started again, 141 = nobody
    reads the output any more.
    """
    make_readable()
    try:
        status = _run(arguments)
        say(end="")
    except OutputError as error:
        drop_output()
        if error.closed:
            return CLOSED_PIPE
        print(f"onkocode: the output cannot be written: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return status


def _run(arguments: Sequence[str] | None) -> int:
    given = [_word(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    options = build_parser().parse_args(given)
    options.arguments = given  # a verb may start itself again in other processes
    verb: Verb = options.run
    module = importlib.import_module(f"onkocode.commands.{verb.module}")
    try:
        getattr(module, verb.function)(options)
    except InputError as error:
        print(f"onkocode {verb.name}: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except StoppedError as error:
        print(f"onkocode {verb.name}: {error}", file=sys.stderr)  # noqa: T201
        return 75
    except UnicodeEncodeError as error:
        if error.encoding == "utf-8" or error.encoding != codecs.lookup(sys.getfilesystemencoding()).name:
            raise
        print(  # noqa: T201
            f"onkocode {verb.name}: the name of a file cannot be written in this locale ({error.encoding}); "
            f"set LC_ALL=C.UTF-8, or rename the file",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"onkocode {verb.name}: {error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
