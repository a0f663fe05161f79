"""Downloading one file: repeated and resumed where the connection fails, and checked before it is used."""

import gzip
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from onkocode import __version__
from onkocode.catalogues.fetching.addresses import is_allowed
from onkocode.catalogues.fetching.partial import Part
from onkocode.catalogues.formats.reading import looks_like_html
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file

BLOCK = 1 << 16
LATER = (408, 425, 429, 500, 502, 503, 504)  # worth another try


@dataclass(frozen=True)
class Limits:
    """When a download is given up. Times are in seconds."""

    connecting: float = 20
    silence: float = 60  # without a byte
    total: float = 3600
    tries: int = 5
    pause: float = 1  # before the third try; doubled for each further one
    longest_pause: float = 60
    redirects: int = 10
    size: int = 500_000_000  # bytes; a yearly archive with all its formats stays below


class _AgainError(Exception):
    """This try failed; the next one may not. `pause` is what the server asked for, in seconds."""

    def __init__(self, said: str, pause: float = 0) -> None:
        super().__init__(said)
        self.pause = pause


@contextmanager
def downloaded(url: str, part: Path, sha256: str = "", limits: Limits | None = None) -> Iterator[tuple[Path, str]]:
    """Yield the whole, checked file and the address that it came from in the end; remove it afterwards.

    What has arrived when the connection fails stays at ``part`` and is continued by the next call, provided that the
    server names the file's state (ETag or Last-Modified, RFC 9110 section 14) and that it has not changed.

    Raises:
        InputError: no connection, no answer in time, refused, missing, redirected in a circle or to plain http, cut
            off, too large, an HTML page, or the wrong checksum.
    """
    limits = limits or Limits()
    arriving = Part(part, url)
    part.parent.mkdir(parents=True, exist_ok=True)
    address = _fetch(arriving, limits)
    try:
        _decode(arriving, limits)
        _check(part, url, sha256)
        yield part, address
    finally:
        arriving.remove()


def _fetch(part: Part, limits: Limits) -> str:
    """Try until the file is whole; returns the address after redirects."""
    import requests
    from urllib3.exceptions import MaxRetryError
    from urllib3.util import Retry

    retry = Retry(total=limits.tries - 1, backoff_factor=limits.pause, backoff_max=limits.longest_pause)
    deadline = time.monotonic() + limits.total
    with requests.Session() as session:
        session.max_redirects = limits.redirects
        session.headers["User-Agent"] = f"onkocode/{__version__}"
        while True:
            try:
                return _try(session, part, limits, deadline)
            except _AgainError as failure:
                try:
                    retry = retry.increment("GET", part.url, error=failure)
                except MaxRetryError:
                    raise InputError(f"{part.url}: {failure} ({limits.tries} tries){_kept(part)}") from None
                if time.monotonic() > deadline:
                    raise InputError(f"{part.url}: not finished after {limits.total:g} s{_kept(part)}") from None
                time.sleep(max(retry.get_backoff_time(), min(failure.pause, limits.longest_pause)))
            except InputError:
                part.remove()
                raise


def _try(session: Any, part: Part, limits: Limits, deadline: float) -> str:
    have = part.size()
    headers = {"Accept-Encoding": "identity"}  # as it lies on the server, so that it can be continued
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": part.noted("validator")}
    with _answer(session, part.url, headers, limits) as response:
        _check_status(response, part, have)
        validator, expected = _validator(response), response.headers.get("Content-Length", "")
        if response.status_code == HTTPStatus.OK:
            have = 0
            part.begin(validator, response.headers.get("Content-Encoding", "").lower())
        else:
            sent = re.match(rf"bytes {have}-\d+/(\d+)$", response.headers.get("Content-Range", ""))
            if not have or not sent or validator not in ("", part.noted("validator")):
                part.remove()
                raise _AgainError("the server sent another part of the file than it was asked for")
            expected = sent[1]
        _receive(response, part, have, int(expected) if expected.isdecimal() else None, limits, deadline)
        return str(response.url)


def _answer(session: Any, url: str, headers: dict[str, str], limits: Limits) -> Any:
    """Ask for the file and follow redirects; HEAD is not used, since BfArM answers 400 to it."""
    import requests

    def check_redirect(response: requests.Response, *_: Any, **__: Any) -> None:
        target = session.get_redirect_target(response)
        if target is None:
            return
        response.close()  # its body is of no use, and may be endless
        if not is_allowed(urljoin(response.url, target)):
            raise InputError(f"{url}: redirects to {urljoin(response.url, target)}, which is not encrypted; refused")

    timeout = (limits.connecting, limits.silence)
    try:
        return session.get(url, headers=headers, stream=True, timeout=timeout, hooks={"response": check_redirect})
    except requests.TooManyRedirects:
        raise InputError(f"{url}: redirects in a circle (more than {limits.redirects} times)") from None
    except requests.Timeout:
        raise _AgainError(
            f"no answer in time ({limits.connecting:g} s to connect, {limits.silence:g} s to answer)"
        ) from None
    except requests.exceptions.SSLError as error:
        raise InputError(
            f"{url}: the server's certificate cannot be verified ({_reason(error)}); behind a proxy that opens "
            f"connections, name its certificate in REQUESTS_CA_BUNDLE"
        ) from None
    except requests.ConnectionError as error:
        raise _AgainError(f"no connection ({_reason(error)}); behind a proxy, set HTTPS_PROXY") from None
    except (requests.RequestException, ValueError) as error:
        raise InputError(f"{url}: cannot be asked for ({_reason(error)})") from None


def _check_status(response: Any, part: Part, have: int) -> None:
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    said = f"{status} {response.reason or ''}".strip()
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
        part.remove()
        raise _AgainError(f"the server cannot continue the file ({said})")
    if status in LATER:
        asked = response.headers.get("Retry-After", "")
        raise _AgainError(f"the server is in trouble ({said})", float(asked) if asked.isdecimal() else 0)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise InputError(f"{part.url}: there is no such file ({said}); it has probably moved")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise InputError(f"{part.url}: the server refuses to send the file to a script ({said})")
    raise InputError(f"{part.url}: unexpected answer of the server ({said})")


def _receive(response: Any, part: Part, have: int, expected: int | None, limits: Limits, deadline: float) -> None:
    """Append the answer's body, as it is sent, to the part."""
    from tqdm import tqdm
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    _check_size(part, expected or 0, limits)
    try:
        with (
            part.file.open("r+b") as stream,
            tqdm(total=expected, initial=have, unit="B", unit_scale=True, desc=part.name, disable=None) as bar,
        ):
            stream.seek(have)
            # read1: what is there, so that a server that sends byte by byte is noticed
            while block := response.raw.read1(BLOCK, decode_content=False):
                stream.write(block)
                have += len(block)
                bar.update(len(block))
                _check_size(part, have, limits)
                if time.monotonic() > deadline:
                    raise _AgainError(f"not finished after {_of(have, expected)}")
    except ReadTimeoutError:
        raise _AgainError(f"no byte came for {limits.silence:g} s, after {_of(have, expected)}") from None
    except HTTPError:
        raise _AgainError(f"the connection was lost after {_of(have, expected)}") from None
    except OSError as error:
        raise InputError(f"{part.file}: cannot be written ({error.strerror})") from None
    if expected is not None and have != expected:
        raise _AgainError(f"the file was cut off after {_of(have, expected)}")


def _decode(part: Part, limits: Limits) -> None:
    """Unpack a body that the server sent compressed."""
    encoding = part.noted("encoding")
    if encoding in ("", "identity"):
        return
    if encoding not in ("gzip", "x-gzip"):
        raise InputError(f"{part.url}: is sent in the encoding {encoding!r}, which was not asked for")
    whole = part.file.with_name(part.file.name + ".whole")
    size = 0
    try:
        with gzip.open(part.file) as source, whole.open("wb") as target:
            while block := source.read(BLOCK):
                size += target.write(block)
                _check_size(part, size, limits)
        part.remove()  # its notes too: nothing can be appended to what is unpacked
        whole.replace(part.file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{part.url}: was cut off or damaged on its way ({error}); try again") from None
    finally:
        whole.unlink(missing_ok=True)


def _check(file: Path, url: str, sha256: str) -> None:
    with file.open("rb") as stream:
        start = stream.read(1024)
    if not start:
        raise InputError(f"{url}: sent an empty file")
    if looks_like_html(start):
        raise InputError(f"{url}: answered with an HTML page instead of the file")
    if sha256 and (found := hash_file(file)) != sha256:
        raise InputError(
            f"{url}: wrong checksum, so it is not used: the table of sources says {sha256}, the file has {found}. It "
            f"was damaged, or replaced by another edition"
        )


def _check_size(part: Part, size: int, limits: Limits) -> None:
    if size > limits.size:
        raise InputError(f"{part.url}: is larger than {limits.size} bytes, so it is no catalogue file; stopped")


def _validator(response: Any) -> str:
    """Return the ETag, unless it is a weak one, else Last-Modified; empty = it cannot be continued."""
    if response.headers.get("Accept-Ranges", "").lower() == "none":
        return ""
    tag = str(response.headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(response.headers.get("Last-Modified", ""))


def _kept(part: Part) -> str:
    """Say what is left behind; what cannot be continued is removed."""
    if not part.size():
        part.remove()
        return ""
    return f"; {part.size()} bytes are kept in {part.file}, run it again to continue"


def _of(have: int, expected: int | None) -> str:
    return f"{have} of {expected} bytes" if expected is not None else f"{have} bytes"


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, which nests several."""
    while isinstance(inner := getattr(error, "reason", None) or (error.args[0] if error.args else None), BaseException):
        error = inner
    return str(error).rsplit(": ", 1)[-1] or type(error).__name__
