"""Telling classes apart, as a task of the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from tocsin.learn.perception.augment import Augmented
from tocsin.learn.perception.prepared import Prepared
from tocsin.learn.perception.shipped import Front
from tocsin.measure.classes import fit_temperature, log_loss, softmax

JUDGED_AT_ONCE = 64
_SHORTEST = 8
"""Words: as many as any window of a network looks at."""
_TOGETHER = 8
"""Texts of about the same length that are looked at together: padding takes as long as words."""


@dataclass
class TellApart:
    """A network, the examples that teach it and those that judge it.

    Parameters
    ----------
    model : front taken, gives logits float32[n, classes].
    front : what stands before it; nothing of it is learned.
    taught, judged_by : the examples.
    augmented : what is done to a batch between the front's two halves.
    fingerprint : of data, network and settings.
    pace : name of a parameter -> how fast it learns, as a share of the rate; 1 where it is not named.
    smoothing : share of a target that is spread over all classes.
    mixed : parameter of the beta distribution by which pairs of examples are mixed; 0 for none.
    averages_stay : whether the running averages of batch normalisation stay as they came; its weights learn all the same.
    """

    model: nn.Module
    front: Front
    taught: Prepared
    judged_by: Prepared
    augmented: Augmented
    fingerprint: str
    pace: Mapping[str, float] = field(default_factory=dict)
    smoothing: float = 0.0
    mixed: float = 0.0
    averages_stay: bool = False

    def __post_init__(self) -> None:
        self.still = still(self.model)
        if self.averages_stay:
            self.still += tuple(part for part in self.model.modules() if isinstance(part, _BatchNorm))

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """All of them, every time."""
        return np.arange(len(self.taught))

    def loss(self, rows: Tensor) -> Tensor:
        """The mean cross-entropy of these rows, each as it might also have been."""
        for part in self.still:  # what is not taught keeps the averages it came with
            part.eval()
        places = rows.numpy()
        device = next(self.model.parameters()).device
        given = torch.from_numpy(np.ascontiguousarray(self.taught.given[places])).to(device)
        label = torch.from_numpy(self.taught.label[places]).to(device)
        x = self.augmented(self.front.unit(given))
        if not x.is_floating_point():
            return cross_entropy(self._of_texts(x), label, label_smoothing=self.smoothing)
        if self.mixed:
            return self._mixed(x, label)
        return cross_entropy(self.model(self.front.normalised(x)), label, label_smoothing=self.smoothing)

    def _of_texts(self, given: Tensor) -> Tensor:
        """Logits of texts int64[n, length], the short ones looked at with the short ones."""
        order = torch.argsort((given != 0).sum(dim=1), stable=True)
        parts = [self.model(_as_long_as_said(given[some])) for some in order.tensor_split(-(-len(order) // _TOGETHER))]
        return torch.cat(parts)[torch.argsort(order)]

    def _mixed(self, x: Tensor, label: Tensor) -> Tensor:
        """Each example with a little of another, and so its target (mixup, Zhang et al. 2018)."""
        both = torch._standard_gamma(torch.full((2,), self.mixed))  # its ratio has the beta distribution
        much = float(torch.max(both) / both.sum().clamp(min=1e-12))
        other = torch.randperm(len(x)).to(x.device)
        logits = self.model(self.front.normalised(much * x + (1 - much) * x[other]))
        mine = cross_entropy(logits, label, label_smoothing=self.smoothing)
        return much * mine + (1 - much) * cross_entropy(logits, label[other], label_smoothing=self.smoothing)

    def judge(self) -> float:
        """The log-loss of the judging examples as they are, at the temperature that suits them best: so it is shipped.

        Without the temperature a phase that tells the classes better apart, and is too sure or not sure enough of it, would
        be undone.
        """
        device, parts = next(self.model.parameters()).device, []
        for begin in range(0, len(self.judged_by), JUDGED_AT_ONCE):
            given = torch.from_numpy(np.array(self.judged_by.given[begin : begin + JUDGED_AT_ONCE])).to(device)
            logits = self._of_texts(given) if given.dtype == torch.int64 else self.model(self.front(given))
            parts.append(logits.cpu().numpy())
        if not parts:
            return 0.0
        said = np.concatenate(parts)
        if not np.isfinite(said).all():
            return float("nan")  # the loop says what that means
        return log_loss(softmax(said, fit_temperature(said, self.judged_by.label)), self.judged_by.label)


def _as_long_as_said(given: Tensor) -> Tensor:
    """Texts int64[n, length] without the places where none of them has a word."""
    long = int(torch.arange(1, given.shape[1] + 1).mul((given != 0).any(dim=0).cpu()).max())
    return given[:, : max(_SHORTEST, long)]


def still(model: nn.Module) -> tuple[nn.Module, ...]:
    """The largest parts of a network of which nothing is taught, though there would be something to teach."""
    found: list[nn.Module] = []

    def look(part: nn.Module) -> None:
        parameters = list(part.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            found.append(part)
            return
        for child in part.children():
            look(child)

    look(model)
    return tuple(found)
