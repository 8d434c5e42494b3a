"""The ablations as a command: a small world from beginning to end, and the pieces whose mistakes no figure would show."""

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

from tocsin.data.world_plan import FRAUD_KINDS
from tocsin.measure.metrics import average_precision, bootstrap

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _found() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def gains(_found: None) -> ModuleType:
    return import_module("ablation.gains")


@pytest.fixture(scope="module")
def study(_found: None) -> ModuleType:
    pytest.importorskip("torch")
    return import_module("ablation.study")


def _tested(gains: ModuleType, payments: int = 4_000, seed: int = 0) -> tuple[object, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    label = (random.random(payments) < 0.05).astype(np.int8)
    kind = np.where(label == 1, random.integers(0, len(FRAUD_KINDS), payments), -1)
    account = random.integers(0, 200, payments)
    good = label * 1.5 + random.normal(size=payments)
    return gains.HeldOut(label, kind, account), {
        "good": good,
        "same": good * 2 + 1,
        "bad": random.normal(size=payments),
    }


def test_a_difference_is_that_of_the_whole_set_and_its_interval_is_about_accounts(gains: ModuleType) -> None:
    tested, scores = _tested(gains)
    found = gains.differences([(tested, scores)], [("good", "bad"), ("good", "same")], rounds=200)
    value, low, high = found["good", "bad"]
    assert value == pytest.approx(
        average_precision(tested.label, scores["good"]) - average_precision(tested.label, scores["bad"]), abs=1e-12
    )
    assert low < value < high
    assert found["good", "same"] == (0.0, 0.0, 0.0), "the same draw must judge both"
    alone = bootstrap(average_precision, tested.label, scores["good"], tested.account, rounds=200)
    assert 0.5 < (high - low) / (alone.high - alone.low) < 2, "as wide, about, as the interval of the better one"


def test_a_draw_is_judged_as_the_metric_would_with_weights_ties_and_all(gains: ModuleType) -> None:
    tested, scores = _tested(gains)
    random = np.random.default_rng(3)
    for score in (scores["good"], np.round(scores["good"], 1), np.zeros(len(tested.label))):
        ranked = gains.Ranked.of(tested.label, score, tested.account)
        for _ in range(5):
            times = np.bincount(random.integers(0, 200, 200), minlength=200)
            wanted = average_precision(tested.label, score, times[tested.account])
            assert ranked.average_precision(times) == pytest.approx(wanted, abs=1e-12)


def test_worlds_count_alike_and_draws_are_within_a_world(gains: ModuleType) -> None:
    first, second = _tested(gains, seed=1), _tested(gains, payments=1_000, seed=2)
    both = gains.differences([first, second], [("good", "bad")], rounds=20)["good", "bad"][0]
    each = [gains.differences([one], [("good", "bad")], rounds=1)["good", "bad"][0] for one in (first, second)]
    assert both == pytest.approx(float(np.mean(each)), abs=1e-12)


def test_frauds_of_order_are_measured_against_the_genuine_only(gains: ModuleType) -> None:
    tested, scores = _tested(gains)
    rows = tested.order
    named = {FRAUD_KINDS[k] for k in tested.kind[rows] if k >= 0}
    assert named == {"telling_order", "borrowed_rhythm", "mule_ring"}
    assert (rows | (tested.label == 1)).all(), "no genuine payment may be left out"
    kinds = gains.figures(tested, scores["good"])["kinds"]
    assert sum(one["frauds"] for one in kinds.values()) == int(tested.label.sum())


def test_every_cell_on_one_world_belongs_to_a_question_and_every_comparison_exists_before_it(study: ModuleType) -> None:
    halves = [f"half-{one.name}" for one in study.HALF_STUDIES]
    names = [one.name for one in study.STUDIES]
    assert len(names) == len({*names})
    assert {name for question in study.QUESTIONS for name in question.cells} == {*names, *halves}
    for prefix, studies in (("half-", study.HALF_STUDIES), ("small-", study.STUDIES)):
        for place, one in enumerate(studies):
            before = {prefix + other.name for other in studies[:place]}
            assert not one.against or one.against in before, (
                f"{one.name} is compared with {one.against}, which comes later"
            )


@pytest.mark.slow
def test_a_quick_run_prints_a_table_and_one_object(tmp_path: Path) -> None:
    environment = os.environ | {"QUICK": "1", "TOCSIN_ABLATIONS": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "ablations.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    *table, last = run.stdout.splitlines()
    found = json.loads(last)
    assert found["quick"] is True
    assert found["layered_minus_flat"] is None, "not measured in a quick run"
    assert found["world_gain_low"] <= found["world_gain_average_precision"] <= found["world_gain_high"]
    assert any("trees + surprise" in line for line in table)
