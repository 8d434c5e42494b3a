"""Scores, standings and the policy → answers, and the rows that keep them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact import Artifact, Scored
from tocsin.ledger import microseconds
from tocsin.ledger.record import AlertRow, DecisionRow, EventRow, LabelRow, Rows, TransactionRow
from tocsin.ledger.replay import Entry
from tocsin.ledger.standing import FREE, Standing
from tocsin.live.door import Arrival, Late
from tocsin.measure import Ruling, decide
from tocsin.measure.policy import Policy, answers_at
from tocsin.schema import AccountEvent, Decision, Label, Score, StageShare, Transaction

encode = msgspec.json.Encoder().encode


class Judged(NamedTuple):
    """What was decided about one payment: what is answered, and what the score alone says (for the alert)."""

    answered: Ruling
    by_score: Ruling
    value: float
    body: bytes


def answer_late(model: Artifact, payment: Transaction, *, stopped: bool, now: datetime) -> Late:
    """What is said when the deadline passes: the owner's choice, marked as such, without a score.

    Parameters
    ----------
    stopped : whether a freeze or block was known a moment ago; then it is declined, whatever the owner's choice.
    """
    ruling = decide(None, model.policy, frozen=stopped)
    decision = Decision(
        transaction_id=payment.id,
        number=0,
        action=ruling.action,
        code=ruling.code,
        score=None,
        reasons=(),
        model=model.version,
        decided_at=now,
        deadline_passed=True,
    )
    return Late(ruling, encode(decision))


class Judge:
    """Rules on the payments of one batch.

    Parameters
    ----------
    scored : one row a payment, in order.
    standings : account -> what stands against it, read in the write that keeps the decision.
    due_in : microseconds analysts have for an alert.
    """

    def __init__(
        self, model: Artifact, scored: Scored, standings: dict[str, Standing], *, now: datetime, due_in: int
    ) -> None:
        self._version = model.version
        self._policy: Policy = model.policy
        self._stages = model.stage_names
        self._base = scored.base
        self._values: list[float] = scored.value.tolist()
        self._logits: list[float] = scored.logit.tolist()
        self._deltas: list[list[float]] = scored.delta.tolist()
        self._exits: list[list[float]] | None = scored.exits.tolist() if self._policy.approve_below else None
        self._standings = standings
        self._now = now
        self._now_us = microseconds(now)
        self._due_in = due_in

    def judge(self, row: int, arrival: Arrival, payment: Transaction, number: int) -> Judged:
        """Decide one payment; its deadline may have passed, its accounts may be stopped."""
        payer = self._standings.get(payment.account, FREE)
        payee = self._standings.get(payment.payee, FREE) if payment.payee else FREE
        frozen, blocked = payer.frozen_out or payee.frozen_in, payer.blocked_out or payee.blocked_in
        score = self._score(row)
        by_score = decide(score.value, self._policy, frozen=frozen, blocked=blocked)
        if arrival.late is not None:  # that is what was said, and the ledger says the same
            return Judged(arrival.late.ruling, by_score, score.value, arrival.late.body)
        decision = Decision(
            transaction_id=payment.id,
            number=number,
            action=by_score.action,
            code=by_score.code,
            score=score,
            reasons=(),
            model=self._version,
            decided_at=self._now,
        )
        return Judged(by_score, by_score, score.value, encode(decision))

    def keep_payment(
        self,
        rows: Rows,
        entry: Entry,
        arrival: Arrival,
        payment: Transaction,
        judged: Judged,
        inputs: NDArray[np.float64],
        *,
        late: bool,
    ) -> None:
        """The rows of a payment, its decision and, if an analyst must hear of it, its alert."""
        rows.transactions.append(
            TransactionRow(
                entry.number,
                payment.id,
                arrival.content,
                arrival.at,
                self._now_us,
                payment.amount_minor,
                payment.currency,
                arrival.base_minor,
                payment.account,
                payment.payee,
                arrival.body,
                late,
            )
        )
        answered = judged.answered
        rows.decisions.append(
            DecisionRow(
                entry.number,
                answered.action.value,
                answered.code,
                answered.cause,
                judged.value,
                judged.body,
                self._version,
                self._now_us,
            )
        )
        if answered.rings or judged.by_score.rings:
            ringing = judged.by_score if judged.by_score.rings else answered
            rows.alerts.append(
                AlertRow(
                    entry.number,
                    payment.account,
                    arrival.at,
                    self._now_us,
                    self._now_us + self._due_in,
                    ringing.action.value,
                    judged.value,
                    round(judged.value * arrival.base_minor),
                    "",
                    inputs.tobytes(),
                )
            )

    def keep_event(self, rows: Rows, entry: Entry, arrival: Arrival, event: AccountEvent) -> None:
        """The row of an account event."""
        rows.events.append(
            EventRow(
                entry.number,
                event.id,
                arrival.content,
                arrival.at,
                self._now_us,
                event.kind.value,
                event.account,
                arrival.body,
            )
        )

    def keep_label(self, rows: Rows, entry: Entry, label: Label) -> None:
        """The row of a label."""
        rows.labels.append(LabelRow(entry.number, entry.of, label.finding.value, label.source, entry.at))

    def _score(self, row: int) -> Score:
        """The score with its shares; stages an early approval did not ask have none."""
        deltas, value, logit = self._deltas[row], self._values[row], self._logits[row]
        asked = len(deltas)
        if self._exits is not None:
            exits = self._exits[row]
            asked = answers_at(exits, self._policy)
            if asked < len(deltas):
                value, logit = exits[asked - 1], self._base
                for delta in deltas[:asked]:
                    logit += delta
        shares = tuple(
            StageShare(stage=name, delta=delta if place < asked else None)
            for place, (name, delta) in enumerate(zip(self._stages, deltas, strict=True))
        )
        return Score(value=value, logit=logit, base=self._base, stages=shares)
