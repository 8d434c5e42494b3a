"""Training the layered network on the trees: what it is taught with, how much of it is believed.

Its rows carry time-forward scores of the trees (``forward``), as poor as those it will get; all frauds and a share of
the rest are visited in each epoch, and the loss knows how large the share is, so nothing has to be weighted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from tocsin.artifact.network import network_rows
from tocsin.learn.doctor import leaking
from tocsin.learn.loop import train
from tocsin.learn.task import LoopSettings, Told, Trained, silent
from tocsin.measure.calibration import fit_calibration
from tocsin.nets import LayeredSettings, Members, layered

SETTINGS = LoopSettings(epochs=8, planned=10, batch=512, rate=1e-2, decay=0.1, patience=4)
GENUINE_SHARE = 0.15
"""How much of the genuine payments is visited in an epoch; others in each."""
MOST_GENUINE = 600_000
"""Genuine payments kept to draw from, however many there are."""
OTHER_EXITS, AGREEMENT = 0.3, 0.1
"""Weight in the loss of the earlier exits, and of their distance to the last one."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Payments as the network is given them, in order of time.

    Parameters
    ----------
    columns : float32[n, d], NaN where nothing is known.
    margins : float32[n, stages], calibrated log-odds of trees that had not seen the payment.
    tokens : int64 or uint32[n, history + 1]. label : int8[n], 1 fraud, 0 genuine; all known.
    weight : float32[n], how many payments a row stands for; ones by default.
    account : int64[n], who paid; not looked at by what is taught.
    """

    columns: NDArray[np.float32]
    margins: NDArray[np.float32]
    tokens: NDArray[np.integer]
    label: NDArray[np.int8]
    weight: NDArray[np.float32] | None = None
    account: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def of(
        cls,
        columns: NDArray[np.float64],
        margins: NDArray[np.float64],
        tokens: NDArray[np.integer],
        label: NDArray[np.int8],
        rows: NDArray[np.int64],
        most: int | None = None,
        seed: int = 0,
        weight: NDArray[np.float64] | None = None,
        account: NDArray[np.int64] | None = None,
    ) -> Rows:
        """The given rows; of the genuine ones at most ``most``, drawn once."""
        if most is not None and int((label[rows] == 0).sum()) > most:
            genuine = rows[label[rows] == 0]
            drawn = np.random.default_rng([seed, 2]).choice(genuine, most, replace=False)
            rows = np.sort(np.concatenate([rows[label[rows] == 1], drawn]))
        wide = np.empty((len(rows), columns.shape[1]), dtype=np.float32)
        for first in range(
            0, len(rows), 65_536
        ):  # in pieces: a float64 copy of all would be the largest thing in memory
            piece = rows[first : first + 65_536]
            wide[first : first + 65_536] = network_rows(np.ascontiguousarray(columns[piece]))
        mass = None if weight is None else weight[rows].astype(np.float32)
        who = None if account is None else account[rows]
        return cls(wide, margins[rows].astype(np.float32), tokens[rows], label[rows], mass, who)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """The given rows, in their order."""
        weight = None if self.weight is None else self.weight[rows]
        account = None if self.account is None else self.account[rows]
        return Rows(self.columns[rows], self.margins[rows], self.tokens[rows], self.label[rows], weight, account)

    def and_then(self, later: Rows) -> Rows:
        """These rows and later ones behind them."""
        mine, theirs, who, whose = self.weight, later.weight, self.account, later.account
        return Rows(
            np.concatenate([self.columns, later.columns]),
            np.concatenate([self.margins, later.margins]),
            np.concatenate([self.tokens, later.tokens]),
            np.concatenate([self.label, later.label]),
            None if mine is None or theirs is None else np.concatenate([mine, theirs]),
            None if who is None or whose is None else np.concatenate([who, whose]),
        )


@dataclass(slots=True)
class LayeredTask:
    """Teach a network that stands on trees.

    Parameters
    ----------
    train, newest : what it learns from, and the later payments it is judged by (calibrated log-loss of the last exit);
        without any, every epoch counts as better than the one before, and the loop keeps the last.
    share : of the genuine payments visited in an epoch. kept : of all there were, the share that ``train`` holds.
    """

    model: Members
    train: Rows
    newest: Rows | None
    seed: int
    share: float = GENUINE_SHARE
    kept: float = 1.0
    fingerprint: str = ""
    judged_: int = field(default=0)

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """All frauds, and others of the genuine in each epoch."""
        fraud, genuine = np.flatnonzero(self.train.label == 1), np.flatnonzero(self.train.label == 0)
        random = np.random.default_rng([self.seed, epoch, 3])
        drawn = random.choice(genuine, max(1, round(len(genuine) * self.share)), replace=False)
        return np.sort(np.concatenate([fraud, drawn]))

    def loss(self, rows: Tensor) -> Tensor:
        """Cross-entropy of the last exit, of the others, and how far they are from the last.

        The rate of fraud among these rows is not that of the traffic; the log-odds are shifted by what was left out, so
        what is learned is the traffic's (King and Zeng, 2001).
        """
        exits = self._exits(rows.numpy()) - float(np.log(self.share * self.kept))
        label = torch.from_numpy(self.train.label[rows.numpy()]).to(exits)[None, :, None]
        each = cross_entropy(exits, label.expand_as(exits), reduction="none")
        if self.train.weight is not None:
            each = each * torch.from_numpy(self.train.weight[rows.numpy()]).to(exits)[None, :, None]
        each = each.mean((0, 1))
        if exits.shape[2] == 1:
            return each[0]
        end, early = exits[..., -1:].detach(), exits[..., :-1]
        last = torch.sigmoid(end)
        apart = cross_entropy(early, last.expand_as(early)) - cross_entropy(end, last)
        return each[-1] + OTHER_EXITS * each[:-1].mean() + AGREEMENT * apart

    def judge(self) -> float:
        """Log-loss of the last exit, calibrated on the same payments: two numbers fitted, so hardly better than it is."""
        self.judged_ += 1
        if self.newest is None:
            return -float(self.judged_)
        return calibrated_loss(self.exits(self.newest)[:, -1], self.newest.label, self.newest.weight)

    def exits(self, rows: Rows) -> NDArray[np.float64]:
        """float64[n, stages] of all the rows."""
        return exits_of(self.model, rows)

    def _exits(self, chosen: NDArray[np.int64]) -> Tensor:
        """float32[members, n, stages]: each member learns by its own mistakes, not by those of the mean."""
        device, rows = next(self.model.parameters()).device, self.train
        given = rows.columns[chosen], rows.margins[chosen], rows.tokens[chosen].astype(np.int64)
        columns, margins, tokens = (torch.from_numpy(part).to(device) for part in given)
        return self.model.each(columns, margins, tokens)


@torch.no_grad()
def exits_of(network: Members, rows: Rows, at_once: int = 8192) -> NDArray[np.float64]:
    """float64[n, stages]: what a network says of rows."""
    network.eval()
    device = next(network.parameters()).device
    out = np.empty(rows.margins.shape)
    for first in range(0, len(rows), at_once):
        piece = slice(first, first + at_once)
        given = rows.columns[piece], rows.margins[piece], rows.tokens[piece].astype(np.int64)
        columns, margins, tokens = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in given)
        out[piece] = network(columns, margins, tokens).cpu().numpy()
    return out


def calibrated_loss(
    logit: NDArray[np.float64], label: NDArray[np.int8], weight: NDArray[np.floating] | None = None
) -> float:
    """Mean log-loss in nats after Platt's calibration on the same rows."""
    mass = None if weight is None else weight.astype(np.float64)
    z = fit_calibration(logit, label, mass, way="platt")(logit)
    return float(np.average(np.logaddexp(0.0, z) - z * (label == 1), weights=mass))


@dataclass(frozen=True, slots=True)
class Taught:
    """A network that has learned, how much of it is to be believed, and how the training went."""

    network: Members
    correction: float
    trained: Trained
    notes: tuple[str, ...] = ()


def teach(
    train_rows: Rows,
    newest: Rows | None,
    ends: Sequence[int],
    categorical: Sequence[int],
    *,
    shape: LayeredSettings | None = None,
    settings: LoopSettings = SETTINGS,
    kept: float = 1.0,
    begin: Mapping[str, Tensor] | None = None,
    names: Sequence[str] = (),
    folder: Path | None = None,
    told: Told = silent,
) -> Taught:
    """Train a layered network, and choose how much of what it adds is believed.

    Parameters
    ----------
    newest : later payments by which it is stopped and believed; None trains all epochs and believes all of it.
    kept : the share of the genuine payments that ``train_rows`` holds.
    begin : weights to begin with; those of another shape are left out.
    names : of the columns, for what the doctor says.
    folder : where a killed training goes on from.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = layered(tuple(ends), tuple(categorical), train_rows.tokens.shape[1] - 1, shape)
    network.fit_scale(torch.from_numpy(train_rows.columns))
    if begin is not None:
        _take_over(network, begin)
    print_of = blake2b(digest_size=16)
    for rows in (train_rows, newest):
        for part in (rows.columns, rows.margins, rows.tokens, rows.label) if rows is not None else ():
            print_of.update(np.ascontiguousarray(part).data)
    print_of.update(repr((shape or LayeredSettings(), tuple(ends), tuple(categorical), kept)).encode())
    task = LayeredTask(network, train_rows, newest, settings.seed, kept=kept, fingerprint=print_of.hexdigest())
    if newest is None:
        settings = replace(settings, patience=settings.epochs)
    trained = train(task, settings, folder=folder, told=lambda what, share: told(f"the network: {what}", share))
    network.cpu().eval()
    called = tuple(names) or tuple(f"column {c}" for c in range(train_rows.columns.shape[1]))
    few = slice(None, None, max(1, len(train_rows) // 50_000))
    notes = (*trained.doctor, *leaking(train_rows.columns[few], train_rows.label[few] == 1, called))
    if newest is None:
        return Taught(network, 1.0, trained, notes)
    return Taught(network, believed(newest, exits_of(network, newest)), trained, notes)


def believed(rows: Rows, exits: NDArray[np.float64]) -> float:
    """How much of the network's correction makes the calibrated log-loss least, 0 to 1 in tenths; 0 is the trees."""
    margin, logit = rows.margins[:, -1].astype(np.float64), exits[:, -1]
    shares = np.linspace(0.0, 1.0, 11)
    losses = [calibrated_loss(margin + a * (logit - margin), rows.label, rows.weight) for a in shares]
    return float(shares[int(np.argmin(losses))])


@torch.no_grad()
def _take_over(network: Members, begin: Mapping[str, Tensor]) -> None:
    """Weights of another network where the shapes agree; scales and known codes stay those of these rows."""
    own = network.state_dict()
    fixed = ("median", "spread", "seen")
    fits = {n: t for n, t in begin.items() if n in own and own[n].shape == t.shape and not n.endswith(fixed)}
    network.load_state_dict({**own, **fits})
