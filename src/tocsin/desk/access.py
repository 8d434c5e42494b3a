"""Who may do what: one table, every deed against every role.

Whoever may not, cannot: every function of ``actions``, ``people`` and ``reads`` asks here first, before it looks at
anything. The service role scores payments and has no desk. Nobody, administrators included, has a deed that lifts a
freeze: only verdicts do.
"""

from __future__ import annotations

from enum import StrEnum

from tocsin.desk.model import Actor, Role
from tocsin.errors import NotAllowed


class Deed(StrEnum):
    """What somebody may want to do at the desk, in words that complete "you may not ..."."""

    READ_CASES = "read cases"
    READ_AUDIT = "read the audit"
    READ_PEOPLE = "see the people of the desk"
    TAKE_ALERT = "take alerts"
    DISMISS_ALERT = "dismiss alerts"
    INVESTIGATE = "open investigations"
    ASSIGN = "assign investigations"
    NOTE = "write notes"
    FREEZE = "freeze accounts"
    FINALISE = "give verdicts"
    REOPEN = "reopen investigations"
    ASK_TO_LIFT = "ask to lift a block"
    LIFT = "lift or refuse to lift a block"
    MANAGE_PEOPLE = "manage people"


_ANALYST, _SENIOR, _ADMIN, _AUDITOR = Role.ANALYST, Role.SENIOR, Role.ADMIN, Role.AUDITOR
_WORKS = frozenset((_ANALYST, _SENIOR))
_READS = frozenset((_ANALYST, _SENIOR, _ADMIN, _AUDITOR))

MAY: dict[Deed, frozenset[Role]] = {
    Deed.READ_CASES: _READS,
    Deed.READ_AUDIT: frozenset((_SENIOR, _ADMIN, _AUDITOR)),
    Deed.READ_PEOPLE: _READS,
    Deed.TAKE_ALERT: _WORKS,
    Deed.DISMISS_ALERT: _WORKS,
    Deed.INVESTIGATE: _WORKS,
    Deed.ASSIGN: _WORKS,
    Deed.NOTE: _WORKS,
    Deed.FREEZE: _WORKS,
    Deed.FINALISE: _WORKS,
    Deed.REOPEN: _WORKS,
    Deed.ASK_TO_LIFT: _WORKS,
    Deed.LIFT: frozenset((_SENIOR,)),
    Deed.MANAGE_PEOPLE: frozenset((_ADMIN,)),
}
"""Who may do what; a role that is not named may not."""


def may(actor: Actor, deed: Deed) -> bool:
    """Whether this actor may do this; for pages that show only what can be done."""
    return actor.role in MAY[deed]


def require(actor: Actor, deed: Deed) -> None:
    """Go on only if the actor may.

    Raises
    ------
    NotAllowed : names the deed, the role, and who may.
    """
    if not may(actor, deed):
        roles = " or ".join(sorted(MAY[deed]))
        raise NotAllowed(f"to {deed} one must be {roles}; you are {actor.role}.", hint="Ask one of them.")
