"""What the layered network costs where it serves and where it learns, and that what serves is what was trained.

    make bench NAME=network        (QUICK=1: small worlds, under a minute)
    python benchmarks/network.py serving|learning|handbook        one part alone

Serving: a made world's payments through the real artifact on one core: the surprise, all trees of all stages, the network, and
the sum, beside the same model without networks. The networks have their real size and drawn weights, as if trained: what they
cost does not depend on what they know. On a core that is not idle the clock shows the scheduler, so the processor time of
each row is measured beside it. Learning and the Handbook set: see network_learning.py.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from tocsin import spec as specs
from tocsin.artifact import Artifact, Card
from tocsin.artifact.card import NetworkCard, StageCard, SurpriseCard
from tocsin.artifact.model import TREES, made_of
from tocsin.artifact.network import NETWORK, SURPRISE, SURPRISES, NetworkScorer, SurpriseScorer, network_rows, tokens_of
from tocsin.data import read
from tocsin.features import Plan, compile_plan
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.learn.export import export_network, export_surprise
from tocsin.learn.gathering import features
from tocsin.learn.transactions import Recipe, learn
from tocsin.measure.calibration import Calibration
from tocsin.nets import NextPayment, layered
from tocsin.spec import Spec
from traffic import run

QUICK = bool(os.environ.get("QUICK"))
PAYMENTS = 12_000 if QUICK else 120_000
COMPARED = 2_000 if QUICK else 100_000
CALLS = 1_000 if QUICK else 20_000
KEYS = (
    "row_p50_ms row_p99_ms onnx_minus_torch_max trees_minus_untrained_max learn_minutes_1_7_million peak_memory_gb "
    "handbook_average_precision handbook_trees_average_precision handbook_worst_origin_difference"
)


def main() -> None:
    """Measure, print."""
    from network_learning import handbook, learning

    torch.set_num_threads(1)
    parts = {"serving": serving, "learning": learning, "handbook": handbook}
    result: dict[str, object] = dict.fromkeys(KEYS.split())
    for name in sys.argv[1:] or parts:
        result |= parts[name]()
    print(json.dumps({**result, "quick": QUICK}))


@dataclass(frozen=True)
class World:
    """A made world's payments as the kernel tells them."""

    spec: Spec
    plan: Plan
    examples: Examples


@dataclass(frozen=True)
class Nets:
    """The networks a model was made with, as PyTorch has them."""

    watcher: NextPayment
    network: torch.nn.Module


def serving() -> dict[str, object]:
    """Equal to PyTorch, equal to the trees before training, and how long a row and a batch take."""
    with tempfile.TemporaryDirectory() as folder:
        world = made_world(Path(folder))
    trees = learn(world.examples, world.spec, world.plan, Recipe(held_out=0.0, refit=False, boosting=boosting()))
    alone = made_of(trees.card, trees.files, world.spec, world.plan)
    card, files, nets = networked(world, trees.card, trees.files, drawn=True)
    model = made_of(card, files, world.spec, world.plan)
    card, files, _ = networked(world, trees.card, trees.files, drawn=False)
    untrained = made_of(card, files, world.spec, world.plan)
    matrix = world.examples.matrix[-COMPARED:]
    found: dict[str, object] = {
        "rows_compared": len(matrix),
        "onnx_minus_torch_max": minus_torch(model, nets, matrix),
        "trees_minus_untrained_max": minus_trees(untrained, matrix),
    }
    rows = np.ascontiguousarray(matrix[-2_000:])
    for name, one in (("trees_alone_row", alone), ("row", model)):
        found |= {f"{name}_{key}": value for key, value in row_times(one, rows).items()}
    for name, one in (("trees_alone", alone), ("all", model)):
        found[f"{name}_rows_per_s_in_hundreds"] = batches(one, rows)
    found |= pieces(model, rows)
    show(found, model)
    return found


def boosting() -> BoostingSettings:
    """As many trees as ship by default; fewer where it must be quick."""
    return BoostingSettings(trees=60) if QUICK else BoostingSettings()


def made_world(folder: Path) -> World:
    """The payments of a made world, walked through."""
    run("world", "--out", folder / "world", "--transactions", PAYMENTS, "--seed", 7)
    spec = specs.load("world")
    plan = compile_plan(spec)
    return World(spec, plan, features(read(folder / "world" / "world.parquet", spec), plan)[0])


def networked(world: World, card: Card, files: dict[str, bytes], *, drawn: bool) -> tuple[Card, dict[str, bytes], Nets]:
    """A model's card and files with surprise and network, of their real size; untrained unless the weights that training moves are drawn."""
    torch.manual_seed(0)
    plan, matrix = world.plan, world.examples.matrix
    own = len(plan.names)
    tokens = tokens_of(matrix, own)
    watcher = NextPayment()
    watcher.fit_kinds(torch.from_numpy(tokens[:, -1]))
    few = torch.from_numpy(tokens[-2_000:])
    surprise = SurpriseCard(history=plan.history, usual=(2.0, 2.0, 2.0, 2.0))
    watched = export_surprise(watcher, few)
    columns = np.column_stack([matrix[:, :own], SurpriseScorer(watched, surprise)(tokens)])
    ends = (*plan.ends[:-1], own + len(SURPRISES))
    staged = StagedTrees(ends, plan.categorical, boosting())
    rounds = np.diff([0, *(stage.trees for stage in card.stages)])
    staged.fit(Examples.of(columns, np.maximum(world.examples.label, 0)), rounds=tuple(int(r) for r in rounds))
    network = layered(ends, plan.categorical, plan.history)
    network.fit_scale(torch.from_numpy(network_rows(columns)))
    if drawn:
        draw(network)
    margins = staged.margins(columns[-2_000:])
    content = export_network(network, torch.from_numpy(network_rows(columns[-2_000:])), torch.from_numpy(margins), few)
    stages = tuple(
        StageCard(name=stage.name, columns=end, trees=int(count), calibration=stage.calibration)
        for stage, end, count in zip(card.stages, ends, np.cumsum(staged.rounds_), strict=True)
    )
    curves = (Calibration(low=0.95, high=1.02, shift=-0.1),) * len(ends)
    made = msgspec.structs.replace(
        card,
        way="network",
        inputs=(*plan.names, *SURPRISES),
        stages=stages,
        surprise=surprise,
        network=NetworkCard(trees=curves, correction=1.0, history=plan.history),
    )
    more = {TREES: staged.text_.encode(), SURPRISE: watched, NETWORK: content}
    return made, files | more, Nets(watcher, network)


@torch.no_grad()
def draw(network: torch.nn.Module) -> None:
    """Move what begins at nothing, as training does: the exits then say half a unit of log-odds more or less."""
    for name, weight in network.named_parameters():
        if "exit" in name and weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.06)
        elif name.endswith("trust"):
            weight.fill_(0.95)


@torch.no_grad()
def minus_torch(model: Artifact, nets: Nets, matrix: NDArray[np.float64]) -> float:
    """The largest difference in log-odds between the artifact and eager PyTorch, surprise and network in one."""
    assert model._network is not None
    own, most = len(model.plan.names), 0.0
    nets.network.eval()
    nets.watcher.eval()
    moved = 0.0
    for first in range(0, len(matrix), 5_000):
        rows = matrix[first : first + 5_000]
        tokens = tokens_of(rows, own)
        history = torch.from_numpy(tokens)
        columns = model.columns(rows)
        surprise = nets.watcher(history).numpy()
        odds, given = model._network.start(model._walk(columns))
        theirs = nets.network(torch.from_numpy(network_rows(columns)), torch.from_numpy(given), history).numpy()
        ours = model.margins(rows)
        most = max(most, float(np.abs(ours - odds - (theirs.astype(float) - given)).max()))
        most = max(most, float(np.abs(columns[:, own:] - surprise).max()))
        moved = max(moved, float(np.abs(ours - odds).max()))
    if moved < 0.1:
        raise SystemExit("a network that says nothing proves nothing")
    return most


def minus_trees(untrained: Artifact, matrix: NDArray[np.float64]) -> float:
    """The largest difference in log-odds between an untrained network's score and the trees' own."""
    card, columns = untrained.card, untrained.columns(matrix)
    assert card.network is not None
    margins = untrained._walk(columns)
    last = card.stages[-1].calibration(card.network.trees[-1](margins[:, -1]))
    return float(np.abs(untrained.score(matrix).logit - last).max())


def row_times(model: Artifact, rows: NDArray[np.float64]) -> dict[str, float]:
    """Milliseconds of one row at a time: by the clock, and of processor time."""
    took, cpu = np.empty(CALLS), np.empty(CALLS)
    each = [rows[i : i + 1] for i in range(len(rows))]
    for row in each[:200]:
        model.score(row)
    gc.collect()
    for call in range(CALLS):
        row = each[call % len(each)]
        started, used = time.perf_counter(), time.thread_time()
        model.score(row)
        took[call], cpu[call] = time.perf_counter() - started, time.thread_time() - used
    shares = (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    clock = {f"{name}_ms": float(np.quantile(took, share)) * 1e3 for name, share in shares}
    return clock | {f"{name}_processor_ms": float(np.quantile(cpu, share)) * 1e3 for name, share in shares}


def batches(model: Artifact, rows: NDArray[np.float64]) -> float:
    """Rows a processor second in batches of a hundred: the median batch."""
    took = []
    for _ in range(1 if QUICK else 20):
        for first in range(0, len(rows), 100):
            started = time.thread_time()
            model.score(rows[first : first + 100])
            took.append(time.thread_time() - started)
    return 100 / float(np.median(took))


def pieces(model: Artifact, rows: NDArray[np.float64]) -> dict[str, object]:
    """Microseconds of each piece, for one row and for a hundred, the median call."""
    surprise, network = model._surprise, model._network
    assert isinstance(surprise, SurpriseScorer)
    assert isinstance(network, NetworkScorer)
    found: dict[str, object] = {}
    for size in (1, 100):
        part = rows[:size]
        tokens, columns = tokens_of(part, len(model.plan.names)), model.columns(part)
        margins = model._walk(columns)
        works: dict[str, Callable[[], Any]] = {
            "surprise": lambda tokens=tokens: surprise(tokens),
            "trees": lambda columns=columns: model._walk(columns),
            "network": lambda c=columns, m=margins, t=tokens: network(c, m, t),
            "all": lambda part=part: model.score(part),
        }
        for name, work in works.items():
            found[f"{name}_us_{size}"] = round(timed(work), 1)
    return found


def timed(work: Callable[[], Any]) -> float:
    """Microseconds of processor time, the median of some calls."""
    took = []
    for _ in range(50 if QUICK else 1_000):
        started = time.thread_time()
        work()
        took.append(time.thread_time() - started)
    return float(np.median(took)) * 1e6


def show(found: dict[str, object], model: Artifact) -> None:
    """The table for people."""
    trees = model.card.stages[-1].trees
    print(f"{trees} trees, {len(model.inputs)} columns, {len(model.card.stages)} exits, one core\n")
    print(f"{'':34}{'trees alone':>14}{'with networks':>16}{'ratio':>8}")
    for kind, words in (("ms", "one row, ms by the clock"), ("processor_ms", "one row, processor ms")):
        for name in ("p50", "p99", "p999"):
            few, all_ = (float(str(found[f"{which}_{name}_{kind}"])) for which in ("trees_alone_row", "row"))
            print(f"{words + ', ' + name:34}{few:14.3f}{all_:16.3f}{all_ / few:8.1f}")
    few, all_ = (float(str(found[f"{name}_rows_per_s_in_hundreds"])) for name in ("trees_alone", "all"))
    print(f"{'rows a processor second, in 100s':34}{few:14,.0f}{all_:16,.0f}{all_ / few:8.2f}")
    print(f"\n{'processor microseconds':34}{'one row':>14}{'a hundred':>16}")
    for name in ("surprise", "trees", "network", "all"):
        print(f"{name:34}{found[f'{name}_us_1']!s:>14}{found[f'{name}_us_100']!s:>16}")
    print(
        f"\nserved − PyTorch, most, log-odds          {found['onnx_minus_torch_max']:.2e}  ({found['rows_compared']:,} rows)"
    )
    print(f"untrained − trees, most, log-odds         {found['trees_minus_untrained_max']:.2e}")


if __name__ == "__main__":
    main()
