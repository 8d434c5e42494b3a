"""What the forms do: each takes its fields, calls one action, and says on the next page what was done."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from tocsin.desk import actions
from tocsin.desk.model import Direction, Outcome
from tocsin.desk.web.acts import LABELLING
from tocsin.desk.web.desk import Desk
from tocsin.desk.web.gate import Visit, route, whole
from tocsin.desk.web.words import count
from tocsin.errors import BadInput, Conflict


def judge(visit: Visit) -> Response:
    """A verdict on new alerts, straight from the queue or the account."""
    closed = actions.judge_alerts(
        visit.desk.ledger,
        visit.actor,
        at=visit.now,
        alerts=_alerts(visit),
        outcome=_outcome(visit),
        reason_code=visit.text("reason_code"),
        note=visit.text("note"),
        payments=_payments(visit),
    )
    return visit.go(visit.back(), _told(closed), title=_title(closed))


def finalise(visit: Visit) -> Response:
    """A verdict on a pending investigation."""
    closed = actions.finalise(
        visit.desk.ledger,
        visit.actor,
        at=visit.now,
        investigation=_id(visit),
        outcome=_outcome(visit),
        reason_code=visit.text("reason_code"),
        note=visit.text("note"),
        payments=_payments(visit),
    )
    return visit.go(visit.back(), _told(closed), title=_title(closed))


def mistake(visit: Visit) -> Response:
    """Close an investigation that should not have been opened."""
    closed = actions.finalise_as_mistake(
        visit.desk.ledger, visit.actor, at=visit.now, investigation=_id(visit), reason=visit.text("text")
    )
    return visit.go(visit.back(), _told(closed), title=f"Investigation {closed.investigation.id} was a mistake")


def reopen(visit: Visit) -> Response:
    """Make a final investigation pending again."""
    one = actions.reopen(
        visit.desk.ledger, visit.actor, at=visit.now, investigation=_id(visit), reason=visit.text("text")
    )
    return visit.go(
        visit.back(),
        "No freeze came back with it; freeze again if money must stop.",
        title=f"Investigation {one.id} is pending again",
    )


def assign(visit: Visit) -> Response:
    """Give a pending investigation to somebody else."""
    to = visit.text("to")
    one = actions.assign(
        visit.desk.ledger, visit.actor, at=visit.now, investigation=_id(visit), to=to, reason=visit.text("text")
    )
    return visit.go(visit.back(), f"Investigation {one.id} is {to}'s now.")


def open_(visit: Visit) -> Response:
    """Begin an investigation, of new alerts or of the account itself."""
    alerts = _alerts(visit, needed=False)
    one = actions.open_investigation(
        visit.desk.ledger,
        visit.actor,
        at=visit.now,
        subject=visit.text("text"),
        alerts=alerts,
        account=visit.text("account") or None,
    )
    joined = f" with {count(len(alerts), 'alert')}" if alerts else ""
    return visit.go(visit.back(), f"Investigation {one.id} is pending{joined}, and yours.")


def freeze(visit: Visit) -> Response:
    """Stop the account's money until everything pending is final."""
    alerts = _alerts(visit, needed=False)
    made = actions.freeze(
        visit.desk.ledger,
        visit.actor,
        at=visit.now,
        direction=_direction(visit),
        reason=visit.text("reason"),
        account=visit.text("account") or None,
        alerts=alerts,
    )
    waits = " and ".join(str(one) for one in made.investigations)
    noun = "investigation" if len(made.investigations) == 1 else "investigations"
    return visit.go(
        visit.back(),
        f"It lifts by itself when {noun} {waits} {'is' if len(made.investigations) == 1 else 'are'} final.",
        title=f"{made.account} is frozen, {made.direction.words}",
    )


def dismiss(visit: Visit) -> Response:
    """Put one alert aside."""
    one = actions.dismiss_alert(
        visit.desk.ledger, visit.actor, at=visit.now, alert=_id(visit), reason=visit.text("text")
    )
    return visit.go(visit.back(), f"Alert {one.id} is dismissed.")


def dismiss_many(visit: Visit) -> Response:
    """Put the selected alerts aside, each by its own act; those that cannot be are named."""
    wanted = list(dict.fromkeys(whole(text, "alert") for text in visit.form.get("alert", [])))
    if not wanted:
        raise BadInput("at least one alert must be selected; got none.", hint="X selects the chosen row.")
    refused = []
    for one in wanted:
        try:
            actions.dismiss_alert(visit.desk.ledger, visit.actor, at=visit.now, alert=one, reason=visit.text("text"))
        except Conflict as error:
            refused.append(error.message)
    done = f"{count(len(wanted) - len(refused), 'alert')} dismissed."
    return visit.go(visit.back(), " ".join([done, *refused]), kind="refused" if refused else "done")


def note(visit: Visit) -> Response:
    """Write down what was found."""
    investigation = visit.text("investigation")
    actions.note(
        visit.desk.ledger,
        visit.actor,
        at=visit.now,
        account=visit.text("account"),
        text=visit.text("text"),
        investigation=whole(investigation, "investigation") if investigation else None,
    )
    return visit.go(visit.back(), "The note is on the account's timeline.")


def ask(visit: Visit) -> Response:
    """Ask that a block be lifted."""
    one = actions.ask_to_lift_block(
        visit.desk.ledger, visit.actor, at=visit.now, block=_id(visit), reason=visit.text("text")
    )
    return visit.go(visit.back(), f"A senior other than you lifts block {one.id} or refuses; until then it stands.")


def lift(visit: Visit) -> Response:
    """Lift a block somebody else asked about."""
    one = actions.lift_block(visit.desk.ledger, visit.actor, at=visit.now, block=_id(visit), reason=visit.text("text"))
    return visit.go(visit.back(), f"Block {one.id} is lifted: money of {one.account} moves again.")


def refuse(visit: Visit) -> Response:
    """Keep a block somebody asked about."""
    one = actions.refuse_to_lift(
        visit.desk.ledger, visit.actor, at=visit.now, block=_id(visit), reason=visit.text("text")
    )
    return visit.go(visit.back(), f"Block {one.id} stays.")


def routes(desk: Desk) -> list[BaseRoute]:
    """Every address a form is sent to."""
    forms = {
        "/alerts/verdict": judge,
        "/alerts/{id}/dismiss": dismiss,
        "/queue/dismiss": dismiss_many,
        "/investigations": open_,
        "/investigations/{id}/verdict": finalise,
        "/investigations/{id}/mistake": mistake,
        "/investigations/{id}/reopen": reopen,
        "/investigations/{id}/assign": assign,
        "/accounts/freeze": freeze,
        "/notes": note,
        "/blocks/{id}/ask": ask,
        "/blocks/{id}/lift": lift,
        "/blocks/{id}/refuse": refuse,
    }
    return [route(desk, path, do=do) for path, do in forms.items()]


def _id(visit: Visit) -> int:
    return whole(visit.place("id"), "id")


def _alerts(visit: Visit, *, needed: bool = True) -> list[int]:
    texts = [*visit.text("alerts").split(","), *visit.text("also").split(",")]
    found = [whole(one, "alerts") for one in dict.fromkeys(texts) if one]
    if needed and not found:
        raise BadInput("a verdict must be on at least one alert; got none.", field="alerts")
    return found


def _payments(visit: Visit) -> list[int] | None:
    """The ticked payments, with those of the alerts taken along; ``None`` when the form let nobody choose."""
    if not visit.text("choose"):
        return None
    along = visit.text("along").split(",") if visit.text("also") else []
    return [whole(one, "payment") for one in [*visit.form.get("payment", []), *along] if one]


def _outcome(visit: Visit) -> Outcome:
    text = visit.text("outcome")
    if text not in (Outcome.GENUINE, Outcome.FRAUD, Outcome.INCONCLUSIVE):
        raise BadInput(f"a verdict must be genuine, fraud or inconclusive; got {text[:20]!r}.", field="outcome")
    return Outcome(text)


def _direction(visit: Visit) -> Direction:
    text = visit.text("direction")
    if text not in list(Direction):
        raise BadInput(f"a direction must be in, out or both; got {text[:20]!r}.", field="direction")
    return Direction(text)


def _title(closed: actions.Closed) -> str:
    verdict = closed.investigation.verdict
    assert verdict is not None  # it was closed a moment ago
    return f"Investigation {closed.investigation.id} is final: {verdict.outcome}"


def _told(closed: actions.Closed) -> str:
    """What the verdict changed, for the line at the top."""
    name = closed.investigation.account
    parts = []
    if closed.blocks:
        ways = " and ".join(dict.fromkeys(one.direction.words for one in closed.blocks))
        parts.append(f"The freeze of {name} has ended and a block stands in its place: {ways}.")
    elif closed.ended:
        parts.append(f"{name} is released: that was the last pending investigation.")
    if closed.labels:
        parts.append(f"{count(closed.labels, 'payment')} labelled for the next model.")
    elif closed.investigation.verdict and closed.investigation.verdict.outcome in LABELLING:
        parts.append("No payment was labelled.")
    return " ".join(parts) or "Nothing else changed."
