"""A desk to try things at: a ledger with people, payments decided the way the scorer does it, and a clock one turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa

from tocsin.desk import actions
from tocsin.desk.model import Actor, Freeze, Investigation, Outcome, Role
from tocsin.ledger import Ledger, microseconds, tables
from tocsin.ledger.record import AlertRow, DecisionRow, Recorder, Rows, TransactionRow
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.standing import FREE
from tocsin.schema import Action, Decision, Score, StageShare, Transaction

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ANA, BEN = Actor("ana", Role.ANALYST), Actor("ben", Role.ANALYST)
SUE, SAM = Actor("sue", Role.SENIOR), Actor("sam", Role.SENIOR)
ADA, AUD, BOT = Actor("ada", Role.ADMIN), Actor("aud", Role.AUDITOR), Actor("bot", Role.SERVICE)
PEOPLE = (ANA, BEN, SUE, SAM, ADA, AUD)


def add_people(ledger: Ledger) -> None:
    """The people of the scene, as rows; nobody has a password."""
    rows = [
        {"name": one.name, "role": one.role.value, "active": True, "created_at": microseconds(START)} for one in PEOPLE
    ]
    with ledger.write() as connection:
        connection.execute(tables.people.insert(), rows)


@dataclass
class Scene:
    """A ledger and a clock; ``now`` moves a second at every look."""

    ledger: Ledger
    at: datetime = START
    count: int = 0
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.ledger)

    @property
    def now(self) -> datetime:
        """The next second."""
        self.at += timedelta(seconds=1)
        return self.at

    def pay(
        self,
        account: str,
        *,
        payee: str = "shop",
        minor: int = 10_000,
        score: float | None = 0.5,
        device: str = "phone",
        card: str = "card-token",
    ) -> tuple[int, Action]:
        """Decide one payment as the scorer does; with a ``score`` there is an alert unless the account is stopped."""
        at = self.now
        self.count += 1
        made = Transaction(
            id=f"pay-{microseconds(at)}-{self.count}",
            at=at,
            amount_minor=minor,
            currency="EUR",
            account=account,
            payee=payee,
            device=device,
            card=card,
        )
        with self.ledger.write() as connection:
            next_number(connection, lock=True)
            self.recorder.add_accounts(connection, [(account, microseconds(at)), (payee, microseconds(at))])
            number = take_numbers(connection, 1)
            return number, self._decide(connection, number, made, score)

    def _decide(self, connection: sa.Connection, number: int, made: Transaction, score: float | None) -> Action:
        assert made.payee is not None
        standing = self.recorder.standings(connection, (made.account, made.payee))
        payer, payee = standing.get(made.account, FREE), standing.get(made.payee, FREE)
        frozen, blocked = payer.frozen_out or payee.frozen_in, payer.blocked_out or payee.blocked_in
        stopped = frozen or blocked
        action = Action.DECLINE if stopped else Action.REVIEW if score is not None else Action.APPROVE
        cause = "freeze" if frozen else "block" if blocked else "score"
        stages = (StageShare(stage="amount", delta=1.5), StageShare(stage="device", delta=None))
        said = Score(value=score or 0.01, logit=-1.5, base=-3.0, stages=stages)
        decision = Decision(
            transaction_id=made.id, number=number, action=action, code="declined" if stopped else "ok", score=said,
            reasons=(), model="m1", decided_at=made.at,
        )  # fmt: skip
        at = microseconds(made.at)
        rows = Rows(
            transactions=[
                TransactionRow(number, made.id, bytes(16), at, at, made.amount_minor, "EUR", made.amount_minor,
                               made.account, made.payee, msgspec.json.encode(made), False)
            ],
            decisions=[
                DecisionRow(number, action.value, decision.code, cause, said.value, msgspec.json.encode(decision), "m1", at)
            ],
            alerts=[
                AlertRow(number, made.account, at, at, at + 3_600_000_000, action.value, score,
                         int(score * made.amount_minor), why="an amount this customer never paid", inputs=b"")
            ] if score is not None and not stopped else (),
        )  # fmt: skip
        self.recorder.add(connection, rows)
        return action

    def alert(self, account: str, **how: object) -> int:
        """A payment that rings; returns the alert's id."""
        number, _ = self.pay(account, **how)  # type: ignore[arg-type]
        with self.ledger.read() as connection:
            query = sa.select(tables.alerts.c.id).where(tables.alerts.c.number == number)
            return int(connection.execute(query).scalar_one())

    def open(self, account: str, actor: Actor = ANA) -> Investigation:
        """A pending investigation on the account."""
        return actions.open_investigation(self.ledger, actor, at=self.now, subject="takeover", account=account)

    def freeze(self, account: str, actor: Actor = ANA, direction: str = "out") -> Freeze:
        """A freeze for everything pending."""
        return actions.freeze(
            self.ledger, actor, at=self.now, account=account, direction=actions.Direction(direction), reason="takeover"
        )

    def close(self, investigation: int, outcome: str = "genuine", actor: Actor = ANA) -> actions.Closed:
        """A verdict."""
        codes = {"genuine": "customer_confirmed", "fraud": "takeover", "inconclusive": "unreachable"}
        return actions.finalise(
            self.ledger, actor, at=self.now, investigation=investigation, outcome=Outcome(outcome), reason_code=codes[outcome]
        )  # fmt: skip
