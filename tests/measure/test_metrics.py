"""The metrics against scikit-learn, and against hand-made cases where it has none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from tocsin.errors import BadInput
from tocsin.measure.metrics import (
    average_precision,
    bootstrap,
    brier,
    calibration_error,
    card_precision,
    log_loss,
    money,
    precision_recall,
    recall_at,
    reliability,
    roc_auc,
    still_unknown,
)


def cases(seed: int, ties: bool, n: int = 500):
    chance = np.random.default_rng(seed)
    truth = (chance.random(n) < 0.1).astype(int)
    truth[:2] = 0, 1
    score = np.clip(chance.normal(0.3 + 0.2 * truth, 0.2), 0, 1)
    return truth, np.round(score, 1) if ties else score, chance.choice([0.0, 1.0, 2.5, 13.0], n, p=[0.1, 0.5, 0.2, 0.2])


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(seed, ties, weighted):
    truth, score, weight = cases(seed, ties)
    weight[:2] = 1
    w = weight if weighted else None
    assert roc_auc(truth, score, w) == pytest.approx(reference.roc_auc_score(truth, score, sample_weight=w))
    assert average_precision(truth, score, w) == pytest.approx(
        reference.average_precision_score(truth, score, sample_weight=w)
    )
    assert brier(truth, score, w) == pytest.approx(reference.brier_score_loss(truth, score, sample_weight=w))
    assert log_loss(truth, score, w) == pytest.approx(reference.log_loss(truth, score, sample_weight=w))
    false_rate, recall, _ = reference.roc_curve(truth, score, sample_weight=w, drop_intermediate=False)
    for limit in (0.0, 0.01, 0.1, 0.5, 1.0):
        assert recall_at(truth, score, limit, w) == pytest.approx(recall[false_rate <= limit].max())


def test_precision_recall_curve_is_the_one_of_scikit_learn():
    truth, score, weight = cases(3, ties=True)
    weight = weight + 0.5
    precision, recall, threshold = reference.precision_recall_curve(truth, score, sample_weight=weight)
    curve = precision_recall(truth, score, weight)
    assert curve.threshold == pytest.approx(threshold[::-1])
    assert curve.precision == pytest.approx(precision[:-1][::-1])
    assert curve.recall == pytest.approx(recall[:-1][::-1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(1, 4)), min_size=2, max_size=40))
def test_a_weight_of_n_is_the_row_n_times(rows):
    truth, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    if truth.min() == truth.max():
        return
    for metric in (roc_auc, average_precision, brier, log_loss):
        scaled = score / 5
        assert metric(truth, scaled, weight) == pytest.approx(
            metric(np.repeat(truth, weight), np.repeat(scaled, weight))
        )


def test_card_precision_by_hand():
    #        day 1: a is fraud and top, b genuine    day 2: a must be gone, c is fraud but third of two
    card = np.array([7, 7, 8, 9, 7, 8, 9, 5])
    day = np.array([1, 1, 1, 1, 2, 2, 2, 2])
    truth = np.array([0, 1, 0, 0, 1, 0, 1, 0])
    score = np.array([0.9, 0.1, 0.5, 0.2, 1.0, 0.8, 0.3, 0.6])
    assert card_precision(truth, score, card, day, k=2) == (0.5 + 0.0) / 2
    assert card_precision(truth, score, card, day, k=2, remove_detected=False) == (0.5 + 0.5) / 2
    assert card_precision(truth, score, card, day, k=3) == pytest.approx((1 / 3 + 1 / 3) / 2)


def test_card_precision_agrees_with_a_slow_reading_of_the_definition():
    chance = np.random.default_rng(1)
    n, k = 3000, 20
    card, day = chance.integers(0, 300, n), chance.integers(0, 7, n)
    truth = (chance.random(n) < 0.05).astype(int)
    score = chance.random(n) + truth * 0.3
    found, shares = set(), []
    for d in range(7):
        best, struck = {}, {}
        for c, s, t in zip(card[day == d], score[day == d], truth[day == d], strict=True):
            if c not in found:
                best[c] = max(best.get(c, -1.0), s)
                struck[c] = struck.get(c, 0) | t
        top = sorted(best, key=lambda c: (-best[c], c))[:k]
        hits = {c for c in top if struck[c]}
        shares.append(len(hits) / k)
        found |= hits
    assert card_precision(truth, score, card, day, k) == pytest.approx(np.mean(shares))


def test_known_compromised_cards_leave_the_test_days():
    # training days 0-1, delay 2, test days 4-5: on day 4 fraud of days 0, 1 is known; on day 5 that of day 2 too
    card = np.array([1, 2, 3, 1, 2, 3, 4, 1, 2, 3, 4])
    day = np.array([0, 2, 3, 4, 4, 4, 4, 5, 5, 5, 5])
    truth = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    rows = still_unknown(truth, card, day, start=0, train=2, delay=2, test=2)
    assert card[rows].tolist() == [2, 3, 4, 3, 4]
    assert day[rows].tolist() == [4, 4, 4, 5, 5]


def test_calibration_error_sees_a_promise_twice_too_high():
    chance = np.random.default_rng(0)
    honest = chance.random(200_000) * 0.4
    truth = (chance.random(200_000) < honest).astype(int)
    assert calibration_error(truth, honest) < 0.005
    assert calibration_error(truth, honest * 2) == pytest.approx(honest.mean(), abs=0.005)
    curve = reliability(truth, honest, bins=10)
    assert curve.weight @ curve.observed == pytest.approx(truth.sum())
    assert np.ptp(curve.weight * curve.observed) < 20


def test_money():
    result = money([1, 1, 0, 0], [100.0, 50.0, 30.0, 20.0], [True, False, True, False], cost_per_alert=10)
    assert result == (150.0, 100.0, 50.0, 30.0, 20.0)
    assert result.saved == 80.0


def test_bootstrap_covers_and_resamples_whole_entities():
    truth, score, _ = cases(2, ties=False, n=2000)
    entity = np.arange(2000) // 20
    narrow = bootstrap(roc_auc, truth, score, np.arange(2000))
    wide = bootstrap(roc_auc, np.tile(truth, 10), np.tile(score, 10), np.tile(np.arange(2000), 10))
    assert narrow.low < narrow.value < narrow.high
    assert narrow.value == pytest.approx(roc_auc(truth, score))
    # ten copies of each payment are no new evidence once the entity is what is drawn
    assert wide.high - wide.low == pytest.approx(narrow.high - narrow.low, rel=0.01)
    assert bootstrap(roc_auc, truth, score, entity, seed=1) == bootstrap(roc_auc, truth, score, entity, seed=1)


@pytest.mark.parametrize(
    ("truth", "score", "weight", "match"),
    [
        ([0, 1], [0.1], None, "equally long"),
        ([0, 0], [0.1, 0.2], None, "both fraud and genuine"),
        ([0, 1], [0.1, np.nan], None, "finite"),
        ([0, -1], [0.1, 0.2], None, "1 \\(fraud\\) or 0"),
        ([0, 1], [0.1, 0.2], [1, -1], "not negative"),
    ],
)
def test_refuses(truth, score, weight, match):
    with pytest.raises(BadInput, match=match):
        roc_auc(truth, score, weight)
