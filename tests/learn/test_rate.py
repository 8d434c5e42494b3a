"""The rate: one cycle as PyTorch draws it, only matrices decay, and a finder that leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scenes.networks import orders, points
from tocsin.learn import checkpoint, rate


def test_one_cycle_is_the_one_pytorch_draws() -> None:
    steps, peak = 1000, 0.02
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        assert rate.one_cycle(step / steps, peak) == pytest.approx(theirs.get_last_lr()[0], abs=0.005 * peak)
        optimizer.step()
        theirs.step() if step < steps - 1 else None


def test_matrices_decay_and_nothing_else_does() -> None:
    model = nn.ModuleDict(
        {
            "table": nn.Embedding(5, 4),
            "read": nn.GRU(4, 3),
            "norm": nn.LayerNorm([2, 3]),  # its weight has two axes and is no matrix
            "see": nn.Conv2d(1, 2, 3),
            "answer": nn.Linear(3, 1),
            "frozen": nn.Linear(2, 2).requires_grad_(False),
        }
    )
    assert set(rate.decaying(model)) == {"read.weight_ih_l0", "read.weight_hh_l0", "see.weight", "answer.weight"}
    optimizer = rate.adamw(model, 0.3)
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, p in model.named_parameters():
        assert decays.get(id(p)) == (0.3 if name in rate.decaying(model) else 0.0 if p.requires_grad else None)


@pytest.mark.parametrize("make", [points, orders])
def test_the_finder_leaves_everything_as_it_was(make: type) -> None:
    task = make()
    task.model.eval()
    before = {name: t.clone() for name, t in task.model.state_dict().items()}
    state = checkpoint.random_state(torch.device("cpu"))
    batches = list(torch.arange(1024).split(64))
    with checkpoint.seeded(3, torch.device("cpu")):
        first = rate.find_rate(task.model, task.loss, batches, 0.1)
    with checkpoint.seeded(3, torch.device("cpu")):
        assert rate.find_rate(task.model, task.loss, batches, 0.1) == first
    assert torch.equal(checkpoint.random_state(torch.device("cpu")), state)
    assert all(torch.equal(t, before[name]) for name, t in task.model.state_dict().items())
    assert all(p.grad is None for p in task.model.parameters())
    assert not task.model.training


def test_the_finder_leaves_everything_as_it_was_when_the_loss_fails() -> None:
    task = points()
    before = {name: t.clone() for name, t in task.model.state_dict().items()}
    calls = 0

    def loss(rows: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 70:
            raise RuntimeError("no more rows")
        return task.loss(rows)

    with pytest.raises(RuntimeError, match="no more rows"):
        rate.find_rate(task.model, loss, list(torch.arange(1024).split(64)), 0.1)
    assert all(torch.equal(t, before[name]) for name, t in task.model.state_dict().items())


RATES = np.geomspace(rate.LOWEST, rate.HIGHEST, rate.TRIES)


def test_the_rule_takes_a_fifth_of_the_rate_of_the_lowest_loss() -> None:
    valley = np.log10(RATES)
    change = -0.3 * np.exp(-((valley + 2) ** 2)) + 0.01 * np.random.default_rng(0).normal(size=len(RATES))
    assert rate.choose(RATES, change, 0.7) == pytest.approx(0.01 / 5, rel=0.5)


def test_a_curve_that_says_nothing_gives_the_default_or_less_where_the_loss_soon_left_its_course() -> None:
    noise = 0.01 * np.random.default_rng(0).normal(size=len(RATES))
    assert rate.choose(RATES, noise, 0.7) == rate.DEFAULT
    early = 45  # the loss left its course here, at a rate of 0.0024
    assert rate.choose(RATES[:early], noise[:early], 0.7) == pytest.approx(RATES[early - 1] / 5)
    assert rate.choose(RATES[:4], noise[:4], 0.7) == rate.DEFAULT


def test_the_rate_found_follows_the_scale_of_the_inputs() -> None:
    """What a rate must be depends on the network: a hundred times larger inputs want a far smaller one."""
    found = []
    for scale in (1.0, 100.0):
        torch.manual_seed(0)
        model = nn.Linear(6, 1)
        x = torch.randn(1024, 6) * scale
        y = x[:, :1] / scale * 3

        def loss(
            rows: torch.Tensor, model: nn.Module = model, x: torch.Tensor = x, y: torch.Tensor = y
        ) -> torch.Tensor:
            return (model(x[rows]) - y[rows]).square().mean()

        found.append(rate.find_rate(model, loss, list(torch.arange(1024).split(64)), 0.0))
    assert found[1] < found[0] / 5


def test_a_task_may_say_that_a_part_learns_more_slowly() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = rate.adamw(model, 0.1, {"0.weight": 0.1, "0.bias": 0.1})
    rate.set_rate(optimizer, 0.5)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert [rates[id(p)] for p in model.parameters()] == [0.05, 0.05, 0.5, 0.5]
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decays[id(p)] for p in model.parameters()] == [0.1, 0.0, 0.1, 0.0]
