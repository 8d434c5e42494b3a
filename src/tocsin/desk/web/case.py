"""An account's page: how it stands, what happened, what was found, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import history, reads
from tocsin.desk.history import AccountPage, Place, Progress, Timeline
from tocsin.desk.model import REASON_CODES, Account, Actor, Block, Investigation
from tocsin.desk.reads import AlertDetail
from tocsin.desk.web import chronicle
from tocsin.desk.web.acts import VERDICTS
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route
from tocsin.desk.web.news import stream
from tocsin.desk.web.offered import offered
from tocsin.desk.web.shown import account_link, shown_of
from tocsin.desk.web.words import clock
from tocsin.errors import NotFound


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands against the account, since when, by whom, and how it ends."""

    title: str
    text: str
    far: str = ""


def show(visit: Visit) -> Response:
    """The page of one account; ``?alert=`` and ``?investigation=`` say which of its work is in hand."""
    name, ledger = visit.place("account"), visit.desk.ledger
    page = history.account_page(ledger, visit.actor, name)
    timeline, place = page.timeline, _place(visit.asked("after"))
    if place is not None:
        timeline = history.timeline(ledger, visit.actor, name, after=place)
    focus = _focus(page.account, _number(visit.asked("investigation")), visit.actor.name)
    detail = _detail(visit, page, focus)
    if detail is not None and not visit.asked("investigation"):
        of = detail.alert.investigation
        focus = page.account.investigation(of) if of is not None else (None if detail.alert.status == "new" else focus)
    asked = f"?investigation={focus.id}" if focus else f"?alert={detail.alert.id}" if detail else ""
    doable = offered(
        visit,
        page.account,
        account_link(name) + asked,
        alerts=(detail.alert,) if detail and focus is None else (),
        others=detail.others if detail else (),
        investigation=focus,
    )
    return visit.page(
        "case.html",
        case=page,
        name=name,
        link=account_link(name),
        banners=_banners(visit, page),
        shown=shown_of(detail, visit.now) if detail else None,
        focus=focus,
        doable=doable,
        timeline=chronicle.lines(timeline.entries, visit.actor.name, visit.now, visit.desk.zone),
        notes=chronicle.notes(page.timeline.entries),
        older=_older(account_link(name), timeline),
        newer=account_link(name) if place is not None else "",
        news=f"/case/stream?account={quote(name, safe='')}&since={'-'.join(map(str, page.timeline.first))}",
        fresh=0,
        verdict_words=VERDICTS,
        codes=REASON_CODES,
        reason_words=chronicle.REASON_WORDS,
        colleagues=_colleagues(visit, focus),
    )


def routes(desk: Desk) -> list[BaseRoute]:
    """The account's address; its name may hold anything, so it comes last of all that begin alike."""
    return [stream(desk, "/case/stream", _fresh, "_case_news.html"), route(desk, "/accounts/{account:path}", show)]


def _fresh(desk: Desk, actor: Actor, request: Request) -> int:
    since = _place(request.query_params.get("since", "")) or (0, 0, 0)
    name = request.query_params.get("account", "").replace("\0", "")
    return history.news(desk.ledger, actor, name, after=since)


def _focus(account: Account, asked: int | None, me: str) -> Investigation | None:
    if asked is not None:
        return account.investigation(asked)
    mine = [one for one in account.pending if one.assigned_to == me]
    return next(iter([*mine, *account.pending]), None)


def _detail(visit: Visit, page: AccountPage, focus: Investigation | None) -> AlertDetail | None:
    """The alert asked for; else the newest of the investigation in hand, the newest open one, the newest ever."""
    asked = _number(visit.asked("alert"))
    if asked is not None:
        found = reads.alert(visit.desk.ledger, visit.actor, asked)
        if found.alert.account != page.account.name:
            raise NotFound(f"alert {asked} is not of this account.", hint="Follow the link from the queue.")
        return found
    its = [one.id for one in page.alerts if focus is not None and one.investigation == focus.id]
    past = [
        one.payment.alert for one in page.timeline.entries if one.payment and one.payment.alert and one.what == "paid"
    ]
    ids = [*its, *(one.id for one in page.alerts), *past]
    return reads.alert(visit.desk.ledger, visit.actor, ids[0]) if ids else None


def _banners(visit: Visit, page: AccountPage) -> list[Banner]:
    return [_freeze(visit, one) for one in page.freezes] + [_block(visit, one) for one in page.account.active_blocks]


def _freeze(visit: Visit, one: Progress) -> Banner:
    freeze, left = one.freeze, len(one.pending)
    when = {
        1: f"investigation {one.pending[0].id} is final" if one.pending else "",
        2: "both pending investigations are final",
    }
    ends = f"lifts by itself when {when.get(left, f'all {left} pending investigations are final')}"
    if freeze.fraud_in is not None:
        ends = ends.replace("lifts by itself", f"becomes a block (fraud in {freeze.fraud_in})")
    text = f"since {_since(visit, freeze.set_at)} by {_who(visit, freeze.set_by)} · {ends} · “{freeze.reason}”"
    return Banner(f"Frozen, {freeze.direction.words}", text, f"{one.final} of {one.total} final")


def _block(visit: Visit, one: Block) -> Banner:
    ends = "lifted only when somebody asks and a senior who neither asked nor set it agrees"
    if one.lift_asked_by is not None:
        ends = f"{_who(visit, one.lift_asked_by)} asked to lift it: “{one.lift_reason}”"
    since = _since(visit, one.set_at)
    text = f"since {since} by {_who(visit, one.set_by)}, fraud in investigation {one.investigation} · {ends}"
    return Banner(f"Blocked, {one.direction.words}", text)


def _who(visit: Visit, name: str) -> str:
    return "you" if name == visit.actor.name else name


def _since(visit: Visit, at: datetime) -> str:
    return clock(at, visit.now, visit.desk.zone)


def _colleagues(visit: Visit, focus: Investigation | None) -> list[str]:
    people = reads.list_people(visit.desk.ledger, visit.actor)
    able = [one.name for one in people if one.active and one.role in ("analyst", "senior")]
    return [name for name in able if focus is None or name != focus.assigned_to]


def _older(link: str, timeline: Timeline) -> str:
    return f"{link}?after={'-'.join(map(str, timeline.next))}" if timeline.next else ""


def _place(text: str) -> Place | None:
    parts = text.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
