"""Which model decides, since when and by whom; to be read here, activated with ``tocsin model``."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk.access import Deed, require
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.ledger import models


def show(visit: Visit) -> Response:
    """Every activation, newest first."""
    require(visit.actor, Deed.READ_CASES)
    with visit.desk.ledger.read() as connection:
        rows = models.history(connection)
    return visit.page("models.html", rows=rows)


def routes(desk: Desk) -> list[BaseRoute]:
    """The page."""
    return [route(desk, "/models", show)]
