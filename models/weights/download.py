"""One file over HTTP, to the last byte: resumed where it was cut off, retried where that can help. Free of torch."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.weights import store
from models.weights.errors import WeightsError

MAX_BYTES = 8 << 30
_PIECE = 1 << 18
_RETRIED = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Policy:
    """How patient a download is: `attempts` in a row that bring nothing new, `pause` seconds before the second of
    them (doubled each time, at most `longest`), `timeout` seconds for the other side to say something."""

    attempts: int = 5
    pause: float = 1.0
    longest: float = 20.0
    timeout: float = 30.0


class Unreachable(WeightsError):
    """There is no way to the server, or it stopped answering."""


class Gone(WeightsError):
    """The server does not have the file."""


@dataclass
class _Part:
    """A download in progress: the bytes so far, and what they are a part of."""

    path: Path
    url: str

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def resume(self) -> tuple[int, str]:
        """How many bytes are here, and the validator of the file they belong to; (0, "") to start over."""
        known = store.read_json(self.note)
        if known.get("url") != self.url or not self.path.is_file():
            return 0, ""
        return self.path.stat().st_size, str(known.get("validator", ""))

    def begin(self, validator: str) -> None:
        self.path.unlink(missing_ok=True)
        store.write_json(self.note, {"url": self.url, "validator": validator})

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    url: str,
    path: Path,
    policy: Policy,
    progress: Callable[[int, int | None], None],
    say: Callable[[str], None],
) -> None:
    """Bring `url` to `path`, going on from what an earlier, interrupted call left there.

    `progress` hears (bytes so far, bytes in all if known), `say` sentences about retries. Raises Unreachable if the
    server cannot be reached or keeps cutting off, Gone if it does not have the file, WeightsError if it refuses, or if
    the disk is full.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"{url} is not an address that can be fetched; it has to start with https://")
    part = _Part(path, url)
    furthest, failures = part.resume()[0], 0
    while True:
        problem = _attempt(part, policy, progress)
        if problem is None:
            return
        reached = part.resume()[0]
        failures = 0 if reached > furthest else failures + 1
        furthest = max(furthest, reached)
        if failures >= policy.attempts:
            raise Unreachable(problem)
        pause = min(policy.pause * 2 ** max(failures - 1, 0), policy.longest)
        say(f"{problem}; trying again{f' in {pause:.0f} s' if pause >= 1 else ''}")
        time.sleep(pause)


def _attempt(part: _Part, policy: Policy, progress: Callable[[int, int | None], None]) -> str | None:
    """One request. None when the file is complete, else what went wrong and may go right next time."""
    have, validator = part.resume()
    request = urllib.request.Request(part.url, headers={"User-Agent": "cleanplate", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if validator:
            request.add_header("If-Range", validator)
    host = urlsplit(part.url).netloc
    try:
        with _opener().open(request, timeout=policy.timeout) as answer:
            return _receive(answer, part, have, progress)
    except urllib.error.HTTPError as error:
        error.close()
        return _refused(error, part, have)
    except ssl.SSLCertVerificationError as error:
        raise WeightsError(f"{host} cannot prove who it is ({error.verify_message}); nothing was fetched") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise WeightsError(f"{host} cannot prove who it is; nothing was fetched") from None
        return f"no connection to {host} ({_reason(error.reason)})"
    except (http.client.HTTPException, TimeoutError, ConnectionError, socket.gaierror, ssl.SSLError):
        return f"{host} cut the download off after {part.resume()[0] / 1e6:,.1f} MB"


def _receive(answer: Any, part: _Part, have: int, progress: Callable[[int, int | None], None]) -> str | None:
    start, total = _extent(answer, have)
    if start != have:
        part.begin(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if start:
            return "the server sent another part of the file than was asked for"
    elif not have:
        part.begin(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
    if total is not None and total - start > shutil.disk_usage(part.path.parent).free:
        raise WeightsError(f"the disk of {part.path.parent} has no room for {total / 1e6:,.0f} MB")
    if total is not None and total > MAX_BYTES:
        raise WeightsError(f"{part.url} is {total / 1e9:,.0f} GB long, which no published weights are")
    done = start
    with _open(part.path) as file:
        while piece := answer.read(_PIECE):
            done += len(piece)
            if done > MAX_BYTES:
                raise WeightsError(f"{part.url} does not end, which no published weights do")
            try:
                file.write(piece)
            except OSError as error:
                raise WeightsError(f"the disk of {part.path.parent} is full ({error.strerror}); make room") from None
            progress(done, total)
    if total is not None and done != total:
        if done > total:
            part.forget()
        return f"the download was cut off after {done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
    return None


def _extent(answer: Any, have: int) -> tuple[int, int | None]:
    """(first byte that comes, bytes in all)."""
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
        if match is None:
            return -1, None
        return int(match[1]), int(match[2]) if match[2] != "*" else None
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _refused(error: urllib.error.HTTPError, part: _Part, have: int) -> str | None:
    host = urlsplit(part.url).netloc
    if error.code == 416:
        total = re.fullmatch(r"bytes \*/(\d+)", (error.headers.get("Content-Range") or "").strip())
        if total is not None and int(total[1]) == have:
            return None
        part.forget()
        return f"{host} has another file now than the one that was begun"
    if error.code in _RETRIED:
        return f"{host} is busy or broken (HTTP {error.code})"
    if error.code in (404, 410):
        raise Gone(f"{part.url} is no longer there (HTTP {error.code})")
    raise WeightsError(f"{host} refuses to give {part.url} (HTTP {error.code})")


def _open(path: Path) -> Any:
    try:
        return open(path, "ab", buffering=0)
    except OSError as error:
        raise WeightsError(f"{path.parent} cannot be written ({error.strerror})") from None


def _reason(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "its name cannot be resolved; this machine may be offline"
    return os.strerror(reason.errno) if isinstance(reason, OSError) and reason.errno else str(reason)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from an encrypted address to an open one."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme != "https" and urlsplit(req.full_url).scheme == "https":
            raise WeightsError(
                f"{urlsplit(req.full_url).netloc} redirects to an unencrypted address; nothing was fetched"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only; urllib's own would also open files of this machine."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener
