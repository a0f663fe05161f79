"""What a catalogue file is, told by its content; its name only helps with the version."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from onkocode.catalogues.formats.claml_head import YEAR, ClamlHead, read_head, revision_in
from onkocode.catalogues.formats.names import version_in_name
from onkocode.catalogues.vocabulary.codes import ICD10, OPS
from onkocode.records.errors import InputError

HEAD = 200_000  # bytes that are looked at
SAMPLE = 200  # lines that are looked at; half of them must have the layout, so that a bad one hides nothing

Dataset = Literal["alphaid", "icd10gm", "icdo3", "ops", "transitions", "crosswalk", "registries"]
NAMES: dict[str, str] = {
    "alphaid": "Alpha-ID",
    "icd10gm": "ICD-10-GM",
    "icdo3": "ICD-O-3",
    "ops": "OPS",
    "transitions": "ICD-10-GM transition",
    "crosswalk": "ICD-O-3 to ICD-10 crosswalk",
    "registries": "registries' morphology",
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
    (r"code;dignit..?t;name;histologie;group", "registries", "list with header"),
)
ROWS: tuple[tuple[str, Dataset, str], ...] = (
    *((rf"[01]\|I[A-Z]?\d+(\|[^|]*){{{n - 2}}}", "alphaid", f"{n} fields") for n in (6, 7, 8)),
    (rf"\d;[TN];([^;]*;){{4}}{ICD10.pattern};.*", "icd10gm", "kodes"),
    (rf"\d;[TN];([^;]*;){{4}}{OPS.pattern};.*", "ops", "kodes"),
    (rf"\d;{OPS.pattern};{OPS.pattern};[^;]*", "ops", "dreisteller"),
    (rf"{SIDE};{SIDE};A?;A?", "transitions", "4 fields"),
)


def detect(data: bytes, name: str = "") -> Detected | None:
    """Tell what a catalogue file is; None where it is none, or one that no parser reads.

    Args:
        data: the file, or at least its first 200 kB.
        name: its name, asked only for the year, and only where the content does not say it.
    """
    head = decoded(data[:HEAD])
    if head.lstrip().startswith("<"):
        return _detect_claml(read_head(head), name)
    lines = [line.removesuffix("\r") for line in head.split("\n")]
    if len(data) > HEAD or not lines[-1]:
        lines = lines[:-1]
    for pattern, dataset, layout in HEADERS:
        if lines and re.fullmatch(pattern, lines[0]) and _has_codes(dataset, lines):
            said = _said_by(lines[1].split("\t")[0]) if dataset == "crosswalk" and lines[1:] else None
            return Detected(dataset, said or version_in_name(dataset, name), layout)
    sample = lines[:SAMPLE]
    for pattern, dataset, layout in ROWS:
        if 2 * sum(bool(re.fullmatch(pattern, line)) for line in sample) > len(sample):
            if layout == "dreisteller" and _are_groups(lines):
                return None
            return Detected(dataset, version_in_name(dataset, name), layout)
    return None


def decoded(head: bytes) -> str:
    """Return the beginning of a file as text; all that counts in it is ASCII."""
    return head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


def refuse_another(dataset: str, path: Path, version: str = "") -> None:
    """Raise InputError where a file is another dataset by its content, or says that it is of another year.

    A missing file is left to the parser, and a version that is no year, or empty, is not compared.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD + 1)
    except OSError:
        return
    found = detect(head, path.name)
    if found is None:
        if dataset == "icd10gm" and read_head(decoded(head)).is_who_edition:
            raise InputError(f"{path}: is ICD-10 of the WHO, not ICD-10-GM; give the ICD-10-GM file")
        return
    if found.dataset != dataset:
        raise InputError(
            f"{path}: is an {NAMES[found.dataset]} file ({found.layout}), not {NAMES[dataset]}; give the "
            f"{NAMES[dataset]} file, or name this one as {found.dataset}"
        )
    if found.version and re.fullmatch(YEAR, version) and found.version != version:
        raise InputError(
            f"{path}: should be {NAMES[dataset]} {version} but says that it is version {found.version}; give the file "
            f"of {version}"
        )


def _detect_claml(head: ClamlHead, name: str) -> Detected | None:
    if head.root != "ClaML" or head.dataset is None:
        return None
    dataset = cast(Dataset, head.dataset)
    return Detected(dataset, head.year or version_in_name(dataset, name), "ClaML")


def _said_by(cell: str) -> str | None:
    year = re.search(YEAR, cell)
    return year.group(1) if year else revision_in(cell)


def _has_codes(dataset: Dataset, lines: list[str]) -> bool:
    """Tell whether the rows of a list hold codes of the dataset: the header `code;label` says nothing of it."""
    return dataset != "ops" or any(re.match(f"{OPS.pattern};", line) for line in lines[1:SAMPLE])


def _are_groups(lines: list[str]) -> bool:
    """Tell `gruppen` of OPS (chapter;first class;last class;title) from `dreisteller`, which holds each first class."""
    rows = [line.split(";") for line in lines if line.count(";") == 3]
    return not {row[1] for row in rows} <= {row[2] for row in rows}
