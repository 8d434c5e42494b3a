"""The payments a verdict labels are chosen on its sheet: those of the alerts ticked, other recent ones not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scenes.desk import Scene
from scenes.visitors import Person, plain
from tocsin.desk import actions, chosen
from tocsin.desk.model import Role
from tocsin.ledger import Ledger
from tocsin.ledger.tables import labels

HERE = "/accounts/A"
NOTHING = "It labels nothing for the next model."


@pytest.fixture
def scene(ledger: Ledger, clock: Any) -> Scene:
    return Scene(ledger, at=clock() - timedelta(minutes=10))


def sheet(page: str, outcome: str) -> str:
    """The form of one verdict, as the page wrote it."""
    found = re.search(rf'<details class="act" data-key="." data-act="{outcome}">.*?</details>', page, re.S)
    assert found
    return found[0]


def boxes(page: str, outcome: str = "fraud") -> dict[int, bool]:
    """Each payment's number on the sheet, in order, and whether it is ticked."""
    found = re.findall(r'name="payment" value="(\d+)"( checked)?', sheet(page, outcome))
    return {int(number): bool(ticked) for number, ticked in found}


def give(who: Person, to: str, outcome: str, payments: list[int], **more: object) -> str:
    """Send a verdict's form with these payments ticked; the page it leads to."""
    code = {"fraud": "takeover", "genuine": "travel"}[outcome]
    form = {"csrf": who.session.csrf, "outcome": outcome, "reason_code": code, "choose": "1", "back": HERE}
    answer = who.browser.post(to, data=form | {"payment": [str(one) for one in payments]} | more)
    return plain(who.see(answer.headers["location"]) if answer.status_code == 303 else answer.text)


def labelled(ledger: Ledger) -> list[tuple[int, str]]:
    query = sa.select(labels.c.transaction_number, labels.c.finding).order_by(labels.c.number)
    with ledger.read() as connection:
        return [(number, finding) for number, finding in connection.execute(query)]


@pytest.mark.parametrize("path", ["/queue?at=1", HERE])
def test_the_alerts_payment_is_ticked_and_the_others_follow_newest_first(ana: Person, scene: Scene, path: str) -> None:
    old, _ = Scene(scene.ledger, at=scene.at - timedelta(days=31)).pay("A", score=None)
    paid, _ = scene.pay("A", payee="baker", minor=1_250, score=None)
    scene.alert("A")
    got, _ = scene.pay("Z", payee="A", score=None)
    scene.pay("Z", score=None)
    page = ana.see(path)
    rung = got - 1
    assert boxes(page) == boxes(page, "genuine") == {rung: True, got: False, paid: False}
    assert old not in boxes(page)
    assert boxes(page, "inconclusive") == {}
    words = plain(sheet(page, "fraud"))
    assert "Payments it marks as fraud" in words
    assert "€ 12.50 to baker 11:50 approved" in words
    assert "€ 100.00 from Z 11:50 approved" in words
    assert "€ 100.00 to shop 11:50 review" in words


def test_at_most_twenty_others_are_listed(ana: Person, scene: Scene) -> None:
    numbers = [scene.pay("A", score=None)[0] for _ in range(25)]
    scene.alert("A")
    assert list(boxes(ana.see(HERE)))[1:] == numbers[:4:-1]


def test_what_is_ticked_is_labelled_and_nothing_else(ana: Person, scene: Scene) -> None:
    other, _ = scene.pay("A", score=None)
    scene.pay("A", score=None)
    alert = scene.alert("A")
    page = give(ana, "/alerts/verdict", "fraud", [other], alerts=alert)
    assert "1 payment labelled for the next model." in page
    assert labelled(scene.ledger) == [(other, "fraud")]


def test_an_investigations_verdict_labels_what_is_ticked(ana: Person, scene: Scene) -> None:
    first, second = scene.alert("A"), scene.alert("A")
    extra, _ = scene.pay("A", score=None)
    actions.open_investigation(scene.ledger, ana.actor, at=scene.now, subject="x", alerts=[first, second])
    assert boxes(ana.see(HERE)) == {extra - 1: True, extra - 2: True, extra: False}
    give(ana, "/investigations/1/verdict", "genuine", [extra, extra - 2])
    assert labelled(scene.ledger) == [(extra - 2, "genuine"), (extra, "genuine")]


def test_nothing_ticked_labels_nothing_and_is_said(ana: Person, scene: Scene) -> None:
    page = give(ana, "/alerts/verdict", "fraud", [], alerts=scene.alert("A"))
    assert "No payment was labelled." in page
    assert labelled(scene.ledger) == []


def test_alerts_taken_along_bring_their_payments(ana: Person, scene: Scene) -> None:
    first, second = scene.alert("A"), scene.alert("A")
    page = sheet(ana.see(f"/queue?at={first}"), "fraud")
    ticked = [int(one) for one in re.findall(r'name="payment" value="(\d+)"', page)]
    along = re.search(r'name="along" value="(\d+)"', page)
    assert along
    assert int(along[1]) not in ticked  # it comes with its alert, not by a tick of its own
    give(ana, "/alerts/verdict", "fraud", ticked, alerts=first, also=second, along=along[1])
    assert labelled(scene.ledger) == [(ticked[0], "fraud"), (int(along[1]), "fraud")]


def test_alerts_left_behind_bring_nothing(ana: Person, scene: Scene) -> None:
    first, _ = scene.alert("A"), scene.alert("A")
    page = sheet(ana.see(f"/queue?at={first}"), "fraud")
    ticked = [int(one) for one in re.findall(r'name="payment" value="(\d+)"', page)]
    give(ana, "/alerts/verdict", "fraud", ticked, alerts=first, along="2")
    assert labelled(scene.ledger) == [(ticked[0], "fraud")]


def test_a_verdict_with_nothing_to_label_says_so_before(ana: Person, scene: Scene) -> None:
    Scene(scene.ledger, at=scene.at - timedelta(days=40)).pay("A", score=None)
    scene.open("A", ana.actor)
    page = ana.see(HERE)
    for outcome in ("fraud", "genuine"):
        assert boxes(page, outcome) == {}
        assert NOTHING in plain(sheet(page, outcome))
    assert NOTHING not in plain(sheet(page, "inconclusive"))


def test_with_too_many_alerts_to_choose_from_all_are_labelled(
    ana: Person, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen, "MOST_OF_ALERTS", 2)
    three = [scene.alert("A") for _ in range(3)]
    actions.open_investigation(scene.ledger, ana.actor, at=scene.now, subject="x", alerts=three)
    form = sheet(ana.see(HERE), "fraud")
    assert "It labels the payments of all its 3 alerts." in plain(form)
    assert 'name="choose"' not in form
    page = ana.send("/investigations/1/verdict", outcome="fraud", reason_code="takeover", back=HERE)
    assert "3 payments labelled for the next model." in plain(page)


def test_a_strangers_payment_is_refused_and_nothing_is_done(ana: Person, scene: Scene) -> None:
    alert = scene.alert("A")
    strange, _ = scene.pay("Z", score=None)
    assert "is neither" in give(ana, "/alerts/verdict", "fraud", [strange], alerts=alert)
    assert "whole number" in give(ana, "/alerts/verdict", "fraud", [], alerts=alert, payment="x")
    assert labelled(scene.ledger) == []
    assert NOTHING in plain(ana.see(HERE))  # the sheet is still there: nothing was closed


def test_who_only_reads_is_offered_no_payments(person: Callable[..., Person], scene: Scene) -> None:
    scene.alert("A")
    assert 'name="payment"' not in person("otto", Role.AUDITOR).see(HERE)
