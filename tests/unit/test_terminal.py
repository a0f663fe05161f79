"""Terminals and locales that are not UTF-8, pipes that close, disks that are full: for every verb that prints."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.files import write_text
from onkocode.records.provenance import Provenance, read_provenance
from onkocode.steps.app import verbs
from onkocode.terminal import stand_in

from .terminals import ENCODINGS, on_terminal, readable, says_the_same
from .test_changes import years  # noqa: F401
from .test_export import built  # noqa: F401
from .test_merge import arguments as exporting
from .test_merge import handed  # noqa: F401
from .test_recode import clinic  # noqa: F401

ROOT = Path(__file__).parents[2]
PLAIN_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
QUICKSTART = ["--config", "config/config.yaml", "config/quickstart.yaml"]
RARE = "Prüfung–→„Ω“.tsv"

pytestmark = pytest.mark.usefixtures("in_root")


# -- stand-ins --


def test_everything_that_the_program_says_has_a_readable_stand_in() -> None:
    files = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".yaml", ".md", ".jinja")]
    patterns = ("code_pages.py", "encodings.py")  # never written, as those that answers are read by
    files = [path for path in files if path.name not in patterns and path.parent.name != "answers"]
    said = {character for path in files for character in path.read_text(encoding="utf-8") if not character.isascii()}
    assert {"→", "–", "ß"} < said
    assert {character for character in said if not stand_in(character).isascii() or "?" in stand_in(character)} == set()


@pytest.mark.parametrize(
    ("character", "plain"),
    [("→", "->"), ("…", "..."), ("„", '"'), ("Ü", "Ue"), ("é", "e"), ("₂", "2"), ("中", "?"), ("\udcfc", "\\xfc")],
)
def test_stand_in(character: str, plain: str) -> None:
    assert stand_in(character) == plain


# -- every verb that prints --


def diffing(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    files = request.getfixturevalue("years")
    return ["2023", "2024", "--sources", str(files.parent / "sources.tsv"), "--folder", str(files)]


def recoding(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    files = request.getfixturevalue("clinic")
    place = ["--sources", str(files / "sources.tsv"), "--folder", str(files / "files")]
    return [str(files / "records.csv"), "--from", "2023", "--to", "2024", *place]


def comparing(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    table = request.getfixturevalue("built")
    pl.read_parquet(table).select("question", "answer").head(50).write_csv(folder / RARE)
    return [str(folder / RARE), "--questions", str(table)]


def umlauts(folder: Path) -> str:
    """Write a configuration whose settings hold letters beyond ASCII; returns its path."""
    text = "recipes: {qwen3-8b: {training: {system_prompt: Häufige Wörter – „so“}}}\n"
    (folder / "umlauts.yaml").write_text(text, encoding="utf-8")
    return str(folder / "umlauts.yaml")


CALLS: dict[str, Callable[[pytest.FixtureRequest, Path], list[str]]] = {
    "catalogues diff": diffing,
    "catalogues recode": recoding,
    "settings": lambda request, folder: [
        *("--config", "config/config.yaml", umlauts(folder), "--of", "training", "--key", "qwen3-8b")
    ],
    "plan": lambda request, folder: ["--results", str(folder), "--output", str(folder / RARE)],
    "export": lambda request, folder: exporting(request.getfixturevalue("handed"), folder / RARE)[1:],
    "questions describe": lambda request, folder: [*QUICKSTART, "--data", "example"],
    "questions compare": comparing,
    "language explain": lambda request, folder: ["Nävus der Haut – „Rücken“"],
    "questions export": lambda request, folder: [
        *("--questions", str(request.getfixturevalue("built")), "--output", str(folder / RARE))
    ],
}


def test_the_calls_are_those_of_all_verbs_that_print() -> None:
    printing = set()
    for verb, step in verbs().items():
        if "say(" in inspect.getsource(step.__wrapped__):
            printing.add(verb)
    names_and_numbers_only = {"evaluate-checkpoint", "evaluate-conditions", "compare", "keep-answers"}
    names_and_numbers_only |= {"fetch", "cluster describe", "cluster check"}
    names_and_numbers_only |= {"language check", "remove-private"}
    tests = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_*.py"))]
    elsewhere = {verb for text in tests for verb in re.findall(r'says_the_same\(\s*"([a-z -]+)"', text)}
    assert printing == set(CALLS) | names_and_numbers_only | elsewhere


@pytest.mark.parametrize("name", CALLS)
def test_verb_says_the_same_on_every_terminal(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says_the_same(name, CALLS[name](request, tmp_path), monkeypatch)


@pytest.mark.parametrize("verb", ["", *verbs()])
def test_help_on_every_terminal(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    said = {name: on_terminal(name, [*verb.split(), "--help"], monkeypatch) for name in ENCODINGS}
    for encoding, (status, out, err) in said.items():
        assert (status, err) == (0, b"")
        assert out == readable(said["utf-8"][1].decode(), encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_messages_name_files_with_any_name(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{RARE} \udcfc"  # with a byte that is no UTF-8
    refused = [["plan", "--config", name], ["plan", "--gpu", name], ["plan", name], ["plan", "--output"]]
    for arguments in [*refused, ["settings", "--config", "config/config.yaml", "--of", name, "--key", "x"]]:
        status, out, err = on_terminal(encoding, arguments, monkeypatch)
        assert (status, out) == (2, b"")
        assert b"Traceback" not in err
        err.decode(encoding)
        assert encoding == "utf-8" or b"\\u2" not in err


# -- real processes --


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "onkocode.cli", *arguments]
    return subprocess.run(command, capture_output=True, env=os.environ | variables, timeout=120)


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "iso8859-15"}, {"PYTHONIOENCODING": "ascii"}, PLAIN_LOCALE], ids=str
)
def test_locale_of_a_process(variables: dict[str, str], tmp_path: Path) -> None:
    usual = run("plan", "--results", str(tmp_path), PYTHONIOENCODING="utf-8")
    done = run("plan", "--results", str(tmp_path), **variables)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == readable(usual.stdout.decode(), variables.get("PYTHONIOENCODING", "ascii"))


def test_plain_locale_reads_umlauts_and_names_files(tmp_path: Path) -> None:
    folder = tmp_path / "Grüße"
    folder.mkdir()
    done = run(
        *("settings", "--config", "config/config.yaml", umlauts(folder), "--of", "training", "--key", "qwen3-8b"),
        **PLAIN_LOCALE,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["system_prompt"] == "Häufige Wörter – „so“"
    done = run("plan", "--config", str(folder / "missing.yaml"), **PLAIN_LOCALE)
    assert done.returncode == 2
    assert b"Gr\\xc3\\xbc\\xc3\\x9fe/missing.yaml" in done.stderr
    config = tmp_path / "other.yaml"
    config.write_text("catalogues: {sources: Prüfung.tsv}\n", encoding="utf-8")
    done = run("plan", "--config", "config/config.yaml", str(config), **PLAIN_LOCALE)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["plan"], ["plan", "--help"]], ids=str)
def test_output_that_nobody_reads_or_that_has_no_room(arguments: list[str], unbuffered: str) -> None:
    command = [sys.executable, "-m", "onkocode.cli", *arguments]
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        closed = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=env, timeout=120)
    finally:
        os.close(writing)
    assert (closed.returncode, closed.stderr) == (141, b"")
    if not Path("/dev/full").exists():
        return
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=env, timeout=120)
    assert done.returncode == 1
    assert re.fullmatch(rb"onkocode: the output cannot be written: [\w ]+\n", done.stderr)


# -- files --


def test_names_that_are_no_utf8_are_recorded_and_read_back(tmp_path: Path) -> None:
    try:
        (tmp_path / "Pr\udcfcfung.csv").write_bytes(b"text")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    result = tmp_path / "result\udcfc.txt"
    write_text(result, "Grüße\n")
    Provenance("test", {"file": str(result)}, {"file": tmp_path / "Pr\udcfcfung.csv"}).write(result)
    assert result.read_text(encoding="utf-8") == "Grüße\n"
    record: dict[str, Any] = read_provenance(result)
    assert record["settings"]["file"] == str(result)


@pytest.mark.parametrize("output", ["", "\udcfc"])
def test_recode_takes_files_whose_names_are_no_utf8(output: str, request: pytest.FixtureRequest) -> None:
    file, *rest = recoding(request, Path())
    other = Path(file).with_name("Pr\udcfcfung.csv")
    try:
        Path(file).rename(other)
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    more = ["--output", str(other.with_name(f"list{output}.csv"))] if output else []
    assert main(["catalogues", "recode", str(other), *rest, *more]) == 0
    folder = other.with_name("changes\udcfc")
    assert main(["catalogues", "diff", "2023", "2024", *rest[4:], "--output", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} >= {"changes.tsv", "entries.tsv", "report.md"}


def without_encoding(call: ast.Call) -> bool:
    """Tell whether a call reads or writes text in the encoding of the locale."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = {keyword.arg for keyword in call.keywords}
    modes = [part.value for part in call.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if name in ("run", "Popen", "check_output"):
        return bool({"text", "universal_newlines"} & named) and "encoding" not in named
    if name == "write_text" and isinstance(call.func, ast.Name):
        return False  # ours
    if name in ("open", "fdopen"):
        binary = any("b" in mode for mode in modes) or ast.unparse(call.func) in (
            "os.open",
            "archive.open",
            "gzip.open",
        )
        return not binary and "encoding" not in named
    return name in ("read_text", "write_text") and "encoding" not in named


@pytest.mark.parametrize("folder", ["src", "benchmarks"])
def test_no_file_is_in_the_encoding_of_the_locale(folder: str) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in sorted(Path(folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and without_encoding(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["p.read_text()", "p.write_text(x)", "p.open('a')", "open(p)", "run(c, text=True)", "os.fdopen(3, 'w')"]
)
def test_the_search_for_encodings_finds_them(line: str) -> None:
    assert any(without_encoding(node) for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call))
