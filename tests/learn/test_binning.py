"""Rows read piece by piece give the very bins and trees that a copy of them gives, and nothing is printed."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from tocsin.learn import binning
from tocsin.learn.binning import Binned, Piecewise, given, raw_scores

PARAMETERS = {
    "objective": "binary",
    "num_leaves": 8,
    "seed": 41,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
    "bin_construct_sample_cnt": 300,
    "max_bin": 31,
}
CODES = 3


@pytest.fixture
def rows() -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(2_000, 6))
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    matrix[:, 1] = np.where(random.random(2_000) < 0.6, 0.0, matrix[:, 1])
    matrix[:, CODES] = random.integers(0, 400, 2_000) * 7919  # codes so sparse that LightGBM warns of them
    label = (np.nan_to_num(matrix[:, 0]) + random.normal(size=2_000) > 1).astype(np.int8)
    return matrix, label, np.flatnonzero(random.random(2_000) < 0.7)


def _grown(data: Any, watched: Any, label: Any) -> str:
    valid = data.create_valid(watched, label)
    booster = lightgbm.train(PARAMETERS, data, 12, valid_sets=[valid])
    return str(booster.model_to_string())


@pytest.mark.parametrize("end", [4, 6])
@pytest.mark.parametrize("some", [True, False])
def test_piece_by_piece_is_the_same_to_the_bit(
    rows: Any, end: int, some: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Piecewise, "batch_size", 111)
    monkeypatch.setattr(binning, "AT_ONCE", 111)
    matrix, label, chosen = rows
    places = chosen if some else None
    mine = label[chosen] if some else label
    copied = np.ascontiguousarray(matrix[chosen if some else slice(None), :end])
    options: dict[str, Any] = {"categorical_feature": [CODES], "params": PARAMETERS}
    one = _grown(lightgbm.Dataset(copied, mine, **options).construct(), copied[:500], mine[:500])
    read = given(matrix, places, end)
    assert isinstance(read, Piecewise) == (some or end < 6)
    two = _grown(Binned(read, mine, **options).construct(), Piecewise(copied, np.arange(500), end), mine[:500])
    assert one == two
    booster = lightgbm.Booster(model_str=two)
    scores = raw_scores(booster, matrix, places, end, trees=5, threads=1)
    assert np.array_equal(scores, booster.predict(copied, raw_score=True, num_iteration=5))
    assert capfd.readouterr() == ("", "")
