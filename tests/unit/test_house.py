"""The shape of the house: which package may import which, and how long functions, rules and files are."""

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/onkocode"
# Data flows one way: what stands further down imports only from above.
ORDER = (
    *(
        "terminal",
        "text_tables",
        "records",
        "tasks",
        "paper",
        "config",
        "catalogues",
        "language",
        "questions",
        "models",
        "tracking",
    ),
    *("training", "coders", "evaluation", "reporting", "export"),
    *("study", "datasets", "planning", "cluster", "steps", "cli"),
)
ROOMS = {"tracking_process": "tracking"}


def room(module: str) -> str:
    """Return the package of a module, or the module itself where it stands at the top."""
    name = module.split(".")[1]
    return ROOMS.get(name, name)


def imports() -> set[tuple[str, str, str]]:
    """Return file, its package and the imported package for every import from another package."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        own = room(".".join(("onkocode", *path.relative_to(PACKAGE).with_suffix("").parts)))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("onkocode."):
                found.add((str(path.relative_to(PACKAGE)), own, room(node.module or "")))
            elif isinstance(node, ast.ImportFrom) and node.module == "onkocode":
                inner = [alias.name for alias in node.names if not alias.name.startswith("_")]
                found |= {(str(path.relative_to(PACKAGE)), own, room(f"onkocode.{name}")) for name in inner}
    return {(file, own, other) for file, own, other in found if own != other and own != "__init__"}


def test_imports_go_one_way() -> None:
    found = imports()
    assert len(found) > 100
    assert [row for row in sorted(found) if ORDER.index(row[1]) < ORDER.index(row[2])] == []


def function_lengths() -> list[int]:
    return [
        (node.end_lineno or 0) - node.lineno + 1
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_functions_are_short() -> None:
    lengths = sorted(function_lengths())
    assert len(lengths) > 500
    assert statistics.median(lengths) <= 10
    assert lengths[round(0.9 * len(lengths))] <= 26


def rule_lengths() -> list[int]:
    """Return the lines of each rule that has a command."""
    blocks = []
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        blocks += re.findall(r"^(?:rule|checkpoint) \w+:\n(?:(?:    .*)?\n)+", text, flags=re.MULTILINE)
    return [len(block.rstrip().splitlines()) for block in blocks if "    shell:" in block]


def test_rules_are_short() -> None:
    lengths = rule_lengths()
    assert len(lengths) > 10
    assert statistics.median(lengths) <= 20


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
