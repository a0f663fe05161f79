import re
from dataclasses import replace

import polars as pl
import pytest

from onkocode.config import Config
from onkocode.config.data import Augmentation
from onkocode.questions import build
from onkocode.questions.build import (
    QuestionSet,
    QuestionStream,
    build_questions,
    build_text_questions,
    canonical_rows,
)
from onkocode.questions.formulations import load_formulations
from onkocode.records.errors import InputError
from onkocode.records.ids import text_key
from onkocode.records.schemas import columns_of, read_table, write_table
from onkocode.tasks import PROTOCOL, TASKS
from tests.conftest import Tables, questions_hash, sources_of

# Of the data key `example` in config/quickstart.yaml.
EXAMPLE_HASH = "5272973194697cc27ee936b839ad7f0770585282af3bb5c8a577e5b3a81e79ff"


def rebuilt(example: Tables, quickstart: Config, **changes: object) -> QuestionSet:
    return build_questions(sources_of(example), quickstart.data["example"].model_copy(update=changes))


def test_hash_of_the_example_is_a_constant(example_questions: QuestionSet) -> None:
    assert example_questions.facts["questions_sha256"] == EXAMPLE_HASH
    assert questions_hash(example_questions.questions) == EXAMPLE_HASH


def test_entries_and_questions_per_block_are_constants(example_questions: QuestionSet) -> None:
    assert example_questions.facts["counts"] == {
        "icd10": 196,
        "tumour": 392,
        "tumour-icd10": 392,
        "ops": 114,
        "ops-tumour": 114,
        "morphology": 84,
        "topography": 145,
    }
    assert dict(example_questions.questions.group_by("block").len().rows()) == {
        "icd10": 196 * 12,
        "tumour": (392 + 30) * 6,
        "tumour-icd10": 392 * 4,
        "ops": 114 * 10,
        "ops-tumour": 114 * 4,
        "morphology": 84 * 10,
        "topography": 145 * 10,
    }


def test_the_order_of_rows_changes_nothing(example: Tables, quickstart: Config) -> None:
    turned = {name: (one.reverse(), other.reverse()) for name, (one, other) in example.items()}
    for changes in ({}, {"duplicates": False}, {"heldout_labels": 0.0}):
        straight = rebuilt(example, quickstart, **changes).facts
        assert rebuilt(turned, quickstart, **changes).facts == straight


def test_another_seed_gives_other_questions(example: Tables, quickstart: Config) -> None:
    assert rebuilt(example, quickstart, seed=1).facts["questions_sha256"] != EXAMPLE_HASH


def test_ids_are_unique_and_of_the_form_entry_block_formulation(example_questions: QuestionSet) -> None:
    questions = example_questions.questions
    assert questions["question_id"].n_unique() == questions.height
    parts = questions["entry_id"] + "/" + questions["block"] + "/" + questions["formulation_id"]
    assert questions["question_id"].equals(parts, check_names=False)
    assert questions["question_id"].is_sorted()


def test_questions_put_the_text_into_the_template(example: Tables, example_questions: QuestionSet) -> None:
    templates = {
        key: template for block in load_formulations("v1").values() for key, template in block.templates.items()
    }
    texts = {
        row["entry_id"]: row["text"]
        for name in ("alphaid", "icdo3", "ops")
        for row in example[name][0].iter_rows(named=True)
    }
    wrong = [
        row["question_id"]
        for row in example_questions.questions.iter_rows(named=True)
        if row["question"] != templates[row["formulation_id"]].replace("{text}", texts[row["entry_id"]])
    ]
    assert wrong == []


ANSWERS = {
    "icd10": r"[CD]\d\d(\.\d{1,2})?",
    "tumour": r"Ja|Nein",
    "tumour-icd10": r"Nein|Ja, [CD]\d\d(\.\d{1,2})?",
    "ops": r"\d-[0-9a-z]{2,3}",
    "ops-tumour": r"Nein",
    "morphology": r"\d{4}/\d",
    "topography": r"C\d\d(\.\d)?",
}


def test_answers_have_the_form_of_their_block(example_questions: QuestionSet) -> None:
    pairs = example_questions.questions.select("block", "answer").unique().rows()
    assert [(block, answer) for block, answer in pairs if not re.fullmatch(ANSWERS[block], answer)] == []


def test_tumour_answers_are_balanced(example_questions: QuestionSet) -> None:
    for block in ("tumour", "tumour-icd10"):
        sampled = example_questions.questions.filter(pl.col("split") != "heldout_negative")
        answers = sampled.filter(pl.col("block") == block)["answer"]
        assert (answers == "Nein").mean() == 0.5


def test_a_held_out_label_is_in_training_nowhere(example: Tables, example_questions: QuestionSet) -> None:
    keys = pl.concat([example[name][0].select("entry_id", "text_key") for name in ("alphaid", "icdo3", "ops")])
    questions = example_questions.questions.join(keys, on="entry_id")
    out = set(questions.filter(pl.col("split") == "heldout_label")["text_key"])
    rest = set(questions.filter(pl.col("split") != "heldout_label")["text_key"])
    candidates = set(questions.filter(pl.col("split") != "heldout_negative")["text_key"])
    assert len(out) == round(0.1 * len(candidates))
    assert out & rest == set()


def test_every_code_is_trained(example_questions: QuestionSet) -> None:
    questions = example_questions.questions.filter(pl.col("code").is_not_null())
    trained = questions.filter(pl.col("split") == "train").select("block", "code").unique()
    assert sorted(trained.rows()) == sorted(questions.select("block", "code").unique().rows())


def test_two_formulations_per_block_are_held_out(example_questions: QuestionSet) -> None:
    out = example_questions.questions.filter(pl.col("split") == "heldout_formulation")
    assert dict(out.group_by("block").agg(pl.col("formulation_id").n_unique()).rows()) == dict.fromkeys(ANSWERS, 2)
    trained = example_questions.questions.filter(pl.col("split") == "train")["formulation_id"]
    assert set(out["formulation_id"]) & set(trained) == set()


def test_the_table_can_be_written(example_questions: QuestionSet, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("questions") / "questions.parquet"
    write_table(example_questions.questions, "questions", path)
    back = read_table(path, "questions")
    assert dict(back.schema) == columns_of("questions")
    assert questions_hash(back) == EXAMPLE_HASH


def test_codes_that_the_label_space_does_not_know_are_named(example: Tables, quickstart: Config) -> None:
    entries, _ = example["alphaid"]
    other = pl.when(pl.col("code") == "C50.9").then(pl.lit("C50.7")).otherwise("code")
    changed = example | {"alphaid": (entries.with_columns(code=other), entries.clear())}
    with pytest.raises(
        InputError, match=r"Alpha-ID example uses tumour codes that ICD-10-GM example does not .*C50\.7;"
    ):
        rebuilt(changed, quickstart)


def test_a_block_without_entries_is_named(example: Tables, quickstart: Config) -> None:
    entries, codes = example["ops"]
    with pytest.raises(InputError, match="no entries for block ops, ops-tumour; check the catalogues"):
        rebuilt(example | {"ops": (entries.clear(), codes)}, quickstart)


def test_repeated_entry_ids_are_refused(example: Tables, quickstart: Config) -> None:
    entries, codes = example["icdo3"]
    with pytest.raises(
        InputError, match=r"question id 'icdo3-example:.*' arises twice; the entries' ids are not unique"
    ):
        rebuilt(example | {"icdo3": (pl.concat([entries, entries.head(1)]), codes)}, quickstart)


# -- slices, hash, further blocks --


def stream(example: Tables, quickstart: Config, **changes: object) -> QuestionStream:
    return QuestionStream(sources_of(example), quickstart.data["example"].model_copy(update=changes))


def test_slices_change_nothing(example: Tables, quickstart: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SLICE", 7)
    small = stream(example, quickstart)
    frames = list(small)
    assert len(frames) > 100
    assert questions_hash(pl.concat(frames)) == small.facts["questions_sha256"] == EXAMPLE_HASH


def test_canonical_rows_by_hand() -> None:
    frame = pl.DataFrame(
        {"question_id": ["a/b"], "question": ['Ä "x"\t\\\n\r;,'], "answer": ["Ja, C50.9"], "split": ["train"]}
    )
    assert canonical_rows(frame) == 'a/b\tÄ "x"\\t\\\\\\n\\r;,\tJa, C50.9\ttrain\n'.encode()


def test_held_out_negatives_are_asked_once_and_never_trained(example: Tables, quickstart: Config) -> None:
    questions = rebuilt(example, quickstart, heldout_negatives=5).questions
    out = questions.filter(pl.col("split") == "heldout_negative")
    assert (out["entry_id"].n_unique(), set(out["block"]), set(out["answer"])) == (5, {"tumour"}, {"Nein"})
    assert out.height == 5 * 6
    rest = questions.filter(pl.col("split") != "heldout_negative")
    assert questions_hash(rest) == rebuilt(example, quickstart, heldout_negatives=0).facts["questions_sha256"]


RULES = pl.DataFrame({"icd10": ["C61", "C50.1", "C50.1"], "topography": ["C61.9", "C50.1", "C50.2"]})
PAIRS = pl.DataFrame({"topography": ["C61.9", "C61.9"], "morphology": ["8140/3", "8500/3"], "icd10": ["C61", "C61"]})


def test_further_blocks_come_on_top(example: Tables, quickstart: Config) -> None:
    sources = replace(sources_of(example), topographies=RULES, pairs=PAIRS)
    options = quickstart.data["example"].model_copy(update={"topography_from_alphaid": True, "links": 2})
    built = build_questions(sources, options)
    seven = built.questions.filter(pl.col("block").is_in(list(ANSWERS)))
    assert questions_hash(seven) == EXAMPLE_HASH
    derived = built.questions.filter(pl.col("block") == "topography-alphaid")
    assert set(derived["answer"]) == {"C61.9"}
    assert set(derived["formulation_id"]) == set(load_formulations("v1")["topography"].templates)
    linked = built.questions.filter(pl.col("block") == "icdo-link")
    assert set(linked["answer"]) <= {"C61.9 8140/3", "C61.9 8500/3"}
    assert set(linked["task"]) == {"icdo"}
    assert linked.height > 0
    # A label that is held out for its ICD-10 code is not taught through its topography.
    out = set(seven.filter(pl.col("split") == "heldout_label")["entry_id"])
    assert set(derived.filter(pl.col("entry_id").is_in(out))["split"]) <= {"heldout_label"}


@pytest.mark.parametrize("changes", [{"topography_from_alphaid": True}, {"links": 1}])
def test_further_blocks_need_the_rules(example: Tables, quickstart: Config, changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="set the key crosswalk"):
        rebuilt(example, quickstart, **changes)


def test_augmented_rows_are_trained_only_and_keep_their_origin(example: Tables, quickstart: Config) -> None:
    augmentation = Augmentation.model_validate({"share": 1.0})
    questions = rebuilt(example, quickstart, augmentation=augmentation).questions
    added = questions.filter(pl.col("origin_id") != pl.col("entry_id"))
    assert questions_hash(questions.filter(pl.col("origin_id") == pl.col("entry_id"))) == EXAMPLE_HASH
    assert added.height > 100
    assert set(added["block"]) == {"icd10"}
    assert set(added["split"]) == {"train", "heldout_formulation"}
    origins = questions.filter(pl.col("block") == "icd10").select(origin_id="entry_id", original="code").unique()
    joined = added.join(origins, on="origin_id")
    assert joined.height == added.height
    assert joined["code"].equals(joined["original"], check_names=False)


# -- users' texts --


def test_questions_on_texts_by_hand() -> None:
    row = {"entry_id": "mine:1", "kind": "text", "code": "C50.4", "topography": "C50.9", "text": "Mamma-Ca"}
    more = {"text_key": text_key("Mamma-Ca"), "cluster": "mine:P1", "accepted": [], "flags": []}
    texts = pl.DataFrame([row | more], schema=columns_of("entries"))
    questions = build_text_questions(texts, "v1")
    assert dict(questions.group_by("task").len().rows()) == {"icd10": 12, "topography": 10, "tumour": 6}
    answers = questions.select("task", "answer", "code").unique().sort("task").rows()
    assert answers == [("icd10", "C50.4", "C50.4"), ("topography", "C50.9", "C50.9"), ("tumour", "Ja", None)]
    assert set(questions["split"]) == {"test"}
    assert set(questions["cluster"]) == {"mine:P1"}
    last = questions.filter(pl.col("question_id") == "mine:1/icd10/icd10-12")
    assert last["question"].to_list() == ["ICD-10-Code zu: Mamma-Ca"]


def test_further_tasks_add_questions_and_change_none() -> None:
    row = {"entry_id": "mine:1", "kind": "text", "code": "C50.4", "topography": "C50.9", "text": "Ca", "text_key": "ca"}
    known = row | {"cluster": "1", "accepted": [], "flags": [], "morphology": "8500/3"}
    unknown = known | {"entry_id": "mine:2", "cluster": "2", "morphology": None}
    texts = pl.DataFrame([known, unknown], schema=columns_of("entries"))
    usual = build_text_questions(texts, "v1")
    assert set(usual["task"]) == {"icd10", "topography", "tumour"}
    for further in (["morphology"], ["tumour-icd10"], [key for key, task in TASKS.items() if task.asks_texts]):
        found = build_text_questions(texts, "v1", further)
        assert found.filter(pl.col("task").is_in(list(PROTOCOL))).equals(usual)
        assert set(found["task"]) == {*PROTOCOL, *further}
    added = found.filter(~pl.col("task").is_in(list(PROTOCOL)))
    assert added.select("task", "entry_id", "answer", "code").unique().sort("task", "entry_id").rows() == [
        ("morphology", "mine:1", "8500/3", "8500/3"),
        ("tumour-icd10", "mine:1", "Ja, C50.4", "C50.4"),
        ("tumour-icd10", "mine:2", "Ja, C50.4", "C50.4"),
    ]
    assert dict(added.group_by("task").len().rows()) == {"morphology": 10, "tumour-icd10": 2 * 4}


def test_a_text_without_topography_is_not_asked_for_it() -> None:
    row: dict[str, object] = {
        "kind": "text",
        "code": "C50.4",
        "topography": None,
        "text": "Ca",
        "text_key": "ca",
        "accepted": [],
    }
    rows = [row | {"entry_id": "mine:1", "cluster": "1"}, row | {"entry_id": "mine:2", "cluster": "2"}]
    none = build_text_questions(pl.DataFrame(rows, schema=columns_of("entries")), "v1")
    assert dict(none.group_by("task").len().rows()) == {"icd10": 24, "tumour": 12}
    rows[1]["topography"] = "C50.9"
    one = build_text_questions(pl.DataFrame(rows, schema=columns_of("entries")), "v1")
    assert dict(one.group_by("task").len().rows()) == {"icd10": 24, "topography": 10, "tumour": 12}
    assert set(one.filter(pl.col("task") == "topography")["entry_id"]) == {"mine:2"}
    assert one.filter(pl.col("task") != "topography").equals(none)
