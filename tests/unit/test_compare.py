import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.cli import main
from onkocode.datasets.comparison import (
    BLOCKS,
    COLUMNS,
    TIDY,
    Comparison,
    compare_datasets,
    comparison_table,
    comparison_text,
    own_questions,
    read_questions,
)
from onkocode.datasets.foreign import KINDS as FILE_KINDS
from onkocode.datasets.foreign import read_foreign
from onkocode.datasets.matching import Template, formulations, locate
from onkocode.questions.answers import KINDS, TITLES, with_kinds
from onkocode.questions.build import QuestionSet
from onkocode.records.errors import InputError
from onkocode.records.provenance import read_provenance
from onkocode.records.schemas import write_table

PAIRS = [("Welcher ICD-10-Code? Übles Karzinom", "C80.9"), ('Ist „Gicht; "akut"“ ein Tumor?\nJa oder Nein', "Nein")]
UNTOLD = "Geheimkarzinom"


# -- reading --


def rows(question: str, answer: str) -> list[dict[str, str]]:
    return [{question: one, answer: other} for one, other in PAIRS]


def conversations(role: str, content: str, user: str, assistant: str) -> list[list[dict[str, str]]]:
    turns = [[("system", "Sei kurz."), (user, one), (assistant, other)] for one, other in PAIRS]
    return [[{role: who, content: what} for who, what in conversation] for conversation in turns]


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_messages(path: Path) -> None:
    pl.DataFrame({"messages": conversations("role", "content", "user", "assistant")}).write_parquet(path)


def write_mapping_of_lists(path: Path) -> None:
    """Turns as old versions of `datasets` stored them."""
    pl.DataFrame({"conversations": [{"from": ["human", "gpt"], "value": list(pair)} for pair in PAIRS]}).write_parquet(
        path
    )


def write_prompts_of_turns(path: Path) -> None:
    prompts = [[{"role": "user", "content": one}] for one, _ in PAIRS]
    completions = [[{"role": "assistant", "content": other}] for _, other in PAIRS]
    pl.DataFrame({"prompt": prompts, "completion": completions}).write_parquet(path)


def write_alpaca(path: Path) -> None:
    split = [("Welcher ICD-10-Code? Übles Karzinom", ""), tuple(PAIRS[1][0].split("\n"))]
    write_json(path, [{"instruction": a, "input": b, "output": o} for (a, b), (_, o) in zip(split, PAIRS, strict=True)])


LAYOUTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "parquet": ("a.parquet", lambda path: pl.DataFrame(rows("question", "answer")).write_parquet(path)),
    "upper case": ("a.PARQUET", lambda path: pl.DataFrame(rows("Question", "ANSWER")).write_parquet(path)),
    "german": ("a.csv", lambda path: pl.DataFrame(rows("Frage", "Antwort")).write_csv(path, separator=";")),
    "tsv": ("a.tsv", lambda path: pl.DataFrame(rows("prompt", "response")).write_csv(path, separator="\t")),
    "byte order mark": (
        "a.csv",
        lambda path: pl.DataFrame(rows("question", "answer")).write_csv(path, include_bom=True),
    ),
    "windows": (
        "a.csv",
        lambda path: path.write_bytes(pl.DataFrame(rows("query", "answer")).write_csv().encode("cp1252")),
    ),
    "jsonl": ("a.jsonl", lambda path: pl.DataFrame(rows("prompt", "completion")).write_ndjson(path)),
    "array": ("a.json", lambda path: write_json(path, rows("input", "output"))),
    "data": ("a.json", lambda path: write_json(path, {"version": "1", "data": rows("question", "answer")})),
    "splits": (
        "a.json",
        lambda path: write_json(path, {split: [row] for split, row in enumerate(rows("question", "answer"))}),
    ),
    "columns": (
        "a.json",
        lambda path: write_json(path, {"question": [a for a, _ in PAIRS], "answer": [b for _, b in PAIRS]}),
    ),
    "alpaca": ("a.json", write_alpaca),
    "alpaca without input": (
        "a.json",
        lambda path: write_json(path, [row | {"input": None} for row in rows("instruction", "output")]),
    ),
    "jsonl with byte order mark": (
        "a.jsonl",
        lambda path: path.write_bytes(
            b"\xef\xbb\xbf" + "\n".join(map(json.dumps, rows("question", "answer"))).encode()
        ),
    ),
    "messages": ("a.parquet", write_messages),
    "sharegpt": (
        "a.json",
        lambda path: write_json(
            path, [{"conversations": turns} for turns in conversations("from", "value", "human", "gpt")]
        ),
    ),
    "mapping of lists": ("a.parquet", write_mapping_of_lists),
    "prompts of turns": ("a.parquet", write_prompts_of_turns),
    "arrow": ("a.arrow", lambda path: pl.DataFrame(rows("question", "answer")).write_ipc_stream(path)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_pairs(layout: str, tmp_path: Path) -> None:
    name, write = LAYOUTS[layout]
    write(tmp_path / name)
    found = read_foreign(tmp_path / name)
    assert found.pairs.rows() == PAIRS
    assert (found.without, found.files) == (0, ((name, 2),))


def test_named_columns_are_taken(tmp_path: Path) -> None:
    pl.DataFrame([{"q": a, "a": b, "question": "x", "answer": "y"} for a, b in PAIRS]).write_parquet(
        tmp_path / "a.parquet"
    )
    assert read_foreign(tmp_path / "a.parquet", "q", "a").pairs.rows() == PAIRS
    with pytest.raises(InputError, match=r"no column 'b' \(columns: q, a, question, answer\)"):
        read_foreign(tmp_path / "a.parquet", "q", "b")
    with pytest.raises(InputError, match="belong together; name both"):
        read_foreign(tmp_path / "a.parquet", "q")


def test_rows_without_a_pair_are_counted_and_left_out(tmp_path: Path) -> None:
    lonely: list[dict[str, Any]] = [{"role": "user", "content": "Und?"}]
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    # The question of one row and the answer of the next are no pair.
    pl.DataFrame({"messages": [lonely, chat[::-1], chat + chat]}).write_parquet(tmp_path / "a.parquet")
    found = read_foreign(tmp_path / "a.parquet")
    assert (found.pairs.rows(), found.without) == ([("a", "b"), ("a", "b")], 2)
    pl.DataFrame({"question": ["a", None, " "], "answer": ["b", "b", "b"]}).write_parquet(tmp_path / "b.parquet")
    assert read_foreign(tmp_path / "b.parquet").without == 2


def test_a_directory_gives_the_files_of_one_kind(tmp_path: Path) -> None:
    pair = pl.DataFrame(rows("question", "answer"))
    for name in ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet", ".cache/old.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pair.write_parquet(tmp_path / name)
    (tmp_path / "README.md").write_text("x")
    write_json(tmp_path / "dataset_info.json", {})
    pair.write_csv(tmp_path / "also.csv")
    found = read_foreign(tmp_path)
    assert found.files == (("data/train-00000-of-00002.parquet", 2), ("data/train-00001-of-00002.parquet", 2))
    assert found.pairs.rows() == PAIRS * 2


def test_records_of_datasets_are_no_data(tmp_path: Path) -> None:
    write_json(tmp_path / "train.json", rows("question", "answer"))
    write_json(tmp_path / "dataset_info.json", {"features": {}})
    write_json(tmp_path / "state.json", {"_fingerprint": "x"})
    assert read_foreign(tmp_path).files == (("train.json", 2),)


def test_names_with_wildcards_are_names(tmp_path: Path) -> None:
    pl.DataFrame(rows("question", "answer")).write_parquet(tmp_path / "a[1]*.parquet")
    assert read_foreign(tmp_path / "a[1]*.parquet").pairs.rows() == PAIRS


BAD: dict[str, tuple[str, bytes, str]] = {
    "no parquet": ("a.parquet", b"PAR1" + UNTOLD.encode(), "not a sound parquet file"),
    "large file storage": ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "cut json": ("a.json", b'[{"question": "%b"' % UNTOLD.encode(), r"not a sound json file \(line 1, column 3\d: "),
    "cut line": (
        "a.jsonl",
        b'{"question": "a", "answer": "b"}\n{"question": "%b", "ans\n' % UNTOLD.encode(),
        r"not a sound jsonl file \(line 2, column ",
    ),
    "latin json": ("a.json", b'[{"question": "\xfc%b", "answer": "b"}]' % UNTOLD.encode(), r"\(not UTF-8\)"),
    "empty json": ("a.json", b"[]", "no columns|no row"),
    "scalar": ("a.json", b"3", "not a sound json file|no columns"),
    "no header": ("a.csv", b"%b,C80.9\n" % UNTOLD.encode(), r"no columns .* in the first line \(is it a header\?\)"),
    "short row": ("a.csv", b"question,answer\n%b\n" % UNTOLD.encode(), r"a\.csv:2: 1 fields instead of 2"),
    "open quote": ("a.csv", b'question,answer\n"%b,b\n' % UNTOLD.encode(), r"a\.csv:\d: not a sound CSV line"),
    "no rows": ("a.csv", b"question,answer\n", "holds no row with a question and an answer"),
    "chat template": ("a.jsonl", b'{"text": "<|user|>%b"}\n' % UNTOLD.encode(), "written with a chat template"),
    "other columns": ("a.jsonl", b'{"x": "%b", "y": "b"}\n' % UNTOLD.encode(), r"recognised \(columns: x, y\); name"),
    "numbers of turns": ("a.jsonl", b'{"messages": [1, 2]}\n', r"recognised \(columns: messages\)"),
    "nested": ("a.jsonl", b'{"question": {"a": "%b"}, "answer": "b"}\n' % UNTOLD.encode(), "'question' holds no text"),
    "pickle": ("a.pkl", b"\x80\x04.", "unknown kind of file; it must be one of .parquet"),
    "script": ("a.py", b"print(1)", "unknown kind of file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_told_without_their_content(case: str, tmp_path: Path) -> None:
    name, content, message = BAD[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_foreign(tmp_path / name)
    assert str(tmp_path / name) in str(raised.value)
    assert UNTOLD not in str(raised.value)


def test_what_is_no_local_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be downloaded first"):
        read_foreign(Path("https://huggingface.co/datasets/x/y.parquet"))
    with pytest.raises(InputError, match=r"holds no data file \(\.parquet, "):
        read_foreign(tmp_path)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(FILE_KINDS)), content=st.binary(max_size=200))
def test_no_bytes_break_the_reader(kind: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("bytes") / f"a{kind}"
    file.write_bytes(content)
    with suppress(InputError):
        read_foreign(file)


# -- answers --


@pytest.mark.parametrize(
    ("answer", "kind", "key"),
    [
        ("C50.9", "icd10", "C50.9"),
        ("c509", "icd10", "C50.9"),
        ("D48.-", "icd10", "D48"),
        ("C50.9.", "icd10", "C50.9"),
        ("8500/3", "morphology", "8500/3"),
        ("M8500:3", "morphology", "8500/3"),
        ("5-870", "ops", "5-870"),
        ("5-870.-", "ops", "5-870"),
        ("ja", "yes-no", "Ja"),
        ("Nein.", "yes-no", "Nein"),
        ("Ja, C50.9", "yes-code", "C50.9"),
        ("Ja. Der ICD-10-Code lautet C509.", "yes-code", "C50.9"),
        ("C50.9 8500/3", "both-codes", "C50.9 8500/3"),
        ("8500/3, C50.9", "both-codes", "C50.9 8500/3"),
        ("Ja, es ist ein Tumor", "other", "Ja, es ist ein Tumor"),
        ("Der Code ist C50.9", "other", "Der Code ist C50.9"),
        ("5-87000", "other", "5-87000"),
    ],
)
def test_kinds_of_answers(answer: str, kind: str, key: str) -> None:
    told = with_kinds(pl.DataFrame({"question": ["ICD-10?"], "answer": [answer]}))
    assert told.select("kind", "key").row(0) == (kind, key)


def test_the_question_tells_topography_from_icd10() -> None:
    questions = [
        "ICD-10-Code von X?",
        "ICD-O-Topographie von X, nicht ICD-10?",
        "Code von X?",
        "Topographiecode von X?",
    ]
    told = with_kinds(pl.DataFrame({"question": questions, "answer": ["C50.9"] * 4}))
    assert told.select("kind", "unsure").rows() == [
        ("icd10", False),
        ("topography", False),
        ("icd10", True),
        ("topography", False),
    ]
    assert not with_kinds(pl.DataFrame({"question": ["Code?"], "answer": ["D12.6"]}))["unsure"].item()


def test_our_answers_have_the_kind_of_their_block(example_questions: QuestionSet) -> None:
    """The words of our own questions alone tell what they ask for."""
    blind = with_kinds(example_questions.questions)
    told = own_questions(example_questions.questions)
    assert blind["kind"].equals(told["kind"])
    assert set(told["kind"]) <= set(KINDS) == set(TITLES)


# -- labels in questions --


def located(questions: list[tuple[str, str]], known: list[tuple[str, str]]) -> dict[str, tuple[str, str, str]]:
    asked = pl.DataFrame(questions, schema={"question": pl.String, "key": pl.String}, orient="row")
    labels = pl.DataFrame(known, schema={"text": pl.String, "key": pl.String}, orient="row")
    return {row["question"]: (row["before"], row["label"], row["after"]) for row in locate(asked, labels).to_dicts()}


KNOWN = [
    ("Krebs", "C80.9"),
    ("Krebs der Niere", "C64"),
    ("Krebs am Ohr", "C44.2"),
    ("Tumor", "C80.9"),
    ("Ösophagus", "C15"),
]


def test_the_longest_known_label_with_the_answer_is_found_and_others_by_formulation() -> None:
    questions = [
        ("Code für „Krebs der Niere“, bitte", "C64"),
        ("Code für „Krebs am Ohr“, bitte", "C44.2"),
        ("Code für „Ösophagus“, bitte", "C15"),
        ("Code für „Krebs der Lunge“, bitte", "C34.9"),  # its label is not known
        ("Code für „Krebs am Zeh“, bitte", "C80.9"),  # a known label stands within it, with the same answer
        ("Ganz anders", "C64"),
    ]
    found = located(questions, KNOWN)
    assert {before + "|" + after for before, _, after in found.values()} == {"Code für „|“, bitte"}
    labels = {label for _, label, _ in found.values()}
    assert labels == {"Krebs der Niere", "Krebs am Ohr", "Ösophagus", "Krebs der Lunge", "Krebs am Zeh"}
    assert "Ganz anders" not in found


def test_labels_are_whole_words() -> None:
    known = [("Krebs", "C80.9"), ("Tumor", "C80.9")]
    assert located([("Was sind: Krebse", "C80.9"), ("Was sind: Tumore", "C80.9")], known) == {}
    assert len(located([("Was sind: Krebs", "C80.9"), ("Was sind: Tumor", "C80.9")], known)) == 2


def test_of_known_labels_within_one_another_the_longest_counts() -> None:
    known = [("Krebs der Niere", "C64"), ("Niere", "C64"), ("Krebs der Haut", "C44.9"), ("Haut", "C44.9")]
    found = located([("Code: Krebs der Niere", "C64"), ("Code: Krebs der Haut", "C44.9")], known)
    assert sorted(found.values()) == [("Code: ", "Krebs der Haut", ""), ("Code: ", "Krebs der Niere", "")]


def test_of_formulations_within_one_another_the_longest_counts() -> None:
    questions = [(f"Code: {more}{label}", key) for more in ("", "genau ") for label, key in KNOWN]
    found = located([*questions, ("Code: genau Unbekanntes", "C34.9")], KNOWN)
    assert found["Code: genau Unbekanntes"] == ("Code: genau ", "Unbekanntes", "")


def test_a_question_without_a_label_is_not_one_about_nothing() -> None:
    questions = [(f"Code; {label} ;bitte", key) for label, key in KNOWN]
    found = located([*questions, ("Code;  ;bitte", "C64"), ("Code; ;bitte", "C64")], KNOWN)
    assert len(found) == len(questions)


def test_labels_in_other_writing_are_found_by_text_key() -> None:
    questions = [("CODE:  krebs  DER niere", "C64"), ("CODE:  ösophagus", "C15")]
    assert {label for _, label, _ in located(questions, KNOWN).values()} == {"krebs der niere", "ösophagus"}


def test_nothing_known_gives_nothing() -> None:
    assert located([("Code: Krebs", "C80.9")], []) == {}
    assert located([], KNOWN) == {}


def test_a_formulation_recurs_with_labels_and_stands_in_no_more_frequent_one() -> None:
    words = [("a ", f"l{n}", "") for n in range(100)]
    words += [("a b ", f"m{n}", "") for n in range(4)]  # longer, and rare
    words += [("a c ", f"m{n}", "") for n in range(50)]  # longer, but frequent
    words += [("d ", "only", "")]
    split = pl.DataFrame(words, schema=["before", "label", "after"], orient="row")
    assert formulations(split) == [Template("a ", ""), Template("a c ", "")]


WORD = st.text("abcdeäöß ,?„“-", min_size=1, max_size=12).filter(lambda text: text.strip() == text)


@settings(max_examples=80, deadline=None)
@given(
    templates=st.lists(st.tuples(WORD, WORD), min_size=1, max_size=3, unique=True),
    labels=st.lists(st.from_regex(r"X[a-zäöü]{2,8} Y[a-z]{2,8}", fullmatch=True), min_size=3, max_size=8, unique=True),
)
def test_known_labels_are_found_whatever_stands_around_them(
    templates: list[tuple[str, str]], labels: list[str]
) -> None:
    questions = [(f"{before} {label} {after}", "C80.9") for before, after in templates for label in labels]
    found = located(questions, [(label, "C80.9") for label in labels])
    assert {question: label for question, (_, label, _) in found.items()} == {
        f"{before} {label} {after}": label for before, after in templates for label in labels
    }


# -- comparison --


def theirs_of(questions: pl.DataFrame, templates: dict[str, list[str]]) -> pl.DataFrame:
    """Return the same labels and answers in other words."""
    parts = []
    for block, words in templates.items():
        entries = questions.filter(pl.col("block") == block).select("text", "answer").unique()
        for before, after in (template.split("{}") for template in words):
            asked = pl.concat_str(pl.lit(before), "text", pl.lit(after))
            parts.append(entries.select(question=asked, answer="answer"))
    return pl.concat(parts)


OTHER_WORDS = {
    "icd10": ["Kodierung nach ICD-10: {}?", "Wie kodiert man {} nach ICD-10?", "Kode von {}"],
    "tumour": ["{} – ist das ein Tumor?"],
    "tumour-icd10": ["{}: Tumor? Wenn ja, Kode?"],
    "ops": ["OPS von {}?"],
    "ops-tumour": ["Ist {} ein Tumor oder eine Prozedur?"],
    "morphology": ["Morphologie von {}?"],
    "topography": ["Sitz als Kode: {}"],
}


@pytest.fixture(scope="module")
def ours(example_questions: QuestionSet) -> pl.DataFrame:
    """The questions that Table 1 counts."""
    return example_questions.questions.filter(pl.col("split") != "heldout_negative")


@pytest.fixture(scope="module")
def theirs(ours: pl.DataFrame) -> pl.DataFrame:
    return theirs_of(ours, OTHER_WORDS)


@pytest.fixture(scope="module")
def compared(theirs: pl.DataFrame, ours: pl.DataFrame) -> Comparison:
    return compare_datasets(theirs, ours)


def numbers(frame: pl.DataFrame) -> dict[str, tuple[Any, ...]]:
    return {str(first): tuple(rest) for first, *rest in frame.iter_rows()}


def test_a_data_set_beside_itself(ours: pl.DataFrame) -> None:
    same = compare_datasets(ours.select("question", "answer"), ours)
    for _, one, other, both in same.sizes.rows()[1:]:
        assert one == other == both
    for block, *counts in same.blocks.iter_rows():
        assert counts[:3] == counts[3:6], block
    assert [row[2:] for row in same.labels.rows()] == [(0, 0, 0)] * 7
    assert [row[2:] for row in same.codes.rows()] == [(0, 0)] * 4
    assert same.unread.is_empty()


def test_other_words_on_the_same_labels(compared: Comparison, ours: pl.DataFrame) -> None:
    assert numbers(compared.sizes)["distinct questions"][2] == 0
    entries = {block: values[2:6:3] for block, values in numbers(compared.blocks).items()}
    assert entries == {block: (values[5], values[5]) for block, values in numbers(compared.blocks).items()}
    formulations_found = {block: values[1] for block, values in numbers(compared.blocks).items()}
    assert formulations_found == {block: len(words) for block, words in OTHER_WORDS.items()}
    assert [row[2:] for row in compared.labels.rows()] == [(0, 0, 0)] * 7
    assert compared.blocks["block"].to_list() == list(BLOCKS[:7])


def test_what_only_one_side_has(theirs: pl.DataFrame, ours: pl.DataFrame) -> None:
    gone = ours.filter(pl.col("block") == "icd10")["text"].unique().sort()[0]
    less = theirs.filter(~pl.col("question").str.contains(gone, literal=True))
    news = [("Kodierung nach ICD-10: Karzinom des Drachenzahns?", "C03.7"), ("OPS von Drachenzahnung?", "5-249")]
    more = pl.concat([less, pl.DataFrame(news, schema=theirs.schema, orient="row"), theirs.head(1)])
    found = compare_datasets(more, ours)
    labels = numbers(found.labels)
    assert (labels["icd10"][1], labels["icd10"][3]) == (1, 0)
    assert labels["icd10"][2] >= 1
    assert labels["ops"][1] == 1
    assert numbers(found.codes)["icd10"][1] == 1
    told = set(found.examples.rows())
    assert ("label", "icd10", "only theirs", "Karzinom des Drachenzahns") in told
    assert ("label", "icd10", "only ours", gone) in told
    assert ("code", "icd10", "only theirs", "C03.7") in told
    assert ("formulation", "icd10", "theirs", "Kodierung nach ICD-10: {text}?") in told
    assert numbers(found.sizes)["rows"][0] == more.height
    assert numbers(found.sizes)["distinct pairs of question and answer"][0] == more.height - 1


def test_a_label_with_another_answer_is_told(theirs: pl.DataFrame, ours: pl.DataFrame) -> None:
    text, code = ours.filter(pl.col("block") == "icd10").select("text", "code").unique().sort("text").row(0)
    asked = pl.col("question").str.contains(f"^Kode von {text}$") & (pl.col("answer") == code)
    asked |= pl.col("question").is_in([f"Kodierung nach ICD-10: {text}?", f"Wie kodiert man {text} nach ICD-10?"])
    changed = theirs.with_columns(answer=pl.when(asked).then(pl.lit("C00.0")).otherwise("answer"))
    assert numbers(compare_datasets(changed, ours).labels)["icd10"][3] == 1


def test_one_wording_for_diagnoses_and_procedures(ours: pl.DataFrame) -> None:
    words = OTHER_WORDS | {"ops-tumour": OTHER_WORDS["tumour"]}
    found = compare_datasets(theirs_of(ours, words), ours)
    entries = {block: values[2] for block, values in numbers(found.blocks).items()}
    assert (entries["tumour"], entries["ops-tumour"]) == (392, 114)


def test_systems_that_no_word_names_are_told_by_their_labels(theirs: pl.DataFrame, ours: pl.DataFrame) -> None:
    known = own_questions(ours)
    kinds = dict(read_questions(theirs, known).group_by("formulation").agg(pl.col("kind").unique().sort()).rows())
    assert kinds["Kode von {text}"] == ["icd10"]
    assert kinds["Sitz als Kode: {text}"] == ["topography"]


def test_held_out_negatives_and_rewritten_labels_are_not_compared(
    compared: Comparison, theirs: pl.DataFrame, ours: pl.DataFrame
) -> None:
    rewritten = ours.head(5).with_columns(entry_id=pl.lit("x~1"), question=pl.lit("neu"))
    negative = ours.head(5).with_columns(question=pl.lit("neg"), split=pl.lit("heldout_negative"))
    again = compare_datasets(theirs, pl.concat([ours, rewritten, negative]).select(COLUMNS))
    assert again.sizes.equals(compared.sizes)
    assert again.blocks.equals(compared.blocks)


def test_answers_of_no_known_kind_are_counted(ours: pl.DataFrame) -> None:
    odd = pl.DataFrame({"question": ["Wie geht es?", "Tumor? Xyz"], "answer": ["gut", "Ja"]})
    found = compare_datasets(odd, ours)
    assert numbers(found.kinds)["other"] == (1, 0)
    assert found.unread.rows() == [("yes/no, block unknown", 1)]
    assert "Questions of theirs in which no label was found" in comparison_text(found)


def test_the_table_holds_all_sections(compared: Comparison) -> None:
    table = comparison_table(compared)
    assert tuple(table.columns) == TIDY
    assert set(table["section"]) == {"sizes", "kinds", "blocks", "labels", "codes", "formulation"}
    assert table.filter(pl.col("value").is_null()).is_empty()


def test_the_verb_prints_numbers_and_writes_examples(
    theirs: pl.DataFrame, ours: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(ours, "questions", tmp_path / "ours.parquet")
    extra = pl.DataFrame({"question": [f"OPS von {UNTOLD}?"], "answer": ["5-249"]})
    pl.concat([theirs, extra]).rename({"question": "q", "answer": "a"}).write_csv(tmp_path / "theirs.csv")
    verb = ["questions", "compare", str(tmp_path / "theirs.csv"), "--questions", str(tmp_path / "ours.parquet")]
    assert main(verb) == 2
    assert "name them with --question-column and --answer-column" in capsys.readouterr().err
    named = [*verb, "--question-column", "q", "--answer-column", "a"]
    assert main([*named, "--output", str(tmp_path / "compared.tsv")]) == 0
    shown = capsys.readouterr().out
    assert "27,200" in shown
    assert UNTOLD not in shown
    table = pl.read_csv(tmp_path / "compared.tsv", separator="\t", infer_schema=False)
    assert ("label", "ops", "only theirs", UNTOLD) in table.rows()
    assert set(read_provenance(tmp_path / "compared.tsv")["inputs"]) == {"file", "questions"}


@pytest.mark.parametrize("table", ["missing", "other", "texts", "empty"])
def test_only_tables_of_build_questions_are_compared(
    table: str, ours: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ours.parquet"
    if table == "other":
        pl.DataFrame({"a": [1]}).write_parquet(path)
    if table == "empty":
        write_table(ours.clear(), "questions", path)
    if table == "texts":
        write_table(ours.with_columns(split=pl.lit("test")), "questions", path)
    assert main(["questions", "compare", str(path), "--questions", str(path)]) == 2
    said = capsys.readouterr().err
    wanted = {
        "missing": "no such file",
        "other": "an unknown table",
        "texts": "stay private",
        "empty": "holds no questions",
    }
    assert wanted[table] in said
