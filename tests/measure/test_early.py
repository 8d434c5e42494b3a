"""Early answers: limits keep the leak they were given, on the window and on new payments, and save look-ups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.measure.early import carry_over, early_answers, early_limits, stages_asked
from tocsin.measure.policy import Policy, answers_at

COLUMNS = (5, 20, 30, 60)
NAMES = ("amount", "device", "place", "history")


def made(seed: int, n: int = 20_000, rate: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exits that know more and more; unknown labels among them."""
    rng = np.random.default_rng(seed)
    fraud = (rng.random(n) < rate).astype(np.int8)
    told = np.cumsum(rng.normal(np.where(fraud[:, None] == 1, 1.3, -0.3), 0.8, (n, 4)), axis=1)
    exits = 1 / (1 + np.exp(-(told - 4.0)))
    fraud[rng.random(n) < 0.1] = -1
    return exits, fraud, rng.lognormal(3, 1, n)


exits_and_limits = st.tuples(
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=8),
    st.lists(st.floats(0, 0.5), max_size=3),
)


@given(exits_and_limits)
def test_all_rows_at_once_are_asked_as_each_row_alone(drawn: tuple[list[tuple[float, ...]], list[float]]) -> None:
    rows, limits = drawn
    policy = Policy(review_at=0.5, approve_below=tuple(limits))
    assert stages_asked(np.array(rows), policy).tolist() == [answers_at(row, policy) for row in rows]


@given(st.integers(0, 10_000), st.sampled_from([0.002, 0.005, 0.02, 0.1]))
@settings(max_examples=25, deadline=None)
def test_the_leak_is_kept_on_the_window_it_was_chosen_on(seed: int, leak: float) -> None:
    exits, fraud, amount = made(seed, 5_000)
    limits = early_limits(exits, fraud, review_at=0.4, leak=leak, columns=COLUMNS)
    told = early_answers(
        exits, fraud, amount, Policy(review_at=0.4, approve_below=limits), stages=NAMES, columns=COLUMNS
    )
    assert told.lost <= leak
    assert all(limit <= 0.4 for limit in limits)


def test_the_leak_is_kept_on_new_payments_on_average() -> None:
    lost, saved = [], []
    for seed in range(40):
        exits, fraud, _ = made(seed)
        limits = early_limits(exits, fraud, review_at=0.4, leak=0.02, columns=COLUMNS)
        later, true, amount = made(seed + 1_000)
        told = early_answers(
            later, true, amount, Policy(review_at=0.4, approve_below=limits), stages=NAMES, columns=COLUMNS
        )
        lost.append(told.lost)
        saved.append(told.lookups_saved)
    assert np.mean(lost) < 0.021
    assert np.mean(lost) > 0.01  # and what may be spent is spent
    assert np.mean(saved) > 0.2


def test_more_leak_saves_more() -> None:
    exits, fraud, amount = made(7)
    saved = []
    for leak in (0.005, 0.02, 0.08):
        policy = Policy(
            review_at=0.4, approve_below=early_limits(exits, fraud, review_at=0.4, leak=leak, columns=COLUMNS)
        )
        saved.append(early_answers(exits, fraud, amount, policy, stages=NAMES, columns=COLUMNS).lookups_saved)
    assert saved[0] < saved[1] < saved[2]


def test_with_few_frauds_nothing_is_promised() -> None:
    exits, fraud, _ = made(3, 2_000)
    assert (fraud == 1).sum() < 100
    assert early_limits(exits, fraud, review_at=0.4, leak=0.01, columns=COLUMNS) == ()
    assert early_limits(exits[:, -1:], fraud, review_at=0.4, leak=0.5, columns=(60,)) == ()


def test_the_leak_goes_where_it_saves_most() -> None:
    """Stage 1 tells nothing, stage 2 all: the first fraud's worth buys stage 2, and stage 1 gets what is left."""
    rng = np.random.default_rng(1)
    fraud = (rng.random(10_000) < 0.05).astype(np.int8)
    clear = np.where(fraud == 1, 0.9, 0.001) * rng.uniform(0.9, 1.0, len(fraud))
    exits = np.column_stack([rng.uniform(0, 0.2, len(fraud)), clear, clear])
    limits = early_limits(exits, fraud, review_at=0.85, leak=0.02, columns=(5, 20, 60))
    assert limits[0] < 0.2 * 0.05
    assert limits[1] > 0.5
    told = early_answers(
        exits, fraud, np.ones(len(fraud)), Policy(review_at=0.85, approve_below=limits),
        stages=("a", "b", "c"), columns=(5, 20, 60),
    )  # fmt: skip
    assert told.stages[1].traffic > 0.9
    assert told.lookups_saved == pytest.approx((told.stages[0].traffic * 55 + told.stages[1].traffic * 40) / 60)


def test_counted_by_hand() -> None:
    exits = np.array([[0.01, 0.02], [0.01, 0.9], [0.3, 0.9], [0.01, 0.1], [0.3, 0.1]])
    fraud = np.array([0, 1, 1, 1, -1], dtype=np.int8)
    amount, weight = np.array([10.0, 30.0, 50.0, 20.0, 5.0]), np.array([2.0, 1.0, 1.0, 1.0, 1.0])
    policy = Policy(review_at=0.5, approve_below=(0.1,))
    told = early_answers(exits, fraud, amount, policy, stages=("a", "b"), columns=(1, 4), weight=weight)
    assert told.frauds == 3
    assert told.stages[0].traffic == pytest.approx(4 / 6)
    assert told.lost == pytest.approx(1 / 3)  # the fraud of 30; that of 20 would not have rung anyway
    assert told.lost_money == pytest.approx(30 / 100)
    assert told.lookups_saved == pytest.approx(4 / 6 * 3 / 4)


def test_limits_are_carried_over_to_a_surer_model_by_the_traffic_they_answer() -> None:
    first, _, _ = made(11)
    surer = first**2 / (first**2 + (1 - first) ** 2)  # the log-odds doubled: the same order, further out
    limits = (0.01, 0.0, 0.05)
    carried = carry_over(limits, first, surer)
    assert carried[1] == 0.0
    for stage in (0, 2):
        assert carried[stage] < limits[stage]
        assert ((surer[:, stage] < carried[stage]) == (first[:, stage] < limits[stage])).all()
    weight = np.where(first[:, 0] < 0.02, 0.0, 1.0)
    assert carry_over(limits, first, surer, weight)[0] == 0.0  # what stands for no payment answers none
    assert carry_over((2.0,), first, surer)[0] == surer[:, 0].max()


@pytest.mark.parametrize("leak", [0.0, 1.0, -0.1, float("nan")])
def test_a_leak_is_a_share(leak: float) -> None:
    exits, fraud, _ = made(1, 100)
    with pytest.raises(BadInput, match="share of the frauds"):
        early_limits(exits, fraud, review_at=0.5, leak=leak, columns=COLUMNS)
