"""Trees by stage: prefixes only, one ensemble, exits exact, stages stopped by what came later, at most so many."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from tocsin.errors import BadInput
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.measure.metrics import average_precision

ENDS = (2, 5, 8)


def rows(n: int, seed: int) -> Examples:
    """The first stage's columns tell a little, the second's and third's much."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n, 8))
    odds = matrix[:, 0] + 2 * matrix[:, 2] * matrix[:, 3] + 2.5 * matrix[:, 6] - 4
    label = (random.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    return Examples.of(matrix, label)


def few(**more: object) -> BoostingSettings:
    return BoostingSettings(**{"trees": 90, "leaves": 8, "least_rows": 20, "columns": 1.0, "early": 1 / 3, **more})  # type: ignore[arg-type]


def test_every_stage_ranks_better_than_the_one_before() -> None:
    trees = StagedTrees(ENDS, settings=few()).fit(rows(8000, 1), rows(4000, 2))
    fresh = rows(8000, 3)
    precision = [average_precision(fresh.label, exit_) for exit_ in trees.margins(fresh.matrix).T]
    assert precision[0] + 0.05 < precision[1]
    assert precision[1] + 0.05 < precision[2]


def test_a_stage_is_blind_to_later_columns() -> None:
    trees = StagedTrees(ENDS, settings=few()).fit(rows(3000, 1))
    matrix = rows(500, 2).matrix
    other = matrix.copy()
    other[:, 5:] = 99.0
    one, two = trees.margins(matrix), trees.margins(other)
    assert np.array_equal(one[:, :2], two[:, :2])
    assert not np.array_equal(one[:, 2], two[:, 2])


def test_the_text_is_one_ensemble_lightgbm_reads_with_the_same_exits() -> None:
    trees = StagedTrees(ENDS, (4,), few()).fit(rows(3000, 1))
    booster = lightgbm.Booster(model_str=trees.text_)
    assert booster.num_trees() == sum(trees.rounds_) == 90
    assert booster.num_feature() == 8
    matrix = rows(500, 2).matrix
    for exit_, end in zip(trees.margins(matrix).T, np.cumsum(trees.rounds_), strict=True):
        assert np.array_equal(exit_, booster.predict(matrix, raw_score=True, num_iteration=int(end), num_threads=1))


def test_a_stage_stops_where_later_rows_gain_nothing_and_spares_its_trees_for_the_next() -> None:
    trees = StagedTrees(ENDS, settings=few(trees=150, patience=10)).fit(rows(8000, 1), rows(4000, 2))
    assert trees.rounds_[0] < 50, "two columns are soon said"
    assert trees.rounds_[2] > 50
    assert sum(trees.rounds_) <= 150
    free = StagedTrees(ENDS, settings=few(trees=150)).fit(rows(8000, 1))
    assert free.rounds_ == (50, 50, 50)
    few_early = StagedTrees(ENDS, settings=few(trees=150, early=0.1)).fit(rows(2000, 1))
    assert few_early.rounds_ == (15, 15, 120)


def test_rounds_chosen_before_are_grown_exactly() -> None:
    trees = StagedTrees(ENDS, settings=few()).fit(rows(3000, 1), rounds=(7, 0, 5))
    assert trees.rounds_ == (7, 0, 5)
    margins = trees.margins(rows(100, 2).matrix)
    assert np.array_equal(margins[:, 0], margins[:, 1])


def test_threads_change_no_bit() -> None:
    one, two = (StagedTrees(ENDS, settings=few(threads=k)).fit(rows(3000, 1)) for k in (1, 2))
    matrix = rows(300, 2).matrix
    assert np.array_equal(one.margins(matrix), two.margins(matrix))


def test_progress_counts_trees_through_the_stages() -> None:
    seen: list[int] = []
    trees = StagedTrees(ENDS, settings=few(trees=30)).fit(rows(2000, 1), progress=seen.append)
    assert seen == list(range(1, sum(trees.rounds_) + 1))


@pytest.mark.parametrize(("field", "value"), [("trees", 501), ("trees", 0), ("leaves", 1), ("rate", 0.0)])
def test_settings_beyond_reason_are_refused(field: str, value: float) -> None:
    with pytest.raises(BadInput, match=f"--{field}"):
        BoostingSettings(**{field: value})  # type: ignore[arg-type]


def test_stages_must_end_at_the_width() -> None:
    for ends in ((2, 5), (5, 2, 8), (2, 9), (0, 8)):
        with pytest.raises(BadInput, match="rising"):
            StagedTrees(ends, settings=few()).fit(rows(500, 1))
