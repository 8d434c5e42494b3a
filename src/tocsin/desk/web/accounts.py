"""Finding an account, and the accounts whose money is stopped."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tocsin.desk import history
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.desk.web.shown import account_link
from tocsin.errors import NotFound


def show(visit: Visit) -> Response:
    """What fits what was asked; an exact name leads straight there."""
    text = visit.asked("q").strip()
    if text:
        try:
            history.account_page(visit.desk.ledger, visit.actor, text, limit=1)
            return RedirectResponse(account_link(text), 303)
        except NotFound:
            pass
    return visit.page("accounts.html", rows=(), q=text, told="", filters=(), show="")


def routes(desk: Desk) -> list[BaseRoute]:
    """The search."""
    return [route(desk, "/accounts", show)]
