"""How much there is to compute, counted and not timed: so the same command plans the same epochs on every machine."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

SPEED = 1.5e10
"""Multiply-adds a second and thread that a training of such networks comes to on a machine of today."""
ENOUGH = 150
_FORWARD_AND_BACK = 3
"""A step costs about three times what looking costs."""


@torch.no_grad()
def multiply_adds(network: nn.Module, given: Tensor) -> int:
    """What one example costs a network: the multiply-adds of its convolutions and matrices.

    Parameters
    ----------
    given : one example as the network takes it, the first axis of length 1.
    """
    counted = 0

    def count(module: nn.Module, _given: object, out: Tensor) -> None:
        nonlocal counted
        weight = module.weight
        assert isinstance(weight, Tensor)
        counted += out.numel() * prod(weight.shape[1:])

    training = network.training
    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    try:
        network.eval()(given)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(training)
    return counted


def epochs_within(minutes: float, examples: int, cost: int, threads: int = 1, *, least: int, most: int) -> int:
    """How many epochs are planned for about so many minutes.

    Parameters
    ----------
    cost : multiply-adds of looking at one example. least, most : it is between these in any case.
    """
    visits = minutes * 60 * SPEED * threads / (_FORWARD_AND_BACK * max(1, cost))
    return int(min(most, max(least, visits // max(1, examples))))


def batch_of(examples: int, most: int) -> int:
    """Examples a step: so many that an epoch has some steps even where examples are few."""
    return max(8, min(most, examples // 12))


def enough_epochs(least: int, examples: int, batch: int) -> int:
    """At least so many epochs that there are ``ENOUGH`` steps; running averages of a network settle no earlier."""
    return max(least, -(-ENOUGH // max(1, -(-examples // batch))))
