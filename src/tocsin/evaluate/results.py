"""Scored payments with what became of them, and the numbers a head of fraud asks for.

Unknown outcomes stay in the count of alerts (an analyst would have seen them) and out of everything that needs truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.measure import metrics

Floats = NDArray[np.float64]
DAY_US = 86_400_000_000
BUDGETS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10000)


@dataclass(frozen=True, slots=True)
class Results:
    """Payments in order of time: what the model said, what the policy did, what was true.

    Parameters
    ----------
    at : int64[n], microseconds since 1970 UTC.
    amount : float64[n], major units of the base currency.
    truth : int8[n], 1 fraud, 0 genuine, -1 unknown.
    exits : float64[n, S], the calibrated score after each stage; the last column is the score.
    stages : the stages' names.
    stopped : bool[n], held for review or declined by the policy.
    entity : uint64[n], whom a payment belongs to (card, or account): whole entities are resampled, cards are counted.
    weight : float64[n], how many payments a row stands for.
    kind : object[n], the planted kind of fraud, when the truth is given; empty text for genuine.
    """

    at: NDArray[np.int64]
    amount: Floats
    truth: NDArray[np.int8]
    exits: Floats
    stages: tuple[str, ...]
    stopped: NDArray[np.bool_]
    entity: NDArray[np.uint64]
    weight: Floats
    kind: NDArray[np.object_] | None = None

    @property
    def score(self) -> Floats:
        """float64[n]: the score after the last stage."""
        return self.exits[:, -1]

    @property
    def days(self) -> float:
        """The span in days, at least one."""
        return max(1.0, float(self.at[-1] - self.at[0]) / DAY_US) if len(self.at) else 1.0

    def take(self, rows: NDArray[np.bool_]) -> Results:
        """The given rows."""
        return replace(
            self,
            at=self.at[rows],
            amount=self.amount[rows],
            truth=self.truth[rows],
            exits=self.exits[rows],
            stopped=self.stopped[rows],
            entity=self.entity[rows],
            weight=self.weight[rows],
            kind=None if self.kind is None else self.kind[rows],
        )

    @property
    def judged(self) -> Results:
        """Only the payments whose truth is known."""
        return self.take(self.truth >= 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one would catch by working through this many alerts a day: shares of the frauds and of their money."""

    alerts_a_day: float
    threshold: float
    frauds: float
    money: float
    precision: float


@dataclass(frozen=True, slots=True)
class Span:
    """A month, or a kind of fraud, or a stage: its name and what was measured there."""

    name: str
    payments: int
    frauds: int
    average_precision: float
    recall: float
    alerts_a_day: float


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the report shows, as numbers. Recall here is at 1 % false positives unless it says otherwise."""

    payments: int
    unknown: int
    frauds: int
    days: float
    first: int
    last: int
    fraud_rate: float
    roc_auc: metrics.Interval
    average_precision: metrics.Interval
    recall_at_1_percent: float
    card_precision_at_100: float
    brier: float
    log_loss: float
    calibration_error: float
    alerts_a_day: float
    caught: float
    precision: float
    money: metrics.Money
    curve: metrics.Curve
    reliability: metrics.Reliability
    budgets: tuple[Budget, ...]
    stages: tuple[Span, ...]
    months: tuple[Span, ...]
    kinds: tuple[Span, ...]


def find(results: Results, *, cost_per_alert: float = 0.0, rounds: int = 100) -> Findings:
    """Measure everything once.

    Parameters
    ----------
    cost_per_alert : what working through one alert costs, in the unit of the amounts.
    rounds : bootstrap draws for the intervals.

    Raises
    ------
    BadInput : no fraud, or nothing else, among the payments whose truth is known.
    """
    known = results.judged
    t, s, w = known.truth, known.score, known.weight
    if not (t == 1).any() or not (t == 0).any():
        raise BadInput(
            f"there must be both fraud and genuine payments to measure on; got {int((t == 1).sum())} frauds among "
            f"{len(t)} payments whose truth is known.",
            hint="Evaluate on a longer or a later span of data.",
        )
    alerts = float(results.weight[results.stopped].sum())
    fraud_weight, held = w * (t == 1), known.stopped
    return Findings(
        payments=len(results.truth),
        unknown=int((results.truth < 0).sum()),
        frauds=int((t == 1).sum()),
        days=results.days,
        first=int(results.at[0]),
        last=int(results.at[-1]),
        fraud_rate=float(fraud_weight.sum() / w.sum()),
        roc_auc=metrics.bootstrap(metrics.roc_auc, t, s, known.entity, w, rounds=rounds),
        average_precision=metrics.bootstrap(metrics.average_precision, t, s, known.entity, w, rounds=rounds),
        recall_at_1_percent=metrics.recall_at(t, s, 0.01, w),
        card_precision_at_100=metrics.card_precision(t, s, known.entity, known.at // DAY_US, 100),
        brier=metrics.brier(t, s, w),
        log_loss=metrics.log_loss(t, s, w),
        calibration_error=metrics.calibration_error(t, s, w),
        alerts_a_day=alerts / results.days,
        caught=float(fraud_weight[held].sum() / fraud_weight.sum()),
        precision=float(fraud_weight[held].sum() / max(w[held].sum(), 1e-12)),
        money=metrics.money(t, known.amount * w, held, cost_per_alert=cost_per_alert, alerts=alerts),
        curve=metrics.precision_recall(t, s, w),
        reliability=metrics.reliability(t, np.clip(s, 0, 1), w, bins=8),
        budgets=budgets(known),
        stages=_stages(known),
        months=_months(results),
        kinds=_kinds(known),
    )


def budgets(known: Results) -> tuple[Budget, ...]:
    """What each size of the analysts' day would have caught, with one threshold for the whole span."""
    order = np.argsort(-known.score, kind="stable")
    w, fraud = known.weight[order], (known.weight * (known.truth == 1))[order]
    total, found, lost = np.cumsum(w), np.cumsum(fraud), np.cumsum(fraud * known.amount[order])
    out = []
    for a_day in BUDGETS:
        last = int(np.searchsorted(total, a_day * known.days, side="right")) - 1
        if last < 0 or last >= len(w) - 1:
            continue
        out.append(
            Budget(
                alerts_a_day=float(a_day),
                threshold=float(known.score[order[last]]),
                frauds=float(found[last] / found[-1]),
                money=float(lost[last] / lost[-1]) if lost[-1] > 0 else 0.0,
                precision=float(found[last] / total[last]),
            )
        )
    return tuple(out)


def _stages(known: Results) -> tuple[Span, ...]:
    t, w = known.truth, known.weight
    return tuple(
        Span(
            name,
            len(t),
            int((t == 1).sum()),
            metrics.average_precision(t, known.exits[:, stage], w),
            metrics.recall_at(t, known.exits[:, stage], 0.01, w),
            0.0,
        )
        for stage, name in enumerate(known.stages)
    )


def _months(results: Results) -> tuple[Span, ...]:
    month = results.at.astype("datetime64[us]").astype("datetime64[M]")
    out = []
    for one in np.unique(month):
        part = results.take(month == one)
        known = part.judged
        frauds = int((known.truth == 1).sum())
        measured = frauds > 0 and frauds < len(known.truth)
        out.append(
            Span(
                str(one),
                len(part.truth),
                frauds,
                metrics.average_precision(known.truth, known.score, known.weight) if measured else float("nan"),
                float(known.stopped[known.truth == 1].mean()) if frauds else float("nan"),
                float(part.weight[part.stopped].sum()) / part.days,
            )
        )
    return tuple(out)


def _kinds(known: Results) -> tuple[Span, ...]:
    """Recall of each planted kind of fraud, at the policy; average precision of a kind is against genuine ones only."""
    if known.kind is None:
        return ()
    genuine = known.truth == 0
    out = []
    for name in sorted({str(k) for k in known.kind[known.truth == 1]}):
        here = (known.kind == name) & (known.truth == 1)
        rows = genuine | here
        out.append(
            Span(
                name.replace("_", " ") or "not told",
                int(here.sum()),
                int(here.sum()),
                metrics.average_precision(here[rows], known.score[rows], known.weight[rows]),
                float(known.stopped[here].mean()),
                0.0,
            )
        )
    return tuple(sorted(out, key=lambda span: -span.recall))
