"""A linear support vector machine on a network's layer, in the place of the last exit, and served like any network.

The machine is a line through the layer, so machine and network together are one graph: what ships is trees for the early
exits and ``network.onnx``, whose last exit is the machine's word. Scikit-learn learns it; nothing of it is kept but numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tocsin.artifact.card import Card, NetworkCard
from tocsin.artifact.network import NETWORK, NetworkScorer
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples, Learner, check_ends, check_learnable, check_rows, learned_width
from tocsin.learn.exits import calibrate, read_off, shifted
from tocsin.learn.export import export_network
from tocsin.learn.extract import Extraction, Layer, read
from tocsin.learn.grown import Seedling, TreesAlone
from tocsin.learn.hybrid import Teaching, forward_rows, halves, rows_of, tokens_of
from tocsin.learn.layered import Rows, calibrated_loss, teach
from tocsin.learn.parting import old_and_new, parted, parted_examples
from tocsin.learn.task import Told, silent
from tocsin.measure.calibration import Calibration, fit_calibration
from tocsin.measure.gate import Origin, Verdict, gate

COSTS = (1e-4, 1e-3, 1e-2, 1e-1)
"""What a payment on the wrong side costs, tried on later payments."""
MOST_ROWS = 200_000
_CARD = "extract.json"
WITHIN = 1e-3
"""Log-odds by which machine and graph may differ: a layer that hardly moves is read with large weights."""


class Machine(msgspec.Struct, frozen=True):
    """A line through a layer: ``weight · state + shift`` are the log-odds; float64[k] and a number."""

    weight: tuple[float, ...]
    shift: float
    cost: float

    def __call__(self, state: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] of states float64[n, k]."""
        margin: NDArray[np.float64] = (state * np.array(self.weight)).sum(axis=1) + self.shift
        return margin


def fit_machine(
    state: NDArray[np.float64],
    label: NDArray[np.int8],
    weight: NDArray[np.float64] | None = None,
    *,
    later: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64] | None] | None = None,
    costs: Sequence[float] = COSTS,
) -> Machine:
    """A linear support vector machine with squared hinge loss and no class weights, its margin turned into log-odds.

    Parameters
    ----------
    state : float64[n, k], finite. label : int8[n], 1 or 0.
    later : state, label and weight of later payments, by which the cost is chosen and the margin is calibrated; without
        them the first cost is taken, and calibrated on the rows it was learned from.

    Raises
    ------
    BadInput : fewer than two frauds or two genuine payments to calibrate by.
    """
    chosen = later or (state, label, weight)
    mass = np.ones(len(label)) if weight is None else weight
    mean = np.average(state, axis=0, weights=mass)
    spread = np.sqrt(np.average((state - mean) ** 2, axis=0, weights=mass))
    spread = np.where(spread > 1e-9, spread, 1.0)
    scaled = (state - mean) / spread
    best: tuple[float, Machine] | None = None
    for cost in costs if later is not None else costs[:1]:
        slope, shift = _line(scaled, label, mass, cost)
        weights = slope / spread
        machine = Machine(tuple(weights.tolist()), float(shift - mean @ weights), cost)
        margin = machine(chosen[0])
        loss = calibrated_loss(margin, chosen[1], chosen[2])
        if best is None or loss < best[0]:
            platt = fit_calibration(margin, chosen[1], chosen[2], way="platt")
            read_as = Machine(tuple((weights * platt.low).tolist()), machine.shift * platt.low + platt.shift, cost)
            best = loss, read_as
    assert best is not None
    return best[1]


def _line(
    scaled: NDArray[np.float64], label: NDArray[np.int8], mass: NDArray[np.float64], cost: float
) -> tuple[NDArray[np.float64], float]:
    """Slopes and shift; the primal problem, so that nothing is left to chance."""
    from sklearn.svm import LinearSVC

    if len(label) > MOST_ROWS:  # all frauds, and genuine ones evenly over time that stand for the others
        genuine = np.flatnonzero(label == 0)
        step = -(-len(genuine) // MOST_ROWS)
        rows = np.sort(np.concatenate([np.flatnonzero(label == 1), genuine[::step]]))
        mass = np.where(label == 0, mass * step, mass)[rows]
        scaled, label = scaled[rows], label[rows]
    svm = LinearSVC(C=cost, dual=False, tol=1e-4, max_iter=5000).fit(scaled, label, sample_weight=mass)
    return svm.coef_[0], float(svm.intercept_[0])


class Spoken(nn.Module):
    """The trees' exits, and at the last stage the machine's word instead."""

    weight: Tensor
    shift: Tensor

    def __init__(self, layer: Layer, machine: Machine) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("weight", torch.tensor(machine.weight, dtype=torch.float64)[:, None])
        self.register_buffer("shift", torch.tensor([machine.shift], dtype=torch.float64))

    def forward(self, rows: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        """As a layered network: float32[n, stages], log-odds."""
        said = self.layer(rows, margins, history).double() @ self.weight + self.shift  # the shift takes off nearly all
        return torch.cat([margins[:, :-1], said.float()], dim=1)


@dataclass(frozen=True, slots=True)
class Extracted:
    """Trees for the early exits, and a machine on a network's layer for the last.

    Parameters
    ----------
    odds : what turns the trees' margins into the log-odds the network is given.
    rows : what the machine learned from. card, graph, scorer : network and machine as they ship.
    """

    seedling: Seedling
    trees: StagedTrees
    odds: tuple[Calibration, ...]
    layer: Layer
    machine: Machine
    rows: Rows
    card: NetworkCard
    graph: bytes
    scorer: NetworkScorer
    verdict: Verdict | None
    notes: tuple[str, ...] = ()

    def margins(self, examples: Examples) -> NDArray[np.float64]:
        """float64[n, stages]: log-odds after each stage, as serving reads them."""
        matrix = np.ascontiguousarray(examples.matrix)
        return self.scorer(matrix, self.trees.margins(matrix), tokens_of(examples))

    def again(self, grown: Examples, newest: Examples, quiet: Examples, told: Told = silent) -> Extracted:
        """Trees grown again, read to expect as many frauds as before; the machine learned again, with ``newest`` too."""
        trees = self.seedling.grow_again(self.trees, grown, told)
        odds = shifted(self.trees.margins(quiet.matrix), trees.margins(quiet.matrix), self.odds, quiet.weight)
        late = rows_of(newest, read_off(self.trees.margins(newest.matrix), self.odds), np.arange(len(newest)))
        rows = self.rows.and_then(late)
        told("the machine again", 0.0)
        machine = fit_machine(read(self.layer, rows), rows.label, _mass(rows), costs=(self.machine.cost,))
        return _made(self.seedling, trees, odds, self.layer, machine, rows, self.verdict)

    def add_to(self, card: Card, files: dict[str, bytes]) -> tuple[Card, dict[str, bytes]]:
        """The graph, and its part of the card; the network's weights stay where they came from."""
        return msgspec.structs.replace(card, way="network", network=self.card), files | {NETWORK: self.graph}


def learn_machine(
    grown: Examples,
    newest: Examples,
    seedling: Seedling,
    layer: Layer,
    *,
    teaching: Teaching | None = None,
    gated: bool = True,
    told: Told = silent,
) -> Extracted | TreesAlone:
    """Grow trees, learn a machine on what a network holds of each payment, and keep it only if it does no harm.

    Parameters
    ----------
    grown : payments in order of time, labels as known when the newest window begins.
    newest : later ones, all labels known: the first half chooses the cost, the second is what it is judged by.
    teaching : how time-forward scores are made, as for a network.
    gated : False keeps it however it ranks, for who wants to see.

    Raises
    ------
    BadInput : too few frauds have time-forward scores to learn from.
    """
    trees = seedling.grow(grown, newest, told)
    margins = trees.margins(newest.matrix)
    odds = tuple(calibrate(margins, newest, way="platt"))
    rows, _ = forward_rows(grown, seedling, teaching or Teaching(), told)
    if min(int((rows.label == value).sum()) for value in (0, 1)) < 2:
        note = f"Only {int((rows.label == 1).sum())} known frauds have time-forward scores; nothing is learned on the layer."
        return TreesAlone(seedling, trees, notes=(note,))
    stop, judge = halves(rows_of(newest, read_off(margins, odds), np.arange(len(newest))))
    told(f"a machine on {layer.name}", 0.0)
    later = read(layer, stop), stop.label, _mass(stop)
    machine = fit_machine(read(layer, rows), rows.label, _mass(rows), later=later)
    before = judge.margins[:, -1].astype(np.float64)
    after = machine(read(layer, judge))
    origin = Origin("the newest payments", before, after, judge.label, judge.account, weight=_mass(judge))
    verdict = gate([origin], called=f"the machine on {layer.name}") if gated else None
    if verdict is not None and not verdict.passed:
        return TreesAlone(seedling, trees, verdict)
    return _made(seedling, trees, odds, layer, machine, rows, verdict)


def learn_on(
    source: Extraction, grown: Examples, newest: Examples, seedling: Seedling, told: Told = silent
) -> Extracted | TreesAlone:
    """A machine or trees on a layer of another model's networks; what ranks worse than trees alone, or cannot be served
    yet, is told and left out.

    Parameters
    ----------
    grown, newest : as of :func:`learn_machine`.
    """
    layer = source.networks.layer(source.layer)
    if source.into == "svm":
        return learn_machine(grown, newest, seedling, layer, told=told)
    verdict = _as_columns(grown, newest, seedling, layer, told)
    note = (
        f"The columns of {layer.name} are measured and left out of the model, because they cannot be served yet; the "
        "surprise's three columns are in it."
    )
    return TreesAlone(seedling, seedling.grow(grown, newest, told), verdict, (note,))


def _as_columns(grown: Examples, newest: Examples, seedling: Seedling, layer: Layer, told: Told) -> Verdict:
    """Trees with a layer's columns against trees without, both stopped by the first half of the newest, judged on the second."""
    middle = len(newest) // 2
    stop, judge = newest.take(slice(0, middle)), newest.take(slice(middle, None))
    if min(int((part.label == 1).sum()) for part in (stop, judge)) < 20:
        stop = judge = newest
    said = []
    for more in (False, True):
        parts = [_with_columns(part, layer) if more else part for part in (grown, stop, judge)]
        wide = replace(seedling, ends=(*seedling.ends[:-1], parts[0].matrix.shape[1]))
        said.append(wide.grow(parts[0], parts[1], told).margins(parts[2].matrix)[:, -1])
    origin = Origin("the newest payments", said[0], said[1], judge.label, judge.account, weight=judge.weight)
    return gate([origin], called=f"the columns of {layer.name}")


def _with_columns(examples: Examples, layer: Layer) -> Examples:
    nothing = np.zeros((len(examples), 1))  # a layer of the past looks at nothing else
    state = read(layer, rows_of(replace(examples, matrix=nothing), nothing, np.arange(len(examples))))
    return replace(examples, matrix=np.column_stack([examples.matrix, state]))


def _made(
    seedling: Seedling,
    trees: StagedTrees,
    odds: Sequence[Calibration],
    layer: Layer,
    machine: Machine,
    rows: Rows,
    verdict: Verdict | None,
) -> Extracted:
    few = slice(None, None, max(1, len(rows) // 2000))
    given = rows.columns[few], rows.margins[few], rows.tokens[few].astype(np.int64)
    columns, margins, tokens = (torch.from_numpy(np.ascontiguousarray(part)) for part in given)
    graph = export_network(Spoken(layer, machine), columns, margins, tokens, within=WITHIN)
    card = NetworkCard(trees=tuple(odds), correction=1.0, history=rows.tokens.shape[1] - 1)
    scorer = NetworkScorer(graph, card, rows.columns.shape[1])
    return Extracted(seedling, trees, tuple(odds), layer, machine, rows, card, graph, scorer, verdict)


def _mass(rows: Rows) -> NDArray[np.float64] | None:
    return None if rows.weight is None else rows.weight.astype(np.float64)


class _Kept(msgspec.Struct, frozen=True):
    """What is written beside the trees and the graph."""

    width: int
    history: int
    network: NetworkCard | None


class Extract(Learner):
    """A linear machine on a network's layer, as a learner among the others; it is kept however it ranks.

    Use it where a model is wanted and not a service's artifact, which :func:`learn_on` makes of the same parts.

    Parameters
    ----------
    ends, categorical : as of the trees, over the columns before the tokens.
    layer : of a network that learned elsewhere; without one, the last stage's of a network that is taught here first.
    history : payments of the past a row tells; then its last ``history + 1`` columns are tokens, as the kernel gives them.
    newest : share of the rows, the newest, by which the cost is chosen and the margin calibrated.
    """

    def __init__(
        self,
        ends: Sequence[int] = (),
        categorical: Sequence[int] = (),
        *,
        layer: Layer | None = None,
        history: int = 0,
        boosting: BoostingSettings | None = None,
        teaching: Teaching | None = None,
        newest: float = 0.3,
    ) -> None:
        self.ends, self.categorical, self.layer, self.history = tuple(ends), tuple(categorical), layer, history
        self.boosting, self.teaching = boosting or BoostingSettings(), teaching or Teaching()
        self.newest = newest
        self.trees_: StagedTrees | None = None
        self.graph_ = b""
        self.card_: NetworkCard | None = None
        self._scorer: NetworkScorer | None = None

    @classmethod
    def small(cls, ends: Sequence[int], categorical: Sequence[int], seed: int) -> Self:
        """A few small trees and a small network, for little data."""
        trees = StagedTrees.small(ends, categorical, seed).settings
        return cls(ends, categorical, boosting=trees, teaching=Teaching.small(seed))

    def fit(self, examples: Examples) -> Self:
        """Learn from rows in order of time."""
        used = check_learnable(examples, labels=True)
        width = used.matrix.shape[1]
        used = parted_examples(used, self.history)
        ends = check_ends(self.ends, used.matrix.shape[1])
        grown, newest = old_and_new(used, self.newest)
        seedling = Seedling(ends, self.categorical, self.boosting)
        layer = self.layer or self._taught(grown, seedling)
        model = learn_machine(grown, newest, seedling, layer, teaching=self.teaching, gated=False)
        self.trees_ = model.trees
        self.graph_, self.card_ = (model.graph, model.card) if isinstance(model, Extracted) else (b"", None)
        self._scorer = model.scorer if isinstance(model, Extracted) else None
        self.width_ = width
        return self

    def _taught(self, grown: Examples, seedling: Seedling) -> Layer:
        rows, kept = forward_rows(grown, seedling, self.teaching, silent)
        t = self.teaching
        taught = teach(rows, None, seedling.ends, self.categorical, shape=t.shape, settings=t.loop, kept=kept)
        return Layer(taught.network, f"stage_{len(seedling.ends)}")

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1]: what the machine says; the trees, where too few frauds were there to learn one."""
        rows = check_rows(matrix, learned_width(self))
        assert self.trees_ is not None
        columns, tokens = parted(rows, self.history)
        margins = self.trees_.margins(columns)
        if self._scorer is not None:
            margins = self._scorer(columns, margins, tokens)
        return np.asarray(1 / (1 + np.exp(-np.clip(margins[:, -1], -700, 700))))

    def save(self, folder: Path) -> None:
        """The trees' files, ``network.onnx``, and ``extract.json``."""
        width = learned_width(self)
        assert self.trees_ is not None
        self.trees_.save(folder)
        if self.card_ is not None:
            (folder / NETWORK).write_bytes(self.graph_)
        (folder / _CARD).write_bytes(msgspec.json.encode(_Kept(width, self.history, self.card_)))

    def load(self, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        kept = msgspec.json.decode((folder / _CARD).read_bytes(), type=_Kept)
        self.trees_, self.width_, self.history = StagedTrees().load(folder), kept.width, kept.history
        self.card_, self._scorer = kept.network, None
        if kept.network is not None:
            self.graph_ = (folder / NETWORK).read_bytes()
            own = kept.width - (kept.history + 1 if kept.history else 0)
            self._scorer = NetworkScorer(self.graph_, kept.network, own)
        return self
