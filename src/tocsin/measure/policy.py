"""Score → approve, review, decline. Pure, and the same function for backtest and live.

The code that goes to the payment system is neutral: a customer who reads it learns neither a score, nor whether a
person looks at the account, nor whether a freeze stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from tocsin.errors import BadInput
from tocsin.schema import Action

Cause = Literal["score", "freeze", "block", "deadline"]

NEVER = 2.0
"""A threshold no score reaches: scores end at 1."""

CODES: dict[Action, str] = {
    Action.APPROVE: "approved",
    Action.REVIEW: "held_for_review",
    Action.DECLINE: "not_permitted",
}
"""What the payment system may show. A decline by score, by freeze and by block all read alike, on purpose."""


class Ruling(NamedTuple):
    """What to do with one payment: the action, the neutral code to answer, and the cause that stays inside."""

    action: Action
    code: str
    cause: Cause

    @property
    def rings(self) -> bool:
        """Whether an analyst hears of it: review and decline by score do, a decline by freeze or block does not."""
        return self.cause in ("score", "deadline") and self.action is not Action.APPROVE


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's choice of what follows from a score.

    Parameters
    ----------
    review_at : a score of at least this goes to an analyst.
    decline_at : a score of at least this is declined (and goes to an analyst too); ``NEVER`` by default.
    on_deadline : approve or review, the answer when no score came in time.
    approve_below : for each stage but the last, a score of its exit below which the payment is approved without
        asking the later stages; empty = every stage is always asked.
    """

    review_at: float
    decline_at: float = NEVER
    on_deadline: Action = Action.REVIEW
    approve_below: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.review_at <= self.decline_at <= NEVER:
            raise BadInput(
                "thresholds must be in order, 0 <= review_at <= decline_at; "
                f"got {self.review_at:g} and {self.decline_at:g}.",
                field="policy",
                hint=f"Use {NEVER:g} for a threshold that nothing reaches.",
            )
        if self.on_deadline not in _LATE:
            raise BadInput(
                f"the answer at the deadline must be approve or review; got {self.on_deadline}.",
                field="policy.on_deadline",
                hint="Nobody is declined because a machine was slow.",
            )
        if any(not 0 <= limit <= self.review_at for limit in self.approve_below):
            raise BadInput(
                "an early approval must stay below review_at; "
                f"got {', '.join(f'{limit:g}' for limit in self.approve_below)} against {self.review_at:g}.",
                field="policy.approve_below",
            )


def decide(
    value: float | None,
    policy: Policy,
    *,
    frozen: bool = False,
    blocked: bool = False,
) -> Ruling:
    """Judge one payment.

    Parameters
    ----------
    value : the score in [0, 1], higher is more suspicious; ``None`` when none came before the deadline.
    frozen, blocked : whether a freeze or block stands against the payer (outgoing) or the payee (incoming).

    Returns
    -------
    Ruling : a block wins over a freeze, a freeze over any score, whatever the score.

    Examples
    --------
    >>> decide(0.4, Policy(review_at=0.3)).action
    <Action.REVIEW: 'review'>
    >>> decide(0.01, Policy(review_at=0.3), frozen=True)
    Ruling(action=<Action.DECLINE: 'decline'>, code='not_permitted', cause='freeze')
    """
    if blocked:
        return _BLOCKED
    if frozen:
        return _FROZEN
    if value is None:
        return _LATE[policy.on_deadline]
    if value >= policy.decline_at:
        return _DECLINED
    if value >= policy.review_at:
        return _REVIEWED
    if value == value:
        return _APPROVED
    raise BadInput("a score must be a number in [0, 1]; got NaN.", field="value")


def decide_all(values: Iterable[float], policy: Policy) -> list[Ruling]:
    """Judge many payments by :func:`decide`, none of them frozen or blocked."""
    return [decide(value, policy) for value in values]


def answers_at(exits: Sequence[float], policy: Policy) -> int:
    """How many stages were needed: the first whose exit lies below its limit of early approval, else all of them.

    Parameters
    ----------
    exits : the calibrated score after each stage, in order.
    """
    for stage, (score, limit) in enumerate(zip(exits, policy.approve_below, strict=False), start=1):
        if score < limit:
            return stage
    return len(exits)


_APPROVED = Ruling(Action.APPROVE, CODES[Action.APPROVE], "score")
_REVIEWED = Ruling(Action.REVIEW, CODES[Action.REVIEW], "score")
_DECLINED = Ruling(Action.DECLINE, CODES[Action.DECLINE], "score")
_FROZEN = Ruling(Action.DECLINE, CODES[Action.DECLINE], "freeze")
_BLOCKED = Ruling(Action.DECLINE, CODES[Action.DECLINE], "block")
_LATE: dict[Action, Ruling] = {
    action: Ruling(action, CODES[action], "deadline") for action in (Action.APPROVE, Action.REVIEW)
}
