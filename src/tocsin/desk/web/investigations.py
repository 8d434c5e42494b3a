"""All investigations: those pending, those given to me, and those that are final."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import reads
from tocsin.desk.model import Investigation
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.desk.web.shown import account_link

FILTERS = (("pending", "Pending"), ("mine", "Mine"), ("final", "Final"))
PAGE = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One investigation in the list."""

    one: Investigation
    link: str
    alerts: int
    stake_minor: int
    frozen: bool
    blocked: bool


def show(visit: Visit) -> Response:
    """Pending ones oldest first, final ones newest first."""
    wanted = visit.asked("show")
    name = wanted if wanted in dict(FILTERS) else "pending"
    after = visit.asked("after")
    found = reads.list_investigations(
        visit.desk.ledger,
        visit.actor,
        pending=name != "final",
        assigned_to=visit.actor.name if name == "mine" else None,
        after=int(after) if after.isascii() and after.isdigit() and len(after) < 18 else None,
        limit=PAGE + 1,
    )
    rows = [_row(one) for one in found[:PAGE]]
    following = f"/investigations?show={name}&after={rows[-1].one.id}" if len(found) > PAGE else ""
    return visit.page("investigations.html", rows=rows, show=name, filters=FILTERS, following=following)


def routes(desk: Desk) -> list[BaseRoute]:
    """The list."""
    return [route(desk, "/investigations", show)]


def _row(found: reads.InvestigationRow) -> Row:
    one, stands = found.investigation, found.standing
    return Row(
        one=one,
        link=f"{account_link(one.account)}?investigation={one.id}",
        alerts=found.alerts,
        stake_minor=found.stake_minor,
        frozen=stands.frozen_in or stands.frozen_out,
        blocked=stands.blocked_in or stands.blocked_out,
    )
