"""Trees by stage, and the layered network that is taught on them: learned together, learned again together, read together.

the past                                                   newest, first half     newest, second half
block 1 | block 2 | … | block 6                            trees and network      network held against
        trees of the blocks before score each;             stopped by it,         the trees: does it do
        the network learns from these scores               and believed           no harm?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from tocsin.artifact.card import Card, NetworkCard
from tocsin.artifact.network import NETWORK, NetworkScorer
from tocsin.learn.boosting import StagedTrees
from tocsin.learn.contract import UNKNOWN, Examples
from tocsin.learn.exits import calibrate, read_off, shifted
from tocsin.learn.export import export_network
from tocsin.learn.forward import forward_scores
from tocsin.learn.grown import Seedling, TreesAlone
from tocsin.learn.layered import MOST_GENUINE, SETTINGS, Rows, Taught, exits_of, teach
from tocsin.learn.task import LoopSettings, Told, silent
from tocsin.measure.calibration import Calibration
from tocsin.measure.gate import Origin, Verdict, gate
from tocsin.nets import LayeredSettings

BLOCKS = 6
"""Blocks of the past; the first is scored by nobody. With fewer, too many of the few frauds are lost to the network."""
WEIGHTS = "network.safetensors"
"""The network's weights, for who learns on from them; serving never opens them."""
LEAST_FRAUDS = 40
"""Frauds among the payments with time-forward scores, below which no network is taught."""
LEAST_BEGUN = 10
"""The same for one that begins with another network's weights: with 26 frauds it still gained much (docs/results.md)."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """How a network is taught.

    Parameters
    ----------
    shape, loop : its size, and how the loop runs. blocks : of time-forward scores.
    begin : weights to begin with. names : of the columns, for what the doctor says.
    folder : where a killed training goes on from.
    """

    shape: LayeredSettings = field(default_factory=LayeredSettings)
    loop: LoopSettings = SETTINGS
    blocks: int = BLOCKS
    begin: Mapping[str, Tensor] | None = None
    names: tuple[str, ...] = ()
    folder: Path | None = None

    @classmethod
    def small(cls, seed: int) -> Teaching:
        """A small network, taught for a moment, for little data."""
        loop = LoopSettings(epochs=2, planned=2, batch=64, rate=1e-2, patience=2, seed=seed)
        return cls(shape=LayeredSettings(wide=4, inner=8, past=4, members=2), loop=loop, blocks=3)


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Trees and the network on them, learned.

    Parameters
    ----------
    odds : what turns the trees' margins into the log-odds the network is given.
    taught : the network and how its training went. card, graph, scorer : the network as it ships.
    rows, kept : what it learned from; the share of the genuine payments that this is.
    verdict : whether it does harm.
    """

    seedling: Seedling
    teaching: Teaching
    trees: StagedTrees
    odds: tuple[Calibration, ...]
    taught: Taught
    rows: Rows
    kept: float
    card: NetworkCard
    graph: bytes
    scorer: NetworkScorer
    verdict: Verdict

    @property
    def notes(self) -> tuple[str, ...]:
        """What the doctor says of the training."""
        return self.taught.notes

    def margins(self, examples: Examples) -> NDArray[np.float64]:
        """float64[n, stages]: log-odds after each stage, trees and network together, as serving reads them."""
        matrix = np.ascontiguousarray(examples.matrix)
        return self.scorer(matrix, self.trees.margins(matrix), tokens_of(examples))

    def again(self, grown: Examples, newest: Examples, quiet: Examples, told: Told = silent) -> Hybrid:
        """Trees grown again, read to expect as many frauds as before; the network taught again, with ``newest`` too."""
        trees = self.seedling.grow_again(self.trees, grown, told)
        odds = shifted(self.trees.margins(quiet.matrix), trees.margins(quiet.matrix), self.odds, quiet.weight)
        late = rows_of(newest, read_off(self.trees.margins(newest.matrix), self.odds), np.arange(len(newest)))
        late = as_a_share(late, newest.sampled)
        loop = replace(self.teaching.loop, epochs=max(1, self.taught.trained.best), patience=self.teaching.loop.planned)
        folder = self.teaching.folder / "again" if self.teaching.folder is not None else None
        teaching = replace(self.teaching, loop=loop, folder=folder)
        rows = self.rows.and_then(late)
        taught = _teach(self.seedling, teaching, rows, self.kept, None, told)
        return _made(
            self.seedling,
            teaching,
            trees,
            odds,
            replace(taught, correction=self.taught.correction),
            rows,
            self.kept,
            self.verdict,
        )

    def add_to(self, card: Card, files: dict[str, bytes]) -> tuple[Card, dict[str, bytes]]:
        """The network's graph and weights, and its part of the card."""
        weights = {NETWORK: self.graph, WEIGHTS: save(self.taught.network.state_dict())}
        return msgspec.structs.replace(card, way="network", network=self.card), files | weights


def learn_hybrid(
    grown: Examples, newest: Examples, seedling: Seedling, teaching: Teaching, told: Told = silent
) -> Hybrid | TreesAlone:
    """Grow trees, teach a network on them, and keep it only if it does no harm.

    Parameters
    ----------
    grown : payments in order of time, labels as known when the newest window begins.
    newest : later ones, all labels known.
    """
    trees = seedling.grow(grown, newest, told)
    margins = trees.margins(newest.matrix)
    odds = calibrate(margins, newest, way="platt")
    rows, kept = forward_rows(grown, seedling, teaching, told)
    rows, kept = as_a_share(rows, grown.sampled), kept * grown.sampled
    frauds = int((rows.label == 1).sum())
    least = LEAST_BEGUN if teaching.begin else LEAST_FRAUDS
    if frauds < least:
        note = f"Only {frauds} known frauds have time-forward scores; a network is taught from {least} on."
        return TreesAlone(seedling, trees, notes=(note,))
    stop, judge = halves(rows_of(newest, read_off(margins, odds), np.arange(len(newest))))
    taught = _teach(seedling, teaching, rows, kept, stop, told)
    if taught.correction == 0:
        note = "No part of what the network adds to the trees helped on newer payments; the trees ship alone."
        return TreesAlone(seedling, trees, notes=(*taught.notes, note))
    told("whether the network does harm", 1.0)
    verdict = _judged(taught, judge)
    if not verdict.passed:
        return TreesAlone(seedling, trees, verdict, taught.notes)
    return _made(seedling, teaching, trees, odds, taught, rows, kept, verdict)


def _made(
    seedling: Seedling,
    teaching: Teaching,
    trees: StagedTrees,
    odds: Sequence[Calibration],
    taught: Taught,
    rows: Rows,
    kept: float,
    verdict: Verdict,
) -> Hybrid:
    """The network as it is shipped, held to the one that was trained."""
    few = slice(None, None, max(1, len(rows) // 2000))
    given = rows.columns[few], rows.margins[few], rows.tokens[few].astype(np.int64)
    columns, margins, tokens = (torch.from_numpy(np.ascontiguousarray(part)) for part in given)
    graph = export_network(taught.network, columns, margins, tokens)
    card = NetworkCard(trees=tuple(odds), correction=taught.correction, history=rows.tokens.shape[1] - 1)
    scorer = NetworkScorer(graph, card, rows.columns.shape[1])
    return Hybrid(seedling, teaching, trees, tuple(odds), taught, rows, kept, card, graph, scorer, verdict)


def forward_rows(grown: Examples, seedling: Seedling, teaching: Teaching, told: Told) -> tuple[Rows, float]:
    """The payments the network learns from, with scores of trees that had seen only what was before; and the share of the
    genuine ones that this is."""
    half, done = replace(seedling.boosting, trees=max(2, seedling.boosting.trees // 2)), 0

    def make() -> StagedTrees:
        nonlocal done
        told("scoring the past with trees of its own past", done / teaching.blocks)
        done += 1
        return StagedTrees(seedling.ends, seedling.categorical, half)

    scored = forward_scores(grown, make, lambda trees, rows: trees.margins(rows), blocks=teaching.blocks)
    scored = scored.reshape(len(grown), -1)
    known = np.flatnonzero((grown.label != UNKNOWN) & ~np.isnan(scored[:, 0]))
    odds = np.full((len(grown), len(seedling.ends)), np.nan)
    if len(np.unique(grown.label[known])) < 2:
        return rows_of(grown, odds, known[:0]), 1.0
    past = replace(grown, label=grown.label[known], weight=None if grown.weight is None else grown.weight[known])
    odds[known] = read_off(scored[known], calibrate(scored[known], past, way="platt"))
    genuine = int((grown.label[known] == 0).sum())
    seed = teaching.loop.seed
    return rows_of(grown, odds, known, MOST_GENUINE, seed), min(1.0, MOST_GENUINE / max(1, genuine))


def rows_of(
    examples: Examples, odds: NDArray[np.float64], rows: NDArray[np.int64], most: int | None = None, seed: int = 0
) -> Rows:
    """Some of the examples as a network is given them; of the genuine ones at most ``most``."""
    tokens = examples.tokens
    if tokens is None:  # nobody keeps a past
        tokens = np.zeros((len(examples), 1), dtype=np.uint32)
    label, mass, account = examples.label, examples.weight, examples.account
    return Rows.of(examples.matrix, odds, tokens, label, rows, most=most, seed=seed, weight=mass, account=account)


def as_a_share(rows: Rows, sampled: float) -> Rows:
    """Genuine payments of a sample counted once each: the loss knows how large a share of them is there, and fewer heavy rows
    would only be the same with more noise."""
    if sampled == 1 or rows.weight is None:
        return rows
    return replace(rows, weight=np.where(rows.label == 0, rows.weight * sampled, rows.weight).astype(np.float32))


def tokens_of(examples: Examples) -> NDArray[np.int64]:
    """int64[n, history + 1]: the last payments; where nobody keeps any, one column of none."""
    if examples.tokens is None:
        return np.zeros((len(examples), 1), dtype=np.int64)
    return np.ascontiguousarray(examples.tokens).astype(np.int64)


def _teach(seedling: Seedling, teaching: Teaching, rows: Rows, kept: float, newest: Rows | None, told: Told) -> Taught:
    return teach(
        rows,
        newest,
        seedling.ends,
        seedling.categorical,
        shape=teaching.shape,
        settings=teaching.loop,
        kept=kept,
        begin=teaching.begin,
        names=teaching.names,
        folder=teaching.folder,
        told=told,
    )


def _judged(taught: Taught, rows: Rows) -> Verdict:
    """Trees against trees and network, on payments that neither stopped nor shrank anything."""
    before = rows.margins[:, -1].astype(np.float64)
    after = before + taught.correction * (exits_of(taught.network, rows)[:, -1] - before)
    weight = None if rows.weight is None else rows.weight.astype(np.float64)
    return gate([Origin("the newest payments", before, after, rows.label, rows.account, weight=weight)])


def halves(rows: Rows) -> tuple[Rows, Rows]:
    """The first and the second half; all of it twice where a half has too few frauds to say anything."""
    middle, every = len(rows) // 2, np.arange(len(rows))
    first, second = rows.take(every[:middle]), rows.take(every[middle:])
    if min(int((part.label == 1).sum()) for part in (first, second)) < 20:
        return rows, rows
    return first, second
