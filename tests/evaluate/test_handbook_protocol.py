"""The rivals' inputs in benchmarks/handbook.py against a slow reading of the book's definitions."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "handbook.py"


@pytest.fixture(scope="module")
def handbook():
    import sys

    spec = spec_from_file_location("handbook_benchmark", FILE)
    module = module_from_spec(spec)
    sys.modules["handbook_benchmark"] = module
    spec.loader.exec_module(module)
    return module


def test_windows_are_those_of_the_book(handbook):
    chance = np.random.default_rng(0)
    n = 400
    second = np.sort(chance.integers(0, 40 * 86_400, n))
    second[100:110] = second[100]
    key, amount, fraud = chance.integers(0, 6, n), chance.random(n), (chance.random(n) < 0.2) * 1.0
    now_count, now_sum = handbook.windowed(key, second, (np.ones(n), amount), 7, 0)
    old_count, old_fraud = handbook.windowed(key, second, (np.ones(n), fraud), 7, 7)
    week = 7 * 86_400
    for i in range(n):
        same = key == key[i]
        before = same & (np.arange(n) <= i) & (second > second[i] - week)
        assert now_count[i] == before.sum()
        assert now_sum[i] == pytest.approx(amount[before].sum())
        delayed = same & (second <= second[i] - week) & (second > second[i] - 2 * week)
        assert old_count[i] == delayed.sum()
        assert old_fraud[i] == fraud[delayed].sum()


def test_the_first_25_trees_are_a_forest_of_25(handbook, monkeypatch):
    from sklearn.ensemble import RandomForestClassifier

    monkeypatch.setattr(handbook, "QUICK", False)
    chance = np.random.default_rng(1)
    rows = chance.normal(size=(300, 4)).astype(np.float32).astype(np.float64)
    fraud = (rows[:, 0] + chance.normal(size=300) > 1).astype(np.int64)
    found = dict(handbook.forest(rows, fraud, rows))
    alone = RandomForestClassifier(25, max_depth=5, random_state=0).fit(rows, fraud).predict_proba(rows)[:, 1]
    assert found["25 trees of depth 5"] == pytest.approx(alone)
