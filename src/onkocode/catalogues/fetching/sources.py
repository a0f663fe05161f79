"""The table of sources, and how a catalogue file gets into the results: shipped, the user's own, or downloaded."""

import re
from dataclasses import dataclass
from pathlib import Path

from onkocode.catalogues.fetching.addresses import CONSENT, is_allowed, with_consent
from onkocode.catalogues.fetching.archives import Candidate, is_zip, read_candidate
from onkocode.catalogues.fetching.choosing import Choice, Wanted, choose_member, judge_given
from onkocode.catalogues.fetching.download import Limits, downloaded
from onkocode.catalogues.fetching.local import FOLDER_VARIABLE, NAMED_BY, catalogue_folder, search
from onkocode.catalogues.formats.reading import SIGNATURES, looks_like_html
from onkocode.records.errors import InputError, first_of
from onkocode.records.files import PROJECT, located, new_file
from onkocode.records.ids import hash_file

__all__ = ["FOLDER_VARIABLE", "TERMS_SENTENCE", "Source", "catalogue_folder", "find_local", "read_sources", "retrieve"]

TERMS = {
    "BfArM": "https://www.bfarm.de/DE/Kodiersysteme/Services/Downloads/_node.html",
    "Plattform-65c": "https://plattform65c.atlassian.net/wiki/spaces/UMK/overview",
    "CC-BY-4.0-RKI": "https://creativecommons.org/licenses/by/4.0/deed.de",
    "MIT": "the project's own licence",
}
# What data derived from BfArM's files must carry.
TERMS_SENTENCE = (
    "Die Erstellung erfolgt unter Verwendung der maschinenlesbaren Fassung des Bundesinstituts für Arzneimittel und "
    "Medizinprodukte (BfArM)."
)
COLUMNS = ["dataset", "version", "file", "url", "sha256", "terms", "note"]
DATASETS = ("alphaid", "icd10gm", "icdo3", "ops", "transitions", "crosswalk", "registries")
OWN_VERSION = r"[a-z][a-z0-9]*"  # e.g. example; it becomes a part of paths


@dataclass(frozen=True)
class Source:
    """A row of the table of sources.

    Attributes:
        dataset: one of DATASETS.
        version: year, two years for transitions (2023_2024), or a word of the user's own.
        file: patterns of the file name separated by spaces, the preferred one first; or one path to a file.
        url: where it is downloaded from; empty = unknown.
        sha256: of what the url sends, so mostly of a zip file; empty = unknown.
        terms: key of TERMS.
        note: what a person should know; demanded where there is no url.
    """

    dataset: str
    version: str
    file: str
    url: str
    sha256: str
    terms: str
    note: str

    @property
    def wanted(self) -> Wanted:
        """What to look for."""
        return Wanted(self.dataset, self.version, tuple(self.file.split()))


def read_sources(table: Path) -> dict[tuple[str, str], Source]:
    """Read and check the table of sources; raises InputError with all its mistakes and their lines."""
    table = located(table)
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{table}: not a readable table of sources ({error})") from None
    if not lines or lines[0].split("\t") != COLUMNS:
        raise InputError(f"{table}: the first line must name the columns {', '.join(COLUMNS)}, separated by tabs")
    found: dict[tuple[str, str], Source] = {}
    problems: list[str] = []
    for number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells):
            continue
        if len(cells) != len(COLUMNS):
            problems.append(f"line {number}: {len(cells)} columns instead of {len(COLUMNS)}")
            continue
        source = Source(*cells)
        problems += [f"line {number}: {problem}" for problem in _problems(source, found)]
        found[source.dataset, source.version] = source
    if problems:
        raise InputError(f"{table}: the table of sources has mistakes:\n{first_of(problems, 20)}")
    return found


def own_source(dataset: str, version: str, file: Path) -> Source:
    """Return a row for a file that is named for a version which the table lacks."""
    return Source(dataset, version, str(file), "", "", "BfArM", "")


def find_local(source: Source, folder: Path | None, project: Path = PROJECT, *, unsure: bool = False) -> Path | None:
    """Return the local file of a source: shipped with the project, or in the user's folder; None = to be downloaded.

    Args:
        source: row of the table.
        folder: the user's folder, a single file or a zip file; see `catalogue_folder`.
        project: folder of the project, for what it ships.
        unsure: take a file that does not say its version, too; the caller checks its codes.

    Raises:
        InputError: the folder is given but holds no such file, several that differ, one with other content, or one that
            does not say its version; or the table names a path that does not exist.
    """
    if "/" in source.file:
        shipped = located(Path(source.file), project)
        if not shipped.is_file():
            raise InputError(f"{source.file}: no such file, but the table of sources names it for {source.wanted}")
        return shipped
    if folder is None:
        return None
    advice = "put it there, or leave the folder out to download it" if source.url else f"put it there ({source.note})"
    return search(source.wanted, folder, advice, unsure)


def retrieve(
    source: Source, local: Path | None, accept_terms: bool, output: Path, limits: Limits | None = None
) -> dict[str, str]:
    """Copy or download a catalogue file to ``output``.

    Args:
        source: row of the table.
        local: a file, or a zip file that holds it: what `find_local` returned, or what the user named for this version.
            As with what the row's own address sends, a version that it does not say is remarked, not refused.
        accept_terms: the user accepts the terms of use.
        output: the file to write.
        limits: of a download.

    Returns:
        Facts for the provenance: origin (path or url), address (after redirects), member (of a zip file), sha256 (of
        the output), terms, found_by (name | content | given), remark.

    Raises:
        InputError: no consent, no address, a failed download, another dataset or version than the wanted one, a page
            instead of a file, a broken or absurd zip file.
    """
    if local is not None:
        choice = _choose(source.wanted, Candidate(local))
        facts = {"origin": str(local), "address": ""} | _write(source, choice, output)
    else:
        _check_consent(source, accept_terms)
        part = output.with_name(output.name + ".part")
        try:
            with downloaded(with_consent(source.url), part, source.sha256, limits) as (file, address):
                choice = _choose(source.wanted, Candidate(file, url=source.url))
                facts = {"origin": source.url, "address": address} | _write(source, choice, output)
        except InputError as error:
            raise InputError(
                f"{error}. If it stays so, get the file with a browser from {TERMS[source.terms]} and set {NAMED_BY}"
            ) from None
    return facts


def _choose(wanted: Wanted, file: Candidate) -> Choice:
    return choose_member(wanted, file) if is_zip(file.path) else judge_given(wanted, file)


def _write(source: Source, choice: Choice, output: Path) -> dict[str, str]:
    data = read_candidate(choice.candidate)
    kinds = [kind for signature, kind in SIGNATURES.items() if data.startswith(signature)]
    kinds += ["an HTML page"] * looks_like_html(data) + ["empty"] * (not data.strip())
    if kinds:
        raise InputError(f"{choice.candidate}: is {kinds[0]}, not a catalogue file; put the file itself there")
    with new_file(output) as temporary:
        temporary.write_bytes(data)
    return {
        "member": choice.candidate.member,
        "sha256": hash_file(output),
        "terms": TERMS[source.terms],
        "found_by": choice.found_by,
        "remark": choice.remark,
    }


def _check_consent(source: Source, accept_terms: bool) -> None:
    place = TERMS[source.terms]
    if not source.url:
        raise InputError(f"{source.wanted}: no download address is known ({source.note}); see {place}, set {NAMED_BY}")
    if not accept_terms:
        raise InputError(
            f"{source.wanted}: the terms of use must be accepted before downloading: read those shown with the file at "
            f"{place}, then set catalogues.accept_terms: true (or --consent true)"
        )


def _problems(source: Source, earlier: dict[tuple[str, str], Source]) -> list[str]:
    """Return all mistakes of a row."""
    said = []
    years = r"(20\d\d)_(20\d\d)" if source.dataset == "transitions" else r"(20\d\d)"
    version = re.fullmatch(years, source.version)
    patterns = source.file.split()
    if (source.dataset, source.version) in earlier:
        said.append(f"{source.dataset} {source.version} stands twice")
    if source.dataset not in DATASETS:
        said.append(f"unknown dataset {source.dataset!r} (known: {', '.join(DATASETS)})")
    elif version is None and not re.fullmatch(OWN_VERSION, source.version):
        form = "two years such as 2023_2024" if source.dataset == "transitions" else "a year"
        said.append(f"version {source.version!r} must be {form}, or a word of small letters and digits")
    elif version and version.groups() != tuple(sorted(set(version.groups()))):
        said.append(f"version {source.version!r} must name the earlier year first")
    if not patterns:
        said.append("`file` is empty")
    elif len(patterns) > 1 and "/" in source.file:
        said.append("`file` must be name patterns without folders, or one path")
    if source.url and not is_allowed(source.url):
        said.append("`url` must begin with https://")
    if CONSENT in source.url:
        said.append(f"`url` must not hold {CONSENT}: consent is given by the user, not by the table")
    if source.sha256 and not re.fullmatch(r"[0-9a-f]{64}", source.sha256):
        said.append("`sha256` must have 64 hexadecimal digits in small letters")
    if source.terms not in TERMS:
        said.append(f"unknown terms {source.terms!r} (known: {', '.join(TERMS)})")
    if not source.url and not source.note:
        said.append("`note` is empty, but without `url` it must say where the file comes from")
    return said
