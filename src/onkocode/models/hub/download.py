"""Downloading large files of the Hub so that a stopped download is continued by the next process.

huggingface_hub resumes within one call only: what it had of a file is removed when the process ends, up to eight files
of several GB. So large files are fetched here, under their hash, where huggingface_hub finds and links them.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Self

from onkocode.models.hub.cache import Place
from onkocode.models.hub.listing import Listed, Repository, size_text
from onkocode.terminal import say

TOGETHER = 4  # files downloaded at once


def fetch_large(place: Place, repository: Repository, files: Sequence[Listed]) -> None:
    """Download large files into the cache's blobs, continuing what an earlier process left of them.

    One bar for all on a terminal; elsewhere a line per file, so that a log stays short.
    """
    from huggingface_hub import constants
    from tqdm import tqdm

    # What plain HTTP does not serve is left to huggingface_hub.
    fit = [file for file in files if file.is_large and (file.size or 0) <= constants.MAX_HTTP_DOWNLOAD_SIZE]
    wanted = [file for file in fit if not (place.folder / "blobs" / file.digest).exists()]
    if not wanted:
        return
    (place.folder / "blobs").mkdir(parents=True, exist_ok=True)
    total, parts = sum(file.size or 0 for file in wanted), map(place.part, wanted)
    begun = sum(part.stat().st_size for part in parts if part.is_file())
    with (
        tqdm(total=total, initial=begun, unit="B", unit_scale=True, desc=repository.hub, disable=None) as bar,
        ThreadPoolExecutor(TOGETHER) as threads,
    ):
        stop = threading.Event()
        running = [threads.submit(_fetch, place, repository, file, bar, stop) for file in wanted]
        try:
            for future in as_completed(running):
                future.result()
        except BaseException:
            stop.set()  # an interrupt, or a failure: the other files need not become whole first
            raise


class _StoppedError(Exception):
    """Another file failed, or somebody interrupted."""


def _fetch(place: Place, repository: Repository, file: Listed, bar: Any, stop: threading.Event) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    if stop.is_set():
        raise _StoppedError
    part, began = place.part(file), time.monotonic()
    url = hf_hub_url(repository.hub, file.name, revision=repository.commit)
    if file.size is not None and part.is_file() and part.stat().st_size > file.size:
        part.unlink()  # not of this file
    with part.open("ab") as stream:
        # By the Hub's own address, not by the signed one that it redirects to, which ends within the hour.
        http_get(
            url,
            stream,
            resume_size=(begun := stream.tell()),
            headers=build_hf_headers() | {"Accept-Encoding": "identity"},
            expected_size=file.size,
            displayed_filename=file.name,
            tqdm_class=_shared(bar, stop),
        )
    part.replace(place.folder / "blobs" / file.digest)
    if bar.disable:
        came = f", {size_text(begun)} of it earlier" if begun else ""
        say(f"  {file.name}: {size_text(file.size or 0)}{came}, {time.monotonic() - began:.0f} s")


def _shared(bar: Any, stop: threading.Event) -> Any:
    """Return a class that huggingface_hub takes for a bar of its own: it moves the bar of all files, or ends them."""

    class Shared:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: float | None = 1) -> None:
            if stop.is_set():
                raise _StoppedError
            bar.update(count or 0)

    return Shared


def fetch_rest(place: Place, repository: Repository, patterns: Sequence[str]) -> Path:
    """Let huggingface_hub fetch what is left, and link all files into the snapshot; returns its directory."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    with disable_progress_bars():  # small files: a bar for each would fill a log
        return Path(
            snapshot_download(
                repository.hub,
                revision=repository.commit,
                allow_patterns=list(patterns),
                cache_dir=place.cache,
            )
        )
