"""Advice for payments: boosted trees, or the layered network on them; from what trees gain by the order of the last payments.

A network costs several times the trees, and what it adds is the customer's own order and rhythm. That can be asked of trees, in
seconds: do they rank frauds better once five columns of the last payments are put before them? Where they do not, and where
known frauds are few, the network has never gained anything here either (docs/results.md). The held-out window is never read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from shlex import quote

import numpy as np

from tocsin.artifact.network import tokens_of
from tocsin.errors import BadInput
from tocsin.evaluate.advisor import Advice, Candidate, more_labels
from tocsin.evaluate.examples_advice import machine
from tocsin.evaluate.growth import Growth, Point
from tocsin.features import Plan
from tocsin.features.history import categories_of_lags, lag_columns
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.learn.task import Told, silent
from tocsin.learn.transactions import Recipe, windows_of
from tocsin.measure.gate import Difference, Origin, gate
from tocsin.measure.metrics import average_precision

Clock = Callable[[], float]
SIZES = (0.125, 0.25, 0.5, 1.0)
MOST_ROWS = 150_000
"""Rows the trees of an advice are grown on; of more, so many at random."""
TREES = BoostingSettings(trees=120)
GROWN = 250
"""Trees that a model usually grows before it is stopped; it may grow 500."""
ENOUGH_FRAUDS = 1_500
"""Known frauds from which on the network gained: with 958 nothing, with some 2,900 0.06 (docs/results.md)."""
TIMES = 4.5
"""How many times as long as trees the network takes, reading and features apart."""
WORTH = 0.005
"""Average precision."""
GAINS = 1.3
"""What the network gained there, as a multiple of what the columns of the last five payments bring to trees."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was measured.

    Parameters
    ----------
    growth : trees' average precision with ever more payments. frauds : known, to learn from.
    order : what columns of the last payments add to it; None where there is no history.
    seconds : growing the trees of a model on all payments.
    """

    growth: Growth
    frauds: int
    rows: int
    order: Difference | None
    seconds: float


def advise_payments(
    examples: Examples,
    plan: Plan,
    *,
    source: str,
    spec: str,
    read_seconds: float = 0.0,
    seed: int = 0,
    clock: Clock = time.perf_counter,
    told: Told = silent,
) -> Advice:
    """Measure trees, ask whether order tells, choose.

    Parameters
    ----------
    examples : every payment's features and tokens, as ``learn.gathering.features`` makes them.
    source, spec : as the user gave them, for the command. read_seconds : what reading and features took.

    Raises
    ------
    BadInput : too few frauds to measure anything by.
    """
    began = time.perf_counter()
    probe = measured(examples, plan, seed=seed, clock=clock, told=told)
    last = probe.growth.points[-1]
    trees_low, trees_high = probe.growth.between(probe.rows)
    trees = Candidate(
        "trees",
        "",
        probe.growth.right(probe.rows),
        trees_low,
        trees_high,
        (read_seconds + probe.seconds) / 60,
        probe.growth,
        f"measured: {last.right:.3f} with {last.examples:,} payments",
    )
    network, why = _network(trees, probe, plan, read_seconds)
    chosen = network if network is not None and network.expected > trees.expected + WORTH else trees
    found = tuple(one for one in (network, trees) if one is not None)
    way = "" if chosen is trees else " --way network"
    return Advice(
        what=f"{probe.rows:,} payments to learn from, {probe.frauds:,} of them known frauds",
        examples=probe.rows,
        chosen=chosen,
        candidates=tuple(sorted(found, key=lambda one: -one.expected)),
        command=f"tocsin learn {quote(source)} --spec {quote(spec)}{way}",
        why=why,
        unless=_unless(chosen, trees, probe, plan),
        seconds=time.perf_counter() - began + read_seconds,
        machine=machine(),
        measure="average precision",
        kind="payments",
    )


def measured(
    examples: Examples, plan: Plan, *, seed: int = 0, clock: Clock = time.perf_counter, told: Told = silent
) -> Probe:
    """Trees with an eighth, a quarter, half and all, judged on the newest window's second half; and with the last payments.

    Raises
    ------
    BadInput : fewer than 20 known frauds to learn from, or in a half of the newest window.
    """
    windows = windows_of(examples, Recipe())
    known = examples.as_known_at(windows.made)
    newest = known.take(windows.newest[: len(known)])
    grown = examples.as_known_at(windows.begins).known()
    frauds = np.cumsum(newest.label == 1)
    middle = int(np.searchsorted(frauds, (frauds[-1] if len(frauds) else 0) / 2)) + 1  # as many on either side
    stop, judge = newest.take(slice(0, middle)), newest.take(slice(middle, None))
    if min(int((part.label == 1).sum()) for part in (stop, judge, grown)) < 20:
        raise BadInput(
            f"an advice needs 20 known frauds to learn from and 40 in the newest window; got {int((grown.label == 1).sum())} and "
            f"{int((newest.label == 1).sum())}.",
            hint="With so few, tocsin learn --way trees is what there is; without labels, --way anomaly.",
        )
    rng = np.random.default_rng(seed)
    order = np.sort(rng.permutation(len(grown))[:MOST_ROWS])
    ends, codes = tuple(plan.ends), tuple(plan.categorical)
    points, margins, seconds, more = [], np.zeros(0), 0.0, 1.0
    for size in SIZES:
        told("measuring how payments help", size / 2)
        rows = np.sort(rng.permutation(order)[: max(1, int(size * len(order)))])
        part = grown.take(rows)
        if int((part.label == 1).sum()) < 5:
            continue
        part, before = _columns(part, plan), _columns(stop, plan)
        began = clock()
        trees = StagedTrees(ends, codes, TREES).fit(part, before)
        seconds = clock() - began
        more = GROWN / TREES.trees if sum(trees.rounds_) > 0.9 * TREES.trees else 1.0  # or they stopped by themselves
        margins = trees.margins(_columns(judge, plan).matrix)[:, -1]
        points.append(_point(len(rows), judge, margins))
    told("asking whether the order of payments tells", 0.6)
    difference = _order(grown.take(order), stop, judge, plan, margins) if plan.history else None
    whole = len(known) / max(1, len(order)) * more * seconds
    return Probe(Growth.through(points, seed), int((grown.label == 1).sum()), len(grown), difference, 2 * whole)


def _columns(examples: Examples, plan: Plan) -> Examples:
    """What trees look at: no token."""
    return replace(examples, matrix=np.ascontiguousarray(examples.matrix[:, : len(plan.names)]))


def _with_last(examples: Examples, plan: Plan) -> Examples:
    """The same with columns of the last five payments."""
    width = len(plan.names)
    lags = lag_columns(tokens_of(examples.matrix, width).astype(np.int64))[1]
    return replace(examples, matrix=np.column_stack([examples.matrix[:, :width], lags]))


def _trees(
    grown: Examples, stop: Examples, judge: Examples, ends: tuple[int, ...], codes: tuple[int, ...]
) -> np.ndarray:
    return StagedTrees(ends, codes, TREES).fit(grown, stop).margins(np.ascontiguousarray(judge.matrix))[:, -1]


def _point(rows: int, judge: Examples, margins: np.ndarray) -> Point:
    known = judge.label >= 0
    weight = None if judge.weight is None else judge.weight[known]
    found = average_precision(judge.label[known], margins[known], weight)
    frauds = int((judge.label == 1).sum())
    return Point(rows, found, float(np.sqrt(max(found * (1 - found), 1e-3) / frauds)))


def _order(grown: Examples, stop: Examples, judge: Examples, plan: Plan, before: np.ndarray) -> Difference:
    """What the order of the last payments adds, with its interval."""
    codes = (*plan.categorical, *categories_of_lags(len(plan.names)))
    grown, stop, later = (_with_last(part, plan) for part in (grown, stop, judge))
    ends = (*plan.ends[:-1], grown.matrix.shape[1])
    after = _trees(grown, stop, later, ends, codes)
    known = judge.label >= 0
    weight = None if judge.weight is None else judge.weight[known]
    origin = Origin("the newest payments", before[known], after[known], judge.label[known], weight=weight)
    return gate([origin]).differences[0]


def _network(
    trees: Candidate, probe: Probe, plan: Plan, read_seconds: float
) -> tuple[Candidate | None, tuple[str, ...]]:
    """What a network is expected to add, and why."""
    if not plan.history or probe.order is None:
        why = "The spec tells nobody's last payments ([history]), and those are what the network adds; trees it is."
        return None, (why,)
    gain, low, high = probe.order.value, probe.order.low, probe.order.high
    enough = min(1.0, probe.frauds / ENOUGH_FRAUDS) if probe.frauds >= ENOUGH_FRAUDS / 2 else 0.0
    network = Candidate(
        "network",
        "layered",
        min(1.0, trees.expected + enough * GAINS * max(0.0, gain)),
        max(0.0, trees.low + enough * min(0.0, low)),
        min(1.0, trees.high + enough * GAINS * max(0.0, high)),
        read_seconds / 60 + TIMES * (trees.minutes - read_seconds / 60),
        None,
        "not measured: by what the order of the last payments brings to trees",
    )
    said = [
        f"Columns of the last five payments change the trees' average precision by {gain:+.3f} ({low:+.3f} to {high:+.3f}): "
        + ("their order tells something." if low > 0 else "their order tells nothing that can be seen.")
    ]
    if probe.frauds < ENOUGH_FRAUDS:
        said.append(
            f"{probe.frauds:,} known frauds are few for a network: below about {ENOUGH_FRAUDS:,} it added nothing here."
        )
    return network, tuple(said)


def _unless(chosen: Candidate, trees: Candidate, probe: Probe, plan: Plan) -> tuple[str, ...]:
    said = [more_labels(trees, probe.rows).replace("the labels", "the payments")]
    if chosen is trees and plan.history:
        said.append(
            f"--way network ships nothing worse: it is kept only where it does no harm. Try it with more than {ENOUGH_FRAUDS:,} "
            "known frauds, or where customers' habits change."
        )
    if chosen is trees and not plan.history:
        said.append("A column that names the account, and [history] in the spec, would let the network be asked.")
    return tuple(said)
