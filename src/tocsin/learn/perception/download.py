"""A file from a server, whole or not at all: it goes on where it stopped, and is what its publisher says it is.

What has come stands beside the place as ``NAME.part`` and is moved there in one step when its fingerprint is right.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from socket import gaierror
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tocsin.errors import Damaged, NotReady, TooLarge
from tocsin.learn.task import Told, silent

_CHUNK = 256 * 1024
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""What a server says when it may say something else soon."""


def download(
    url: str,
    to: Path,
    sha256: str,
    *,
    told: Told = silent,
    largest: int = 2**31,
    timeout: float = 20.0,
    tries: int = 5,
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch a file to its place.

    Parameters
    ----------
    sha256 : of the whole file in hexadecimal, or as much of its beginning as is known.
    told : how far it has come.
    largest : bytes; a server that sends more is not listened to.
    timeout : seconds without a byte after which a try is given up.
    tries, pause : how often it is tried without getting any further, and seconds before the second try; twice as long
        before each one after.

    Raises
    ------
    NotReady : no network, no such file, or the server does not answer.
    Damaged : the whole file has come and is another one; it is thrown away.
    TooLarge : more than ``largest``.
    """
    part = to.with_name(to.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    failed, reason = 0, ""
    while failed < tries:
        if failed:
            sleep(pause * 2 ** (failed - 1))
        before = _size(part)
        try:
            _more(url, part, told, largest, timeout)
            return _in_place(part, to, sha256, url)
        except HTTPError as error:
            error.close()
            if error.code not in _PASSING:
                raise NotReady(
                    f"the server must have {url}; it says {error.code} {error.reason}.",
                    hint=f"Get the file elsewhere and put it at {to}.",
                ) from None
            reason = f"the server says {error.code} {error.reason}"
        except (URLError, HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", None) or error) or type(error).__name__
            if isinstance(getattr(error, "reason", error), gaierror):  # nobody knows the server: there is no network
                tries = failed + 1
        failed = 1 if _size(part) > before else failed + 1
    raise NotReady(
        f"{url} must be reachable; it is not: {reason} (tries without getting further: {failed}).",
        hint=f"Is there a network here? What has come is kept, and the next try goes on from it. Or put the file at {to}.",
    )


def _more(url: str, part: Path, told: Told, largest: int, timeout: float) -> None:
    """Append what is still missing."""
    have = _size(part)
    request = Request(url, headers={"User-Agent": "tocsin"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response: HTTPResponse = urlopen(request, timeout=timeout)
    except HTTPError as error:
        if error.code == 416 and have:  # nothing is missing, or what we have is of another file: its fingerprint tells
            error.close()
            return
        raise
    with response:
        if have and response.status != 206:  # this server cannot go on in the middle
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        if (total or 0) > largest:
            raise TooLarge(f"a file of at most {largest} bytes was expected from {url}; the server has {total}.")
        with part.open("ab" if have else "wb") as file:
            while chunk := response.read(_CHUNK):
                have += len(chunk)
                if have > largest:
                    raise TooLarge(f"a file of at most {largest} bytes was expected from {url}; the server sends more.")
                file.write(chunk)
                told(f"fetching {part.name.removesuffix('.part')}", min(1.0, have / total) if total else 0.0)
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended after {have} of {total} bytes")


def _in_place(part: Path, to: Path, sha256: str, url: str) -> Path:
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
        os.fsync(file.fileno())
    if not digest.hexdigest().startswith(sha256.lower()):
        part.unlink()
        raise Damaged(
            f"the file at {url} must have the fingerprint {sha256[:16]}…; it has {digest.hexdigest()[:16]}….",
            hint="What came has been thrown away. Try again; if it is the same, the file there has been changed.",
        )
    part.replace(to)
    return to


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
