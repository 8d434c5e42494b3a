"""A network's own picture of a payment, any layer by name, as features for something simpler.

A network that has learned elsewhere is taken as it is; nothing of it is taught here. What it holds of a payment at one of
its layers is read off, and a linear machine is learned on that:

    past       the recurrent state over the account's last payments (the layered network)
    surprise   the recurrent state of the model of what comes next, which knows no labels
    stage_1 …  the state after each stage; from the first on the trees' log-odds are in it
    exits      the log-odds it says itself
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as read_tensors
from torch import Tensor, nn

from tocsin.artifact import Artifact
from tocsin.artifact import load as load_model
from tocsin.artifact.network import NETWORK, SURPRISE, NetworkScorer
from tocsin.errors import BadInput, Damaged
from tocsin.features import Plan
from tocsin.learn.hybrid import WEIGHTS as NETWORK_WEIGHTS
from tocsin.learn.layered import Rows
from tocsin.learn.surprise import WEIGHTS as SURPRISE_WEIGHTS
from tocsin.learn.surprise import Surprise
from tocsin.measure.calibration import Calibration
from tocsin.nets import Layered, LayeredSettings, Members, NextPayment, layered
from tocsin.nets.parts import READS

_SAME = 1e-3
"""Log-odds by which a network put together again may differ from the graph it was shipped as."""
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one model, to be read and not to be taught; either may be missing."""

    network: Members | None = None
    watcher: NextPayment | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers there are."""
        return tuple(name for part in (self.network, self.watcher) if part is not None for name in layers_of(part))

    def layer(self, name: str) -> Layer:
        """The networks as far as one layer.

        Raises
        ------
        BadInput : there is no layer of that name; names those there are.
        """
        for part in (self.network, self.watcher):
            if part is not None and name in layers_of(part):
                return Layer(part, name)
        there = ", ".join(self.layers) or "none"
        raise BadInput(f"there is no layer {name!r} to read; there are {there}.", field="--layer")


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is taken from another model as it is, and what is learned on it.

    Parameters
    ----------
    layer : whose state is read. into : ``svm``, a linear machine; or ``trees``, as more columns.
    surprise : the other model's, whose three columns the trees get either way; None where it has none.
    version : of the other model.
    """

    networks: Networks
    surprise: Surprise | None
    layer: str
    into: str
    version: str


def extraction_of(folder: Path, plan: Plan, layer: str = "", into: str = "svm") -> Extraction:
    """Open another model for what is to be learned here.

    Parameters
    ----------
    layer : by default the last stage's for ``svm`` and the past for ``trees``, or the surprise where there is no network.

    Raises
    ------
    BadInput : there is no such layer; it reads columns that are others here, or a past of another length; or trees are to
        have a layer that reads what trees say.
    """
    if into not in ("svm", "trees"):
        raise BadInput(f"a layer can be learned on by svm or trees; got {into!r}.", field="--into")
    model, networks = load_model(folder), opened(folder)
    past = [name for name in networks.layers if name in ("past", "surprise")]
    stages = [name for name in networks.layers if name.startswith("stage_")]
    layer = layer or [*past[:1], *(stages if into == "svm" else ())][-1]
    networks.layer(layer)
    if into == "trees" and layer not in past:
        raise BadInput(
            f"{layer} holds what trees have said already, so it cannot be a column of theirs.",
            field="--layer",
            hint=f"Use {' or '.join(past) or 'another model'}, or --into svm.",
        )
    if model.plan.history != plan.history:
        raise BadInput(
            f"the model in {folder} reads {model.plan.history} payments of the past; this spec keeps {plan.history}.",
            field="--from",
            hint="Give both specs the same [history].",
        )
    if layer not in past and model.plan.fingerprint != plan.fingerprint:
        raise BadInput(
            f"{layer} reads the columns of the spec the model in {folder} was learned with, and this spec has others.",
            field="--layer",
            hint=f"Use {' or '.join(past)}, which read no columns." if past else "Use --way transfer.",
        )
    surprise = None
    if networks.watcher is not None and model.card.surprise is not None:
        graph = (folder / SURPRISE).read_bytes()
        surprise = Surprise(networks.watcher, graph, model.card.surprise, float("nan"))
    return Extraction(networks, surprise, layer, into, model.version)


def layers_of(network: nn.Module) -> tuple[str, ...]:
    """The layers of a network, by the names under which they may be read."""
    if isinstance(network, NextPayment):
        return ("surprise",)
    if not isinstance(network, Members):
        raise BadInput(f"layers can be read of a layered network or a surprise; got {type(network).__name__}.")
    first = _members(network)[0]
    past = ("past",) if first.past is not None else ()
    begin = first.settings.from_stage
    return (*past, *(f"stage_{begin + s + 1}" for s in range(len(first.stages))), "exits")


class Layer(nn.Module):
    """A network as far as one of its layers; several members' states stand side by side."""

    def __init__(self, network: Members | NextPayment, name: str) -> None:
        super().__init__()
        if name not in layers_of(network):
            raise BadInput(
                f"there is no layer {name!r} to read; there are {', '.join(layers_of(network))}.", field="--layer"
            )
        self.network, self.name = network, name

    def forward(self, rows: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        """As :meth:`tocsin.nets.Layered.forward` is given → float32[n, k], what the layer holds."""
        if isinstance(self.network, NextPayment):
            state: Tensor = self.network.past(history)[:, -1]
            return state
        if self.name == "exits":
            exits: Tensor = self.network(rows, margins, history)
            return exits
        members = _members(self.network)
        if self.name == "past":
            pasts = [member.past(history[:, -member.settings.past_last :])[:, -1] for member in members if member.past]
            return torch.cat(pasts, dim=1)
        return self._after_stage(members, rows, margins, history)

    def _after_stage(self, members: list[Layered], rows: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        stage = int(self.name.removeprefix("stage_")) - 1
        caught: list[Tensor] = []
        hooks = [
            member.stages[stage - member.settings.from_stage].register_forward_hook(
                lambda _module, _given, out: caught.append(out[0])
            )
            for member in members
        ]
        try:
            self.network(rows, margins, history)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat(caught, dim=1)


@torch.no_grad()
def represent(network: Members | NextPayment, rows: Rows, layer: str) -> NDArray[np.float64]:
    """float64[n, k]: what a layer holds of each payment.

    Raises
    ------
    BadInput : the network has no such layer; names those it has.
    """
    return read(Layer(network, layer), rows)


@torch.no_grad()
def read(layer: Layer, rows: Rows) -> NDArray[np.float64]:
    """float64[n, k]: what a layer holds of each payment."""
    layer.eval()
    parts = []
    for first in range(0, max(1, len(rows)), _AT_ONCE):
        piece = slice(first, first + _AT_ONCE)
        given = rows.columns[piece], rows.margins[piece], rows.tokens[piece].astype(np.int64)
        columns, margins, tokens = (torch.from_numpy(np.ascontiguousarray(part)) for part in given)
        parts.append(layer(columns, margins, tokens).double().numpy())
    return np.concatenate(parts)


def opened(folder: Path) -> Networks:
    """The networks of a model's directory, put together again from their weights.

    Raises
    ------
    BadInput : it has no network's weights.
    Damaged : it is no model, was changed, or its weights are not those of the graph it serves.
    """
    model = load_model(folder)
    there = {name: (folder / name).read_bytes() for name in model.card.files if name.endswith(".safetensors")}
    if not there:
        raise BadInput(
            f"a model to extract from must have the weights of a network; {model.version} in {folder} has trees only.",
            field="--from",
            hint="Learn it with --way scratch, from data whose spec has a [history].",
        )
    network = watcher = None
    if SURPRISE_WEIGHTS in there:
        watcher = watcher_of(read_tensors(there[SURPRISE_WEIGHTS]))
    if NETWORK_WEIGHTS in there:
        network = network_of(read_tensors(there[NETWORK_WEIGHTS]), model)
        _hold_to_graph(network, model, (folder / NETWORK).read_bytes())
    return Networks(network, watcher)


def watcher_of(weights: Mapping[str, Tensor]) -> NextPayment:
    """A model of what comes next, from its weights."""
    watcher = NextPayment(int(weights["past.cell.weight_hh_l0"].shape[1]))
    watcher.load_state_dict(dict(weights))
    return watcher.eval()


def network_of(weights: Mapping[str, Tensor], model: Artifact) -> Members:
    """A layered network from its weights, whose shapes tell how it was made.

    What shapes do not tell (how many payments it reads, how the past joins) is as it is by default.
    """
    ends = tuple(stage.columns for stage in model.card.stages)
    assert model.card.network is not None
    network = layered(ends, tuple(model.plan.categorical), model.card.network.history, _shape(weights))
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise Damaged(f"its weights are not those of the network its card tells of: {error}.", field=NETWORK) from error
    return network.eval()


def _shape(weights: Mapping[str, Tensor]) -> LayeredSettings:
    names = [name for name in weights if name.startswith("members.0.")]
    some = {name.removeprefix("members.0."): weights[name] for name in names}
    exits = [int(found[1]) for name in some if (found := re.match(r"stages\.(\d+)\.exit\.weight", name))]
    first = f"stages.{min(exits)}"
    waves = [tensor.shape[1] for name, tensor in some.items() if name.endswith("numbers.frequency")]
    reads = [part for part in READS if f"past.tables.{part}.weight" in some]  # a file's names are in no order
    return replace(
        LayeredSettings(),
        wide=int(some[f"{first}.exit.weight"].shape[1]),
        inner=int(some[f"{first}.block.step.0.weight"].shape[0]),
        past=int(some["past_exit.weight"].shape[1]) if "past_exit.weight" in some else 0,
        past_reads=tuple(reads) or LayeredSettings().past_reads,
        waves=int(waves[0]) if waves else 0,
        members=1 + max(int(name.split(".")[1]) for name in weights),
    )


@torch.no_grad()
def _hold_to_graph(network: Members, model: Artifact, graph: bytes) -> None:
    """Put together rightly it says what its graph says, on rows with all kinds of values."""
    card = model.card
    assert card.network is not None
    random = np.random.default_rng(0)
    n, width, stages = 64, len(card.inputs), len(card.stages)
    columns = random.exponential(100.0, (n, width)).round(1)
    columns[random.random((n, width)) < 0.1] = np.nan
    margins = random.normal(-3, 2, (n, stages)).astype(np.float32)
    tokens = random.integers(0, 2**25, (n, card.network.history + 1))
    given = torch.from_numpy(columns.astype(np.float32)), torch.from_numpy(margins), torch.from_numpy(tokens)
    made = network(*given).numpy()
    whole = msgspec.structs.replace(card.network, correction=1.0, trees=tuple(Calibration() for _ in range(stages)))
    served = NetworkScorer(graph, whole, width)(columns, margins.astype(np.float64), tokens)
    if not np.abs(made - served).max() <= _SAME:
        raise Damaged(
            "the weights do not say what the model's graph says, so its layers cannot be read.",
            field=NETWORK_WEIGHTS,
            hint="The network has another shape than the usual one; learn it again with this version.",
        )


def _members(network: Members) -> list[Layered]:
    return [member for member in network.members if isinstance(member, Layered)]
