"""Heads on features: right, calibrated, the same every time, and no class is forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.artifact.heads import TreesHead
from tocsin.learn.perception.heads import choose_by_folds, choose_on, fit_linear
from tocsin.learn.perception.portions import folds
from tocsin.learn.perception.recipe import INTO
from tocsin.measure.classes import calibration_error, softmax


def blobs(n: int, classes: int = 3, seed: int = 0, apart: float = 1.2) -> tuple[np.ndarray, np.ndarray]:
    """Clouds about corners, in twelve columns of very different scales."""
    random = np.random.default_rng(seed)
    label = random.integers(0, classes, n)
    features = random.normal(size=(n, 12))
    features[np.arange(n), label] += 2 * apart
    return (features * np.geomspace(0.01, 100, 12) + 5).astype(np.float32), label


@pytest.mark.parametrize("into", INTO)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_tells_classes_apart_and_knows_how_sure_it_is(into: str, classes: int) -> None:
    features, label = blobs(600, classes)
    later, truth = blobs(400, classes, seed=1), blobs(1000, classes, seed=2)
    head = choose_on(features, label, later, classes, into)  # type: ignore[arg-type]
    p = softmax(head.logits(truth[0]), head.temperature)
    assert (p.argmax(axis=1) == truth[1]).mean() > 0.85
    assert calibration_error(p, truth[1]) < 0.08
    again = choose_on(features, label, later, classes, into)  # type: ignore[arg-type]
    assert np.array_equal(again.logits(truth[0]), head.logits(truth[0]))


def test_trees_are_served_as_they_were_learned() -> None:
    features, label = blobs(300)
    head = choose_on(features, label, blobs(200, seed=1), 3, "trees")
    served = TreesHead(head.trees, 3)(features)
    assert np.allclose(served, head.logits(features), atol=1e-9)


def test_folds_judge_each_example_by_a_head_it_did_not_teach() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(120, 60)).astype(np.float32)  # enough columns to learn noise by heart
    label = random.integers(0, 2, 120)
    head, logits = choose_by_folds(features, label, folds(label, np.full(120, ""), seed=0), 2, "svm")
    assert (head.logits(features).argmax(axis=1) == label).mean() > 0.7
    assert (logits.argmax(axis=1) == label).mean() < 0.65
    assert head.temperature > 1.0


def test_a_class_without_examples_is_never_said() -> None:
    features, label = blobs(200, 3)
    some = label != 1
    for into in ("svm", "logistic"):
        head = fit_linear(features[some], label[some], 4, into, 1e-3)  # type: ignore[arg-type]
        p = softmax(head.logits(features))
        assert p.shape == (200, 4)
        assert p[:, [1, 3]].max() < 1e-6


def test_a_column_that_never_varies_does_no_harm() -> None:
    features, label = blobs(200)
    features[:, 4] = 7.0
    assert np.isfinite(fit_linear(features, label, 3, "svm", 1e-2).logits(features)).all()
