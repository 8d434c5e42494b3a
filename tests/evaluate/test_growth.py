"""Learning curves: a known law is found again, chance widens what is said, and nothing leaves [0, 1]."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.evaluate.growth import Growth, Point

SIZES = (100, 200, 400, 800)


def law(n: float, floor: float = 0.0, rate: float = 0.4) -> float:
    return 1 - floor - 1.5 * n**-rate


@pytest.mark.parametrize(("floor", "rate"), [(0.0, 0.4), (0.0, 0.7), (0.05, 0.5)])
def test_a_known_law_is_found_again(floor: float, rate: float) -> None:
    found = Growth.through([Point(n, law(n, floor, rate), 0.001) for n in SIZES])
    assert found.right(800) == pytest.approx(law(800, floor, rate), abs=0.005)
    assert found.right(6400) == pytest.approx(law(6400, floor, rate), abs=0.02)


def test_more_chance_is_a_wider_interval_and_it_holds_the_truth() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for seed in range(40):
        floor = (0.0, 0.03, 0.06, 0.09)[seed % 4]
        points = [Point(n, law(n, floor) + rng.normal(0, 0.01), 0.01) for n in SIZES]
        low, high = Growth.through(points, seed).between(1600)
        inside += low <= law(1600, floor) <= high
    assert inside >= 30, "nine of ten, with few draws"
    sharp = Growth.through([Point(n, law(n), 0.002) for n in SIZES]).between(1600)
    blunt = Growth.through([Point(n, law(n), 0.03) for n in SIZES]).between(1600)
    assert blunt[1] - blunt[0] > 2 * (sharp[1] - sharp[0])


def test_where_an_error_remains_no_wonder_is_promised() -> None:
    """A fresh draw of laws, a third to nine tenths of whose last error no example takes away, drawn on to four times as many."""
    rng = np.random.default_rng(7)
    off, inside = [], []
    for seed in range(60):
        rate, error, share, chance = rng.uniform(0.2, 0.9), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.9), 0.01
        floor = share * error
        height = (error - floor) * 800**rate
        points = [Point(n, 1 - floor - height * n**-rate + rng.normal(0, chance), chance) for n in SIZES]
        truth = 1 - floor - height * 3200**-rate
        found = Growth.through(points, seed)
        off.append(found.right(3200) - truth)
        inside.append(found.between(3200)[0] <= truth <= found.between(3200)[1])
    assert np.sqrt(np.mean(np.square(off))) < 0.018, "the curve that fits best alone is off by 0.023"
    assert abs(np.mean(off)) < 0.01
    assert np.mean(inside) > 0.85


def test_one_point_is_a_level_line() -> None:
    found = Growth.through([Point(50, 0.8, 0.01)])
    assert found.right(10) == found.right(5000) == pytest.approx(0.8, abs=1e-3)


def test_curves_never_fall_and_stay_shares() -> None:
    found = Growth.through([Point(10, 0.5, 0.05), Point(20, 0.45, 0.05), Point(40, 0.99, 0.01)])
    values = [found.right(n) for n in (1, 10, 100, 10_000, 10**7)]
    assert values == sorted(values)
    assert 0 <= values[0] <= values[-1] <= 1


def test_what_more_examples_bring_is_the_difference_on_each_curve() -> None:
    found = Growth.through([Point(n, law(n), 0.005) for n in SIZES])
    best, low, high = found.gain(800, 1600)
    assert best == pytest.approx(found.right(1600) - found.right(800))
    assert 0 <= low <= best <= high
    assert high - low < found.between(1600)[1] - found.between(1600)[0] + 0.02
    assert found.gain(800, 800) == (0.0, 0.0, 0.0)
