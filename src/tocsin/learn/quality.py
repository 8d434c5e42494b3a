"""What a new model does on the payments it never saw: the few numbers that go on its card and into the summary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact import Artifact
from tocsin.artifact.model import Scored
from tocsin.learn.contract import UNKNOWN, Examples
from tocsin.measure.budget import DAY
from tocsin.measure.early import EarlyAnswers, early_answers, stages_asked
from tocsin.measure.metrics import average_precision, recall_at, roc_auc


@dataclass(frozen=True, slots=True)
class Exit:
    """How well the score after one stage ranks."""

    stage: str
    trees: int
    roc_auc: float
    average_precision: float
    recall_at_1_percent: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Measured on held-out payments whose label is known, by the model as it ships, with its own thresholds.

    ``precision`` and ``recall`` are those of everything that rings; ``caught`` is the share of the frauds' money that
    rings, ``expected`` the mean score, to be compared with ``rate``; ``early`` what its early approvals did, if it has any.
    """

    payments: int
    frauds: int
    days: float
    rate: float
    expected: float
    exits: tuple[Exit, ...]
    alerts_a_day: float
    precision: float
    recall: float
    caught: float
    declined: float
    early: EarlyAnswers | None = None

    def facts(self) -> dict[str, float]:
        """The numbers by name, for the card."""
        last = self.exits[-1]
        facts = {
            "payments": float(self.payments),
            "frauds": float(self.frauds),
            "days": self.days,
            "fraud_rate": self.rate,
            "mean_score": self.expected,
            "roc_auc": last.roc_auc,
            "average_precision": last.average_precision,
            "recall_at_1_percent": last.recall_at_1_percent,
            "alerts_a_day": self.alerts_a_day,
            "precision": self.precision,
            "recall": self.recall,
            "money_caught": self.caught,
            "declined_share_of_alerts": self.declined,
        }
        for number, stage in enumerate(self.exits, start=1):
            facts[f"stage_{number}_average_precision"] = stage.average_precision
            facts[f"stage_{number}_roc_auc"] = stage.roc_auc
        if self.early is not None:
            facts["early_traffic"] = self.early.traffic
            facts["early_lookups_saved"] = self.early.lookups_saved
            facts["early_lost"] = self.early.lost
            facts["early_lost_money"] = self.early.lost_money
        return {name: round(float(value), 6) for name, value in facts.items()}


def quality(model: Artifact, held_out: Examples, scored: Scored) -> Quality | None:
    """Measure a model on held-out rows; ``None`` where these hold no known fraud or no known genuine payment.

    Parameters
    ----------
    scored : what the model says of them.
    """
    known = held_out.label != UNKNOWN
    if len(np.unique(held_out.label[known])) < 2:
        return None
    weight = np.ones(len(held_out)) if held_out.weight is None else held_out.weight
    truth, mass = held_out.label[known], weight[known]
    exits = scored.exits
    measured = tuple(
        Exit(
            stage.name,
            stage.trees,
            roc_auc(truth, exits[known, s], mass),
            average_precision(truth, exits[known, s], mass),
            recall_at(truth, exits[known, s], 0.01, mass),
        )
        for s, stage in enumerate(model.card.stages)
    )
    policy = model.policy
    rings = (scored.value >= policy.review_at) & (stages_asked(exits, policy) == exits.shape[1])
    fraud = truth == 1
    money = held_out.amount[known] * mass
    days = max(1.0, float(held_out.at[-1] - held_out.at[0]) / DAY)
    return Quality(
        payments=len(held_out),
        frauds=int(fraud.sum()),
        days=days,
        rate=float(np.average(fraud, weights=mass)),
        expected=float(np.average(scored.value[known], weights=mass)),
        exits=measured,
        alerts_a_day=float(weight[rings].sum()) / days,
        precision=_share(mass[fraud & rings[known]].sum(), mass[rings[known]].sum()),
        recall=_share(mass[fraud & rings[known]].sum(), mass[fraud].sum()),
        caught=_share(money[fraud & rings[known]].sum(), money[fraud].sum()),
        declined=_share(weight[rings & (scored.value >= policy.decline_at)].sum(), weight[rings].sum()),
        early=_early(model, held_out, exits),
    )


def _early(model: Artifact, rows: Examples, exits: NDArray[np.float64]) -> EarlyAnswers | None:
    if not model.policy.approve_below:
        return None
    columns = [stage.columns for stage in model.card.stages]
    return early_answers(
        exits, rows.label, rows.amount, model.policy, stages=model.stage_names, columns=columns, weight=rows.weight
    )


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
