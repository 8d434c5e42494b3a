"""How fast to learn: the optimiser, the course of its rate, and a finder that tries rates on a network it puts back.

References
----------
Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), for the range test; Smith and Topin,
"Super-Convergence" (2018), for one cycle. We leave the momentum alone, and take a fifth of the rate of the lowest loss.
Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), for AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, isfinite, pi

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

DEFAULT = 3e-3
"""The rate when the finder's curve says nothing."""
RISE = 0.3
"""The part of the plan in which the rate rises."""
TRIES = 80
LOWEST, HIGHEST = 1e-6, 1.0
BELOW = 5
"""So many times below the rate of the lowest loss the peak is taken; a tenth, as is often advised, learned too slowly."""
TURNS = 16
"""The finder goes round on so many batches, so that a loss is compared with what the same rows cost at the start."""


def one_cycle(done: float, peak: float) -> float:
    """The rate when this part of the plan is done: up from a 25th to the peak, down to nearly nothing, along cosines.

    Examples
    --------
    >>> [round(one_cycle(done, 1.0), 3) for done in (0, 0.15, 0.3, 0.65, 1)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """
    if done < RISE:
        return _between(peak / 25, peak, done / RISE)
    return _between(peak, peak / 250_000, (done - RISE) / (1 - RISE))


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + cos(pi * min(1.0, part))) / 2


def adamw(model: nn.Module, decay: float, pace: Mapping[str, float] | None = None) -> torch.optim.AdamW:
    """AdamW in which only matrices decay: not biases, not norms, not embeddings.

    A parameter decays when it has two axes or more and does not belong to an embedding or a norm.

    Parameters
    ----------
    pace : name of a parameter -> how fast it learns, as a share of the rate that :func:`set_rate` sets; 1 by default.
    """
    ids = {id(p) for p in decaying(model).values()}
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            groups.setdefault((id(p) in ids, (pace or {}).get(name, 1.0)), []).append(p)
    made = [
        {"params": groups[decays, share], "weight_decay": decay if decays else 0.0, "pace": share}
        for decays, share in sorted(groups, reverse=True)
    ]
    return torch.optim.AdamW(made, lr=0.0, fused=True)  # four times as fast on a CPU


def set_rate(optimizer: torch.optim.Optimizer, now: float) -> None:
    """The rate of the next step, for each parameter its share of it."""
    for group in optimizer.param_groups:
        group["lr"] = now * group["pace"]


def decaying(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that decay, by name, each once: the matrices of everything but embeddings and norms."""
    spared = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)
    left_out = {id(p) for module in model.modules() if isinstance(module, spared) for p in module.parameters()}
    return {
        name: p for name, p in model.named_parameters() if p.requires_grad and p.ndim >= 2 and id(p) not in left_out
    }


def find_rate(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    batches: list[Tensor],
    decay: float,
    pace: Mapping[str, float] | None = None,
) -> float:
    """A good peak for one cycle, tried out and then undone: the network is put back to the bit.

    The rate rises from step to step; the loss of a batch is compared with what it was at the start, and smoothed. Taken
    is a fifth of the rate at which it was lowest. Where the loss never fell by more than its own noise, the default is
    taken, or a fifth of the rate at which the loss left its course if that is less.

    Parameters
    ----------
    loss : mean loss of these rows; the caller has seeded what is random in it, and puts that back.
    batches : rows, each a batch; the first sixteen are used.
    pace : as of :func:`adamw`.
    """
    was = model.training
    kept = {name: t.detach().clone() for name, t in [*model.named_parameters(), *model.named_buffers()]}
    turns = batches[:TURNS]
    rates = np.geomspace(LOWEST, HIGHEST, TRIES)
    model.train()
    try:
        with torch.no_grad():
            start = [loss(rows).item() for rows in turns]
        change = _changes(model, loss, turns, start, rates, adamw(model, decay, pace))
    finally:
        with torch.no_grad():
            for name, t in [*model.named_parameters(), *model.named_buffers()]:
                t.copy_(kept[name])
        model.train(was)
        model.zero_grad(set_to_none=True)
    return choose(rates[: len(change)], np.array(change), float(np.mean(np.abs(start))))


def _changes(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    turns: list[Tensor],
    start: list[float],
    rates: NDArray[np.float64],
    optimizer: torch.optim.Optimizer,
) -> list[float]:
    """How much each try's batch costs more than at the start, until the loss leaves its course."""
    out, scale = list[float](), float(np.mean(np.abs(start)))
    for i, rate in enumerate(rates):
        set_rate(optimizer, float(rate))
        value = loss(turns[i % len(turns)])
        change = value.item() - start[i % len(turns)]
        if not isfinite(change) or change > 3 * scale:
            break
        out.append(change)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimizer.step()
    return out


def choose(rates: NDArray[np.float64], change: NDArray[np.float64], scale: float) -> float:
    """A fifth of the rate of the lowest smoothed loss; the default where the curve says nothing.

    Parameters
    ----------
    rates : float64[n], rising.
    change : float64[n], the loss of a try less that of the same rows at the start.
    scale : the mean loss at the start.
    """
    quiet = change[: len(change) // 3]
    if len(quiet) < 8:
        return DEFAULT
    width = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (width / 2.5) ** 2)
    inside = np.convolve(np.ones(len(change)), kernel, mode="same")
    smooth = np.convolve(change, kernel, mode="same") / inside
    lowest = int(np.argmin(smooth))
    noise = float(np.std(quiet)) + 1e-3 * scale
    if smooth[lowest] > -3 * noise:
        return float(min(DEFAULT, rates[-1] / BELOW))
    return float(rates[lowest] / BELOW)
