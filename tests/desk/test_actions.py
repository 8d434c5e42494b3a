"""Each thing a person may do: what it changes, what it refuses, and that a refusal changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from scenes.desk import ANA, BEN, SAM, SUE, Scene
from tocsin.desk import actions, cases
from tocsin.desk.model import LOCK_LASTS, Account, Direction, Outcome
from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound
from tocsin.ledger import audit, tables
from tocsin.schema import Action


def account(scene: Scene, name: str) -> Account:
    with scene.ledger.read() as connection:
        return cases.load(connection, name)


def events(scene: Scene, name: str | None = None) -> list[str]:
    with scene.ledger.read() as connection:
        assert audit.verify(connection).broken_at is None
        query = sa.select(tables.case_events.c.kind).order_by(tables.case_events.c.id)
        if name:
            query = query.where(tables.case_events.c.account == name)
        return list(connection.execute(query).scalars())


def labels(scene: Scene) -> list[tuple[int, str, str]]:
    with scene.ledger.read() as connection:
        c = tables.labels.c
        return [tuple(row) for row in connection.execute(sa.select(c.transaction_number, c.finding, c.source))]


def test_freeze_from_an_alert_opens_one_stops_the_next_payment_and_ends_with_the_verdict(scene: Scene) -> None:
    alert = scene.alert("A")
    frozen = actions.freeze(
        scene.ledger, ANA, at=scene.now, alerts=[alert], direction=Direction.OUT, reason="takeover likely"
    )
    assert scene.pay("A")[1] is Action.DECLINE
    assert scene.pay("B", payee="A", score=None)[1] is Action.APPROVE  # only outgoing is frozen

    closed = scene.close(frozen.investigations[0])
    assert [one.id for one in closed.ended] == [frozen.id]
    assert closed.blocks == ()
    assert scene.pay("A", score=None)[1] is Action.APPROVE
    assert events(scene, "A") == ["investigation_opened", "alert_joined", "frozen", "finalised", "freeze_ended"]


def test_it_stays_frozen_while_one_is_pending_also_one_opened_after_the_freeze(scene: Scene) -> None:
    first = scene.open("A")
    scene.freeze("A")
    second = scene.open("A", BEN)
    assert scene.close(first.id).ended == ()
    assert account(scene, "A").frozen == {"out"}
    assert account(scene, "A").active_freezes[0].investigations == (first.id, second.id)
    assert len(scene.close(second.id, actor=BEN).ended) == 1
    assert account(scene, "A").frozen == frozenset()


def test_a_freeze_needs_a_pending_investigation(scene: Scene) -> None:
    opened = scene.open("A")
    scene.close(opened.id)
    before = account(scene, "A"), events(scene)
    with pytest.raises(Conflict, match="needs a pending investigation"):
        scene.freeze("A")
    assert (account(scene, "A"), events(scene)) == before


def test_what_is_frozen_already_is_not_frozen_twice_but_the_other_way_can_be(scene: Scene) -> None:
    scene.open("A")
    scene.freeze("A", direction="out")
    with pytest.raises(Conflict, match="frozen by ana already"):
        scene.freeze("A", BEN, direction="out")
    scene.freeze("A", BEN, direction="both")
    assert account(scene, "A").frozen == {"in", "out"}


def test_after_fraud_a_block_takes_the_place_of_the_freeze_in_the_same_moment(scene: Scene) -> None:
    first, second = scene.open("A"), scene.open("A", BEN)
    scene.freeze("A", direction="both")
    assert scene.close(first.id, "fraud").blocks == ()
    closed = scene.close(second.id, "genuine", BEN)
    assert len(closed.ended) == 1
    (block,) = closed.blocks
    assert (block.direction, block.investigation, block.set_by) == (Direction.BOTH, first.id, "ben")
    assert f"investigation {first.id}" in block.reason
    assert scene.pay("A")[1] is Action.DECLINE
    assert scene.pay("B", payee="A")[1] is Action.DECLINE


def test_a_fraud_verdict_withdrawn_by_reopening_still_leaves_a_block_for_a_senior_to_lift(scene: Scene) -> None:
    first, _second = scene.open("A"), scene.open("A")
    scene.freeze("A")
    scene.close(first.id, "fraud")
    actions.reopen(scene.ledger, ANA, at=scene.now, investigation=first.id, reason="the card was his own")
    scene.close(first.id, "genuine")
    assert len(scene.close(_second.id, "genuine").blocks) == 1


def test_fraud_before_the_freeze_makes_no_block(scene: Scene) -> None:
    scene.close(scene.open("A").id, "fraud")
    second = scene.open("A")
    scene.freeze("A")
    assert scene.close(second.id, "genuine").blocks == ()


def test_reopening_revives_no_freeze(scene: Scene) -> None:
    opened = scene.open("A")
    scene.freeze("A")
    scene.close(opened.id)
    again = actions.reopen(scene.ledger, BEN, at=scene.now, investigation=opened.id, reason="a second victim called")
    assert again.pending
    assert account(scene, "A").frozen == frozenset()
    with pytest.raises(Conflict, match="only a final"):
        actions.reopen(scene.ledger, BEN, at=scene.now, investigation=opened.id, reason="again")


def test_a_mistake_needs_a_reason_ends_the_freeze_and_makes_no_label(scene: Scene) -> None:
    alert = scene.alert("A")
    frozen = actions.freeze(scene.ledger, ANA, at=scene.now, alerts=[alert], direction=Direction.OUT, reason="x")
    one = frozen.investigations[0]
    with pytest.raises(BadInput, match="reason"):
        actions.finalise_as_mistake(scene.ledger, ANA, at=scene.now, investigation=one, reason="  ")
    assert account(scene, "A").frozen == {"out"}
    closed = actions.finalise_as_mistake(scene.ledger, ANA, at=scene.now, investigation=one, reason="wrong customer")
    assert len(closed.ended) == 1
    assert closed.labels == 0
    assert labels(scene) == []


def test_two_verdicts_on_one_investigation_the_second_is_refused(scene: Scene) -> None:
    opened = scene.open("A")
    scene.close(opened.id)
    with pytest.raises(Conflict, match="is final: genuine, by ana"):
        scene.close(opened.id, "fraud", BEN)
    assert account(scene, "A").investigation(opened.id).verdict is not None


def test_verdicts_become_labels_numbered_by_the_one_sequence(scene: Scene) -> None:
    first, second = scene.alert("A"), scene.alert("A")
    numbers = [one.number for one in _alerts(scene, [first, second])]
    opened = actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="takeover", alerts=[first, second])
    closed = scene.close(opened.id, "fraud")
    assert closed.labels == 2
    assert labels(scene) == [(numbers[0], "fraud", "verdict"), (numbers[1], "fraud", "verdict")]
    with scene.ledger.read() as connection:
        rows = connection.execute(sa.select(tables.labels)).all()
        following = connection.execute(sa.select(tables.sequence.c.next)).scalar_one()
    assert [row.number for row in rows] == [following - 2, following - 1]
    assert {row.investigation for row in rows} == {opened.id}


def test_chosen_payments_are_labelled_and_strangers_refused(scene: Scene) -> None:
    alert = scene.alert("A")
    other, _ = scene.pay("A", score=None)
    received, _ = scene.pay("Z", payee="A", score=None)
    strange, _ = scene.pay("Z", score=None)
    opened = actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="mule", alerts=[alert])
    how = {"investigation": opened.id, "outcome": Outcome.FRAUD, "reason_code": "mule"}
    with pytest.raises(BadInput, match="is neither"):
        actions.finalise(scene.ledger, ANA, at=scene.now, payments=[other, strange], **how)
    assert account(scene, "A").investigation(opened.id).pending
    assert labels(scene) == []
    actions.finalise(scene.ledger, ANA, at=scene.now, payments=[received, other, other], **how)
    assert [row[0] for row in labels(scene)] == [other, received]


def test_inconclusive_makes_no_label(scene: Scene) -> None:
    closed = actions.judge_alerts(
        scene.ledger, ANA, at=scene.now, alerts=[scene.alert("A")], outcome=Outcome.INCONCLUSIVE, reason_code="unreachable"
    )  # fmt: skip
    assert closed.labels == 0
    assert labels(scene) == []


def test_the_same_moment_says_the_same_thing_once(scene: Scene) -> None:
    alert, at = scene.alert("A"), scene.now
    opened = actions.open_investigation(scene.ledger, ANA, at=at, subject="takeover", alerts=[alert])
    how = {"at": at, "investigation": opened.id}
    actions.finalise(scene.ledger, ANA, outcome=Outcome.FRAUD, reason_code="scam", **how)
    actions.reopen(scene.ledger, ANA, reason="mistyped", **how)
    actions.finalise(scene.ledger, ANA, outcome=Outcome.FRAUD, reason_code="scam", **how)
    assert len(labels(scene)) == 1


@pytest.mark.parametrize(
    ("outcome", "code", "note"), [("fraud", "travel", ""), ("genuine", "nonsense", ""), ("fraud", "other_fraud", " ")]
)
def test_a_verdict_needs_a_reason_that_belongs_to_it(scene: Scene, outcome: str, code: str, note: str) -> None:
    opened = scene.open("A")
    with pytest.raises(BadInput):
        actions.finalise(
            scene.ledger, ANA, at=scene.now, investigation=opened.id, outcome=Outcome(outcome), reason_code=code, note=note
        )  # fmt: skip
    assert account(scene, "A").investigation(opened.id).pending


def test_a_block_is_lifted_by_a_senior_who_neither_asked_nor_set_it(scene: Scene) -> None:
    opened = scene.open("A")
    scene.freeze("A")
    (block,) = scene.close(opened.id, "fraud", SUE).blocks
    how = {"block": block.id}
    with pytest.raises(Conflict, match="nobody has"):
        actions.lift_block(scene.ledger, SAM, at=scene.now, **how)
    actions.ask_to_lift_block(scene.ledger, SAM, at=scene.now, reason="paid back", **how)
    with pytest.raises(Conflict, match="sam has asked already"):
        actions.ask_to_lift_block(scene.ledger, ANA, at=scene.now, reason="paid back", **how)
    with pytest.raises(NotAllowed, match="did not ask"):
        actions.lift_block(scene.ledger, SAM, at=scene.now, **how)
    with pytest.raises(NotAllowed, match="did not set"):
        actions.lift_block(scene.ledger, SUE, at=scene.now, **how)
    with pytest.raises(NotAllowed, match="must be senior"):
        actions.lift_block(scene.ledger, ANA, at=scene.now, **how)
    actions.refuse_to_lift(scene.ledger, SUE, at=scene.now, reason="ask somebody else", **how)
    actions.ask_to_lift_block(scene.ledger, ANA, at=scene.now, reason="paid back", **how)
    assert account(scene, "A").blocked == {"out"}
    lifted = actions.lift_block(scene.ledger, SAM, at=scene.now, **how)
    assert (lifted.lifted_by, lifted.lift_asked_by) == ("sam", "ana")
    assert account(scene, "A").blocked == frozenset()
    with pytest.raises(Conflict, match="was lifted by sam"):
        actions.ask_to_lift_block(scene.ledger, ANA, at=scene.now, reason="again", **how)


def test_no_verdict_and_no_reopening_lifts_a_block(scene: Scene) -> None:
    opened = scene.open("A")
    scene.freeze("A")
    scene.close(opened.id, "fraud")
    actions.reopen(scene.ledger, ANA, at=scene.now, investigation=opened.id, reason="new facts")
    scene.freeze("A")
    scene.close(opened.id, "genuine")
    assert account(scene, "A").frozen == frozenset()
    assert account(scene, "A").blocked == {"out"}


def test_alerts_move_once(scene: Scene) -> None:
    alert = scene.alert("A")
    dismissed = actions.dismiss_alert(scene.ledger, ANA, at=scene.now, alert=alert, reason="salary day")
    assert (dismissed.status, dismissed.dismissed_by) == ("dismissed", "ana")
    with pytest.raises(Conflict, match="is dismissed"):
        actions.dismiss_alert(scene.ledger, BEN, at=scene.now, alert=alert, reason="me too")
    with pytest.raises(Conflict, match="is dismissed"):
        actions.open_investigation(scene.ledger, BEN, at=scene.now, subject="takeover", alerts=[alert])
    assert account(scene, "A").investigations == ()


def test_joining_needs_a_pending_investigation_of_the_same_account(scene: Scene) -> None:
    alert, mine, other = scene.alert("A"), scene.open("A"), scene.open("B")
    with pytest.raises(NotFound):
        actions.join_alert(scene.ledger, ANA, at=scene.now, alert=alert, investigation=other.id)
    scene.close(mine.id)
    with pytest.raises(Conflict, match="is final"):
        actions.join_alert(scene.ledger, ANA, at=scene.now, alert=alert, investigation=mine.id)
    again = scene.open("A")
    joined = actions.join_alert(scene.ledger, ANA, at=scene.now, alert=alert, investigation=again.id)
    assert (joined.status, joined.investigation) == ("joined", again.id)


def test_alerts_of_several_accounts_are_not_one_investigation(scene: Scene) -> None:
    with pytest.raises(BadInput, match="of several"):
        actions.open_investigation(
            scene.ledger, ANA, at=scene.now, subject="ring", alerts=[scene.alert("A"), scene.alert("B")]
        )
    assert account(scene, "A").investigations == ()


def test_next_goes_down_the_queue_and_holds_the_case_until_the_lock_runs_out(scene: Scene) -> None:
    small, large, middle = scene.alert("A", minor=100), scene.alert("B", minor=900), scene.alert("C", minor=500)
    at = scene.now
    first = actions.take_next(scene.ledger, ANA, at=at)
    assert first is not None
    assert (first.id, first.locked_by) == (large, "ana")
    for_ben = actions.take_next(scene.ledger, BEN, at=at)
    assert for_ben is not None
    assert for_ben.id == middle
    with pytest.raises(Conflict, match="held by ana"):
        actions.dismiss_alert(scene.ledger, BEN, at=at, alert=large, reason="no")
    on = actions.take_next(scene.ledger, ANA, at=at, after=large)
    assert on is not None
    assert on.id == small
    assert _alerts(scene, [large])[0].locked_by is None  # given back by going on
    last = actions.take_next(scene.ledger, BEN, at=at, after=middle)
    assert last is not None
    assert last.id == large  # from the top again
    later = at + LOCK_LASTS
    actions.dismiss_alert(scene.ledger, BEN, at=later, alert=small, reason="ana's lock has run out")


def test_next_holds_every_new_alert_of_the_account_and_release_gives_all_back(scene: Scene) -> None:
    one, two = scene.alert("A", minor=500), scene.alert("A", minor=100)
    at = scene.now
    actions.take_next(scene.ledger, ANA, at=at)
    assert actions.take_next(scene.ledger, BEN, at=at) is None
    actions.release_alert(scene.ledger, ANA, at=at, alert=one)
    taken = actions.take_alert(scene.ledger, BEN, at=at, alert=two)
    assert taken.locked_by == "ben"
    with pytest.raises(Conflict, match="held by ben"):
        actions.take_alert(scene.ledger, ANA, at=at + timedelta(minutes=1), alert=one)


def test_a_freeze_waits_for_nobodys_lock(scene: Scene) -> None:
    alert = scene.alert("A")
    actions.take_alert(scene.ledger, ANA, at=scene.now, alert=alert)
    actions.freeze(scene.ledger, BEN, at=scene.now, alerts=[alert], direction=Direction.OUT, reason="now")
    assert account(scene, "A").frozen == {"out"}


def test_assignment_goes_to_people_who_work_cases(scene: Scene) -> None:
    opened = scene.open("A")
    given = actions.assign(scene.ledger, ANA, at=scene.now, investigation=opened.id, to="sue", reason="needs a senior")
    assert given.assigned_to == "sue"
    for name in ("aud", "ada", "nobody"):
        with pytest.raises(BadInput, match="analyst or a senior"):
            actions.assign(scene.ledger, ANA, at=scene.now, investigation=opened.id, to=name, reason="try")
    with pytest.raises(Conflict, match="already"):
        actions.assign(scene.ledger, ANA, at=scene.now, investigation=opened.id, to="sue", reason="again")


def test_a_note_is_an_event_and_needs_words(scene: Scene) -> None:
    opened = scene.open("A")
    actions.note(scene.ledger, ANA, at=scene.now, account="A", text="called, no answer", investigation=opened.id)
    with pytest.raises(BadInput):
        actions.note(scene.ledger, ANA, at=scene.now, account="A", text="   ")
    with pytest.raises(NotFound):
        actions.note(scene.ledger, ANA, at=scene.now, account="A", text="x", investigation=opened.id + 1)
    assert events(scene, "A") == ["investigation_opened", "note"]


def test_an_account_nobody_has_paid_from_can_be_investigated_and_frozen(scene: Scene) -> None:
    scene.open("never seen")
    scene.freeze("never seen", direction="in")
    assert scene.pay("A", payee="never seen")[1] is Action.DECLINE


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "zero \0"])
def test_an_account_has_a_name_that_can_be_kept(scene: Scene, name: str) -> None:
    with pytest.raises(BadInput):
        scene.open(name)
    assert events(scene) == []


def test_what_does_not_exist_is_not_found(scene: Scene) -> None:
    for act in (
        lambda: scene.close(99),
        lambda: actions.dismiss_alert(scene.ledger, ANA, at=scene.now, alert=99, reason="x"),
        lambda: actions.ask_to_lift_block(scene.ledger, ANA, at=scene.now, block=99, reason="x"),
    ):
        with pytest.raises(NotFound):
            act()
    assert events(scene) == []


def _alerts(scene: Scene, ids: list[int]) -> list[actions.Alert]:
    with scene.ledger.read() as connection:
        return cases.alerts_of(connection, ids)
