"""A layered model without PyTorch: trees that were learned, and two graphs made by hand whose sums one can follow."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from tocsin import spec as specs
from tocsin.artifact import write
from tocsin.artifact.card import Card, LearnedFrom, NetworkCard, StageCard, SurpriseCard
from tocsin.artifact.network import NETWORK, SURPRISE, SURPRISES, SurpriseScorer, tokens_of
from tocsin.features import Plan, compile_plan
from tocsin.features.history import AMOUNTS, GAPS, HOURS, KINDS
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.measure import Policy
from tocsin.measure.calibration import Calibration

USUAL = (2.0, 2.0, 2.0, 2.0)
WHOLES = {
    "kind": (1, 64),
    "gap": (KINDS, GAPS),
    "hour": (KINDS * GAPS, HOURS),
    "amount": (KINDS * GAPS * HOURS, AMOUNTS),
}


class Sums:
    """A graph put together node by node; ``model`` is its file."""

    def __init__(self) -> None:
        self._nodes: list[object] = []
        self._constants: list[object] = []

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def do(self, op: str, *inputs: str, out: str = "", **more: object) -> str:
        out = out or f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [out], **more))
        return out

    def part(self, name: str) -> str:
        """float32 of one part of the tokens, from 0 to 1; of a kind its last six bits."""
        below, values = WHOLES[name]
        whole = self.do(
            "Mod", self.do("Div", "history", self.constant(np.int64(below))), self.constant(np.int64(values))
        )
        return self.do("Div", self.do("Cast", whole, to=TensorProto.FLOAT), self.constant(np.float32(values - 1)))

    def model(self, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "sums",
            [
                helper.make_tensor_value_info(
                    name, TensorProto.INT64 if name == "history" else TensorProto.FLOAT, ["n", width]
                )
                for name, width in inputs.items()
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString())


def surprise_graph(history: int) -> bytes:
    """Four nats for each part of a payment as large as it can be, by the payment itself; none for a first payment."""
    sums = Sums()
    parts = [
        sums.do("Mul", sums.part(name), sums.constant(np.float32(4))) for name in ("gap", "hour", "kind", "amount")
    ]
    there = sums.do("Cast", sums.do("Cast", sums.part("gap"), to=TensorProto.BOOL), to=TensorProto.FLOAT)
    all_ = sums.do("Mul", sums.do("Sum", *parts), there)
    runs = []
    for run in (1, 3, 8):
        weights = np.zeros((history + 1, 1), dtype=np.float32)
        weights[-run:] = 1 / min(run, history + 1)
        runs.append(sums.do("MatMul", all_, sums.constant(weights)))
    newest = np.zeros((history + 1, 1), dtype=np.float32)
    newest[-1] = 1
    last = sums.constant(newest)
    sums.do("Concat", *runs, axis=1, out="surprise")
    sums.do("Concat", *(sums.do("MatMul", part, last) for part in parts), axis=1, out="parts")
    return sums.model({"history": history + 1}, {"surprise": 3, "parts": 4})


def network_graph(
    ends: tuple[int, ...], history: int, *, rows: float = 0.4, seed: int = 0, **past: NDArray[np.float32]
) -> bytes:
    """``margins``, and at each stage something of its columns; at the last, parts of the last payments times ``past``.

    Parameters
    ----------
    rows : how much the columns say. past : float32[history + 1] for ``kind``, ``gap``, ``hour`` or ``amount``.
    """
    sums, random = Sums(), np.random.default_rng(seed)
    weights = random.normal(scale=rows / 3, size=(ends[-1], len(ends))).astype(np.float32)
    for stage, end in enumerate(ends):
        weights[end:, stage] = 0
    known = sums.do("Where", sums.do("IsNaN", "rows"), sums.constant(np.float32(0)), "rows")
    terms = ["margins", sums.do("MatMul", sums.do("Softsign", known), sums.constant(weights))]
    only_last = np.zeros((1, len(ends)), dtype=np.float32)
    only_last[0, -1] = 1
    for name, weight in past.items():
        told = sums.do("MatMul", sums.part(name), sums.constant(weight.astype(np.float32)[:, None]))
        terms.append(sums.do("MatMul", told, sums.constant(only_last)))
    sums.do("Sum", *terms, out="exits")
    return sums.model({"rows": ends[-1], "margins": len(ends), "history": history + 1}, {"exits": len(ends)})


def layered(
    card: Card,
    files: dict[str, bytes],
    plan: Plan,
    matrix: NDArray[np.float64],
    label: NDArray[np.int8],
    graph: bytes = b"",
) -> tuple[Card, dict[str, bytes]]:
    """A model of trees with surprise before them and a network behind them, from one of trees alone.

    Parameters
    ----------
    matrix : float64[n, plan.width], what trees are grown on. graph : the network; one that says a little, if left out.
    """
    surprise = SurpriseCard(history=plan.history, usual=USUAL)
    watched = surprise_graph(plan.history)
    columns = np.column_stack(
        [matrix[:, : len(plan.names)], SurpriseScorer(watched, surprise)(tokens_of(matrix, len(plan.names)))]
    )
    ends = (*plan.ends[:-1], columns.shape[1])
    trees = StagedTrees(ends, plan.categorical, BoostingSettings(trees=60, leaves=8, least_rows=20))
    trees.fit(Examples.of(columns, label), rounds=(8,) * (len(ends) - 1) + (40,))
    stages = tuple(
        StageCard(name=name, columns=end, trees=int(count), calibration=Calibration(low=0.9, high=1.05, shift=-0.1 * s))
        for s, (name, end, count) in enumerate(zip(plan.stage_names, ends, np.cumsum(trees.rounds_), strict=True))
    )
    curves = tuple(Calibration(low=1.1, high=0.95, shift=0.05 * s) for s in range(len(ends)))
    past = {"gap": np.linspace(0, 1, plan.history + 1), "kind": np.linspace(-1, 1, plan.history + 1)}
    made = msgspec.structs.replace(
        card,
        way="network",
        inputs=(*plan.names, *SURPRISES),
        stages=stages,
        surprise=surprise,
        network=NetworkCard(trees=curves, correction=0.8, history=plan.history),
    )
    content = graph or network_graph(ends, plan.history, **past)
    return made, files | {"trees.txt": trees.text_.encode(), SURPRISE: watched, NETWORK: content}


def written(folder: Path, text: str, *, network: bool = True, seed: int = 0, **policy: float) -> Card:
    """A model in a folder for any spec with a history: trees grown on made rows, with a network or without."""
    spec = specs.parse(text)
    plan = compile_plan(spec)
    random = np.random.default_rng(seed)
    n = 3000
    matrix = random.exponential(50.0, (n, plan.width))
    amount = plan.names.index("amount")
    matrix[:, amount] = random.lognormal(4, 1.5, n)
    own = len(plan.names)
    gap, rest = random.integers(1, 32, (n, plan.width - own)), random.integers(0, 24, (n, plan.width - own))
    matrix[:, own:] = 1 + rest + KINDS * (gap + GAPS * (rest + HOURS * rest))
    label = (random.random(n) < 1 / (1 + np.exp(-(matrix[:, amount] - 300) / 60))).astype(np.int8)
    ends = plan.ends
    trees = StagedTrees(ends, plan.categorical, BoostingSettings(trees=60, leaves=8, least_rows=20))
    trees.fit(Examples.of(matrix[:, :own], label), rounds=(20,) * len(ends))
    stages = tuple(
        StageCard(name=name, columns=end, trees=int(count), calibration=Calibration())
        for name, end, count in zip(plan.stage_names, ends, np.cumsum(trees.rounds_), strict=True)
    )
    card = Card(
        name="made",
        way="trees",
        inputs=plan.names,
        plan=plan.fingerprint,
        stages=stages,
        base=-3.0,
        policy=Policy(**{"review_at": 0.5, "decline_at": 0.9} | policy),
        learned=LearnedFrom(
            data="made",
            rows=n,
            frauds=int(label.sum()),
            fraud_rate=float(label.mean()),
            first="2026-01-01T00:00:00+00:00",
            last="2026-02-01T00:00:00+00:00",
            trees_rows=n,
            calibration_rows=n,
            calibration_frauds=int(label.sum()),
            refitted=False,
        ),
    )
    files = {"spec.toml": text.encode(), "trees.txt": trees.text_.encode()}
    if network:
        card, files = layered(card, files, plan, matrix, label)
    return write(folder, card, files)
