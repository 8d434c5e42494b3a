"""A model as it is shipped: read from its directory, checked, and ready to score."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin import spec as specs
from tocsin.artifact.anomaly import ANOMALY, AnomalyScorer
from tocsin.artifact.anomaly import NAME as ANOMALY_COLUMN
from tocsin.artifact.card import Card, read_card
from tocsin.artifact.network import NETWORK, SURPRISE, SURPRISES, NetworkScorer, SurpriseScorer, tokens_of
from tocsin.artifact.past import notes_of
from tocsin.artifact.reasons import NETWORK_LINE, reasons_of, why_of
from tocsin.artifact.shap import Explainer
from tocsin.artifact.shares import divide
from tocsin.artifact.trees import MOST_TREES, Trees, read_trees, walk
from tocsin.errors import BadInput, Damaged
from tocsin.features import Plan, compile_plan
from tocsin.measure.calibration import calibrated, logistic
from tocsin.measure.policy import Policy
from tocsin.schema import Reason
from tocsin.spec import Spec

TREES, SPEC = "trees.txt", "spec.toml"


class Scored(NamedTuple):
    """Scores that add up: ``base`` plus the deltas of a row, from left to right, is its logit, exactly.

    ``delta`` float64[n, stages], ``logit`` float64[n], ``value`` float64[n] in [0, 1], calibrated.
    """

    base: float
    delta: NDArray[np.float64]
    logit: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def exits(self) -> NDArray[np.float64]:
        """float64[n, stages]: the score as it stood after each stage."""
        logits = np.cumsum(np.column_stack([np.full(len(self.delta), self.base), self.delta]), axis=1)[:, 1:]
        return np.asarray(1.0 / (1.0 + np.exp(-logits)))


class Artifact:
    """One model. :func:`load` reads one; it is safe to score from several threads.

    Attributes
    ----------
    version : the name and a hash of all content; two models with the same version score alike to the bit.
    inputs : the names of the model's columns; all but a last ``anomaly`` are ``plan.names``.
    """

    def __init__(self, card: Card, spec: Spec, plan: Plan, trees: str | None, anomaly: AnomalyScorer | None) -> None:
        self.card = card
        self.spec = spec
        self.plan = plan
        self._text = trees
        self._anomaly = anomaly
        self._trees: Trees | None = read_trees(trees) if trees is not None else None
        self._explainer: Explainer | None = None
        self._lock = threading.Lock()
        self._check()
        calibrations = [stage.calibration for stage in card.stages]
        self._low = np.array([c.low for c in calibrations])
        self._high = np.array([c.high for c in calibrations])
        self._shift = np.array([c.shift for c in calibrations])
        self._ends = np.array([stage.trees for stage in card.stages], dtype=np.int64)

    @property
    def version(self) -> str:
        """The model's name and the hash of all its content."""
        return self.card.version

    @property
    def policy(self) -> Policy:
        """What follows from its scores, unless the owner says otherwise."""
        return self.card.policy

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages, in order."""
        return tuple(stage.name for stage in self.card.stages)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the model's columns."""
        return self.card.inputs

    def score(self, matrix: NDArray[np.float64]) -> Scored:
        """Score rows of features.

        Parameters
        ----------
        matrix : float64[n, plan.width] as the kernel makes them; NaN where nothing is known.

        Raises
        ------
        BadInput : the width differs.
        """
        margins = self.margins(matrix)
        rows, stages = margins.shape
        delta, logit, value = np.empty((rows, stages)), np.empty(rows), np.empty(rows)
        _add_up(margins, self._low, self._high, self._shift, self.card.base, delta, logit, value)
        return Scored(self.card.base, delta, logit, value)

    def margins(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, stages]: the uncalibrated log-odds after each stage."""
        columns = self.columns(matrix)
        if self._trees is None:
            return odds_of(columns[:, -1:])
        out = np.empty((len(columns), len(self._ends)))
        trees = self._trees
        walk(trees.nodes, trees.bits, trees.leaves, trees.roots, self._ends, columns, out)
        return out

    def columns(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The model's own columns: the kernel's without the last payments behind them, and the anomaly score."""
        rows = np.asarray(matrix, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.plan.width:
            raise BadInput(
                f"rows must have the {self.plan.width} columns of the model's plan; got shape {rows.shape}.",
                field="matrix",
            )
        rows = np.ascontiguousarray(rows[:, : len(self.plan.names)])
        if self._anomaly is None:
            return rows
        return np.column_stack([rows, self._anomaly(rows)])

    def shares(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each column's share of each stage, after calibration.

        Returns
        -------
        usual : float64[stages], what every payment gets from the stage.
        share : float64[n, stages, len(inputs)]; ``usual[s] + share[i, s].sum()`` is the delta of stage s, within 1e-9.
        """
        columns = self.columns(matrix)
        if self._trees is None:
            return np.zeros(1), np.zeros((len(columns), 1, len(self.inputs)))
        explainer = self._explain()
        stages = len(self._ends)
        share = np.zeros((len(columns), stages, len(self.inputs)))
        usual = np.zeros(stages)
        summed = np.zeros((len(columns), len(self.inputs)))
        expected, begin, above, scaled = 0.0, 0, self.card.base, np.zeros_like(summed)
        for s, end in enumerate(self._ends):
            raw = explainer.shares(columns, begin, int(end))
            summed = summed + raw[:, :-1]
            expected += float(raw[0, -1]) if len(raw) else 0.0
            # A curved calibration is followed along the line from what is usual to this payment's margin, so what the
            # columns add still adds up after it.
            curve = self.card.stages[s].calibration
            at_usual = float(curve(np.array([expected]))[0])
            reached = curve(summed.sum(axis=1) + expected)
            way = summed.sum(axis=1)
            slope = np.where(np.abs(way) > 1e-9, (reached - at_usual) / np.where(way == 0, 1.0, way), curve.high)
            now = summed * slope[:, None]
            share[:, s] = now - scaled
            usual[s] = at_usual - above
            scaled, above, begin = now, at_usual, int(end)
        return usual, share

    def reasons(self, matrix: NDArray[np.float64], top: int = 3) -> list[tuple[Reason, ...]]:
        """For each row the features that raised its score most, in words, the strongest first."""
        columns = self.columns(matrix)
        share = self.shares(matrix)[1] if self._trees is not None else self._without(columns)
        return [
            reasons_of(self.spec, self.plan, self.inputs, self.stage_names, row, shares, top)
            for row, shares in zip(columns, share, strict=True)
        ]

    def _without(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, 1, inputs]: for a model that is one anomaly score, how much lower each row would score with one
        value as it usually is. These add up to nothing in particular; they only say which value is odd."""
        card, scorer = self.card.anomaly, self._anomaly
        assert card is not None
        assert scorer is not None
        share = np.zeros((len(columns), 1, len(self.inputs)))
        curve = self.card.stages[0].calibration
        for i, row in enumerate(columns):
            rows = np.repeat(row[None, :-1], len(card.columns) + 1, axis=0)
            rows[np.arange(len(card.columns)), list(card.columns)] = card.fill
            logit = curve(odds_of(scorer(rows)))
            share[i, 0, list(card.columns)] = logit[-1] - logit[:-1]
        return share

    def why(self, reasons: tuple[Reason, ...]) -> str:
        """One sentence in the customer's terms out of a payment's reasons."""
        return why_of(self.spec, self.plan, reasons)

    def _explain(self) -> Explainer:
        with self._lock:
            if self._explainer is None:
                assert self._text is not None
                self._explainer = Explainer(self._text, len(self.inputs))
            return self._explainer

    def _check(self) -> None:
        """A card that passed its fingerprint may still not fit its trees or this plan; say so before scoring."""
        card, names = self.card, self.plan.names
        if card.plan != self.plan.fingerprint or card.inputs[: len(names)] != names:
            raise Damaged(
                "the spec in the model compiles to other features than those it learned from.",
                field=SPEC,
                hint="This Tocsin computes features differently; learn the model again.",
            )
        if len(card.inputs) - len(names) != (self._anomaly is not None):
            raise Damaged("the card names columns that neither the spec nor an anomaly score gives.", field=ANOMALY)
        if self._trees is None:
            if card.way != "anomaly" or self._anomaly is None or len(card.stages) != 1:
                raise Damaged("a model without trees must be one anomaly score.", field=TREES)
            return
        ends = [stage.trees for stage in card.stages]
        if ends != sorted(ends) or not ends or ends[-1] != len(self._trees) or len(self._trees) > MOST_TREES:
            raise Damaged(f"the card's stages end at {ends}; trees.txt has {len(self._trees)} trees.", field=TREES)
        if self._trees.width > len(card.inputs):
            raise Damaged(f"trees.txt reads {self._trees.width} columns; the card has {len(card.inputs)}.", field=TREES)


def load(folder: str | Path) -> Artifact:
    """Read a model from its directory.

    Raises
    ------
    Damaged : a file is missing, changed or does not fit the others; its name is in the message.
    """
    path = Path(folder)
    card = read_card(path)
    for name in (SPEC, *((TREES,) if card.way == "trees" else ()), *((ANOMALY,) if card.anomaly else ())):
        if name not in card.files:
            raise Damaged(f"the card in {path} has no fingerprint of {name}.", field=name)
    spec = specs.parse((path / SPEC).read_text(encoding="utf-8"))
    trees = (path / TREES).read_text(encoding="utf-8") if card.way == "trees" else None
    anomaly = AnomalyScorer(path / ANOMALY, card.anomaly) if card.anomaly else None
    return Artifact(card, spec, compile_plan(spec), trees, anomaly)


def odds_of(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """A score in [0, 1] as log-odds within ±16, the margin of a model that has no other."""
    p = np.clip(score, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(p) - np.log1p(-p))


@njit(cache=True, nogil=True)
def _add_up(
    margins: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    shift: NDArray[np.float64],
    base: float,
    delta: NDArray[np.float64],
    logit: NDArray[np.float64],
    value: NDArray[np.float64],
) -> None:
    """Margins to deltas; the logit *is* the sum of base and deltas from left to right, so it adds up to the bit."""
    for row in range(margins.shape[0]):
        total = base
        before = base
        for stage in range(margins.shape[1]):
            now = calibrated(margins[row, stage], low[stage], high[stage], shift[stage])
            delta[row, stage] = now - before
            total += delta[row, stage]
            before = now
        logit[row] = total
        value[row] = logistic(total)
