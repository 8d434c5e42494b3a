"""Teaching the layered network: it finds what only the order tells, harms nothing else, and is believed as far as it helps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tocsin.features.history import GAPS, HOURS, KINDS
from tocsin.learn.layered import LayeredTask, Rows, believed, calibrated_loss, exits_of, teach
from tocsin.learn.task import LoopSettings
from tocsin.measure.metrics import average_precision
from tocsin.nets import LayeredSettings, layered

QUICK = LoopSettings(epochs=6, planned=6, batch=256, rate=1e-2, patience=6)
SMALL = LayeredSettings(wide=8, inner=16, past=12, members=2)


def payments(n: int, seed: int, *, told: bool = True) -> Rows:
    """Rows in which trees know one half of the frauds, and the other half is told by kinds 1, 2, 3 in this order alone."""
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 6, (n, 9))
    ordered = random.random(n) < 0.04
    kinds[ordered, -3:] = (1, 2, 3)
    seen = random.random(n) < 0.04
    fraud = seen | (ordered & told)
    margins = np.full((n, 2), -4.0) + random.normal(0, 0.5, (n, 2))
    margins[seen, 1] += 6
    tokens = kinds + KINDS * (8 + GAPS * (12 + HOURS * 9))
    columns = random.normal(size=(n, 4)).astype(np.float32)
    return Rows(columns, margins.astype(np.float32), tokens.astype(np.int64), fraud.astype(np.int8))


def of(rows: Rows, logits: NDArray[np.float64]) -> float:
    return float(average_precision(rows.label, logits))


def test_it_finds_what_only_the_order_tells_and_is_believed() -> None:
    learned, newest, later = payments(6000, 1), payments(3000, 2), payments(3000, 3)
    longer = LoopSettings(epochs=12, planned=12, batch=64, rate=1e-2, patience=12)
    taught = teach(learned, newest, (2, 4), (), shape=SMALL, settings=longer)
    trees, network = of(later, later.margins[:, 1]), of(later, exits_of(taught.network, later)[:, -1])
    assert trees < 0.65
    assert network > trees + 0.25
    assert taught.correction >= 0.7
    assert taught.trained.judged < taught.trained.start


def test_where_nothing_is_to_be_found_little_is_changed() -> None:
    learned, newest, later = (payments(4000, seed, told=False) for seed in (1, 2, 3))
    taught = teach(learned, newest, (2, 4), (), shape=SMALL, settings=QUICK)
    a, margins = taught.correction, later.margins.astype(np.float64)
    shrunk = margins[:, -1] + a * (exits_of(taught.network, later)[:, -1] - margins[:, -1])
    assert of(later, shrunk) > of(later, margins[:, -1]) - 0.02


def test_an_untrained_network_is_believed_or_not_and_says_what_the_trees_say() -> None:
    rows = payments(500, 4)
    network = layered((2, 4), (), 8, SMALL)
    exits = exits_of(network, rows)
    assert np.array_equal(exits, rows.margins.astype(np.float64))
    assert believed(rows, exits) == 0.0


def test_the_rate_of_fraud_it_learns_is_that_of_the_traffic() -> None:
    """One genuine payment of ten is visited; without the shift every score would be ten times too sure."""
    learned = payments(6000, 5)
    task = LayeredTask(layered((2, 4), (), 8, SMALL), learned, None, 0, share=0.1)
    visited = learned.label[task.rows(1)]
    assert (
        abs(visited.mean() - (learned.label.mean() / (learned.label.mean() + 0.1 * (1 - learned.label.mean())))) < 0.02
    )
    taught = teach(learned, payments(3000, 6), (2, 4), (), shape=SMALL, settings=QUICK)
    expected = 1 / (1 + np.exp(-exits_of(taught.network, payments(3000, 7))[:, -1]))
    assert expected.mean() == pytest.approx(learned.label.mean(), rel=0.35)


def test_epochs_see_all_frauds_and_other_genuine_payments() -> None:
    learned = payments(3000, 8)
    task = LayeredTask(layered((2, 4), (), 8, SMALL), learned, None, 0)
    first, again, second = task.rows(1), task.rows(1), task.rows(2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    assert set(np.flatnonzero(learned.label == 1)) <= set(first.tolist()) & set(second.tolist())


def test_without_newer_payments_the_last_epoch_is_kept_and_all_of_it_believed() -> None:
    learned = payments(2000, 9)
    taught = teach(learned, None, (2, 4), (), shape=SMALL, settings=QUICK)
    assert taught.trained.best == QUICK.epochs
    assert taught.correction == 1.0


def test_the_same_seed_gives_the_same_weights_and_another_begins_elsewhere() -> None:
    learned, newest = payments(1500, 1), payments(800, 2)
    one, two = (teach(learned, newest, (2, 4), (), shape=SMALL, settings=QUICK).network.state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    other = LoopSettings(epochs=6, planned=6, batch=256, rate=1e-2, patience=6, seed=1)
    three = teach(learned, newest, (2, 4), (), shape=SMALL, settings=other).network.state_dict()
    assert any(not torch.equal(one[name], three[name]) for name in one)


def test_it_may_begin_with_another_network_s_weights_but_keeps_its_own_scales() -> None:
    learned, newest = payments(1500, 1), payments(800, 2)
    base = teach(learned, newest, (2, 4), (), shape=SMALL, settings=QUICK).network.state_dict()
    elsewhere = Rows(learned.columns * 100 + 7, learned.margins, learned.tokens, learned.label)
    still = LoopSettings(epochs=1, planned=1, batch=256, rate=1e-9, patience=1)
    taught = teach(elsewhere, newest, (2, 4), (), shape=SMALL, settings=still, begin=base)
    mine = taught.network.state_dict()
    assert torch.allclose(mine["members.0.past.cell.weight_hh_l0"], base["members.0.past.cell.weight_hh_l0"], atol=1e-5)
    assert float(mine["members.0.stages.0.numbers.median"][0]) == pytest.approx(7, abs=20)
    assert not torch.equal(mine["members.0.stages.0.numbers.spread"], base["members.0.stages.0.numbers.spread"])


def test_the_loss_is_that_of_the_calibrated_score() -> None:
    label = np.array([0, 0, 0, 1] * 50, dtype=np.int8)
    logit = np.where(label == 1, 1.0, -1.0) + np.tile([0.0, 1.5, -1.0, -0.5], 50)
    assert calibrated_loss(logit, label) == pytest.approx(calibrated_loss(3 * logit + 1, label), rel=0.03)


def test_columns_that_give_the_label_away_are_named() -> None:
    learned, newest = payments(1500, 1), payments(800, 2)
    learned.columns[:, 2] = learned.label
    taught = teach(learned, newest, (2, 4), (), shape=SMALL, settings=QUICK, names=("a", "b", "answer", "c"))
    assert any("'answer'" in note for note in taught.notes)


def test_rows_are_drawn_once_and_all_frauds_kept() -> None:
    n = 1000
    label = (np.arange(n) % 50 == 0).astype(np.int8)
    every = np.arange(n)
    columns = np.arange(2.0 * n).reshape(n, 2)
    columns[3, 0] = 1e300
    rows = Rows.of(columns, np.zeros((n, 1)), np.zeros((n, 2), np.int64), label, every, most=100)
    assert (rows.label == 1).sum() == 20
    assert (rows.label == 0).sum() == 100
    assert np.isfinite(Rows.of(columns, np.zeros((n, 1)), np.zeros((n, 2), np.int64), label, every).columns).all()
