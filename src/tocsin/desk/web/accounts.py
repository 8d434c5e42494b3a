"""Finding an account by whatever is known of it, and the accounts whose money is stopped."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from tocsin.desk import search
from tocsin.desk.stops import stops
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.desk.web.shown import account_link


def show(visit: Visit) -> Response:
    """What was found; one account alone, or its exact name, leads straight there."""
    text = visit.asked("q").strip()
    if not text:
        rows = stops(visit.desk.ledger, visit.actor)
        return visit.page("accounts.html", stopped=rows, link=account_link)
    found = search.find(visit.desk.ledger, visit.actor, text)
    accounts = {one.account for one in found.hits}
    exact = any(one.what == "account" and one.value == text for one in found.hits)
    if exact or len(accounts) == 1:
        return RedirectResponse(_address(found.hits[0] if not exact else search.Hit("account", text, text)), 303)
    hits = [(one, _address(one)) for one in found.hits]
    return visit.page("found.html", hits=hits, q=text, behind=found.behind)


def routes(desk: Desk) -> list[BaseRoute]:
    """The search."""
    return [route(desk, "/accounts", show)]


def _address(hit: search.Hit) -> str:
    work = f"?{hit.what}={hit.value}" if hit.what in ("alert", "investigation") else ""
    return account_link(hit.account) + work
