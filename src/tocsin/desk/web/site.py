"""Every address of the desk, in the order in which they are tried."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tocsin.desk.web import accounts, audit, case, deeds, doors, investigations, models, queue, staff
from tocsin.desk.web.desk import STATIC, Desk


def routes(desk: Desk) -> list[BaseRoute]:
    """The whole desk, to stand at the root of an application."""
    return [
        Route("/", _home),
        Mount("/static", _Static(directory=STATIC), name="static"),
        *doors.routes(desk),
        *queue.routes(desk),
        *deeds.routes(desk),
        *investigations.routes(desk),
        *accounts.routes(desk),
        *case.routes(desk),
        *audit.routes(desk),
        *models.routes(desk),
        *staff.routes(desk),
    ]


async def _home(_request: Request) -> Response:
    return RedirectResponse("/queue", 303)


class _Static(StaticFiles):
    """Files that never change under one address: each address carries a piece of the file's fingerprint."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        fixed = scope.get("query_string", b"") != b"" and response.status_code == 200
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if fixed else "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
