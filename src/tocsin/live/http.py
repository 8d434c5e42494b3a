"""The live service over HTTP. Payments take the short way: bytes to checked words, a place in the waiting room, bytes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter, thread_time
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tocsin.errors import BadInput, NotReady, TocsinError, TooLarge
from tocsin.live import reads
from tocsin.live.answers import DEADLINE, as_json, deadline_s, fault, problem, read_body, refusal
from tocsin.live.door import Arrival, lines_of
from tocsin.live.ids import Outcome
from tocsin.live.judge import answer_late
from tocsin.live.openapi import document, page
from tocsin.live.predict import Predictor, predict, served
from tocsin.live.service import NO_MODEL, Service
from tocsin.schema import Transaction

LINES = (b"application/x-ndjson", b"application/jsonl", b"application/x-jsonlines")
_JSON = (b"content-type", b"application/json")


def routes(service: Service, predictor: Predictor | None = None) -> list[Route]:
    """Every route of the live service: ``/v1/*``, ``/health``, ``/ready``, ``/metrics``.

    Parameters
    ----------
    predictor : the models of classes that answer; none of them where it is not given.
    """
    door, predictor = service.door, predictor or Predictor((), service.limits)
    schema = msgspec.json.encode(document())
    return [
        Route("/v1/transactions", _Post(service, door.payment, "transaction"), methods=["POST"]),
        Route("/v1/events", _Post(service, door.event, "event"), methods=["POST"]),
        Route("/v1/labels", _Post(service, door.label, "label"), methods=["POST"]),
        Route("/v1/decisions/{id:path}", _get(service, reads.decision), methods=["GET"]),
        Route("/v1/accounts/{account:path}", _get(service, reads.account), methods=["GET"]),
        Route("/v1/alerts", _get(service, reads.alerts_after), methods=["GET"]),
        Route("/v1/memory", _get(service, reads.memory), methods=["GET"]),
        Route("/v1/predict/{model}", predict(service, predictor), methods=["POST"]),
        Route("/v1/models", _get(service, lambda _service, _request: served(predictor)), methods=["GET"]),
        Route("/v1/openapi.json", _plain(lambda: Response(schema, media_type="application/json")), methods=["GET"]),
        Route("/v1/docs", _plain(lambda: HTMLResponse(page())), methods=["GET"]),
        Route("/health", _plain(lambda: as_json({"status": "ok"})), methods=["GET"]),
        Route("/ready", _plain(lambda: _ready(service, predictor)), methods=["GET"]),
        Route("/metrics", _get(service, _metrics), methods=["GET"]),
    ]


class _Post:
    """One route that takes one JSON object, or many as JSON lines, to the scoring thread."""

    def __init__(self, service: Service, read: Callable[[bytes], Arrival], what: str) -> None:
        self._service = service
        self._read = read
        self._seconds = service.metrics.request_seconds.labels(what)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        status, kind = 200, _JSON
        try:
            body, kind = await self._answer(scope, receive)
        except Exception as error:
            known = error if isinstance(error, TocsinError) else fault(error)
            status, body = known.status, msgspec.json.encode(problem(known))
            self._service.metrics.refused.labels(str(status)).inc()
        headers = [kind, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._seconds.observe(perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[bytes, tuple[bytes, bytes]]:
        service, headers = self._service, scope["headers"]
        name = service.access.name(headers)
        room = service.room()
        kind, deadline = b"", service.limits.deadline.total_seconds()
        for key, value in headers:
            if key == b"content-type":
                kind = value.partition(b";")[0].strip().lower()
            elif key == DEADLINE:
                deadline = deadline_s(value, service.limits.longest_deadline)
        raw = await read_body(headers, receive, service.limits.largest_body)
        many = kind in LINES
        if not many and kind not in (b"application/json", b""):
            raise BadInput(
                "a body must be application/json, or application/x-ndjson for many; got another content type.",
                field="content-type",
            )
        parsing = thread_time()
        found: list[Arrival | TocsinError] = self._lines(raw) if many else [self._read(raw)]
        service.metrics.parse_seconds.inc(thread_time() - parsing)
        arrivals = [one for one in found if isinstance(one, Arrival)]
        service.access.spend(name, len(found))
        outcomes: Sequence[Outcome] = ()
        if arrivals:
            loop = asyncio.get_running_loop()
            future = room.ask(arrivals, loop)
            timer = loop.call_later(deadline, self._expire, arrivals, future)
            try:
                outcomes = await future
            finally:
                timer.cancel()
        if many:
            return self._join(found, outcomes), (b"content-type", b"application/x-ndjson")
        if isinstance(outcomes[0], TocsinError):
            raise outcomes[0]
        return outcomes[0], _JSON

    def _lines(self, raw: bytes) -> list[Arrival | TocsinError]:
        lines, most = lines_of(raw), self._service.limits.most_lines
        if len(lines) > most:
            raise TooLarge(f"at most {most} lines may come at once; got {len(lines)}.", hint="Send several lists.")
        if not lines:
            raise BadInput("there must be at least one JSON line; the body has none.")
        out: list[Arrival | TocsinError] = []
        for line in lines:
            try:
                out.append(self._read(line))
            except TocsinError as error:
                out.append(error)
        return out

    def _join(self, found: list[Arrival | TocsinError], outcomes: Sequence[Outcome]) -> bytes:
        """One line of answer for each line that came, in order."""
        answers = iter(outcomes)
        out: list[bytes] = []
        for number, one in enumerate(found, start=1):
            outcome = one if isinstance(one, TocsinError) else next(answers)
            if isinstance(outcome, TocsinError):
                self._service.metrics.refused.labels(str(outcome.status)).inc()
                out.append(msgspec.json.encode(problem(outcome, line=number)))
            else:
                out.append(outcome)
        return b"\n".join(out) + b"\n"

    def _expire(self, arrivals: list[Arrival], future: asyncio.Future[list[Outcome]]) -> None:
        """The deadline has passed: say what the owner chose; the scoring thread keeps what was said."""
        if future.done():
            return
        service, out = self._service, list[Outcome]()
        for arrival in arrivals:
            if isinstance(arrival.value, Transaction):
                stopped = service.is_stopped(arrival.value)
                arrival.late = answer_late(service.scorer.model, arrival.value, stopped=stopped, now=service.clock())
                service.metrics.late.inc()
                out.append(arrival.late.body)
            else:
                out.append(NotReady("it could not be kept before the deadline.", hint="Send it again, the same id."))
        future.set_result(out)


Read = Callable[[Service, Request], Any]


def _get(service: Service, read: Read) -> Callable[[Request], Awaitable[Response]]:
    """A read behind a key, off the event loop."""

    async def endpoint(request: Request) -> Response:
        try:
            name = service.access.name(request.scope["headers"])
            service.access.spend(name, 1)
            found = await run_in_threadpool(read, service, request)
        except Exception as error:
            known = error if isinstance(error, TocsinError) else fault(error)
            service.metrics.refused.labels(str(known.status)).inc()
            return refusal(known)
        return found if isinstance(found, Response) else as_json(found)

    return endpoint


def _plain(answer: Callable[[], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return answer()

    return endpoint


def _ready(service: Service, predictor: Predictor) -> Response:
    trouble = service.trouble
    if trouble == NO_MODEL and predictor.names:  # a service that only predicts waits for nothing
        return as_json({"ready": True, "problem": None, "payments": trouble})
    return as_json({"ready": trouble is None, "problem": trouble}, 200 if trouble is None else 503)


def _metrics(service: Service, _request: Request) -> Response:
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
