import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from onkocode.config.schema import Thinking
from onkocode.evaluation.intervals import clopper_pearson
from onkocode.paper import paper
from onkocode.paper.numbers import Printed


def interval(cases: int) -> tuple[int, ...]:
    return tuple(round(100 * (end or 0)) for end in clopper_pearson(cases, paper().quality.cases))


def test_table_1_adds_up() -> None:
    blocks = paper().questions.blocks
    assert sum(row.questions for row in blocks) == paper().questions.total
    assert all(row.entries * row.formulations == row.questions for row in blocks)
    formulations = {row.block: row.formulations for row in blocks}
    assert all(formulations[task] == count for task, count in paper().texts.formulations.items())


@pytest.mark.parametrize("task", paper().quality.derivable)
def test_table_2_is_exact_binomial_and_gives_the_ceilings(task: str) -> None:
    shares = paper().quality.derivable[task]
    assert sum(share.value for share in shares.values()) == paper().quality.cases == 100
    for share in shares.values():
        assert (share.low, share.high) == interval(round(share.value))
    ceiling = paper().quality.ceilings[task]
    assert ceiling.exact == interval(round(shares["fully"].value))
    assert ceiling.partial == interval(round(shares["fully"].value + shares["partially"].value))


def test_tables_3_and_4_are_about_the_same_models() -> None:
    labels = [model.label for model in paper().models.rows]
    assert [row.model for row in paper().results.rows] == labels
    assert {incident.model for incident in paper().training.incidents} <= set(labels)
    assert sum(model.hours * model.gpus_training for model in paper().models.rows) == 2634
    sizes = [model.parameters for model in paper().models.rows]
    assert sizes == sorted(sizes)


def test_rates_of_table_4_are_possible() -> None:
    for row in paper().results.rows:
        assert 1 <= row.epoch <= paper().training.epochs
        for rates in (row.base, row.trained):
            assert list(rates) == list(paper().texts.formulations)
            for task, rate in rates.items():
                assert 0 <= rate.accuracy <= (rate.partial_accuracy or 100) <= 100
                assert 0 <= rate.invalid_rate <= 100
                assert (rate.partial_accuracy is None) == (task == "tumour")
        assert row.base["icd10"].accuracy < row.trained["icd10"].accuracy


def test_thinking_is_sampled_as_in_the_paper_by_default() -> None:
    printed, ours = paper().evaluation.thinking.model_dump(), Thinking.model_validate({}).model_dump()
    assert {name: ours[name] for name in printed} == printed


def test_what_is_inferred_is_a_number_of_its_part() -> None:
    for name in type(paper()).model_fields:
        part = getattr(paper(), name)
        assert isinstance(part, Printed)
        assert part.source
        rows = [row for field in ("blocks", "rows") for row in getattr(part, field, ())]
        for key in part.inferred:
            assert any(hasattr(place, key.partition(".")[0]) for place in (part, *rows)), f"{name}: {key}"


def test_every_file_of_the_package_is_installed(root: Path) -> None:
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = declared["tool"]["setuptools"]["package-data"]["onkocode"]
    package = root / "src/onkocode"
    files = [path.relative_to(package) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    data = [path.as_posix() for path in files if path.suffix != ".py"]
    assert "paper/numbers.yaml" in data
    assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []
