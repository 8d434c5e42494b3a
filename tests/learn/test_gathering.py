"""What is learned from: the kernel's own rows in less room, and a bounded sample that stands for all payments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tocsin import spec as specs
from tocsin.artifact import load
from tocsin.artifact.model import made_of
from tocsin.artifact.network import tokens_of
from tocsin.cli.main import group
from tocsin.data import Table, read
from tocsin.errors import BadInput
from tocsin.features import Plan, compile_plan
from tocsin.learn import hybrid
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import Examples
from tocsin.learn.gathering import drawn, gather, kernel_rows
from tocsin.learn.layered import Rows
from tocsin.learn.transactions import Recipe, _as_they_came, learn, windows_of
from tocsin.measure.budget import DAY, PerDay
from tocsin.measure.metrics import average_precision

SMALL = BoostingSettings(trees=50, leaves=8, least_rows=20)
SPEC = specs.load("world")
PLAN: Plan = compile_plan(SPEC)


@pytest.fixture(scope="module")
def table(world: Path) -> Table:
    return read(world, SPEC)


@pytest.fixture(scope="module")
def whole(past: Any) -> Any:
    return past[:2]


def test_the_kernels_rows_in_less_room(table: Table, whole: Any) -> None:
    rows, kernel = whole
    own = len(PLAN.names)
    found, same = gather(table, PLAN, room=3, chunk=777)
    assert same.fingerprint() == kernel.fingerprint()
    assert np.array_equal(found.matrix[:, :own], rows.matrix[:, :own], equal_nan=True)
    assert np.isnan(found.matrix[:, own:]).all()
    assert found.matrix.shape[1] == own + 3
    assert found.tokens is not None
    assert np.array_equal(found.tokens, tokens_of(rows.matrix, own))
    some = slice(500, 700)
    assert np.array_equal(kernel_rows(found.take(some), PLAN), rows.matrix[some], equal_nan=True)
    assert np.array_equal(found.label, rows.label)
    assert found.sampled == 1
    assert found.weight is None


def test_a_sample_keeps_all_frauds_and_stands_for_all_the_others(table: Table, whole: Any) -> None:
    rows, kernel = whole
    found, same = gather(table, PLAN, most_genuine=2_000, seed=1, chunk=777)
    frauds = int((rows.label == 1).sum())
    assert same.fingerprint() == kernel.fingerprint(), (
        "an event that is not learned from is part of the past all the same"
    )
    assert int((found.label == 1).sum()) == frauds
    assert len(found) == frauds + 2_000
    assert found.matrix.nbytes == len(found) * len(PLAN.names) * 8
    assert found.weight is not None
    assert found.weight.sum() == pytest.approx(len(rows))
    assert set(found.weight[found.label == 1]) == {1.0}
    assert found.sampled == pytest.approx(2_000 / (len(rows) - frauds))
    kept, _ = drawn(rows.label, 2_000, 1)
    assert np.array_equal(found.at, rows.at[kept])
    assert np.array_equal(found.matrix, rows.matrix[kept][:, : len(PLAN.names)], equal_nan=True)
    assert np.array_equal(kernel_rows(found, PLAN), rows.matrix[kept], equal_nan=True)


def test_who_paid_is_told_by_number(table: Table) -> None:
    keys = table.batch.keys["account"][table.payments]
    for most in (None, 2_000):
        found, _ = gather(table, PLAN, most_genuine=most)
        mine = keys[drawn(table.label, most, 0)[0]]
        assert found.account is not None
        assert len(np.unique(found.account)) == len(np.unique(mine)) > 100
        assert len(np.unique(np.column_stack([found.account.astype(np.uint64), mine]), axis=0)) == len(np.unique(mine))


def test_the_sample_is_drawn_evenly_and_by_its_seed() -> None:
    label = np.zeros(100_000, dtype=np.int8)
    label[::50] = 1
    label[1::50] = -1
    one, same, other = (drawn(label, 20_000, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    for tenth in np.split(one[label != 1], 10):  # 2,000 expected, a standard deviation of 38
        assert abs(int(tenth.sum()) - 2_000) < 200
    share = one[label == -1].mean()  # what nobody knows of is drawn like what is known to be genuine
    assert abs(share - 20_000 / 98_000) < 0.05


def test_what_is_no_sample_is_refused_or_is_all() -> None:
    label = np.zeros(5_000, dtype=np.int8)
    with pytest.raises(BadInput, match="1,000 or more"):
        drawn(label, 999, 0)
    kept, share = drawn(label, 5_000, 0)
    assert kept.all()
    assert share == 1


@pytest.mark.parametrize("anomaly", [False, True])
def test_a_model_of_gathered_rows_is_that_of_the_kernels_to_the_bit(table: Table, whole: Any, anomaly: bool) -> None:
    recipe = Recipe(boosting=SMALL, anomaly=anomaly)
    room = recipe.room(PLAN)
    assert room == int(anomaly)
    one = learn(whole[0], SPEC, PLAN, recipe)
    two = learn(gather(table, PLAN, room=room)[0], SPEC, PLAN, recipe)
    assert one.files == two.files
    assert one.card == two.card
    assert one.quality == two.quality


@pytest.fixture(scope="module")
def from_samples(table: Table, whole: Any) -> tuple[dict[str, float], list[dict[str, float]]]:
    """What a model of everything, and models of five samples, say of all payments of the held-out window."""
    rows: Examples = whole[0]
    recipe = Recipe(PerDay(10), boosting=SMALL)
    held_out = windows_of(rows, recipe).held_out
    known = rows.label[held_out] >= 0
    days = (rows.at[held_out][-1] - rows.at[held_out][0]) / DAY

    def judged(learned: Any) -> dict[str, float]:
        value = made_of(learned.card, learned.files, SPEC, PLAN).score(rows.matrix[held_out]).value
        return {
            "expected": float(value.mean()),
            "alerts": float((value >= learned.card.policy.review_at).sum() / days),
            "precision": average_precision(rows.label[held_out][known], value[known]),
            "said_rate": learned.card.measured["fraud_rate"],
            "said_precision": learned.card.measured["average_precision"],
            "said_expected": learned.card.measured["mean_score"],
            "true_rate": float((rows.label[held_out][known] == 1).mean()),
        }

    samples = [gather(table, PLAN, most_genuine=3_000, seed=seed)[0] for seed in range(5)]
    return judged(learn(rows, SPEC, PLAN, recipe)), [judged(learn(some, SPEC, PLAN, recipe)) for some in samples]


def test_a_sample_leaves_the_scores_calibrated(from_samples: Any) -> None:
    """A quarter of the genuine payments unweighted would have frauds look four times as frequent."""
    every, some = from_samples
    expected = np.array([one["expected"] for one in some])
    assert abs(expected.mean() / every["expected"] - 1) < 0.15
    assert max(expected) < 1.5 * every["expected"]
    rates = [one["said_rate"] for one in some]
    assert rates == pytest.approx([every["true_rate"]] * 5, rel=0.1)
    said = np.mean([one["said_expected"] for one in some])  # on the held-out window's own sample
    assert said == pytest.approx(expected.mean(), rel=0.1)


def test_a_sample_ranks_about_as_well_and_keeps_the_budget(from_samples: Any) -> None:
    every, some = from_samples
    assert np.mean([one["precision"] for one in some]) > every["precision"] - 0.08
    assert np.mean([abs(one["said_precision"] - one["precision"]) for one in some]) < 0.06
    assert abs(np.mean([one["alerts"] for one in some]) / every["alerts"] - 1) < 0.3


def test_a_network_counts_the_genuine_of_a_sample_once_and_knows_their_share() -> None:
    label = np.array([1, 0, 0, 1, 0], dtype=np.int8)
    weight = np.array([1, 4, 8, 2, 1], dtype=np.float32)  # the last: a fraud nobody reported in time
    rows = Rows(np.zeros((5, 2), np.float32), np.zeros((5, 1), np.float32), np.zeros((5, 1), np.int64), label, weight)
    assert hybrid.as_a_share(rows, 1.0) is rows
    once = hybrid.as_a_share(rows, 0.25)
    assert once.weight is not None
    assert once.weight.tolist() == [1, 1, 2, 2, 0.25]


def test_what_comes_next_is_learned_from_as_many_frauds_as_there_were(table: Table) -> None:
    found, _ = gather(table, PLAN, most_genuine=2_000, seed=1)
    assert found.tokens is not None
    tokens = found.tokens.copy()
    tokens[:, -1] = found.label == 1
    marked = replace(found, tokens=tokens)
    there = _as_they_came(marked, 0)[:, -1]
    assert np.array_equal(there, _as_they_came(marked, 0)[:, -1])
    assert int((there == 0).sum()) == 2_000
    expected = int((found.label == 1).sum()) * found.sampled
    assert abs(int(there.sum()) - expected) < 4 * np.sqrt(expected)
    assert _as_they_came(replace(marked, sampled=1.0), 0) is tokens


def test_the_command_learns_from_a_sample_and_says_so(world: Path, tmp_path: Path) -> None:
    def run(*more: str, out: str) -> str:
        told = CliRunner().invoke(
            group, ["learn", str(world), "--spec", "world", "--out", str(tmp_path / out), "--trees", "30", *more]
        )
        assert told.exit_code == 0, told.output
        return told.output

    assert "each counted" not in run(out="all")
    said = " ".join(run("--most-genuine", "2000", out="some").split())
    assert "frauds and 2,000 of" in said
    card = load(tmp_path / "some").card
    assert card.settings["most_genuine"] == 2_000
    assert 0 < card.settings["genuine_share"] < 0.5
    assert card.learned.rows < load(tmp_path / "all").card.learned.rows
    one, two = ((tmp_path / name / "memory.bin").read_bytes() for name in ("all", "some"))
    assert one == two
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "some"], "nothing is left of what was put aside"
    few = CliRunner().invoke(
        group, ["learn", str(world), "--spec", "world", "--out", str(tmp_path / "x"), "--most-genuine", "5"]
    )
    assert few.exit_code != 0
    assert "1,000 or more" in str(few.exception)
