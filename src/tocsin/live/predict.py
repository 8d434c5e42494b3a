"""A picture, a sound or texts in, a probability for each class out; beside the payments, never in their way.

Predictions have threads of their own, half as many as the machine has cores, and on Linux these threads stand behind all others
for the processor: where a payment waits, it goes first. Pillow, libsndfile and ONNX Runtime let go of the interpreter.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from tocsin.errors import BadInput, NotReady, TocsinError, TooLarge, TooMany
from tocsin.live.answers import DEADLINE, content_type, deadline_s, fault, read_body, refusal
from tocsin.live.limits import Limits
from tocsin.live.models import Models
from tocsin.live.service import Service

NICE = 10
"""How far behind the rest of the process predictions stand for the processor."""
_BYTES = b"application/octet-stream"
TAKES: dict[str, tuple[str, ...]] = {
    "images": ("image/*", _BYTES.decode()),
    "sound": ("audio/*", _BYTES.decode()),
    "text": ("text/plain", "application/json"),
}
"""Kind of model -> the content types it takes; a body that says nothing is taken for a picture or a sound."""


class Likely(msgspec.Struct, frozen=True, kw_only=True):
    """One class and how probable it is."""

    name: str = msgspec.field(name="class")
    probability: float


class Prediction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an example is, the most probable class first; of a list of texts, one after another in ``predictions``."""

    model: str
    version: str
    kind: str
    classes: tuple[Likely, ...] | None = None
    predictions: tuple[tuple[Likely, ...], ...] | None = None


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A text to predict; a list of texts may come bare."""

    text: str


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of classes that answers here, or why it does not."""

    name: str
    version: str | None
    kind: str | None
    takes: tuple[str, ...]
    classes: tuple[str, ...]
    way: str | None
    measured: dict[str, float]
    problem: str | None


class ServedModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models of classes that answer here."""

    models: tuple[ServedModel, ...]


class Predictor:
    """Answers predictions on threads of its own.

    Parameters
    ----------
    places : as in :class:`Models`.
    """

    def __init__(self, places: Sequence[Path], limits: Limits) -> None:
        self.models = Models(places)
        self.limits = limits
        self._inside = 0
        self._lock = threading.Lock()
        workers = max(1, (os.cpu_count() or 2) // 2)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tocsin-predict", initializer=_stand_behind)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models there are."""
        with suppress(TocsinError):
            return self.models.names
        return ()

    def start(self) -> None:
        """Read the models now, so that no request waits for it."""
        if self.models:
            self._pool.submit(self._first_look)

    def stop(self) -> None:
        """End the threads; who waits is told."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one request, from its first byte to its answer.

        Raises
        ------
        TooMany : all places are taken.
        """
        most = self.limits.most_predicting
        if self._inside >= most:
            raise TooMany(f"at most {most} predictions may be asked for at once; this is more.", hint="Wait a moment.")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def run(self, work: Callable[[], Any], until: float) -> Any:
        """The result of some work on one of the threads, by a moment of :func:`time.perf_counter`.

        Raises
        ------
        NotReady : it was not there in time, or the service is stopping; what had not begun is not begun.
        """
        late = NotReady(
            "no prediction came before the deadline.", hint="Ask again, or for longer by Tocsin-Deadline-Ms."
        )
        try:
            future: Future[Any] = self._pool.submit(work)
        except RuntimeError:
            raise NotReady("the service is stopping.") from None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), max(until - perf_counter(), 0.0))
        except TimeoutError:
            raise late from None
        except asyncio.CancelledError:
            if future.cancelled():
                raise NotReady("the service is stopping.") from None
            raise

    def _first_look(self) -> None:
        with suppress(TocsinError):
            self.models.entries()


def predict(service: Service, predictor: Predictor) -> Callable[[Request], Awaitable[Response]]:
    """``POST /v1/predict/MODEL``: the bytes of a picture or a sound, or texts."""
    seconds = service.metrics.request_seconds.labels("predict")

    async def endpoint(request: Request) -> Response:
        started = perf_counter()
        try:
            body = await _answer(service, predictor, request, started)
            return Response(body, media_type="application/json")
        except Exception as error:
            known = error if isinstance(error, TocsinError) else fault(error)
            service.metrics.refused.labels(str(known.status)).inc()
            return refusal(known)
        finally:
            seconds.observe(perf_counter() - started)

    return endpoint


def served(predictor: Predictor) -> ServedModels:
    """``GET /v1/models``."""
    return ServedModels(
        models=tuple(
            ServedModel(
                name=name,
                version=entry.model.version if entry.model else None,
                kind=entry.model.kind if entry.model else None,
                takes=TAKES[entry.model.kind] if entry.model else (),
                classes=entry.model.classes if entry.model else (),
                way=entry.model.card.way if entry.model else None,
                measured=entry.model.card.measured if entry.model else {},
                problem=entry.problem,
            )
            for name, entry in sorted(predictor.models.entries().items())
        )
    )


async def _answer(service: Service, predictor: Predictor, request: Request, started: float) -> bytes:
    headers, limits = request.scope["headers"], predictor.limits
    key = service.access.name(headers)
    service.access.spend(key, 1)
    top = _top(request)
    seconds = limits.predict_deadline.total_seconds()
    for name, value in headers:
        if name == DEADLINE:
            seconds = deadline_s(value, limits.longest_deadline)
    name, until = request.path_params["model"], started + seconds
    if not predictor.models:
        predictor.models.get(name)  # there is nothing to look at and nothing to wait for: it says so
    with predictor.place():
        raw = await read_body(headers, request.receive, limits.largest_example, "Send a smaller example.")
        media = content_type(headers)
        given = await predictor.run(lambda: _examples(predictor.models, name, media, raw, limits), until)
        if isinstance(given, list):
            service.access.spend(key, max(len(given) - 1, 0))
        body: bytes = await predictor.run(lambda: _predicted(predictor.models, name, given, top), until)
    service.metrics.predictions.labels(name).inc(len(given) if isinstance(given, list) else 1)
    return body


def _examples(models: Models, name: str, media: bytes, raw: bytes, limits: Limits) -> bytes | str | list[str]:
    """What a body holds for the model of this name."""
    kind = models.get(name).kind
    if not raw:
        raise BadInput("a body must hold an example; it is empty.", field="body")
    begins = {"images": b"image/", "sound": b"audio/"}.get(kind)
    if begins is not None and (media in (b"", _BYTES) or media.startswith(begins)):
        return raw
    if kind == "text" and media == b"text/plain":
        return _utf8(raw)
    if kind == "text" and media == b"application/json":
        given = _json_texts(raw)
        if isinstance(given, list) and len(given) > limits.most_lines:
            raise TooLarge(f"at most {limits.most_lines} texts may come at once; got {len(given)}.")
        return given
    raise BadInput(
        f"the model {name} reads {kind}, so a body must be {' or '.join(TAKES[kind])}; got another content type.",
        field="content-type",
    )


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("a text must be UTF-8; the bytes are not.", field="body") from None


def _json_texts(raw: bytes) -> str | list[str]:
    try:
        given = _texts.decode(raw)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise BadInput(
            f"{message}.",
            field=where.rstrip("`").lstrip(".") or "body",
            hint='Send {"text": "..."} or a list of texts.',
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput("the body must be whole JSON.", field="body") from None
    return given.text if isinstance(given, Texts) else given


def _predicted(models: Models, name: str, given: bytes | str | list[str], top: int | None) -> bytes:
    model, many = models.get(name), isinstance(given, list)
    try:
        rows = model.predict(given if isinstance(given, list) else [given])
    except BadInput as error:  # the field is the example's number
        field = f"[{error.field}]" if many else "body"
        raise BadInput(error.message, field=field, hint=error.hint) from error
    likely = []
    for row in rows:
        order = np.argsort(-row, kind="stable")[:top]
        likely.append(tuple(Likely(name=model.classes[i], probability=float(row[i])) for i in order))
    return msgspec.json.encode(
        Prediction(
            model=name,
            version=model.version,
            kind=model.kind,
            classes=None if many else likely[0],
            predictions=tuple(likely) if many else None,
        )
    )


def _top(request: Request) -> int | None:
    given = request.query_params.get("top")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 6 and int(given) >= 1):
        raise BadInput("must be a whole number from 1, how many classes to name; got something else.", field="top")
    return int(given)


def _stand_behind() -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


_texts = msgspec.json.Decoder(str | list[str] | Texts)
