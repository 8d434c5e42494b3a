"""The layered network as a learner of rows with tokens: surprise, trees and network inside, the same after being read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.features.history import GAPS, HOURS, KINDS
from tocsin.learn import hybrid, scratch
from tocsin.learn.contract import Examples
from tocsin.learn.scratch import LayeredNetwork
from tocsin.learn.surprise import learn_surprise
from tocsin.learn.task import LoopSettings
from tocsin.measure.gate import Verdict

HISTORY = 8


def rows(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Three columns and nine tokens; fraud is a large amount, or kinds 1, 2, 3 in this order."""
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 6, (n, HISTORY + 1))
    ordered = random.random(n) < 0.05
    kinds[ordered, -3:] = (1, 2, 3)
    columns = random.normal(size=(n, 3))
    columns[random.random(n) < 0.05, 0] += 6
    tokens = kinds + KINDS * (8 + GAPS * (12 + HOURS * 9))
    return np.column_stack([columns, tokens]), ((columns[:, 0] > 4) | ordered).astype(np.int8)


@pytest.fixture(scope="module")
def learned() -> LayeredNetwork:
    patch = pytest.MonkeyPatch()
    quick = LoopSettings(epochs=2, planned=2, batch=64, rate=1e-2, decay=0.01, patience=2)
    patch.setattr(scratch, "learn_surprise", lambda tokens: learn_surprise(tokens, wide=8, settings=quick))
    taught = hybrid.teach
    patch.setattr(hybrid, "teach", lambda *a, **k: replace(taught(*a, **k), correction=0.6))
    patch.setattr(hybrid, "gate", lambda origins: Verdict(True, (), "as the test wants it"))
    learner = LayeredNetwork.small((2, 3), (), 0)
    learner.history = HISTORY
    matrix, label = rows(2500, 1)
    learner.fit(Examples.of(matrix, label))
    patch.undo()
    return learner


def test_all_three_parts_are_there_and_speak(learned: LayeredNetwork) -> None:
    assert learned.learned_ is not None
    assert learned.learned_.network is not None
    assert learned.learned_.surprise is not None
    matrix, label = rows(800, 2)
    score = learned.score(matrix)
    assert score[label == 1].mean() > 2 * score[label == 0].mean()
    turned = matrix.copy()
    turned[:, 3:] = turned[:, :2:-1]
    assert not np.allclose(learned.score(turned), score)


def test_read_back_it_scores_alike_to_the_bit(learned: LayeredNetwork, tmp_path: Path) -> None:
    matrix, _ = rows(300, 3)
    learned.save(tmp_path)
    again = LayeredNetwork.small((2, 3), (), 0).load(tmp_path)
    assert np.array_equal(again.score(matrix), learned.score(matrix))


def test_rows_without_their_tokens_are_refused(learned: LayeredNetwork) -> None:
    with pytest.raises(BadInput, match="12 columns"):
        learned.score(rows(5, 4)[0][:, :3])
