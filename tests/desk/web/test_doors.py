"""In and out: one-time links, signing in, signing out, and nobody sent elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.applications import Starlette

from scenes.visitors import browse
from tocsin.desk import access
from tocsin.desk.web import Desk, routes
from tocsin.ledger import Ledger

PASSWORD = "a bell in the night"


@pytest.fixture
def browser(app: Starlette) -> Any:
    return browse(app)


@pytest.fixture
def link(desk: Desk) -> str:
    token = access.first_admin(desk.ledger, at=desk.clock())
    return f"/welcome/{token}"


def mark(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def choose(browser: Any, link: str, password: str = PASSWORD, again: str | None = None) -> Any:
    page = browser.get(link).text
    return browser.post(link, data={"csrf": mark(page), "password": password, "again": again or password})


def sign_in(browser: Any, password: str = PASSWORD, name: str = "admin", following: str = "/queue") -> Any:
    page = browser.get("/sign-in").text
    form = {"csrf": mark(page), "name": name, "password": password, "next": following}
    return browser.post("/sign-in", data=form)


def test_a_link_sets_the_password_and_lets_in(browser: Any, link: str) -> None:
    answer = choose(browser, link)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/queue"
    assert browser.get("/queue").status_code == 200


def test_a_link_works_once_and_says_so(browser: Any, link: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    spent = browser.get(link)
    assert spent.status_code == 401
    assert "was used, has run out, or never was" in spent.text


def test_a_link_runs_out(browser: Any, link: str, clock: Any) -> None:
    clock.move(days=4)
    assert browser.get(link).status_code == 401


def test_a_short_password_is_refused_in_words_and_the_link_stays_good(browser: Any, link: str) -> None:
    refused = choose(browser, link, "short")
    assert refused.status_code == 422
    assert "12 to 200 characters" in refused.text
    assert choose(browser, link, PASSWORD, "another one entirely").status_code == 422
    assert choose(browser, link).status_code == 303


def test_signing_in_and_out(browser: Any, link: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    assert sign_in(browser).headers["location"] == "/queue"
    csrf = re.search(r"X-CSRF-Token&#34;: &#34;([^&]+)|X-CSRF-Token\": \"([^\"]+)", browser.get("/queue").text)
    assert csrf
    stolen = browser.cookies["tocsin_session"]
    assert browser.post("/sign-out", data={"csrf": csrf[1] or csrf[2]}).headers["location"] == "/sign-in"
    browser.cookies.set("tocsin_session", stolen)
    assert browser.get("/queue").status_code == 303  # the session is gone, not only the cookie


def test_a_wrong_password_does_not_say_what_was_wrong(browser: Any, link: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    wrong, nobody = sign_in(browser, "not this one"), sign_in(browser, name="nobody")
    assert wrong.status_code == nobody.status_code == 401
    words = "Name and password must belong together; these do not."
    assert words in wrong.text
    assert words in nobody.text


def test_too_many_tries_are_told_to_wait(browser: Any, link: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    last = [sign_in(browser, "not this one").status_code for _ in range(6)][-1]
    assert last == 429


@pytest.mark.parametrize("elsewhere", ["https://evil.test", "//evil.test/x", "/\\evil.test", "evil", "/a\nb"])
def test_nobody_is_sent_elsewhere(browser: Any, link: str, elsewhere: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    assert sign_in(browser, following=elsewhere).headers["location"] == "/queue"


def test_who_is_not_signed_in_comes_back_to_where_they_were(browser: Any, link: str) -> None:
    choose(browser, link)
    browser.cookies.clear()
    away = browser.get("/accounts/A-1?alert=3")
    assert away.status_code == 303
    assert away.headers["location"] == "/sign-in?next=/accounts/A-1%3Falert%3D3"
    assert 'value="/accounts/A-1?alert=3"' in browser.get(away.headers["location"]).text


def test_an_idle_session_ends(browser: Any, link: str, clock: Any) -> None:
    choose(browser, link)
    clock.move(minutes=61)
    assert browser.get("/queue").headers["location"] == "/sign-in?next=/queue"


@pytest.mark.parametrize("secure", [False, True])
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(ledger: Ledger, clock: Any, secure: bool) -> None:
    desk = Desk(ledger, clock=clock, secure_cookies=secure)
    browser = browse(Starlette(routes=routes(desk)), "https://desk.test")
    token = access.first_admin(ledger, at=clock())
    cookie = choose(browser, f"/welcome/{token}").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert ("secure" in cookie) is secure


def test_the_look_is_kept(browser: Any, link: str) -> None:
    choose(browser, link)
    csrf = mark(browser.get("/queue").text)
    browser.post("/look", data={"csrf": csrf, "look": "dark", "back": "/queue"})
    assert 'data-look="dark"' in browser.get("/queue").text
    browser.post("/look", data={"csrf": csrf, "look": "", "back": "/queue"})
    assert "data-look" not in browser.get("/queue").text
