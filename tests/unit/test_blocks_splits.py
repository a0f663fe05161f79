from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onkocode.config.data import Data
from onkocode.questions.blocks import (
    CatalogueTables,
    combine_versions,
    core_blocks,
    links,
    sample_hash,
    select_entries,
    topography_from_alphaid,
)
from onkocode.questions.splits import heldout_formulations, heldout_labels
from onkocode.records.ids import text_key
from onkocode.records.schemas import columns_of
from tests.conftest import Tables, sources_of


def options(**changes: Any) -> Data:
    versions = dict.fromkeys(("alphaid", "icd10gm", "icdo3", "ops"), "example")
    return Data.model_validate(versions | changes)


def entries(kind: str, *rows: tuple[str, str | None, str], flags: tuple[str, ...] = ()) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"entry_id": key, "kind": kind, "code": code, "text": text, "text_key": text_key(text), "flags": flags}
            | {"accepted": [], "cluster": key, "dataset": "x", "version": "1", "topography": None}
            for key, code, text in rows
        ],
        schema=columns_of("entries"),
    )


ALPHAID = pl.concat(
    [
        entries(
            "diagnosis",
            ("a1", "C50.9", "Brustkrebs"),
            ("a2", "C50.9", "brustkrebs"),
            ("a3", "C78.0", "Lungenmetastase"),
            ("a4", "D24", "Fibroadenom"),
            ("a5", "E11.9", "Diabetes"),
            ("a6", "I10", "Hypertonie"),
            ("a7", "J18.9", "Pneumonie"),
            ("a8", "K35", "Appendizitis"),
            ("a9", "L40", "Psoriasis"),
            ("a10", None, "Nur Zusatz"),
        ),
        entries("diagnosis", ("a11", "C61", "Ungültig"), flags=("invalid",)),
    ]
)
ICDO3 = pl.concat(
    [entries("topography", ("t1", "C50.9", "Mamma")), entries("morphology", ("m1", "8500/3", "Duktales Karzinom"))]
)
OPS = entries("procedure", ("o1", "5-87", "Eingriffe"), ("o2", "5-870", "Exzision"), ("o3", "5-870.a", "Mit Draht"))
TUMOURS = pl.DataFrame(
    [{"code": code, "tumour": code < "D49"} for code in ("C50.9", "C78.0", "D24", "C61", "E11.9", "I10", "J18.9")],
    schema=columns_of("codes"),
)


def built(alphaid: pl.DataFrame = ALPHAID, **changes: Any) -> dict[str, pl.DataFrame]:
    chosen = options(**changes)
    return core_blocks(select_entries(CatalogueTables([alphaid], [ICDO3], [OPS], TUMOURS), chosen), chosen)


def blocks(**changes: Any) -> dict[str, pl.DataFrame]:
    return built(**changes)


def pairs(frame: pl.DataFrame) -> list[tuple[str, str, str | None]]:
    return frame.select("entry_id", "answer", "expected").rows()


def test_blocks_by_hand() -> None:
    found = blocks()
    assert list(found) == ["icd10", "tumour", "tumour-icd10", "ops", "ops-tumour", "morphology", "topography"]
    assert pairs(found["icd10"]) == [
        ("a1", "C50.9", "C50.9"),
        ("a2", "C50.9", "C50.9"),
        ("a3", "C78.0", "C78.0"),
        ("a4", "D24", "D24"),
    ]
    assert pairs(found["tumour"])[:4] == [(key, "Ja", None) for key in ("a1", "a2", "a3", "a4")]
    assert pairs(found["tumour-icd10"])[:4] == [
        ("a1", "Ja, C50.9", "C50.9"),
        ("a2", "Ja, C50.9", "C50.9"),
        ("a3", "Ja, C78.0", "C78.0"),
        ("a4", "Ja, D24", "D24"),
    ]
    assert pairs(found["ops"]) == [("o1", "5-87", "5-87"), ("o2", "5-870", "5-870")]
    assert pairs(found["ops-tumour"]) == [("o1", "Nein", None), ("o2", "Nein", None)]
    assert pairs(found["morphology"]) == [("m1", "8500/3", "8500/3")]
    assert pairs(found["topography"]) == [("t1", "C50.9", "C50.9")]


def test_as_many_negatives_as_tumours_and_the_same_in_both_blocks() -> None:
    found = blocks()
    negatives = found["tumour"].filter(pl.col("answer") == "Nein")
    assert negatives.height == 4
    assert set(negatives["entry_id"]) < {"a5", "a6", "a7", "a8", "a9"}
    both = found["tumour-icd10"].filter(pl.col("answer") == "Nein")
    assert both["entry_id"].to_list() == negatives["entry_id"].to_list()
    assert both["expected"].to_list() == [None] * 4
    assert sample_hash(both.reverse()) == sample_hash(negatives)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, 2), (1.0, 4), (1.25, 5), (9.0, 5)])
def test_share_of_negatives(share: float, count: int) -> None:
    assert blocks(negatives_per_tumour=share)["tumour"].filter(pl.col("answer") == "Nein").height == count


def test_more_negatives_hold_the_fewer_ones() -> None:
    fewer, more = (set(blocks(negatives_per_tumour=share)["tumour"]["entry_id"]) for share in (0.5, 1.0))
    assert fewer < more


def test_options_leave_entries_out() -> None:
    assert blocks(secondary_tumours=False)["icd10"]["entry_id"].to_list() == ["a1", "a2", "a4"]
    assert blocks(duplicates=False)["icd10"]["entry_id"].to_list() == ["a1", "a3", "a4"]
    assert blocks(sample={"codes": 1})["icd10"]["code"].n_unique() == 1
    assert blocks(ops_classes=[3])["ops"]["entry_id"].to_list() == ["o1"]
    assert blocks(ops_classes=[4])["ops"]["entry_id"].to_list() == ["o2"]
    assert blocks(yes_with_code="Ja ({code})")["tumour-icd10"]["answer"][3] == "Ja (D24)"


def test_of_duplicates_the_first_id_stays_whatever_the_order_of_rows() -> None:
    found = built(ALPHAID.reverse(), duplicates=False)
    assert sorted(found["icd10"]["entry_id"]) == ["a1", "a3", "a4"]


def test_answers_of_operations_are_classes_of_up_to_four_characters(example: Tables, quickstart: Any) -> None:
    selection = select_entries(sources_of(example), quickstart.data["example"])
    found = core_blocks(selection, quickstart.data["example"])["ops"]
    assert found.filter(~pl.col("answer").str.contains(r"^\d-[0-9a-z]{2,3}$")).height == 0
    assert found.filter(pl.col("answer") != pl.col("code")).height == 0
    assert set(found["answer"].str.len_chars()) == {4, 5}  # with the hyphen


# -- several versions --


def test_a_further_version_adds_only_labels_that_are_new() -> None:
    older = entries(
        "diagnosis",
        ("b1", "C61", "BRUSTKREBS"),  # recoded since: the leading version's code stands
        ("b2", "C61", "Prostatakrebs"),
        ("b3", "C99.9", "Krebs mit altem Code"),  # its code is gone
        ("b4", "C61", "prostatakrebs"),  # a duplicate within the version, like those of the leading one
    )
    oldest = entries("diagnosis", ("c1", "C61", "Prostatakrebs"), ("c2", "D24", "Drüsentumor"))
    kept = combine_versions(iter([ALPHAID, older, oldest]), pl.col("code").is_in(TUMOURS["code"].implode()))
    assert kept["entry_id"].to_list() == [*ALPHAID["entry_id"], "b2", "b4", "c2"]


def test_without_a_label_space_further_codes_are_those_of_the_leading_version() -> None:
    further = entries("procedure", ("p1", "5-87", "Eingriffe, anders benannt"), ("p2", "5-99", "Neue Klasse"))
    assert combine_versions([OPS, further])["entry_id"].to_list() == ["o1", "o2", "o3", "p1"]


def test_topography_and_morphology_may_share_a_label() -> None:
    further = entries("morphology", ("n1", "8500/3", "Mamma"), ("n2", "8500/3", "Duktales Karzinom"))
    assert combine_versions([ICDO3, further], per=("kind",))["entry_id"].to_list() == ["t1", "m1", "n1"]


def test_versions_are_read_one_at_a_time() -> None:
    alive: list[int] = []

    def versions() -> Iterator[pl.DataFrame]:
        for number in range(3):
            frame = ALPHAID.with_columns(text_key=pl.col("text_key") + str(number))
            alive.append(number)
            yield frame

    source = versions()
    combine_versions(source)
    assert alive == [0, 1, 2]


# -- specificity --


def test_held_out_negatives_are_none_of_the_trained_labels() -> None:
    extra = entries("diagnosis", ("x1", "E11.9", "brustkrebs"), ("x2", "I10", "hypertonie"), ("x3", "I10", "Gicht"))
    alphaid = pl.concat([ALPHAID, extra])
    selection = select_entries(CatalogueTables([alphaid], [ICDO3], [OPS], TUMOURS), options(heldout_negatives=9))
    trained = {*selection.positive["text_key"], *selection.negative["text_key"]}
    assert selection.heldout_negative.height > 0
    assert trained & set(selection.heldout_negative["text_key"]) == set()
    assert "x1" not in selection.heldout_negative["entry_id"].to_list()
    assert selection.heldout_negative["text_key"].is_duplicated().sum() == 0


def test_held_out_negatives_leave_the_sample_as_it_is() -> None:
    with_them = select_entries(CatalogueTables([ALPHAID], [ICDO3], [OPS], TUMOURS), options(heldout_negatives=1))
    without = select_entries(CatalogueTables([ALPHAID], [ICDO3], [OPS], TUMOURS), options())
    assert with_them.negative.equals(without.negative)
    assert (with_them.heldout_negative.height, without.heldout_negative.height) == (1, 0)


# -- beyond the paper --


def test_labels_whose_code_has_one_topography() -> None:
    topographies = pl.DataFrame(
        {"icd10": ["C50.9", "D24", "D24", "C50.9"], "topography": ["C50.9", "C50.1", "C50.2", "C50.9"]}
    )
    found = topography_from_alphaid(
        select_entries(CatalogueTables([ALPHAID], [ICDO3], [OPS], TUMOURS), options()).positive, topographies
    )
    assert pairs(found) == [("a1", "C50.9", "C50.9"), ("a2", "C50.9", "C50.9")]


PLACES = entries("topography", ("t1", "C50.9", "Mamma"), ("t2", "C50.9", "Brustdrüse"), ("t3", "C61.9", "Prostata"))
KINDS = entries("morphology", *[(f"m{n}", f"85{n:02}/3", f"Karzinom {n}") for n in range(20)])
ALLOWED = pl.DataFrame(
    [("C50.9", f"85{n:02}/3", "C50.9") for n in range(10)] + [("C61.9", "8500/3", "C61"), ("C99.9", "8500/3", "C99")],
    schema=["topography", "morphology", "icd10"],
    orient="row",
)


def test_links_ask_for_allowed_pairs_only() -> None:
    found = links(ALLOWED, PLACES, KINDS, set(), options(links=3))
    assert found.height == 3 + 1
    allowed = {f"{place} {kind}" for place, kind, _ in ALLOWED.iter_rows()}
    labels = dict(KINDS.select("code", "text").iter_rows())
    for answer, text in found.select("answer", "text").iter_rows():
        place, kind = answer.split()
        assert answer in allowed
        assert text in {f"{labels[kind]}, Lokalisation: {label}" for label in ("Mamma", "Brustdrüse", "Prostata")}
        assert ("Prostata" in text) == (place == "C61.9")


def test_links_do_not_speak_in_held_out_labels() -> None:
    out = {text_key(label) for label in ("Mamma", "Prostata", "Karzinom 3")}
    found = links(ALLOWED, PLACES, KINDS, out, options(links=20))
    assert {text.split(": ")[1] for text in found["text"]} == {"Brustdrüse"}
    assert found.height == 9


def test_more_links_hold_the_fewer_ones() -> None:
    fewer, more = (set(links(ALLOWED, PLACES, KINDS, set(), options(links=n))["entry_id"]) for n in (2, 5))
    assert fewer < more


# -- splits --

Labels = dict[str, list[tuple[str, str | None]]]
CODES_OF_BLOCK: dict[str, list[str | None]] = {
    "icd10": ["C1", "C2", "C3"],
    "tumour": [None],
    "topography": ["C1", "C9"],
}
LABELS = st.fixed_dictionaries(
    {
        block: st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(codes)), max_size=12)
        for block, codes in CODES_OF_BLOCK.items()
    }
)


def frames(labels: Labels) -> dict[str, pl.DataFrame]:
    schema = {"text_key": pl.String, "expected": pl.String}
    return {name: pl.DataFrame(rows, schema=schema, orient="row") for name, rows in labels.items()}


def test_no_share_holds_nothing_out() -> None:
    assert heldout_labels(frames({"icd10": [("a", "C1"), ("b", "C1")]}), 0.0, 1) == set()


def test_a_codes_only_label_stays_in_training() -> None:
    labels: Labels = {"icd10": [("a", "C1"), ("b", "C2"), ("c", "C2")], "tumour": [("a", None), ("z", None)]}
    assert heldout_labels(frames(labels), 0.99, 1) in ({"z", "b"}, {"z", "c"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LABELS, st.sampled_from([0.1, 0.3, 0.6, 0.9]), st.integers(0, 5))
def test_held_out_labels_keep_their_promises(labels: Labels, share: float, seed: int) -> None:
    chosen = heldout_labels(frames(labels), share, seed)
    keys = {key for rows in labels.values() for key, _ in rows}
    assert chosen <= keys
    assert len(chosen) <= round(share * len(keys))
    remaining = defaultdict(set)
    for block, rows in labels.items():
        for key, code in rows:
            if key not in chosen and code is not None:
                remaining[block].add(code)
    every = {block: {code for _, code in rows if code is not None} for block, rows in labels.items()}
    assert {block: remaining[block] for block in every} == every
    assert chosen == heldout_labels(frames({name: rows[::-1] for name, rows in labels.items()}), share, seed)


def test_at_least_half_of_the_formulations_stay_in() -> None:
    ids = [f"ops-{number}" for number in range(10)]
    assert len(heldout_formulations(ids, 2, 1)) == 2
    assert heldout_formulations(ids, 2, 1) > heldout_formulations(ids, 1, 1)
    assert heldout_formulations(ids, 0, 1) == set()
    assert len(heldout_formulations(ids[:3], 2, 1)) == 1
