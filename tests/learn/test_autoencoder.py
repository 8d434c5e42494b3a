"""Learned without labels: what breaks the pattern between columns is found, where no single column shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tocsin.artifact.anomaly import ANOMALY
from tocsin.learn import Examples, IsolationForest
from tocsin.learn.autoencoder import Restoring
from tocsin.measure.metrics import roc_auc


def rows(n: int, seed: int) -> np.ndarray:
    """Six columns that tell of one hidden number, in any units, and one of noise."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(n, 1))
    matrix = np.concatenate([hidden + 0.2 * random.normal(size=(n, 6)), random.normal(size=(n, 1))], axis=1)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return matrix * 10.0 ** np.arange(-3, 4)


def learned(n: int = 3000, **more: object) -> Restoring:
    network = Restoring(**{"epochs": 6, "deals": 4, "wide": 48, **more})  # type: ignore[arg-type]
    return network.fit(Examples.of(rows(n, 1), np.full(n, -1, np.int8)))


@pytest.fixture(scope="module")
def network() -> Restoring:
    return learned()


def test_a_broken_pattern_is_found_where_no_column_is_strange(network: Restoring) -> None:
    usual, odd = rows(1500, 2), rows(300, 3)
    for column in range(6):
        odd[:, column] = np.random.default_rng(column).permutation(odd[:, column])
    matrix, truth = np.concatenate([usual, odd]), np.repeat([0, 1], [1500, 300])
    forest = IsolationForest().fit(Examples.of(rows(3000, 1), np.zeros(3000, np.int8)))
    assert roc_auc(truth, network.score(matrix)) > 0.95
    assert roc_auc(truth, network.score(matrix)) > roc_auc(truth, forest.score(matrix)) + 0.1


def test_training_helps(network: Restoring) -> None:
    assert network.trained_ is not None
    assert network.trained_.judged < 0.6 * network.trained_.start
    assert network.trained_.best > 0


def test_half_is_ordinary(network: Restoring) -> None:
    score = network.score(rows(3000, 4))
    assert np.mean(score / (1 - score)) == pytest.approx(1.0, abs=0.15)


def test_codes_are_not_read_and_missing_values_stay_missing() -> None:
    network = learned(600, categorical=(2,), epochs=1)
    assert network.card_ is not None
    assert 2 not in network.card_.columns
    matrix = rows(50, 5)
    before = network.score(matrix)
    matrix[:, 2] = 1e9
    assert np.array_equal(before, network.score(matrix))
    assert network.score(np.full((1, 7), np.nan))[0] == 0.5


def test_the_graph_runs_without_the_network(network: Restoring, tmp_path: Path) -> None:
    """The file alone, in ONNX Runtime, gives the scores; a graph of the same learning is the same file."""
    network.save(tmp_path)
    session = onnxruntime.InferenceSession((tmp_path / ANOMALY).read_bytes(), providers=["CPUExecutionProvider"])
    matrix = np.nan_to_num(rows(20, 6)).astype(np.float32)
    (scores,) = session.run(["scores"], {"rows": matrix})
    assert np.array_equal(scores.ravel().astype(np.float64), network.score(matrix.astype(np.float64)))


def test_the_same_learning_is_the_same_file_to_the_bit() -> None:
    assert learned(400, epochs=1).graph_ == learned(400, epochs=1).graph_
    assert learned(400, epochs=1, seed=1).graph_ != learned(400, epochs=1).graph_


def test_a_row_far_beyond_all_learned_scores_high_and_finite(network: Restoring) -> None:
    far = rows(1, 7)
    far[:, 4] = 1e30
    score = network.score(np.nan_to_num(far))
    assert 0.8 < score[0] < 1.0
