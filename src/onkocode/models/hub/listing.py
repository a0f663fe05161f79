"""Which files a repository of the Hub has at a commit, with their sizes and hashes."""

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

COMMIT = re.compile(r"[0-9a-f]{40}")
ANSWER_SECONDS = 30.0  # after which a Hub that says nothing counts as out of reach
SHA256_LENGTH = 64


@dataclass(frozen=True)
class Listed:
    """A file of a repository.

    Attributes:
        name: path in the repository.
        size: bytes; None where the server does not say.
        digest: SHA-256 of a large file, git's blob id of a small one, told apart by their length; empty: not known.
    """

    name: str
    size: int | None
    digest: str

    @property
    def is_large(self) -> bool:
        """Tell whether the Hub keeps the file outside of git, under its SHA-256."""
        return len(self.digest) == SHA256_LENGTH


@dataclass(frozen=True)
class Repository:
    """The files of a repository at one commit."""

    hub: str
    commit: str
    files: tuple[Listed, ...]

    def only(self, patterns: Sequence[str]) -> "Repository":
        """Return the same with the files that fit a pattern."""
        fits = [file for file in self.files if any(fnmatch.fnmatch(file.name, pattern) for pattern in patterns)]
        return Repository(self.hub, self.commit, tuple(fits))


def ask_hub(hub: str, revision: str) -> Repository:
    """Return all files of a repository, after asking the Hub; raises what huggingface_hub raises."""
    from huggingface_hub import HfApi

    facts = HfApi().model_info(hub, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS)
    if not facts.sha or not COMMIT.fullmatch(facts.sha):
        raise ValueError(f"the server names no commit for {hub}")
    files = [
        Listed(file.rfilename, file.size, file.lfs.sha256 if file.lfs else file.blob_id or "")
        for file in facts.siblings or []
    ]
    return Repository(hub, facts.sha, tuple(files))


def size_text(size: int, free: bool = False) -> str:
    """Return a size in GB or MB (10^9, 10^6 bytes): what is needed rounded up, what is free rounded down."""
    unit, name = (10**9, "GB") if size >= 10**8 else (10**6, "MB")
    tenths = size * 10 // unit if free else -(-size * 10 // unit)
    return f"{tenths / 10:.1f} {name}"
