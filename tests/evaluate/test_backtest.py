"""The past replayed: nothing later than an origin plays a part in it, and decisions are those of live."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tocsin import spec as specs
from tocsin.data import read
from tocsin.errors import BadInput
from tocsin.evaluate.backtest import backtest
from tocsin.evaluate.replay import entity_of, examples_of, join, read_truth, stops, walk
from tocsin.features import Kernel, compile_plan
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.transactions import Recipe
from tocsin.measure.budget import PerDay
from tocsin.measure.policy import Policy, decide
from tocsin.schema import Action

DAY = 86_400_000_000
RECIPE = Recipe(PerDay(5.0), BoostingSettings(trees=20, leaves=7))


@pytest.fixture(scope="module")
def past(bank):
    spec = specs.load(bank / "tiny.toml")
    table = read(bank / "tiny.csv", spec)
    plan = compile_plan(spec)
    examples = examples_of(table, walk(table, Kernel(plan), lambda _what, _share: None))
    return spec, plan, table, examples


@pytest.fixture(scope="module")
def replayed(past):
    spec, plan, table, examples = past
    return backtest(examples, entity_of(table), spec, plan, RECIPE, every=timedelta(days=20))


def test_rounds_follow_each_other_and_cover_what_came(past, replayed):
    examples = past[3]
    cuts = [r.cut for r in replayed.rounds]
    assert np.diff(cuts).tolist() == [20 * DAY] * (len(cuts) - 1)
    assert len(cuts) == 3
    assert [r.learned_rows for r in replayed.rounds] == sorted({r.learned_rows for r in replayed.rounds})
    whole = replayed.results
    assert whole.at.tolist() == examples.at[examples.at >= cuts[0]].tolist()
    assert whole.truth.tolist() == examples.label[examples.at >= cuts[0]].tolist()
    assert whole.truth[whole.stopped].mean() > 0.3 > whole.truth.mean()


def test_the_future_changes_nothing(past, replayed):
    spec, plan, table, examples = past
    second = replayed.rounds[1].cut
    chance = np.random.default_rng(0)
    later = examples.known_at > second
    label = np.where(later, chance.integers(0, 2, len(examples)), examples.label).astype(np.int8)
    other = backtest(replace(examples, label=label), entity_of(table), spec, plan, RECIPE, every=timedelta(days=20))
    for a, b in zip(replayed.rounds[:2], other.rounds[:2], strict=True):
        assert a.review_at == b.review_at
        assert a.results.exits.tolist() == b.results.exits.tolist()
    assert replayed.rounds[2].results.exits.tolist() != other.rounds[2].results.exits.tolist()


def test_the_budget_of_the_moment_is_about_kept(replayed):
    rung = [r.results.stopped.sum() / r.results.days for r in replayed.rounds]
    assert all(2 < a_day < 10 for a_day in rung)


def test_decisions_are_those_of_the_live_function():
    exits = np.array([[0.5, 0.9], [0.05, 0.9], [0.5, 0.1], [0.5, 0.29999999]])
    plain = Policy(review_at=0.3, decline_at=0.8)
    assert stops(exits, plain).tolist() == [decide(v, plain).action is not Action.APPROVE for v in exits[:, -1]]
    early = Policy(review_at=0.3, approve_below=(0.1,))
    assert stops(exits, early).tolist() == [True, False, False, False]


def test_too_early_an_origin_is_told_and_passed_over(past):
    spec, plan, table, examples = past
    found = backtest(
        examples, entity_of(table), spec, plan, RECIPE, every=timedelta(days=25), first=int(examples.at[0]) + DAY
    )
    assert len(found.skipped) == 1
    assert "fraud" in found.skipped[0][1] or "payments" in found.skipped[0][1]
    with pytest.raises(BadInput, match="before the last payment"):
        backtest(examples, entity_of(table), spec, plan, RECIPE, every=timedelta(days=100))


def test_truth_by_id(bank, past):
    table = past[2]
    kinds = read_truth(bank / "truth.parquet", table.ids)
    assert set(kinds) == {"", "burst"}
    assert (kinds == "burst").sum() > (table.label == 1).sum()
    with pytest.raises(BadInput, match="columns id and kind"):
        read_truth(bank / "tiny.csv", table.ids)


def test_a_memory_goes_on_where_it_stood(past):
    spec, plan, table, _ = past
    whole = walk(table, Kernel(plan), lambda _what, _share: None)
    silent = replace(table, label=np.zeros_like(table.label))  # so that both halves are whole without late labels
    rows = len(table) // 2
    kernel = Kernel(plan)
    parts = []
    for half in (slice(0, rows), slice(rows, None)):
        part = replace(
            silent,
            batch=silent.batch.take(half),
            ids=table.ids[half],
            label=silent.label[half],
            known_at=table.known_at[half],
            row=table.row[half],
        )
        parts.append(walk(part, kernel, lambda _what, _share: None))
    assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)
    assert spec.name == "tiny"


def test_join_keeps_order(replayed):
    assert len(join([r.results for r in replayed.rounds]).at) == sum(len(r.results.at) for r in replayed.rounds)
