"""The words of the desk and their legal moves; no I/O, no clock, no database.

Alert            new → joined to an investigation, or dismissed with a reason
Investigation    pending → final with a verdict, or as a mistake; reopened: pending again
Freeze           active → ended, by the last verdict and by nothing else
Block            active → lifted, by a senior who neither asked for it nor set it

Every move takes a state and returns the next one, or raises ``Conflict`` and leaves everything as it was. An account
holds its investigations, freezes and blocks, because the rule that matters spans all three: *a freeze lasts from being
set to the first moment at which no investigation of its account is pending*. Something new carries the id 0 until the
ledger has given it one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound
from tocsin.schema import without_card_numbers

LOCK_LASTS = timedelta(minutes=15)
"""How long a case taken with "next" stays mine without another move."""


class Role(StrEnum):
    """What somebody is at the desk."""

    ANALYST = "analyst"
    SENIOR = "senior"
    ADMIN = "admin"
    AUDITOR = "auditor"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and as what."""

    name: str
    role: Role


class Direction(StrEnum):
    """Which way money is stopped, seen from the account."""

    IN = "in"
    OUT = "out"
    BOTH = "both"

    @property
    def ways(self) -> frozenset[str]:
        """The single ways it covers: ``in``, ``out`` or the two of them."""
        return frozenset(("in", "out")) if self is Direction.BOTH else frozenset((self.value,))

    @property
    def words(self) -> str:
        """As an analyst says it."""
        return {"in": "incoming", "out": "outgoing", "both": "both ways"}[self.value]


class Outcome(StrEnum):
    """How an investigation ended."""

    GENUINE = "genuine"
    FRAUD = "fraud"
    INCONCLUSIVE = "inconclusive"
    MISTAKE = "mistake"  # it should not have been opened; says nothing about the payments


REASON_CODES: dict[Outcome, dict[str, str]] = {
    Outcome.FRAUD: {
        "stolen_card": "stolen card",
        "takeover": "account takeover",
        "scam": "the customer was deceived into paying",
        "mule": "mule account",
        "laundering": "money laundering",
        "own_fraud": "fraud by the customer",
        "other_fraud": "other fraud",
    },
    Outcome.GENUINE: {
        "customer_confirmed": "the customer confirmed it",
        "known_pattern": "usual for this customer",
        "travel": "travel",
        "new_device": "a new device of the customer",
        "other_genuine": "other, genuine",
    },
    Outcome.INCONCLUSIVE: {
        "unreachable": "the customer was not reached",
        "not_enough": "not enough evidence",
        "passed_on": "passed on to another team",
    },
    Outcome.MISTAKE: {"mistake": "opened by mistake"},
}
"""The reasons a verdict may give, as codes and in words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an analyst found out, why, and when it became known."""

    outcome: Outcome
    reason_code: str
    note: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """The model's signal about one payment; ``stake_minor`` is probability times amount in the base currency."""

    id: int
    number: int
    account: str
    at: datetime
    created_at: datetime
    due_at: datetime
    action: str
    score: float
    stake_minor: int
    why: str
    status: str = "new"  # new | joined | dismissed
    investigation: int | None = None
    dismissed_by: str | None = None
    dismissed_reason: str | None = None
    locked_by: str | None = None
    locked_at: datetime | None = None

    def holder(self, at: datetime) -> str | None:
        """Who holds the alert at that moment; nobody once the lock has run out."""
        if self.locked_by is None or self.locked_at is None or at >= self.locked_at + LOCK_LASTS:
            return None
        return self.locked_by

    def lock(self, by: str, at: datetime) -> Alert:
        """Take it, or keep it for longer."""
        self._check_holder(by, at)
        return replace(self, locked_by=by, locked_at=at)

    def release(self, by: str, at: datetime) -> Alert:
        """Give it back to the queue."""
        if self.holder(at) != by:
            raise Conflict(f"alert {self.id} is not held by you.", hint="There is nothing to give back.")
        return replace(self, locked_by=None, locked_at=None)

    def join(self, investigation: int, by: str, at: datetime, *, urgent: bool = False) -> Alert:
        """Make it part of an investigation; a freeze is ``urgent`` and waits for nobody's lock."""
        self._check_new("join an investigation")
        if not urgent:
            self._check_holder(by, at)
        return replace(self, status="joined", investigation=investigation, locked_by=None, locked_at=None)

    def dismiss(self, by: str, reason: str, at: datetime) -> Alert:
        """Put it aside with a reason and without an investigation."""
        self._check_new("be dismissed")
        self._check_holder(by, at)
        return replace(
            self, status="dismissed", dismissed_by=by, dismissed_reason=reason, locked_by=None, locked_at=None
        )

    def _check_new(self, move: str) -> None:
        if self.status != "new":
            into = f" to investigation {self.investigation}" if self.investigation else ""
            raise Conflict(
                f"only a new alert can {move}; alert {self.id} is {self.status}{into}.",
                hint="Look at the account: somebody may have been faster.",
            )

    def _check_holder(self, by: str, at: datetime) -> None:
        holder = self.holder(at)
        if holder is not None and holder != by:
            raise Conflict(
                f"alert {self.id} is held by {holder}.",
                hint=f"It comes back to the queue {int(LOCK_LASTS.total_seconds() // 60)} minutes after their last move.",
            )


@dataclass(frozen=True, slots=True)
class Investigation:
    """The work on one account's alerts; ``verdict`` is there exactly while it is final."""

    id: int
    account: str
    subject: str
    opened_by: str
    opened_at: datetime
    assigned_to: str | None = None
    due_at: datetime | None = None
    verdict: Verdict | None = None

    @property
    def pending(self) -> bool:
        """Whether it keeps a freeze alive."""
        return self.verdict is None


@dataclass(frozen=True, slots=True)
class Freeze:
    """Money stopped for pending investigations.

    ``investigations`` are those it was set for and all that became pending since. ``fraud_in`` is the investigation
    with the first fraud verdict of its life; when it is there, a block takes the freeze's place.
    """

    id: int
    account: str
    direction: Direction
    reason: str
    set_by: str
    set_at: datetime
    investigations: tuple[int, ...]
    fraud_in: int | None = None
    ended_by_investigation: int | None = None
    ended_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it stops money."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Block:
    """Money stopped after a fraud verdict, until two people agree to let it go."""

    id: int
    account: str
    direction: Direction
    reason: str
    investigation: int
    set_by: str
    set_at: datetime
    lift_asked_by: str | None = None
    lift_reason: str | None = None
    lift_asked_at: datetime | None = None
    lifted_by: str | None = None
    lifted_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it stops money."""
        return self.lifted_at is None

    def ask_to_lift(self, by: str, reason: str, at: datetime) -> Block:
        """Ask a senior to lift it."""
        self._check_active()
        if self.lift_asked_by is not None:
            raise Conflict(
                f"block {self.id} can be asked about once at a time; {self.lift_asked_by} has asked already.",
                hint="A senior lifts or refuses it first.",
            )
        return replace(self, lift_asked_by=by, lift_reason=reason, lift_asked_at=at)

    def refuse_lift(self) -> Block:
        """Say no (or take the question back): it stays, and somebody may ask again."""
        self._check_asked()
        return replace(self, lift_asked_by=None, lift_reason=None, lift_asked_at=None)

    def lift(self, by: str, at: datetime) -> Block:
        """Let money go again: four eyes, neither of them the pair that set it."""
        self._check_asked()
        if by == self.lift_asked_by:
            raise NotAllowed("a block must be lifted by somebody who did not ask for it; you asked.")
        if by == self.set_by:
            raise NotAllowed("a block must be lifted by somebody who did not set it; your verdict did.")
        return replace(self, lifted_by=by, lifted_at=at)

    def _check_active(self) -> None:
        if not self.active:
            raise Conflict(f"only an active block can change; block {self.id} was lifted by {self.lifted_by}.")

    def _check_asked(self) -> None:
        self._check_active()
        if self.lift_asked_by is None:
            raise Conflict(
                f"block {self.id} can be lifted or refused only when somebody has asked for it; nobody has.",
                hint="Ask first, with a reason; a senior other than you answers.",
            )


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the desk sees it: everything decided about it, oldest first."""

    name: str
    investigations: tuple[Investigation, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def pending(self) -> tuple[Investigation, ...]:
        """The investigations that are not final."""
        return tuple(one for one in self.investigations if one.pending)

    @property
    def active_freezes(self) -> tuple[Freeze, ...]:
        """The freezes that stop money."""
        return tuple(one for one in self.freezes if one.active)

    @property
    def active_blocks(self) -> tuple[Block, ...]:
        """The blocks that stop money."""
        return tuple(one for one in self.blocks if one.active)

    @property
    def frozen(self) -> frozenset[str]:
        """The ways that are frozen: none, ``in``, ``out`` or both."""
        return frozenset().union(*(one.direction.ways for one in self.active_freezes))

    @property
    def blocked(self) -> frozenset[str]:
        """The ways that are blocked."""
        return frozenset().union(*(one.direction.ways for one in self.active_blocks))

    def investigation(self, id: int) -> Investigation:
        """The one with this number."""
        for one in self.investigations:
            if one.id == id:
                return one
        raise NotFound(f"no investigation {id} on this account.")

    def block(self, id: int) -> Block:
        """The one with this number."""
        for one in self.blocks:
            if one.id == id:
                return one
        raise NotFound(f"no block {id} on this account.")

    def open(self, investigation: Investigation) -> Account:
        """Add a pending investigation; a freeze that stands already now waits for it too."""
        freezes = tuple(_also_for(one, investigation.id) if one.active else one for one in self.freezes)
        return replace(self, investigations=(*self.investigations, investigation), freezes=freezes)

    def assign(self, id: int, to: str) -> Account:
        """Give a pending investigation to somebody."""
        found = self._pending(id, "be assigned")
        if found.assigned_to == to:
            raise Conflict(f"investigation {id} is {to}'s already.")
        return self._with(replace(found, assigned_to=to))

    def freeze(self, freeze: Freeze) -> Account:
        """Stop money until every pending investigation of the account is final.

        Raises
        ------
        Conflict : nothing is pending, one named is not, or a freeze covers this direction already.
        """
        if not self.pending:
            raise Conflict(
                "a freeze needs a pending investigation; this account has none.",
                hint="Open one, or freeze from an alert, which opens one.",
            )
        for id in freeze.investigations:
            self._pending(id, "be frozen for")
        if freeze.direction.ways <= self.frozen:
            who = self.active_freezes[0].set_by
            raise Conflict(
                f"a freeze must stop something that still moves; {freeze.direction.words} is frozen by {who} already.",
                hint="It stays frozen until every pending investigation is final, yours too.",
            )
        everything_pending = tuple(one.id for one in self.pending)
        return replace(self, freezes=(*self.freezes, replace(freeze, investigations=everything_pending)))

    def finalise(self, id: int, verdict: Verdict) -> Account:
        """Close an investigation; with the last pending one every freeze ends, or becomes a block after fraud."""
        found = self._pending(id, "be finalised")
        after = self._with(replace(found, verdict=verdict))
        if verdict.outcome is Outcome.FRAUD:
            marked = (replace(one, fraud_in=one.fraud_in or id) if one.active else one for one in after.freezes)
            after = replace(after, freezes=tuple(marked))
        return after if after.pending else after._release(id, verdict)

    def _release(self, last: int, verdict: Verdict) -> Account:
        blocks = tuple(
            Block(
                id=0,
                account=self.name,
                direction=one.direction,
                reason=f"fraud in investigation {one.fraud_in}; frozen before: {one.reason}",
                investigation=one.fraud_in,
                set_by=verdict.by,
                set_at=verdict.at,
            )
            for one in self.active_freezes
            if one.fraud_in is not None
        )
        ended = tuple(
            replace(one, ended_by_investigation=last, ended_at=verdict.at) if one.active else one
            for one in self.freezes
        )
        return replace(self, freezes=ended, blocks=(*self.blocks, *blocks))

    def reopen(self, id: int) -> Account:
        """Make a final investigation pending again; revives no freeze, but one that stands waits for it."""
        found = self.investigation(id)
        if found.pending:
            raise Conflict(f"only a final investigation can be reopened; investigation {id} is pending.")
        after = self._with(replace(found, verdict=None))
        freezes = tuple(_also_for(one, id) if one.active else one for one in after.freezes)
        return replace(after, freezes=freezes)

    def with_block(self, block: Block) -> Account:
        """The account with a block that has moved."""
        return replace(self, blocks=tuple(block if one.id == block.id else one for one in self.blocks))

    def _pending(self, id: int, move: str) -> Investigation:
        found = self.investigation(id)
        if found.verdict is not None:
            raise Conflict(
                f"only a pending investigation can {move}; {id} is final: {found.verdict.outcome}, by {found.verdict.by}.",
                hint="Reopen it with a reason if more was found.",
            )
        return found

    def _with(self, changed: Investigation) -> Account:
        kept = tuple(changed if one.id == changed.id else one for one in self.investigations)
        return replace(self, investigations=kept)


def consequence(account: Account, investigation: int | None, outcome: Outcome) -> str:
    """What a verdict would do, in one sentence, before it is given.

    Parameters
    ----------
    investigation : the pending one it is about; ``None`` for a verdict straight on a new alert.

    Raises
    ------
    NotFound, Conflict : the verdict cannot be given.
    """
    epoch = datetime.min.replace(tzinfo=UTC)
    before = account
    if investigation is None:
        before = account.open(Investigation(0, account.name, "", "", epoch))
    after = before.finalise(investigation or 0, Verdict(outcome, "", "", "", epoch))
    what = "a verdict" if investigation is None else f"a verdict on {investigation}"
    still = ", ".join(str(one.id) for one in after.pending)
    are = "are" if len(after.pending) > 1 else "is"
    if account.frozen and still:
        return f"{what} leaves the account frozen: {still} {are} still pending"
    if not account.frozen:
        held = "the account stays blocked" if account.blocked else "the account is not frozen"
        return f"{what} leaves {still} pending; {held}" if still else f"{what} leaves nothing pending; {held}"
    new = [one for one in after.blocks if one.id == 0]
    if new:
        causes = sorted({one.investigation for one in new} - {investigation or 0})
        because = f" because {', '.join(map(str, causes))} was fraud" if causes else ""
        ways = Direction("both" if len(after.blocked) > 1 else next(iter(after.blocked)))
        return f"{what} ends the freeze and blocks the account, {ways.words}{because}; a senior lifts a block"
    if account.blocked:
        return f"{what} ends the freeze; the account stays blocked"
    return f"{what} releases the account at once"


def said(text: str, what: str, *, longest: int = 4000) -> str:
    """A text somebody must give: not blank, not a book.

    Raises
    ------
    BadInput : it is blank or longer than ``longest`` characters.
    """
    text = text.strip()
    if not 0 < len(text) <= longest:
        raise BadInput(f"a {what} must have 1 to {longest} characters; got {len(text)}.", field=what)
    return kept(text, what)


def verdict_of(outcome: Outcome, reason_code: str, note: str, by: str, at: datetime) -> Verdict:
    """A verdict with a reason that belongs to its outcome; ``other...`` and a mistake need words as well."""
    known = REASON_CODES[outcome]
    if reason_code not in known:
        raise BadInput(
            f"the reason of a verdict {outcome} must be one of {', '.join(known)}; got {reason_code[:40]!r}.",
            field="reason_code",
        )
    if reason_code.startswith("other") or outcome is Outcome.MISTAKE:
        note = said(note, "reason" if outcome is Outcome.MISTAKE else "note")
    elif len(note) > 4000:
        raise BadInput(f"a note must have at most 4000 characters; got {len(note)}.", field="note")
    return Verdict(outcome, reason_code, kept(note.strip(), "note"), by, at)


def kept(text: str, what: str) -> str:
    """A text as it is written down for ever: card numbers masked, because the chain of events forgets nothing.

    Raises
    ------
    BadInput : it has a character that no text has.
    """
    # PostgreSQL keeps no zero character, and neither database half of a surrogate pair.
    if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise BadInput(f"a {what} must be text; this one has a character that is none.", field=what)
    return without_card_numbers(text)


def _also_for(freeze: Freeze, investigation: int) -> Freeze:
    if investigation in freeze.investigations:
        return freeze
    return replace(freeze, investigations=(*freeze.investigations, investigation))
