"""Whether tables of answers belong to the questions and catalogues that they are judged by, before anything is written.

What a table holds was checked when it was written; here it is checked against others. Messages name files, data sets,
ids of questions and codes, never a text or an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from onkocode.catalogues.vocabulary.label_space import LabelSpace, label_spaces
from onkocode.config.base import CATALOGUE, CONSTRAINED, SINGLE, SWAPPED, THINKING
from onkocode.records.errors import InputError
from onkocode.tasks import TASKS

CHECKPOINT = ("model", "epoch", "condition")
OF_TEXTS = (THINKING, SWAPPED)  # conditions that ask all formulations of the texts that were drawn
SHOWN = 3
AGAIN = "answer the data set again (evaluate-checkpoint)"


@dataclass(frozen=True)
class Scored:
    """What the answers to a data set are judged by.

    Attributes:
        name: under which they are given: a data set, or `<condition>/<data set>` of a further condition.
        predictions: schema Predictions.
        questions: schema Questions.
        codes: schema Codes, of all catalogues together.
        files: what they were read from: predictions, questions and the catalogues.
    """

    name: str
    predictions: pl.DataFrame
    questions: pl.DataFrame
    codes: pl.DataFrame
    files: Mapping[str, Path]

    @property
    def dataset(self) -> str:
        """Key of the data set."""
        return self.name.rpartition("/")[2]

    @property
    def condition(self) -> str:
        """The condition in the name; empty where it has none."""
        return self.name.rpartition("/")[0]

    @property
    def spaces(self) -> dict[str, LabelSpace]:
        """Label space by system of codes."""
        return label_spaces(self.codes)

    @property
    def asked(self) -> pl.DataFrame:
        """The questions that have a first answer."""
        first = self.predictions.filter(pl.col("rank") == 1)
        return self.questions.join(first.select("question_id"), on="question_id", how="semi")


def check_scored(scored: Sequence[Scored]) -> None:
    """Check the answers of one checkpoint to several data sets.

    Raises:
        InputError: no answers; answers to another data set, of several checkpoints, to questions that are not in the
            table, twice, or not to all questions that were asked together; or catalogues without the expected codes.
    """
    for item in scored:
        _check_data_set(item)
    _check_checkpoint(scored)
    for item in scored:
        check_questions(item.questions, item.files["questions"])
        _check_once(item.predictions, ["question_id", "rank"], item.files["predictions"], AGAIN)
        _check_known(item)
        _check_complete(item)
        _check_codes(item)


def check_baseline(tables: Mapping[Path, pl.DataFrame], scored: Sequence[Scored]) -> None:
    """Check judged tables that answers are compared with.

    Args:
        tables: schema Judged, by file.
        scored: what is compared with them.

    Raises:
        InputError: a table of another data set, with questions that are not asked any more, with another expected
            answer than now, or with the same question as another one.
    """
    known = {item.dataset: item for item in scored}
    seen: dict[tuple[str, str], Path] = {}
    for path, table in tables.items():
        names = set(table["dataset"])
        if strange := sorted(names - set(known)):
            raise InputError(
                f"{path}: judged answers to {', '.join(map(repr, strange))}, but scored is "
                f"{', '.join(map(repr, known))}; give the base model's tables of the same data sets"
            )
        for name in sorted(names):
            _check_same_questions(path, table.filter(pl.col("dataset") == name), known[name])
        for question in table.select("dataset", "question_id").iter_rows():
            if question in seen:
                raise InputError(
                    f"{path}: question {question[1]} of data set {question[0]!r} stands twice, also in "
                    f"{seen[question]}; give one judged table of the base model per data set"
                )
            seen[question] = path


def _check_data_set(item: Scored) -> None:
    path = item.files["predictions"]
    if item.predictions.is_empty() and not item.condition:  # further ones are asked of a part, which may be none
        raise InputError(f"{path}: holds no answers; {AGAIN}")
    if strange := sorted(set(item.predictions["dataset"]) - {item.dataset}):
        raise InputError(
            f"{path}: answers to {', '.join(map(repr, strange))}, given as --predictions {item.name}=…; name the file "
            "of that data set"
        )
    if item.condition and (strange := sorted(set(item.predictions["condition"]) - {item.condition})):
        raise InputError(
            f"{path}: answers under the condition {', '.join(map(repr, strange))}, given as --predictions "
            f"{item.name}=…; name the file of that condition"
        )


def _check_checkpoint(scored: Sequence[Scored]) -> None:
    found: dict[tuple[str, int, str], Path] = {}
    for item in scored:
        for model, epoch, how in item.predictions.select(CHECKPOINT).unique().sort(CHECKPOINT).iter_rows():
            found.setdefault((model, epoch, "" if item.condition else how), item.files["predictions"])
    if len(found) > 1:
        named = "\n".join(
            f"  {model}, epoch {epoch}{', ' if how else ''}{how}: {path}" for (model, epoch, how), path in found.items()
        )
        raise InputError(f"answers of several checkpoints; score each in a call of its own:\n{named}")


def check_questions(questions: pl.DataFrame, path: Path) -> None:
    """Check that each question stands once, on whose id everything hangs.

    Args:
        questions: schema Questions.
        path: what they were read from.

    Raises:
        InputError: a question stands there more than once.
    """
    _check_once(questions, ["question_id"], path, "build the questions again")


def _check_once(table: pl.DataFrame, key: list[str], path: Path, again: str) -> None:
    twice = table.filter(table.select(key).is_duplicated())["question_id"]
    if twice.len():
        raise InputError(f"{path}: {_some(twice, 'stand(s) more than once')}; {again}")


def _check_known(item: Scored) -> None:
    unknown = item.predictions.join(item.questions, on="question_id", how="anti")["question_id"]
    if unknown.len():
        raise InputError(
            f"data set {item.name!r}: the predictions answer questions that are not in the table "
            f"({item.files['predictions']}: {_some(unknown, 'not in ' + str(item.files['questions']))}); evaluate "
            "again, or give the questions that were asked"
        )


def _check_complete(item: Scored) -> None:
    """Check that what is asked together was answered as a whole (`evaluation.sampling`).

    A text of a user is asked in all tasks and formulations or, in free answers, as all others are; a label of the
    catalogue in all formulations of a task and split. Which labels were drawn is not known here.
    """
    asked = item.asked
    how = None if item.predictions.is_empty() else item.predictions["condition"][0]
    if how in (None, SINGLE, CONSTRAINED):  # single questions, which nothing is asked together with
        return
    if how in OF_TEXTS:
        together = ["entry_id"]
    elif item.name == CATALOGUE:
        together = ["entry_id", "task", "split"]
    else:
        together = ["task"]
    of_tasks = item.questions.filter(pl.col("task").is_in(asked["task"].unique().implode()))
    expected = of_tasks.join(asked.select(together).unique(), on=together, how="semi")
    lacking = expected.join(asked, on="question_id", how="anti")["question_id"]
    if lacking.len():
        raise InputError(
            f"{item.files['predictions']}: data set {item.name!r} was not answered as a whole: "
            f"{_some(lacking, 'without a first answer')}, while others of the same {_like(together)} have one; {AGAIN}"
        )


def _like(together: list[str]) -> str:
    return " and ".join({"entry_id": "text", "task": "task", "split": "split"}[column] for column in together)


def _check_codes(item: Scored) -> None:
    """Check that the label spaces are those of the questions, by the codes that are expected."""
    spaces, asked = item.spaces, item.asked
    files = ", ".join(str(path) for role, path in item.files.items() if role not in ("predictions", "questions"))
    for task in sorted(asked["task"].unique()):
        system = TASKS[task].system
        if system is None:
            continue
        if system not in spaces:
            raise InputError(
                f"data set {item.name!r}: answers to {task!r} are codes of {system}, whose label space is not given "
                f"({files}); give the codes.parquet of its catalogue"
            )
        codes = asked.filter(pl.col("task") == task)["code"].drop_nulls().unique().sort()
        missing = [code for code in codes if not spaces[system].exists(code)]
        if missing and (len(missing) == len(codes) or not _of_several_versions(item, system)):
            shown = ", ".join(missing[:SHOWN])
            raise InputError(
                f"data set {item.name!r}: {len(missing)} of {len(codes)} expected codes of {system} do not exist in "
                f"the label spaces ({files}), e.g. {shown}; give those of the version that the questions were built "
                f"from ({item.files['questions']})"
            )


def _of_several_versions(item: Scored, system: str) -> bool:
    """Tell whether the questions are on labels of several versions, of which the first alone judges (docs/data.md).

    ICD-10-GM has one version whatever the labels are from.
    """
    catalogue = "ops" if system == "ops" else "icdo3"
    origins = item.questions["entry_id"].str.extract(rf"^({catalogue}-[^:]*):").drop_nulls()
    return system != "icd10gm" and origins.n_unique() > 1


def _check_same_questions(path: Path, judged: pl.DataFrame, item: Scored) -> None:
    """Check that questions stand where they stood, with the same expected answer."""
    now = item.questions.select("question_id", now=pl.coalesce("code", "answer"))
    both = judged.select("question_id", "expected").join(now, on="question_id", how="left")
    gone = both.filter(pl.col("now").is_null())["question_id"]
    other = both.filter(pl.col("now") != pl.col("expected"))["question_id"]
    file = item.files["questions"]
    for ids, what in ((gone, f"not in {file}"), (other, f"with another expected answer than in {file}")):
        if ids.len():
            raise InputError(
                f"{path}: data set {item.name!r}: {_some(ids, what)}; the base model was judged by other questions, so "
                "judge its answers again"
            )


def _some(ids: pl.Series, what: str) -> str:
    """Count questions and name the first."""
    named = ids.unique().sort()
    return f"{named.len()} question(s) {what}, e.g. {', '.join(named.head(SHOWN))}"
