"""Time-forward scores: no row by a learner that saw it, anything later, or a label not yet known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import UNKNOWN, Examples
from tocsin.learn.forward import block_cuts, forward_scores


class Witness:
    """Remembers what it was shown; scores the number of rows it learned from."""

    shown: list[Examples]

    def __init__(self, log: list[Examples]) -> None:
        self.log = log

    def fit(self, examples: Examples) -> Witness:
        self.log.append(examples)
        return self


def given_rows(at: list[int], delays: list[int]) -> Examples:
    n = len(at)
    when = np.sort(np.array(at, dtype=np.int64))
    label = (np.arange(n) % 2).astype(np.int8)
    return Examples.of(np.arange(n, dtype=float)[:, None], label, at=when, known_at=when + np.array(delays[:n]))


@given(
    st.lists(st.integers(0, 50), min_size=6, max_size=60),
    st.lists(st.integers(0, 30), min_size=60, max_size=60),
    st.integers(2, 5),
)
def test_nothing_later_is_ever_shown(at: list[int], delays: list[int], blocks: int) -> None:
    examples = given_rows(at, delays)
    log: list[Examples] = []

    def read(learner: Any, matrix: np.ndarray) -> np.ndarray:
        shown = learner.log[-1]
        first = int(matrix[0, 0])
        assert (shown.at < examples.at[first]).all()
        known = shown.label != UNKNOWN
        assert (shown.known_at[known] <= examples.at[first]).all()
        return matrix[:, 0]

    scores = forward_scores(examples, lambda: Witness(log), read, blocks=blocks)
    assert scores.shape == (len(examples),)
    scored = ~np.isnan(scores)
    assert np.array_equal(scores[scored], examples.matrix[scored, 0])
    assert not scored[: block_cuts(examples, blocks)[1]].any(), "the first block is scored by nobody"


def test_three_blocks_of_boosted_trees() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(6000, 4))
    label = (random.random(6000) < 1 / (1 + np.exp(4 - 3 * matrix[:, 0]))).astype(np.int8)
    examples = Examples.of(matrix, label)
    settings = BoostingSettings(trees=20, leaves=8)

    def make() -> StagedTrees:
        return StagedTrees((2, 4), settings=settings)

    margins = forward_scores(examples, make, StagedTrees.margins)
    assert margins.shape == (6000, 2)
    assert np.isnan(margins[:2000]).all()
    assert np.isfinite(margins[2000:]).all()
    second = make().fit(examples.as_known_at(2000)).margins(matrix[2000:4000])
    assert np.array_equal(margins[2000:4000], second)
    assert np.array_equal(margins, forward_scores(examples, make, StagedTrees.margins), equal_nan=True)
    changed = Examples.of(matrix, np.where(np.arange(6000) >= 4000, 1 - label, label).astype(np.int8))
    again = forward_scores(changed, make, StagedTrees.margins)
    assert np.array_equal(margins, again, equal_nan=True), "the last block's labels decide no score"


def test_blocks_must_be_some() -> None:
    with pytest.raises(BadInput, match="at least 2"):
        forward_scores(given_rows([1, 2, 3], [0] * 3), lambda: Witness([]), lambda _, m: m[:, 0], blocks=1)
