"""The benchmark of learning by example as a command: a quick run from beginning to end, and pieces no figure would show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
KEYS = "cats_dogs eurosat hurricane_damage leukemia_cells trec sst2 speech_commands sms_spam_f1".split()


@pytest.fixture(scope="module", autouse=True)
def _found() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = import_module("perceiving.cells")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def test_the_eight_sets_are_judged_as_they_are_published() -> None:
    sets = {one.key: one for one in import_module("perceiving.sets").SETS}
    assert list(sets) == KEYS
    assert [one.key for one in sets.values() if one.crossed] == ["leukemia_cells"]
    assert sets["sms_spam_f1"].figure == "f1"


def test_the_first_seed_of_every_set_comes_before_any_other(cells: ModuleType) -> None:
    order = list(cells.cells())
    seeds = [cell.seed for cell in order]
    assert seeds == sorted(seeds)
    assert {cell.way for cell in order[:16]} == {"plain", "extract"}
    assert len({cell.name for cell in order}) == len(order) == 3 * 4 * (7 + 5)


def test_folds_are_judged_once_each_and_together(cells: ModuleType, tmp_path: Path) -> None:
    sets = import_module("perceiving.sets")
    made = sets.made_sets(tmp_path)[0]
    crossed = sets.Set("made", made.read, 0.0, crossed=True)
    tests = [set(np.flatnonzero(crossed.collection(f).part == "test").tolist()) for f in crossed.parts]
    assert sum(len(t) for t in tests) == len(set().union(*tests)) == len(crossed.collection())
    for fold, (right, judged) in enumerate(((10, 10), (5, 10), (10, 10), (10, 10), (40, 60))):
        cell = cells.Cell(crossed, "plain", 0, fold)
        assert cells.found(crossed, "plain", 0) is None, "not before the last fold is there"
        cells.write(cell.path, {"figure": 100 * right / judged, "right": right, "judged": judged, "seconds": 6.0})
    assert cells.found(crossed, "plain", 0) == {"figure": 75.0, "seconds": 6.0, "folds": 5}


def test_what_was_not_run_is_null(cells: ModuleType) -> None:
    table = import_module("perceiving.table")
    found = table.summary()
    assert list(found)[:8] == KEYS
    assert all(value is None for key in KEYS for value in found[key].values())
    one = next(s for s in cells.USED if s.key == "trec")
    for seed, figure in ((0, 90.0), (1, 91.0)):
        cells.write(cells.Cell(one, "plain", seed).path, {"figure": figure, "seconds": 30.0})
    assert table.summary()["trec"] == {
        "scratch": None, "transfer": None, "extract": None, "plain": 90.5, "minutes": 0.5
    }  # fmt: skip


def test_a_job_that_goes_on_counts_what_was_spent_before_it_was_killed(cells: ModuleType, tmp_path: Path) -> None:
    killed = cells.Spent(tmp_path / "spent.json")
    killed.cpu -= 100
    killed.began -= 200
    killed.told("learning", 0.1)  # not yet: the last was a moment ago
    assert not killed.path.exists()
    killed.kept -= 6
    killed.told("learning", 0.5)
    used, seconds = cells.Spent(killed.path).so_far()
    assert 100 <= used < 101
    assert 200 <= seconds < 201


@pytest.mark.slow
@pytest.mark.parametrize("name", ["perception", "advisor"])
def test_a_quick_run_prints_a_table_and_one_object(tmp_path: Path, name: str) -> None:
    environment = os.environ | {
        "QUICK": "1",
        "TOCSIN_PERCEPTION": str(tmp_path / "perception"),
        "TOCSIN_ADVISOR": str(tmp_path / "advisor"),
        "TOCSIN_WEIGHTS": str(tmp_path),
        "PIP_NO_INDEX": "1",
    }
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py")], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["quick"] is True
    if name == "perception":
        assert found["eurosat"]["plain"] is None, "not measured in a quick run"
        assert found["made_images"]["plain"] > 90
        assert found["made_text"]["scratch"] is not None
    else:
        assert found["sets"] == 3
        assert 0 <= found["within_2_points"] <= 3
