"""Score → action: order of thresholds, freezes over scores, and a code that gives nothing away."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.measure.policy import NEVER, Policy, answers_at, decide, decide_all
from tocsin.schema import Action

scores = st.floats(0, 1)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    low, high = sorted((draw(scores), draw(st.one_of(scores, st.just(NEVER)))))
    return Policy(review_at=low, decline_at=high, on_deadline=draw(st.sampled_from([Action.APPROVE, Action.REVIEW])))


@given(policies(), scores, scores)
def test_a_higher_score_is_never_treated_more_kindly(policy: Policy, one: float, other: float) -> None:
    order = [Action.APPROVE, Action.REVIEW, Action.DECLINE]
    low, high = sorted((one, other))
    assert order.index(decide(low, policy).action) <= order.index(decide(high, policy).action)


@given(policies(), st.one_of(st.none(), scores))
def test_a_freeze_or_block_declines_whatever_the_score_and_rings_nobody(policy: Policy, value: float | None) -> None:
    for ruling, cause in (
        (decide(value, policy, frozen=True), "freeze"),
        (decide(value, policy, blocked=True), "block"),
        (decide(value, policy, frozen=True, blocked=True), "block"),
    ):
        assert (ruling.action, ruling.cause) == (Action.DECLINE, cause)
        assert not ruling.rings


def test_the_code_of_a_frozen_payment_reads_like_any_other_decline() -> None:
    policy = Policy(review_at=0.1, decline_at=0.5)
    codes = {decide(0.9, policy).code, decide(0.0, policy, frozen=True).code, decide(0.0, policy, blocked=True).code}
    assert codes == {"not_permitted"}
    for ruling in decide_all([0.0, 0.2, 0.9], policy):
        assert not any(word in ruling.code for word in ("investigat", "freeze", "frozen", "block", "fraud", "score"))


def test_thresholds_are_reached_at_the_value_itself() -> None:
    policy = Policy(review_at=0.2, decline_at=0.7)
    below = [math.nextafter(0.2, 0), 0.2, math.nextafter(0.7, 0), 0.7]
    actions = [r.action for r in decide_all(below, policy)]
    assert actions == [Action.APPROVE, Action.REVIEW, Action.REVIEW, Action.DECLINE]
    assert [r.rings for r in decide_all(below, policy)] == [False, True, True, True]


def test_the_deadline_gives_what_the_owner_chose_marked_as_such() -> None:
    for action in (Action.APPROVE, Action.REVIEW):
        ruling = decide(None, Policy(review_at=0.5, on_deadline=action))
        assert (ruling.action, ruling.cause) == (action, "deadline")


def test_what_cannot_be_a_policy_or_a_score_is_refused() -> None:
    with pytest.raises(BadInput, match="in order"):
        Policy(review_at=0.6, decline_at=0.5)
    with pytest.raises(BadInput, match="early approval"):
        Policy(review_at=0.2, approve_below=(0.3,))
    with pytest.raises(BadInput, match="deadline"):
        Policy(review_at=0.2, on_deadline=Action.DECLINE)
    with pytest.raises(BadInput, match="NaN"):
        decide(math.nan, Policy(review_at=0.2))


def test_an_early_stage_answers_only_below_its_limit() -> None:
    policy = Policy(review_at=0.2, approve_below=(0.01, 0.02))
    assert answers_at([0.005, 0.5, 0.5], policy) == 1
    assert answers_at([0.01, 0.019, 0.5], policy) == 2
    assert answers_at([0.5, 0.5, 0.001], policy) == 3
    assert answers_at([0.0, 0.0, 0.0], Policy(review_at=0.2)) == 3


def test_a_policy_survives_being_written_down() -> None:
    policy = Policy(review_at=0.1, decline_at=0.8, on_deadline=Action.APPROVE, approve_below=(0.001,))
    assert msgspec.json.decode(msgspec.json.encode(policy), type=Policy) == policy
