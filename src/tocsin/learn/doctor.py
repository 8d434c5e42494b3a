"""Looks at a training and says in words what is wrong with it; of a healthy one it says nothing.

What it looks at: units that never move, gradients cut or lost on the way, weights thrown about, a loss that does not
fall, learning by heart, labels that leak into a column. It never changes what is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from statistics import median

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from tocsin.errors import Diverged
from tocsin.learn.rate import decaying
from tocsin.learn.task import Epoch
from tocsin.measure.metrics import roc_auc

EVERY = 20
"""A step in so many is looked at closely."""
KEPT = 64
"""So many of the newest close looks count."""
DEAD = 0.5
"""From this share of still units on, a layer is sick."""
THROWN = 0.2
"""A layer whose weights move by more than this part of themselves in a usual step is thrown about."""
STUCK = 1e-8
"""A layer whose gradients are usually smaller than Adam's epsilon learns nothing."""
CUT = 100.0
"""Gradients usually this many times longer than the clip are exploding, not just clipped: a published network that is taught on
in good health has ten to thirty times."""


@dataclass(slots=True)
class Doctor:
    """What has been seen so far; all of it plain numbers, so that a checkpoint keeps it."""

    norms: list[float] = field(default_factory=list)
    pulls: dict[str, list[float]] = field(default_factory=dict)
    moves: dict[str, list[float]] = field(default_factory=dict)
    still: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, words: str) -> None:
        """Something to be said in the end, once."""
        if words not in self.notes:
            self.notes.append(words)

    @contextmanager
    def looking(self, model: nn.Module, step: int, norm: float) -> Iterator[None]:
        """Around the optimiser's step: how strongly each layer is pulled, and how far its weights move."""
        if step % EVERY:
            yield
            return
        layers = decaying(model)
        before = {name: p.detach().clone() for name, p in layers.items()}
        yield
        _keep(self.norms, norm)
        for name, p in layers.items():
            pull = 0.0 if p.grad is None else p.grad.square().mean().sqrt().item()
            _keep(self.pulls.setdefault(name, []), pull)
            length = before[name].norm().item()
            if length > 0:  # a layer that starts at zero has no size yet to compare a step with
                _keep(self.moves.setdefault(name, []), (p.detach() - before[name]).norm().item() / length)

    @contextmanager
    def listening(self, model: nn.Module) -> Iterator[None]:
        """Around the judge: which units give the same number for every row it shows."""
        lowest: dict[str, Tensor] = {}
        highest: dict[str, Tensor] = {}

        def heard(name: str, axis: int, output: object) -> None:
            out = output[0] if isinstance(output, tuple) else output
            if not isinstance(out, Tensor) or not out.is_floating_point() or out.ndim < 2 or not out.numel():
                return
            flat = out.detach().movedim(axis, -1).reshape(-1, out.shape[axis])
            low, high = flat.amin(0), flat.amax(0)
            if name in lowest and len(lowest[name]) == len(low):
                low, high = torch.minimum(low, lowest[name]), torch.maximum(high, highest[name])
            lowest[name], highest[name] = low, high

        hooks = [
            module.register_forward_hook(lambda _m, _i, out, name=name, axis=axis: heard(name, axis, out))
            for name, module, axis in _layers(model)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        self.still = {name: [int((highest[name] <= low).sum()), len(low)] for name, low in lowest.items()}

    def findings(self, epochs: Sequence[Epoch], start: float, clip: float) -> tuple[str, ...]:
        """Everything that is wrong, each in a sentence or two with the way out.

        Parameters
        ----------
        start : what the judge said before the first step.
        clip : the length gradients were cut to.
        """
        found = [*self.notes, *self._dead(), *self._updates(clip)]
        if epochs:
            found += [*_not_falling(epochs, start), *_by_heart(epochs, start), *_too_good(epochs, start)]
        return tuple(found)

    def _dead(self) -> Iterator[str]:
        dead = [
            (name, still, units) for name, (still, units) in self.still.items() if units > 1 and still / units >= DEAD
        ]
        if dead:
            name, still, units = dead[0]
            yield (
                f"{still} of {units} units of layer {name!r}{_and_more(dead)} are dead: they give the same number for every "
                "row judged. A lower rate, or another start of the weights, may keep them alive."
            )

    def _updates(self, clip: float) -> Iterator[str]:
        if self.norms and median(self.norms) > CUT * clip:
            cut = sum(norm > clip for norm in self.norms) / len(self.norms)
            yield (
                f"The gradients explode: {cut:.0%} of the steps looked at were cut, usually from a length of "
                f"{median(self.norms):.3g} to {clip:g}. Scale the inputs or the loss, or lower the rate."
            )
        thrown = [(name, median(moves)) for name, moves in self.moves.items() if median(moves) > THROWN]
        if thrown:
            yield (
                f"The weights of {thrown[0][0]!r}{_and_more(thrown)} are thrown about: a usual step changes them by "
                f"{thrown[0][1]:.0%}. Lower the rate."
            )
        stuck = [(name, median(pulls)) for name, pulls in self.pulls.items() if median(pulls) < STUCK]
        if stuck:
            yield (
                f"The weights of {stuck[0][0]!r}{_and_more(stuck)} hardly learn: their gradient is usually "
                f"{stuck[0][1]:.1g}. It vanishes before it reaches them, or nothing uses them."
            )


def _and_more(found: Sequence[object]) -> str:
    """The rest of what has one illness is counted: a page of equal sentences says less than one."""
    return f" (and of {len(found) - 1} more)" if len(found) > 1 else ""


def check_finite(what: str, value: float, step: int, kept: str = "") -> None:
    """Refuse to go on from a loss, a gradient or a judgement that is no number.

    Raises
    ------
    Diverged : naming the step; nothing of it has reached the weights or the checkpoint.
    """
    if not isfinite(value):
        raise Diverged(
            f"the {what} must be a finite number; in step {step} it is {value}.",
            hint=f"Lower the rate, or look for infinite inputs and logarithms of zero.{kept}",
        )


def leaking(columns: ArrayLike, labels: ArrayLike, names: Sequence[str], *, limit: float = 0.995) -> tuple[str, ...]:
    """Columns that alone tell the labels apart almost perfectly, in words: they probably hold the answer.

    Parameters
    ----------
    columns : float[n, d]; NaN where nothing is known, which itself may give a label away.
    labels : bool[n], at least ten of each kind, or nothing is said.
    names : of the columns.
    limit : area under the ROC curve from which a column is suspected, in either direction.
    """
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(labels, dtype=bool)
    if min(y.sum(), (~y).sum()) < 10:
        return ()
    out = []
    for name, column in zip(names, x.T, strict=True):
        missing = np.isnan(column)
        area = max(
            _either_way(y, np.where(missing, fill, column)) for fill in ((-np.inf, np.inf) if missing.any() else (0.0,))
        )
        if area >= limit:
            out.append(
                f"Column {name!r} alone tells the labels apart (area under the curve {area:.4f}): it probably holds "
                "the answer. Leave it out unless it is known before the label is."
            )
    return tuple(out)


def _either_way(labels: ArrayLike, column: np.ndarray) -> float:
    finite = np.nan_to_num(column, posinf=np.finfo(np.float64).max, neginf=-np.finfo(np.float64).max)
    area = roc_auc(labels, finite)
    return max(area, 1 - area)


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, int]]:
    """The modules whose outputs are units, and the axis the units lie along; what only scales inputs has no units."""
    passing = (nn.Dropout, nn.Identity, nn.Flatten, nn.Embedding, nn.Softmax, nn.LogSoftmax)
    for name, module in model.named_modules():
        inputs = next(module.parameters(), None) is None and not type(module).__module__.startswith("torch.")
        if not any(True for _ in module.children()) and not isinstance(module, passing) and not inputs:
            images = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase)
            yield name, module, 1 if isinstance(module, images) else -1


def _keep(values: list[float], value: float) -> None:
    values.append(value)
    del values[:-KEPT]


def _not_falling(epochs: Sequence[Epoch], start: float) -> Iterator[str]:
    if len(epochs) < 2:
        return
    first, least = epochs[0].loss, min(e.loss for e in epochs[1:])
    if least > first - 1e-3 * abs(first) and min(e.judged for e in epochs) > start - 1e-3 * abs(start):
        yield (
            f"The loss does not fall: {first:.4g} in the first epoch, {least:.4g} at best later; judged {start:.4g} "
            "before the first step and never better. Look at the labels, the scale of the inputs, and the rate."
        )


def _by_heart(epochs: Sequence[Epoch], start: float) -> Iterator[str]:
    best, last = min(epochs, key=lambda e: e.judged), epochs[-1]
    worse = last.judged - best.judged > 0.02 * max(abs(best.judged), start - best.judged)
    if last.number - best.number >= 2 and worse and last.loss < best.loss - 0.02 * abs(best.loss):
        yield (
            f"After epoch {best.number} it learned by heart: the training loss went on falling to {last.loss:.4g}, the "
            f"judged one rose from {best.judged:.4g} to {last.judged:.4g}. Epoch {best.number} is what is kept; more "
            "rows, more dropout or fewer inputs would help."
        )


def _too_good(epochs: Sequence[Epoch], start: float) -> Iterator[str]:
    best = min(e.judged for e in epochs)
    if start > 0 and 0 <= best < 1e-3 * start:
        yield (
            f"The judged loss fell from {start:.4g} to {best:.2g}, which is too good to be true: look for the label "
            "among the inputs, and for rows that are trained on and judged by."
        )
