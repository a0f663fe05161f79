"""Test texts in training. All texts are the project's own words."""

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from onkocode.catalogues.fetching.sources import find_local, read_sources
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.cli import main
from onkocode.questions import leakage
from onkocode.questions.leakage import (
    TRAINING,
    Texts,
    count_pairs,
    find_pairs,
    leaking,
    normal_forms,
    texts_of_entries,
    texts_of_questions,
)
from onkocode.records.ids import shuffled, text_key
from onkocode.records.schemas import columns_of, read_table, write_table

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = st.text(LETTERS + "äöüß -,.", max_size=25)


def question(
    entry: str, text: str, code: str | None, split: str = "train", task: str = "icd10", **more: object
) -> dict[str, object]:
    return {
        "question_id": f"{entry}/{task}/{task}-01",
        "entry_id": entry,
        "cluster": entry,
        "block": task,
        "formulation_id": f"{task}-01",
        "task": task,
        "question": f"Was ist {text}?",
        "text": text,
        "answer": code or "Ja",
        "code": code,
        "accepted": [],
        "split": split,
        "origin_id": entry,
    } | more


def questions(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=columns_of("questions"))


def training(*rows: dict[str, object]) -> Texts:
    return texts_of_questions(questions(*rows), TRAINING)


def entry(key: str, text: str, code: str = "C50.9", topography: str = "C50.9", **more: object) -> dict[str, object]:
    return {
        "entry_id": key,
        "dataset": "clinic",
        "version": "",
        "kind": "text",
        "code": code,
        "topography": topography,
        "accepted": [],
        "text": text,
        "text_key": text_key(text),
        "cluster": key,
        "flags": [],
    } | more


def entries(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=columns_of("entries"))


def clinic(*rows: dict[str, object]) -> Texts:
    return texts_of_entries(entries(*rows))


def plain(*texts: str) -> Texts:
    """Return texts without codes; the ids are their places."""
    frame = pl.DataFrame(
        {"id": [str(place) for place in range(len(texts))], "text": list(texts)}, schema_overrides=TYPES
    )
    return Texts(frame, pl.DataFrame(schema={"id": pl.String, "system": pl.String, "code": pl.String}))


TYPES = {"id": pl.String, "text": pl.String}


def kind_and_similarity(one: str, other: str, near: float = 50) -> tuple[str, float] | None:
    rows = find_pairs(plain(one), plain(other), near).select("kind", "similarity").rows()
    return rows[0] if rows else None


def agreement(test: dict[str, object], *labels: dict[str, object]) -> list[str]:
    return find_pairs(clinic(test), training(*labels), 90)["code_agreement"].to_list()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mammakarzinom", "MAMMAKARZINOM!"),
        ("Mammakarzinom", "Mamma-Karzinom"),
        ("Mammakarzinom", "Mamma Karzinom"),
        ("Mammakarzinom", "Mamma–Karzinom"),  # en dash
        ("Mammakarzinom", "Mamma\u00adkarzinom"),  # soft hyphen
        ("Krebs am Ösophagus", "krebs am oesophagus"),
        ("Krebs am Ösophagus", "KREBS AM OESOPHAGUS"),
        ("Sézary-Krankheit", "Sezary Krankheit"),
        ("Tumor, o.n.A.", "Tumor o. n. A."),
        ("Krebs der Niere links", "links Krebs der Niere"),
        ("Mamma-Karzinom, links", "links: Mammakarzinom"),
        ("Non-Hodgkin-Lymphom, hochgradig", "hochgradig Non Hodgkin Lymphom"),
    ],
)
def test_equal_after_normalisation(one: str, other: str) -> None:
    assert set(normal_forms(one)) & set(normal_forms(other))
    assert kind_and_similarity(one, other, 100) == ("normalised", 100.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Krebs am Ösophagus", "krebs  am O\u0308sophagus "), ("Große Geschwulst", "GROSSE GESCHWULST")],
)
def test_exact_is_the_same_text_key(one: str, other: str) -> None:
    assert kind_and_similarity(one, other) == ("exact", 100.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B-Zell-Lymphom", "T-Zell-Lymphom"),
        ("Lymphom Grad 1", "Lymphom Grad 2"),
        ("Karzinom der Lunge", "Carcinom der Lunge"),
        ("Tumor", "Tumore"),
    ],
)
def test_unequal_after_normalisation(one: str, other: str) -> None:
    assert not set(normal_forms(one)) & set(normal_forms(other))


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("Mammakarzinom", "Mammakarzinon", 100 * 12 / 13),
        ("Lipom", "Liopm", 80.0),
        ("Myosarkom", "Myxosarkom", 90.0),
        ("Karzinom des Colon ascendens", "Karzinom des Colon descendens", 100 * 24 / 26),
        ("Hautkrebs am Ohr links", "links Hautkrebs am Orh", 100 * 18 / 19),  # words turned, letters swapped
        (
            "Alter Krebs der Niere",
            "Slter Krebs der Niere",
            100 * 17 / 18,
        ),  # the first letter, by which words are sorted
        ("Übergangszellkrebs", "Uebergangszellkrebz", 100 * 18 / 19),
    ],
)
def test_similarity_worked_out_by_hand(one: str, other: str, similarity: float) -> None:
    found = kind_and_similarity(one, other, 80)
    assert found is not None
    assert found[0] == "near"
    assert found[1] == pytest.approx(similarity)


def test_the_threshold_is_inclusive() -> None:
    assert kind_and_similarity("Myosarkom", "Myxosarkom", 90) is not None
    assert kind_and_similarity("Myosarkom", "Myxosarkom", 90.1) is None
    assert kind_and_similarity("Sarkom", "Sarkon", 100 * 5 / 6) is not None  # which no floating-point number is
    assert kind_and_similarity("Lipom", "Liopm", 90) is None


def test_at_100_only_equal_texts_are_left() -> None:
    assert kind_and_similarity("Krebs der Niere", "Krebs, Niere: der", 100) == ("normalised", 100.0)
    assert kind_and_similarity("Krebs der Niere", "Krebs der Nieren", 100) is None


def test_texts_without_letters_equal_only_themselves() -> None:
    assert kind_and_similarity("???", "???") == ("exact", 100.0)
    assert kind_and_similarity("???", "---") is None
    assert kind_and_similarity("", "Krebs") is None


def test_pairs_of_each_kind() -> None:
    test = clinic(
        entry("clinic:1", "krebs  der NIERE", "C64"),
        entry("clinic:2", "Nieren-Krebs", "C64"),
        entry("clinic:3", "Krebs der Harnblaße", "C67.9"),
        entry("clinic:4", "Etwas ganz anderes", "C80.9"),
    )
    known = training(
        question("A1", "Krebs der Niere", "C64"),
        question("A2", "Nierenkrebs", "C64"),
        question("A3", "Krebs der Harnblase", "C67.8"),
    )
    assert find_pairs(test, known, 90).with_columns(pl.col("kind", "code_agreement").cast(pl.String)).rows() == [
        ("clinic:1", "A1", "exact", 100.0, "same"),
        ("clinic:2", "A2", "normalised", 100.0, "same"),
        ("clinic:3", "A3", "near", 100 * 17 / 18, "category"),
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([question("A", "Brustkrebs rechts", "C50.9")], "same"),
        ([question("A", "Brustkrebs rechts", "C50.4")], "category"),
        ([question("A", "Brustkrebs rechts", "C44.5")], "other"),
        ([question("A", "Brustkrebs rechts", "C44.5", accepted=["C50.9"])], "same"),
        ([question("A", "Brustkrebs rechts", "C34.1", task="topography")], "same"),
        (
            [question("A", "Brustkrebs rechts", "C50.9", task="topography")],
            "other",
        ),  # the ICD-10 code, but a topography
        ([question("A", "Brustkrebs rechts", "C34.1 8500/3", task="icdo")], "same"),
        ([question("A", "Brustkrebs rechts", "8500/3", task="morphology")], "unknown"),
        ([question("A", "Brustkrebs rechts", "5-870", task="ops")], "unknown"),
        ([question("A", "Brustkrebs rechts", None, task="tumour", answer="Nein")], "other"),
        ([question("A", "Brustkrebs rechts", None, task="tumour-icd10", answer="Nein")], "other"),
        (
            [
                question("A", "Brustkrebs rechts", None, task="tumour"),
                question("A", "Brustkrebs rechts", "C61", task="tumour-icd10", answer="Ja, C61"),
            ],
            "other",
        ),
    ],
)
def test_code_agreement(labels: list[dict[str, object]], expected: str) -> None:
    assert agreement(entry("clinic:1", "Brustkrebs rechts", "C50.9", "C34.1"), *labels) == [expected]


def test_further_codes_of_a_text_count() -> None:
    label = question("A", "Brustkrebs", "C50.4")
    assert agreement(entry("clinic:1", "Brustkrebs", "C44.5", accepted=["C50.4"]), label) == ["same"]


@pytest.mark.parametrize(
    ("task", "held_out", "trained", "expected"),
    [
        ("ops", "5-870", "5-870", "same"),
        ("ops", "5-870", "5-877", "category"),
        ("ops", "5-870", "5-891", "other"),
        ("morphology", "8140/3", "8140/2", "category"),
        ("morphology", "8140/3", "8141/3", "other"),
        ("topography", "C50.9", "C50.1", "category"),
        ("tumour", None, None, "same"),  # both no tumour
    ],
)
def test_codes_of_held_out_labels(task: str, held_out: str | None, trained: str | None, expected: str) -> None:
    test = questions(question("H", "Erdachte Bezeichnung", held_out, "heldout_label", task, answer=held_out or "Nein"))
    known = training(question("A", "Erdachte Bezeichnungen", trained, task=task, answer=trained or "Nein"))
    pairs = find_pairs(texts_of_questions(test, ["heldout_label"]), known, 90)
    assert pairs["code_agreement"].to_list() == [expected]


def test_only_what_is_trained_on_counts() -> None:
    test = clinic(
        *(entry(f"clinic:{place}", f"Geschwulst {word}") for place, word in enumerate(("eins", "zwei", "drei")))
    )
    known = training(
        question("A1", "Geschwulst eins", "C50.9", "heldout_formulation"),
        question("A2", "Geschwulst zwei", "C50.9", "heldout_label"),
        question("A3", "Geschwulst drei", "C50.9", "test"),
    )
    assert find_pairs(test, known, 90).select("test_id", "training_id").rows() == [("clinic:0", "A1")]


def test_augmented_rows_count_with_their_own_text_and_id() -> None:
    known = training(
        question("A1", "Bösartige Neubildung der Brust", "C50.9"),
        question("A1~1", "BN Brust re.", "C50.9", origin_id="A1"),
    )
    pairs = find_pairs(clinic(entry("clinic:1", "BN Brust, re")), known, 90)
    assert pairs.select("test_id", "training_id", pl.col("kind").cast(pl.String)).rows() == [
        ("clinic:1", "A1~1", "normalised")
    ]


def test_one_label_of_several_entries_gives_a_pair_with_each() -> None:
    known = training(question("A2", "Brustkrebs", "C50.1"), question("A1", "brustkrebs", "C44.5"))
    pairs = find_pairs(clinic(entry("clinic:1", "Brustkrebs", "C50.1")), known, 90)
    assert pairs.select("training_id", pl.col("code_agreement").cast(pl.String)).rows() == [
        ("A2", "same"),
        ("A1", "other"),
    ]


def test_several_texts_of_one_entry_give_the_strongest_pair() -> None:
    known = training(
        question("A1", "Krebs der Prostata", "C61"), question("A1", "Krebs der Prostatta", "C61", task="tumour-icd10")
    )
    pairs = find_pairs(clinic(entry("clinic:1", "Krebs der Prostata", "C61")), known, 90)
    assert pairs.select("training_id", pl.col("kind").cast(pl.String)).rows() == [("A1", "exact")]


def test_a_text_is_counted_once_under_its_strongest_pair() -> None:
    test = clinic(
        entry("clinic:1", "Krebs der Schilddrüse", "C73"),  # equals A1 (other code), is near A2 (same code)
        entry("clinic:2", "Krebs der Schilddrüsen", "C73"),  # near A1 and equal to A2
        entry("clinic:3", "Krebs der Schilddrüsse", "C73"),  # near both
        entry("clinic:4", "Ganz etwas anderes", "C73"),
    )
    known = training(question("A1", "Krebs der Schilddrüse", "C75.0"), question("A2", "Krebs, der Schilddrüsen", "C73"))
    pairs = find_pairs(test, known, 90)
    assert pairs.height == 6
    nothing = {"same": 0, "category": 0, "other": 0, "unknown": 0}
    counts = count_pairs(pairs, test.count)
    assert counts == {
        "texts": 4,
        "exact": 1,
        "normalised": 1,
        "near": 1,
        "code_agreement": {
            "exact": nothing | {"other": 1},
            "normalised": nothing | {"same": 1},
            "near": nothing | {"same": 1},
        },
    }
    assert [leaking(counts, refuse) for refuse in ("nothing", "exact", "near")] == [0, 2, 3]


def test_a_near_label_of_another_code_is_no_leakage() -> None:
    known = training(question("A1", "Krebs des aufsteigenden Dickdarms", "C18.2"))
    test = clinic(entry("clinic:1", "Krebs des absteigenden Dickdarms", "C18.6"))
    counts = count_pairs(find_pairs(test, known, 90), test.count)
    assert (counts["near"], counts["code_agreement"]["near"]["category"]) == (1, 1)
    assert leaking(counts, "near") == 0


def test_nothing_to_compare() -> None:
    none = texts_of_entries(entries())
    known = training(question("A1", "Brustkrebs", "C50.9"))
    for test, labels in ((none, known), (clinic(entry("clinic:1", "Brustkrebs")), training()), (none, training())):
        pairs = find_pairs(test, labels, 90)
        assert pairs.is_empty()
        assert pairs.columns == list(columns_of("leakage"))[1:]
    assert count_pairs(find_pairs(none, known, 90), none.count)["texts"] == 0


def many(count: int) -> list[str]:
    """Return texts of which some are equal and some are near."""
    return [f"Geschwulst am Ort {LETTERS[number % 20 : number % 20 + 4]} {number % 3}" for number in range(count)]


def test_the_order_of_rows_and_the_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    test = clinic(*(entry(f"clinic:{place}", text) for place, text in enumerate(many(23))))
    rows = [question(f"A{place}", text, "C50.9") for place, text in enumerate(many(31))]
    straight = find_pairs(test, training(*rows), 80)
    assert straight["kind"].n_unique() == 2
    monkeypatch.setattr(leakage, "CHUNK", 3)
    turned = Texts(test.texts.reverse(), test.codes.reverse())
    assert find_pairs(turned, training(*reversed(rows)), 80).equals(straight)


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6))
def test_turning_the_sides_round_gives_the_same_pairs(one: list[str], other: list[str]) -> None:
    names = ["test_id", "training_id", "kind", "similarity"]
    there = find_pairs(plain(*one), plain(*other), 70).select(names)
    back = find_pairs(plain(*other), plain(*one), 70).rename({"test_id": "training_id", "training_id": "test_id"})
    assert there.sort(names).equals(back.select(names).sort(names))


@given(st.text(max_size=60))
def test_identical_texts_are_always_exact(text: str) -> None:
    assert kind_and_similarity(text, text, 100) == ("exact", 100.0)


@given(st.text(LETTERS, min_size=30, max_size=30), st.integers(0, 28), st.sampled_from(LETTERS), st.integers(0, 3))
def test_one_typing_error_in_thirty_letters_is_near(text: str, place: int, letter: str, error: int) -> None:
    before, here, after = text[:place], text[place : place + 2], text[place + 2 :]
    wrong = before + (here[1], letter + here, letter + here[1], here[::-1])[error] + after
    found = kind_and_similarity(text, wrong, 90)
    assert found is not None
    assert found[1] >= 100 * 29 / 31


@given(st.text("abc", min_size=1, max_size=12), st.text("abc", min_size=1, max_size=12))
def test_the_ratio_that_chooses_candidates_misses_no_pair(one: str, other: str) -> None:
    similarity = 100 * OSA.normalized_similarity(one, other)
    assert kind_and_similarity(one, other, max(similarity, 50)) is not None or similarity < 50


# --- the verb

MARKER = "Geheimwort"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    rows = [
        question("A1", f"Krebs der Niere {MARKER}", "C64"),
        question("A2", f"Krebs der Blase {MARKER}", "C67.9"),
        question("H1", f"Krebs der Blasse {MARKER}", "C67.9", "heldout_label"),
        question("N1", f"Bruch der Rippe {MARKER}", None, "heldout_negative", "tumour", answer="Nein"),
    ]
    write_table(questions(*rows), "questions", tmp_path / "questions.parquet")
    rows_of_clinic = [
        entry("clinic:1", f"Krebs der Niere {MARKER}", "C64"),
        entry("clinic:2", f"{MARKER}, Krebs der Niere", "C64"),
        entry("clinic:3", f"Krebs der Nire {MARKER}", "C64"),
        entry("clinic:4", "Ohne Gegenstück", "C50.9"),
    ]
    write_table(entries(*rows_of_clinic), "entries", tmp_path / "clinic.parquet")
    near = [
        entry("registry:1", f"Krebs der Nieren {MARKER}", "C64"),
        entry("registry:2", f"Krebs der Blasn {MARKER}", "C79.1"),
    ]
    write_table(entries(*near), "entries", tmp_path / "registry.parquet")
    write_table(entries(), "entries", tmp_path / "empty.parquet")
    return tmp_path


def check(folder: Path, *sets: str, settings: str = "{}") -> int:
    texts = ["--texts", *(f"{key}={folder / f'{key}.parquet'}" for key in sets)] if sets else []
    return main(
        [
            "check-leakage",
            *("--questions", str(folder / "questions.parquet")),
            *texts,
            *("--settings", settings),
            *("--pairs", str(folder / "private/pairs.parquet")),
            *("--output", str(folder / "results/leakage.json")),
        ]
    )


def written(folder: Path) -> dict[str, dict[str, int]]:
    report = json.loads((folder / "results/leakage.json").read_text(encoding="utf-8"))
    return {
        key: {name: counts[name] for name in ("texts", "exact", "normalised", "near")}
        for key, counts in report["test_sets"].items()
    }


COUNTED = {
    "clinic": {"texts": 4, "exact": 1, "normalised": 1, "near": 1},
    "registry": {"texts": 2, "exact": 0, "normalised": 0, "near": 2},
    "empty": {"texts": 0, "exact": 0, "normalised": 0, "near": 0},
    "heldout_label": {"texts": 1, "exact": 0, "normalised": 0, "near": 1},
    "heldout_negative": {"texts": 1, "exact": 0, "normalised": 0, "near": 0},
}
SPLITS = ["heldout_label", "heldout_negative"]


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("sets", [[], ["clinic"], ["registry", "empty", "clinic"]])
def test_the_verb_counts_every_test_set(tables: Path, sets: list[str]) -> None:
    assert check(tables, *sets) == 0
    assert written(tables) == {key: COUNTED[key] for key in [*sets, *SPLITS]}
    assert list(written(tables)) == [*sets, *SPLITS]
    report = json.loads((tables / "results/leakage.json").read_text(encoding="utf-8"))
    assert report["settings"] == {"near": 90.0, "refuse": "nothing"}
    assert report["training"] == {"entries": 2, "texts": 2}


@pytest.mark.usefixtures("usual_umask")
def test_the_pairs_are_private_and_the_counts_are_not(tables: Path) -> None:
    assert check(tables, "clinic", "registry") == 0
    pairs = tables / "private/pairs.parquet"
    assert read_table(pairs, "leakage").rows() == [
        ("clinic", "clinic:1", "A1", "exact", 100.0, "same"),
        ("clinic", "clinic:2", "A1", "normalised", 100.0, "same"),
        ("clinic", "clinic:3", "A1", "near", pytest.approx(100 * 22 / 23), "same"),
        ("registry", "registry:1", "A1", "near", pytest.approx(100 * 23 / 24), "same"),
        ("registry", "registry:2", "A2", "near", pytest.approx(100 * 22 / 23), "other"),
        ("heldout_label", "H1", "A2", "near", pytest.approx(100 * 23 / 24), "same"),
    ]
    assert stat.S_IMODE(pairs.stat().st_mode) == 0o600
    assert stat.S_IMODE(pairs.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tables / "results/leakage.json").stat().st_mode) == 0o644


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("refuse", ["nothing", "near"])
def test_no_text_is_written_or_printed(tables: Path, refuse: str, capfd: pytest.CaptureFixture[str]) -> None:
    check(tables, "clinic", "registry", settings=json.dumps({"refuse": refuse}))
    out, err = capfd.readouterr()
    assert "comparing" in err
    files = [path for name in ("private", "results") for path in (tables / name).iterdir()]
    assert len(files) == 4  # both, and where they come from
    for word in (MARKER, MARKER.lower(), "Niere", "niere", "Blase", "blase"):
        assert word not in out + err
        assert not any(word.encode() in path.read_bytes() for path in files)
    assert read_table(tables / "private/pairs.parquet", "leakage").columns == list(columns_of("leakage"))
    public = (tables / "results/leakage.json").read_text(encoding="utf-8")
    assert "clinic:" not in public
    assert "registry:" not in public


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize(
    ("refuse", "sets", "status"),
    [
        ("nothing", ["clinic", "registry"], 0),
        ("exact", ["registry"], 0),
        ("exact", ["registry", "clinic"], 2),
        ("near", ["registry"], 2),
        ("near", ["empty"], 0),
        ("near", [], 0),  # held-out labels are only reported
    ],
)
def test_refusing(tables: Path, refuse: str, sets: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tables, *sets, settings=json.dumps({"refuse": refuse})) == status
    assert written(tables) == {key: COUNTED[key] for key in [*sets, *SPLITS]}
    assert read_table(tables / "private/pairs.parquet", "leakage")["test_set"].n_unique() >= 1
    err = capsys.readouterr().err
    assert ("onkocode check-leakage:" in err) == (status == 2)


@pytest.mark.usefixtures("usual_umask")
def test_the_refusal_says_how_many_where_and_what_to_do(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tables, "clinic", "registry", settings='{"refuse": "near"}') == 2
    message = capsys.readouterr().err.split("onkocode check-leakage: ")[1]
    assert message == (
        "test texts occur in training (leakage.refuse: near):\n"
        "  clinic: 3 of 4 texts (1 exact, 1 exact after normalisation, 1 near with the same code)\n"
        "  registry: 1 of 2 texts (0 exact, 0 exact after normalisation, 1 near with the same code)\n"
        f"{tables / 'private/pairs.parquet'} lists them by id. Remove these rows from the test set, train on a data "
        "key without these labels, or set leakage.refuse: nothing to have them counted only\n"
    )


@pytest.mark.usefixtures("usual_umask")
def test_another_threshold_finds_other_pairs(tables: Path) -> None:
    assert check(tables, "clinic", settings='{"near": 100}') == 0
    assert written(tables)["clinic"] == {"texts": 4, "exact": 1, "normalised": 1, "near": 0}


@pytest.mark.usefixtures("usual_umask")
def test_a_second_run_writes_the_same_bytes(tables: Path) -> None:
    names = ("private/pairs.parquet", "results/leakage.json")
    assert check(tables, "clinic", "registry") == 0
    first = [(tables / name).read_bytes() for name in names]
    assert check(tables, "clinic", "registry") == 0
    assert [(tables / name).read_bytes() for name in names] == first


@pytest.mark.usefixtures("usual_umask")
def test_provenance_stands_beside_both(tables: Path) -> None:
    assert check(tables, "clinic", "registry", settings='{"near": 80}') == 0
    for name in ("private/pairs.parquet", "results/leakage.json"):
        record = json.loads((tables / f"{name}.provenance.json").read_text(encoding="utf-8"))
        assert record["settings"] == {"near": 80.0, "refuse": "nothing"}
        assert list(record["inputs"]) == ["questions", "texts-clinic", "texts-registry"]
        assert all(len(read["sha256"]) == 64 for read in record["inputs"].values())


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize(
    ("sets", "settings", "words"),
    [
        (["clinic", "clinic"], "{}", "names clinic twice"),
        (["heldout_label"], "{}", "name of a split"),
        (["questions"], "{}", "expected entries"),
        (["clinic"], '{"near": 40}', "greater than or equal to 50"),
        (["clinic"], '{"refuse": "all"}', "refuse"),
        (["clinic"], '{"far": 1}', "far"),
    ],
)
def test_what_the_verb_does_not_take(
    tables: Path, sets: Sequence[str], settings: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tables, *sets, settings=settings) == 2
    assert words in capsys.readouterr().err
    assert not (tables / "results").exists()


@pytest.mark.usefixtures("usual_umask")
def test_a_table_without_training_proves_nothing(tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rows in ([], [question("clinic:1", f"Brustkrebs {MARKER}", "C50.9", "test")]):
        write_table(questions(*rows), "questions", tables / "questions.parquet")
        assert check(tables, "clinic") == 2
        err = capsys.readouterr().err
        assert "holds no question that is trained on" in err
        assert MARKER not in err


@pytest.mark.catalogues
def test_typing_errors_in_real_labels_are_found(root: Path, catalogues: Path) -> None:
    """Two letters swapped in each of 500 labels: every one of ten letters or more finds its own."""
    file = find_local(read_sources(root / "config/catalogues.tsv")["alphaid", "2024"], catalogues)
    assert file is not None
    frame, _ = parse_catalogue("alphaid", "2024", file)
    labels = frame.unique("text_key").sort("entry_id")["text"].to_list()
    chosen = shuffled(range(len(labels)), 0, "typing-errors", labels)[:500]
    wrong, places = [], []
    for number in chosen:
        text = labels[number]
        spots = [at for at in range(len(text) - 1) if text[at : at + 2].isascii() and text[at : at + 2].isalpha()]
        spots = [at for at in spots if text[at].casefold() != text[at + 1].casefold()]
        if len(normal_forms(text)[0]) >= 10 and spots:
            at = spots[len(spots) // 2]
            wrong.append(text[:at] + text[at + 1] + text[at] + text[at + 2 :])
            places.append(str(number))
    found = set(find_pairs(plain(*wrong), plain(*labels), 90).select("test_id", "training_id").rows())
    assert len(wrong) > 450
    assert {(str(at), place) for at, place in enumerate(places)} <= found
