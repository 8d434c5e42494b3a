"""An anomaly score with no labels: what every way to one has in common, and how few cuts at random set a payment apart.

Isolation forest (Liu, Ting and Zhou, 2008) by scikit-learn, shipped as one ONNX node. skl2onnx writes the same forest
as 2,700 nodes, which take 1.6 ms a call; one node takes a hundredth of that and is equal to within 1e-6 (tested).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.anomaly import ANOMALY, AnomalyScorer, ready
from tocsin.artifact.card import AnomalyCard
from tocsin.learn.contract import Examples, Learner, check_learnable, check_rows, learned_width

_CARD = "anomaly.json"


class Anomaly(Learner):
    """How unlike all others a row is, without labels; used alone where nothing is labelled, or as a feature of the trees.

    Labels, where there are some, change nothing. Whatever learns it is shipped as one graph of ONNX.

    Parameters
    ----------
    categorical : columns that hold codes; whether one code is near another is not known, so they are left out.
    most_rows : learn from at most so many rows, drawn by weight.
    """

    needs_labels: ClassVar[bool] = False

    def __init__(self, categorical: Sequence[int] = (), *, most_rows: int = 100_000, seed: int = 0) -> None:
        self.categorical = tuple(categorical)
        self.most_rows = most_rows
        self.seed = seed
        self.graph_ = b""
        self.card_: AnomalyCard | None = None
        self._scorer: AnomalyScorer | None = None

    @abstractmethod
    def missing(self, column: NDArray[np.float64]) -> float:
        """What stands in for a missing value of a column float64[n]."""

    @abstractmethod
    def graph(self, table: NDArray[np.float32]) -> bytes:
        """Learn from rows float32[n, d] in order of time: an ONNX graph that scores such rows."""

    def fit(self, examples: Examples) -> Self:
        """Learn from all rows, labelled or not."""
        used = check_learnable(examples, labels=False)
        rows = self._draw(used)
        columns = _telling(rows, self.categorical)
        fill = np.array([self.missing(rows[:, c]) for c in columns])
        self.graph_ = self.graph(ready(rows, columns, fill))
        self.card_ = AnomalyCard(columns=tuple(int(c) for c in columns), fill=tuple(fill.tolist()))
        self.width_ = used.matrix.shape[1]
        self._scorer = AnomalyScorer(self.graph_, self.card_)
        return self

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1]; above 0.5, more unlike the others than is usual."""
        rows = check_rows(matrix, learned_width(self))
        assert self._scorer is not None
        return self._scorer(rows)

    def save(self, folder: Path) -> None:
        """``anomaly.onnx`` and ``anomaly.json``."""
        learned_width(self)
        (folder / ANOMALY).write_bytes(self.graph_)
        kept = {"width": self.width_, "card": self.card_, "categorical": self.categorical, "seed": self.seed}
        (folder / _CARD).write_bytes(msgspec.json.encode(kept))

    def load(self, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        kept = msgspec.json.decode((folder / _CARD).read_bytes())
        self.categorical, self.seed = tuple(kept["categorical"]), int(kept["seed"])
        self.width_ = int(kept["width"])
        self.card_ = msgspec.convert(kept["card"], AnomalyCard)
        self.graph_ = (folder / ANOMALY).read_bytes()
        self._scorer = AnomalyScorer(self.graph_, self.card_)
        return self

    def _draw(self, examples: Examples) -> NDArray[np.float64]:
        """At most ``most_rows`` rows; one that stands for many is drawn as often as it stands for."""
        n = len(examples)
        if examples.weight is None and n <= self.most_rows:
            return examples.matrix
        if examples.weight is not None and np.ptp(examples.weight) == 0 and n <= self.most_rows:
            return examples.matrix
        random = np.random.default_rng(self.seed)
        share = None if examples.weight is None else examples.weight / examples.weight.sum()
        count = min(self.most_rows, n) if share is None else self.most_rows
        return examples.matrix[np.sort(random.choice(n, count, replace=share is not None, p=share))]


class IsolationForest(Anomaly):
    """Anomaly by how few random cuts set a row apart.

    Parameters
    ----------
    trees, sample : the paper's 100 trees of 256 rows each.
    """

    def __init__(
        self,
        categorical: Sequence[int] = (),
        *,
        trees: int = 100,
        sample: int = 256,
        most_rows: int = 100_000,
        seed: int = 0,
    ) -> None:
        super().__init__(categorical, most_rows=most_rows, seed=seed)
        self.trees = trees
        self.sample = sample

    def missing(self, column: NDArray[np.float64]) -> float:
        """The column's median."""
        known = column[~np.isnan(column)]
        return float(np.median(known)) if len(known) else 0.0

    def graph(self, table: NDArray[np.float32]) -> bytes:
        """Grow the forest."""
        from sklearn.ensemble import IsolationForest as Forest

        forest = Forest(
            n_estimators=self.trees,
            max_samples=min(self.sample, len(table)),
            random_state=self.seed,
            n_jobs=1,
        ).fit(table)
        return _graph(forest, table.shape[1])


def _telling(rows: NDArray[np.float64], categorical: Sequence[int]) -> NDArray[np.int64]:
    """The columns that differ between rows; all of them when none does, so that a graph still has an input."""
    amounts = np.array([c for c in range(rows.shape[1]) if c not in set(categorical)], dtype=np.int64)
    differs = [c for c in amounts if len(np.unique(rows[~np.isnan(rows[:, c]), c])) > 1]
    if differs:
        return np.array(differs, dtype=np.int64)
    return amounts if len(amounts) else np.arange(rows.shape[1], dtype=np.int64)


def _mean_depth(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many cuts an unsuccessful search takes in a random tree of so many rows (the paper's c(n))."""
    n = np.maximum(rows, 2.0)
    depth = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.asarray(np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, depth)))


def _graph(forest: Any, width: int) -> bytes:
    """The whole forest as one TreeEnsembleRegressor that sums depths, and three nodes that make the score of it."""
    from onnx import TensorProto, checker, helper

    names = (
        "nodes_treeids nodes_nodeids nodes_featureids nodes_modes nodes_values nodes_truenodeids nodes_falsenodeids "
        "target_treeids target_nodeids target_ids target_weights"
    ).split()
    lists: dict[str, list[Any]] = {name: [] for name in names}
    for number, (estimator, columns) in enumerate(zip(forest.estimators_, forest.estimators_features_, strict=True)):
        _append_tree(lists, number, estimator.tree_, np.asarray(columns))
    whole = len(forest.estimators_) * float(_mean_depth(np.array([float(forest.max_samples_)]))[0])
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            ["rows"],
            ["depth"],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function="SUM",
            post_transform="NONE",
            **lists,
        ),
        helper.make_node("Mul", ["depth", "scale"], ["exponent"]),
        helper.make_node("Pow", ["two", "exponent"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "isolation forest",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [1], [-1.0 / max(whole, 1e-9)]),
            helper.make_tensor("two", TensorProto.FLOAT, [1], [2.0]),
        ],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="tocsin")
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _append_tree(lists: dict[str, list[Any]], number: int, tree: Any, columns: NDArray[np.int64]) -> None:
    """One tree's nodes; a leaf adds its depth and the depth its rows would still have needed."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        leaf = left < 0
        if not leaf:
            depth[left] = depth[right] = depth[node] + 1
        # scikit-learn compares float32 rows with float64 thresholds; rounding those down keeps every comparison.
        exact = float(tree.threshold[node])
        single = np.float32(exact)
        if float(single) > exact:
            single = np.nextafter(single, np.float32(-np.inf))
        lists["nodes_treeids"].append(number)
        lists["nodes_nodeids"].append(node)
        lists["nodes_featureids"].append(0 if leaf else int(columns[tree.feature[node]]))
        lists["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        lists["nodes_values"].append(0.0 if leaf else float(single))
        lists["nodes_truenodeids"].append(0 if leaf else left)
        lists["nodes_falsenodeids"].append(0 if leaf else right)
        if leaf:
            rest = float(_mean_depth(np.array([float(tree.n_node_samples[node])]))[0])
            lists["target_treeids"].append(number)
            lists["target_nodeids"].append(node)
            lists["target_ids"].append(0)
            lists["target_weights"].append(float(depth[node]) + rest)
