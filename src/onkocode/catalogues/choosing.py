"""Which file is the wanted one: first by its name, else by its content."""

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from onkocode.catalogues.archives import Candidate, list_members, read_candidate
from onkocode.catalogues.detect import HEAD, NAMES, Detected, detect
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

    def __str__(self) -> str:
        return f"{self.dataset} {self.version}"


@dataclass(frozen=True)
class Choice:
    """The chosen file, how it was found, and what is to be remarked (for the provenance)."""

    candidate: Candidate
    found_by: FoundBy
    remark: str = ""


def choose_by_name(wanted: Wanted, candidates: Iterable[Candidate]) -> tuple[int, Candidate] | None:
    """Return the candidate with the preferred name, and the position of its pattern.

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
    chosen = _only(wanted, ranked[best])
    refuse_another(wanted, chosen, detect(read_candidate(chosen, HEAD)))
    return best, chosen


def choose_by_content(wanted: Wanted, candidates: Iterable[Candidate]) -> tuple[Choice | None, list[str]]:
    """Return the candidate that is the wanted catalogue by its content, and what else there is of the dataset.

    The version is mostly not in the content. A candidate without one is taken only where it is the only one.

    Args:
        wanted: what is looked for.
        candidates: with their first bytes.

    Raises:
        InputError: several with different content.
    """
    versions: dict[str | None, list[tuple[int, Candidate]]] = {}
    samples = []
    for candidate in candidates:
        found = look_at(candidate)
        if found is None or found.dataset != wanted.dataset:
            continue
        if SAMPLES.search(candidate.name.lower()):
            samples.append(f"a sample in {candidate}")
        else:
            layouts = LAYOUTS.get(found.dataset, ())
            order = layouts.index(found.layout) if found.layout in layouts else len(layouts)
            versions.setdefault(found.version, []).append((order, candidate))
    others = [f"{version} in {c}" for version, pairs in versions.items() if version for _, c in pairs] + samples
    sure, unsure = versions.get(wanted.version, []), versions.get(None, [])
    if not sure and unsure:
        known = {_digest(c) for version, pairs in versions.items() if version for _, c in pairs}
        unsure = [(order, c) for order, c in unsure if _digest(c) not in known]  # a copy of another year's file
    if not (sure or unsure):
        return None, others
    best = min((order for order, _ in sure), default=None)
    chosen = _only(wanted, [c for order, c in sure or unsure if best in (None, order)])
    return Choice(chosen, "content", "" if sure else "version not verifiable"), others


def choose_member(wanted: Wanted, file: Candidate) -> Choice:
    """Return the wanted member of a zip file; raises InputError when there is none, or several that differ."""
    for nested in (False, True):
        found = choose_by_name(wanted, list_members(file, nested).members)
        if found is not None:
            return Choice(found[1], "name")
    listing = list_members(file, nested=True, glances=True)
    choice, _ = choose_by_content(wanted, listing.members)
    if choice is None:
        names = listed([member.member for member in listing.members]) or "nothing"
        said = f". Not searched: {listed(listing.problems)}" if listing.problems else ""
        raise InputError(
            f"{file}: holds no member like {' or '.join(wanted.patterns)}, and none that is {wanted} by its content; "
            f"found {names}{said}"
        )
    return choice


def judge_given(wanted: Wanted, given: Candidate) -> Choice:
    """Return a single file as the choice, whatever its name; raises InputError when it is something else for sure."""
    head = read_candidate(given, HEAD)
    if wanted.rank(given.name) is not None:
        refuse_another(wanted, given, detect(head))
        return Choice(given, "name")
    found = with_both_years(detect(head, given.name), given.name)
    refuse_another(wanted, given, found)
    remark = "" if found and found.version == wanted.version else "version not verifiable"
    return Choice(given, "content" if found else "given", remark)


def refuse_another(wanted: Wanted, candidate: Candidate, found: Detected | None) -> None:
    """Raise InputError where a file turned out to be another dataset or version than the wanted one."""
    if found is None:
        return
    if found.dataset != wanted.dataset:
        raise InputError(
            f"{candidate}: should be {wanted} but is an {NAMES[found.dataset]} file by its content "
            f"({found.layout}); put the right file there"
        )
    if found.version and VERSION.fullmatch(wanted.version) and found.version != wanted.version:
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
    return with_both_years(detect(read_candidate(candidate, HEAD), candidate.name), candidate.name)


def with_both_years(found: Detected | None, name: str) -> Detected | None:
    """Return a transition table with its two years as version, where its name has both; None where it has not."""
    if found is None or found.dataset != "transitions":
        return found
    years = sorted(set(re.findall(r"(?<!\d)(20\d\d)(?!\d)", name)))
    return Detected(found.dataset, "_".join(years) if len(years) == 2 else None, found.layout)


def listed(names: Sequence[object]) -> str:
    """Join names for a message, counting those beyond SHOWN."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(str, names[:SHOWN])) + more


def _only(wanted: Wanted, candidates: Sequence[Candidate]) -> Candidate:
    """Return the first of candidates that all have the same content; raises InputError when they differ."""
    if len(candidates) > 1 and len({_digest(candidate) for candidate in candidates}) > 1:
        raise InputError(
            f"several different files for {wanted}: {listed(candidates)}; keep one of them there, "
            f"or name it in catalogues.files"
        )
    return candidates[0]


def _digest(candidate: Candidate) -> str:
    return hashlib.sha256(read_candidate(candidate)).hexdigest()
