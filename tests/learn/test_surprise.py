"""The surprise as it is learned and shipped: no label, the same numbers for training and serving."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.features.history import GAPS, HOURS, KINDS
from tocsin.learn.surprise import learn_surprise
from tocsin.learn.task import LoopSettings

QUICK = LoopSettings(epochs=4, planned=4, batch=64, rate=1e-2, decay=0.01, patience=4)


def habits(n: int, seed: int, kinds: tuple[int, int] = (7, 90)) -> NDArray[np.int64]:
    """Windows of accounts that go to two kinds in turn, at one hour, with much the same gap."""
    random = np.random.default_rng(seed)
    turn = (np.arange(13)[None] + random.integers(0, 2, (n, 1))) % 2
    kind = np.where(turn == 0, *kinds)
    gap, hour = random.integers(18, 21, (n, 13)), np.full((n, 13), 9)
    return kind + KINDS * (gap + GAPS * (hour + HOURS * 11))


def test_a_broken_habit_surprises_and_every_reader_gets_the_same_numbers() -> None:
    learned = learn_surprise(habits(3000, 1), wide=16, settings=QUICK)
    usual = habits(200, 2)
    broken = usual.copy()
    broken[:, -1] = 7 + KINDS * (2 + GAPS * (3 + HOURS * 25))
    calm, alarmed = learned.columns(usual), learned.columns(broken)
    assert alarmed[:, 0].min() > calm[:, 0].max()
    with torch.no_grad():
        trained = learned.watcher(torch.from_numpy(usual)).numpy()
    assert np.abs(trained - calm).max() < 1e-5
    assert np.array_equal(calm[:50], learned.columns(usual[:50]))
    assert sum(learned.card.usual) == pytest.approx(float(calm[:, 0].mean()), rel=0.3)


def test_the_same_seed_gives_the_same_graph() -> None:
    tokens = habits(800, 3)
    assert learn_surprise(tokens, wide=8, settings=QUICK).graph == learn_surprise(tokens, wide=8, settings=QUICK).graph


def test_what_was_learned_at_one_bank_begins_at_another_with_other_kinds() -> None:
    here, there = habits(3000, 1), habits(3000, 4, kinds=(90, 301))
    base = learn_surprise(here, wide=16, settings=QUICK).watcher
    still = LoopSettings(epochs=1, planned=1, batch=64, rate=1e-6, decay=0.0, patience=1)
    begun = learn_surprise(there, wide=16, settings=still, begin=base.state_dict())
    fresh = learn_surprise(there, wide=16, settings=still)
    assert begun.nats < fresh.nats - 1
    assert bool(begun.watcher.named[90] > 0)
    assert bool(begun.watcher.named[301] > 0)


def test_nothing_is_learned_from_accounts_that_paid_once() -> None:
    tokens = np.zeros((500, 5), np.int64)
    tokens[:, -1] = habits(500, 1)[:, -1]
    with pytest.raises(BadInput, match="at least 200"):
        learn_surprise(tokens)
