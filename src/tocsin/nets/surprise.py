"""How surprising a payment is to one who has watched the account: a label-free model of what comes next.

From the state before a payment it says how likely each gap, hour, kind of retailer and amount is; the surprise is −log p of
what really came, in nats. It knows no labels, so it learns from all traffic, and what it has learned at one bank can begin
at another.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from tocsin.nets.parts import AMOUNTS, GAPS, HOURS, Past, unpack

KNOWN_KINDS = 64
"""Kinds the model can name; rarer ones are all "another"."""

RUNS = (1, 3, 8)
"""Surprise is given of this payment, and as the mean over this and the 2 and 7 before it."""


class NextPayment(nn.Module):
    """What an account does next: gap, then hour, kind and amount given the gap.

    Parameters
    ----------
    wide : units of the recurrent layer.

    Examples
    --------
    >>> watcher = NextPayment().eval()
    >>> watcher(torch.ones(2, 33, dtype=torch.int64)).shape
    torch.Size([2, 3])
    """

    named: Tensor

    def __init__(self, wide: int = 48) -> None:
        super().__init__()
        self.past = Past(wide, ("kind", "gap", "hour", "amount"))
        self.gap_given = nn.Embedding(GAPS, 16)
        self.gap = nn.Linear(wide, GAPS)
        self.rest = nn.Sequential(nn.Linear(wide + 16, 64), nn.SiLU())
        self.hour = nn.Linear(64, HOURS)
        self.kind = nn.Linear(64, KNOWN_KINDS)
        self.amount = nn.Linear(64 + 16, AMOUNTS)
        self.kind_given = nn.Embedding(KNOWN_KINDS, 16)
        self.register_buffer("named", torch.zeros(4096, dtype=torch.int64))

    @torch.no_grad()
    def fit_kinds(self, tokens: Int64[Tensor, " n"]) -> None:
        """Take the ``KNOWN_KINDS − 1`` most frequent kinds of tokens int64[n] as the ones it can name."""
        counts = torch.bincount(unpack(tokens)[0], minlength=4096)
        best = torch.argsort(counts, descending=True, stable=True)[: KNOWN_KINDS - 1]
        self.named.zero_()
        self.named[best] = torch.arange(1, len(best) + 1)

    def parts(
        self, history: Int64[Tensor, "n e"], newest: int = 0
    ) -> tuple[Float[Tensor, "n after 4"], Bool[Tensor, "n after"]]:
        """Surprise of every payment of the window but the first, by part; or only of the ``newest`` ones.

        Shape
        -----
        history int64[n, e] → float[n, e − 1, 4], nats of gap, hour, kind, amount; and bool[n, e − 1], whether that payment is there.
        """
        kind, gap, hour, amount = (part[:, 1:][:, -newest:] for part in unpack(history))
        kind = self.named[kind]
        before = self.past(history)[:, :-1][:, -newest:]
        more = self.rest(torch.cat([before, self.gap_given(gap)], dim=-1))
        last = torch.cat([more, self.kind_given(kind)], dim=-1)
        said = ((self.gap(before), gap), (self.hour(more), hour), (self.kind(more), kind), (self.amount(last), amount))
        nats = [-torch.log_softmax(logits, -1).gather(-1, came.unsqueeze(-1)) for logits, came in said]
        return torch.cat(nats, dim=-1), gap > 0

    def loss(self, history: Int64[Tensor, "n e"], first: int = 0) -> Float[Tensor, ""]:
        """Mean nats a payment over windows int64[n, e], those from place ``first`` on; payments with no past are left out."""
        nats, there = self.parts(history)
        nats, there = nats[:, first:].sum(-1), there[:, first:]
        return (nats * there).sum() / there.sum().clamp(min=1)

    def forward(self, history: Int64[Tensor, "n e"]) -> Float[Tensor, "n 3"]:
        """int64[n, history + 1] → float32[n, 3]: surprise of this payment, and the mean over the last 3 and 8 there are.

        A payment with no past has surprise 0: nothing was expected.
        """
        nats, there = self.parts(history, newest=max(RUNS))
        known = there.to(nats.dtype)
        surprise = nats.sum(-1) * known
        runs = [surprise[:, -run:].sum(1) / known[:, -run:].sum(1).clamp(min=1) for run in RUNS]
        return torch.stack(runs, dim=1)
