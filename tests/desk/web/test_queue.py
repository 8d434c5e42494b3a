"""The queue's page: order, filters that stay, the preview, and verdicts without leaving it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scenes import made_day
from scenes.visitors import Person, plain
from tocsin.desk import actions
from tocsin.desk.model import Direction, Outcome, Role
from tocsin.ledger import Ledger
from tocsin.ledger.tables import alerts


def ids(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'<tr class="row" data-alert="(\d+)"', page)]


def chosen(page: str) -> int:
    found = re.search(r'data-alert="(\d+)"[^>]*aria-selected="true"', page)
    assert found
    return int(found[1])


@pytest.fixture
def rung(ledger: Ledger, clock: Any) -> list[int]:
    return made_day.fill(ledger, clock(), 8)


def test_an_empty_queue_says_so(ana: Person) -> None:
    page = plain(ana.see("/queue"))
    assert "0 open" in page
    assert "Nothing is waiting" in page


def test_most_at_stake_comes_first_and_is_told_beside_the_list(ana: Person, rung: list[int], ledger: Ledger) -> None:
    page = ana.see("/queue")
    assert len(ids(page)) == 8
    assert ids(page)[0] == chosen(page) == rung[0]
    words = plain(page)
    with ledger.read() as connection:
        stakes = list(connection.execute(sa.select(alerts.c.stake_minor)).scalars())
    assert f"8 open · € {round(sum(stakes) / 100):,} at stake" in words
    assert "What each kind of data said (odds against the base of 1 in 420)" in words
    assert "All together about 82 in 100 × 1,933" in words
    assert "Device one phone, 3 years new, 40 min" in words


def test_the_filter_stays(ana: Person, rung: list[int]) -> None:
    page = ana.see("/queue?show=large")
    assert 0 < len(ids(page)) < 8
    assert ids(ana.see("/queue")) == ids(page)
    assert len(ids(ana.see("/queue?show=open"))) == 8
    assert ids(ana.see("/queue?show=declined")) == []
    assert len(ids(ana.see("/queue?show=nonsense"))) == 8


def test_any_alert_can_be_chosen_by_its_address(ana: Person, rung: list[int]) -> None:
    assert chosen(ana.see(f"/queue?at={rung[3]}")) == rung[3]
    for nonsense in ("999999", "x", "-1", "9" * 40):
        assert chosen(ana.see(f"/queue?at={nonsense}")) == rung[0]


def test_the_preview_carries_the_bar_that_acts_on_it(ana: Person, rung: list[int]) -> None:
    piece = ana.see(f"/queue/{rung[1]}/preview?then={rung[2]}")
    assert "<html" not in piece
    assert f'data-alert="{rung[1]}" hx-swap-oob="true" data-beside' in piece
    assert f'name="alerts" value="{rung[1]}"' in piece
    assert f"at={rung[1]}&amp;then={rung[2]}" in piece
    ana.see("/queue/999/preview", 404)
    ana.see("/queue/x/preview", 422)


def test_a_verdict_needs_no_second_page_and_goes_on_to_the_next(ana: Person, rung: list[int]) -> None:
    first, second = ids(ana.see("/queue"))[:2]
    page = ana.send(
        "/alerts/verdict",
        alerts=first,
        outcome="genuine",
        reason_code="travel",
        back=f"/queue?show=open&at={first}&then={second}",
    )
    assert first not in ids(page)
    assert chosen(page) == second
    assert "Investigation 1 is final: genuine" in plain(page)
    assert "today: 1 closed, 0 % fraud" in plain(page)


def test_what_a_verdict_will_do_is_said_before(ana: Person, ledger: Ledger, clock: Any, rung: list[int]) -> None:
    words = plain(ana.see("/queue"))
    assert "A verdict on alert 1 leaves nothing pending; the account is not frozen" in words
    assert "so money keeps moving; freeze it first if it must stop" in words
    ana.send("/accounts/freeze", alerts=1, direction="out", reason="takeover")
    words = plain(ana.see("/queue?at=1"))
    assert "a verdict on 1 releases the account at once; fraud blocks it" in words
    assert "A verdict on 1 ends the freeze and blocks the account, outgoing; a senior lifts a block." in words


def test_a_freeze_keeps_the_alert_in_my_queue_until_the_verdict(ana: Person, rung: list[int]) -> None:
    page = ana.send("/accounts/freeze", alerts=1, direction="both", reason="takeover", back="/queue?at=1")
    assert chosen(page) == 1
    assert "is frozen, both ways. It lifts by itself when investigation 1 is final." in plain(page)
    assert "frozen pending · 1 yours" in plain(page)


def test_two_analysts_on_one_alert(person: Callable[..., Person], rung: list[int]) -> None:
    ana, ben = person("ana"), person("ben")
    ana.send("/alerts/verdict", alerts=1, outcome="genuine", reason_code="travel")
    refused = plain(ben.send("/alerts/verdict", 409, alerts=1, outcome="fraud", reason_code="takeover", htmx=True))
    assert "Not as things stand now" in refused
    assert "alert 1 is joined to investigation 1" in refused


def test_next_holds_the_case_for_me(person: Callable[..., Person], rung: list[int]) -> None:
    ana, ben = person("ana"), person("ben")
    page = ana.send("/queue/next", after="")
    assert chosen(page) == 1
    assert "yours" in plain(page)
    assert chosen(ben.send("/queue/next", after="")) == 2
    assert "ana" in plain(ben.see("/queue/1/preview"))
    held = plain(ben.send("/alerts/1/dismiss", 409, text="not mine to take"))
    assert "Alert 1 is held by ana" in held
    assert (
        "/accounts/"
        in ben.browser.post("/queue/next", data={"csrf": ben.session.csrf, "open": "case"}).headers["location"]
    )


def test_next_with_nothing_waiting(ana: Person) -> None:
    assert "Nothing next" in plain(ana.send("/queue/next", after=""))


def test_many_are_dismissed_with_one_reason_and_what_cannot_be_is_named(
    person: Callable[..., Person], rung: list[int], ledger: Ledger
) -> None:
    ana, ben = person("ana"), person("ben")
    ben.send("/queue/next", after="")
    form = {"csrf": ana.session.csrf, "alert": ["1", "2", "3"], "text": "one retailer, known outage"}
    answer = ana.browser.post("/queue/dismiss", data=form)
    page = plain(ana.see(answer.headers["location"]))
    assert "2 alerts dismissed. alert 1 is held by ben." in page
    assert len(ids(ana.see("/queue"))) == 6
    ana.send("/queue/dismiss", 422, text="nothing chosen")


def test_who_only_reads_gets_no_forms(person: Callable[..., Person], rung: list[int]) -> None:
    for role in (Role.AUDITOR, Role.ADMIN):
        one = person(f"{role}1", role)
        page = one.see("/queue")
        assert "/alerts/verdict" not in page
        assert f"As {role} you read; analysts and seniors decide." in plain(page)
        one.send("/alerts/verdict", 403, alerts=1, outcome="fraud", reason_code="takeover")
        one.send("/queue/next", 403, after="")


@pytest.mark.parametrize(
    "wrong",
    [{"outcome": "mistake"}, {"outcome": "guilty"}, {"reason_code": "travel"}, {"alerts": ""}, {"alerts": "1,x"}],
)
def test_a_verdict_that_does_not_fit_is_refused(ana: Person, rung: list[int], wrong: dict[str, str]) -> None:
    ana.send("/alerts/verdict", 422, **({"alerts": "1", "outcome": "fraud", "reason_code": "takeover"} | wrong))
    assert len(ids(ana.see("/queue"))) == 8


def test_three_hundred_alerts_come_a_page_at_a_time(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.fill(ledger, clock(), 120)
    page = ana.see("/queue")
    assert len(ids(page)) == 100
    following = re.search(r'href="(/queue\?show=open&amp;after=[0-9-]+)"', page)
    assert following
    rest = ids(ana.see(following[1].replace("&amp;", "&")))
    assert len(rest) == 20
    assert not set(rest) & set(ids(page))
    assert len(ids(ana.see("/queue?after=1-2"))) == 100


def test_several_alerts_of_one_account_are_told(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.alert(ledger, clock(), 0, account="A-1")
    made_day.alert(ledger, clock(), 1, account="A-1")
    assert plain(ana.see("/queue")).count("2 alerts") == 3  # two rows and the preview


def test_a_verdict_may_take_the_accounts_other_alerts_along(ana: Person, ledger: Ledger, clock: Any) -> None:
    for which in range(3):
        made_day.alert(ledger, clock(), which, account="A-1")
    page = ana.see("/queue?at=1")
    assert "and the 2 other new alerts of this account" in plain(page)
    form = {"alerts": 1, "also": "2,3", "outcome": "fraud", "reason_code": "takeover"}
    page = ana.send("/alerts/verdict", **form)
    assert ids(page) == []
    assert "3 payments labelled for the next model." in plain(page)


def test_an_alert_whose_reasons_are_still_being_written(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.alert(ledger, clock(), why="")
    assert "The reasons are being written down." in plain(ana.see("/queue"))


def test_a_frozen_account_is_mine_to_finish_and_everybodys_to_see(
    person: Callable[..., Person], ledger: Ledger, clock: Any, rung: list[int]
) -> None:
    ana, ben = person("ana"), person("ben")
    actions.freeze(ledger, ana.actor, at=clock(), direction=Direction.OUT, reason="takeover", alerts=[1])
    assert 1 in ids(ana.see("/queue?show=mine"))
    assert 1 not in ids(ben.see("/queue?show=open"))
    assert 1 in ids(ben.see("/queue?show=all"))
    clock.move(minutes=5)
    actions.finalise(
        ledger, ben.actor, at=clock(), investigation=1, outcome=Outcome.FRAUD, reason_code="takeover", note=""
    )
    assert 1 not in ids(ben.see("/queue?show=all"))
    assert "1 closed, 100 % fraud, 5 min each" in plain(ben.see("/queue"))


def test_due_today_ends_at_midnight_here(ana: Person, ledger: Ledger, clock: Any) -> None:
    made_day.alert(ledger, clock(), due=60)
    made_day.alert(ledger, clock() + timedelta(hours=13), 1, due=60)
    assert ids(ana.see("/queue?show=today")) == [1]
