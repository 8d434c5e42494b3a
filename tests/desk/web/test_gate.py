"""What every page passes: the mark of the session, where a form comes from, and what a browser is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

import tocsin.desk.web
from scenes import made_day
from scenes.postgres import fresh_database
from scenes.visitors import Person, browse, plain
from tocsin.desk.model import Role
from tocsin.desk.web import Desk, routes
from tocsin.desk.web.gate import session_of
from tocsin.ledger import Ledger

TEMPLATES = Path(tocsin.desk.web.__file__).parent / "templates"


def posts(app: Starlette) -> list[str]:
    found = [one.path for one in app.routes if isinstance(one, Route) and "POST" in (one.methods or ())]
    assert len(found) > 15
    return [path.replace("{id}", "1").replace("{token}", "nobodys") for path in found]


def pages(app: Starlette) -> list[str]:
    found = [one.path for one in app.routes if isinstance(one, Route) and "GET" in (one.methods or ())]
    filled = [
        one.replace("{id}", "1").replace("{token}", "nobodys").replace("{account:path}", made_day.account_of(0))
        for one in found
    ]
    return [path for path in filled if path not in ("/", "/queue/stream", "/case/stream")]


@pytest.fixture
def filled(ledger: Ledger, clock: Any) -> list[int]:
    return made_day.fill(ledger, clock(), 3)


def test_no_form_is_taken_without_the_mark_of_the_session(app: Starlette, ana: Person) -> None:
    for path in posts(app):
        for mark in ({}, {"csrf": ""}, {"csrf": "another"}):
            refused = ana.browser.post(path, data=mark | {"text": "x", "alerts": "1"})
            assert refused.status_code == 403, path
            assert "mark" in refused.text


def test_no_form_is_taken_from_another_site(app: Starlette, ana: Person) -> None:
    for path in posts(app):
        for header in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.test"},
        ):
            refused = ana.browser.post(path, data={"csrf": ana.session.csrf}, headers=header)
            assert refused.status_code == 403, path
            assert "another site" in refused.text


def test_nobody_sends_a_form_without_signing_in(app: Starlette) -> None:
    stranger = browse(app)
    for path in posts(app):
        answer = stranger.post(path, data={"csrf": "x"})
        entry = path.startswith(("/sign-in", "/welcome"))
        assert answer.status_code == (403 if entry else 303), path
        assert entry or answer.headers["location"].startswith("/sign-in")


def test_nobody_reads_a_page_without_signing_in(app: Starlette, filled: list[int]) -> None:
    stranger = browse(app)
    for path in pages(app):
        if not path.startswith(("/sign-in", "/welcome")):
            assert stranger.get(path).headers["location"].startswith("/sign-in"), path
    assert stranger.get("/queue/stream").status_code == 204
    assert stranger.get("/case/stream?account=A-1").status_code == 204


def test_every_page_tells_the_browser_what_it_may_do(
    app: Starlette, person: Callable[..., Person], filled: list[int]
) -> None:
    for one in (person("ana"), person("ada", Role.ADMIN)):
        for path in pages(app):
            answer = one.browser.get(path)
            assert answer.status_code in (200, 303, 401, 403), path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", answer.text), path


def test_no_template_fetches_anything_from_elsewhere() -> None:
    for template in TEMPLATES.glob("*.html"):
        assert not re.search(r"""(src|href|action)=["'](https?:)?//""", template.read_text()), template.name


def test_static_files_are_kept_as_long_as_they_stay_the_same(app: Starlette, ana: Person) -> None:
    sheet = re.search(r'href="(/static/desk\.css\?[0-9a-f]{8})"', ana.see("/queue"))
    assert sheet
    assert "immutable" in ana.browser.get(sheet[1]).headers["cache-control"]
    assert ana.browser.get("/static/desk.css").headers["cache-control"] == "no-cache"
    assert ana.browser.get("/static/../desk.py").status_code == 404


@pytest.mark.postgres
def test_what_postgresql_cannot_hold_never_reaches_it(clock: Any) -> None:
    ledger = Ledger(fresh_database())
    ledger.create()
    desk = Desk(ledger, clock=clock, secure_cookies=False)
    app = Starlette(routes=routes(desk))
    ana = Person(app, desk, "ana", Role.ADMIN)
    for path in ("/accounts/a%00b", "/welcome/%00"):
        assert ana.browser.get(path).status_code == 404, path
    for path in ("/queue?show=%00&after=%00", "/accounts?q=%00", "/audit?account=%00a&by=%00", "/accounts?q=a%00b"):
        assert ana.browser.get(path).status_code in (200, 403), path
    for path in ("/sign-in", "/people", "/notes", "/accounts/freeze"):
        sent = {"csrf": ana.session.csrf, "name": "a\0b", "text": "\0", "account": "\0", "reason": "\0"}
        assert ana.browser.post(path, data=sent).status_code == 422, path
    ledger.close()


def test_what_was_said_fits_into_a_cookie(ledger: Ledger, clock: Any, ana: Person) -> None:
    many = [str(one) for one in made_day.fill(ledger, clock(), 80)]
    for _ in range(2):  # the second time every one of them is refused, by name
        sent = {"csrf": ana.session.csrf, "text": "x", "alert": many}
        answer = ana.browser.post("/queue/dismiss", data=sent)
        assert answer.status_code == 303
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("tocsin_said=")]
    assert len(cookie) < 4096
    assert "0 alerts dismissed" in ana.see("/queue")


def test_a_form_that_is_too_large_or_no_form_is_refused(ana: Person) -> None:
    assert ana.browser.post("/notes", data={"csrf": ana.session.csrf, "text": "x" * 70_000}).status_code == 413
    assert ana.browser.post("/notes", json={"csrf": ana.session.csrf}).status_code == 422
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ana.browser.post("/notes", content=b"csrf=\xff\xfe%ff", headers=head).status_code in (403, 422)
    assert ana.browser.post("/notes", content=b"&".join(b"a=1" for _ in range(1_100)), headers=head).status_code == 422


@pytest.mark.parametrize("forged", ["", "%%%", "bm90IGpzb24=", "eyJraW5kIjogMX0=", "bnVsbA==", "W10="])
def test_a_forged_message_cookie_is_ignored(ana: Person, forged: str) -> None:
    ana.browser.cookies.set("tocsin_said", forged)
    assert "Queue" in plain(ana.see("/queue"))


def test_names_and_notes_are_shown_as_written_and_never_run(ledger: Ledger, clock: Any, ana: Person) -> None:
    nasty = "<script>alert(1)</script>\"'/..//é"
    made_day.alert(ledger, clock(), account=nasty, why="<img src=x onerror=alert(2)>")
    page = ana.see("/queue")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    link = re.search(r'data-open="(/accounts/[^"]+)"', page)
    assert link
    account = ana.see(link[1].replace("&amp;", "&"))
    assert "<script>alert" not in account
    assert "&lt;script&gt;alert(1)" in account
    ana.send("/notes", account=nasty, text="</textarea><b>bold</b>", back=link[1])
    assert "<b>bold" not in ana.see(link[1].replace("&amp;", "&"))


def test_what_is_refused_is_a_page_in_words_or_a_message_above_the_page(ana: Person) -> None:
    page = plain(ana.send("/alerts/99/dismiss", 404, text="no such"))
    assert "Back to how it stands now" in page
    answer = ana.browser.post(
        "/alerts/99/dismiss", data={"csrf": ana.session.csrf, "text": "x"}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 404
    assert answer.headers["HX-Retarget"] == "#toasts"
    assert answer.headers["HX-Trigger"] == "stale"
    assert "<html" not in answer.text


def test_htmx_is_sent_to_the_door_when_the_session_has_ended(ana: Person, clock: Any) -> None:
    clock.move(hours=13)
    answer = ana.browser.get("/queue/1/preview", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/queue"


def test_a_zone_or_currency_nobody_knows_is_refused(ledger: Ledger) -> None:
    from tocsin.errors import BadInput

    for wrong in ({"currency": "XXX"}, {"zone": "Mars/Olympus"}):
        with pytest.raises(BadInput):
            Desk(ledger, **wrong)


def test_nothing_but_the_desk_is_served(app: Starlette, desk: Desk, ana: Person) -> None:
    assert {type(one).__name__ for one in routes(desk)} == {"Route", "Mount"}
    assert ana.browser.get("/nowhere").status_code == 404
    assert ana.browser.get("/v1/transactions").status_code == 404  # nothing of the desk stands in the API's way


def test_watching_the_queue_keeps_no_session_alive(app: Starlette, ana: Person, desk: Desk, clock: Any) -> None:
    token = ana.browser.cookies["tocsin_session"]
    request = Request({"type": "http", "headers": [(b"cookie", f"tocsin_session={token}".encode())]})
    for _ in range(59):
        clock.move(minutes=1)
        assert session_of(desk, request, clock(), touch=False)
    clock.move(minutes=1)
    assert session_of(desk, request, clock(), touch=False) is None
