"""The audit: every act of a person, newest first, and whether the chain is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import reads
from tocsin.desk.access import Deed, require
from tocsin.desk.web.chronicle import deed_in_words, value_in_words
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.desk.web.shown import account_link
from tocsin.desk.web.words import count
from tocsin.ledger import audit as chain

PAGE = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One event in words."""

    id: int
    at: datetime
    actor: str
    what: str
    account: str | None
    link: str
    old: str
    new: str
    hash: str


def show(visit: Visit) -> Response:
    """The events, of one account or one person if asked."""
    asked = {"account": visit.asked("account").strip(), "by": visit.asked("by").strip()}
    before = visit.asked("before")
    found = reads.audit_page(
        visit.desk.ledger,
        visit.actor,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None,
        limit=PAGE + 1,
        account=asked["account"] or None,
        by=asked["by"] or None,
    )
    with visit.desk.ledger.read() as connection:
        head = chain.head(connection)
    page = found[:PAGE]
    older = f"/audit?{urlencode(asked | {'before': page[-1].id})}" if len(found) > PAGE else ""
    rows = [_row(one) for one in page]
    return visit.page("audit.html", rows=rows, asked=asked, older=older, last=head.id, head=head.hash.hex())


def verify(visit: Visit) -> Response:
    """Walk the whole chain and say whether it holds."""
    require(visit.actor, Deed.READ_AUDIT)
    with visit.desk.ledger.read() as connection:
        found = chain.verify(connection)
    if found.broken_at is None:
        text = f"All {count(found.events, 'event')} fit together; the newest hash is {found.head.hash.hex()[:16]}…"
        return visit.go("/audit", text, title="The chain is whole")
    text = f"Event {found.broken_at}: {found.why}. Everything before it holds."
    return visit.go("/audit", text, title="The chain is broken", kind="refused")


def routes(desk: Desk) -> list[BaseRoute]:
    """The page and its one button."""
    return [route(desk, "/audit", show), route(desk, "/audit/verify", do=verify)]


def _row(one: reads.CaseEvent) -> Row:
    return Row(
        id=one.id,
        at=one.at,
        actor=one.actor,
        what=deed_in_words(one),
        account=one.account,
        link=account_link(one.account) if one.account else "",
        old=value_in_words(one.old),
        new=value_in_words(one.new),
        hash=one.hash.hex(),
    )
