import pytest
import yaml

from onkocode.questions.formulations import (
    COUNTS,
    PLACE,
    SAME_FORMULATIONS,
    formulations_hash,
    load_formulations,
    parse_formulations,
)
from onkocode.records.errors import InputError
from onkocode.tasks import TASKS


def raw() -> dict[str, dict[str, object]]:
    blocks = {
        name: {
            "task": name,
            "count": count,
            "short": "Kurz.",
            "formulations": {f"{name}-{n:02}": f"{name} {n}: {{text}}" for n in range(1, count + 1)},
        }
        for name, count in (COUNTS | {"icdo-link": 10}).items()
    }
    return dict(blocks)


def test_counts_are_those_of_table_1() -> None:
    counts = {name: len(block.templates) for name, block in load_formulations("v1").items()}
    assert {name: counts[name] for name in COUNTS} == {
        "icd10": 12,
        "tumour": 6,
        "tumour-icd10": 4,
        "ops": 10,
        "ops-tumour": 4,
        "morphology": 10,
        "topography": 10,
    }


def test_every_template_holds_the_text_once_and_has_an_id_of_its_block() -> None:
    blocks = {name: block for name, block in load_formulations("v1").items() if name not in SAME_FORMULATIONS}
    templates = [(name, key, template) for name, block in blocks.items() for key, template in block.templates.items()]
    assert len({template for *_, template in templates}) == len({key for _, key, _ in templates}) == 66
    assert [key for _, key, template in templates if template.count(PLACE) != 1 or template.count("{") != 1] == []
    assert [key for name, key, _ in templates if not key.startswith(f"{name}-")] == []


def test_tasks_of_the_blocks() -> None:
    assert {name: block.task for name, block in load_formulations("v1").items()} == {
        "icd10": "icd10",
        "tumour": "tumour",
        "tumour-icd10": "tumour-icd10",
        "ops": "ops",
        "ops-tumour": "tumour",
        "morphology": "morphology",
        "topography": "topography",
        "icdo-link": "icdo",
        "topography-alphaid": "topography",
    }


def test_every_task_has_a_block_that_asks_for_it() -> None:
    blocks = load_formulations("v1")
    assert {key: blocks[task.block].task for key, task in TASKS.items()} == {key: key for key in TASKS}


def test_labels_of_alphaid_are_asked_about_like_those_of_icdo3() -> None:
    blocks = load_formulations("v1")
    assert blocks["topography-alphaid"].templates == blocks["topography"].templates


def test_hash_of_version_1_is_a_constant() -> None:
    # A changed formulation changes results: it gets a new id, and this constant is changed with it.
    assert formulations_hash("v1") == "5933adbfff78fd3032666bc653e60ce8543ab362a18bc4c308d8eaec015cdac5"


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"formulations 'v0' do not exist \(known: v1\)"):
        load_formulations("v0")


def test_the_pattern_of_these_tests_is_sound() -> None:
    assert list(parse_formulations(yaml.safe_dump(raw(), sort_keys=False), "x.yaml")) == [
        *COUNTS,
        "icdo-link",
        *SAME_FORMULATIONS,
    ]


def test_unsound_files_name_block_or_id() -> None:
    without = raw()
    del without["ops"]
    fewer, twice, none, same = raw(), raw(), raw(), raw()
    del fewer["icd10"]["formulations"]["icd10-12"]  # type: ignore[attr-defined]
    further = raw()
    del further["icdo-link"]["formulations"]["icdo-link-10"]  # type: ignore[attr-defined]
    twice["ops"]["formulations"]["ops-01"] = "{text} {text}"  # type: ignore[index]
    none["ops"]["formulations"]["ops-01"] = "OPS?"  # type: ignore[index]
    same["ops"]["formulations"]["ops-02"] = "ops 1: {text}"  # type: ignore[index]
    for content, message in (
        (without, "x.yaml: the first blocks must be icd10, tumour, tumour-icd10, ops"),
        (fewer, "x.yaml: icd10: 11 formulations, 12 expected"),
        (further, "x.yaml: icdo-link: 9 formulations, 10 expected"),
        (twice, r"x.yaml: ops-01: must hold \{text\} exactly once"),
        (none, r"x.yaml: ops-01: must hold \{text\} exactly once"),
        (same, "x.yaml: ops-02: same words as ops-01"),
    ):
        with pytest.raises(InputError, match=message):
            parse_formulations(yaml.safe_dump(content, sort_keys=False), "x.yaml")
