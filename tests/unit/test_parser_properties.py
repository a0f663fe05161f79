"""What holds for any catalogue file: how it is written changes nothing, and no bytes do worse than InputError."""

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onkocode.catalogues.formats.crosswalk import parse_crosswalk
from onkocode.catalogues.formats.detect import detect
from onkocode.catalogues.formats.parse import DATASETS, parse_catalogue
from onkocode.catalogues.formats.transitions import parse_transitions
from onkocode.records.errors import InputError
from onkocode.records.schemas import columns_of, empty_table

SOME = settings(max_examples=50, deadline=None)
Row = tuple[str, ...]
Parser = Callable[[Path], pl.DataFrame]

words = st.text("abcxyzABCXYZäöüÄÖÜßéèçñ0159.,()[]'\"-;", min_size=1, max_size=12)
phrases = st.lists(words | st.sampled_from(["„Fuß“", "–", "3", "µm", "…"]), min_size=1, max_size=4).map(" ".join)
texts = st.tuples(st.sampled_from(["{}", " {}", "{}  "]), phrases).map(lambda pair: pair[0].format(pair[1]))
titles = texts.map(lambda text: text.replace(";", ","))
icd10 = st.from_regex(r"[A-Z][0-9]{2}(\.[0-9]{1,2})?", fullmatch=True)
ops = st.from_regex(r"[1-9]-[0-9a-z]{2}([0-9a-z](\.[0-9a-z]{1,2})?)?", fullmatch=True)
codes_or_none = st.just("") | icd10
alpha_ids = st.integers(1, 10**6).map(lambda number: f"I{number}")
flags = st.sampled_from(["A", ""])
morphologies = st.integers(8000, 9999).map(str)
ranges = st.tuples(morphologies, morphologies).map(lambda pair: "-".join(sorted(pair)))
patterns = st.from_regex(r"C[0-9]{2}\\\.([0-9]|\\d|\[[0-4]-[5-9]\])", fullmatch=True)

alphaid_rows = st.tuples(
    st.sampled_from("01"),
    alpha_ids,
    codes_or_none.flatmap(lambda code: st.sampled_from([code, f"{code}+"]) if code else st.just("")),
    codes_or_none.map(lambda code: f"{code}*" if code else ""),
    codes_or_none.map(lambda code: f"{code}!" if code else ""),
    codes_or_none,
    st.just("") | st.integers(1, 999_999).map(str),
    texts,
)
kodes_rows = st.tuples(
    st.sampled_from("345"), st.sampled_from("TN"), st.sampled_from("XS"), st.just("02"), st.just("C50")
)
transition_rows = st.tuples(icd10 | st.just("UNDEF"), icd10, flags, flags)
rules = st.tuples(
    st.just("Test 2019"),
    patterns,
    titles.map(lambda text: text.replace('"', "")),
    st.lists(morphologies | ranges, min_size=1, max_size=4).map(", ".join),
    st.sampled_from(["/0", "/1", "/2", "/3", "/6", "/9"]),
    st.sampled_from("01"),
    icd10 | st.just("C*"),
    titles.map(lambda text: text.replace('"', "")),
)
RULE_HEADER = "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tICD-10 Text"


def kodes(code: st.SearchStrategy[str], width: int) -> st.SearchStrategy[list[Row]]:
    rest = ("",) * (width - 9)
    row = st.tuples(kodes_rows, code, titles).map(
        lambda p: (*p[0], f"{p[1]}-", p[1], p[1].replace(".", ""), p[2], *rest)
    )
    return st.lists(row, min_size=1, max_size=8, unique_by=lambda row: row[6])


def written(rows: Sequence[Row], separator: str, header: str = "") -> str:
    return "".join(f"{line}\n" for line in ([header] if header else []) + [separator.join(row) for row in rows])


def ways(text: str) -> list[bytes]:
    """Return the text in every encoding, line end and composition that official files have been seen in."""
    first, _, rest = text.partition("\n")
    mixed = f"{first}\r\n{rest}"
    decomposed = unicodedata.normalize("NFD", text)
    turned = [text, text.replace("\n", "\r\n"), mixed]
    encoded = [form.encode(encoding) for form in turned for encoding in ("utf-8", "utf-8-sig", "cp1252")]
    return [*encoded, decomposed.encode(), decomposed.encode("utf-8-sig")]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file.txt"


def frames(path: Path, text: str, parse: Parser, data: st.DataObject) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what is parsed from two of the ways."""
    one, other = data.draw(st.tuples(*[st.sampled_from(ways(text))] * 2))
    path.write_bytes(one)
    first = parse(path)
    path.write_bytes(other)
    return first, parse(path)


def alphaid(path: Path) -> pl.DataFrame:
    return parse_catalogue("alphaid", "2024", path)[0]


def icd10gm(path: Path) -> pl.DataFrame:
    return parse_catalogue("icd10gm", "2024", path)[1]


def ops_codes(path: Path) -> pl.DataFrame:
    return parse_catalogue("ops", "2024", path)[1]


@SOME
@given(data=st.data(), width=st.sampled_from([6, 7, 8]))
def test_alphaid_round_trip(path: Path, data: st.DataObject, width: int) -> None:
    rows = data.draw(st.lists(alphaid_rows, min_size=1, max_size=8, unique_by=lambda row: row[1]))
    fields = {8: range(8), 7: (0, 1, 2, 3, 4, 5, 7), 6: (0, 1, 2, 3, 4, 7)}[width]
    text = written([tuple(row[field] for field in fields) for row in rows], "|")
    first, other = frames(path, text, alphaid, data)
    assert other.equals(first)
    assert first["text"].to_list() == [row[7].strip() for row in rows]
    assert first["code"].to_list() == [row[2].removesuffix("+") or None for row in rows]
    assert first["entry_id"].to_list() == [f"alphaid-2024:{row[1]}" for row in rows]
    found = first["flags"].to_list()
    assert ["invalid" in flags for flags in found] == [row[0] == "0" for row in rows]
    assert ["dagger" in flags for flags in found] == [row[2].endswith("+") for row in rows]
    assert ["additional-only" in flags for flags in found] == [not row[2] and row[4] != "" for row in rows]
    assert ["second-primary" in flags for flags in found] == [width > 6 and row[5] != "" for row in rows]
    assert ["orpha" in flags for flags in found] == [width == 8 and row[6] != "" for row in rows]


@SOME
@given(data=st.data(), width=st.sampled_from([28, 30]))
def test_icd10gm_round_trip(path: Path, data: st.DataObject, width: int) -> None:
    rows = data.draw(kodes(icd10, width))
    first, other = frames(path, written(rows, ";"), icd10gm, data)
    assert other.equals(first)
    expected = [(row[6], row[8].strip(), row[1] == "T") for row in rows]
    assert first.select("code", "title", "terminal").rows() == expected


@SOME
@given(data=st.data(), width=st.integers(9, 18))
def test_ops_round_trip(path: Path, data: st.DataObject, width: int) -> None:
    rows = data.draw(kodes(ops, width))
    first, other = frames(path, written(rows, ";"), ops_codes, data)
    assert other.equals(first)
    assert first.select("code", "title").rows() == [(row[6], row[8].strip()) for row in rows]


@SOME
@given(data=st.data())
def test_transitions_round_trip(path: Path, data: st.DataObject) -> None:
    sides = (lambda row: row[0], lambda row: row[1])
    rows = data.draw(st.lists(transition_rows, min_size=1, max_size=8, unique_by=sides))
    first, other = frames(path, written(rows, ";"), parse_transitions, data)
    assert other.equals(first)
    expected = [(None if old == "UNDEF" else old, new, go == "A", back == "A") for old, new, go, back in rows]
    assert first.rows() == expected


@SOME
@given(data=st.data(), rows=st.lists(rules, min_size=1, max_size=5))
def test_crosswalk_round_trip(path: Path, data: st.DataObject, rows: list[Row]) -> None:
    first, other = frames(path, written(rows, "\t", RULE_HEADER), parse_crosswalk, data)
    assert other.equals(first)
    expected = [
        (number, row[1], int(span[:4]), int(span[-4:]), row[4][1], row[5] == "1", row[6], row[7].strip())
        for number, row in enumerate(rows, 1)
        for span in row[3].split(", ")
    ]
    assert first.select(empty_table("crosswalk").columns).rows() == expected


@SOME
@given(data=st.data())
def test_the_order_of_rows_does_not_matter(path: Path, data: st.DataObject) -> None:
    alpha = data.draw(st.lists(alphaid_rows, min_size=2, max_size=8, unique_by=lambda row: row[1]))
    codes = data.draw(kodes(icd10, 28))
    for rows, separator, parse, key in ((alpha, "|", alphaid, "entry_id"), (codes, ";", icd10gm, "code")):
        turned = data.draw(st.permutations(rows))
        path.write_text(written(rows, separator), encoding="utf-8")
        plain = parse(path)
        path.write_text(written(turned, separator), encoding="utf-8")
        assert parse(path).sort(key).equals(plain.sort(key))


SEEDS = [
    b"1|I1|C50.9|||||Text\n0|I2|A17.0+|G01*||||\xc3\x84\n",
    b'Alpha-ID;Label;ICD-10-Code;Tumordiagnose\nI1;"T;";C50.9;1\n',
    b"4;T;X;02;C50;C50.9;C50.9;C509;Brust" + b";9" * 19 + b"\n",
    b"4;T;X;5;5-87;5-87-;5-870;5870;Exzision\n",
    b"5;5-87;5-87;Eingriffe\n",
    b"code;label\n5-87;Eingriffe\n",
    b"A00.0;A00.0;A;A\nUNDEF;A00.1;;\n",
    f"{RULE_HEADER}\nT\tC50\\.9\tM\t8000-8719, 8800\t/3\t1\tC50.9\tN\n".encode(),
    b'<?xml version="1.0"?>\n<ClaML><Title name="ICD-O-3"/><Class code="C50"><Rubric kind="preferred"><Label>T</Label>'
    b'</Rubric></Class><Class code="8140:3"><SuperClass code="814"/></Class></ClaML>\n',
    b'<ClaML><Title name="ICD-10-GM"/><Class code="A00" kind="category"><Rubric kind="preferred"><Label>T</Label>'
    b"</Rubric></Class></ClaML>",
    b'<ClaML><Class code="5-87" kind="category"><ModifiedBy code="x"/></Class></ClaML>',
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a sound file with some bytes cut out, put in or exchanged."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(
            st.binary(max_size=3) | st.sampled_from([b"\n", b"\r", b";", b"|", b"\t", b'"', b"<", b">", b"&x;"])
        )
        data = data[:start] + piece * draw(st.integers(1, 3)) + data[end:]
    return data


@settings(max_examples=300, deadline=None)
@pytest.mark.parametrize("dataset", [*DATASETS, "transitions", "crosswalk"])
@given(data=st.binary(max_size=200) | damaged())
def test_no_bytes_do_worse_than_an_input_error(path: Path, dataset: str, data: bytes) -> None:
    path.write_bytes(data)
    detect(data, "file.txt")
    try:
        if dataset in DATASETS:
            tables = zip(("entries", "codes"), parse_catalogue(dataset, "2024", path), strict=True)
        elif dataset == "transitions":
            assert dict(parse_transitions(path).schema) == columns_of("transitions")
            return
        else:
            tables = zip((dataset,), (parse_crosswalk(path),), strict=True)
    except InputError:
        return
    for table, frame in tables:
        assert frame.select(empty_table(table).columns).schema == empty_table(table).schema


@given(st.binary(max_size=300) | damaged(), st.text(max_size=30))
def test_detecting_never_fails(data: bytes, name: str) -> None:
    found = detect(data, name)
    assert found is None or found.version is None or found.version.isdecimal()
