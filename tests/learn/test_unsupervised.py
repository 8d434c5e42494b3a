"""The forest as ONNX is scikit-learn's own to 1e-6; labels change nothing; what is odd scores high."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import IsolationForest as Forest

from tocsin.artifact.anomaly import ready
from tocsin.learn import Examples, IsolationForest


def rows(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n, 8)) * 10.0 ** np.arange(-3, 5)
    matrix[:, 3] = random.integers(0, 1000, n)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix


def test_the_graph_is_the_forest() -> None:
    matrix = rows(4000, 1)
    for sample in (256, 3):
        learned = IsolationForest((3,), trees=50, sample=sample, seed=5).fit(
            Examples.of(matrix, np.zeros(4000, np.int8))
        )
        assert learned.card_ is not None
        assert 3 not in learned.card_.columns
        table = ready(matrix, np.array(learned.card_.columns), np.array(learned.card_.fill))
        forest = Forest(n_estimators=50, max_samples=sample, random_state=5).fit(table)
        fresh = rows(3000, 2)
        fresh[::7] *= 1e6
        told = ready(fresh, np.array(learned.card_.columns), np.array(learned.card_.fill))
        assert np.abs(learned.score(fresh) + forest.score_samples(told)).max() < 1e-6


def test_values_at_a_threshold_fall_on_scikit_learns_side() -> None:
    """Few different values, so that rows lie on either side of thresholds between neighbouring float32."""
    random = np.random.default_rng(0)
    matrix = np.nextafter(np.float32(1.0), np.float32(2.0)) ** random.integers(0, 4, (3000, 4)).astype(np.float64)
    learned = IsolationForest(trees=30, seed=1).fit(Examples.of(matrix, np.zeros(3000, np.int8)))
    forest = Forest(n_estimators=30, max_samples=256, random_state=1).fit(matrix.astype(np.float32))
    assert np.abs(learned.score(matrix) + forest.score_samples(matrix.astype(np.float32))).max() < 1e-6


def test_what_lies_outside_scores_higher() -> None:
    random = np.random.default_rng(3)
    usual = random.normal(size=(5000, 4))
    learned = IsolationForest().fit(Examples.of(usual, np.full(5000, -1, np.int8)))
    odd = random.normal(size=(200, 4)) + 6
    assert learned.score(odd).min() > np.median(learned.score(usual))
    assert learned.score(odd).mean() > 0.6


def test_weights_stand_for_rows() -> None:
    matrix = np.concatenate([np.random.default_rng(4).normal(size=(4500, 2)), np.full((500, 2), 9.0)])
    label = np.zeros(5000, np.int8)
    rare = IsolationForest(seed=1).fit(Examples.of(matrix, label, weight=np.repeat([10.0, 0.01], [4500, 500])))
    common = IsolationForest(seed=1).fit(Examples.of(matrix, label, weight=np.repeat([0.1, 10.0], [4500, 500])))
    far = np.full((1, 2), 9.0)
    assert rare.score(far)[0] > common.score(far)[0] + 0.1
