"""What one bar offers: the acts, with the payments that a verdict may label."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.desk.chosen import choices
from tocsin.desk.model import Account, Alert, Investigation
from tocsin.desk.web.acts import Acts, acts_for, with_choices
from tocsin.desk.web.gate import Visit


def offered(
    visit: Visit,
    account: Account,
    back: str,
    *,
    alerts: Sequence[Alert] = (),
    others: Sequence[Alert] = (),
    investigation: Investigation | None = None,
) -> Acts:
    """What the visitor may do, as in ``acts_for``; the payments are read only where a verdict can be given."""
    acts = acts_for(visit.actor, account, back, alerts=alerts, others=others, investigation=investigation)
    if not acts.verdict_to:
        return acts
    found = choices(
        visit.desk.ledger,
        visit.actor,
        account.name,
        at=visit.now,
        alerts=acts.alerts,
        others=acts.others,
        investigation=acts.pending.id if acts.pending else None,
    )
    return with_choices(acts, found)
