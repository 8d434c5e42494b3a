"""Replay the past: at each origin learn from what was known by then, then decide what came after, as if it had been live.

The features are computed once: they never look ahead, so those of a payment are the same from every later origin.
Thresholds are those the budget gave at that moment; decisions are taken by the function that decides live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.anomaly import AnomalyScorer
from tocsin.artifact.model import TREES, Artifact
from tocsin.errors import BadInput
from tocsin.evaluate.replay import Told, join, results_of
from tocsin.evaluate.results import Results
from tocsin.features import Plan
from tocsin.learn.contract import Examples
from tocsin.learn.transactions import Learned, Recipe, learn
from tocsin.spec import Spec


@dataclass(frozen=True, slots=True)
class Round:
    """One origin: when (microseconds UTC), what was learned from, the threshold of that moment, and what came after."""

    cut: int
    learned_rows: int
    learned_frauds: int
    review_at: float
    results: Results


@dataclass(frozen=True, slots=True)
class Backtest:
    """Every round, and the origins at which nothing could be learned, with the reason."""

    rounds: tuple[Round, ...]
    skipped: tuple[tuple[int, str], ...]

    @property
    def results(self) -> Results:
        """All rounds as one stretch of time."""
        return join([one.results for one in self.rounds])


def backtest(
    examples: Examples,
    entity: NDArray[np.uint64],
    spec: Spec,
    plan: Plan,
    recipe: Recipe,
    *,
    every: timedelta,
    first: int | None = None,
    kind: NDArray[np.object_] | None = None,
    told: Told = lambda _what, _share: None,
) -> Backtest:
    """Walk forward.

    Parameters
    ----------
    examples : all payments in order of time, with their final labels and when those became known.
    entity : uint64[n], whom each payment belongs to.
    recipe : how to learn; nothing is held out, because what comes after each origin is.
    every : how long a model serves before the next is learned.
    first : the first origin, microseconds UTC; by default after a third of the span, or one ``every`` if longer.
    kind : object[n], the planted kinds, if known.

    Raises
    ------
    BadInput : no origin had frauds enough to learn from.
    """
    begin, end = int(examples.at[0]), int(examples.at[-1])
    step = every // timedelta(microseconds=1)
    cut = first if first is not None else begin + max(step, (end - begin) // 3)
    if step <= 0 or cut > end:
        raise BadInput(
            f"the first model must be made before the last payment; the data spans {(end - begin) / 8.64e10:.1f} days.",
            field="--every",
            hint="Use a shorter --every, or more data.",
        )
    total = -(-(end + 1 - cut) // step)
    rounds: list[Round] = []
    skipped: list[tuple[int, str]] = []
    for number in range(total):
        told(f"origin {number + 1} of {total}", number / total)
        try:
            learned = _learn_at(examples, cut, spec, plan, recipe)
        except BadInput as error:
            skipped.append((cut, str(error)))
        else:
            rows = (examples.at >= cut) & (examples.at < cut + step)
            if rows.any():
                rounds.append(_round(learned, examples, entity, kind, rows, cut, spec, plan))
        cut += step
    if not rounds:
        raise BadInput(
            f"nothing could be learned at any of {total} origins; the last said: {skipped[-1][1]}"
            if skipped
            else "no payment came after any origin.",
            field="data",
        )
    return Backtest(tuple(rounds), tuple(skipped))


def _learn_at(examples: Examples, cut: int, spec: Spec, plan: Plan, recipe: Recipe) -> Learned:
    """What `tocsin learn` would have made at that moment: later payments are not there, later labels not known."""
    past = examples.as_known_at(cut)
    if not len(past):
        raise BadInput("no payment came before this origin.", field="data")
    return learn(past, spec, plan, replace(recipe, held_out=0.0))


def _round(
    learned: Learned,
    examples: Examples,
    entity: NDArray[np.uint64],
    kind: NDArray[np.object_] | None,
    rows: NDArray[np.bool_],
    cut: int,
    spec: Spec,
    plan: Plan,
) -> Round:
    card, files = learned.card, learned.files
    anomaly = None
    if card.anomaly is not None:
        anomaly = AnomalyScorer(next(files[n] for n in files if n.endswith(".onnx")), card.anomaly)
    model = Artifact(card, spec, plan, files[TREES].decode() if TREES in files else None, anomaly)
    results = results_of(model, examples.take(rows), entity[rows], kind=None if kind is None else kind[rows])
    return Round(cut, card.learned.trees_rows, card.learned.frauds, card.policy.review_at, results)
