"""A model's directory with real networks in it, their weights beside their graphs; taught nothing, so it is made in a moment."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import torch
from safetensors.torch import save

from scenes.layered import written
from tocsin import spec as specs
from tocsin.artifact import Card, write
from tocsin.artifact.card import NetworkCard, SurpriseCard
from tocsin.artifact.network import NETWORK, SURPRISE, SURPRISES
from tocsin.features import compile_plan
from tocsin.features.history import AMOUNTS, GAPS, HOURS, KINDS
from tocsin.learn.export import export_network, export_surprise
from tocsin.learn.hybrid import WEIGHTS as NETWORK_WEIGHTS
from tocsin.learn.surprise import WEIGHTS as SURPRISE_WEIGHTS
from tocsin.measure.calibration import Calibration
from tocsin.nets import LayeredSettings, Members, NextPayment, layered

SMALL = LayeredSettings(wide=6, inner=12, past=10, members=2)


def some_tokens(n: int, history: int, seed: int = 0) -> np.ndarray:
    """int64[n, history + 1] of any kind."""
    random = np.random.default_rng(seed)
    kind, gap = random.integers(1, 9, (n, history + 1)), random.integers(1, GAPS, (n, history + 1))
    hour, amount = random.integers(0, HOURS, (n, history + 1)), random.integers(1, AMOUNTS, (n, history + 1))
    return np.asarray(kind + KINDS * (gap + GAPS * (hour + HOURS * amount)))


def taught(
    folder: Path, text: str, *, shape: LayeredSettings = SMALL, seed: int = 0
) -> tuple[Card, Members, NextPayment]:
    """A model whose networks say something, though nobody taught it to them."""
    card = written(folder / "trees", text, network=False)
    plan = compile_plan(specs.parse(text))
    ends = (*plan.ends[:-1], len(plan.names) + len(SURPRISES))
    torch.manual_seed(seed)
    network, watcher = layered(ends, tuple(plan.categorical), plan.history, shape), NextPayment()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    random = np.random.default_rng(seed)
    rows = torch.from_numpy(random.exponential(50.0, (400, ends[-1])).astype(np.float32))
    network.fit_scale(rows)
    tokens = torch.from_numpy(some_tokens(400, plan.history))
    watcher.fit_kinds(tokens[:, -1])
    network.eval(), watcher.eval()
    margins = torch.from_numpy(random.normal(-3, 1, (400, len(ends))).astype(np.float32))
    files = {name: (folder / "trees" / name).read_bytes() for name in card.files}
    files |= {
        NETWORK: export_network(network, rows, margins, tokens),
        SURPRISE: export_surprise(watcher, tokens),
        NETWORK_WEIGHTS: save(network.state_dict()),
        SURPRISE_WEIGHTS: save(watcher.state_dict()),
    }
    stages = (*card.stages[:-1], msgspec.structs.replace(card.stages[-1], columns=ends[-1]))
    made = msgspec.structs.replace(
        card,
        way="network",
        inputs=(*plan.names, *SURPRISES),
        stages=stages,
        surprise=SurpriseCard(history=plan.history, usual=(2.0, 2.0, 2.0, 2.0)),
        network=NetworkCard(trees=tuple(Calibration() for _ in ends), correction=0.5, history=plan.history),
    )
    return write(folder / "model", made, files), network, watcher
