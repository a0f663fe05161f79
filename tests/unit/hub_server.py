"""A Hub on this machine: repositories with commits, sizes and hashes, ranges, and connections that break."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

COMMIT, NEXT = "a" * 40, "c" * 40
REPOSITORY = "somebody/model"
LARGE = ".safetensors"


@dataclass
class Hub:
    """A Hub with one repository.

    Attributes:
        files: the repository's files, all of them at each commit.
        commit: what the branch main stands for.
        sent: content that is sent in place of the listed one.
        breaks: number of bytes after which the connection for a large file breaks, in turn; then it holds.
        refusal: status of every further answer with a file.
        slow: names of files of which a block comes every 10 ms.
        asked: method, path without query, and range of each request.
    """

    files: dict[str, bytes]
    commit: str = COMMIT
    sent: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    refusal: int = 0
    slow: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def ranges(self, name: str) -> list[str]:
        """Return the range of each request for a file's content; empty = all of it."""
        return [part for method, path, part in self.asked if method == "GET" and path.endswith(f"/{name}")]

    def described(self, name: str) -> dict[str, object]:
        content = self.files[name]
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        facts: dict[str, object] = {"rfilename": name, "path": name, "size": len(content), "blobId": blob, "oid": blob}
        if name.endswith(LARGE):
            sha256 = hashlib.sha256(content).hexdigest()
            facts["lfs"] = {"sha256": sha256, "oid": sha256, "size": len(content), "pointerSize": 130}
        return facts

    def tag(self, name: str) -> str:
        facts = self.described(name)
        large = facts.get("lfs")
        return str(large["sha256"] if isinstance(large, dict) else facts["blobId"])


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/api/"):
            files = [self.hub.described(name) | {"type": "file"} for name in self.hub.files]
            facts = {"id": REPOSITORY, "sha": self.commit(path), "siblings": files}
            self.reply(200, json.dumps(files if "/tree/" in path else facts).encode(), {})
        elif self.hub.refusal:
            self.reply(self.hub.refusal, b"", {})
        else:
            self.file(path.rpartition("/")[2], path.split("/")[-2])

    def commit(self, path: str) -> str:
        asked = path.rpartition("/")[2]
        return asked if len(asked) == 40 else self.hub.commit

    def file(self, name: str, commit: str) -> None:
        content = self.hub.sent.get(name, self.hub.files[name])
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{self.hub.tag(name)}"'}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        breaks = self.command == "GET" and name.endswith(LARGE) and self.hub.breaks
        self.reply(206 if begin else 200, content[begin:], headers, self.hub.breaks.pop(0) if breaks else None)

    def reply(self, status: int, content: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET" and self.path.rpartition("/")[2] in self.hub.slow:
            with suppress(OSError):  # the client had enough
                for begin in range(0, len(content), 2000):
                    self.wfile.write(content[begin : begin + 2000])
                    time.sleep(0.01)
        elif self.command == "GET":
            self.wfile.write(content[:cut])
        self.close_connection = self.close_connection or cut is not None

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def hub_serving(files: dict[str, bytes], cache: Path, patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve files as a repository, to a huggingface_hub with a cache of its own."""
    import huggingface_hub.constants as constants

    hub = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    patch.setattr(constants, "ENDPOINT", url)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_HUB_OFFLINE", False)
    patch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what has arrived of a block is not kept
    # It sleeps between tries of a broken download.
    patch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda _: None))
    patch.delenv("HF_TOKEN", raising=False)
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
