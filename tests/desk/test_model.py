"""The legal moves as plain functions: no ledger, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.desk.model import (
    LOCK_LASTS,
    REASON_CODES,
    Account,
    Alert,
    Block,
    Direction,
    Freeze,
    Investigation,
    Outcome,
    Verdict,
    consequence,
    said,
    verdict_of,
)
from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound

AT = datetime(2026, 3, 2, tzinfo=UTC)
ALERT = Alert(7, 70, "A", AT, AT, AT, "review", 0.5, 100, "why")


def pending(id: int) -> Investigation:
    return Investigation(id, "A", "takeover", "ana", AT)


def freeze(direction: str = "out", *of: int) -> Freeze:
    return Freeze(1, "A", Direction(direction), "because", "ana", AT, of)


def verdict(outcome: str = "genuine") -> Verdict:
    return Verdict(Outcome(outcome), "x", "", "ana", AT)


@pytest.mark.parametrize(("direction", "ways"), [("in", {"in"}), ("out", {"out"}), ("both", {"in", "out"})])
def test_directions_cover_ways(direction: str, ways: set[str]) -> None:
    account = Account("A").open(pending(1)).freeze(freeze(direction))
    assert account.frozen == ways
    assert account.finalise(1, verdict()).frozen == frozenset()
    assert account.finalise(1, verdict("fraud")).blocked == ways


def test_a_freeze_is_for_everything_pending_then_and_later() -> None:
    account = Account("A").open(pending(1)).open(pending(2)).freeze(freeze("out", 1)).open(pending(3))
    assert account.active_freezes[0].investigations == (1, 2, 3)
    account = account.finalise(1, verdict()).finalise(3, verdict())
    assert account.frozen
    ended = account.finalise(2, verdict()).freezes[0]
    assert (ended.active, ended.ended_by_investigation, ended.ended_at) == (False, 2, AT)


def test_what_reopens_during_a_freeze_keeps_it() -> None:
    account = Account("A").open(pending(1)).finalise(1, verdict()).open(pending(2)).freeze(freeze())
    account = account.reopen(1).finalise(2, verdict())
    assert account.frozen
    assert account.active_freezes[0].investigations == (2, 1)
    assert not account.finalise(1, verdict()).frozen


def test_a_freeze_named_for_a_final_investigation_is_refused() -> None:
    account = Account("A").open(pending(1)).finalise(1, verdict()).open(pending(2))
    with pytest.raises(Conflict, match="1 is final"):
        account.freeze(freeze("out", 1, 2))
    with pytest.raises(NotFound):
        account.freeze(freeze("out", 9))


def test_only_freezes_that_lived_through_the_fraud_become_blocks() -> None:
    account = Account("A").open(pending(1)).open(pending(2)).freeze(freeze("out"))
    account = account.finalise(1, verdict("fraud")).freeze(replace(freeze("in"), id=2))
    account = account.finalise(2, verdict("genuine"))
    assert account.frozen == frozenset()
    assert account.blocked == {"out"}


def test_moves_return_a_new_account_and_leave_the_old_one() -> None:
    before = Account("A").open(pending(1))
    before.freeze(freeze())
    before.finalise(1, verdict())
    assert before == Account("A", (pending(1),))


def test_a_lock_runs_out_to_the_moment() -> None:
    held = ALERT.lock("ana", AT)
    assert held.holder(AT + LOCK_LASTS - timedelta(microseconds=1)) == "ana"
    assert held.holder(AT + LOCK_LASTS) is None
    assert held.lock("ana", AT + timedelta(minutes=1)).locked_at == AT + timedelta(minutes=1)
    with pytest.raises(Conflict, match="held by ana"):
        held.join(1, "ben", AT)
    assert held.join(1, "ben", AT, urgent=True).status == "joined"
    assert held.release("ana", AT).holder(AT) is None
    with pytest.raises(Conflict, match="not held by you"):
        held.release("ben", AT)


def test_block_moves() -> None:
    block = Block(3, "A", Direction.OUT, "fraud", 1, "ana", AT)
    with pytest.raises(Conflict):
        block.lift("sue", AT)
    with pytest.raises(Conflict):
        block.refuse_lift()
    asked = block.ask_to_lift("ben", "paid back", AT)
    for who in ("ben", "ana"):
        with pytest.raises(NotAllowed):
            asked.lift(who, AT)
    lifted = asked.lift("sue", AT)
    assert not lifted.active
    for move in (lifted.refuse_lift, lambda: lifted.lift("sam", AT), lambda: lifted.ask_to_lift("ben", "x", AT)):
        with pytest.raises(Conflict, match="was lifted by sue"):
            move()
    assert asked.refuse_lift() == block


def test_every_outcome_has_reasons_and_every_reason_words() -> None:
    assert set(REASON_CODES) == set(Outcome)
    for outcome, codes in REASON_CODES.items():
        for code, words in codes.items():
            assert len(code) <= 40
            assert words
            note = "explained" if code.startswith("other") or outcome is Outcome.MISTAKE else ""
            assert verdict_of(outcome, code, note, "ana", AT).reason_code == code


def test_texts_have_a_length() -> None:
    assert said("  x ", "note") == "x"
    for text in ("", " \n ", "x" * 4001, "zero \0", "half \ud800"):
        with pytest.raises(BadInput):
            said(text, "note")
    with pytest.raises(BadInput):
        verdict_of(Outcome.GENUINE, "travel", "x" * 4001, "ana", AT)


def test_a_consequence_of_what_cannot_be_done_is_refused_too() -> None:
    account = Account("A").open(pending(1)).finalise(1, verdict())
    with pytest.raises(Conflict):
        consequence(account, 1, Outcome.FRAUD)
    with pytest.raises(NotFound):
        consequence(account, 2, Outcome.FRAUD)


def test_a_consequence_names_all_that_are_still_pending() -> None:
    account = Account("A").open(pending(1)).open(pending(2)).open(pending(3)).freeze(freeze())
    assert consequence(account, 2, Outcome.FRAUD) == "a verdict on 2 leaves the account frozen: 1, 3 are still pending"
    assert consequence(account, None, Outcome.FRAUD) == "a verdict leaves the account frozen: 1, 2, 3 are still pending"
