"""What a catalogue file is, told by its content; its name only helps with the version."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onkocode.catalogues.codes import ICD10, OPS
from onkocode.records.errors import InputError

HEAD = 200_000  # bytes that are looked at
SAMPLE = 200  # lines that are looked at; half of them must have the layout, so that a bad one hides nothing

Dataset = Literal["alphaid", "icd10gm", "icdo3", "ops", "transitions", "crosswalk"]
NAMES: dict[str, str] = {
    "alphaid": "Alpha-ID",
    "icd10gm": "ICD-10-GM",
    "icdo3": "ICD-O-3",
    "ops": "OPS",
    "transitions": "ICD-10-GM transition",
    "crosswalk": "ICD-O-3 to ICD-10 crosswalk",
}


@dataclass(frozen=True)
class Detected:
    """A kind of catalogue file, its version (None = it does not show), and its layout in a few words."""

    dataset: Dataset
    version: str | None
    layout: str


SIDE = rf"(UNDEF|{ICD10.pattern})"
HEADERS: tuple[tuple[str, Dataset, str], ...] = (
    (r"Alpha-ID;Label;ICD-10-Code;Tumordiagnose", "alphaid", "list with header"),
    (r"(?=.*\bTopographie\b)(?=.*\bMorphologiecodes\b).*\t.*", "crosswalk", "tab-separated"),
    (r"code;label", "ops", "code;label"),
)
ROWS: tuple[tuple[str, Dataset, str], ...] = (
    *((rf"[01]\|I[A-Z]?\d+(\|[^|]*){{{n - 2}}}", "alphaid", f"{n} fields") for n in (6, 7, 8)),
    (rf"\d;[TN];([^;]*;){{4}}{ICD10.pattern};.*", "icd10gm", "kodes"),
    (rf"\d;[TN];([^;]*;){{4}}{OPS.pattern};.*", "ops", "kodes"),
    (rf"\d;{OPS.pattern};{OPS.pattern};[^;]*", "ops", "dreisteller"),
    (rf"{SIDE};{SIDE};A?;A?", "transitions", "4 fields"),
)
CLAML_NAMES: tuple[tuple[str, Dataset], ...] = (("ICD-?O", "icdo3"), ("ICD-?10-?GM", "icd10gm"), ("OPS", "ops"))
CLAML_CLASSES: tuple[tuple[str, Dataset], ...] = (
    (r"\d{4}:\d", "icdo3"),
    (OPS.pattern, "ops"),
    (r"[A-Z]\d\d", "icd10gm"),
)
ATTRIBUTES = "[^>]{0,1000}?"  # limited, so that no file takes long
YEAR = r"(?<!\d)((?:19|20)\d\d)(?!\d)"
# The first year after the system's name; digits of the name itself (icd102020_, icdo32019) are none of the year.
YEAR_IN_NAME = re.compile(
    r"(?:icd-?10(?:-?gm)?|icd-?o-?3(?:rev-?\d)?|ops|alphaid(?:-?se)?)(?:\D(?:.*?\D)??)?((?:19|20)\d\d)(?!\d)"
)


def detect(data: bytes, name: str = "") -> Detected | None:
    """Tell what a catalogue file is; None where it is none, or one that no parser reads.

    Args:
        data: the file, or at least its first 200 kB.
        name: its name, asked only for the year, and only where the content does not say it.
    """
    head = data[:HEAD].removeprefix(b"\xef\xbb\xbf").decode("latin-1")  # all that counts here is ASCII
    if head.lstrip().startswith("<"):
        return _detect_claml(head, name)
    lines = [line.removesuffix("\r") for line in head.split("\n")]
    if len(data) > HEAD or not lines[-1]:
        lines = lines[:-1]
    for pattern, dataset, layout in HEADERS:
        if lines and re.fullmatch(pattern, lines[0]) and _has_codes(dataset, lines):
            year = re.search(YEAR, lines[1].split("\t")[0]) if dataset == "crosswalk" and lines[1:] else None
            return Detected(dataset, year.group(1) if year else year_in_name(name), layout)
    sample = lines[:SAMPLE]
    for pattern, dataset, layout in ROWS:
        if 2 * sum(bool(re.fullmatch(pattern, line)) for line in sample) > len(sample):
            if layout == "dreisteller" and _are_groups(lines):
                return None
            return Detected(dataset, year_in_name(name), layout)
    return None


def refuse_another(dataset: str, path: Path) -> None:
    """Raise InputError where a file's content is that of another dataset; a missing file is left to the parser."""
    try:
        with path.open("rb") as stream:
            found = detect(stream.read(HEAD + 1), path.name)
    except OSError:
        return
    if found is not None and found.dataset != dataset:
        raise InputError(
            f"{path}: is an {NAMES[found.dataset]} file ({found.layout}), not {NAMES[dataset]}; give the "
            f"{NAMES[dataset]} file, or name this one as {found.dataset}"
        )


def year_in_name(name: str) -> str | None:
    """Return the year that a file name gives to its catalogue; None where it has none."""
    name = Path(name).name.lower()
    found = YEAR_IN_NAME.search(name) or re.search(YEAR, name)
    return found.group(1) if found else None


def _detect_claml(head: str, name: str) -> Detected | None:
    before, *comments = head.split("<!--")
    head = before + "".join(part.partition("-->")[2] for part in comments)
    root = re.search(r"<([A-Za-z_][\w.:-]*)", head)
    if root is None or root.group(1) != "ClaML":
        return None
    title = re.search(rf"<Title\b({ATTRIBUTES})>", head)
    attributes = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']*)["']""", title.group(1))) if title else {}
    if attributes.get("name"):
        told = [which for pattern, which in CLAML_NAMES if re.match(pattern, attributes["name"], re.IGNORECASE)]
    else:
        classes = re.findall(rf"""<Class\b{ATTRIBUTES}\bcode\s*=\s*["']([^"']*)["']""", head)
        told = [which for pattern, which in CLAML_CLASSES if any(re.fullmatch(pattern, code) for code in classes)]
    if not told:
        return None
    # Not Title/@date: that is the day of publication, mostly in the year before.
    long_title = re.search(rf"""name=["']titleLong["']{ATTRIBUTES}value=["']([^"']*)["']""", head)
    year = re.search(YEAR, f"{attributes.get('version', '')} {long_title.group(1) if long_title else ''}")
    return Detected(told[0], year.group(1) if year else year_in_name(name), "ClaML")


def _has_codes(dataset: Dataset, lines: list[str]) -> bool:
    """Tell whether the rows of a list hold codes of the dataset: the header `code;label` says nothing of it."""
    return dataset != "ops" or any(re.match(f"{OPS.pattern};", line) for line in lines[1:SAMPLE])


def _are_groups(lines: list[str]) -> bool:
    """Tell `gruppen` of OPS (chapter;first class;last class;title) from `dreisteller`, which holds each first class."""
    rows = [line.split(";") for line in lines if line.count(";") == 3]
    return not {row[1] for row in rows} <= {row[2] for row in rows}
