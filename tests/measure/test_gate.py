"""The gate: its figures are those of the metrics, its draws those of drawing by hand, its verdict follows its words."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.measure.gate import AP, Difference, Origin, _Daily, _Ranked, gate
from tocsin.measure.metrics import average_precision, card_precision

CP = "Card Precision@3"


@st.composite
def origins(draw: st.DrawFn) -> Origin:
    n = draw(st.integers(4, 50))
    grid = st.integers(0, 6).map(lambda k: k / 6)  # many ties, on purpose
    fraud = draw(st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=n - 2, max_size=n - 2))
    return Origin(
        "here",
        np.array(draw(st.lists(grid, min_size=n, max_size=n))),
        np.array(draw(st.lists(grid, min_size=n, max_size=n))),
        np.array([*fraud, 0, 1], dtype=np.int8),
        np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))),
        np.array(draw(st.lists(st.integers(3, 6), min_size=n, max_size=n))),
    )


def by_measure(found: tuple[Difference, ...], measure: str) -> Difference:
    return next(d for d in found if d.measure == measure)


@settings(deadline=None)
@given(origins())
def test_its_figures_are_those_of_the_metrics(origin: Origin) -> None:
    found = gate([origin], k=3, rounds=5).differences
    known = origin.fraud >= 0
    truth, card, day = origin.fraud[known], origin.entity[known], origin.day[known]  # type: ignore[index]
    for d, measured in (
        (by_measure(found, AP), lambda s: average_precision(truth, s)),
        (by_measure(found, CP), lambda s: card_precision(truth, s, card, day, 3)),
    ):
        assert d.trees == pytest.approx(measured(origin.trees[known]))
        assert d.network == pytest.approx(measured(origin.network[known]))


@settings(deadline=None)
@given(origins(), st.lists(st.integers(0, 3), min_size=9, max_size=9))
def test_a_draw_is_what_writing_each_entity_so_often_would_give(origin: Origin, drawn: list[int]) -> None:
    known = origin.fraud >= 0
    truth, score = origin.fraud[known], origin.trees[known]
    card, day = origin.entity[known].astype(np.int64), origin.day[known]  # type: ignore[union-attr, index]
    times = np.array(drawn, dtype=np.int64)
    rows = np.repeat(np.arange(len(truth)), times[card])
    copy = np.concatenate([np.arange(times[c]) for c in card])
    if len(np.unique(truth[rows])) == 2:
        found = _Ranked.of(score, truth, np.ones(len(truth)), card).precision(times)
        assert found == pytest.approx(average_precision(truth[rows], score[rows]))
    if len(np.unique(day[rows])) == len(np.unique(day)):
        found = _Daily.of(score, truth, card, day, 9).precision(times, 3)
        assert found == pytest.approx(card_precision(truth[rows], score[rows], card[rows] * 10 + copy, day[rows], 3))


@settings(deadline=None)
@given(origins(), st.floats(0.1, 5))
def test_only_the_order_counts_and_the_same_order_passes(origin: Origin, slope: float) -> None:
    same = Origin("here", origin.trees, origin.trees * slope - 2, origin.fraud, origin.entity, origin.day)
    verdict = gate([same], k=3, rounds=20)
    assert verdict.passed
    assert all(d.value == d.low == d.high == 0 for d in verdict.differences)


@settings(deadline=None)
@given(origins())
def test_turned_about_the_difference_turns(origin: Origin) -> None:
    turned = Origin("here", origin.network, origin.trees, origin.fraud, origin.entity, origin.day)
    for one, other in zip(
        gate([origin], k=3, rounds=20).differences, gate([turned], k=3, rounds=20).differences, strict=True
    ):
        assert one.value == -other.value
        assert one.low == pytest.approx(-other.high)


@settings(deadline=None)
@given(origins(), origins())
def test_the_verdict_follows_the_differences(one: Origin, other: Origin) -> None:
    verdict = gate([one, other], k=3, rounds=20)
    fine = not any(d.worse for d in verdict.differences)
    for measure in (AP, CP):
        fine &= float(np.mean([d.value for d in verdict.differences if d.measure == measure])) >= -0.003
    assert verdict.passed == fine
    assert ("does no harm" in verdict.words) == verdict.passed
    assert ("The trees ship" in verdict.words) != verdict.passed


def made(n: int, seed: int, noise: float = 1.0, accounts: int = 2000) -> Origin:
    random = np.random.default_rng(seed)
    fraud = (random.random(n) < 0.01).astype(np.int8)
    trees = random.normal(size=n) + 2.5 * fraud
    network = trees * (1 / noise) + random.normal(size=n) * (noise > 1) + (0.5 * fraud if noise < 1 else 0)
    entity = random.integers(0, accounts, n)
    return Origin(f"origin {seed}", trees, network, fraud, entity, np.arange(n) * 14 // n)


def test_what_ranks_worse_is_held_back_and_the_words_say_where_and_by_how_much() -> None:
    verdict = gate([made(20_000, 1), made(20_000, 2, noise=2.0)])
    assert not verdict.passed
    assert verdict.worst.origin == "origin 2"
    assert verdict.worst.high < 0
    assert "at origin 2 its average precision is surely lower" in verdict.words
    assert f"{verdict.worst.network:.3f} against {verdict.worst.trees:.3f}" in verdict.words


def test_what_ranks_better_passes_and_the_words_say_by_how_much() -> None:
    verdict = gate([made(20_000, 1, noise=0.9), made(20_000, 2, noise=0.9)], called="the hybrid")
    assert verdict.passed
    assert min(d.low for d in verdict.differences if d.measure == AP) > 0
    assert verdict.words.startswith("The hybrid does no harm.")


def test_accounts_that_belong_together_widen_the_interval() -> None:
    """The same payments, but a hundred copies of each under one account: no more is known than of the account."""
    few = made(2000, 3, noise=2.0)
    many = Origin("many", *(np.repeat(c, 50) for c in (few.trees, few.network, few.fraud)))
    alone = gate([many], rounds=100).differences[0]
    together = gate(
        [Origin("many", many.trees, many.network, many.fraud, np.repeat(np.arange(2000), 50))], rounds=100
    ).differences[0]
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Two scores of equal worth: nine intervals of ten hold nothing."""
    random = np.random.default_rng(5)
    held = 0
    for trial in range(100):
        fraud = (random.random(1500) < 0.05).astype(np.int8)
        one, other = (random.normal(size=1500) + 2 * fraud for _ in range(2))
        d = gate([Origin("t", one, other, fraud)], rounds=100, seed=trial).differences[0]
        held += d.low <= 0 <= d.high
    assert 80 <= held <= 98


def test_it_is_the_same_by_seed_and_without_cards_there_is_no_card_precision() -> None:
    origin = made(3000, 4, noise=2.0)
    assert gate([origin], seed=1) == gate([origin], seed=1)
    assert gate([origin], seed=1) != gate([origin], seed=2)
    plain = gate([Origin("plain", origin.trees, origin.network, origin.fraud)])
    assert {d.measure for d in plain.differences} == {AP}
    assert "Card Precision" not in plain.words


def test_a_weight_is_so_many_payments() -> None:
    origin = made(500, 6, noise=2.0)
    weight = np.random.default_rng(6).integers(0, 4, 500)
    rows = np.repeat(np.arange(500), weight)
    heavy = Origin("w", origin.trees, origin.network, origin.fraud, origin.entity, weight=weight.astype(float))
    many = Origin("w", *(c[rows] for c in (origin.trees, origin.network, origin.fraud, origin.entity)))  # type: ignore[index]
    for one, other in zip(gate([heavy]).differences, gate([many]).differences, strict=True):
        assert (one.trees, one.network, one.low) == pytest.approx((other.trees, other.network, other.low))


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin("a", np.zeros(3), np.zeros(2), np.array([0, 1, 0], dtype=np.int8)), "one value for each of 3 rows"),
        (Origin("b", np.zeros(3), np.zeros(3), np.zeros(3, dtype=np.int8)), "0 frauds in 3"),
        (Origin("c", np.full(2, np.nan), np.zeros(2), np.array([0, 1], dtype=np.int8)), "finite"),
        (
            Origin("d", np.zeros(2), np.zeros(2), np.array([0, 1], dtype=np.int8), weight=np.array([-1.0, 1])),
            "not negative",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(origin: Origin, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        gate([origin])


def test_no_origin_and_no_round_are_refused() -> None:
    with pytest.raises(BadInput, match="at least one origin"):
        gate([])
    with pytest.raises(BadInput, match="at least 1"):
        gate([made(100, 7)], k=0)


def test_six_hundred_thousand_payments_take_seconds() -> None:
    origin = made(600_000, 8, noise=2.0, accounts=20_000)
    gate([made(1000, 8)])  # compiled
    started = time.process_time()
    gate([origin])
    assert time.process_time() - started < 30  # about three on an idle core
