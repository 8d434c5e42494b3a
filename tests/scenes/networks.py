"""Small networks with something to learn, for the training loop: a perceptron and a recurrent one, each in a second."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


@dataclass
class Points:
    """Rows of numbers with a label that follows from them, all but a little noise; a network that reads them."""

    model: nn.Module
    x: Tensor
    y: Tensor
    newest: int = 256
    fingerprint: str = "points"

    def rows(self, epoch: int) -> Tensor:
        """All but the newest, less a few that differ from epoch to epoch."""
        old = torch.arange(len(self.x) - self.newest)
        return old[old % 17 != epoch]

    def loss(self, rows: Tensor) -> Tensor:
        """Cross-entropy of these rows."""
        return binary_cross_entropy_with_logits(self.model(self.x[rows]).squeeze(-1), self.y[rows])

    def judge(self) -> float:
        """Cross-entropy of the newest."""
        return self.loss(torch.arange(len(self.x) - self.newest, len(self.x))).item()


def points(seed: int = 1, *, n: int = 2048, dropout: float = 0.1) -> Points:
    """A perceptron with dropout and a norm, and a bowl to be told from its surroundings."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=dice)
    y = ((x[:, :3].square().sum(1) + 0.3 * torch.randn(n, generator=dice)) < 2.4).float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = [nn.Linear(6, 32), nn.LayerNorm(32), nn.SiLU(), nn.Dropout(dropout), nn.Linear(32, 16), nn.ReLU()]
        return Points(nn.Sequential(*body, nn.Linear(16, 1)), x, y)


class Reader(nn.Module):
    """Embeds tokens, reads them one after the other, and answers from where it has come to."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(8, 6)
        self.read = nn.GRU(6, 12, batch_first=True)
        self.answer = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        """int64[n, t] to float32[n, 1]."""
        return self.answer(self.read(self.tokens(x))[0][:, -1])


def orders(seed: int = 1, *, n: int = 2048) -> Points:
    """A recurrent network, and rows in which one token comes right after another, or not; some labels are wrong."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 8, (n, 10), generator=dice)
    y = (((x[:, :-1] == 3) & (x[:, 1:] < 4)).any(1) ^ (torch.rand(n, generator=dice) < 0.03)).float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Points(Reader(), x, y, fingerprint="orders")


@dataclass
class Deserted(Points):
    """As :class:`Points`, but any process other than the one that made it ends at its third batch, without a word."""

    home: int = field(default_factory=os.getpid)
    seen: int = 0

    def loss(self, rows: Tensor) -> Tensor:
        """The loss, twice."""
        self.seen += 1
        if self.seen == 3 and os.getpid() != self.home:
            os._exit(7)
        return super().loss(rows)
