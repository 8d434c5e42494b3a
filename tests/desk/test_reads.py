"""What the desk shows: the queue's order and pages, one alert, an account's timeline, the audit."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from scenes.desk import ADA, ANA, AUD, BEN, START, SUE, Scene
from tocsin.desk import actions, history, reads
from tocsin.desk.model import Direction, Outcome
from tocsin.desk.reads import Filter
from tocsin.errors import NotFound
from tocsin.ledger import microseconds, tables
from tocsin.ledger.sequence import take_numbers


def test_the_queue_is_ordered_by_stake_then_age_and_pages_add_up_to_it(scene: Scene) -> None:
    minors = [300, 900, 300, 700, 300, 100, 900]
    made = [scene.alert(f"A{place}", minor=minor) for place, minor in enumerate(minors)]
    expected = [id for _, id in sorted(zip([-one for one in minors], made, strict=True))]
    pages, after = [], None
    while True:
        page = reads.queue(scene.ledger, ANA, after=after, limit=2)
        assert (page.count, page.stake_minor) == (7, sum(minors) // 2)
        assert page.oldest_at == START + timedelta(seconds=1)
        pages += [row.alert.id for row in page.rows]
        after = page.next
        if after is None:
            break
    assert pages == expected


def test_the_queue_shows_mine_beside_the_open_ones_and_not_other_peoples(scene: Scene) -> None:
    new, mine, bens, done = (scene.alert(name) for name in "ABCD")
    actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="takeover", alerts=[mine])
    actions.open_investigation(scene.ledger, BEN, at=scene.now, subject="takeover", alerts=[bens])
    actions.dismiss_alert(scene.ledger, ANA, at=scene.now, alert=done, reason="usual")

    def shown(scope: reads.Scope) -> set[int]:
        page = reads.queue(scene.ledger, ANA, wanted=Filter(scope=scope))
        assert page.count == len(page.rows)
        return {row.alert.id for row in page.rows}

    assert shown("open") == {new}
    assert shown("open and mine") == {new, mine}
    assert shown("mine") == {mine}
    assert shown("all") == {new, mine, bens}
    actions.take_alert(scene.ledger, ANA, at=scene.now, alert=new)
    assert shown("mine") == {new, mine}


def test_filters_of_the_queue(scene: Scene) -> None:
    small, large = scene.alert("A", minor=100, score=0.9), scene.alert("B", minor=10_000, score=0.5)

    def shown(wanted: Filter) -> list[int]:
        page = reads.queue(scene.ledger, ANA, wanted=wanted)
        assert page.count == len(page.rows)
        return [row.alert.id for row in page.rows]

    assert shown(Filter(stake_from_minor=5000)) == [large]
    assert shown(Filter(amount_from_minor=10_000)) == [large]
    assert shown(Filter(amount_from_minor=10_001)) == []
    assert shown(Filter(text="A")) == [large, small]  # the sentence holds the letter
    assert shown(Filter(text="100%")) == []  # a wildcard is only a character
    assert shown(Filter(action="decline")) == []
    first_due = START + timedelta(seconds=1, hours=1)
    assert shown(Filter(due_before=first_due)) == []
    assert shown(Filter(due_before=first_due + timedelta(microseconds=1))) == [small]


def test_a_row_says_what_one_needs_to_choose_it(scene: Scene) -> None:
    first = scene.alert("A", minor=4000, payee="P")
    scene.alert("A", minor=100)
    actions.freeze(scene.ledger, BEN, at=scene.now, alerts=[first], direction=Direction.OUT, reason="x")
    row = next(row for row in reads.queue(scene.ledger, BEN).rows if row.alert.id == first)
    assert (row.amount_minor, row.currency, row.payee, row.assigned_to) == (4000, "EUR", "P", "ben")
    assert row.standing.frozen_out
    assert not row.standing.frozen_in
    assert row.account_alerts == 1
    assert row.score is not None
    assert row.score.stages[0].delta == 1.5


def test_one_alert_with_everything_the_model_said(scene: Scene) -> None:
    first, second = scene.alert("A", minor=4000, device="phone 9"), scene.alert("A")
    detail = reads.alert(scene.ledger, AUD, first)
    assert detail.payment.device == "phone 9"
    assert detail.decision.number == detail.alert.number
    assert [one.id for one in detail.others] == [second]
    assert detail.consequences[Outcome.FRAUD] == "a verdict leaves nothing pending; the account is not frozen"
    with pytest.raises(NotFound):
        reads.alert(scene.ledger, AUD, 99)


def test_consequences_are_said_before_the_verdict(scene: Scene) -> None:
    one, two = scene.open("A"), scene.open("A")

    def says(outcome: Outcome) -> str:
        return reads.consequences(scene.ledger, ANA, one.id)[outcome]

    assert says(Outcome.GENUINE) == f"a verdict on {one.id} leaves {two.id} pending; the account is not frozen"
    scene.freeze("A", direction="both")
    frozen = f"a verdict on {one.id} leaves the account frozen: {two.id} is still pending"
    assert {says(outcome) for outcome in Outcome} == {frozen}
    scene.close(two.id, "fraud")
    assert says(Outcome.GENUINE) == (
        f"a verdict on {one.id} ends the freeze and blocks the account, both ways because {two.id} was fraud; "
        "a senior lifts a block"
    )
    scene.close(one.id)
    assert reads.consequences(scene.ledger, ANA, one.id) == {}
    three = scene.open("A")
    scene.freeze("A")
    said = reads.consequences(scene.ledger, ANA, three.id)
    assert said[Outcome.GENUINE] == f"a verdict on {three.id} ends the freeze; the account stays blocked"
    free = scene.open("B")
    scene.freeze("B")
    said = reads.consequences(scene.ledger, ANA, free.id)
    assert said[Outcome.INCONCLUSIVE] == f"a verdict on {free.id} releases the account at once"
    assert said[Outcome.FRAUD] == (
        f"a verdict on {free.id} ends the freeze and blocks the account, outgoing; a senior lifts a block"
    )


def test_news_counts_what_rang_since(scene: Scene) -> None:
    assert reads.newest_alert(scene.ledger, ANA) == 0
    first = scene.alert("A", minor=200)
    scene.alert("B", minor=400)
    assert reads.news(scene.ledger, ANA, after=0) == reads.News(first + 1, 2, 300)
    assert reads.news(scene.ledger, ANA, after=first) == reads.News(first + 1, 1, 200)
    assert reads.news(scene.ledger, ANA, after=first + 1) == reads.News(first + 1, 0, 0)


def test_the_day_counts_verdicts_and_not_mistakes(scene: Scene) -> None:
    first, second, third = scene.open("A"), scene.open("B"), scene.open("C")
    since = scene.now
    scene.close(first.id, "fraud")
    scene.close(second.id, "genuine")
    actions.finalise_as_mistake(scene.ledger, ANA, at=scene.now, investigation=third.id, reason="twice")
    today = reads.day(scene.ledger, ANA, since=since)
    assert (today.closed, today.fraud, today.mean_seconds) == (2, 1, 4.0)
    assert reads.day(scene.ledger, ANA, since=scene.now) == reads.Day(0, 0, None)


def test_investigations_are_listed_pending_oldest_first_final_newest_first(scene: Scene) -> None:
    ids = [scene.open(name, who).id for name, who in (("A", ANA), ("B", BEN), ("C", ANA), ("D", ANA))]
    scene.close(ids[0])
    scene.close(ids[2])

    def shown(**how: object) -> list[int]:
        return [row.investigation.id for row in reads.list_investigations(scene.ledger, AUD, **how)]  # type: ignore[arg-type]

    assert shown() == [ids[1], ids[3]]
    assert shown(after=ids[1]) == [ids[3]]
    assert shown(assigned_to="ben") == [ids[1]]
    assert shown(pending=False, limit=1) == [ids[2]]
    assert shown(pending=False, after=ids[2]) == [ids[0]]


def test_the_account_page_says_how_it_stands_and_how_far_the_freeze_is(scene: Scene) -> None:
    alert = scene.alert("A")
    actions.freeze(scene.ledger, ANA, at=scene.now, alerts=[alert], direction=Direction.OUT, reason="takeover likely")
    second = scene.open("A", BEN)
    scene.close(second.id)
    page = history.account_page(scene.ledger, SUE, "A")
    (freeze,) = page.freezes
    assert (freeze.final, freeze.total) == (1, 2)
    assert (freeze.freeze.set_by, freeze.freeze.reason) == ("ana", "takeover likely")
    assert page.standing.frozen_out
    assert [one.id for one in page.alerts] == [alert]
    assert page.due_at == page.alerts[0].due_at
    assert page.first_seen_at == START + timedelta(seconds=1)
    with pytest.raises(NotFound):
        history.account_page(scene.ledger, SUE, "never seen")


def test_the_timeline_merges_everything_newest_first_whatever_the_page_size(scene: Scene) -> None:
    fraud, _ = scene.pay("A", minor=1)
    scene.pay("B", payee="A", minor=2, score=None)
    scene.pay("A", payee="A", minor=3, score=None)  # to oneself: one line, not two
    opened = scene.open("A")
    scene.freeze("A")
    scene.pay("A", minor=4)
    actions.finalise(
        scene.ledger, ANA, at=scene.now, investigation=opened.id, outcome=Outcome.FRAUD, reason_code="takeover", payments=[fraud]
    )  # fmt: skip
    whole = history.timeline(scene.ledger, ANA, "A", limit=1000)
    assert whole.next is None
    assert [entry.payment.amount_minor if entry.payment else entry.case.kind for entry in whole.entries] == [  # type: ignore[union-attr]
        "blocked", "freeze_ended", "finalised", 4, "frozen", "investigation_opened", 3, 2, 1,
    ]  # fmt: skip
    payments = {entry.payment.amount_minor: entry.payment for entry in whole.entries if entry.payment}
    assert (payments[4].action, payments[4].cause) == ("decline", "freeze")
    assert payments[1].finding == "fraud"
    assert payments[1].alert is not None
    assert [entry.what for entry in whole.entries if entry.payment] == ["paid", "paid", "received", "paid"]
    for limit in (1, 2, 4):
        seen, after = [], None
        while True:
            page = history.timeline(scene.ledger, ANA, "A", after=after, limit=limit)
            seen += page.entries
            after = page.next
            if after is None:
                break
        assert tuple(seen) == whole.entries


def test_the_timeline_at_one_moment_loses_and_doubles_nothing(scene: Scene) -> None:
    opened, at = scene.open("A"), scene.now
    for text in "abcdefg":
        actions.note(scene.ledger, ANA, at=at, account="A", text=text, investigation=opened.id)
    with scene.ledger.write() as connection:
        number, _ = 0, 0
        for number in range(100, 104):
            row = {
                "number": number, "id": f"p{number}", "content": b"x", "at": microseconds(at), "received_at": 0,
                "amount_minor": 1, "currency": "EUR", "base_minor": 1, "account": "A", "payee": "B", "body": b"{}",
                "late": False,
            }  # fmt: skip
            connection.execute(tables.transactions.insert().values(**row))
            row = {"action": "approve", "code": "ok", "cause": "score", "body": b"", "model": "m", "decided_at": 0}
            connection.execute(tables.decisions.insert().values(number=number, **row))
    seen, after = [], None
    while True:
        page = history.timeline(scene.ledger, ANA, "A", after=after, limit=2)
        seen += page.entries
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(map(str, seen))) == 12


@pytest.mark.parametrize(("chargeback_first", "finding"), [(True, "genuine"), (False, "fraud")])
def test_of_a_chargeback_and_a_verdict_the_last_that_came_holds(
    scene: Scene, chargeback_first: bool, finding: str
) -> None:
    number, _ = scene.pay("A")
    opened = scene.open("A")

    def charge_back() -> None:  # known long ago, told only now
        with scene.ledger.write() as connection:
            row = {"transaction_number": number, "finding": "fraud", "source": "chargeback", "known_at": 1}
            connection.execute(tables.labels.insert().values(number=take_numbers(connection, 1), **row))

    if chargeback_first:
        charge_back()
    actions.finalise(
        scene.ledger, ANA, at=scene.now, investigation=opened.id, outcome=Outcome.GENUINE, reason_code="travel", payments=[number]
    )  # fmt: skip
    if not chargeback_first:
        charge_back()
    entry = next(one for one in history.timeline(scene.ledger, ANA, "A").entries if one.payment)
    assert entry.payment is not None
    assert entry.payment.finding == finding
    with scene.ledger.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.labels)).scalar_one() == 2


def test_the_audit_is_read_newest_first_and_filtered(scene: Scene) -> None:
    scene.open("A")
    scene.open("B", BEN)
    page = reads.audit_page(scene.ledger, AUD)
    assert [(one.actor, one.account) for one in page] == [("ben", "B"), ("ana", "A")]
    assert page[0].new == {"assigned_to": "ben", "subject": "takeover"}
    assert reads.audit_page(scene.ledger, AUD, before=page[0].id) == page[1:]
    assert reads.audit_page(scene.ledger, AUD, account="A") == page[1:]
    assert reads.audit_page(scene.ledger, AUD, by="ben") == page[:1]
    assert reads.audit_page(scene.ledger, AUD, kind="frozen") == ()


def test_people_are_listed_those_off_last(scene: Scene) -> None:
    with scene.ledger.write() as connection:
        connection.execute(tables.people.update().where(tables.people.c.name == "ana").values(active=False))
    found = reads.list_people(scene.ledger, ADA)
    assert [one.name for one in found] == ["ada", "aud", "ben", "sam", "sue", "ana"]
    assert not found[0].has_password
