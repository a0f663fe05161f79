import inspect
import json
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from onkocode.cli import main
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import read_table, write_table
from onkocode.steps.app import FAMILIES, load_steps, verbs
from tests.conftest import Tables

EXAMPLES = {
    "alphaid": "alphaid/icd10gm2024_alphaidse_edvtxt_example.txt",
    "icd10gm": "icd10gm/icd10gm2024syst_kodes_example.txt",
    "icdo3": "icdo3/icdo32019_claml_example.xml",
    "ops": "ops/ops2024syst_kodes_example.txt",
}
TEXT = "Geheimkarzinom von Frau Müller"


# -- verbs --


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_answers_at_once_and_names_every_verb() -> None:
    before = children_cpu()
    done = subprocess.run([sys.executable, "-m", "onkocode.cli", "--help"], capture_output=True, text=True)
    assert children_cpu() - before < 0.5  # CPU seconds, which other processes do not change
    assert (done.returncode, done.stderr) == (0, "")
    # A verb of two words stands in the help of its family.
    assert [verb for verb in verbs() if f"\n  {verb.split()[0]} " not in done.stdout] == []
    by_hand, of_rules = done.stdout.split("\n   Steps of the workflow\n")
    assert {"settings", "catalogues", "questions", "plan"} <= set(re.findall(r"^  (\S+)", by_hand, re.MULTILINE))
    assert {"train-epoch", "write-option"} <= set(re.findall(r"^  (\S+)", of_rules, re.MULTILINE))


def test_a_crash_leaves_the_lines_that_led_there() -> None:
    program = "import ctypes; from onkocode.cli import main; main(['language', 'check']); ctypes.string_at(0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode < 0
    assert 'File "<string>", line 1' in done.stderr


@pytest.mark.parametrize("family", FAMILIES)
def test_help_of_a_family_names_its_verbs(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([family, "--help"]) == 0
    shown = capsys.readouterr().out
    inside = [verb.split()[1] for verb in verbs() if verb.startswith(f"{family} ")]
    assert inside
    assert [name for name in inside if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("arguments", [["--help"], ["train-epoch", "--help"], ["evaluate-checkpoint", "--epoch", "x"]])
def test_the_parser_needs_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import contextlib, io, sys; from onkocode.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): main({arguments})\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cyclopts" in loaded
    assert {"torch", "transformers", "polars", "pydantic", "matplotlib", "yaml"} & set(loaded) == set()


@pytest.mark.parametrize("verb", verbs())
def test_every_option_of_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    documented = set(re.findall(r"^    (\w+): \S", inspect.cleandoc(verbs()[verb].__doc__ or ""), re.MULTILINE))
    for name, parameter in inspect.signature(verbs()[verb]).parameters.items():
        assert name in documented
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        assert (f"--{name.strip('_').replace('_', '-')}" if keyword else name.upper()) in shown


SCORED = ["--output", "x"]
for option in ("predictions", "questions", "icd10gm", "icdo3", "judged"):
    SCORED += [f"--{option}", "x=x"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--help"),
        (["catalogues"], "catalogues --help"),
        (["no-such-verb"], "no-such-verb"),
        (["train-epoc", "--epoch", "1"], '"train-epoch"'),
        (["catalogues", "dif"], '"diff"'),
        (["settings", "--of", "training"], "--config"),
        (["settings", "--config", "x", "--of", "trainin", "--key", "x"], '"training"'),
        (["parse-catalogue", "--dataset", "ops", "--version", "1", "--file", "x", "--entrys", "1"], "--entries"),
        (["write-schema", "--output", "x", "--bogus", "1"], "--bogus"),
        (["write-option", "--settings", "{not json", "--output", "x"], "--settings"),
        (["write-option", "--settings", "@/no/such/file", "--output", "x"], "--settings"),
        (["check-inputs", "--questions", "without-equals-sign", "--output", "x"], "--questions"),
        (["check-inputs", "--questions", "=file", "--output", "x"], "--questions"),
        (["check-inputs", "--questions", "--output", "x"], "--questions"),
        (["score-answers", "--bootstrap", "one", *SCORED], "--bootstrap"),
        (["plan", "superfluous"], "superfluous"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_short_message(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("onkocode")
    assert shown.err.isascii()
    assert len(shown.err.splitlines()) == 1
    assert named in shown.err


def test_completion_names_verbs_and_options() -> None:
    for shell in ("bash", "zsh", "fish"):
        script = load_steps().generate_completion(shell=shell)
        assert {word for word in ("train-epoch", "valid-floor", "recode") if word not in script} == set()


# -- verbs that work --


@pytest.mark.usefixtures("in_root")
def test_retrieve_and_parse_the_example(tmp_path: Path, example: Tables) -> None:
    source, entries, codes = (tmp_path / name for name in ("source", "entries.parquet", "codes.parquet"))
    chosen = ["--dataset", "ops", "--version", "example"]
    assert main(["retrieve-catalogue", *chosen, "--output", str(source)]) == 0
    written = ["--file", str(source), "--entries", str(entries), "--codes", str(codes)]
    assert main(["parse-catalogue", *chosen, *written]) == 0
    assert read_table(entries, "entries")["code"].to_list() == example["ops"][0]["code"].to_list()
    assert read_table(codes, "codes").height == 124
    shipped = f"example/catalogues/{EXAMPLES['ops']}"
    assert (read_provenance(source)["origin"], read_provenance(source)["member"]) == (shipped, "")
    assert read_provenance(entries)["entries"] == 124
    assert read_provenance(entries)["inputs"]["file"]["sha256"] == read_provenance(source)["sha256"]


def tables(folder: Path, example: Tables) -> dict[str, Path]:
    paths = {}
    for dataset, (entries, codes) in example.items():
        paths[dataset] = folder / f"{dataset}-entries.parquet"
        write_table(entries, "entries", paths[dataset])
        paths[f"{dataset}-codes"] = folder / f"{dataset}-codes.parquet"
        write_table(codes, "codes", paths[f"{dataset}-codes"])
    return paths


def reading(file: Path, codes: dict[str, Path], output: Path) -> list[str]:
    spaces = ["--icd10gm", str(codes["icd10gm-codes"]), "--icdo3", str(codes["icdo3-codes"])]
    return ["read-texts", "--key", "mine", "--file", str(file), *spaces, "--output", str(output)]


@pytest.mark.usefixtures("umask")
def test_texts_to_questions_lie_in_private_files(tmp_path: Path, example: Tables) -> None:
    (tmp_path / "in").mkdir()
    file, private = tmp_path / "texts.csv", tmp_path / "private"
    file.write_text(f"id,text,icd10,topography\n1,{TEXT},C50.9,C50.9\n", encoding="cp1252")
    entries, questions = private / "entries.parquet", private / "questions.parquet"
    assert main(reading(file, tables(tmp_path / "in", example), entries)) == 0
    assert main(["build-text-questions", "--texts", str(entries), "--output", str(questions)]) == 0
    assert read_table(entries, "entries")["text"].to_list() == [TEXT]
    assert read_table(questions, "questions").height == 28
    assert (private.stat().st_mode & 0o777, entries.stat().st_mode & 0o777) == (0o700, 0o600)
    for result in (entries, questions):
        assert TEXT not in json.dumps(read_provenance(result), ensure_ascii=False)


def test_build_questions_from_tables(tmp_path: Path, example: Tables, root: Path) -> None:
    paths = tables(tmp_path, example)
    data = yaml.safe_load((root / "config/quickstart.yaml").read_text(encoding="utf-8"))["data"]["example"]
    (tmp_path / "data.json").write_text(json.dumps(data))
    inputs = [part for name in ("alphaid", "icdo3", "ops") for part in (f"--{name}", str(paths[name]))]
    output = tmp_path / "questions.parquet"
    settings = ["--icd10gm", str(paths["icd10gm-codes"]), "--settings", f"@{tmp_path / 'data.json'}"]
    assert main(["build-questions", *inputs, *settings, "--output", str(output)]) == 0
    assert read_table(output, "questions").height == 10_338
    assert read_provenance(output)["seed"] == 20240627


@pytest.mark.parametrize(
    ("of", "key", "path", "value"),
    [
        ("training", "tiny-llama", ["quantisation"], "4bit"),
        ("testing", "tiny-qwen3-s", ["testing", "quantisation"], "8bit"),
        ("description", "tiny-llama", ["training", "quantisation"], "4bit"),
        ("base", "tiny-llama", ["base", "built"], "llama"),
        ("data", "example", ["heldout_labels"], 0.1),
    ],
)
def test_settings_prints_json(
    root: Path, capsys: pytest.CaptureFixture[str], of: str, key: str, path: list[str], value: object
) -> None:
    files = [str(root / "config" / name) for name in ("config.yaml", "quickstart.yaml")]
    assert main(["settings", "--config", *files, "--of", of, "--key", key]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    for name in path:
        found = found[name]
    assert (found, shown.err) == (value, "")


def test_write_schema_and_config(tmp_path: Path, root: Path) -> None:
    merged = yaml.safe_load((root / "config/config.yaml").read_text(encoding="utf-8"))
    assert main(["write-config", "--settings", json.dumps(merged), "--output", str(tmp_path / "config.yaml")]) == 0
    record = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert (record["models"], record["recipes"].keys()) == (merged["models"], merged["recipes"].keys())
    assert main(["write-schema", "--output", str(tmp_path / "schema.json")]) == 0
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))["title"] == "onkocode configuration"


# -- bad input --


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what stands on stderr, after looking that the status is 2 and no file was written."""
    before = files_in(folder)
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert files_in(folder) == before
    assert shown.out == ""
    assert shown.err.startswith(f"onkocode {arguments[0]}: ")
    assert "Traceback" not in shown.err
    return shown.err


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


@pytest.mark.parametrize("dataset", list(EXAMPLES))
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: None, "cannot be read"),
        (lambda data: b"", "is empty"),
        (half, "the file was cut off|not whole, well-formed XML"),
        (utf16, "UTF-16"),
        (lambda data: b"<!DOCTYPE html><html>Zustimmung</html>", "is an HTML page"),
        (lambda data: b"PK\x03\x04" + bytes(100), "is a ZIP archive"),
        (lambda data: b"a,b,c\n1,2,3\n", "layout|well-formed"),
        (lambda data: b"<?xml version='1.0'?>\n<Katalog/>\n", "is <Katalog>, not a ClaML file|layout"),
    ],
    ids=["missing", "empty", "half", "utf16", "html", "zip", "csv", "xml"],
)
def test_bad_catalogue_files(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dataset: str, spoil: object, message: str
) -> None:
    assert callable(spoil)
    path = tmp_path / "source"
    spoiled = spoil((root / "example/catalogues" / EXAMPLES[dataset]).read_bytes())
    if spoiled is not None:
        path.write_bytes(spoiled)
    written = ["--entries", str(tmp_path / "out/entries.parquet"), "--codes", str(tmp_path / "out/codes.parquet")]
    arguments = ["parse-catalogue", "--dataset", dataset, "--version", "1", "--file", str(path), *written]
    said = refused(arguments, tmp_path, capsys)
    assert re.search(message, said)
    assert str(path) in said


def test_an_unknown_dataset_names_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = ["--entries", str(tmp_path / "entries.parquet"), "--codes", str(tmp_path / "codes.parquet")]
    arguments = ["parse-catalogue", "--dataset", "icd9", "--version", "1", "--file", "x", *written]
    assert "dataset 'icd9' (known: alphaid, icd10gm, icdo3, ops, registries)" in refused(arguments, tmp_path, capsys)


@pytest.mark.parametrize("content", [b"<html>Bitte anmelden</html>", b"PK\x03\x04 half", None])
def test_bad_archives(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    path = folder / "ops.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../ops2024syst_kodes_1.txt", "text\n")
    else:
        path.write_bytes(content)
    chosen = ["--dataset", "ops", "--version", "2024", "--sources", str(root / "config/catalogues.tsv")]
    arguments = ["retrieve-catalogue", *chosen, "--folder", str(folder), "--output", str(tmp_path / "source")]
    said = refused(arguments, tmp_path, capsys)
    assert "ops.zip" in said
    assert "refused" in said if content is None else "download it again" in said


def test_an_unknown_version_names_the_known_ones(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--dataset", "ops", "--version", "1999", "--sources", str(root / "config/catalogues.tsv")]
    said = refused(["retrieve-catalogue", *chosen, "--output", str(tmp_path / "source")], tmp_path, capsys)
    assert "catalogues.tsv: no row for ops 1999 (known: alphaid example, " in said


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"id;text;topography\n1;{TEXT};C50.9\n", "no column 'icd10'"),
        (f"1;{TEXT};C50.9;C50.9\n", "is the first line a header"),
        (f"id;text;icd10;topography\n1;{TEXT};C50.9\n", "line 2: 3 fields instead of 4"),
        (f"id;text;icd10;topography\n1;{TEXT};C99.9;C50.9\n", "line 2: column 'icd10': 'C99.9' does not exist"),
        (f"id;text;icd10;topography\n1;{TEXT};C50;C50.9\n", "line 2: column 'icd10': 'C50' is not terminal"),
        (f"id;text;icd10;topography\n1;C50.9;{TEXT};C50.9\n", "line 2: column 'icd10' holds no ICD-10-GM code"),
        (f"id;text;icd10;topography\n1;{TEXT};C61;C61.9\n1;x;C61;C61.9\n", "line 3: the id stands in line 2 already"),
        ("", "is empty"),
    ],
)
def test_bad_texts_are_refused_without_repeating_them(
    tmp_path: Path, example: Tables, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "texts.csv"
    file.write_text(content, encoding="utf-8")
    paths = tables(tmp_path / "in", example)
    said = refused(reading(file, paths, tmp_path / "private" / "entries.parquet"), tmp_path, capsys)
    assert message in said
    assert str(file) in said
    assert "Geheim" not in said
    assert "Müller" not in said


def test_a_table_of_another_kind(tmp_path: Path, example: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    paths = tables(tmp_path, example)
    questions = ["--questions", f"example={paths['ops']}", "--output", str(tmp_path / "inputs.json")]
    said = refused(["check-inputs", *questions], tmp_path, capsys)
    assert "ops-entries.parquet: holds entries-3, expected questions-3" in said


def test_mistakes_in_settings_are_named_together(
    tmp_path: Path, example: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = tables(tmp_path, example)
    inputs = [part for name in ("alphaid", "icdo3", "ops") for part in (f"--{name}", str(paths[name]))]
    settings = json.dumps({"alphaid": "1", "icd10gm": "1", "icdo3": "1", "seeed": 1, "heldout_labels": 2})
    arguments = ["build-questions", *inputs, "--icd10gm", str(paths["icd10gm-codes"]), "--settings", settings]
    said = refused([*arguments, "--output", str(tmp_path / "questions.parquet")], tmp_path, capsys)
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == ["ops", "heldout_labels", "seeed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("modles: [x]\n", "bad.yaml:1: modles: unknown key; did you mean 'models'?"),
        ("models: [qwen3-8b, qwen3-8b]\n", "bad.yaml:1: models: 'qwen3-8b' stands 2 times; each name once"),
        ("models: [qwen3-8]\n", "bad.yaml:1: models: 'qwen3-8' is not a key of `recipes`; did you mean 'qwen3-8b'?"),
        (
            "recipes:\n  qwen3-8b: {training: {epochs: -1}}\n",
            "bad.yaml:2: recipes.qwen3-8b.training.epochs: Input should",
        ),
        ("recipes:\n  qwen3-8b: {label: Qwen3-14B}\n", "'Qwen3-14B' is the label of qwen3-8b too"),
        (
            "recipes:\n  qwen3-8b: {thinking: true}\n  qwen3-8b: {thinking: false}\n",
            "bad.yaml:3: recipes.qwen3-8b: stands twice (first in line 2); rename or remove one",
        ),
    ],
)
def test_bad_configurations(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, message: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(change)
    arguments = ["settings", "--config", str(root / "config/config.yaml"), str(path)]
    said = refused([*arguments, "--of", "training", "--key", "qwen3-8b"], tmp_path, capsys)
    assert message in said
    assert len(said.splitlines()) == 2


def test_settings_of_what_is_not_there(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["settings", "--config", str(root / "config/config.yaml"), "--of", "training", "--key", "qwen3"]
    assert "--key qwen3: not in use (known: qwen2.5-7b, " in refused(arguments, tmp_path, capsys)
    arguments[-1] = "nearest-label"
    assert "--key nearest-label: has no such settings (known: qwen2.5-7b, " in refused(arguments, tmp_path, capsys)


def test_output_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["write-schema", "--output", str(tmp_path / "file" / "schema.json")]) == 1
    assert capsys.readouterr().err.startswith(f"onkocode write-schema: {tmp_path / 'file'}")


def test_paths_in_a_folder_with_a_leading_dash_are_no_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "-x" / "y"
    folder.mkdir(parents=True)
    assert main(["write-option", "--settings", '{"a": "b/c"}', "--output", "-x/y/option.json"]) == 0
    assert main(["write-option", "--settings={}", "--output=-x/y/other.json"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["option.json", "other.json"]
    assert main(["write-option", "--settings", "{}", "--ouput", "x/y"]) == 2
