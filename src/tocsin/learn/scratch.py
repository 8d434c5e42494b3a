"""The layered network as a learner: trees, what comes next, the network on both, from these examples alone.

Use it where a model is wanted and not a service's artifact (that is :func:`tocsin.learn.transactions.learn`, made of the
same parts). With ``Teaching(begin=...)`` it begins with another network's weights: that is transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.card import NetworkCard, SurpriseCard
from tocsin.artifact.network import NETWORK, SURPRISE, SURPRISES, NetworkScorer, SurpriseScorer
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples, Learner, check_ends, check_learnable, check_rows, learned_width
from tocsin.learn.grown import Seedling
from tocsin.learn.hybrid import Hybrid, Teaching, learn_hybrid
from tocsin.learn.parting import old_and_new, parted, parted_examples
from tocsin.learn.surprise import LEAST, learn_surprise

_CARD = "layered.json"


class _Kept(msgspec.Struct, frozen=True):
    """What is written beside the graphs and the trees."""

    width: int
    history: int
    network: NetworkCard | None
    surprise: SurpriseCard | None


@dataclass(slots=True)
class _Learned:
    """What has been learned, as serving would have it."""

    trees: StagedTrees
    graphs: dict[str, bytes] = field(default_factory=dict)
    network: NetworkCard | None = None
    surprise: SurpriseCard | None = None

    def margins(self, columns: NDArray[np.float64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.surprise is not None:
            scorer = SurpriseScorer(self.graphs[SURPRISE], self.surprise)
            columns = np.column_stack([columns, scorer(tokens)])
        margins = self.trees.margins(columns)
        if self.network is None:
            return margins
        return NetworkScorer(self.graphs[NETWORK], self.network, columns.shape[1])(columns, margins, tokens)


class LayeredNetwork(Learner):
    """Trees by stage and the layered network on them; the network is left out where it does harm.

    Parameters
    ----------
    ends, categorical : as of the trees, over the columns before the tokens.
    history : payments of the past a row tells; then its last ``history + 1`` columns are tokens, as the kernel gives them.
    newest : share of the rows, the newest, that stop and judge.
    """

    def __init__(
        self,
        ends: Sequence[int] = (),
        categorical: Sequence[int] = (),
        *,
        history: int = 0,
        boosting: BoostingSettings | None = None,
        teaching: Teaching | None = None,
        newest: float = 0.3,
    ) -> None:
        self.ends, self.categorical, self.history = tuple(ends), tuple(categorical), history
        self.boosting = boosting or BoostingSettings()
        self.teaching = teaching or Teaching()
        self.newest = newest
        self.learned_: _Learned | None = None

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
        ends, tokens = check_ends(self.ends, used.matrix.shape[1]), used.tokens
        graphs: dict[str, bytes] = {}
        surprise = None
        cut = int(len(used) * (1 - self.newest))
        if tokens is not None and int((tokens[:cut, -2] != 0).sum()) >= LEAST:
            watched = learn_surprise(tokens[:cut])
            used = replace(used, matrix=np.column_stack([used.matrix, watched.columns(tokens)]))
            ends = (*ends[:-1], ends[-1] + len(SURPRISES))
            graphs[SURPRISE], surprise = watched.graph, watched.card
        grown, newest = old_and_new(used, self.newest)
        seedling = Seedling(ends, self.categorical, self.boosting)
        model = learn_hybrid(grown, newest, seedling, self.teaching)
        network = None
        if isinstance(model, Hybrid):
            graphs[NETWORK], network = model.graph, model.card
        self.learned_ = _Learned(model.trees, graphs, network, surprise)
        self.width_ = width
        return self

    def margins(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, stages]: log-odds after each stage, not calibrated."""
        rows = check_rows(matrix, learned_width(self))
        assert self.learned_ is not None
        return self.learned_.margins(*parted(rows, self.history))

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1]: the last exit."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.margins(matrix)[:, -1], -700, 700))))

    def save(self, folder: Path) -> None:
        """The trees' files, the graphs, and ``layered.json``."""
        width = learned_width(self)
        assert self.learned_ is not None
        self.learned_.trees.save(folder)
        for name, graph in self.learned_.graphs.items():
            (folder / name).write_bytes(graph)
        kept = _Kept(width, self.history, self.learned_.network, self.learned_.surprise)
        (folder / _CARD).write_bytes(msgspec.json.encode(kept))

    def load(self, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        kept = msgspec.json.decode((folder / _CARD).read_bytes(), type=_Kept)
        trees = StagedTrees().load(folder)
        wanted = {NETWORK: kept.network, SURPRISE: kept.surprise}
        graphs = {name: (folder / name).read_bytes() for name, card in wanted.items() if card is not None}
        self.learned_ = _Learned(trees, graphs, kept.network, kept.surprise)
        self.width_, self.history = kept.width, kept.history
        return self
