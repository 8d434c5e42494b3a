"""What networks for rows of payments are made of: numbers, codes, a window of the past, one residual block.

Everything is inside the graph (scales, clips, what is missing), so that a network is given raw columns wherever it runs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

KINDS, GAPS, HOURS, AMOUNTS = 4096, 32, 32, 32
"""How many values each part of a packed token may take; a token is kind + KINDS·(gap + GAPS·(hour + HOURS·amount))."""

Tokens = Int64[Tensor, "*shape"]
"""Packed tokens, or a part of each."""

CODES = 1024
"""Rows of a table of codes: 0 is "not there", the last is "never seen in training"."""


class Numbers(nn.Module):
    """Numbers → what a network can use: scaled, clipped softly, with waves of learned lengths, and whether they are there.

    ``z = (x − median) / IQR``, then ``z / √(1 + (z/3)²)``, so that nothing is ever larger than 3. Waves after Gorishniy,
    Rubachev and Babenko, *On Embeddings for Numerical Features* (2022): sin and cos of 2πfz with f drawn from N(0, sigma²) and
    learned; the linear layer behind them is shared by all columns (the paper's "lite" form).

    Parameters
    ----------
    columns : how many numbers a row has.
    waves : how many frequencies a column gets; 0 leaves only the number and whether it is missing.
    """

    median: Tensor
    spread: Tensor

    def __init__(self, columns: int, *, waves: int = 12, sigma: float = 0.3, made: int = 6) -> None:
        super().__init__()
        self.register_buffer("median", torch.zeros(columns))
        self.register_buffer("spread", torch.ones(columns))
        self.frequency = nn.Parameter(torch.randn(columns, waves) * sigma) if waves else None
        self.mix = nn.Linear(2 * waves, made) if waves else None
        self.width = columns * (2 + (made if waves else 0))

    @torch.no_grad()
    def fit_scale(self, rows: Float[Tensor, "n columns"]) -> None:
        """Take median and interquartile range of each column from rows float[n, columns], NaN left out."""
        for column in range(rows.shape[1]):
            known = rows[:, column]
            known = known[~torch.isnan(known)].double()
            if not len(known):
                continue
            low, middle, high = torch.quantile(known, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))
            spread = high - low
            if spread <= 0:  # most values alike, as in counts: what is left to go by is how the others spread
                spread = known.std(unbiased=False)
            self.median[column] = middle
            self.spread[column] = spread if spread > 0 else 1.0

    def forward(self, rows: Float[Tensor, "n columns"]) -> Float[Tensor, "n width"]:
        """float[n, columns], NaN where nothing is known → float[n, width]."""
        missing = torch.isnan(rows)
        z = (torch.where(missing, self.median, rows) - self.median) / self.spread
        z = z / torch.sqrt(1 + (z / 3) ** 2)
        parts = [z, missing.to(z.dtype)]
        if self.frequency is not None and self.mix is not None:
            turns = 2 * torch.pi * self.frequency * z.unsqueeze(-1)
            waves = torch.cat([torch.sin(turns), torch.cos(turns)], dim=-1)
            parts.append(torch.relu(self.mix(waves)).flatten(1))
        return torch.cat(parts, dim=1)


class Codes(nn.Module):
    """Codes (a channel, a country) → a few learned numbers each; a code never seen in training has a row of its own.

    Parameters
    ----------
    columns : how many codes a row has; each gets a table of ``CODES`` rows.
    forget : share of codes taken for unknown in training, so that the row of the unknown learns something.
    """

    seen: Tensor

    def __init__(self, columns: int, *, wide: int = 8, forget: float = 0.05) -> None:
        super().__init__()
        self.tables = nn.Embedding(columns * CODES, wide)
        nn.init.normal_(self.tables.weight, std=0.1)
        self.register_buffer("seen", torch.ones(columns, CODES, dtype=torch.bool))
        self.forget = forget
        self.columns = columns
        self.width = columns * wide

    @torch.no_grad()
    def fit_seen(self, codes: Float[Tensor, "n columns"]) -> None:
        """Remember which codes there are; float[n, columns]."""
        known = self._whole(codes)
        for column in range(self.columns):
            self.seen[column] = torch.bincount(known[:, column], minlength=CODES) > 0

    def forward(self, codes: Float[Tensor, "n columns"]) -> Float[Tensor, "n width"]:
        """float[n, columns] of codes 0 … 1021, NaN or 0 where there is none → float[n, width]."""
        learned: Tensor = self.tables(self.places(codes))
        return learned.flatten(1)

    def places(self, codes: Float[Tensor, "n columns"]) -> Int64[Tensor, "n columns"]:
        """int64[n, columns]: the rows of the table that stand for codes float[n, columns]."""
        whole = self._whole(codes)
        place = whole + torch.arange(self.columns, device=codes.device) * CODES
        known = self.seen.flatten()[place]
        if self.training and self.forget:
            known = known & (torch.rand(whole.shape, device=whole.device) >= self.forget)
        unknown = torch.arange(1, self.columns + 1, device=codes.device) * CODES - 1
        return torch.where(known, place, unknown)

    @staticmethod
    def _whole(codes: Float[Tensor, "n columns"]) -> Int64[Tensor, "n columns"]:
        return torch.nan_to_num(codes).clamp(0, CODES - 1).long()


def unpack(history: Tokens) -> tuple[Tokens, Tokens, Tokens, Tokens]:
    """Packed tokens int64[…] → kind, gap, hour, amount, each int64[…]; 0 is "none" in kind, gap and amount."""
    kind = history % KINDS
    rest = torch.div(history, KINDS, rounding_mode="floor")
    gap = rest % GAPS
    rest = torch.div(rest, GAPS, rounding_mode="floor")
    return kind, gap, rest % HOURS, torch.div(rest, HOURS, rounding_mode="floor") % AMOUNTS


READS: dict[str, tuple[int, int]] = {"kind": (KINDS, 12), "gap": (GAPS, 6), "hour": (HOURS, 6), "amount": (AMOUNTS, 6)}
"""What of a token may be read: how many values it has, and how many learned numbers stand for each."""


class Past(nn.Module):
    """A window of an account's payments → one state. It reads little: the kind of retailer and the gap before each.

    Amounts, places and novelty are left to the trees on purpose: measured, a history that reads all of a payment's
    numbers learns its training accounts by heart.

    Parameters
    ----------
    wide : units of the recurrent layer (GRU; Cho et al., 2014).
    reads : which parts of a token it reads, of ``kind``, ``gap``, ``hour``, ``amount``.
    """

    def __init__(self, wide: int = 32, reads: tuple[str, ...] = ("kind", "gap")) -> None:
        super().__init__()
        self.reads = reads
        self.tables = nn.ModuleDict({name: nn.Embedding(*READS[name]) for name in reads})
        for table in self.tables.parameters():
            nn.init.normal_(table, std=0.3)
        self.cell = nn.GRU(sum(READS[name][1] for name in reads), wide, batch_first=True)
        self.width = wide

    def forward(self, history: Int64[Tensor, "n events"]) -> Float[Tensor, "n events width"]:
        """int64[n, events], oldest first, the payment itself last → float[n, events, width], the state after each."""
        parts = dict(zip(("kind", "gap", "hour", "amount"), unpack(history), strict=True))
        states: Tensor = self.cell(torch.cat([self.tables[name](parts[name]) for name in self.reads], dim=-1))[0]
        return states


class Block(nn.Module):
    """``h ← h + LN(W2 SiLU(W1 [h; added]))``: one stage's step, which may leave what it was given as it is."""

    def __init__(self, wide: int, added: int, *, inner: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.step = nn.Sequential(
            nn.Linear(wide + added, inner), nn.SiLU(), nn.Dropout(dropout), nn.Linear(inner, wide), nn.LayerNorm(wide)
        )

    def forward(self, state: Float[Tensor, "n wide"], added: Float[Tensor, "n added"]) -> Float[Tensor, "n wide"]:
        """float[n, wide] and float[n, added] → float[n, wide]."""
        step: Tensor = self.step(torch.cat([state, added], dim=1))
        return state + step
