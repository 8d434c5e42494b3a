"""The other pages: investigations, search, audit, models, people."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from scenes import made_day
from scenes.visitors import Person, browse, plain
from tocsin.desk import actions
from tocsin.desk.model import Direction, Role
from tocsin.desk.web import Desk
from tocsin.ledger import Ledger, models
from tocsin.ledger.tables import case_events


def freeze(ledger: Ledger, ana: Person, clock: Any) -> None:
    made_day.alert(ledger, clock(), account="A-1")
    actions.freeze(ledger, ana.actor, at=clock(), direction=Direction.OUT, reason="takeover likely", alerts=[1])


def test_investigations_pending_mine_and_final(
    ana: Person, person: Callable[..., Person], ledger: Ledger, clock: Any
) -> None:
    ben = person("ben")
    assert "Nothing is pending." in plain(ana.see("/investigations"))
    freeze(ledger, ana, clock)
    assert "A-1 pending frozen 1 € 2,038 you" in plain(ana.see("/investigations"))
    assert "Nothing pending is yours." in plain(ben.see("/investigations?show=mine"))
    ana.send("/investigations/1/verdict", outcome="genuine", reason_code="travel")
    assert "A-1 genuine" in plain(ana.see("/investigations?show=final"))


def test_an_exact_name_leads_straight_to_the_account(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.alert(ledger, clock(), account="A-1/b c")
    assert "Account A-1/b c" in plain(ana.see("/accounts?q=A-1/b%20c"))
    assert "Nothing called “nobody”" in plain(ana.see("/accounts?q=nobody"))


def test_a_payment_an_alert_or_a_device_leads_to_its_account(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.alert(ledger, clock(), account="A-1")
    made_day.alert(ledger, clock(), account="A-2")
    assert "Account A-1" in plain(ana.see("/accounts?q=tx-9"))
    both = plain(ana.see("/accounts?q=A-"))
    assert "account A-1 A-1 account A-2 A-2" in both
    assert "alert 2" in plain(ana.see("/accounts?q=2"))
    assert "device device-7f3a" in plain(ana.see("/accounts?q=device-7f3a"))


def test_accounts_that_are_stopped_are_listed(ana: Person, ledger: Ledger, clock: Any) -> None:
    assert "No account is frozen or blocked." in plain(ana.see("/accounts"))
    freeze(ledger, ana, clock)
    assert "A-1 frozen 12:00 1 pending" in plain(ana.see("/accounts"))


def test_the_audit_shows_every_act_and_verifies(
    ana: Person, person: Callable[..., Person], ledger: Ledger, clock: Any
) -> None:
    otto = person("otto", Role.AUDITOR)
    freeze(ledger, ana, clock)
    page = plain(otto.see("/audit"))
    assert "frozen · freeze 1 A-1 direction: out, investigations: 1, reason: takeover likely" in page
    assert "frozen" not in plain(otto.see("/audit?by=otto")).split("Seal")[1]
    assert "No such event" in plain(otto.see("/audit?account=A-2"))
    assert "The chain is whole" in plain(otto.send("/audit/verify"))
    with ledger.write() as connection:
        connection.execute(case_events.update().where(case_events.c.kind == "frozen").values(actor="ben"))
    page = plain(otto.send("/audit/verify"))
    assert "The chain is broken" in page
    assert "its content is not what was sealed" in page
    ana.see("/audit", 403)


def test_the_audit_comes_a_page_at_a_time(
    ana: Person, person: Callable[..., Person], ledger: Ledger, clock: Any
) -> None:
    otto = person("otto", Role.AUDITOR)
    for one in range(120):
        actions.note(ledger, ana.actor, at=clock(), account="A-1", text=f"note {one}")
    page = otto.see("/audit")
    older = re.search(r'href="(/audit\?[^"]*before=\d+)"', page)
    assert older
    rest = otto.see(older[1].replace("&amp;", "&"))
    with ledger.read() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(case_events)).scalar_one()
    assert page.count("<tr><td") + rest.count("<tr><td") == total


def test_models_can_be_read(ana: Person, ledger: Ledger, clock: Any) -> None:
    assert "No model has been activated." in plain(ana.see("/models"))
    with ledger.write() as connection:
        for version in ("v1", "v2"):
            models.activate(connection, version=version, path="/m", fingerprint=version * 20, actor="ada", at=clock())
    page = plain(ana.see("/models"))
    assert "v2 in force" in page
    assert page.index("v2") < page.index("v1")


def test_people_are_for_admins(person: Callable[..., Person], ana: Person) -> None:
    ana.see("/people", 403)
    ana.send("/people", 403, name="eve", role="admin")
    ada = person("ada", Role.ADMIN)
    assert "ana" in plain(ada.see("/people"))


def test_adding_somebody_gives_a_link_that_lets_them_in(app: Any, person: Callable[..., Person]) -> None:
    ada = person("ada", Role.ADMIN)
    page = ada.send("/people", 200, name="Eve", role="analyst")
    link = re.search(r"http://desk\.test(/welcome/[\w-]+)", page)
    assert link
    assert "for eve" in plain(page)
    assert "Choose a password" in browse(app).get(link[1]).text
    ada.send("/people", 409, name="eve", role="analyst")
    ada.send("/people", 422, name="bad name!", role="analyst")
    ada.send("/people", 422, name="bot", role="service")
    again = ada.send("/people/link", 200, name="eve")
    assert browse(app).get(link[1]).status_code == 401
    assert "/welcome/" in again


def test_a_link_begins_where_people_reach_the_desk(
    desk: Desk, app: Any, person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "address", "https://desk.bank.example")
    page = person("ada", Role.ADMIN).send("/people", 200, name="Eve", role="analyst")
    assert re.search(r"https://desk\.bank\.example/welcome/[\w-]+", page)
    assert "http://desk.test/welcome" not in page


def test_changing_a_role_and_switching_off(person: Callable[..., Person]) -> None:
    ada, ben = person("ada", Role.ADMIN), person("ben")
    assert "ben is senior from now on." in plain(ada.send("/people/role", name="ben", role="senior"))
    assert "Audit" in plain(ben.see("/queue"))
    assert "signed out everywhere" in plain(ada.send("/people/off", name="ben"))
    assert ben.browser.get("/queue").status_code == 303
    assert "/welcome/" in ada.send("/people/on", 200, name="ben")
    ada.send("/people/off", 409, name="ada")
    ada.send("/people/role", 422, name="ben", role="king")
