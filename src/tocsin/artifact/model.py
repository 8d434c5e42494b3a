"""A model as it is shipped: read from its directory, checked, and ready to score."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin import spec as specs
from tocsin.artifact.anomaly import ANOMALY, AnomalyScorer
from tocsin.artifact.anomaly import NAME as ANOMALY_COLUMN
from tocsin.artifact.card import Card, read_card
from tocsin.artifact.network import (
    NETWORK,
    NETWORK_LINE,
    SURPRISE,
    SURPRISES,
    NetworkScorer,
    SurpriseScorer,
    tokens_of,
)
from tocsin.artifact.past import network_note, surprise_notes
from tocsin.artifact.reasons import reasons_of, why_of
from tocsin.artifact.seal import CARD
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
_READ = {SPEC, TREES, ANOMALY, SURPRISE, NETWORK}
"""The rest of a model's files are for learning on."""
_NO_TOKENS = np.zeros((0, 1), dtype=np.int64)


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
    inputs : the names of the model's columns: ``plan.names``, then what scores without labels, where the model uses it:
        ``anomaly``, ``surprise`` and its means.
    """

    def __init__(
        self,
        card: Card,
        spec: Spec,
        plan: Plan,
        trees: str | None,
        anomaly: AnomalyScorer | None,
        surprise: SurpriseScorer | None = None,
        network: NetworkScorer | None = None,
    ) -> None:
        self.card = card
        self.spec = spec
        self.plan = plan
        self._text = trees
        self._anomaly = anomaly
        self._surprise = surprise
        self._network = network
        self._trees: Trees | None = read_trees(trees) if trees is not None else None
        self._explainer: Explainer | None = None
        self._lock = threading.Lock()
        self._check()
        calibrations = [stage.calibration for stage in card.stages]
        self._low = np.array([c.low for c in calibrations])
        self._high = np.array([c.high for c in calibrations])
        self._shift = np.array([c.shift for c in calibrations])
        self._ends = np.array([stage.trees for stage in card.stages], dtype=np.int64)
        self._warm()

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
        """float64[n, stages]: the log-odds after each stage, trees and network together, before the stages' calibration."""
        columns, tokens = self._read(matrix)
        if self._trees is None:
            return odds_of(columns[:, -1:])
        margins = self._walk(columns)
        return margins if self._network is None else self._network(columns, margins, tokens)

    def columns(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, len(inputs)]: the kernel's columns without the last payments, then what scores without labels."""
        return self._read(matrix)[0]

    def _walk(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, stages]: the trees' own margins."""
        trees = self._trees
        assert trees is not None
        out = np.empty((len(columns), len(self._ends)))
        walk(trees.nodes, trees.bits, trees.leaves, trees.roots, self._ends, columns, out)
        return out

    def _read(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The kernel's rows as the model's columns, and the last payments as tokens where anything reads them."""
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.plan.width:
            raise BadInput(
                f"rows must have the {self.plan.width} columns of the model's plan; got shape {rows.shape}.",
                field="matrix",
            )
        own = len(self.plan.names)
        tokens = _NO_TOKENS
        if self._surprise is not None or self._network is not None:
            tokens = tokens_of(rows, own) if self.plan.history else np.zeros((len(rows), 1), dtype=np.int64)
        if len(self.inputs) == self.plan.width == own:
            return rows, tokens
        columns = np.empty((len(rows), len(self.inputs)))
        columns[:, :own] = rows[:, :own]
        if self._anomaly is not None:
            columns[:, own] = self._anomaly(rows)
        if self._surprise is not None:
            columns[:, -len(SURPRISES) :] = self._surprise(tokens)
        return columns, tokens

    def shares(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Each column's share of each stage, after calibration; the network's own share is the last.

        Returns
        -------
        usual : float64[stages], what every payment gets from the stage.
        share : float64[n, stages, len(lines)]; ``usual[s] + share[i, s].sum()`` is the delta of stage s, within 1e-9.
        """
        columns, tokens = self._read(matrix)
        if self._trees is None:
            return np.zeros(1), np.zeros((len(columns), 1, len(self.inputs)))
        return self._divide(columns, tokens, self._walk(columns))

    @property
    def lines(self) -> tuple[str, ...]:
        """What has a share of a stage: the columns, and the network where there is one."""
        return self.inputs if self._network is None else (*self.inputs, NETWORK_LINE)

    def _divide(
        self, columns: NDArray[np.float64], tokens: NDArray[np.int64], margins: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        network = None
        if self._network is not None:
            added = self._network(columns, margins, tokens) - self._network.start(margins)[0]
            network = self._network.card.trees, added
        curves = [stage.calibration for stage in self.card.stages]
        return divide(self._explain(), columns, self._ends.tolist(), curves, self.card.base, network)

    def reasons(self, matrix: NDArray[np.float64], top: int = 3) -> list[tuple[Reason, ...]]:
        """For each row what raised its score most, in words, the strongest first."""
        columns, tokens = self._read(matrix)
        if self._trees is None:
            share, notes = self._without(columns), [dict[str, str]() for _ in columns]
        else:
            margins = self._walk(columns)
            share = self._divide(columns, tokens, margins)[1]
            notes = self._notes(columns, tokens, margins)
        return [
            reasons_of(self.spec, self.plan, self.lines, self.stage_names, row, shares, top, told)
            for row, shares, told in zip(columns, share, notes, strict=True)
        ]

    def _notes(
        self, columns: NDArray[np.float64], tokens: NDArray[np.int64], margins: NDArray[np.float64]
    ) -> list[dict[str, str]]:
        """For each row what the networks themselves say about their lines; the words for it are elsewhere."""
        notes: list[dict[str, str]] = [{} for _ in columns]
        if self._surprise is not None:
            notes = surprise_notes(self._surprise, columns[:, -len(SURPRISES) :], tokens)
        if self._network is not None:
            for i, note in enumerate(notes):
                note[NETWORK_LINE] = network_note(self._network, columns[i], margins[i], tokens[i])
        return notes

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

    def _warm(self) -> None:
        """Score one row of which nothing is known, so that no payment waits for compiled code to be loaded."""
        if not np.isfinite(self.score(np.full((1, self.plan.width), np.nan)).logit).all():
            raise Damaged("a payment of which nothing is known must get a finite score; it gets none.", field=CARD)

    def _check(self) -> None:
        """A card that passed its fingerprint may still not fit its trees or this plan; say so before scoring."""
        card, names = self.card, self.plan.names
        if card.plan != self.plan.fingerprint or card.inputs[: len(names)] != names:
            raise Damaged(
                "the spec in the model compiles to other features than those it learned from.",
                field=SPEC,
                hint="This Tocsin computes features differently; learn the model again.",
            )
        more: tuple[str, ...] = (ANOMALY_COLUMN,) if self._anomaly is not None else ()
        more += SURPRISES if self._surprise is not None else ()
        if card.inputs[len(names) :] != more:
            raise Damaged("the card names columns that neither the spec nor a score without labels gives.", field=CARD)
        for name, kept in ((SURPRISE, self._surprise), (NETWORK, self._network)):
            if kept is not None and kept.card.history != self.plan.history:
                raise Damaged(
                    f"it reads {kept.card.history} payments of the past; the spec keeps {self.plan.history}.",
                    field=name,
                )
        if (card.way == "network") != (self._network is not None) or (
            card.network is not None and len(card.network.trees) != len(card.stages)
        ):
            raise Damaged(
                "the card must tell of a network with as many stages as the trees; it does not.", field=NETWORK
            )
        if self._trees is None:
            if card.way != "anomaly" or self._anomaly is None or len(card.stages) != 1 or self._surprise is not None:
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
    parts = {TREES: card.way != "anomaly", ANOMALY: card.anomaly, SURPRISE: card.surprise, NETWORK: card.network}
    for name in (SPEC, *(name for name, there in parts.items() if there)):
        if name not in card.files:
            raise Damaged(f"the card in {path} has no fingerprint of {name}.", field=name)
    return made_of(card, {name: (path / name).read_bytes() for name in card.files if name in _READ})


def made_of(card: Card, files: Mapping[str, bytes], spec: Spec | None = None, plan: Plan | None = None) -> Artifact:
    """A model of a card and the content of its files, written or not.

    Parameters
    ----------
    spec, plan : where they are at hand, so that they are not made again.

    Raises
    ------
    Damaged : a file does not fit the card; its name is in the message.
    """
    spec = spec or specs.parse(files[SPEC].decode("utf-8"))
    return Artifact(
        card,
        spec,
        plan or compile_plan(spec),
        files[TREES].decode("utf-8") if TREES in files else None,
        AnomalyScorer(files[ANOMALY], card.anomaly) if card.anomaly else None,
        SurpriseScorer(files[SURPRISE], card.surprise) if card.surprise else None,
        NetworkScorer(files[NETWORK], card.network, len(card.inputs)) if card.network else None,
    )


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
