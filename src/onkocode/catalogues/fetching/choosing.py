"""Which file is the wanted one: first by its name, else by its content."""

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onkocode.catalogues.fetching.archives import Candidate, list_members, read_candidate
from onkocode.catalogues.formats.detect import HEAD, NAMES, Detected, detect
from onkocode.catalogues.formats.names import version_in_name
from onkocode.records.errors import InputError

SAMPLES = re.compile("example|muster|sample")  # names of files that hold a part of a catalogue
VERSION = re.compile(r"(20\d\d)(_20\d\d)?")  # what official files can be told to be
# Where several files of one version are recognised by content only, as in `file` of the table: the preferred first.
LAYOUTS = {
    "alphaid": ("8 fields", "7 fields", "6 fields"),
    "icd10gm": ("kodes", "ClaML"),
    "ops": ("ClaML", "kodes", "dreisteller"),
}
GLANCE_LINES = 8  # lines that tell whether a file is worth a closer look
SHOWN = 5  # files named in a message
UNVERIFIED = "version not verifiable"

FoundBy = Literal["name", "content", "given"]


@dataclass(frozen=True)
class Wanted:
    """What is looked for: dataset, version, and patterns of the file name, the preferred one first."""

    dataset: str
    version: str
    patterns: tuple[str, ...]

    def rank(self, name: str) -> int | None:
        """Return the position of the first pattern that a name fits; None = none, or it is a sample's name."""
        name = name.lower()
        for rank, pattern in enumerate(self.patterns):
            pattern = Path(pattern).name.lower()
            if fnmatch.fnmatchcase(name, pattern):
                return rank if not SAMPLES.search(name) or SAMPLES.search(pattern) else None
        return None

    def is_told_by(self, pattern: str) -> bool:
        """Tell whether a name that fits a pattern stands for the version: it has the years, or names one file."""
        if not VERSION.fullmatch(self.version) or not re.search(r"[*?\[]", pattern):
            return True
        return version_in_name(self.dataset, pattern) == self.version

    def may_be(self, version: str | None) -> bool:
        """Tell whether a file that says a version, or says none, may be the one looked for, as far as that goes."""
        if version is None or not VERSION.fullmatch(self.version):
            return True
        return version == self.version or (self.dataset == "transitions" and version in self.version.split("_"))

    def __str__(self) -> str:
        return f"{self.dataset} {self.version}"


@dataclass(frozen=True)
class Named:
    """A candidate with a name that fits, the position of its pattern, and whether name or content tell the version."""

    rank: int
    candidate: Candidate
    sure: bool


@dataclass(frozen=True)
class Choice:
    """The chosen file, how it was found, and what is to be remarked (for the provenance)."""

    candidate: Candidate
    found_by: FoundBy
    remark: str = ""


@dataclass(frozen=True)
class ByContent:
    """What there is of a dataset: the wanted file, files that do not say their version, and what else, in words."""

    sure: Candidate | None
    unsure: list[Candidate]
    others: list[str]


def choose_by_name(wanted: Wanted, candidates: Iterable[Candidate]) -> Named | None:
    """Return the candidate with the preferred name.

    Raises:
        InputError: several with different content, or it is another dataset or version by its content.
    """
    ranked: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        rank = wanted.rank(candidate.name)
        if rank is not None:
            ranked.setdefault(rank, []).append(candidate)
    if not ranked:
        return None
    best = min(ranked)
    chosen = only_one(wanted, ranked[best])
    found = detect(read_candidate(chosen, HEAD))
    refuse_another(wanted, chosen, found)
    said = found is not None and found.version == wanted.version
    return Named(best, chosen, said or wanted.is_told_by(wanted.patterns[best]))


def choose_by_content(wanted: Wanted, candidates: Iterable[Candidate]) -> ByContent:
    """Return the candidate that is the wanted catalogue by its content, and what else there is of the dataset.

    Args:
        wanted: what is looked for.
        candidates: with their first bytes.

    Raises:
        InputError: several with different content that say that they are of this version.
    """
    sure: list[tuple[int, Candidate]] = []
    unsure, others, samples, known = [], [], [], set()
    for candidate in candidates:
        found = look_at(candidate)
        if found is None or found.dataset != wanted.dataset:
            continue
        if SAMPLES.search(candidate.name.lower()):
            samples.append(f"a sample in {candidate}")
        elif found.version == wanted.version:
            layouts = LAYOUTS.get(found.dataset, ())
            sure.append((layouts.index(found.layout) if found.layout in layouts else len(layouts), candidate))
        elif wanted.may_be(found.version) and not (found.version and not VERSION.fullmatch(wanted.version)):
            unsure.append(candidate)
        else:
            others.append(f"{found.version} in {candidate}")
            known.add(_digest(candidate))
    best = min((order for order, _ in sure), default=None)
    chosen = only_one(wanted, [c for order, c in sure if order == best]) if sure else None
    copies = [c for c in unsure if _digest(c) in known] if not sure else []  # of another year's file
    return ByContent(chosen, [c for c in unsure if c not in copies], others + samples)


def choose_member(wanted: Wanted, file: Candidate) -> Choice:
    """Return the wanted member of a zip file that stands for this version: it was named, downloaded, or searched.

    Raises:
        InputError: there is none, there are several that differ, or it is another dataset or version.
    """
    for nested in (False, True):
        found = choose_by_name(wanted, list_members(file, nested).members)
        if found is not None:
            return Choice(found.candidate, "name", "" if found.sure else UNVERIFIED)
    listing = list_members(file, nested=True, glances=True)
    content = choose_by_content(wanted, listing.members)
    if content.sure is not None:
        return Choice(content.sure, "content")
    if not content.unsure:
        names = listed([member.member for member in listing.members]) or "nothing"
        said = f". Not searched: {listed(listing.problems)}" if listing.problems else ""
        raise InputError(
            f"{file}: holds no member like {' or '.join(wanted.patterns)}, and none that is {wanted} by its content; "
            f"found {names}{said}"
        )
    return Choice(only_one(wanted, content.unsure), "content", UNVERIFIED)


def judge_given(wanted: Wanted, given: Candidate) -> Choice:
    """Return a single file that stands for this version, whatever its name: it was named, downloaded, or searched.

    Raises:
        InputError: it is another dataset, or says that it is another version.
    """
    head = read_candidate(given, HEAD)
    rank = wanted.rank(given.name)
    found = detect(head, "" if rank is not None else given.name)
    refuse_another(wanted, given, found)
    said = found is not None and found.version == wanted.version
    if rank is not None:
        return Choice(given, "name", "" if said or wanted.is_told_by(wanted.patterns[rank]) else UNVERIFIED)
    return Choice(given, "content" if found else "given", "" if said else UNVERIFIED)


def unverified(wanted: Wanted, candidates: Sequence[Candidate]) -> str:
    """Return what to do with files that may be the wanted one, but do not say their version."""
    key = f"{wanted.dataset}-{wanted.version}"
    which = "does not say its version in content or name" if len(candidates) == 1 else "do not say their version"
    return (
        f"{listed(candidates)}: may be {wanted}, but {which}; where you know that it is, name it: `{key}: FILE` under "
        f"catalogues.files, or --catalogue {key}=FILE"
    )


def refuse_another(wanted: Wanted, candidate: Candidate, found: Detected | None) -> None:
    """Raise InputError where a file turned out to be another dataset or version than the wanted one."""
    if found is None:
        return
    if found.dataset != wanted.dataset:
        raise InputError(
            f"{candidate}: should be {wanted} but is an {NAMES[found.dataset]} file by its content "
            f"({found.layout}); put the right file there"
        )
    if not wanted.may_be(found.version):
        raise InputError(
            f"{candidate}: should be {wanted} but says that it is version {found.version}; put the right file there"
        )


def look_at(candidate: Candidate) -> Detected | None:
    """Tell what a candidate is; most are sorted out by their first lines."""
    glance = candidate.glance
    start = b"\n".join(glance.split(b"\n", GLANCE_LINES)[:GLANCE_LINES]) + b"\n"
    claml = b"ClaML" in glance or (b"<!--" in glance and glance.lstrip().startswith(b"<"))
    table = b"\0" not in glance and re.search(rb"[|;\t]", start) is not None
    if not claml and not (table and detect(start)):
        return None
    return detect(read_candidate(candidate, HEAD), candidate.name)


def listed(names: Sequence[object]) -> str:
    """Join names for a message, counting those beyond SHOWN."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more


def only_one(wanted: Wanted, candidates: Sequence[Candidate]) -> Candidate:
    """Return the first of candidates that all have the same content; raises InputError when they differ."""
    if len(candidates) > 1 and len({_digest(candidate) for candidate in candidates}) > 1:
        raise InputError(
            f"several different files for {wanted}: {listed(candidates)}; keep one of them there, "
            f"or name it in catalogues.files"
        )
    return candidates[0]


def _digest(candidate: Candidate) -> str:
    return hashlib.sha256(read_candidate(candidate)).hexdigest()
