"""What can be done here and now, and what each thing will do, said before it is done.

The rules are the model's; this page only asks it ("what would this verdict change?") and puts the answer in a sentence.
What cannot be done is not offered; who tries anyway is refused by the model in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tocsin.desk.access import Deed, may
from tocsin.desk.chosen import Choices
from tocsin.desk.model import Account, Actor, Alert, Block, Direction, Investigation, Outcome, consequence

VERDICTS = (
    (Outcome.GENUINE, "g", "Genuine"),
    (Outcome.FRAUD, "f", "Fraud"),
    (Outcome.INCONCLUSIVE, "i", "Inconclusive"),
)
LABELLING = (Outcome.GENUINE, Outcome.FRAUD)
NO_LABEL = "It labels nothing for the next model."


@dataclass(frozen=True, slots=True)
class Acts:
    """Everything one bar offers. Addresses are empty where a thing cannot be done.

    ``does`` maps an outcome to what that verdict would do; ``freeze`` is a list of (direction, what it would do);
    ``choices`` are the payments a verdict of fraud or genuine may label, ``unlabelled`` what to say when none is ticked.
    """

    may_work: bool
    back: str
    on: str = ""
    verdict_to: str = ""
    does: dict[Outcome, str] = field(default_factory=dict)
    freeze: tuple[tuple[str, str], ...] = ()
    alerts: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    dismiss_to: str = ""
    pending: Investigation | None = None
    final: Investigation | None = None
    may_open: bool = False
    ask: tuple[Block, ...] = ()
    answer: tuple[Block, ...] = ()
    will: str = ""
    choices: Choices | None = None
    unlabelled: str = ""


def acts_for(
    actor: Actor,
    account: Account,
    back: str,
    *,
    alerts: Sequence[Alert] = (),
    others: Sequence[Alert] = (),
    investigation: Investigation | None = None,
) -> Acts:
    """What this person may do with these new alerts, or else with this investigation, of the account.

    ``others`` are further new alerts of the account, which a verdict or a freeze may take along.
    """
    if not may(actor, Deed.FINALISE):
        return Acts(False, back, will=f"As {actor.role} you read; analysts and seniors decide.")
    fresh = tuple(one for one in alerts if one.status == "new")
    acts = Acts(
        True,
        back,
        freeze=_freezes(account, fresh),
        alerts=tuple(one.id for one in fresh),
        others=tuple(one.id for one in others) if fresh else (),
        may_open=not account.pending and not fresh,
        ask=tuple(one for one in account.active_blocks if one.lift_asked_by is None),
        answer=tuple(one for one in account.active_blocks if one.lift_asked_by and _may_answer(actor, one)),
    )
    if fresh:
        return _with_alerts(acts, account, fresh)
    if investigation is not None and investigation.pending:
        return _with_pending(acts, account, investigation)
    return replace(acts, final=investigation, will=_standing(account))


def with_choices(acts: Acts, choices: Choices) -> Acts:
    """The same with the payments a verdict may label; where there is none at all, the verdict's sentence says so."""
    if choices.payments:
        return replace(acts, choices=choices, unlabelled=NO_LABEL)
    said = f"It labels the payments of all its {choices.rung} alerts." if choices.rung else NO_LABEL
    return replace(acts, does=acts.does | {one: f"{acts.does[one]} {said}" for one in LABELLING})


def _with_alerts(acts: Acts, account: Account, fresh: Sequence[Alert]) -> Acts:
    does = _does(account, None)
    which = f"alert {fresh[0].id}" if len(fresh) == 1 else f"{len(fresh)} alerts"
    named = {outcome: text.replace("a verdict", f"a verdict on {which}") for outcome, text in does.items()}
    return replace(
        acts,
        on=which,
        verdict_to="/alerts/verdict",
        does={outcome: _sentence(text) for outcome, text in named.items()},
        dismiss_to=f"/alerts/{fresh[0].id}/dismiss" if len(fresh) == 1 else "",
        will=_will(named),
    )


def _with_pending(acts: Acts, account: Account, one: Investigation) -> Acts:
    does = _does(account, one.id)
    sentences = {outcome: _sentence(text) for outcome, text in does.items()}
    return replace(
        acts,
        on=f"investigation {one.id}",
        verdict_to=f"/investigations/{one.id}/verdict",
        does=sentences | {Outcome.MISTAKE: _mistake(account, one.id)},
        pending=one,
        will=_will(does),
    )


def _may_answer(actor: Actor, block: Block) -> bool:
    return may(actor, Deed.LIFT) and actor.name not in (block.lift_asked_by, block.set_by)


def _mistake(account: Account, investigation: int) -> str:
    text = consequence(account, investigation, Outcome.MISTAKE).replace("a verdict on", "closing")
    return _sentence(f"{text.replace(str(investigation), f'{investigation} as a mistake', 1)}; it makes no label")


def _does(account: Account, investigation: int | None) -> dict[Outcome, str]:
    does = {outcome: consequence(account, investigation, outcome) for outcome, _, _ in VERDICTS}
    if not account.frozen and not account.blocked:
        does[Outcome.FRAUD] += ", so money keeps moving; freeze it first if it must stop"
    return does


def _will(does: dict[Outcome, str]) -> str:
    """One sentence when all verdicts do the same, otherwise that it depends."""
    text = does[Outcome.GENUINE]
    return f"{text}; fraud blocks it" if "releases" in text else text


def _freezes(account: Account, fresh: Sequence[Alert]) -> tuple[tuple[str, str], ...]:
    if not account.pending and not fresh:
        return ()
    left = [way for way in (Direction.OUT, Direction.IN, Direction.BOTH) if not way.ways <= account.frozen]
    waits = [str(one.id) for one in account.pending] + (["the one this opens"] if fresh else [])
    until = waits[0] if len(waits) == 1 else f"{', '.join(waits[:-1])} and {waits[-1]}"
    noun = "investigation" if len(waits) == 1 else "investigations"
    until = (
        "the investigation this opens is"
        if waits == ["the one this opens"]
        else f"{noun} {until} {'is' if len(waits) == 1 else 'are'}"
    )
    words = {
        Direction.OUT: "outgoing payment",
        Direction.IN: "incoming payment",
        Direction.BOTH: "payment, in and out,",
    }
    return tuple(
        (way.value, f"From this moment every {words[way]} of {account.name} is declined, until {until} final.")
        for way in left
    )


def _standing(account: Account) -> str:
    if account.blocked:
        return "blocked after fraud; a senior who neither asked nor set it lifts the block"
    return "nothing is pending on this account"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
