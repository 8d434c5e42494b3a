"""An anomaly score by a network that restores hidden columns; learned without labels, shipped without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from tocsin.learn import checkpoint
from tocsin.learn.export import export_anomaly
from tocsin.learn.loop import LoopSettings, train
from tocsin.learn.task import Told, Trained, silent
from tocsin.learn.unsupervised import Anomaly
from tocsin.nets.autoencoder import MISSING, Autoencoder

_HELD_BACK = 10
"""One row of so many, the newest, judges the training."""
_JUDGES, _USUAL = 2_000, 20_000
"""Rows that are enough to judge by, and to tell from what errors are usual; each is guessed from every side."""


class Restoring(Anomaly):
    """Anomaly by how badly hidden columns are guessed from the others (:class:`tocsin.nets.autoencoder.Autoencoder`).

    Use it where columns depend on one another, as what is known of an account does; the isolation forest needs no PyTorch
    and learns in a second. A missing value is neither seen nor guessed.

    Parameters
    ----------
    hands, deals, wide : of the network.
    epochs : at most; it stops when the newest rows are guessed no better.
    told : is told how far it is.
    """

    def __init__(
        self,
        categorical: Sequence[int] = (),
        *,
        hands: int = 3,
        deals: int = 8,
        wide: int = 64,
        epochs: int = 5,
        most_rows: int = 100_000,
        seed: int = 0,
        told: Told = silent,
    ) -> None:
        super().__init__(categorical, most_rows=most_rows, seed=seed)
        self.hands, self.deals, self.wide, self.epochs = hands, deals, wide, epochs
        self.told = told
        self.trained_: Trained | None = None

    def missing(self, column: NDArray[np.float64]) -> float:
        """The sign for "not known"."""
        return MISSING

    def graph(self, table: NDArray[np.float32]) -> bytes:
        """Train the network, then take from rows of all the time which errors are usual."""
        rows = torch.from_numpy(table)
        with checkpoint.seeded(self.seed, torch.device("cpu")):
            network = Autoencoder(table.shape[1], hands=self.hands, deals=self.deals, wide=self.wide)
        network.fit_scale(rows)
        settings = LoopSettings(
            epochs=self.epochs, planned=self.epochs, batch=512, rate=3e-3, decay=0.01, seed=self.seed, device="cpu"
        )
        self.trained_ = train(_Restore(network, rows), settings, told=self.told)
        network.eval()
        network.fit_usual(_spread(rows, _USUAL))
        return export_anomaly(network, rows[-2000:])


class _Restore:
    """The task: restore the older rows, be judged by the newest."""

    def __init__(self, model: Autoencoder, rows: torch.Tensor) -> None:
        self.model, self.table = model, rows
        self.fingerprint = f"autoencoder {tuple(model.hidden.shape)} {crc32(rows.numpy().tobytes()):08x}"
        self.newest = min(len(rows) - 1, len(rows) - len(rows) // _HELD_BACK)

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """All but the newest."""
        return np.arange(max(1, self.newest))

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        """Mean error of what is hidden."""
        return self.model.loss(self.table[rows])

    def judge(self) -> float:
        """The same on the newest rows."""
        return float(self.model.judge(_spread(self.table[self.newest :], _JUDGES)))


def _spread(rows: torch.Tensor, most: int) -> torch.Tensor:
    """At most so many rows, evenly over the time."""
    return rows[torch.linspace(0, len(rows) - 1, min(most, len(rows))).round().long()]
