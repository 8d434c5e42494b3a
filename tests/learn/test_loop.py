"""The training loop: learns, stops, keeps the best, goes on to the bit, and leaves everything else alone."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scenes.networks import Points, orders, points
from tocsin.errors import BadInput, Conflict, Diverged
from tocsin.learn.loop import LoopSettings, Trained, train

QUICK = LoopSettings(epochs=3, planned=4, batch=128, rate=5e-3, save_every=5)


class Killed(Exception):
    """The training ends here, at any step one likes."""


def weights(task: Points) -> dict[str, torch.Tensor]:
    return {name: t.clone() for name, t in task.model.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def without_seconds(found: Trained) -> Trained:
    return replace(found, epochs=tuple(replace(e, seconds=0.0) for e in found.epochs))


@pytest.mark.parametrize("make", [points, orders])
def test_it_learns_with_a_rate_it_finds_itself(make: type[Points]) -> None:
    task = make()
    found = train(task, LoopSettings(batch=128))
    assert found.judged < 0.5 * found.start
    assert 1e-4 < found.rate < 0.2
    assert found.doctor == ()
    assert task.judge() == pytest.approx(found.judged, rel=0.5)  # with dropout, for nobody has said eval


def test_the_best_weights_are_kept_and_it_stops_when_patience_is_out() -> None:
    task = points(n=384)  # too few rows: it learns them by heart
    found = train(task, LoopSettings(epochs=40, planned=40, batch=32, rate=0.02, patience=3))
    judged = [e.judged for e in found.epochs]
    assert len(judged) == found.best + 3 < 40
    assert found.judged == min(judged) == judged[found.best - 1]
    task.model.eval()
    assert task.judge() == found.judged


def test_an_untrained_network_that_no_epoch_betters_is_given_back() -> None:
    task = points()
    before = weights(task)
    task.y = torch.rand(task.y.shape, generator=torch.Generator().manual_seed(3)).round()  # nothing to be learned
    with torch.no_grad():
        task.model[-1].weight.zero_()
        task.model[-1].bias.copy_(torch.logit(task.y[-task.newest :].mean()))
        before = weights(task)
    found = train(task, replace(QUICK, rate=0.05))
    assert found.best == 0
    assert found.judged == found.start
    assert equal(weights(task), before)


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    found = []
    for seed in (1, 1, 2):
        task = points()
        train(task, replace(QUICK, seed=seed))
        found.append(weights(task))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_the_callers_random_numbers_neither_matter_nor_move() -> None:
    found = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
        task = points()
        train(task, QUICK)
        found.append(weights(task))
        assert torch.equal(before[0], torch.get_rng_state())
        assert np.array_equal(before[1], np.random.get_state()[1])
        assert before[2] == random.getstate()
    assert equal(*found)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("make", [points, orders])
@pytest.mark.parametrize("stop", [1, 7, 14, 23, 29])
def test_ended_anywhere_and_called_again_it_comes_to_the_same_bits(
    make: type[Points], stop: int, tmp_path: Path
) -> None:
    unbroken = make()
    expected = train(unbroken, QUICK)
    calls = 0

    def told(what: str, share: float) -> None:
        nonlocal calls
        calls += what.startswith("training")
        if calls == stop:
            raise Killed

    with pytest.raises(Killed):
        train(make(seed=1), QUICK, folder=tmp_path, told=told)
    torch.manual_seed(99)
    task = make()
    found = train(task, QUICK, folder=tmp_path)
    assert equal(weights(task), weights(unbroken))
    assert without_seconds(found) == without_seconds(expected)


def test_a_training_that_has_ended_is_not_done_again(tmp_path: Path) -> None:
    first, second = points(), points(seed=2)
    done = train(first, QUICK, folder=tmp_path)
    steps: list[str] = []
    again = train(second, QUICK, folder=tmp_path, told=lambda what, share: steps.append(what))
    assert again == done
    assert steps == []
    assert equal(weights(first), weights(second))


def test_the_checkpoint_of_another_training_is_refused_and_named(tmp_path: Path) -> None:
    train(points(), QUICK, folder=tmp_path)
    with pytest.raises(Conflict, match=r"rate was 0.005 and is 0.006.*Name another folder"):
        train(points(), replace(QUICK, rate=6e-3), folder=tmp_path)
    other = points()
    other.fingerprint = "other rows"
    with pytest.raises(Conflict, match="task was 'points' and is 'other rows'"):
        train(other, QUICK, folder=tmp_path)
    train(points(), replace(QUICK, save_every=7), folder=tmp_path)  # how often it is written decides no weight


def test_a_loss_that_is_no_number_stops_it_by_name_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    task, well = points(), points()
    task.x = task.x.clone()

    def poisoned(what: str, share: float) -> None:
        if share > 0.5:
            task.x[:] = float("nan")

    with pytest.raises(Diverged, match=r"the loss must be a finite number; in step \d+ it is nan"):
        train(task, QUICK, folder=tmp_path, told=poisoned)
    again = points()
    train(again, QUICK, folder=tmp_path)
    train(well, QUICK)
    assert equal(weights(again), weights(well))


def test_going_on_with_other_threads_is_said(tmp_path: Path) -> None:
    threads = torch.get_num_threads()

    def told(_what: str, share: float) -> None:
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        train(points(), QUICK, folder=tmp_path, told=told)
    try:
        torch.set_num_threads(threads + 1)
        found = train(points(), QUICK, folder=tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert f"with {threads} threads and went on by" in found.doctor[0]
    assert "not to the bit" in found.doctor[0]


def test_an_epoch_without_rows_is_refused() -> None:
    task = points()
    task.newest = len(task.x)
    with pytest.raises(BadInput, match=r"rows: an epoch needs rows to visit; epoch 1 has none"):
        train(task, QUICK)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="planned: at least the 8 epochs"):
        LoopSettings(planned=5)
    with pytest.raises(BadInput, match="batch: at least 1"):
        LoopSettings(batch=0)
    with pytest.raises(BadInput, match="rate: a learning rate"):
        LoopSettings(rate=-1.0)
