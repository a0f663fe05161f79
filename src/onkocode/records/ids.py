"""Text keys, hashes, and random choice that is the same on every machine."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def text_key(text: str) -> str:
    """Return the form under which two texts count as the same: NFC, case-folded, white space collapsed."""
    return unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", text).casefold().split()))


def digest(*parts: object) -> str:
    """Return the SHA-256 (hex) over the parts, separated so that ('a', 'bc') and ('ab', 'c') differ."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode(errors="backslashreplace")).hexdigest()


def shuffled(items: Iterable[T], seed: int, purpose: str, ids: Sequence[str]) -> list[T]:
    """Return the items in the order of SHA-256(seed, purpose, id).

    No library's generator is involved, so the order is stable across versions, and adding an item leaves the relative
    order of the others as it was.
    """
    keys = [digest(seed, purpose, item_id) for item_id in ids]
    return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces, for hashing and for comparing settings."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def hash_rows(rows: Iterable[Sequence[object]]) -> str:
    """Return the SHA-256 over canonical UTF-8 rows (JSON arrays, one a line); the caller sorts them by id."""
    sha = hashlib.sha256()
    for row in rows:
        sha.update(canonical_json(list(row)).encode())
        sha.update(b"\n")
    return sha.hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
