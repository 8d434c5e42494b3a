"""Learning what comes next, without labels: the model behind the surprise, from the windows of past payments alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from tocsin.artifact.card import SurpriseCard
from tocsin.artifact.network import SURPRISE, SurpriseScorer
from tocsin.errors import BadInput
from tocsin.learn.export import export_surprise
from tocsin.learn.loop import train
from tocsin.learn.task import LoopSettings, Told, silent
from tocsin.nets import NextPayment

AHEAD = 16
"""Of each window the last so many payments are foretold; those before only tell what has been."""
SETTINGS = LoopSettings(epochs=12, planned=12, batch=128, rate=4e-3, decay=0.01, patience=12)
WEIGHTS = "surprise.safetensors"
LEAST = 200
"""Payments with a past below which nothing is learned of what comes next."""


@dataclass(frozen=True, slots=True)
class Surprise:
    """A label-free model of the next payment, as it is trained, shipped and read.

    Parameters
    ----------
    watcher : the network. graph : the same as ONNX; whoever needs the surprise of a payment reads this one.
    nats : mean surprise of the payments it was judged by.
    """

    watcher: NextPayment
    graph: bytes
    card: SurpriseCard
    nats: float

    def files(self) -> dict[str, bytes]:
        """The graph, and the weights for who learns on from them."""
        return {SURPRISE: self.graph, WEIGHTS: save(self.watcher.state_dict())}

    def columns(self, tokens: NDArray[np.integer], told: Told = silent) -> NDArray[np.float64]:
        """float64[n, 3]: the surprise of each payment, as serving reads it; tokens integers[n, history + 1]."""
        scorer, out = SurpriseScorer(self.graph, self.card), np.empty((len(tokens), 3))
        for first in range(0, len(tokens), 65_536):
            piece = slice(first, first + 65_536)
            out[piece] = scorer(tokens[piece].astype(np.int64))
            told("how surprising each payment is", min(1.0, (first + 65_536) / len(tokens)))
        return out


@dataclass(slots=True)
class NextTask:
    """Foretell the payments of windows; judged on windows later than all it learns from.

    Parameters
    ----------
    tokens : int64 or uint32[n, history + 1], in order of time. until : rows before it are learned from.
    """

    model: NextPayment
    tokens: NDArray[np.integer]
    until: int
    seed: int
    fingerprint: str = ""

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """One window for every ``AHEAD`` payments, others each time: so that each payment is foretold about once."""
        random = np.random.default_rng([self.seed, epoch, 1])
        return np.sort(random.choice(self.until, max(1, self.until // AHEAD), replace=False))

    def loss(self, rows: Tensor) -> Tensor:
        """Mean nats a payment."""
        return self._loss(self._windows(rows.numpy()))

    def judge(self) -> float:
        """Mean nats a payment of the newest windows, at most 4,096 of them, in pieces that need little memory."""
        later = np.arange(self.until, len(self.tokens))
        chosen = later[:: max(1, len(later) // 4096)]
        pieces = [chosen[first : first + 512] for first in range(0, len(chosen), 512)]
        return float(
            np.average([float(self._loss(self._windows(p))) for p in pieces], weights=[len(p) for p in pieces])
        )

    def _windows(self, rows: NDArray[np.int64]) -> Tensor:
        device = next(self.model.parameters()).device
        return torch.from_numpy(self.tokens[rows].astype(np.int64)).to(device)

    def _loss(self, windows: Tensor) -> Tensor:
        return self.model.loss(windows, first=max(0, windows.shape[1] - 1 - AHEAD))


def learn_surprise(
    tokens: NDArray[np.integer],
    *,
    wide: int = 48,
    begin: Mapping[str, Tensor] | None = None,
    settings: LoopSettings = SETTINGS,
    folder: Path | None = None,
    told: Told = silent,
) -> Surprise:
    """Learn what payment comes next, from windows in order of time; the newest tenth says when to stop.

    Parameters
    ----------
    tokens : integers[n, history + 1], the payment itself last; 0 where there was none.
    wide : units of the recurrent layer.
    begin : weights to begin with, such as those learned at another bank.
    folder : where a killed training goes on from.

    Raises
    ------
    BadInput : too few payments that have a past.
    """
    past = int((tokens[:, -2] != 0).sum())
    if past < LEAST:
        raise BadInput(
            f"what comes next is learned from payments whose account has paid before, at least {LEAST}; got {past}.",
            hint="Use a longer stretch of data, or a spec whose [history] names the account.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        watcher = NextPayment(wide)
    until = max(1, int(len(tokens) * 0.9))
    watcher.fit_kinds(torch.from_numpy(tokens[:until, -1].astype(np.int64)))
    if begin is not None:
        named = watcher.named.clone()
        watcher.load_state_dict(dict(begin))
        if not bool((watcher.named == named).all()):
            _rename(watcher, named)
    print_of = blake2b(np.ascontiguousarray(tokens).data, digest_size=16)
    print_of.update(repr((wide, settings.seed, sorted(begin) if begin else None)).encode())
    task = NextTask(watcher, tokens, until, settings.seed, print_of.hexdigest())
    trained = train(task, settings, folder=folder, told=lambda what, share: told(f"what comes next: {what}", share))
    watcher.cpu().eval()
    graph = export_surprise(watcher, torch.from_numpy(tokens[:: max(1, len(tokens) // 2000)].astype(np.int64)))
    card = SurpriseCard(history=tokens.shape[1] - 1, usual=_usual(watcher, tokens))
    return Surprise(watcher, graph, card, trained.judged)


@torch.no_grad()
def _rename(watcher: NextPayment, named: Tensor) -> None:
    """At another bank other kinds are frequent: those both banks name keep what was learned, the others begin as unknown."""
    old = watcher.named.clone()
    weight, bias = watcher.kind.weight.clone(), watcher.kind.bias.clone()
    given = watcher.kind_given.weight.clone()
    for kind in torch.nonzero(named)[:, 0].tolist():
        was, now = int(old[kind]), int(named[kind])
        watcher.kind.weight[now], watcher.kind.bias[now] = weight[was], bias[was]
        watcher.kind_given.weight[now] = given[was]
    watcher.named.copy_(named)


@torch.no_grad()
def _usual(watcher: NextPayment, tokens: NDArray[np.integer]) -> tuple[float, float, float, float]:
    """Mean nats of a payment's gap, hour, kind and amount, over at most 4,096 windows."""
    windows = torch.from_numpy(tokens[:: max(1, len(tokens) // 4096)].astype(np.int64))
    nats, there = watcher.parts(windows)
    gap, hour, kind, amount = nats[:, -1][there[:, -1]].double().mean(0).tolist()
    return gap, hour, kind, amount
