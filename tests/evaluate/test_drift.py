"""Drift is seen when planted, and only there."""

import numpy as np
import pytest

from tocsin.errors import BadInput
from tocsin.evaluate.drift import LEAST, drift, stability

DAY = 86_400_000_000


def test_the_same_world_is_steady_and_a_moved_one_is_not():
    chance = np.random.default_rng(0)
    then = chance.normal(size=5000)
    assert stability(then, then) == 0.0
    assert stability(then, chance.normal(size=5000)) < 0.02
    assert stability(then, chance.normal(0.5, 1, 5000)) > 0.2


def test_by_hand():
    then = np.array([0.0] * 50 + [1.0] * 50)
    now = np.array([0.0] * 20 + [1.0] * 80)
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert stability(then, now, bins=2) == pytest.approx(expected, abs=0.06)  # empty bins count half a payment


def test_missing_values_are_a_place_of_their_own():
    chance = np.random.default_rng(1)
    then = chance.normal(size=2000)
    now = then.copy()
    now[:1000] = np.nan
    assert stability(then, now) > 1
    assert stability(np.full(500, np.nan), np.full(500, np.nan)) == 0.0


def test_months_and_words():
    chance = np.random.default_rng(2)
    then = chance.normal(size=(4000, 2))
    now = chance.normal(size=(4000, 2))
    at = np.sort(chance.integers(0, 60, 4000)) * DAY
    now[at >= 31 * DAY, 1] += 2
    score = chance.random(4000)
    found = drift(("calm", "moving"), then, now, at, score_then=score, score_now=score)
    assert found.months == ("1970-01", "1970-02", "1970-03")
    assert np.isnan(found.features[0].months[2])  # one day of March is not a month
    assert [f.name for f in found.features] == ["moving", "calm"]
    assert found.features[0].months[0] < 0.1 < 0.25 < found.features[0].months[1]
    assert found.features[0].words == "changed"
    assert found.features[1].words == "steady"
    assert "as they were" in found.sentence
    assert "moving" in found.sentence


def test_too_few_payments_say_nothing():
    few = np.zeros((LEAST - 1, 1))
    at = np.zeros(LEAST - 1, np.int64)
    score = np.zeros(LEAST - 1)
    found = drift(("a",), few, few + 9, at, score_then=score, score_now=score)
    assert np.isnan(found.features[0].months).all()
    assert found.features[0].words == "steady"
    with pytest.raises(BadInput, match="both sides"):
        stability(np.zeros(0), np.zeros(3))
