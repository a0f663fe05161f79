"""The command of every rule is one that the steps take: filled in, split like in a shell, and parsed, not run."""

import inspect
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import pytest
from cyclopts import CycloptsError, Group

from onkocode.config.loading import merge_files
from onkocode.reporting.registry import Input
from onkocode.steps.app import BY_HAND, app, load_steps, verbs
from onkocode.study import Study, slices

ROOT = Path(__file__).parents[2]
BLOCKS = [
    block
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for block in re.split(r"^(?=(?:rule|checkpoint) )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    if "\n    shell:" in block
]
FUNCTIONS = (ROOT / "workflow/rules/common.smk").read_text(encoding="utf-8")
VALUES = {"wildcards.epoch": "1", "params.condition": "free", "params.bootstrap": "10", "params.floor": "0.9"}
VALUES |= {"params.choice": "best"}

pytestmark = pytest.mark.usefixtures("in_root")


def name_of(block: str) -> str:
    return block.split(":")[0].split()[1]


def command_of(block: str) -> str:
    shell = block[block.index("\n    shell:") :]
    return "".join(re.findall(r'^        "(.*)"$', shell, flags=re.MULTILINE)).partition(" >> ")[0]


def test_a_command_adds_to_its_log() -> None:
    """A wrapper may call it again within one job."""
    for block in BLOCKS:
        assert block.rstrip().endswith(' >> {log:q} 2>&1"') or ' >> {log:q} 2>&1"\n' in block
    assert len(BLOCKS) > 20


def settings_of(study: Study) -> dict[str, str]:
    """Return what the slices of the configuration hand to each step."""
    return {
        "build-questions": slices.data(study, "example"),
        "check-leakage": slices.leakage(study),
        "check-inputs": slices.asked(study),
        "pretrain-model": slices.tiny_model(study, "llama"),
        "prepare-model": slices.base(study, "tiny-llama"),
        "fetch-adapter": '{"adapter": {"path": "x", "trained_on": "nothing"}}',
        "describe-model": slices.description(study, "tiny-llama"),
        "train-epoch": slices.training(study, "tiny-llama"),
        "fit-coder": slices.coder(study, "nearest-label"),
        "evaluate-checkpoint": slices.testing(study, "tiny-llama"),
        "evaluate-conditions": slices.conditions(study, "tiny-llama"),
        "compare-checkpoints": slices.comparing(study),
        "break-down": slices.overview(study),
        "read-texts": slices.columns(study, "example"),
        "draw": slices.item(study, "size_accuracy"),
        "write-config": slices.merged(study),
        "write-option": slices.option(study, "tracking"),
    }


def words_of(block: str, placeholder: str, before: str, settings: str, whole: bool) -> list[str]:
    """Return words for a placeholder: one or, where the option before it takes a list, two or (if not whole) none."""
    section, _, name = placeholder.partition(".")
    params = block.partition("\n    params:\n")[2] if section == "params" else ""
    defined = re.search(rf"^        {name}=(.*?)(?=^        \w+=|^    \w)", params, flags=re.MULTILINE | re.DOTALL)
    text = body_of(defined[1].strip(" \n,")) if defined else ""
    if found := re.findall(r'"(--[a-z-]+)"(,?)', text):
        return [word for option, value in found for word in ([option, "x"] if value else [option])] if whole else []
    if text.startswith("slices.") or "slices." in text:
        return [settings]
    if "options(" in text:
        return [word for name in get_args(Input) for word in (f"--{name}", "x")] if whole else []
    if "named(" in text:
        return ["k=v", "l=w"]
    if placeholder in VALUES or before.startswith("@"):
        return [VALUES.get(placeholder, "x")]
    if takes_list(command_of(block).split()[1], before):
        return ["x", "y"] if whole else ["x"][: takes_some(command_of(block).split()[1], before)]
    return ["x"]


def body_of(value: str) -> str:
    """Return what a param is made by: the body of the function that it names, else its own text."""
    function = re.search(rf"^def {re.escape(value)}\(.*?\n(.*?)(?=\n\S|\Z)", FUNCTIONS, flags=re.MULTILINE | re.DOTALL)
    return function[1] if function else value


def takes_list(verb: str, option: str) -> bool:
    hints = verbs()[verb].__annotations__ if verb in verbs() else {}
    return "Sequence" in str(hints.get(option.removeprefix("--").replace("-", "_")))


def takes_some(verb: str, option: str) -> bool:
    """Tell whether the list may not be empty."""
    parameter = inspect.signature(verbs()[verb]).parameters[option.removeprefix("--").replace("-", "_")]
    return parameter.default is inspect.Parameter.empty


def filled(block: str, settings: dict[str, str], json_file: Path, whole: bool) -> list[str]:
    """Return the words of a rule's command, with values in place of what Snakemake fills in."""
    line, verb = command_of(block), command_of(block).split()[1]
    out, end = "", 0
    for match in re.finditer(r"@?\{([^}]+?):q\}", line):
        before = line[: match.start()].split()[-1]
        words = words_of(block, match[1], before, settings.get(verb, "{}"), whole)
        words = [f"@{json_file}"] if match[0].startswith("@") else words
        out += line[end : match.start()] + shlex.join(words)
        end = match.end()
    return shlex.split(out + line[end:])


def parse(words: Sequence[str]) -> None:
    load_steps()
    assert words[0] == "onkocode"
    app.parse_args(words[1:])


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    files = [ROOT / "config/config.yaml", ROOT / "config/quickstart.yaml"]
    return settings_of(Study(merge_files(files), files))


@pytest.fixture
def json_file(tmp_path: Path) -> Path:
    (tmp_path / "option.json").write_text("{}\n", encoding="utf-8")
    return tmp_path / "option.json"


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_a_rule_calls_a_step_as_it_is(block: str, whole: bool, settings: dict[str, str], json_file: Path) -> None:
    parse(filled(block, settings, json_file, whole))


def group_of(verb: str) -> Group:
    """Return the heading of the help that a verb stands under; that of a family counts for its verbs."""
    (group,) = cast("tuple[Group]", app[verb.split()[0]].group)
    return group


def test_all_steps_but_those_for_people_are_called() -> None:
    called = {command_of(block).split(" --")[0].removeprefix("onkocode ") for block in BLOCKS}
    assert {verb for verb in verbs() if group_of(verb) != BY_HAND} <= called
    assert called <= set(verbs())
    assert {group_of("plan"), group_of("questions compare")} == {BY_HAND}


@pytest.mark.parametrize("option", ["--scratch", "--previous", "--tracking", "train-epoch", "--questions"])
def test_a_misspelt_rule_is_caught(option: str, settings: dict[str, str], json_file: Path) -> None:
    (block,) = (block for block in BLOCKS if name_of(block) == "train_epoch")
    wrong = block.replace(option, option[:-1] + "x")
    assert wrong != block
    with pytest.raises(CycloptsError):
        parse(filled(wrong, settings | {"train-epocx": "{}"}, json_file, whole=True))


@pytest.mark.parametrize("option", ["--questions", "--settings", "--output"])
def test_a_rule_that_lacks_an_option_is_caught(option: str, settings: dict[str, str], json_file: Path) -> None:
    (block,) = (block for block in BLOCKS if name_of(block) == "train_epoch")
    wrong = re.sub(rf"{option} \S+", "", block)
    with pytest.raises(CycloptsError):
        parse(filled(wrong, settings, json_file, whole=True))
