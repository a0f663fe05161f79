"""The command line, made from the signatures and docstrings of the steps.

By cyclopts, because it takes lists after one option (`--metrics a b c`, empty ones too), has help from docstrings and
completion in shells built in, and costs 0.07 s of CPU to import.
"""

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, get_type_hints

from cyclopts import App, Group, Parameter

import onkocode.steps
from onkocode.records.errors import InputError
from onkocode.steps.options import Model
from onkocode.terminal import say

P = ParamSpec("P")
BY_HAND = Group("Commands to type", sort_key=1)
OF_RULES = Group("Steps of the workflow", sort_key=2, help="Called by its rules; a person can type them as well.")
OTHER = Group("Other", sort_key=3)
FAMILIES = {
    "catalogues": "Ask the catalogues: differences between years.",
    "cluster": "A SLURM cluster: what it is like, and whether the study can run there.",
    "language": "Clinical language: what a text means and why, and tables that say so.",
    "questions": "Look at a data set of questions.",
}


class Step(Generic[P]):
    """A step, as Python calls it and as cyclopts sees it: models of settings are imported when settings are read."""

    def __init__(self, function: Callable[P, None]) -> None:
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__signature__ = inspect.signature(function)
        self.__wrapped__ = function

    def __call__(self, *arguments: P.args, **options: P.kwargs) -> None:
        """Run the step."""
        self.__wrapped__(*arguments, **options)

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override]
        module = self.__wrapped__.__module__
        return get_type_hints(self.__wrapped__, vars(sys.modules[module]) | promised(module), include_extras=True)


def promised(module: str) -> dict[str, type[Model]]:
    """Return a promise for each name that a module imports for type checkers only."""
    blocks = [node for node in ast.parse(inspect.getsource(sys.modules[module])).body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {name.name: type(name.name, (Model,), {"source": node.module}) for node in imports for name in node.names}


def _shown(default: object) -> str | None:
    """Return a default as the help shows it; an option that is left out needs no word."""
    return None if default is False or default == () else str(default)


app = App(
    name="onkocode",
    help="The steps of the workflow, the same that the rules call, and questions to the catalogues.",
    version_flags=(),  # --version is an option of steps on catalogues
    help_format="plaintext",
    default_parameter=Parameter(consume_multiple=True, allow_repeating=True, negative=(), show_default=_shown),
    print_error=False,
    exit_on_error=False,
)
app["--help"].group = (OTHER,)


@app.command(name="--install-completion", group=OTHER)
def install_completion() -> None:
    """Let your shell (bash, zsh, fish) complete verbs and options."""
    from cyclopts.completion import ShellDetectionError, detect_shell

    try:
        shell = detect_shell()
    except ShellDetectionError:
        raise InputError("the shell is not known; set SHELL to that of yours") from None
    say(f"{app.install_completion(shell=shell)}: read by {shell} when it is started again")


def step(name: str | None = None, by_hand: bool = False) -> Callable[[Callable[P, None]], Step[P]]:
    """Make a verb of a function, named like it or as given; the first of two words is a family of verbs."""

    def register(function: Callable[P, None]) -> Step[P]:
        *family, last = (name or function.__name__.replace("_", "-")).split()
        said = inspect.cleandoc(function.__doc__ or "").partition("\n\nArgs:")[0]
        place = _family(family[0]) if family else app
        path = f"{function.__module__}:{function.__name__}"  # looked at when the verb is called
        place.command(path, name=last, help=said, group=BY_HAND if by_hand else OF_RULES)
        return Step(function)

    return register


def _family(name: str) -> App:
    if name not in app:
        app.command(App(name=name, help=FAMILIES[name], group=BY_HAND))
    return app[name]


def load_steps() -> App:
    """Return the command line with all steps."""
    for module in pkgutil.iter_modules(onkocode.steps.__path__):
        importlib.import_module(f"{onkocode.steps.__name__}.{module.name}")
    return app


def verbs() -> dict[str, Step[...]]:
    """Return all steps by the verb that calls them."""
    return _verbs(load_steps())


def _verbs(of: App) -> dict[str, Step[...]]:
    found: dict[str, Step[...]] = {}
    for name in of:
        sub = of[name]
        if isinstance(sub.default_command, Step):
            found[name] = sub.default_command
        elif not name.startswith("-"):
            found |= {f"{name} {last}": inner for last, inner in _verbs(sub).items()}
    return found
