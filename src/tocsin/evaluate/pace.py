"""How long teaching a network takes on this machine: a few of its steps, timed, times how many are planned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tocsin.data.collection import Collection
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.recipe import Recipe

if TYPE_CHECKING:  # advice on payments is given without PyTorch
    from tocsin.learn.perception.chosen import Chosen
    from tocsin.learn.perception.teaching import Plan

Clock = Callable[[], float]
AT_ONCE = 8
"""Examples of a timed step: few, so that it is quick; what an example costs hardly depends on it."""
BATCH = 32
"""Examples of a real step."""
STOPPED = 0.9
"""Share of the planned epochs that trainings usually run before they are stopped."""
FIXED_SECONDS = 8.0
"""Loading, writing the graph and checking it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What an example costs.

    Parameters
    ----------
    step, look : seconds an example, to learn from it and to look at it. prepare : to read it and make it ready.
    epochs : planned. seconds : of all of it.
    """

    network: str
    step: float
    look: float
    prepare: float
    epochs: int
    seconds: float


def pace_of(
    way: str, collection: Collection, rows: Portions, recipe: Recipe, *, clock: Clock = time.perf_counter
) -> Pace:
    """Time a few steps of a way's network, and count how many there will be.

    Raises
    ------
    NotReady : the published weights are not here.
    """
    import torch

    from tocsin.learn.perception import scratch, transfer
    from tocsin.learn.perception.chosen import from_nothing, knowing, texts_of
    from tocsin.learn.perception.effort import batch_of, enough_epochs, multiply_adds

    classes = len(collection.classes)
    plan = (scratch.PLANS if way == "scratch" else transfer.PLANS)[collection.kind]
    count = BATCH if collection.kind == "text" else AT_ONCE  # texts are taught with others of their length
    some = rows.train[np.linspace(0, len(rows.train) - 1, count).astype(int)]
    raws = [collection.raw(int(i)) for i in some]
    if way == "scratch":
        chosen = from_nothing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    else:
        recipe = replace(recipe, size=recipe.size or transfer.size_of(collection, rows))
        chosen = knowing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    began = clock()
    given = chosen.preparer.prepared(raws)
    prepare = (clock() - began) / len(raws)
    step, look = _step(chosen, given, plan, clock, recipe)
    one = chosen.front(torch.from_numpy(given[:1].copy()))
    cost, train, val = multiply_adds(chosen.network, one), len(rows.train), len(rows.val)
    if way == "scratch":
        least = enough_epochs(plan.least, train, batch_of(train, plan.batch))
        epochs = planned(scratch.MINUTES, train, cost, recipe, least, max(least, plan.most))
        visits = STOPPED * epochs
        seconds = visits * (train * step + val * look)
    else:
        epochs = planned(0.8 * transfer.MINUTES, train, cost, recipe, plan.least, plan.most)
        first = max(1, epochs // 3)
        half = (step + 2 * look) / 2  # of the lower half there is nothing to take a gradient of
        seconds = first * (train * half + val * look) + STOPPED * epochs * (train * step + val * look)
        seconds += (train + val) * (look + prepare)  # the head learns from what the network says before
    every = train + val + len(rows.test)
    seconds += every * prepare + len(rows.test) * look + FIXED_SECONDS
    return Pace(chosen.entry.name, step, look, prepare, epochs, seconds)


def planned(minutes: float, examples: int, cost: int, recipe: Recipe, least: int, most: int) -> int:
    """The epochs a way plans, as it plans them."""
    from tocsin.learn.perception import scratch
    from tocsin.learn.perception.effort import epochs_within

    within = recipe.minutes * minutes / scratch.MINUTES if recipe.minutes else minutes
    return recipe.epochs or epochs_within(within, examples, cost, recipe.threads, least=least, most=most)


def _step(chosen: Chosen, given: np.ndarray, plan: Plan, clock: Clock, recipe: Recipe) -> tuple[float, float]:
    """Seconds an example, of learning from it and of looking at it, as a training does both; the quicker of two."""
    import torch

    from tocsin.learn.perception.augment import augmented
    from tocsin.learn.perception.prepared import Prepared
    from tocsin.learn.perception.task import TellApart

    network = chosen.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    examples = Prepared(given, np.arange(len(given)) % 2)
    how = augmented(chosen.entry.kind, recipe.augment)
    task = TellApart(network, chosen.front, examples, examples, how, "", {}, plan.smoothing, plan.mixed)
    steps = torch.optim.AdamW(network.parameters(), lr=1e-6)
    learned, moved, looked = [], [], []
    with torch.random.fork_rng(devices=[]):
        for _ in range(3):
            network.train()
            began = clock()
            steps.zero_grad()
            torch.autograd.backward(task.loss(torch.arange(len(given))))
            learned.append(clock() - began)
            began = clock()
            steps.step()
            moved.append(clock() - began)
            network.eval()
            with torch.no_grad():
                began = clock()
                task.judge()
                looked.append(clock() - began)
    # moving the weights costs the same however many examples have said where to
    return min(learned[1:]) / len(given) + min(moved[1:]) / BATCH, min(looked[1:]) / len(given)
