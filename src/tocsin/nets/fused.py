"""Several layered networks as one that says the same in half the steps, for where each step costs: one row at a time.

Members see the same rows through the same scales, so what they do side by side is done once with their weights beside
each other; where each minds its own state, the weights stand in blocks. Nothing is trained here.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, linear, silu

from tocsin.nets.layered import Layered, Members, Stage, either


class FusedStage(nn.Module):
    """One stage of all members; their states float[n, members · wide] beside each other.

    Parameters
    ----------
    stages : the same stage of each member. first : whether there is no state yet.
    """

    weight: Tensor
    bias: Tensor
    back: Tensor
    back_bias: Tensor
    scale: Tensor
    shift: Tensor
    exit: Tensor
    exit_bias: Tensor
    trust: Tensor

    def __init__(self, stages: list[Stage], *, first: bool) -> None:
        super().__init__()
        one = stages[0]
        self.members, self.first = len(stages), first
        self.number_columns, self.code_columns = one.number_columns, one.code_columns
        shared = one.numbers is None or one.numbers.mix is None
        self.numbers = nn.ModuleList([s.numbers for s in stages if s.numbers is not None][: 1 if shared else None])
        self.codes = one.codes
        tables = [s.codes.tables.weight.detach() for s in stages if s.codes is not None]
        self.tables = nn.Parameter(torch.cat(tables, 1)) if tables else None
        up, _, norm = _layers(one)
        self.wide, self.epsilon = norm.normalized_shape[0], norm.eps
        self._lay(stages, up.out_features, shared)

    @torch.no_grad()
    def _lay(self, stages: list[Stage], inner: int, shared: bool) -> None:
        """Put the members' weights where they belong in the common ones."""
        members, wide, one = self.members, self.wide, stages[0]
        numbers = one.numbers.width if one.numbers is not None else 0
        codes = one.codes.width if one.codes is not None else 0
        across = codes // one.codes.columns if one.codes is not None else 0
        states = 0 if self.first else members * wide
        known = numbers * (1 if shared else members)
        weight = torch.zeros(members * inner, states + 1 + known + members * codes)
        back, leave = torch.zeros(members * wide, members * inner), torch.zeros(members, members * wide)
        for m, stage in enumerate(stages):
            rows, mine = slice(m * inner, (m + 1) * inner), slice(m * wide, (m + 1) * wide)
            up, down = (layer.weight for layer in _layers(stage)[:2])
            if not self.first:
                weight[rows, mine] = up[:, :wide]
            weight[rows, states] = up[:, wide]
            begin = states + 1 + (0 if shared else m * numbers)
            weight[rows, begin : begin + numbers] = up[:, wide + 1 : wide + 1 + numbers]
            for c in range(codes // max(1, across)):
                to = states + 1 + known + (c * members + m) * across
                begin = wide + 1 + numbers + c * across
                weight[rows, to : to + across] = up[:, begin : begin + across]
            back[mine, rows] = down
            leave[m, mine] = stage.exit.weight[0]
        self.register_buffer("weight", weight)
        self.register_buffer("back", back)
        self.register_buffer("exit", leave)
        self.register_buffer("bias", torch.cat([_layers(s)[0].bias for s in stages]))
        self.register_buffer("back_bias", torch.cat([_layers(s)[1].bias for s in stages]))
        self.register_buffer("scale", torch.stack([_layers(s)[2].weight for s in stages]))
        self.register_buffer("shift", torch.stack([_layers(s)[2].bias for s in stages]))
        self.register_buffer("exit_bias", torch.cat([s.exit.bias for s in stages]))
        self.register_buffer("trust", torch.cat([s.trust for s in stages]))

    def forward(
        self,
        state: Float[Tensor, "n states"] | None,
        rows: Float[Tensor, "n d"],
        margin: Float[Tensor, "n 1"],
    ) -> tuple[Float[Tensor, "n states"], Float[Tensor, "n members"]]:
        """State float[n, members · wide] (none before the first stage), rows float[n, d], margin float[n, 1] → the next
        state and the members' exits float[n, members]."""
        parts = [margin / 4] if state is None else [state, margin / 4]
        parts += [numbers(rows[:, self.number_columns]) for numbers in self.numbers]
        if self.codes is not None and self.tables is not None:
            parts.append(embedding(self.codes.places(rows[:, self.code_columns]), self.tables).flatten(1))
        step = linear(silu(linear(torch.cat(parts, 1), self.weight, self.bias)), self.back, self.back_bias)
        each = layer_norm(step.reshape(-1, self.members, self.wide), (self.wide,), eps=self.epsilon)
        step = (each * self.scale + self.shift).reshape(-1, self.members * self.wide)
        state = step if state is None else state + step
        return state, self.trust * margin + linear(state, self.exit, self.exit_bias)


def _layers(stage: Stage) -> tuple[nn.Linear, nn.Linear, nn.LayerNorm]:
    """What of a block has weights."""
    up, down, norm = (layer for layer in stage.block.step if isinstance(layer, nn.Linear | nn.LayerNorm))
    assert isinstance(up, nn.Linear)
    assert isinstance(down, nn.Linear)
    assert isinstance(norm, nn.LayerNorm)
    return up, down, norm


class Fused(nn.Module):
    """The members as one network; equal within rounding, tested, and held to it again whenever one is exported."""

    def __init__(self, members: Members) -> None:
        super().__init__()
        each = [member for member in members.members if isinstance(member, Layered)]
        self.settings = each[0].settings
        self.stages = nn.ModuleList(
            FusedStage([stage for stage in stages if isinstance(stage, Stage)], first=place == 0)
            for place, stages in enumerate(zip(*(member.stages for member in each), strict=True))
        )
        self.pasts = nn.ModuleList(member.past for member in each if member.past is not None)
        self.past_exits = nn.ModuleList(member.past_exit for member in each if member.past_exit is not None)

    def forward(
        self, rows: Float[Tensor, "n d"], margins: Float[Tensor, "n stages"], history: Int64[Tensor, "n events"]
    ) -> Float[Tensor, "n stages"]:
        """As :meth:`Layered.forward`: float32[n, stages], log-odds."""
        if not self.settings.trees:
            margins = torch.zeros_like(margins)
        begin, last = self.settings.from_stage, margins.shape[1] - 1
        exits = [margins[:, :begin]] if begin else []
        state: Tensor | None = None
        for s, stage in enumerate(self.stages, start=begin):
            state, out = stage(state, rows, margins[:, s : s + 1])
            if s == last and len(self.pasts):
                newest = history[:, -self.settings.past_last :]
                heard = [leave(past(newest)[:, -1]) for past, leave in zip(self.pasts, self.past_exits, strict=True)]
                said = torch.cat(heard, 1)
                out = out + said if self.settings.join == "add" else either(out, said)
            exits.append(out.mean(1, keepdim=True))
        return torch.cat(exits, 1)
