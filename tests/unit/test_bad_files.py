"""A corpus of broken catalogue files. Each must end in one message that names the file, the line, and what to do."""

import gzip
import io
import re
import zipfile
from pathlib import Path

import pytest

from onkocode.catalogues.formats.crosswalk import parse_crosswalk
from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.catalogues.formats.transitions import parse_transitions
from onkocode.records.errors import InputError

ALPHA = "1|I1|C50.9|||||Karzinom der Brust\n0|I2|C50.9|||||Älterer Eintrag\n1|I3|A17.0+|G01*||||Entzündung\n"
KODES = "".join(
    f"{level};{terminal};X;02;C50;{code}-;{code};{code.replace('.', '')};{title};{title};;;V;V" + ";9" * 14 + "\n"
    for level, terminal, code, title in ((3, "N", "C50", "Brustdrüse"), (4, "T", "C50.9", "Brust, o.n.A."))
)
OPS = "".join(
    f"{level};T;X;5;5-87;{code}-;{code};{code};{title};{title};;;;N;N\n"
    for level, code, title in ((3, "5-87", "Eingriffe"), (4, "5-870", "Größere Exzision"))
)
CLASSES = "1;1-40;1-40;Probe ohne Schnitt\n1;1-40;1-42;Probe am Mund\n"
MOVES = "A00.0;A00.0;A;A\nB18.8;B18.80;;A\nUNDEF;U69.75;;\n"
RULES = (
    "Version\tTopographie\tTopographie Text\tMorphologiecodes\tDignität\tDefault\tICD10\tICD-10 Text\n"
    "Test 2019\tC50\\.9\tMamma\t8000-8719, 8800\t/3\t1\tC50.9\tNeubildung\n"
)


def claml(body: str, before: str = "", root: str = "ClaML") -> str:
    title = '<Title name="ICD-O-3" version="2024">Test</Title>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{before}<{root} version="2.0.0">\n{title}\n{body}</{root}>\n'


def klass(code: str, label: str = "<Label>Text</Label>") -> str:
    return f'<Class code="{code}" kind="category"><Rubric kind="preferred">{label}</Rubric></Class>\n'


BOTH_AXES = klass("C50") + klass("C50.9") + klass("8140:3")
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))
LAUGHS = f"<!DOCTYPE ClaML [{LAUGHS}]>\n"
XXE = '<!DOCTYPE ClaML [<!ENTITY file SYSTEM "file:///etc/passwd">]>\n'


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("kodes.txt", text)
    return buffer.getvalue()


HTML = "<!DOCTYPE html>\n<html><head><title>Zustimmung</title></head></html>\n"
MIXED = ALPHA.encode() + "1|I9|C50.9|||||Überfällig\n".encode("cp1252")

# name, dataset, content, what the message must say
BAD: list[tuple[str, str, bytes | str, str]] = [
    # -- not a text file, or not whole --
    ("empty", "alphaid", "", "is empty; fetch"),
    ("blank", "ops", " \r\n\t\n", "is empty; fetch"),
    ("bom only", "icd10gm", b"\xef\xbb\xbf", "is empty; fetch"),
    ("html", "alphaid", HTML, "is an HTML page.*download"),
    ("html for claml", "icdo3", HTML, "is an HTML page.*download"),
    ("html for icd claml", "icd10gm", "\n \n" + HTML, "is an HTML page.*download"),
    ("html after bom", "crosswalk", "\ufeff" + HTML, "is an HTML page.*download"),
    ("zip", "alphaid", zipped(ALPHA), "is a ZIP archive or an Excel workbook.*unpack"),
    ("zip for claml", "icdo3", zipped("<ClaML/>"), "is a ZIP archive or an Excel workbook.*unpack"),
    ("xlsx", "crosswalk", b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "is a ZIP archive or an Excel workbook"),
    ("gzip", "icd10gm", gzip.compress(KODES.encode(), mtime=0), "is a gzip archive.*unpack"),
    ("pdf", "ops", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF document.*save it as text"),
    ("old excel", "transitions", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel or Word document"),
    ("zero bytes", "alphaid", ALPHA.replace("Karzinom", "Karz\0nom"), ":1: holds zero bytes.*convert"),
    ("random bytes", "ops", bytes(range(1, 256)) * 4, "not UTF-8"),
    ("cut within a text", "alphaid", ALPHA[:-4], ":3: the last line has no line end.*cut off; fetch"),
    ("cut within a row", "icd10gm", KODES[:-20], ":2: the last line has no line end.*cut off; fetch"),
    ("cut within a letter", "alphaid", ALPHA.encode().split(b"\x84")[0], ":2: not UTF-8|:2: the last"),
    ("cut flag", "transitions", MOVES + "B19.0;B19.0;A;", ":4: the last line has no line end"),
    ("cut title", "ops", CLASSES[:-3], ":2: the last line has no line end"),
    ("cut rule", "crosswalk", RULES[:-3], ":2: the last line has no line end"),
    # -- encodings and line ends --
    ("utf-16", "alphaid", ALPHA.encode("utf-16"), "UTF-16.*convert the file, for example with `iconv"),
    ("utf-16 without bom", "icd10gm", KODES.encode("utf-16-le"), "UTF-16.*convert the file"),
    ("utf-16 claml", "icdo3", claml(BOTH_AXES).encode("utf-16"), "UTF-16.*convert the file"),
    ("mixed encodings", "alphaid", MIXED, ":4: not UTF-8 .byte 0xdc., but line 2 is.*mixes encodings; fetch"),
    ("mixed after bom", "alphaid", b"\xef\xbb\xbf" + MIXED, ":4: not UTF-8 .*begins as UTF-8; fetch"),
    ("encoded twice", "alphaid", ALPHA.encode().decode("cp1252").encode(), ":2: the letters were encoded twice"),
    ("encoded twice by latin-1", "ops", OPS.encode().decode("latin-1").encode(), ":2: the letters were encoded twice"),
    ("encoded twice in claml", "icdo3", claml(klass("C50", "<Label>MÃ¤</Label>")), ":4: .* encoded twice"),
    ("dos umlauts", "icd10gm", KODES.encode("cp850"), ":1: not UTF-8 .*nor Windows-1252.*convert"),
    ("dos umlauts without ü", "alphaid", b"1|I1|C50.9|||||M\x84nnlich\n", ":1: not UTF-8 .*nor Windows-1252.*convert"),
    ("mac umlauts", "alphaid", b"1|I1|C50.9|||||M\x8annlich\n", ":1: not UTF-8 .*nor Windows-1252.*convert"),
    ("lost letters", "alphaid", ALPHA.replace("Ä", "\ufffd"), ":2: holds U.FFFD.*fetch"),
    ("claml not in its encoding", "icdo3", claml(klass("C50", "<Label>Mä</Label>")).encode("latin-1"), ":4: not UTF-8"),
    ("carriage returns only", "alphaid", ALPHA.replace("\n", "\r"), ":1: a carriage return.*convert the line ends"),
    ("doubled carriage returns", "transitions", MOVES.replace("\n", "\r\r\n"), ":1: a carriage return.*convert"),
    # -- the wrong file --
    ("icd for alphaid", "alphaid", KODES, "is an ICD-10-GM file .kodes., not Alpha-ID; give the Alpha-ID file"),
    ("alphaid for icd", "icd10gm", ALPHA, "is an Alpha-ID file .8 fields., not ICD-10-GM; give the"),
    ("ops for icd", "icd10gm", OPS, "is an OPS file .kodes., not ICD-10-GM; give"),
    ("icd for ops", "ops", KODES, "is an ICD-10-GM file .kodes., not OPS; give"),
    ("moves for icd", "icd10gm", MOVES, "is an ICD-10-GM transition file .4 fields., not ICD-10-GM; give"),
    ("rules for icdo3", "icdo3", RULES, "is an ICD-O-3 to ICD-10 crosswalk file .tab-separated., not ICD-O-3; give"),
    ("icdo3 claml for icd", "icd10gm", claml(BOTH_AXES), "is an ICD-O-3 file .ClaML., not ICD-10-GM; give"),
    ("icdo3 claml for alphaid", "alphaid", claml(BOTH_AXES), "is an ICD-O-3 file .ClaML., not Alpha-ID; give"),
    ("kodes for moves", "transitions", KODES, "is an ICD-10-GM file .kodes., not ICD-10-GM transition; give"),
    ("moves for rules", "crosswalk", MOVES, "is an ICD-10-GM transition file.*, not ICD-O-3 to ICD-10 crosswalk; give"),
    ("groups for classes", "ops", "1;1-20;1-33;Organe\n", ":1: the group's first class is missing.*give the kodes"),
    ("unknown dataset", "snomed", ALPHA, "unknown dataset 'snomed' .known: alphaid, icd10gm, .*, registries.; give"),
    # -- fields --
    ("wrong separator", "alphaid", ALPHA.replace("|", ";"), "layout .8 or 7 or 6 fields.*check.*\n  line 1: 1 fields"),
    ("tabs", "icd10gm", KODES.replace(";", "\t"), "layout .28 or 30 fields.*check.*\n  line 1: 1 fields"),
    ("one field less", "alphaid", ALPHA + "1|I4|C50.9||||Text\n" + ALPHA, "\n  line 4: 7 fields"),
    ("one field more", "icd10gm", KODES + KODES.replace("\n", ";\n"), "\n  line 3: 29 fields\n  line 4: 29 fields"),
    ("blank line within", "ops", OPS + "\n" + OPS, "\n  line 3: 1 fields"),
    ("blank line at the end", "alphaid", ALPHA + "\n", "\n  line 4: 1 fields"),
    ("header in a headless file", "alphaid", "g|ID|p1|s|z|p2|o|t\n" + ALPHA, "line 1: first field must be 0 or 1"),
    ("header before kodes", "icd10gm", ";".join("abcdefghijklmnopqrstuvwxyzäö") + "\n" + KODES, "line 1: second field"),
    ("semicolon in a title", "ops", CLASSES.replace("ohne", "mit; ohne"), "layout .9 to 30 fields.*\n  line 1"),
    # -- codes and texts --
    ("same id twice", "alphaid", ALPHA + ALPHA.split("0|")[0], "line 4: Alpha-ID 'I1' stands in line 1 already"),
    ("same code twice", "icd10gm", KODES + KODES, "line 3: code 'C50' stands in line 1.*\n  line 4: code "),
    ("same class twice", "ops", CLASSES + CLASSES, "line 3: code '1-40' stands in line 1 already"),
    ("letter O for zero", "alphaid", ALPHA.replace("C50.9", "C5O.9", 1), "line 1: 'C5O.9' is not an ICD-10-GM code"),
    ("code without point", "icd10gm", KODES.replace(";C50.9;", ";C509;"), "line 2: 'C509' is not an ICD-10-GM code"),
    ("comma for point", "alphaid", ALPHA.replace("C50.9", "C50,9", 1), "line 1: 'C50,9' is not an ICD-10-GM code"),
    ("lower-case code", "alphaid", ALPHA.replace("C50.9", "c50.9", 1), "line 1: 'c50.9' is not an ICD-10-GM code"),
    ("upper-case ops code", "ops", OPS + OPS.replace("5-87", "5-8A"), "line 3: '5-8A' is not an OPS code"),
    ("space around a code", "icd10gm", KODES.replace("-;C50;", "-; C50;"), "line 1: ' C50' is not"),
    ("full-width digits", "alphaid", ALPHA.replace("C50.9", "C５０.9", 1), "line 1: 'C５０.9' is not"),
    ("empty text", "alphaid", ALPHA.replace("Entzündung", ""), "line 3: the text is empty"),
    ("text of spaces", "alphaid", ALPHA.replace("Entzündung", " \u00a0\u2003"), "line 3: the text is empty"),
    ("empty title", "icd10gm", KODES.replace("Brustdrüse", ""), "line 1: code 'C50' has no title"),
    ("empty id", "alphaid", ALPHA.replace("I1", ""), "line 1: the Alpha-ID is empty"),
    ("yes for terminal", "ops", OPS.replace("T;", "J;", 1), "line 1: second field must be T .terminal. or N, is 'J'"),
    # -- transitions --
    ("unknown flag", "transitions", MOVES + "A01.0;A01.0;A;X\n", "line 4: fourth field must be A or empty, is 'X'"),
    ("three fields", "transitions", MOVES.replace(";A\n", "\n"), "\n  line 1: 3 fields\n  line 2: 3 fields"),
    ("six fields of ops", "transitions", "1-100;N;1-100;N;A;A\n", "transition layout .4 fields.*\n  line 1: 6 fields"),
    ("no code on either side", "transitions", MOVES + "UNDEF;UNDEF;;\n", "line 4: no code on either side"),
    ("pair twice", "transitions", MOVES + "A00.0;A00.0;;\n", "line 4: 'A00.0' → 'A00.0' stands in line 1 already"),
    ("two automatic ways", "transitions", MOVES + "A00.0;A00.1;A;\n", "line 1: 'A00.0' goes over to several codes"),
    ("empty for none", "transitions", MOVES + ";U70.0;;\n", "line 4: '' is neither an ICD-10-GM code nor UNDEF"),
    # -- crosswalk --
    ("missing column", "crosswalk", RULES.replace("Default", "D"), ":1: .*check.*\n  column 'Default' is miss"),
    ("no rules", "crosswalk", RULES.split("\n")[0] + "\n", "has a header but no rows; fetch"),
    ("broken pattern", "crosswalk", RULES.replace("\\.9\t", "\\.(9\t"), "line 2: topography .* is not a pattern"),
    ("slow pattern", "crosswalk", RULES.replace("C50\\.9\tM", "(\\d*)*C\tM"), "line 2: topography .* is not a pattern"),
    ("open range", "crosswalk", RULES.replace("8000-8719", "8000-"), "line 2: morphologies '8000-, 8800' are not numb"),
    ("unknown behaviour", "crosswalk", RULES.replace("/3", "/5"), "line 2: behaviour '/5' is none of /0, /1"),
    ("behaviour without slash", "crosswalk", RULES.replace("/3", "3"), "line 2: behaviour '3' is none of"),
    ("no result", "crosswalk", RULES.replace("\tC50.9\t", "\t\t"), "line 2: '' is not an ICD-10 code"),
    ("open quote", "crosswalk", RULES + 'x\t"y\n', ":3: not a sound CSV line.*mend the quotes"),
    # -- ClaML --
    ("no xml", "icdo3", "C50;Brust\n", "line 1: not whole, well-formed XML.*fetch"),
    ("cut xml", "icdo3", claml(BOTH_AXES)[:-40], "line 6: not whole, well-formed XML.*fetch"),
    ("other root", "icdo3", claml(BOTH_AXES, root="ClaMLx"), "is <ClaMLx>, not a ClaML file; check"),
    ("laughing entities", "icdo3", claml(klass("C50", "<Label>&l9;</Label>"), LAUGHS), "entities.*[Ff]etch"),
    ("external entity", "icdo3", claml(klass("C50", "<Label>&file;</Label>"), XXE), "entities.*[Ff]etch"),
    ("no classes", "icdo3", claml(""), "no (morphology )?classes"),
    ("one axis", "icdo3", claml(klass("C50")), "no morphology classes"),
    ("class twice", "icdo3", claml(BOTH_AXES + klass("8140:3")), "class 8140.3 stands 2 times"),
    ("class without text", "icdo3", claml(BOTH_AXES + klass("C51", "<Label> </Label>")), "class C51: .*without text"),
]  # fmt: skip
INSTRUCTION = re.compile(r"\b(fetch|check|convert|download|unpack|give|mend|save|rename|remove)\b", re.IGNORECASE)
NO_LINE = re.compile(  # messages about the whole file
    r"is empty|HTML page|archive|document|, not (Alpha|ICD|OPS)|no rows|unknown dataset|not a ClaML|entities|class"
)


def parse(dataset: str, path: Path) -> None:
    if dataset == "transitions":
        parse_transitions(path)
    elif dataset == "crosswalk":
        parse_crosswalk(path)
    else:
        parse_catalogue(dataset, "2024", path)


@pytest.mark.parametrize(("name", "dataset", "content", "message"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_file_ends_in_one_clear_message(
    tmp_path: Path, name: str, dataset: str, content: bytes | str, message: str
) -> None:
    path = tmp_path / "bad file.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        parse(dataset, path)
    said = str(caught.value)
    assert re.search(message, said)
    assert said.startswith(str(path)) or name == "unknown dataset"
    assert INSTRUCTION.search(said)
    assert re.search(r"(:|line )\d+: ", said) or NO_LINE.search(said)
    assert len(said) < 1_500
    assert not re.search(r"Traceback|Error\b|Exception|<class|polars|Unicode(De|En)code|0x[0-9a-f]{6}", said)
    assert not re.search("Karzinom|Exzision|Brustdrüse|Probe|Entzünd", said)  # no label, since it may be someone's text


@pytest.mark.parametrize(
    ("dataset", "content"),
    [("alphaid", ALPHA), ("icd10gm", KODES), ("ops", OPS), ("ops", CLASSES), ("icdo3", claml(BOTH_AXES)),
     ("transitions", MOVES), ("crosswalk", RULES)],
)  # fmt: skip
def test_the_files_that_were_broken_are_sound(tmp_path: Path, dataset: str, content: str) -> None:
    path = tmp_path / "sound.txt"
    path.write_text(content, encoding="utf-8")
    parse(dataset, path)


def test_names_are_unique() -> None:
    assert len({row[0] for row in BAD}) == len(BAD) > 40
