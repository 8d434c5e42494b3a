"""Networks made sick on purpose are told what is wrong with them; healthy ones are told nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scenes.networks import Points, orders, points
from tocsin.errors import Diverged
from tocsin.learn.doctor import Doctor, leaking
from tocsin.learn.loop import LoopSettings, train

SETTINGS = LoopSettings(epochs=4, planned=5, batch=64, rate=5e-3)


def dead() -> Points:
    """A layer whose rectifiers never open."""
    task = points()
    with torch.no_grad():
        task.model[4].bias.fill_(-100.0)
    return task


def exploding() -> Points:
    """Inputs a thousand times too large."""
    task = points()
    task.x *= 1000
    task.model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    return task


def vanishing() -> Points:
    """Twenty sigmoids on top of each other."""
    task = points()
    torch.manual_seed(0)
    deep = [layer for _ in range(20) for layer in (nn.Linear(8, 8), nn.Sigmoid())]
    task.model = nn.Sequential(nn.Linear(6, 8), *deep, nn.Linear(8, 1))
    return task


def unused() -> Points:
    """A matrix that nothing reads."""
    task = points()
    task.model[0].register_parameter("spare", nn.Parameter(torch.ones(4, 4)))
    return task


def meaningless() -> Points:
    """Labels thrown like a coin, and nothing to be learned by heart in the time."""
    task = points()
    task.y = torch.randint(0, 2, task.y.shape, generator=torch.Generator().manual_seed(1)).float()
    with torch.no_grad():
        task.model[-1].weight.zero_()
        task.model[-1].bias.zero_()
    return task


def few() -> Points:
    """Far fewer rows than weights, and labels that are often wrong."""
    task = points(n=400, dropout=0.0)
    task.y = torch.where(torch.arange(400) % 4 == 0, 1 - task.y, task.y)
    return task


def leaked() -> Points:
    """The label stands among the inputs."""
    task = points(dropout=0.0)
    task.x[:, 5] = task.y * 10 - 5
    return task


SICK: dict[str, tuple[Callable[[], Points], LoopSettings, str]] = {
    "dead": (dead, SETTINGS, "16 of 16 units of layer '5' are dead"),
    "exploding": (exploding, SETTINGS, "The gradients explode: "),
    "thrown": (orders, replace(SETTINGS, rate=3.0), "are thrown about: a usual step changes them by"),
    "vanishing": (vanishing, SETTINGS, "The weights of '0.weight' (and of "),
    "unused": (unused, SETTINGS, "The weights of '0.spare' hardly learn"),
    "meaningless": (meaningless, replace(SETTINGS, rate=1e-4), "The loss does not fall"),
    "by heart": (few, LoopSettings(epochs=15, planned=15, batch=32, rate=0.02, patience=15), "it learned by heart"),
    "leaked": (leaked, replace(SETTINGS, epochs=8, planned=8, rate=0.03), "too good to be true"),
}


@pytest.mark.parametrize("illness", list(SICK))
def test_every_illness_is_named(illness: str) -> None:
    make, settings, words = SICK[illness]
    found = train(make(), settings).doctor
    assert any(words in line for line in found), found


@pytest.mark.parametrize("make", [points, orders])
@pytest.mark.parametrize("rate", [None, 3e-3, 2e-2])
def test_of_a_healthy_network_nothing_is_said(make: Callable[[], Points], rate: float | None) -> None:
    assert train(make(), LoopSettings(batch=64, rate=rate)).doctor == ()


def test_looking_and_listening_change_nothing() -> None:
    task, plain = points(dropout=0.0), points(dropout=0.0)
    doctor = Doctor()
    for one in (task, plain):
        one.loss(torch.arange(64)).backward()
        optimizer = torch.optim.SGD(one.model.parameters(), lr=0.1)
        if one is task:
            with doctor.looking(one.model, 0, 1.0):
                optimizer.step()
            with doctor.listening(one.model):
                one.judge()
        else:
            optimizer.step()
    assert doctor.moves.keys() == {"0.weight", "4.weight", "6.weight"}
    assert doctor.still["0"] == [0, 32]
    for p, q in zip(task.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not any(module._forward_hooks for module in task.model.modules())


@dataclass
class Cliff(Points):
    """A loss that is a number, and a gradient that is none."""

    def loss(self, rows: Tensor) -> Tensor:
        """The root of zero, which is zero."""
        return (self.model(self.x[rows]) * 0).square().sum().sqrt()


def test_a_gradient_that_is_no_number_stops_it() -> None:
    made = points()
    with pytest.raises(Diverged, match=r"the gradient must be a finite number; in step 1 it is (nan|inf)"):
        train(Cliff(made.model, made.x, made.y), SETTINGS)


def test_a_column_that_holds_the_answer_is_named_in_either_direction_and_by_its_gaps() -> None:
    random = np.random.default_rng(0)
    labels = random.random(2000) < 0.1
    columns = random.normal(size=(2000, 6))
    columns[:, 1] = labels + 0.01 * columns[:, 1]
    columns[:, 2] = -columns[:, 1]
    columns[labels, 3] = np.nan
    columns[~labels, 4] = np.nan
    columns[:, 5] += 2.0 * labels  # strong, and honest
    found = leaking(columns, labels, [f"column {i}" for i in range(6)])
    assert [line.split("'")[1] for line in found] == [f"column {i}" for i in (1, 2, 3, 4)]
    assert "holds the answer" in found[0]


def test_too_few_labels_say_nothing_of_a_leak() -> None:
    labels = np.arange(100) < 5
    assert leaking(labels[:, None].astype(float), labels, ["all"]) == ()
