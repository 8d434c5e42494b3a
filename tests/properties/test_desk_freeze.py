"""Random histories at the desk, legal and illegal, by several people, with restarts, beside a reference kept by hand.

The reference knows only the paragraph in ``docs/desk.md``: an account is frozen from the freeze to the first moment at
which none of its investigations is pending; after fraud a block follows, which only a senior who neither asked for it
nor set it lifts. After every step the ledger must say the same, a refusal must have changed no byte, and everything that
stops money must say why, since when and by whom; at the end the audit chain must verify.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scenes.desk import ADA, ANA, BEN, SAM, SUE, Scene, add_people
from scenes.postgres import empty, fresh_database
from tocsin.desk import actions
from tocsin.desk.model import Actor, Direction, Outcome
from tocsin.errors import BadInput, Conflict, NotAllowed, NotFound
from tocsin.ledger import Ledger, audit, tables
from tocsin.ledger.standing import FREE, standing_of
from tocsin.schema import Action

WORKERS = {ANA, BEN, SUE, SAM}
SENIORS = {SUE, SAM}
WAYS = {"in": {"in"}, "out": {"out"}, "both": {"in", "out"}}
CODES = {"genuine": "travel", "fraud": "mule", "inconclusive": "unreachable"}
accounts = st.sampled_from(["A", "A", "B"])
actors = st.sampled_from([ANA, ANA, ANA, BEN, BEN, SUE, SUE, SAM, SAM, ADA])
directions = st.sampled_from(["in", "out", "both"])
outcomes = st.sampled_from(list(CODES))
picks = st.integers(0, 10)


@dataclass
class Stop:
    """A freeze or a block as the reference knows it."""

    ways: set[str]
    by: str
    fraud: bool = False
    asked_by: str | None = None


@dataclass
class Known:
    """An account as the reference knows it."""

    pending: set[int] = field(default_factory=set)
    final: set[int] = field(default_factory=set)
    freezes: list[Stop] = field(default_factory=list)
    blocks: dict[int, Stop] = field(default_factory=dict)

    @property
    def frozen(self) -> set[str]:
        return set().union(*(one.ways for one in self.freezes))

    @property
    def blocked(self) -> set[str]:
        return set().union(*(one.ways for one in self.blocks.values()))


class Desk(RuleBasedStateMachine):
    """Everything people may try, in any order."""

    url: str | None = None  # a PostgreSQL; without one each history has its own SQLite file

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger(self.url or self.folder / "ledger.sqlite")
        if self.url:
            empty(self.ledger)
        else:
            self.ledger.create()
        add_people(self.ledger)
        self.scene = Scene(self.ledger)
        self.known: dict[str, Known] = defaultdict(Known)
        self.of: dict[int, str] = {}  # investigation -> account
        self.alerts: dict[int, tuple[str, str]] = {}  # alert -> account, status
        self.held: dict[int, str] = {}  # alert -> who took it; no history lasts as long as a lock
        self.block_of: dict[int, str] = {}

    def teardown(self) -> None:
        with self.ledger.read() as connection:
            assert audit.verify(connection).broken_at is None
        self.ledger.close()
        shutil.rmtree(self.folder)

    # --- trying things -------------------------------------------------------------------------------------------

    def attempt(self, actor: Actor, may: set[Actor], legal: bool, act: Callable[..., Any], **how: Any) -> Any:
        """Do it; if it is not allowed or not legal it must be refused and change nothing."""
        if actor in may and legal:
            return act(self.ledger, actor, at=self.scene.now, **how)
        before = self.everything()
        with pytest.raises(NotAllowed if actor not in may else (Conflict, NotFound, BadInput, NotAllowed)):
            act(self.ledger, actor, at=self.scene.now, **how)
        assert self.everything() == before
        return None

    def everything(self) -> dict[str, list[Any]]:
        with self.ledger.read() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
                for table in tables.metadata.sorted_tables
            }

    def pick(self, place: int, *, likely: str, account: str | None = None) -> int:
        """An investigation, mostly a likely one (``pending`` or ``final``), sometimes another or one that is not there."""
        known = [self.known[account]] if account else list(self.known.values())
        found = sorted(id for one in known for id in getattr(one, likely))
        found += [*sorted(self.of)[-1:], 99]
        return found[place % len(found)]

    def opened(self, account: str, id: int) -> None:
        self.of[id] = account
        self.known[account].pending.add(id)

    def closed(self, id: int, outcome: str, actor: Actor, result: actions.Closed) -> None:
        known = self.known[self.of[id]]
        known.pending.remove(id)
        known.final.add(id)
        if outcome == "fraud":
            for one in known.freezes:
                one.fraud = True
        ended = known.freezes if not known.pending else []
        assert len(result.ended) == len(ended)
        follow = [Stop(set(one.ways), actor.name) for one in ended if one.fraud]
        assert len(result.blocks) == len(follow)
        for block, stop in zip(result.blocks, follow, strict=True):
            known.blocks[block.id] = stop
            self.block_of[block.id] = self.of[id]
        if ended:
            known.freezes = []

    # --- what may happen -----------------------------------------------------------------------------------------

    @initialize()
    def first(self) -> None:
        """A payment that rang, and an account blocked by a senior's verdict, so that no history is about nothing."""
        self.pay_from("A", "shop")
        self.opened("B", self.scene.open("B").id)
        self.scene.freeze("B")
        self.known["B"].freezes.append(Stop({"out"}, "ana"))
        self.closed(1, "fraud", SUE, self.scene.close(1, "fraud", SUE))

    @rule(account=accounts, payee=st.sampled_from(["A", "B", "shop"]))
    def pay(self, account: str, payee: str) -> None:
        self.pay_from(account, payee)

    def pay_from(self, account: str, payee: str) -> None:
        _, action = self.scene.pay(account, payee=payee)
        stopped = "out" in (self.known[account].frozen | self.known[account].blocked)
        stopped |= "in" in (self.known[payee].frozen | self.known[payee].blocked)
        assert (action is Action.DECLINE) == stopped
        if not stopped:
            with self.ledger.read() as connection:
                newest = connection.execute(sa.select(sa.func.max(tables.alerts.c.id))).scalar_one()
            self.alerts[newest] = (account, "new")

    @rule(account=accounts, actor=actors)
    def open(self, account: str, actor: Actor) -> None:
        made = self.attempt(actor, WORKERS, True, actions.open_investigation, account=account, subject="takeover")
        if made:
            self.opened(account, made.id)

    @precondition(lambda self: self.alerts)
    @rule(
        actor=actors,
        place=picks,
        what=st.sampled_from(["open", "dismiss", "join", "judge", "freeze", "take"]),
        other=picks,
        outcome=outcomes,
        direction=directions,
    )
    def alert(self, actor: Actor, place: int, what: str, other: int, outcome: str, direction: str) -> None:
        id = sorted(self.alerts)[place % len(self.alerts)]
        account, status = self.alerts[id]
        new, known = status == "new", self.known[account]
        mine = new and self.held.get(id, actor.name) == actor.name
        if what == "open":
            made = self.attempt(actor, WORKERS, mine, actions.open_investigation, alerts=[id], subject="mule")
            if made:
                self.opened(account, made.id)
        elif what == "dismiss":
            made = self.attempt(actor, WORKERS, mine, actions.dismiss_alert, alert=id, reason="usual")
        elif what == "join":
            into = self.pick(other, likely="pending", account=account)
            legal = mine and into in known.pending
            made = self.attempt(actor, WORKERS, legal, actions.join_alert, alert=id, investigation=into)
        elif what == "judge":
            how = {"outcome": Outcome(outcome), "reason_code": CODES[outcome]}
            made = self.attempt(actor, WORKERS, mine, actions.judge_alerts, alerts=[id], **how)
            if made:
                self.opened(account, made.investigation.id)
                self.closed(made.investigation.id, outcome, actor, made)
        elif what == "freeze":
            legal = new and not WAYS[direction] <= known.frozen
            how = {"direction": Direction(direction), "reason": "takeover"}
            made = self.attempt(
                actor, WORKERS, legal or self.joined_and_pending(id, direction), actions.freeze, alerts=[id], **how
            )
            if made:
                for one in made.investigations:
                    if one not in self.of:
                        self.opened(account, one)
                known.freezes.append(Stop(set(WAYS[direction]), actor.name))
        else:
            waiting = [one for one, (name, status) in self.alerts.items() if (name, status) == (account, "new")]
            free = new and {self.held.get(one, actor.name) for one in waiting} == {actor.name}
            if self.attempt(actor, WORKERS, free, actions.take_alert, alert=id):
                self.held |= dict.fromkeys(waiting, actor.name)
            return
        if made:
            self.alerts[id] = (account, "dismissed" if what == "dismiss" else "joined")

    def joined_and_pending(self, alert: int, direction: str) -> bool:
        with self.ledger.read() as connection:
            query = sa.select(tables.alerts.c.investigation).where(tables.alerts.c.id == alert)
            into = connection.execute(query).scalar_one()
        known = self.known[self.alerts[alert][0]]
        return into in known.pending and not WAYS[direction] <= known.frozen

    @rule(account=accounts, actor=actors, direction=directions, named=st.none() | picks)
    def freeze(self, account: str, actor: Actor, direction: str, named: int | None) -> None:
        known = self.known[account]
        wanted = [] if named is None else [self.pick(named, likely="final", account=account)]
        legal = bool(known.pending) and not WAYS[direction] <= known.frozen and set(wanted) <= known.pending
        how = {"direction": Direction(direction), "reason": "takeover", "investigations": wanted}
        if self.attempt(actor, WORKERS, legal, actions.freeze, account=account, **how):
            known.freezes.append(Stop(set(WAYS[direction]), actor.name))

    @rule(actor=actors, place=picks, outcome=outcomes)
    def finalise(self, actor: Actor, place: int, outcome: str) -> None:
        id = self.pick(place, likely="pending")
        legal = id in self.of and id in self.known[self.of[id]].pending
        how = {"investigation": id, "outcome": Outcome(outcome), "reason_code": CODES[outcome]}
        made = self.attempt(actor, WORKERS, legal, actions.finalise, **how)
        if made:
            self.closed(id, outcome, actor, made)

    @rule(actor=actors, place=picks, reason=st.sampled_from(["twice the same", " "]))
    def mistake(self, actor: Actor, place: int, reason: str) -> None:
        id = self.pick(place, likely="pending")
        legal = id in self.of and id in self.known[self.of[id]].pending and bool(reason.strip())
        made = self.attempt(actor, WORKERS, legal, actions.finalise_as_mistake, investigation=id, reason=reason)
        if made:
            self.closed(id, "mistake", actor, made)

    @rule(actor=actors, place=picks)
    def reopen(self, actor: Actor, place: int) -> None:
        id = self.pick(place, likely="final")
        legal = id in self.of and id in self.known[self.of[id]].final
        if self.attempt(actor, WORKERS, legal, actions.reopen, investigation=id, reason="more came to light"):
            known = self.known[self.of[id]]
            known.final.remove(id)
            known.pending.add(id)

    @precondition(lambda self: self.block_of)
    @rule(actor=actors, place=picks, what=st.sampled_from(["ask", "lift", "lift", "refuse"]))
    def block(self, actor: Actor, place: int, what: str) -> None:
        id = sorted(self.block_of)[place % len(self.block_of)]
        blocks = self.known[self.block_of[id]].blocks
        stop = blocks.get(id)
        if what == "ask":
            legal = stop is not None and stop.asked_by is None
            if self.attempt(actor, WORKERS, legal, actions.ask_to_lift_block, block=id, reason="paid back"):
                assert stop is not None
                stop.asked_by = actor.name
            return
        asked = stop is not None and stop.asked_by is not None
        if what == "refuse":
            if self.attempt(actor, SENIORS, asked, actions.refuse_to_lift, block=id, reason="not yet"):
                assert stop is not None
                stop.asked_by = None
            return
        legal = stop is not None and asked and actor.name not in (stop.asked_by, stop.by)
        if self.attempt(actor, SENIORS, legal, actions.lift_block, block=id):
            del blocks[id]

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.ledger.url)
        self.scene.ledger = self.ledger

    # --- what must hold after every step -------------------------------------------------------------------------

    @invariant()
    def frozen_exactly_while_pending(self) -> None:
        for known in self.known.values():
            assert not known.freezes or known.pending
        names = ["A", "B", "shop"]
        with self.ledger.read() as connection:
            says = standing_of(connection, names, hold=False)
            c = tables.investigations.c
            pending = set(connection.execute(sa.select(c.id).where(c.status == "pending")).scalars())
        assert pending == set().union(*(known.pending for known in self.known.values()))
        for name in names:
            one, known = says.get(name, FREE), self.known[name]
            assert {way for way in ("in", "out") if getattr(one, f"frozen_{way}")} == known.frozen
            assert {way for way in ("in", "out") if getattr(one, f"blocked_{way}")} == known.blocked

    @invariant()
    def whatever_stops_money_says_why_since_when_and_by_whom(self) -> None:
        with self.ledger.read() as connection:
            for table, kind, word in ((tables.freezes, "frozen", "freeze"), (tables.blocks, "blocked", "block")):
                for row in connection.execute(sa.select(table).where(table.c.status == "active")):
                    assert row.reason
                    event = connection.execute(
                        sa.select(tables.case_events).where(
                            tables.case_events.c.kind == kind,
                            tables.case_events.c.subject == f"{word} {row.id}",
                            tables.case_events.c.account == row.account,
                        )
                    ).one()
                    assert (event.actor, event.at) == (row.set_by, row.set_at)


HOW = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def test_random_histories_on_sqlite() -> None:
    run_state_machine_as_test(Desk, settings=settings(max_examples=60, stateful_step_count=40, **HOW))  # type: ignore[arg-type]


@pytest.mark.postgres
def test_random_histories_on_postgresql() -> None:
    class OnPostgreSQL(Desk):
        url = fresh_database()

    ledger = Ledger(OnPostgreSQL.url or "")
    ledger.create()
    ledger.close()
    run_state_machine_as_test(OnPostgreSQL, settings=settings(max_examples=12, stateful_step_count=30, **HOW))  # type: ignore[arg-type]
