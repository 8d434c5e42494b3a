"""Classes told apart: the figures against scikit-learn's, the temperature against a search."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from tocsin.errors import BadInput
from tocsin.measure.classes import calibration_error, confusion, fit_temperature, log_loss, measure, softmax


def made(n: int, classes: int, seed: int = 0, sharp: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of known calibration, and labels drawn from them."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2.0, size=(n, classes))
    label = np.array([random.choice(classes, p=p) for p in softmax(logits)])
    return logits * sharp, label


@pytest.mark.parametrize("classes", [2, 5])
def test_the_figures_are_those_of_scikit_learn(classes: int) -> None:
    logits, label = made(400, classes)
    p = softmax(logits)
    said = p.argmax(axis=1)
    found = measure(p, label)
    assert found.accuracy == pytest.approx(reference.accuracy_score(label, said))
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(label, said))
    assert found.macro_f1 == pytest.approx(reference.f1_score(label, said, average="macro"))
    assert found.log_loss == pytest.approx(reference.log_loss(label, p))
    assert (found.confusion == reference.confusion_matrix(label, said)).all()
    assert found.recall == pytest.approx(reference.recall_score(label, said, average=None))
    if classes == 2:
        assert found.roc_auc == pytest.approx(reference.roc_auc_score(label, p[:, 1]))
        assert found.average_precision == pytest.approx(reference.average_precision_score(label, p[:, 1]))
        assert found.f1 == pytest.approx(reference.f1_score(label, said))
    else:
        assert found.roc_auc is None
        assert "roc_auc" not in found.figures()
    assert found.figures()["rows"] == 400


@pytest.mark.parametrize("sharp", [0.2, 1.0, 7.0])
def test_the_temperature_undoes_what_made_logits_too_sure(sharp: float) -> None:
    logits, label = made(4000, 3, sharp=sharp)
    assert fit_temperature(logits, label) == pytest.approx(sharp, rel=0.1)
    tries = [log_loss(softmax(logits, t), label) for t in np.geomspace(sharp / 4, sharp * 4, 200)]
    assert log_loss(softmax(logits, fit_temperature(logits, label)), label) <= min(tries) + 1e-4


def test_a_few_rows_that_are_all_right_do_not_make_it_certain() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    label = np.array([0, 1, 0])
    sure = softmax(logits, fit_temperature(logits, label)).max()
    assert 0.8 < sure < 0.999


def test_nothing_to_fit_leaves_the_logits_as_they_are() -> None:
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0
    assert fit_temperature(np.ones((4, 3)), np.zeros(4, dtype=np.int64)) == 1.0


def test_confidence_is_held_against_accuracy() -> None:
    p = np.array([[0.9, 0.1]] * 10)
    label = np.array([0] * 6 + [1] * 4)
    assert calibration_error(p, label) == pytest.approx(0.3)
    logits, label = made(20_000, 3)
    assert calibration_error(softmax(logits), label) < 0.02
    assert calibration_error(softmax(logits * 5), label) > 0.1


def test_a_class_that_does_not_occur_takes_no_part_in_the_means() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    found = measure(p, np.array([0, 1]))
    assert found.balanced_accuracy == found.macro_f1 == 1.0
    assert np.isnan(found.recall[2])
    one = measure(np.array([[0.3, 0.7], [0.6, 0.4]]), np.array([0, 0]))
    assert one.roc_auc is None
    assert one.f1 is None


def test_large_logits_do_not_overflow() -> None:
    assert np.isfinite(softmax(np.array([[1e4, -1e4, 0.0]]))).all()
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


def test_confusion_has_the_true_class_down() -> None:
    assert confusion(np.array([2, 2, 0]), np.array([1, 2, 0]), 3).tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize(
    ("p", "label", "word"),
    [
        (np.zeros((0, 2)), np.zeros(0, dtype=np.int64), "got none"),
        (np.array([[0.5, 0.5]]), np.array([2]), "0 to 1"),
        (np.array([[0.5, 0.5]]), np.array([-1]), "0 to 1"),
        (np.array([[0.5, 0.9]]), np.array([0]), "add up"),
        (np.array([[0.5, 0.5]]), np.array([0, 1]), "one label"),
    ],
)
def test_what_cannot_be_measured_is_refused(p: np.ndarray, label: np.ndarray, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        measure(p, label)
