"""A corpus of broken inputs of score-answers. Each must end in one clear message, and leave outputs as they were."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.schemas import read_table, schema_mark, write_table

from .conftest import LABELS, question_rows, schema_of
from .scoring import score_command

NAMES = ("catalogue", "clinic")
CODES = ("icd10gm", "icdo3")
HIDDEN = "Prostatakrebs laut Frau Müller"  # part of an answer
FIRST = "clinic:E01/icd10/icd10-01"


@dataclass
class Given:
    """The files of a call."""

    folder: Path
    predictions: dict[str, Path] = field(default_factory=dict)
    questions: dict[str, Path] = field(default_factory=dict)
    baseline: dict[str, Path] = field(default_factory=dict)

    @property
    def judged(self) -> dict[str, Path]:
        return {name: self.folder / "results" / f"{name}.parquet" for name in self.predictions}

    @property
    def metrics(self) -> Path:
        return self.folder / "results" / "metrics.parquet"

    def codes(self, name: str) -> Path:
        return self.folder / f"{name}-codes.parquet"

    def command(self) -> list[str]:
        """Return the command line; the label spaces are written with it."""
        command = score_command(self.folder, self.predictions, self.questions, self.judged, self.metrics)
        command += ["--summary", str(self.folder / "results" / "summary.html")]
        return [*command, "--baseline", *map(str, self.baseline.values())] if self.baseline else command


def put(frame: pl.DataFrame, table: str, path: Path) -> None:
    """Write a table as it is, sound or not."""
    frame.write_parquet(path, metadata={"schema": schema_mark(table)})


def predictions_of(name: str, rows: list[dict[str, object]], condition: str = "free") -> pl.DataFrame:
    facts = {"model": "m", "epoch": 2, "condition": condition, "dataset": name, "rank": 1, "tokens": 3, "seconds": 0.1}
    given = [facts | {"question_id": row["question_id"], "answer": f"{row['answer']} {HIDDEN}"} for row in rows]
    return pl.DataFrame([{key: row.get(key) for key in schema_of("predictions")} for row in given])


@pytest.fixture
def given(tmp_path: Path) -> Given:
    """Answers to all questions of two data sets, and the judged tables of a base that answered likewise."""
    made = Given(tmp_path)
    for name in NAMES:
        rows = question_rows(name, None if name == "catalogue" else "test")
        made.questions[name] = tmp_path / f"q-{name}.parquet"
        write_table(pl.DataFrame(rows, schema=schema_of("questions")), "questions", made.questions[name])
        made.predictions[name] = tmp_path / f"p-{name}.parquet"
        write_table(predictions_of(name, rows), "predictions", made.predictions[name])
    assert main(made.command()) == 0
    for name, path in made.judged.items():
        made.baseline[name] = tmp_path / f"b-{name}.parquet"
        base = read_table(path, "judged").with_columns(epoch=pl.lit(0, pl.Int64))
        write_table(base, "judged", made.baseline[name])
    for path in (tmp_path / "results").iterdir():
        path.unlink()
    return made


Change = Callable[[Given], None]


def cut(kind: str, name: str = "clinic") -> Change:
    def change(given: Given) -> None:
        path: Path = getattr(given, kind)[name]
        path.write_bytes(path.read_bytes()[:-200])

    return change


def changed(kind: str, how: Callable[[pl.DataFrame], pl.DataFrame], name: str = "clinic") -> Change:
    """Return a change of a table that is given."""

    def change(given: Given) -> None:
        table = {"predictions": "predictions", "questions": "questions", "baseline": "judged"}[kind]
        path: Path = getattr(given, kind)[name]
        put(how(read_table(path, table)), table, path)

    return change


def without(pattern: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda table: table.filter(~pl.col("question_id").str.contains(pattern))


def with_values(pattern: str, **values: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    chosen = pl.col("question_id").str.contains(pattern)
    return lambda table: table.with_columns(
        pl.when(chosen).then(pl.lit(value, table.schema[column])).otherwise(pl.col(column)).alias(column)
        for column, value in values.items()
    )


def twice(table: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([table, table.head(1)])


def swapped(kind: str) -> Change:
    def change(given: Given) -> None:
        files: dict[str, Path] = getattr(given, kind)
        files.update(zip(NAMES, [files[name] for name in reversed(NAMES)], strict=True))

    return change


def alone(kind: str, name: str = "clinic") -> Change:
    """Return a change that leaves the other data set out, but not of what the first is compared with."""

    def change(given: Given) -> None:
        for files in (given.predictions, given.questions):
            del files[next(other for other in NAMES if other != name)]

    return change


def again(given: Given) -> None:
    given.baseline["once more"] = given.folder / "b-clinic-2.parquet"
    given.baseline["once more"].write_bytes(given.baseline["clinic"].read_bytes())


def thinking(given: Given) -> None:
    """Let the answers be thoughts of one text, of which one task has fewer formulations."""
    rows = [row for row in question_rows("clinic", "test") if "E03" in str(row["question_id"])]
    rows = [row for row in rows if "icd10-12" not in str(row["question_id"])]
    alone("predictions")(given)
    write_table(predictions_of("clinic", rows, "thinking"), "predictions", given.predictions["clinic"])


# name, what is changed, what the message must say
BAD: list[tuple[str, Change, str]] = [
    # -- not whole --
    ("cut predictions", cut("predictions"), r"p-clinic\.parquet: not a readable table .*run again"),
    ("cut questions", cut("questions"), r"q-clinic\.parquet: not a readable table .*run again"),
    ("cut baseline", cut("baseline"), r"b-clinic\.parquet: not a readable table .*run again"),
    ("no answers", changed("predictions", lambda table: table.clear()), r"p-clinic\.parquet: holds no answers; answer"),
    (
        "a question of a text is not answered",
        changed("predictions", without(FIRST)),
        rf"p-clinic\.parquet: data set 'clinic' .*1 question\(s\) without a first answer, e\.g\. {FIRST}, .*again",
    ),
    (
        "a text is not answered",
        changed("predictions", without("E02")),
        r"p-clinic\.parquet: .*4 question\(s\) without a first answer, e\.g\. clinic:E02/icd10/icd10-01, clinic:E02",
    ),
    (
        "a label has fewer formulations",
        changed("predictions", without("E08/icd10/icd10-12"), "catalogue"),
        r"p-catalogue\.parquet: .*1 question.*catalogue:E08/icd10/icd10-12, .*same text and task and split",
    ),
    (
        "second choices only",
        changed("predictions", with_values(FIRST, rank=2)),
        rf"p-clinic\.parquet: .*1 question\(s\) without a first answer, e\.g\. {FIRST}",
    ),
    ("a thought is lacking", thinking, r"p-clinic\.parquet: .*clinic:E03/icd10/icd10-12, .*same text have one"),
    # -- of something else --
    (
        "predictions of another data set",
        swapped("predictions"),
        r"p-clinic\.parquet: answers to 'clinic', given as --predictions catalogue=…; name",
    ),
    (
        "predictions of two data sets",
        changed("predictions", with_values(FIRST, dataset="other")),
        r"p-clinic\.parquet: answers to 'other', given as --predictions clinic=",
    ),
    ("questions of another data set", swapped("questions"), r"'catalogue': the predictions .* not in the table "),
    (
        "a question that is not there",
        changed("questions", without(FIRST)),
        rf"data set 'clinic': the predictions answer .*1 question\(s\) not in .*q-clinic\.parquet, e\.g\. {FIRST}\)",
    ),
    (
        "several models",
        changed("predictions", with_values(FIRST, model="n")),
        r"several checkpoints; score .*\n  m, epoch 2, free: .*p-catalogue\.parquet\n  n, epoch 2, free: .*p-clin",
    ),
    (
        "several epochs",
        changed("predictions", lambda table: table.with_columns(epoch=pl.lit(3, pl.Int64))),
        r"several checkpoints; score .*\n  m, epoch 2, free: .*p-catalogue\.parquet\n  m, epoch 3, free: .*p-clin",
    ),
    (
        "several conditions",
        changed("predictions", lambda table: table.with_columns(condition=pl.lit("thinking"))),
        r"several checkpoints; score each .*\n.*free: .*p-catalogue\.parquet\n  m, epoch 2, thinking: .*p-clinic",
    ),
    # -- twice --
    ("a question twice", changed("questions", twice), rf"q-clinic\.parquet: 1 question.* than once, .*{FIRST}; build"),
    ("an answer twice", changed("predictions", twice), rf"p-clinic\.parquet: 1 question.* than once, .*{FIRST}; ans"),
    # -- other catalogues --
    (
        "a code that is not in the label space",
        changed("questions", with_values("E03/icd10", code="C99.9", answer="C99.9")),
        r"data set 'clinic': 1 of 8 expected codes of icd10gm do not exist .*icd10gm-codes\.parquet, .*icdo3-codes"
        r"\.parquet.*C99\.9; give .*q-clinic\.parquet",
    ),
    # -- the base model --
    (
        "a base that was asked what is no question any more",
        changed("baseline", with_values(FIRST, question_id="clinic:gone")),
        r"b-clinic\.parquet: data set 'clinic': 1 question\(s\) not in .*q-clinic\.parquet, .*clinic:gone; .*again",
    ),
    (
        "a base of which something else was expected",
        changed("baseline", with_values(FIRST, expected="C65")),
        rf"b-clinic\.parquet: .*1 question\(s\) with another expected answer than in .*q-clinic\.parquet, .*{FIRST}",
    ),
    ("a base of another data set", alone("baseline"), r"b-catalogue\.parquet: judged answers to 'catalogue', .*; give"),
    ("a base twice", again, r"b-clinic-2\.parquet: question .* stands twice, also in .*b-clinic\.parquet; give one"),
    ("an answer twice in a base", changed("baseline", twice), r"b-clinic\.parquet: question clinic:\S+ .*stands twice"),
]  # fmt: skip
INSTRUCTION = re.compile(r"\b(answer|build|evaluate|give|judge|name|remove|score)\b")


@pytest.mark.parametrize(("name", "change", "message"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_input_ends_in_one_clear_message_and_changes_no_output(
    given: Given, capsys: pytest.CaptureFixture[str], name: str, change: Change, message: str
) -> None:
    results = given.folder / "results"
    change(given)
    assert main(given.command()) == 2
    check_message(capsys.readouterr().err, message)
    assert list(results.iterdir()) == []
    before = {results / f"{name}.parquet": name.encode() for name in (*NAMES, "metrics")}
    for path, content in before.items():
        path.write_bytes(content)
    assert main(given.command()) == 2
    assert {path: path.read_bytes() for path in results.iterdir()} == before


def check_message(said: str, message: str) -> None:
    assert re.search(message, said), said
    assert said.startswith("onkocode score-answers: ")
    assert INSTRUCTION.search(said.partition(": ")[2])
    assert len(said) < 1_500
    assert not re.search(r"Traceback|Error\b|Exception|<class|0x[0-9a-f]{6}", said)
    assert not any(text in said for text in (HIDDEN, *(text for _, text, _ in LABELS)))


@pytest.mark.parametrize("option", CODES)
def test_label_spaces_of_another_catalogue(given: Given, capsys: pytest.CaptureFixture[str], option: str) -> None:
    """Both of one catalogue: the other one's codes are nowhere."""
    changed("questions", with_values("icd10-12", task="topography"))(given)
    command, other = given.command(), next(name for name in CODES if name != option)
    replaced = [word.replace(str(given.codes(option)), str(given.codes(other))) for word in command]
    assert main(replaced) == 2
    system = {"icd10gm": "icd10gm", "icdo3": "topography"}[option]
    message = rf"data set '\w+': answers to '\w+' are codes of {system}, whose label space is not given .*{other}-codes"
    check_message(capsys.readouterr().err, message)


def test_label_spaces_that_are_cut(given: Given, capsys: pytest.CaptureFixture[str]) -> None:
    command = given.command()
    given.codes("icd10gm").write_bytes(given.codes("icd10gm").read_bytes()[:-200])
    assert main(command) == 2
    check_message(capsys.readouterr().err, r"icd10gm-codes\.parquet: not a readable table")
    assert list((given.folder / "results").iterdir()) == []


def test_what_was_not_drawn_or_not_asked_is_not_missed(given: Given) -> None:
    """A label of the catalogue, a task of a text, and texts that were not to be thought about."""
    changed("predictions", without("E01"), "catalogue")(given)
    changed("predictions", without("tumour"))(given)
    assert main(given.command()) == 0
    alone("predictions")(given)
    rows = [row for row in question_rows("clinic", "test") if "E03" in str(row["question_id"])]
    write_table(predictions_of("clinic", rows, "thinking"), "predictions", given.predictions["clinic"])
    del given.baseline["catalogue"]
    assert main(given.command()) == 0


@pytest.mark.parametrize(("versions", "status"), [(("2014",), 2), (("2014", "2019"), 0)])
def test_labels_of_further_versions_may_have_codes_that_the_first_lacks(
    given: Given, capsys: pytest.CaptureFixture[str], versions: tuple[str, ...], status: int
) -> None:
    rows = [
        row
        | {
            "question_id": f"icdo3-{versions[number % len(versions)]}:{number}",
            "entry_id": f"icdo3-{versions[number % len(versions)]}:{number}",
            "task": "topography",
            "code": "C99.9" if number == 1 else "C50.9",
        }
        for number, row in enumerate(question_rows("catalogue")[:4])
    ]
    write_table(pl.DataFrame(rows, schema=schema_of("questions")), "questions", given.questions["catalogue"])
    write_table(predictions_of("catalogue", rows), "predictions", given.predictions["catalogue"])
    del given.baseline["catalogue"]
    assert main(given.command()) == status
    if status:
        check_message(capsys.readouterr().err, r"1 of 2 expected codes of topography do not exist")


def test_names_are_unique() -> None:
    assert len({row[0] for row in BAD}) == len(BAD) > 20
