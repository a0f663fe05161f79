"""A web server on this machine that answers one request after the other as told."""

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from onkocode.catalogues.fetching.download import Limits

QUICK = Limits(connecting=2, silence=0.3, total=10, tries=3, pause=0)

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Served:
    """Address of the server, and what it was asked: path and headers of each request."""

    url: str
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def at(self, path: str) -> str:
        return f"{self.url}{path}"


@contextmanager
def serving(*answers: Answer) -> Iterator[Served]:
    """Serve the answers in turn, the last one again and again."""
    waiting = list(answers)
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append((self.path, dict(self.headers)))
            self.close_connection = True
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough
                answer(self)

        def do_HEAD(self) -> None:
            served.asked.append(("HEAD", {}))
            self.send_error(400)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def begin(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, object]) -> None:
    handler.send_response(status)
    for name, value in {"Connection": "close", **headers}.items():
        handler.send_header(name, str(value))
    handler.end_headers()


def whole(body: bytes, status: int = 200, **headers: object) -> Answer:
    """Send all at once; underscores in names of headers stand for hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, status, {"Content-Length": len(body)} | named(headers))
        handler.wfile.write(body)

    return answer


def cut(body: bytes, count: int, **headers: object) -> Answer:
    """Promise all, send ``count`` bytes, and hang up in an orderly way."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {"Content-Length": len(body)} | named(headers))
        handler.wfile.write(body[:count])

    return answer


def dropped(body: bytes, count: int, **headers: object) -> Answer:
    """Promise all, send ``count`` bytes, and reset the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        cut(body, count, **headers)(handler)
        handler.wfile.flush()
        time.sleep(0.05)  # a reset overtakes what was not read yet
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return answer


def ranged(body: bytes, tag: str, count: int | None = None, obeys_if_range: bool = True) -> Answer:
    """Send the part that was asked for, provided that the tag is still the same; ``count`` bytes of it at most."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked, known = handler.headers.get("Range", ""), handler.headers.get("If-Range", "")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if not asked or (obeys_if_range and known != tag):
            cut(body, len(body) if count is None else count, ETag=tag)(handler)
            return
        sent: dict[str, object] = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}", "ETag": tag}
        begin(handler, 206, {"Content-Length": len(body) - start} | sent)
        handler.wfile.write(body[start:] if count is None else body[start : start + count])

    return answer


def chunked(*chunks: bytes, ended: bool = True) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {"Transfer-Encoding": "chunked"})
        for chunk in chunks:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if ended:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def compressed(body: bytes, count: int | None = None) -> Answer:
    """Send the body compressed by gzip, without its length."""
    packed = gzip.compress(body)[:count]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {"Content-Encoding": "gzip"})
        handler.wfile.write(packed)

    return answer


def redirect(target: str, status: int = 302) -> Answer:
    return whole(b"", status, Location=target)


def endless(block: bytes, status: int = 200, **headers: object) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, status, named(headers))
        for _ in range(100_000):
            handler.wfile.write(block)

    return answer


def trickling(body: bytes, pause: float, **headers: object) -> Answer:
    """Send byte by byte."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, 200, {"Content-Length": len(body)} | named(headers))
        for byte in body:
            handler.wfile.write(bytes([byte]))
            time.sleep(pause)

    return answer


def silent(seconds: float, body: bytes = b"", **headers: object) -> Answer:
    """Send the beginning, if there is one, and then nothing more."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if body:
            begin(handler, 200, {"Content-Length": 2 * len(body)} | named(headers))
            handler.wfile.write(body)
        time.sleep(seconds)

    return answer


def named(headers: Mapping[str, object]) -> dict[str, object]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
