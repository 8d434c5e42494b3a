"""The layered network: it starts from the trees, and each stage adds its own data to what the stages before made.

    stage 1  amount, time            x1 → block 1 → h1 → exit 1
    stage 2  customer, card, device  x2 → block 2 → h2 → exit 2
    …                                …                   (as many as the spec has)
    last     the account's past      xS → block S → hS → exit S;  window of payments → g → exit S

    exit s   a_s·l_s + w_s·h_s + b_s,   l_s the trees' calibrated log-odds after stage s
    exit S   … or the past says so: 1 − (1 − p)(1 − q), q = σ(v·g + c − 7)

At the start a = 1, w = b = v = c = 0: the untrained network *is* the trees, so whatever training does can be kept
only if it adds. The difference between two exits is what a stage's data said, as odds; they add up to the score.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tocsin.nets.parts import Block, Codes, Numbers, Past

QUIET = 7.0
"""What the past must overcome before it is heard: the log-odds of 1 : 1,100, about the rate of what only order tells."""


@dataclass(frozen=True, slots=True)
class LayeredSettings:
    """The size of a layered network and what it may forget while it learns.

    Parameters
    ----------
    wide, inner : units of the state between stages, and inside a block.
    past : units of the recurrent layer that reads the last payments; 0 for none.
    past_reads : what it reads of each payment.
    past_last : how many payments it reads, this one included; a longer past is learned by heart.
    join : how the past joins the last exit: ``or`` (fraud if either says so: it can raise a score but hardly lower one, so
        what it does not know it leaves to the trees), or ``add`` (log-odds added).
    waves : frequencies a number is spread over; 0 for none.
    forget_id, forget_stage : how often, in training, a code is taken for unknown, and a whole stage's data for missing.
    from_stage : stages before this one (counted from 0) stay exactly the trees'.
    trees : whether the trees' log-odds are given; without them the network starts from nothing.
    members : how many networks speak, each with a beginning of its own.
    """

    wide: int = 16
    inner: int = 32
    dropout: float = 0.3
    past: int = 24
    past_reads: tuple[str, ...] = ("kind", "gap")
    past_last: int = 8
    join: Literal["or", "add"] = "or"
    waves: int = 0
    forget_id: float = 0.05
    forget_stage: float = 0.1
    from_stage: int = 0
    trees: bool = True
    members: int = 4


class Stage(nn.Module):
    """One stage: its columns and what the trees say so far → a new state and an exit."""

    def __init__(self, numbers: list[int], codes: list[int], settings: LayeredSettings) -> None:
        super().__init__()
        self.number_columns, self.code_columns = numbers, codes
        self.numbers = Numbers(len(numbers), waves=settings.waves) if numbers else None
        self.codes = Codes(len(codes), forget=settings.forget_id) if codes else None
        self.forget = settings.forget_stage
        added = 1
        added += self.numbers.width if self.numbers is not None else 0
        added += self.codes.width if self.codes is not None else 0
        self.block = Block(settings.wide, added, inner=settings.inner, dropout=settings.dropout)
        self.exit = nn.Linear(settings.wide, 1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)
        self.trust = nn.Parameter(torch.ones(1))

    def forward(
        self, state: Float[Tensor, "n wide"], rows: Float[Tensor, "n d"], margin: Float[Tensor, "n 1"]
    ) -> tuple[Float[Tensor, "n wide"], Float[Tensor, "n 1"]]:
        """state float[n, wide], rows float[n, d], margin float[n, 1] → the next state and the exit float[n, 1]."""
        added = [margin / 4]
        if self.training and self.forget:  # a look-up that timed out: nothing of this stage is known
            lost = torch.rand(rows.shape[0], 1, device=rows.device) < self.forget
            rows = torch.where(lost, torch.full_like(rows, torch.nan), rows)
        if self.numbers is not None:
            added.append(self.numbers(rows[:, self.number_columns]))
        if self.codes is not None:
            added.append(self.codes(rows[:, self.code_columns]))
        state = self.block(state, torch.cat(added, dim=1))
        return state, self.trust * margin + self.exit(state)


class Layered(nn.Module):
    """The network for rows of payments, every stage with its exit.

    Parameters
    ----------
    ends : stage s may use the first ``ends[s]`` columns; its own are those since the stage before.
    categorical : columns that hold codes, not amounts.
    history : payments before this one in the window; 0 where the spec keeps none.

    Examples
    --------
    >>> net = Layered(ends=(2, 3), categorical=(1,), history=4).eval()
    >>> margins = torch.tensor([[0.5, -1.0]])
    >>> net(torch.zeros(1, 3), margins, torch.zeros(1, 5, dtype=torch.int64)).tolist()
    [[0.5, -1.0]]
    """

    def __init__(
        self,
        ends: tuple[int, ...],
        categorical: tuple[int, ...] = (),
        history: int = 0,
        settings: LayeredSettings | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or LayeredSettings()
        self.ends, self.categorical, self.history = ends, categorical, history
        reads_past = history > 0 and self.settings.past > 0
        self.past = Past(self.settings.past, self.settings.past_reads) if reads_past else None
        self.past_exit = nn.Linear(self.settings.past, 1) if reads_past else None
        if self.past_exit is not None:
            nn.init.zeros_(self.past_exit.weight)
            nn.init.zeros_(self.past_exit.bias)
        codes = set(categorical)
        owned = [range(begin, end) for begin, end in zip((0, *ends[:-1]), ends, strict=True)]
        self.stages = nn.ModuleList(
            Stage([c for c in own if c not in codes], [c for c in own if c in codes], self.settings)
            for own in owned[self.settings.from_stage :]
        )

    @torch.no_grad()
    def fit_scale(self, rows: Float[Tensor, "n d"]) -> None:
        """Take from training rows float[n, d] what is usual in each column, and which codes there are."""
        for stage in self.stages:
            assert isinstance(stage, Stage)
            if stage.numbers is not None:
                stage.numbers.fit_scale(rows[:, stage.number_columns])
            if stage.codes is not None:
                stage.codes.fit_seen(rows[:, stage.code_columns])

    def forward(
        self, rows: Float[Tensor, "n d"], margins: Float[Tensor, "n stages"], history: Int64[Tensor, "n events"]
    ) -> Float[Tensor, "n stages"]:
        """The exits.

        Shape
        -----
        rows float32[n, d], NaN where nothing is known; margins float32[n, stages], the trees' calibrated log-odds;
        history int64[n, history + 1], the payment itself last → float32[n, stages], log-odds.
        """
        if not self.settings.trees:
            margins = torch.zeros_like(margins)
        state = torch.zeros(rows.shape[0], self.settings.wide, device=rows.device, dtype=rows.dtype)
        exits = list(margins[:, : self.settings.from_stage].unbind(1))
        for s, stage in enumerate(self.stages, start=self.settings.from_stage):
            state, out = stage(state, rows, margins[:, s : s + 1])
            exits.append(out[:, 0])
        if self.past is not None and self.past_exit is not None:
            heard = self.past_exit(self.past(history[:, -self.settings.past_last :])[:, -1])[:, 0]
            exits[-1] = exits[-1] + heard if self.settings.join == "add" else either(exits[-1], heard)
        return torch.stack(exits, dim=1)


class Members(nn.Module):
    """Several layered networks, each with a beginning of its own, and the mean of what they say.

    A history is learned from few frauds, and one network's luck with them differs from another's; the mean has less of it.
    """

    def __init__(self, members: Iterable[Layered]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(
        self, rows: Float[Tensor, "n d"], margins: Float[Tensor, "n stages"], history: Int64[Tensor, "n events"]
    ) -> Float[Tensor, "n stages"]:
        """As :meth:`Layered.forward`: float32[n, stages], log-odds."""
        return self.each(rows, margins, history).mean(0)

    def each(
        self, rows: Float[Tensor, "n d"], margins: Float[Tensor, "n stages"], history: Int64[Tensor, "n events"]
    ) -> Float[Tensor, "members n stages"]:
        """What each member says: float32[members, n, stages]."""
        return torch.stack([member(rows, margins, history) for member in self.members])

    def fit_scale(self, rows: Float[Tensor, "n d"]) -> None:
        """As :meth:`Layered.fit_scale`, the same for all."""
        for member in self.members:
            assert isinstance(member, Layered)
            member.fit_scale(rows)


def layered(
    ends: tuple[int, ...],
    categorical: tuple[int, ...] = (),
    history: int = 0,
    settings: LayeredSettings | None = None,
) -> Members:
    """``settings.members`` layered networks as one."""
    settings = settings or LayeredSettings()
    return Members(Layered(ends, categorical, history, settings) for _ in range(settings.members))


def either(margin: Float[Tensor, "*rows"], heard: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
    """Log-odds of "one or the other", the other at its start (0) adding nothing.

    With ``p = σ(margin)`` and ``q = σ(heard − 7)``, the log-odds of ``1 − (1 − p)(1 − q)`` are
    ``log(e^m + e^n + e^(m + n))``; what that is at ``heard = 0`` is taken off, so that silence changes no score.
    """
    return margin + (_either(margin, heard - QUIET) - _either(margin, torch.zeros_like(heard) - QUIET))


def _either(m: Float[Tensor, "*rows"], n: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
    return torch.logsumexp(torch.stack([m, n, m + n]), dim=0)
