"""Calibration: recovers known odds, keeps order, stays finite, and one formula for all shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tocsin.errors import BadInput
from tocsin.measure.calibration import CLIP, Calibration, calibrated, fit_calibration, logistic


def drawn(n: int, truth: Calibration, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(-4, 2, n)
    fraud = (rng.random(n) < 1 / (1 + np.exp(-truth(margin)))).astype(np.int8)
    return margin, fraud


def test_platt_finds_the_line_that_made_the_labels() -> None:
    margin, fraud = drawn(200_000, Calibration(low=0.7, high=0.7, shift=-0.5), seed=1)
    found = fit_calibration(margin, fraud, way="platt")
    assert found.low == found.high
    assert_allclose([found.low, found.shift], [0.7, -0.5], atol=0.05)


def test_beta_finds_two_slopes_where_platt_cannot() -> None:
    truth = Calibration(low=0.5, high=2.0, shift=0.3)
    rng = np.random.default_rng(2)
    margin = rng.normal(0, 3, 200_000)
    fraud = (rng.random(200_000) < 1 / (1 + np.exp(-truth(margin)))).astype(np.int8)
    found = fit_calibration(margin, fraud)
    assert_allclose([found.low, found.high, found.shift], [0.5, 2.0, 0.3], atol=0.08)

    def loss(c: Calibration) -> float:
        z = c(margin)
        return float((np.logaddexp(0, z) - fraud * z).mean())

    assert loss(found) < loss(fit_calibration(margin, fraud, way="platt")) - 1e-3


def test_the_calibrated_rate_is_the_observed_rate() -> None:
    margin, fraud = drawn(50_000, Calibration(low=1.4, high=1.1, shift=1.0), seed=3)
    p = 1 / (1 + np.exp(-fit_calibration(margin, fraud)(margin)))
    assert_allclose(p.mean(), fraud.mean(), rtol=1e-3)


def test_a_separable_window_gives_finite_odds() -> None:
    margin = np.concatenate([np.full(50, -3.0), np.full(50, 3.0)])
    fraud = np.repeat([0, 1], 50).astype(np.int8)
    for way in ("platt", "beta"):
        assert np.isfinite(fit_calibration(margin, fraud, way=way)(np.array([-1e9, 0.0, 1e9]))).all()


def test_a_margin_that_misleads_is_flattened_not_turned_over() -> None:
    margin, fraud = drawn(5_000, Calibration(low=1.0, high=1.0, shift=2.0), seed=4)
    found = fit_calibration(-margin, fraud)
    assert found.low == found.high == 0.0


def test_weight_two_is_two_rows() -> None:
    margin, fraud = drawn(4_000, Calibration(low=0.8, high=0.8, shift=1.5), seed=5)
    weight = np.where(np.arange(4_000) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(4_000), weight.astype(int))
    a = fit_calibration(margin, fraud, weight)
    b = fit_calibration(margin[twice], fraud[twice])
    assert_allclose([a.low, a.high, a.shift], [b.low, b.high, b.shift], rtol=1e-6)


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5), st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_order_is_kept_and_the_formula_is_the_published_one(
    low: float, high: float, shift: float, margins: list[float]
) -> None:
    m = np.sort(np.array(margins))
    out = Calibration(low=low, high=high, shift=shift)(m)
    assert (np.diff(out) >= -1e-9).all()
    c = np.clip(m, -CLIP, CLIP)
    assert_allclose(out, -low * np.logaddexp(0, -c) + high * np.logaddexp(0, c) + shift, atol=1e-9)
    assert_array_equal(out, [calibrated(x, low, high, shift) for x in m])


def test_logistic_never_overflows() -> None:
    assert [logistic(x) for x in (-1e6, 0.0, 1e6)] == [0.0, 0.5, 1.0]
    assert math.isclose(logistic(-2.0) + logistic(2.0), 1.0)


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(BadInput, match="two frauds"):
        fit_calibration(np.zeros(10), np.zeros(10, dtype=np.int8))
    with pytest.raises(BadInput, match="finite"):
        fit_calibration(np.array([np.nan, 0, 1, 2]), np.array([0, 1, 0, 1], dtype=np.int8))
    with pytest.raises(BadInput, match="platt"):
        fit_calibration(np.zeros(4), np.array([0, 1, 0, 1], dtype=np.int8), way="isotonic")
