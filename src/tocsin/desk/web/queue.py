"""The queue: what rang, most at stake first, with the chosen alert told beside it so that most need no second page."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import actions, reads
from tocsin.desk.access import Deed, may
from tocsin.desk.model import REASON_CODES, Actor
from tocsin.desk.reads import AlertDetail, Filter
from tocsin.desk.web.acts import VERDICTS
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route, whole
from tocsin.desk.web.news import stream
from tocsin.desk.web.offered import offered
from tocsin.desk.web.shown import Row, account_link, row_of, shown_of
from tocsin.desk.web.words import about, count, span
from tocsin.errors import NotFound
from tocsin.schema import exponent_of

SHOW = "tocsin_queue"
PAGE = 100
_LARGE = 1_000  # whole units of the base currency


def filters(desk: Desk) -> tuple[tuple[str, str], ...]:
    """The filters as names and words."""
    large = about(_LARGE * 10 ** exponent_of(desk.currency), desk.currency)
    return (
        ("open", "Open and mine"),
        ("mine", "Mine"),
        ("all", "Everybody's"),
        ("large", f"Payments over {large}"),
        ("today", "Due today"),
        ("declined", "Declined"),
    )


def show(visit: Visit) -> Response:
    """The whole page; the filter chosen last stays."""
    wanted = visit.asked("show") or visit.request.cookies.get(SHOW, "")
    name = wanted if wanted in dict(filters(visit.desk)) else "open"
    after = _cursor(visit.asked("after"))
    ledger, actor = visit.desk.ledger, visit.actor
    newest = reads.newest_alert(ledger, actor)  # before the list, so that nothing falls between the two
    found = reads.queue(ledger, actor, wanted=_filter(visit, name), after=after, limit=PAGE)
    rows = [row_of(one, visit.now) for one in found.rows]
    day = reads.day(ledger, actor, since=_midnight(visit))
    response = visit.page(
        "queue.html",
        rows=rows,
        total=found,
        show=name,
        filters=filters(visit.desk),
        newest=newest,
        fresh=0,
        today=_today(day),
        following=found.next and f"/queue?show={name}&after={'-'.join(map(str, found.next))}",
        **_chosen(visit, name, rows),
    )
    if visit.asked("show"):
        visit.set_cookie(response, SHOW, name, seconds=365 * 86_400)
    return response


def preview(visit: Visit) -> Response:
    """The chosen alert and the bar that acts on it, for htmx to put beside the list."""
    name = visit.request.cookies.get(SHOW, "open")
    detail = reads.alert(visit.desk.ledger, visit.actor, whole(visit.place("id"), "id"))
    return visit.page("_beside.html", show=name, **_beside(visit, name, detail, visit.asked("then")))


def take_next(visit: Visit) -> Response:
    """Hold the next case for me and go there: in the queue, or to its account."""
    after = visit.text("after")
    taken = actions.take_next(
        visit.desk.ledger, visit.actor, at=visit.now, after=whole(after, "after") if after else None
    )
    if taken is None:
        return visit.go("/queue", "Nothing is waiting that somebody else does not hold already.", title="Nothing next")
    if visit.text("open") == "case":
        return visit.go(f"{account_link(taken.account)}?alert={taken.id}")
    return visit.go(f"/queue?at={taken.id}")


def routes(desk: Desk) -> list[BaseRoute]:
    """The queue's addresses."""
    return [
        stream(desk, "/queue/stream", _fresh, "_news.html"),
        route(desk, "/queue", show),
        route(desk, "/queue/next", do=take_next),
        route(desk, "/queue/{id}/preview", preview),
    ]


def _fresh(desk: Desk, actor: Actor, request: Request) -> int:
    since = request.query_params.get("since", "0")
    after = int(since) if since.isascii() and since.isdigit() and len(since) < 18 else 0
    return reads.news(desk.ledger, actor, after=after).count


def _chosen(visit: Visit, name: str, rows: list[Row]) -> dict[str, Any]:
    """The alert asked for while it is open, else the one that came after it, else the first."""
    ids = [row.alert.id for row in rows]
    asked = [
        int(one)
        for one in (visit.asked("at"), visit.asked("then"))
        if one.isascii() and one.isdigit() and len(one) < 18
    ]
    for wanted in [*asked, *ids[:1]]:
        if wanted not in ids:
            detail = _open_alert(visit, wanted)
        else:
            detail = reads.alert(visit.desk.ledger, visit.actor, wanted)
        if detail is not None:
            place = ids.index(wanted) if wanted in ids else len(ids)
            then = next(iter(ids[place + 1 :] or ids[place - 1 : place]), "")
            return _beside(visit, name, detail, str(then))
    return {"chosen": None, **_bar(visit)}


def _open_alert(visit: Visit, id: int) -> AlertDetail | None:
    try:
        detail = reads.alert(visit.desk.ledger, visit.actor, id)
    except NotFound:
        return None
    return detail if detail.consequences else None


def _beside(visit: Visit, name: str, detail: AlertDetail, then: str) -> dict[str, Any]:
    of = detail.alert.investigation
    shown = shown_of(detail, visit.now)
    back = f"/queue?show={name}&at={detail.alert.id}" + (f"&then={then}" if then.isdigit() else "")
    acts = offered(
        visit,
        detail.account,
        back,
        alerts=(detail.alert,),
        others=detail.others,
        investigation=detail.account.investigation(of) if of is not None else None,
    )
    return {"chosen": {"row": shown.row, "reasons": shown.reasons, "normal": shown.normal, "acts": acts}, **_bar(visit)}


def _bar(visit: Visit) -> dict[str, Any]:
    return {"verdict_words": VERDICTS, "codes": REASON_CODES, "may_work": may(visit.actor, Deed.FINALISE)}


def _filter(visit: Visit, name: str) -> Filter:
    unit = 10 ** exponent_of(visit.desk.currency)
    return {
        "open": Filter(),
        "mine": Filter("mine"),
        "all": Filter("all"),
        "large": Filter(amount_from_minor=_LARGE * unit),
        "today": Filter(due_before=_midnight(visit) + timedelta(days=1)),
        "declined": Filter(action="decline"),
    }[name]


def _midnight(visit: Visit) -> datetime:
    return datetime.combine(visit.now.astimezone(visit.desk.zone).date(), time(), visit.desk.zone)


def _today(day: reads.Day) -> str:
    if not day.closed:
        return "today: nothing closed yet"
    mean = f", {span(day.mean_seconds)} each" if day.mean_seconds is not None else ""
    return f"today: {count(day.closed, 'closed', 'closed')}, {round(100 * day.fraud / day.closed)} % fraud{mean}"


def _cursor(text: str) -> reads.Cursor | None:
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])
