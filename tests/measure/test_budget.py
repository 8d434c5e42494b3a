"""Thresholds: budgets hold on the window they were made from, ties included; costs are least; rates hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.measure.budget import DAY, Cost, FalsePositives, PerDay, Window, parse_goal, thresholds
from tocsin.measure.policy import NEVER


@st.composite
def windows(draw: st.DrawFn) -> Window:
    n = draw(st.integers(1, 60))
    grid = st.integers(0, 8).map(lambda k: k / 8)  # many ties, on purpose
    return Window(
        value=np.array(draw(st.lists(grid, min_size=n, max_size=n))),
        fraud=np.array(draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n)), dtype=np.int8),
        at=np.sort(np.array(draw(st.lists(st.integers(0, 10 * DAY), min_size=n, max_size=n)), dtype=np.int64)),
        amount=np.array(draw(st.lists(st.floats(0, 1000), min_size=n, max_size=n))),
    )


@given(windows(), st.floats(0.05, 30))
def test_the_budget_holds_and_one_step_lower_would_break_it(window: Window, k: float) -> None:
    t = PerDay(k).threshold(window)
    assert (window.value >= t).sum() <= k * window.days
    lower = window.value[window.value < t]
    if len(lower):
        assert (window.value >= lower.max()).sum() > k * window.days


@given(windows(), st.floats(0.01, 0.9))
def test_the_false_positive_rate_holds(window: Window, rate: float) -> None:
    t = FalsePositives(rate).threshold(window)
    genuine = window.value[window.fraud == 0]
    assert (genuine >= t).sum() <= rate * len(genuine)


@given(windows(), st.floats(0.1, 200))
def test_no_other_threshold_costs_less(window: Window, review: float) -> None:
    goal = Cost(review)

    def saved(t: float) -> float:
        rings = (window.value >= t) & (window.fraud >= 0)
        return float((goal.saved * window.amount * (window.fraud == 1) - review)[rings].sum())

    best = saved(goal.threshold(window))
    assert all(best >= saved(t) - 1e-6 for t in [*np.unique(window.value), NEVER])


@given(windows(), st.floats(0.05, 30))
def test_declining_asks_for_proof(window: Window, k: float) -> None:
    policy = thresholds(PerDay(k), window, sure=0.8, least=3)
    above = window.fraud[(window.value >= policy.decline_at) & (window.fraud >= 0)]
    if len(above) and policy.decline_at > policy.review_at:
        assert (above == 1).mean() >= 0.8
        assert (above == 1).sum() >= 3


def test_a_day_of_perfect_scores() -> None:
    window = Window(
        value=np.arange(100) / 100,
        fraud=(np.arange(100) >= 70).astype(np.int8),
        at=np.linspace(0, DAY, 100).astype(np.int64),
        amount=np.full(100, 50.0),
    )
    assert PerDay(10).threshold(window) == 0.90
    assert FalsePositives(0.1).threshold(window) == 0.63
    assert Cost(5.0).threshold(window) == 0.70
    assert Cost(1000.0).threshold(window) == NEVER
    policy = thresholds(PerDay(40), window)
    assert (policy.review_at, policy.decline_at) == (0.60, 0.69)


def test_a_row_that_stands_for_ten_uses_ten_of_the_budget() -> None:
    window = Window(
        value=np.array([0.9, 0.8, 0.1]),
        fraud=np.array([1, 0, 0], dtype=np.int8),
        at=np.zeros(3, dtype=np.int64),
        amount=np.ones(3),
        weight=np.array([1.0, 10.0, 1.0]),
    )
    assert PerDay(5).threshold(window) == 0.9
    assert PerDay(11).threshold(window) == 0.8


def test_goals_are_read_from_words() -> None:
    assert parse_goal() == parse_goal("100") == parse_goal("100/day") == parse_goal("700/week") == PerDay(100)
    assert parse_goal(cost=4.0) == Cost(4.0)
    assert parse_goal(fpr=0.01) == FalsePositives(0.01)
    for text in ("many", "-3/day", "10/fortnight", "inf/day", "nan"):
        with pytest.raises(BadInput, match="100/day"):
            parse_goal(text)
    with pytest.raises(BadInput, match="--budget and --fpr"):
        parse_goal("10/day", fpr=0.1)
