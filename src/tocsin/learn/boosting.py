"""Boosted trees, stage by stage: every stage goes on from the margin of the one before, with its own columns added.

One ensemble of at most 500 trees, so serving costs one walk; the exits are its partial sums, so the stages' shares are
exact. LightGBM grows the trees; between stages only the starting margin of each row changes hands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.trees import MOST_TREES, Trees, read_trees
from tocsin.errors import BadInput, Damaged
from tocsin.learn.contract import Examples, Learner, check_ends, check_rows, learnable, learned_width

Progress = Callable[[int], None]
"""Called after each tree with how many have been grown."""


@dataclass(frozen=True, slots=True)
class BoostingSettings:
    """How trees are grown. No class weights: they rank no better and spoil the calibration.

    Parameters
    ----------
    trees : at most so many in all stages together, 500 at most.
    leaves : leaves a tree.
    rate : how much of each tree's answer is taken.
    early : share of the trees each stage but the last may grow. Few: an early stage has said what it knows after a
        dozen, and what it then learns by heart the later ones must carry.
    patience : a stage ends when so many trees brought no gain on the newest window.
    least_rows : rows a leaf must have.
    least_weight : sum of p(1 − p) a leaf must have; at 0.5 % fraud, 1 is about 200 payments.
    shrink : L2 on the leaves.
    columns : share of the columns each tree may look at.
    threads : for learning only; serving always uses one.
    """

    trees: int = 300
    leaves: int = 15
    rate: float = 0.06
    early: float = 0.05
    patience: int = 25
    least_rows: int = 40
    least_weight: float = 0.5
    shrink: float = 5.0
    columns: float = 0.7
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.trees <= MOST_TREES:
            raise BadInput(
                f"must be between 1 and {MOST_TREES}, all stages together; got {self.trees}.", field="--trees"
            )
        if not 2 <= self.leaves <= 1024:
            raise BadInput(f"must be between 2 and 1024; got {self.leaves}.", field="--leaves")
        if not 0 < self.early <= 1:
            raise BadInput(f"must be more than 0 and at most 1; got {self.early:g}.", field="early")
        if not 0 < self.rate <= 1:
            raise BadInput(f"must be more than 0 and at most 1; got {self.rate:g}.", field="--rate")


class _Used:
    """The rows trees are grown on, where they lie: ``rows`` int64 or None for all; label and weight are of these alone."""

    def __init__(self, examples: Examples, rows: NDArray[np.int64] | None = None) -> None:
        chosen = slice(None) if rows is None else rows
        self.matrix, self.rows, self.label = examples.matrix, rows, examples.label[chosen]
        self.weight = None if examples.weight is None else examples.weight[chosen]

    def __len__(self) -> int:
        return len(self.label)


class StagedTrees(Learner):
    """Trees by stage.

    Parameters
    ----------
    ends : stage s may use the first ``ends[s]`` columns; empty for one stage of all columns.
    categorical : indexes of columns that hold codes, not amounts.

    Attributes
    ----------
    text_ : the ensemble as LightGBM writes it. trees_ : the same, ready to walk.
    rounds_ : how many trees each stage grew.
    """

    def __init__(
        self, ends: Sequence[int] = (), categorical: Sequence[int] = (), settings: BoostingSettings | None = None
    ) -> None:
        self.ends = tuple(ends)
        self.categorical = tuple(categorical)
        self.settings = settings or BoostingSettings()
        self.text_ = ""
        self.trees_: Trees | None = None
        self.rounds_: tuple[int, ...] = ()

    @classmethod
    def small(cls, ends: Sequence[int], categorical: Sequence[int], seed: int) -> Self:
        """A few small trees, for little data."""
        settings = BoostingSettings(
            trees=20 * max(1, len(ends)), leaves=8, early=0.3, least_rows=10, columns=1.0, seed=seed
        )
        return cls(ends, categorical, settings)

    def fit(
        self,
        examples: Examples,
        newest: Examples | None = None,
        rounds: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Grow the trees.

        Parameters
        ----------
        newest : a later, matured window; each stage stops where its log-loss there stops falling.
        rounds : exactly so many trees a stage instead, as an earlier fit chose.
        progress : called after every tree.
        """
        from tocsin.learn.binning import raw_scores

        known, width = learnable(examples, labels=True), examples.matrix.shape[1]
        used = _Used(examples, None if known.all() else np.flatnonzero(known))
        ends = check_ends(self.ends, width)
        watched = _Used(newest.known()) if newest is not None and rounds is None else None
        if watched is not None and len(np.unique(watched.label)) < 2:
            watched = None  # nothing to measure a loss on
        margin, watched_margin = np.zeros(len(used)), np.zeros(0 if watched is None else len(watched))
        boosters: list[Any] = []
        grown: list[int] = []
        for stage, end in enumerate(ends):
            most = rounds[stage] if rounds is not None else _allowance(self.settings, sum(grown), stage, len(ends))
            booster, count = self._grow(
                used, watched, end, most, margin if stage else None, watched_margin, sum(grown), progress
            )
            boosters.append(booster)
            grown.append(count)
            if count and stage + 1 < len(ends):
                how = {"trees": count, "threads": self.settings.threads}
                margin += raw_scores(booster, used.matrix, used.rows, end, **how)
                if watched is not None:
                    watched_margin += raw_scores(booster, watched.matrix, watched.rows, end, **how)
        self.text_ = _merge(boosters, grown)
        self._learned(width, tuple(grown))
        some = slice(None, None, max(1, len(used) // 1000))
        self._prove(used.matrix[some if used.rows is None else used.rows[some]])
        return self

    def _grow(
        self,
        used: _Used,
        watched: _Used | None,
        end: int,
        most: int,
        margin: NDArray[np.float64] | None,
        watched_margin: NDArray[np.float64],
        before: int,
        progress: Progress | None,
    ) -> tuple[Any, int]:
        """One stage: up to ``most`` trees on the first ``end`` columns, from a margin; returns them and how many."""
        import lightgbm

        from tocsin.learn.binning import Binned, given

        parameters = _parameters(self.settings, before)
        codes = [c for c in self.categorical if c < end]
        data = Binned(
            given(used.matrix, used.rows, end),
            used.label,
            weight=used.weight,
            init_score=margin,
            categorical_feature=codes,
            params={**parameters, "num_threads": 1},
        ).construct()  # in this thread: those LightGBM starts do not know that it was asked to be quiet
        callbacks: list[Any] = []
        if progress is not None:
            callbacks.append(lambda env: progress(before + env.iteration + 1))
        valid = []
        if watched is not None:
            start = None if margin is None else watched_margin
            valid.append(
                data.create_valid(
                    given(watched.matrix, watched.rows, end), watched.label, weight=watched.weight, init_score=start
                )
            )
            callbacks.append(lightgbm.early_stopping(self.settings.patience, verbose=False))
        booster = lightgbm.train(parameters, data, max(most, 1), valid_sets=valid, callbacks=callbacks)
        count = booster.best_iteration if watched is not None and booster.best_iteration > 0 else booster.num_trees()
        return booster, min(count, most, booster.num_trees())

    def _prove(self, rows: NDArray[np.float64]) -> None:
        """Our walk against LightGBM's own prediction of the same text: equal to the bit, or nothing is shipped."""
        import lightgbm

        from tocsin.learn.binning import raw_scores

        booster = lightgbm.Booster(model_str=self.text_)
        ours = self.margins(rows)
        for stage, end in enumerate(np.cumsum(self.rounds_)):
            theirs = (
                raw_scores(booster, rows, None, rows.shape[1], trees=int(end), threads=1) if end else ours[:, stage]
            )
            if not np.array_equal(ours[:, stage], theirs):
                raise Damaged(
                    f"the walk of the trees differs from LightGBM {lightgbm.__version__} at stage {stage + 1}."
                )

    def margins(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, stages]: uncalibrated log-odds after each stage, the exits."""
        rows = check_rows(matrix, learned_width(self))
        assert self.trees_ is not None
        return self.trees_.margins(rows, np.cumsum(self.rounds_).tolist())

    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1]: the last exit, uncalibrated."""
        margin = self.margins(matrix)[:, -1]
        return np.asarray(1 / (1 + np.exp(-np.clip(margin, -700, 700))))

    def save(self, folder: Path) -> None:
        """``trees.txt`` and ``trees.json``."""
        learned_width(self)
        (folder / "trees.txt").write_text(self.text_, encoding="utf-8")
        kept = {
            "width": self.width_,
            "rounds": self.rounds_,
            "ends": self.ends,
            "categorical": self.categorical,
            "settings": asdict(self.settings),
        }
        (folder / "trees.json").write_bytes(msgspec.json.encode(kept))

    def load(self, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        kept = msgspec.json.decode((folder / "trees.json").read_bytes())
        self.ends, self.categorical = tuple(kept["ends"]), tuple(kept["categorical"])
        self.settings = BoostingSettings(**kept["settings"])
        self.text_ = (folder / "trees.txt").read_text(encoding="utf-8")
        self._learned(int(kept["width"]), tuple(kept["rounds"]))
        return self

    def _learned(self, width: int, rounds: tuple[int, ...]) -> None:
        trees = read_trees(self.text_)
        if len(trees) != sum(rounds) or trees.width > width:
            raise Damaged(
                f"the text must hold {sum(rounds)} trees of {width} columns; got {len(trees)} of {trees.width}."
            )
        self.trees_, self.rounds_, self.width_ = trees, rounds, width


def _allowance(settings: BoostingSettings, grown: int, stage: int, stages: int) -> int:
    """How many trees a stage may grow: a small share for an early one, all that is left for the last."""
    left = settings.trees - grown
    return left if stage == stages - 1 else min(left, max(1, round(settings.trees * settings.early)))


def _parameters(settings: BoostingSettings, before: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": settings.leaves,
        "learning_rate": settings.rate,
        "min_data_in_leaf": settings.least_rows,
        "min_sum_hessian_in_leaf": settings.least_weight,
        "lambda_l2": settings.shrink,
        "feature_fraction": settings.columns,
        "max_cat_threshold": 32,
        "cat_smooth": 20.0,
        "cat_l2": 20.0,
        "min_data_per_group": 200,
        "seed": settings.seed + before,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
    }


_TREE = re.compile(r"^Tree=\d+\n.*?\n\n\n", re.DOTALL | re.MULTILINE)


def _merge(boosters: Sequence[Any], counts: Sequence[int]) -> str:
    """Several ensembles' texts as one: the trees numbered through, under the head of the last, which knows all columns.

    The stages after the first were grown from a margin, so they carry no starting value of their own, and the sum of
    all trees is the sum of the parts.
    """
    trees: list[str] = []
    text = ""
    for booster, count in zip(boosters, counts, strict=True):
        text = booster.model_to_string(num_iteration=max(count, 1))
        for block in _TREE.findall(text)[:count]:
            trees.append(re.sub(r"^Tree=\d+", f"Tree={len(trees)}", block))
    head, _, rest = text.partition("Tree=0\n")
    foot = rest[rest.index("end of trees") :]
    sizes = " ".join(str(len(tree.encode())) for tree in trees)
    return re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.MULTILINE) + "".join(trees) + foot
