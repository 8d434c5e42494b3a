"""Losses that the layered network is not trained with, for comparison, and the training of one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from tocsin.learn.layered import LayeredTask, Rows, Taught, believed, exits_of
from tocsin.learn.loop import train
from tocsin.learn.task import LoopSettings
from tocsin.nets import LayeredSettings, layered

Loss = Callable[[Tensor, Tensor], Tensor]
"""``loss(exits, label)``: float[members, n, stages] as log-odds of the traffic and labels of the same shape → a scalar."""


def last_only(exits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of the last exit; the others learn only what the last one needs of them."""
    return cross_entropy(exits[..., -1], label[..., -1])


def weighted(exits: Tensor, label: Tensor) -> Tensor:
    """Each fraud counts as much as all that it takes to make the two classes equal."""
    frauds = label[..., -1].mean().clamp(min=1e-3)
    each = cross_entropy(exits, label, reduction="none", pos_weight=(1 - frauds) / frauds).mean((0, 1))
    return each[-1] + 0.3 * each[:-1].mean()


def focal(exits: Tensor, label: Tensor) -> Tensor:
    """What is sure already counts little: (1 − p)² (Lin et al., 2017), without class weights."""
    right = torch.sigmoid(torch.where(label > 0.5, exits, -exits))
    each = ((1 - right) ** 2 * cross_entropy(exits, label, reduction="none")).mean((0, 1))
    return each[-1] + 0.3 * each[:-1].mean()


LOSSES: dict[str, Loss] = {"last exit only": last_only, "class weights": weighted, "focal": focal}


@dataclass(slots=True)
class OtherLoss(LayeredTask):
    """As the usual task, with another loss; judged as usual, so that epochs are chosen by the same yardstick."""

    other: Loss = last_only

    def loss(self, rows: Tensor) -> Tensor:
        """The other loss; class weights and focal see the share of frauds that is drawn, as their papers do."""
        exits = self._exits(rows.numpy())
        label = torch.from_numpy(self.train.label[rows.numpy()]).to(exits)[None, :, None].expand_as(exits)
        if self.other is last_only:
            exits = exits - float(torch.log(torch.tensor(self.share * self.kept)))
        return self.other(exits, label)


def teach_by(
    loss: str,
    rows: Rows,
    newest: Rows,
    ends: Sequence[int],
    codes: Sequence[int],
    *,
    shape: LayeredSettings,
    settings: LoopSettings,
    begin: Mapping[str, Tensor] | None,
    folder: Path,
) -> Taught:
    """As ``tocsin.learn.layered.teach``, with another loss."""
    assert begin is None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = layered(tuple(ends), tuple(codes), rows.tokens.shape[1] - 1, shape)
    network.fit_scale(torch.from_numpy(rows.columns))
    task = OtherLoss(network, rows, newest, settings.seed, fingerprint=f"ablation {loss}", other=LOSSES[loss])
    trained = train(task, replace(settings, patience=settings.epochs), folder=folder)
    network.cpu().eval()
    return Taught(network, believed(newest, exits_of(network, newest)), trained)
