"""News as server-sent events: a line of words whenever what there is to tell has changed; the page itself stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tocsin.desk.model import Actor
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import HEADERS, session_of
from tocsin.errors import NotSignedIn

LOOK_EVERY_SECONDS = 1.0

Look = Callable[[Desk, Actor, Request], int]
"""How many new things there are for somebody, since the page they asked from; cheap enough to be asked every second."""


def stream(desk: Desk, path: str, look: Look, template: str) -> Route:
    """An address that goes on telling; ``template`` says the line, given ``fresh``."""

    async def endpoint(request: Request) -> Response:
        session = await run_in_threadpool(session_of, desk, request, desk.clock())
        if session is None:
            return Response(status_code=204)  # tells the browser's EventSource to stop asking
        response: Response = EventSourceResponse(_told(desk, request, look, template), headers=HEADERS, ping=20)
        return response

    return Route(path, endpoint, methods=["GET"])


async def _told(desk: Desk, request: Request, look: Look, template: str) -> AsyncIterator[ServerSentEvent]:
    told = 0
    while True:
        try:
            fresh = await run_in_threadpool(_looked, desk, request, look)
        except NotSignedIn:
            return
        if fresh != told:
            told = fresh
            page = desk.render(template, desk.clock(), {"fresh": fresh})
            yield ServerSentEvent(" ".join(page.split()), event="news")
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _looked(desk: Desk, request: Request, look: Look) -> int:
    session = session_of(desk, request, desk.clock(), touch=False)
    if session is None:
        raise NotSignedIn("the session has ended.")
    return look(desk, session.actor, request)
