"""How unlike all others a payment is, to one who sees a third of its columns and restores the rest.

A plain autoencoder hands the strange value it is given straight through, and one hidden column is read off its copies:
counts over a day, a week and a month tell of one another. So most columns are hidden at a time, and what counts is how far
off they are guessed, against how far off they usually are.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

MISSING = -(2.0**125)
"""Stands, as does all below it, for a value nobody knows; such a column is hidden always and counted never."""

_FAR = 100.0
_LEAST = 0.01
_MOST = 25.0
"""An error of more than five times the usual counts as five times, so that no column drowns the others."""


class Autoencoder(nn.Module):
    """Restores hidden columns from seen ones; the score is how badly that goes.

    The columns are dealt at random into ``hands``, ``deals`` times. For each hand the network sees that hand alone and
    guesses all other columns. An error is squared, divided by what it is on average for this column behind this hand, and
    cut at 25; the mean of all of them, m, is about 1 on average, and the score is m / (1 + m): its log-odds are log m.

    Parameters
    ----------
    columns : how many numbers a row has.
    hands, deals : a row is guessed from ``hands × deals`` sides, so its cost grows with both.
    wide : units of each of the three layers.

    References
    ----------
    Masked autoencoders restore what is hidden (He et al., 2022) and rows of tables among them (Yoon et al., *VIME*, 2020);
    we hide two thirds instead of a third or less, and weigh each error by its usual size.

    Examples
    --------
    >>> network = Autoencoder(5).eval()
    >>> network(torch.zeros(2, 5)).shape
    torch.Size([2, 1])
    """

    mean: Tensor
    spread: Tensor
    hidden: Tensor
    usual: Tensor

    def __init__(self, columns: int, *, hands: int = 3, deals: int = 8, wide: int = 64) -> None:
        super().__init__()
        self.seen_share = 1.0 / hands
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("spread", torch.ones(columns))
        self.register_buffer("hidden", _deal(columns, hands, deals))
        self.register_buffer("usual", torch.ones(hands * deals, columns))
        self.values = nn.Linear(columns, wide)
        self.gaps = nn.Linear(columns, wide, bias=False)
        self.rest = nn.Sequential(
            nn.SiLU(), nn.Linear(wide, wide), nn.SiLU(), nn.Linear(wide, wide), nn.SiLU(), nn.Linear(wide, columns)
        )

    @torch.no_grad()
    def fit_scale(self, rows: Float[Tensor, "n columns"]) -> None:
        """Take mean and standard deviation of each column from rows float[n, columns], missing values left out."""
        known = rows > MISSING
        count = known.sum(0).clamp(min=1).double()
        middle = (rows.double() * known).sum(0) / count
        apart = (((rows.double() - middle) ** 2) * known).sum(0) / count
        self.mean.copy_(middle)
        self.spread.copy_(torch.where(apart > 0, apart.sqrt(), 1.0))

    @torch.no_grad()
    def fit_usual(self, rows: Float[Tensor, "n columns"], *, chunk: int = 2000) -> None:
        """Take from rows float[n, columns] how far off each column is guessed on average behind each hand."""
        total = torch.zeros_like(self.usual, dtype=torch.float64)
        counted = torch.zeros_like(total)
        for part in torch.split(rows, chunk):
            errors, counts = self._all_hands(part)
            total += (errors * counts).double().sum(0)
            counted += counts.double().sum(0)
        self.usual.copy_(torch.where(counted > 0, total / counted.clamp(min=1), 1.0) + _LEAST)

    def loss(self, rows: Float[Tensor, "n columns"]) -> Float[Tensor, ""]:
        """Mean squared error of what is hidden, in standard deviations²; what is hidden is drawn anew for each row."""
        share = self.seen_share * (0.5 + torch.rand(rows.shape[0], 1, device=rows.device))
        return self._mean_error(rows, torch.rand_like(rows) >= share)

    def judge(self, rows: Float[Tensor, "n columns"]) -> Float[Tensor, ""]:
        """The same, behind the hands the score is made from."""
        errors, counts = self._all_hands(rows)
        return (errors * counts).sum() / counts.sum().clamp(min=1)

    def forward(self, rows: Float[Tensor, "n columns"]) -> Float[Tensor, "n 1"]:
        """float32[n, columns], ``MISSING`` where nothing is known → float32[n, 1] in [0, 1], higher is more unlike."""
        errors, counts = self._all_hands(rows)
        flat = ((errors / self.usual).clamp(max=_MOST) * counts).flatten(1)
        # One ordinary error more than there are: a row of which nothing is known is ordinary, one half.
        m = (flat.sum(1, keepdim=True) + 1.0) / (counts.flatten(1).sum(1, keepdim=True) + 1.0)
        return m / (1.0 + m)

    def _all_hands(
        self, rows: Float[Tensor, "n columns"]
    ) -> tuple[Float[Tensor, "n hands columns"], Float[Tensor, "n hands columns"]]:
        """Squared errors and which of them count, each float[n, hands × deals, columns]."""
        z, known = self._scaled(rows)
        z, known = z.unsqueeze(1), known.unsqueeze(1)
        return (self._guess(z, known & ~self.hidden) - z) ** 2, (known & self.hidden).to(z.dtype)

    def _mean_error(self, rows: Float[Tensor, "n columns"], hidden: Bool[Tensor, "n columns"]) -> Float[Tensor, ""]:
        z, known = self._scaled(rows)
        counts = (known & hidden).to(z.dtype)
        return (((self._guess(z, known & ~hidden) - z) ** 2) * counts).sum() / counts.sum().clamp(min=1)

    def _scaled(self, rows: Float[Tensor, "n columns"]) -> tuple[Float[Tensor, "n columns"], Bool[Tensor, "n columns"]]:
        known = rows > MISSING
        z = (torch.where(known, rows, self.mean) - self.mean) / self.spread
        return z.clamp(-_FAR, _FAR), known

    def _guess(
        self, z: Float[Tensor, "... columns"], seen: Bool[Tensor, "*sides columns"]
    ) -> Float[Tensor, "*sides columns"]:
        there = seen.to(z.dtype)
        guess: Tensor = self.rest(self.values(z * there) + self.gaps(1.0 - there))
        return guess


def _deal(columns: int, hands: int, deals: int) -> Bool[Tensor, "hands_deals columns"]:
    """bool[hands × deals, columns]: what is hidden; every column is in one hand of each deal."""
    chance = torch.Generator().manual_seed(columns)
    hidden = torch.ones(hands * deals, columns, dtype=torch.bool)
    for deal in range(deals):
        order = torch.randperm(columns, generator=chance)
        for hand, of_it in enumerate(order.tensor_split(hands)):
            hidden[deal * hands + hand, of_it] = False
    return hidden
