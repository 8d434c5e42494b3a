"""An account's page: how it stands, the verdicts, reopening, four eyes on a block, and what each thing will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scenes import made_day
from scenes.desk import Scene
from scenes.visitors import Person, plain
from tocsin.desk import actions
from tocsin.desk.model import Direction, Role
from tocsin.ledger import Ledger
from tocsin.schema import Action

HERE = "/accounts/A-1"


@pytest.fixture
def rung(ledger: Ledger, clock: Any) -> int:
    return made_day.alert(ledger, clock(), account="A-1")


@pytest.fixture
def frozen(ana: Person, ledger: Ledger, clock: Any, rung: int) -> int:
    """Frozen for investigation 1 (with the alert) and 2."""
    clock.move(minutes=3)
    actions.freeze(ledger, ana.actor, at=clock(), direction=Direction.OUT, reason="takeover likely", alerts=[rung])
    actions.open_investigation(ledger, ana.actor, at=clock(), subject="mule payee", account="A-1")
    return rung


def test_the_page_tells_what_happened_in_words(ana: Person, rung: int) -> None:
    page = plain(ana.see(HERE))
    assert "Account A-1 known for 6 years" in page
    assert "A phone never seen before signed in from Lisbon" in page
    assert "€ 2,480.00 to P-771" in page
    assert "Amount, time × 1.8" in page or "amount, time × 1.8" in page
    assert "11:08 Password changed" in page
    assert "11:10 New device device-7f3a, PT" in page
    assert "2 Mar" not in page  # yesterday is called yesterday
    assert "yesterday 11:48 € 21.50 to R-019" in page


def test_the_banner_says_since_when_by_whom_and_how_it_ends(
    ana: Person, frozen: int, person: Callable[..., Person]
) -> None:
    words = "Frozen, outgoing since 12:03 by you · lifts by itself when both pending investigations are final"
    page = plain(ana.see(HERE))
    assert words in page
    assert "0 of 2 final" in page
    assert "Frozen, outgoing since 12:03 by ana" in plain(person("ben").see(HERE))


def test_a_verdict_that_leaves_one_pending_leaves_the_account_frozen(ana: Person, frozen: int) -> None:
    assert "a verdict on 1 leaves the account frozen: 2 is still pending" in plain(ana.see(HERE + "?investigation=1"))
    page = plain(ana.send("/investigations/1/verdict", outcome="genuine", reason_code="travel", back=HERE))
    assert "Investigation 1 is final: genuine" in page
    assert "1 of 2 final" in page
    assert "lifts by itself when investigation 2 is final" in page
    page = plain(ana.send("/investigations/2/verdict", outcome="genuine", reason_code="travel", back=HERE))
    assert "A-1 is released: that was the last pending investigation." in page
    assert "Frozen, outgoing since" not in page


def test_payments_follow_the_freeze_and_the_release(ana: Person, frozen: int, ledger: Ledger) -> None:
    scene = Scene(ledger)
    assert scene.pay("A-1")[1] is Action.DECLINE
    assert "declined, frozen" in plain(ana.see(HERE))
    for one in (1, 2):
        ana.send(f"/investigations/{one}/verdict", outcome="genuine", reason_code="travel")
    assert scene.pay("A-1", score=None)[1] is Action.APPROVE


def test_fraud_becomes_a_block_that_needs_four_eyes(
    ana: Person, person: Callable[..., Person], frozen: int, ledger: Ledger
) -> None:
    scene = Scene(ledger)
    ben, sue = person("ben"), person("sue", Role.SENIOR)
    page = plain(ana.send("/investigations/1/verdict", outcome="fraud", reason_code="takeover", back=HERE))
    assert "becomes a block (fraud in 1) when investigation 2 is final" in page
    page = plain(ben.send("/investigations/2/verdict", outcome="genuine", reason_code="travel", back=HERE))
    assert "The freeze of A-1 has ended and a block stands in its place: outgoing." in page
    assert "Blocked, outgoing since" in page
    assert scene.pay("A-1")[1] is Action.DECLINE
    assert "/blocks/1/lift" not in sue.see(HERE)  # nobody has asked yet
    page = plain(ana.send("/blocks/1/ask", text="new card, customer called", back=HERE))
    assert "you asked to lift it: “new card, customer called”" in page
    ana.send("/blocks/1/lift", 403, text="mine")
    ben.send("/blocks/1/lift", 403, text="no senior")
    page = plain(sue.see(HERE))
    assert "Lift block L" in page
    assert "ana asked: “new card, customer called”." in page
    page = plain(sue.send("/blocks/1/lift", text="agreed", back=HERE))
    assert "Block 1 is lifted: money of A-1 moves again." in page
    assert scene.pay("A-1", score=None)[1] is Action.APPROVE


def test_a_senior_may_keep_a_block(ana: Person, person: Callable[..., Person], frozen: int) -> None:
    sue = person("sue", Role.SENIOR)
    for one in (1, 2):
        ana.send(f"/investigations/{one}/verdict", outcome="fraud", reason_code="takeover")
    ana.send("/blocks/1/ask", text="please")
    assert "Block 1 stays." in plain(sue.send("/blocks/1/refuse", text="no", back=HERE))
    assert "lifted only when somebody asks" in plain(sue.see(HERE))


def test_reopening_revives_no_freeze_and_says_so(ana: Person, frozen: int) -> None:
    for one in (1, 2):
        ana.send(f"/investigations/{one}/verdict", outcome="inconclusive", reason_code="unreachable")
    page = plain(ana.see(HERE + "?investigation=1"))
    assert "It revives no freeze and lifts no block; freeze again if money must stop." in page
    page = plain(ana.send("/investigations/1/reopen", text="the customer called back", back=HERE))
    assert "Investigation 1 is pending again" in page
    assert "Frozen, outgoing since" not in page
    ana.send("/investigations/1/reopen", 409, text="twice")


def test_an_investigation_opened_by_mistake(ana: Person, frozen: int) -> None:
    page = plain(ana.see(HERE + "?investigation=2"))
    assert "Closing 2 as a mistake leaves the account frozen: 1 is still pending; it makes no label." in page
    page = plain(ana.send("/investigations/2/mistake", text="the wrong account", back=HERE))
    assert "Investigation 2 was a mistake" in page
    ana.send("/investigations/1/mistake", 422, text=" ")


def test_assigning_with_a_reason(ana: Person, person: Callable[..., Person], frozen: int) -> None:
    person("ben")
    person("ada", Role.ADMIN)
    page = ana.see(HERE)
    assert "<option>ben</option>" in page
    assert "<option>ada</option>" not in page
    page = plain(ana.send("/investigations/1/assign", to="ben", text="knows the ring", back=HERE))
    assert "Investigation 1 is ben's now." in page
    assert "Investigation 1 assigned to ben you: “knows the ring”" in page
    ana.send("/investigations/1/assign", 422, to="ada", text="not her work")


def test_notes_and_opening_without_an_alert(ana: Person, ledger: Ledger, clock: Any) -> None:
    Scene(ledger, at=clock()).pay("A-7", score=None)
    assert "No alert has rung for this account." in plain(ana.see("/accounts/A-7"))
    page = plain(ana.send("/investigations", account="A-7", text="tip from the branch", back="/accounts/A-7"))
    assert "Investigation 1 is pending, and yours." in page
    page = plain(ana.send("/notes", account="A-7", investigation=1, text="called, no answer", back="/accounts/A-7"))
    assert "“called, no answer” you" in page
    ana.send("/notes", 422, account="A-7", text="")


def test_which_work_is_in_hand_is_said_by_the_address(ana: Person, frozen: int, ledger: Ledger, clock: Any) -> None:
    other = made_day.alert(ledger, clock(), 1, account="A-1")
    page = plain(ana.see(f"{HERE}?alert={other}"))
    assert f"a verdict on alert {other} leaves the account frozen: 1, 2 are still pending" in page
    page = ana.see(f"{HERE}?investigation=2")
    assert 'action="/investigations/2/verdict"' in page
    ana.see(f"{HERE}?investigation=9", 404)
    ana.see(f"/accounts/P-771?alert={other}", 404)
    ana.see("/accounts/nobody", 404)


def test_who_only_reads_sees_everything_and_no_form(person: Callable[..., Person], frozen: int) -> None:
    otto = person("otto", Role.AUDITOR)
    page = otto.see(HERE)
    assert "Frozen, outgoing" in page
    assert "hx-boost" not in page
    for path in (
        "/accounts/freeze",
        "/investigations/1/verdict",
        "/investigations/1/reopen",
        "/notes",
        "/investigations",
    ):
        otto.send(
            path, 403, account="A-1", text="x", reason="x", direction="out", outcome="fraud", reason_code="takeover"
        )


def test_frozen_twice_is_a_conflict_in_words(ana: Person, frozen: int) -> None:
    page = plain(ana.send("/accounts/freeze", 409, account="A-1", direction="out", reason="again", back=HERE))
    assert "outgoing is frozen by ana already." in page
    assert "Back to how it stands now" in page
    page = plain(ana.send("/accounts/freeze", account="A-1", direction="in", reason="mule as well", back=HERE))
    assert "Frozen, incoming" in page
    ana.send("/accounts/freeze", 422, account="A-1", direction="up", reason="x")


def test_a_long_past_comes_a_page_at_a_time(ana: Person, ledger: Ledger, clock: Any) -> None:
    scene = Scene(ledger, at=clock())
    for _ in range(60):
        scene.pay("A-8", score=None, minor=1_111)
    page = ana.see("/accounts/A-8")
    older = page.split('href="/accounts/A-8?after=')[1].split('"')[0]
    rest = ana.see(f"/accounts/A-8?after={older}")
    assert page.count("€\u00a011.11") == 50
    assert rest.count("€\u00a011.11") == 10
    assert "Newest" in rest


def test_ordinary_days_are_one_line_each(person: Callable[..., Person], ledger: Ledger, clock: Any) -> None:
    scene = Scene(ledger, at=clock())
    for _ in range(6):
        scene.pay("A-9", score=None, minor=1_000)
    clock.move(days=2)
    later = person("ben")  # ana's session has ended by then
    assert "6 payments, € 60.00 as usual" in plain(later.see("/accounts/A-9"))


def test_the_score_can_be_added_up_by_hand(ana: Person, rung: int) -> None:
    page = plain(ana.see(HERE))
    assert "user, device, IP said most: it multiplied the odds of fraud by 31." in page.replace("User", "user")
    assert "Above all: time since this device was first seen with the account." in page
    assert "Base −6.0379 0.002387 1 in 420" in page
    assert "history −0.5306 ÷ 1.700 82 in 100" in page
    assert "Together = 1.5291 = 4.614 82.19 %" in page
    assert "The record says 0.821877, and the unrounded parts come to that, to nine digits." in page
    assert pytest.approx(4.614, abs=0.002) == 0.002387 * 1.8 * 31 * 9.5 * 6.2 / 1.7  # what a pocket calculator says


def test_a_record_that_does_not_add_up_is_not_hidden(ana: Person, ledger: Ledger) -> None:
    Scene(ledger).alert("A-1")  # this scene's scores are made up and do not add up
    assert "the parts do not come to that. Do not rest a verdict on this score" in plain(ana.see(HERE))


def test_stages_not_asked_are_shown_as_not_asked(ana: Person, ledger: Ledger) -> None:
    Scene(ledger).alert("A-1")
    assert plain(ana.see(HERE)).count("device not asked") == 2  # among the bars and in the sum
