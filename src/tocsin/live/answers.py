"""What every route shares: reading a body within its limit, a deadline from its header, an answer or a refusal as JSON."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive

from tocsin.errors import BadInput, TocsinError, TooLarge

log = logging.getLogger("tocsin.live")
DEADLINE = b"tocsin-deadline-ms"
Headers = Sequence[tuple[bytes, bytes]]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refusal: what must hold and what was got, about which field, and the way out."""

    error: str
    field: str | None = None
    hint: str | None = None
    status: int | None = None
    line: int | None = None


def refusal(error: TocsinError) -> Response:
    """An error as JSON, by the table of :mod:`tocsin.errors`."""
    return Response(msgspec.json.encode(problem(error)), error.status, media_type="application/json")


def problem(error: TocsinError, *, line: int | None = None) -> Problem:
    """An error in the words of the interface; ``line`` where it is about one of many."""
    status = error.status if line is not None else None
    return Problem(error=error.message, field=error.field, hint=error.hint, status=status, line=line)


def fault(error: Exception) -> TocsinError:
    """What nobody foresaw: told to the log in full, to the caller in one sentence."""
    log.error("a request failed", exc_info=error)
    return TocsinError("the request failed by a fault of ours.", hint="The log says more.")


def as_json(value: Any, status: int = 200) -> Response:
    """Anything as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def content_type(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What the body says it is, in small letters and without parameters; empty where nothing is said."""
    given = next((value for key, value in headers if key == b"content-type"), b"")
    return given.partition(b";")[0].strip().lower()


def deadline_s(value: bytes, longest: timedelta) -> float:
    """Seconds, out of the header's milliseconds.

    Raises
    ------
    BadInput : it is no whole number of milliseconds from 1 to the longest.
    """
    most = longest.total_seconds() * 1000
    if not (value.isdigit() and len(value) < 10 and 1 <= int(value) <= most):
        raise BadInput(
            f"a deadline must be whole milliseconds from 1 to {most:.0f}; got something else.", field=DEADLINE.decode()
        )
    return int(value) / 1000


async def read_body(headers: Headers, receive: Receive, most: int, hint: str = "Send several smaller lists.") -> bytes:
    """The whole body, or ``TooLarge`` as soon as it is known to be."""
    for key, value in headers:
        if key == b"content-length" and value.isdigit() and int(value[:20]) > most:
            raise _too_large(most, hint)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise _too_large(most, hint)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadInput("the body ended before it was whole.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most, hint)
    return b"".join(parts)


def _too_large(most: int, hint: str) -> TooLarge:
    return TooLarge(f"a body must have at most {most} bytes; this one has more.", hint=hint)
