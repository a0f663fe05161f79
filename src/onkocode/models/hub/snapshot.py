"""Fetching files of a repository: planned first, downloaded, checked, and remembered."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from onkocode.models.hub import checking
from onkocode.models.hub.cache import Notes, Place, missing, still_to_come
from onkocode.models.hub.download import fetch_large, fetch_rest
from onkocode.models.hub.failures import told
from onkocode.models.hub.listing import COMMIT, Listed, Repository, ask_hub, size_text
from onkocode.records.errors import InputError
from onkocode.terminal import say


@dataclass(frozen=True)
class Wanted:
    """Files of a repository that a recipe asks for.

    Attributes:
        hub: Hub id.
        revision: branch, tag or commit.
        patterns: names of the files; nothing else is downloaded.
        key: key of the recipe that names the repository, for messages.
    """

    hub: str
    revision: str
    patterns: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Plan:
    """What is to be done for a repository.

    Attributes:
        wanted: what is asked for.
        listing: all files of the repository, at the commit that the revision resolves to.
        reached: the Hub was asked; else the cache alone was.
    """

    wanted: Wanted
    listing: Repository
    reached: bool

    @property
    def place(self) -> Place:
        """Where the repository lies in the cache."""
        return Place(self.wanted.hub)

    @property
    def repository(self) -> Repository:
        """The files that are asked for."""
        return self.listing.only(self.wanted.patterns)

    @property
    def lacking(self) -> list[Listed]:
        """The files that the cache lacks."""
        return missing(self.place, self.repository)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size or _size(self, file) for file in self.repository.files)

    @property
    def to_come(self) -> int:
        """Bytes that have to be downloaded."""
        return still_to_come(self.place, self.lacking)


def _size(plan: Plan, file: Listed) -> int:
    path = plan.place.snapshot(plan.repository.commit) / file.name
    return path.stat().st_size if path.is_file() else 0


def snapshot(hub: str, revision: str, patterns: Sequence[str], key: str) -> tuple[Path, str]:
    """Download files of a Hub repository, unless they are in the local cache, and check them.

    Args:
        hub: Hub id.
        revision: branch, tag or commit.
        patterns: names of the files that are asked for; nothing else is downloaded.
        key: key of the recipe that names the repository, for messages.

    Returns:
        The directory and the commit that the revision resolves to.

    Raises:
        InputError: unknown, gated or private repository, no network, a cache that cannot be written to or lacks room,
            or files that arrived damaged.
    """
    plan = make_plan(Wanted(hub, revision, tuple(patterns), key))
    say(plan_line(plan))
    check_room([plan])
    return carry_out(plan), plan.repository.commit


def make_plan(wanted: Wanted) -> Plan:
    """Find out what a repository has and what the cache lacks of it.

    The Hub is not asked about a commit that is known and whole, and what is in the cache serves where it cannot be
    reached.

    Raises:
        InputError: unknown, gated or private repository, or neither the Hub nor the cache has it.
    """
    place = Place(wanted.hub)
    cached = _in_cache(place, wanted)
    if cached is not None and COMMIT.fullmatch(wanted.revision) and place.notes(cached.commit).files:
        plan = Plan(wanted, cached, reached=False)
        if not plan.lacking:
            return plan
    try:
        with told(wanted.hub, wanted.revision, wanted.key):
            found = ask_hub(wanted.hub, wanted.revision)
    except InputError as error:
        if cached is None or "has no revision" in str(error) or (plan := Plan(wanted, cached, reached=False)).lacking:
            raise
        say(f"{error}. What is in the cache serves instead: commit {cached.commit}")
        return plan
    return Plan(wanted, found, reached=True)


def _in_cache(place: Place, wanted: Wanted) -> Repository | None:
    commit = place.commit_of(wanted.revision)
    return place.listed(commit) if commit else None


def plan_line(plan: Plan) -> str:
    """Return what is to be done, in one line."""
    count, there = len(plan.repository.files), max(plan.size - plan.to_come, 0)
    return (
        f"{plan.wanted.hub} at commit {plan.repository.commit}: {count} file{'s' * (count != 1)}, "
        f"{size_text(plan.size)}, {size_text(there)} are there already, into {plan.place.cache}"
    )


def check_room(plans: Sequence[Plan]) -> None:
    """Refuse downloads that the disk of the cache has no room for.

    Raises:
        InputError: with what is needed and what is free.
    """
    needed = sum(plan.to_come for plan in plans)
    if not plans or not needed or needed <= (free := plans[0].place.room()):
        return
    names = ", ".join(plan.wanted.hub for plan in plans if plan.to_come)
    raise InputError(
        f"{names}: {size_text(needed)} needed, {size_text(free, free=True)} free in {plans[0].place.cache}; set the "
        "environment variable HF_HOME to a directory with more room, on a file system that all nodes see, or `cache` "
        "of config/site.yaml, which comes before it"
    )


def carry_out(plan: Plan) -> Path:
    """Download what is missing or damaged, and check all files; returns the directory.

    Raises:
        InputError: no network, no room, or files that arrived damaged.
    """
    with told(plan.wanted.hub, plan.wanted.revision, plan.wanted.key):
        if plan.reached:
            _remember(plan)
        bad = _discarded(plan)
        if bad:
            say(f"{plan.wanted.hub}: damaged in the cache, fetched again: {bad}")
        if lacking := plan.lacking:
            with _alone(plan.place):
                fetch_large(plan.place, plan.repository, lacking)
                fetch_rest(plan.place, plan.repository, plan.wanted.patterns)
        bad = _discarded(plan)
    if bad:
        raise InputError(
            f"{plan.wanted.hub}: arrived damaged, and removed from {plan.place.cache}: {bad}; run it again to fetch it "
            "again"
        )
    return plan.place.snapshot(plan.repository.commit)


def _discarded(plan: Plan) -> str:
    """Remove damaged files from the cache, and return their names."""
    bad = checking.damaged(plan.place, plan.repository)
    checking.remove(plan.place, plan.repository.commit, bad)
    return ", ".join(file.name for file in bad)


def _remember(plan: Plan) -> None:
    """Note what the Hub says of the files, so that they can be checked without it."""
    notes = plan.place.notes(plan.listing.commit)
    if list(plan.listing.files) != notes.files:
        plan.place.write_notes(plan.listing.commit, Notes(list(plan.listing.files), notes.checked))
    plan.place.keep_commit(plan.wanted.revision, plan.listing.commit)


def _alone(place: Place) -> AbstractContextManager[object]:
    """Let one process at a time fetch a repository, so that two do not write one file."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    locks = place.cache / ".locks" / place.folder.name
    locks.mkdir(parents=True, exist_ok=True)
    return WeakFileLock(locks / "onkocode.lock")
