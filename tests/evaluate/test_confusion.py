"""The numbers of a report of classes, against ones worked out by hand."""

import numpy as np
import pytest

from tocsin.errors import BadInput
from tocsin.evaluate.confusion import doubtful, find_classes, mistakes, typical, wilson

LABEL = np.array([0, 0, 0, 1, 1, 2])
PROBABILITY = np.array(
    [[0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.05, 0.95, 0.0], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]
)


def test_the_numbers_by_hand() -> None:
    found = find_classes(("a", "b", "c"), LABEL, PROBABILITY)
    assert (found.examples, found.right, found.groups) == (6, 4, 0)
    assert found.accuracy.value == pytest.approx(4 / 6)
    assert found.majority == ("a", 0.5)
    a, b, c = found.classes
    assert (a.examples, a.said, a.right) == (3, 3, 2)
    assert (b.recall.value, b.precision.value, b.f1) == (0.5, 0.5, 0.5)
    assert (c.recall.value, c.f1) == (1.0, 1.0)
    squares = ((PROBABILITY - np.eye(3)[LABEL]) ** 2).sum(axis=1)
    assert found.brier == pytest.approx(squares.mean())
    assert found.selective[-1] == (1.0, pytest.approx(4 / 6))
    assert found.selective[0] == (pytest.approx(1 / 6), 1.0)


def test_wilsons_interval_as_published() -> None:
    """Newcombe 1998, table I: 81 of 263 by the score method without continuity correction: 0.2553 to 0.3662."""
    share = wilson(81, 263)
    assert (share.low, share.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert wilson(0, 20).low == 0.0
    assert wilson(20, 20).high == 1.0
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


def test_examples_of_one_group_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    label = np.zeros(400, dtype=np.int64)
    bad = rng.random(20) < 0.3  # whole speakers are misheard
    sure = np.where(np.repeat(bad, 20), 0.2, 0.8)
    probability = np.stack([sure, 1 - sure], axis=1)
    group = [f"speaker {i // 20}" for i in range(400)]
    alone, together = (
        find_classes(("a", "b"), label, probability),
        find_classes(("a", "b"), label, probability, group=group),
    )
    assert together.groups == 20
    assert together.accuracy.value == alone.accuracy.value
    wide, narrow = ((f.accuracy.high - f.accuracy.low) for f in (together, alone))
    assert wide > 2.5 * narrow


def test_groups_known_of_some_only_are_not_taken_for_groups() -> None:
    found = find_classes(("a", "b", "c"), LABEL, PROBABILITY, group=["x", "x", "", "y", "y", "z"])
    assert found.groups == 0


def test_which_examples_are_shown() -> None:
    assert mistakes(LABEL, PROBABILITY).tolist() == [2, 4]
    assert doubtful(PROBABILITY)[:2].tolist() == [4, 1]
    assert typical(LABEL, PROBABILITY, 0).tolist() == [0, 1]
    assert typical(LABEL, PROBABILITY, 1).tolist() == [3]


def test_confidence_is_binned_and_a_bin_of_few_joins_the_next() -> None:
    rng = np.random.default_rng(1)
    sure = np.concatenate([rng.uniform(0.5, 1, 2000), [0.51]])
    label = (rng.random(len(sure)) > sure).astype(np.int64)  # right as often as promised
    found = find_classes(("a", "b"), label, np.stack([sure, 1 - sure], axis=1))
    bins = found.reliability
    assert sum(b.examples for b in bins) == 2001
    assert 7 <= len(bins) <= 8
    assert min(b.examples for b in bins) >= 20
    assert all(abs(b.promised - b.right) < 0.12 for b in bins)
    assert found.quality.calibration_error < 0.05
    few = np.array([0.55] * 3 + [0.99] * 60)
    alone = find_classes(("a", "b"), np.zeros(63, dtype=np.int64), np.stack([few, 1 - few], axis=1)).reliability
    assert [b.examples for b in alone] == [63]


@pytest.mark.parametrize(
    ("label", "probability"), [([], np.zeros((0, 2))), ([2], [[0.5, 0.5]]), ([0], [[0.5, 0.4]]), ([0], [[np.nan, 0.5]])]
)
def test_what_cannot_be_measured_is_refused(label: list[int], probability: object) -> None:
    with pytest.raises(BadInput):
        find_classes(("a", "b"), np.array(label, dtype=np.int64), np.asarray(probability, dtype=np.float64))
