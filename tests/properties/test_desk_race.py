"""Several people and the scorer at once, really at once: threads with ledgers of their own, on SQLite and PostgreSQL.

Afterwards the audit chain, which is one order of everything, is replayed by hand: a freeze must have lasted from being
set to the first moment at which nothing was pending, and every payment must have been decided as the account stood in
the very moment its decision was made.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
import sqlalchemy as sa

from scenes.desk import ANA, BEN, SAM, SUE, Scene, add_people
from scenes.postgres import fresh_database
from tocsin.desk import actions
from tocsin.desk.model import Actor, Direction, Outcome
from tocsin.errors import Conflict
from tocsin.ledger import Ledger, audit, now, tables
from tocsin.schema import Action

ACCOUNTS = ("A", "B")
CODES = {"genuine": "travel", "fraud": "mule", "inconclusive": "unreachable"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger with people."""
    url = fresh_database() if request.param == "postgresql" else f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    ledger = Ledger(url)
    ledger.create()
    add_people(ledger)
    ledger.close()
    return url


@pytest.fixture
def scene(url: str) -> Iterator[Scene]:
    """The same ledger, for what happens before and after a race."""
    ledger = Ledger(url)
    yield Scene(ledger)
    ledger.close()


class Watching(Scene):
    """A scorer that notes, inside the write that decides, how far the account's own history had come."""

    def _decide(self, connection: sa.Connection, number: int, made: Any, score: float | None) -> Action:
        action = super()._decide(connection, number, made, score)
        c = tables.case_events.c
        seen = connection.execute(sa.select(sa.func.max(c.id)).where(c.account == made.account)).scalar_one()
        self.seen.append((made.account, action, seen or 0))
        return action

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen: list[tuple[str, Action, int]] = []


def test_no_interleaving_breaks_the_freeze_or_lets_a_payment_through(url: str) -> None:
    everybody = [(ANA, 1), (BEN, 2), (SUE, 3), (SAM, 4)]
    with ThreadPoolExecutor(6) as pool:
        people_done = Event()
        scorers = [pool.submit(_score, url, seed, people_done) for seed in (1, 2)]
        people = [pool.submit(_work, url, actor, seed) for actor, seed in everybody]
        try:
            done = sum(one.result() for one in people)
        finally:
            people_done.set()
        seen = [line for one in scorers for line in one.result()]
    ledger = Ledger(url)
    with ledger.read() as connection:
        whole = audit.verify(connection)
        events = connection.execute(sa.select(tables.case_events).order_by(tables.case_events.c.id)).all()
        labels = connection.execute(sa.select(sa.func.count()).select_from(tables.labels)).scalar_one()
        active = connection.execute(sa.select(tables.freezes.c.account).where(tables.freezes.c.status == "active"))
        still = set(active.scalars())
    ledger.close()
    assert whole.broken_at is None
    assert done > 40
    assert labels > 0
    states = {name: _replay([one for one in events if one.account == name]) for name in ACCOUNTS}
    for name, action, last in seen:
        stopped = states[name][last] if last else False
        assert (action is Action.DECLINE) == stopped, (name, last)
    assert {action for _, action, _ in seen} == {Action.DECLINE, Action.REVIEW}  # the race was a race
    assert still == {name for name in ACCOUNTS if _frozen_at_the_end([one for one in events if one.account == name])}


def _work(url: str, actor: Actor, seed: int) -> int:
    """At least forty things an analyst might do, until payments met the account both ways; how many were legal."""
    dice, ledger, done = random.Random(seed), Ledger(url), 0
    for place in range(400):
        if place >= 40 and _both_ways(ledger):
            break
        try:
            _something(ledger, actor, dice)
            done += 1
        except Conflict:
            pass
    ledger.close()
    return done


def _both_ways(ledger: Ledger) -> bool:
    with ledger.read() as connection:
        found = set(connection.execute(sa.select(tables.decisions.c.action)).scalars())
    return found == {Action.DECLINE.value, Action.REVIEW.value}


def _something(ledger: Ledger, actor: Actor, dice: random.Random) -> None:
    account, at = dice.choice(ACCOUNTS), now()
    with ledger.read() as connection:
        c = tables.investigations.c
        found = connection.execute(sa.select(c.id, c.status).where(c.account == account)).all()
        a = tables.alerts.c
        rang = connection.execute(sa.select(a.id).where(a.account == account, a.status == "new")).scalars().all()
    pending = [row.id for row in found if row.status == "pending"]
    what = dice.choice(["open", "freeze", "close", "close", "close", "reopen"])
    if what == "open" or not found:
        alerts = dice.sample(rang, min(len(rang), 3))  # their payments are labelled by the verdict
        actions.open_investigation(ledger, actor, at=at, subject="takeover", account=account, alerts=alerts)
    elif what == "freeze":
        direction = Direction(dice.choice(["out", "both"]))
        actions.freeze(ledger, actor, at=at, account=account, direction=direction, reason="takeover")
    elif what == "close":
        # Mostly genuine: a block would stop the account for good and hide what is tested here.
        actions.finalise(
            ledger, actor, at=at, investigation=dice.choice(pending or [found[0].id]), outcome=Outcome.GENUINE, reason_code="travel"
        )  # fmt: skip
    else:
        actions.reopen(ledger, actor, at=at, investigation=dice.choice(found).id, reason="more")


def _score(url: str, seed: int, people_done: Event) -> list[tuple[str, Action, int]]:
    dice, ledger = random.Random(seed), Ledger(url)
    scene = Watching(ledger, at=now(), count=seed * 10_000)
    while not people_done.is_set() or len(scene.seen) < 20:
        scene.pay(dice.choice(ACCOUNTS), payee="shop")
    ledger.close()
    return scene.seen


def _replay(events: list[Any]) -> dict[int, bool]:
    """Event -> whether outgoing payments are stopped after it; checks invariant 1 on the way."""
    pending: set[str] = set()
    freezes: set[str] = set()
    due: set[str] = set()  # freezes that must end now, in the same transaction
    stopped = {}
    for one in events:
        if one.kind == "freeze_ended":
            assert one.subject in due
            due.remove(one.subject)
            freezes.remove(one.subject)
        elif one.kind in ("investigation_opened", "reopened", "finalised", "frozen"):
            assert not due, "a freeze outlived the last pending investigation"
        if one.kind in ("investigation_opened", "reopened"):
            pending.add(one.subject)
        elif one.kind == "finalised":
            pending.remove(one.subject)
            due = set() if pending else set(freezes)
        elif one.kind == "frozen":
            assert pending, "a freeze without a pending investigation"
            assert json.loads(one.new)["direction"] in ("out", "both")
            freezes.add(one.subject)
        stopped[one.id] = bool(freezes)
    assert not due
    return stopped


def _frozen_at_the_end(events: list[Any]) -> bool:
    return bool(events) and _replay(events)[events[-1].id]


def _at_once(url: str, *acts: Callable[[Ledger], Any]) -> list[Any]:
    """Do these at the same moment, each with a ledger of its own; a refusal is an answer."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[Ledger], Any]) -> Any:
        ledger = Ledger(url)
        with ledger.read():
            pass  # connected before the race
        barrier.wait()
        try:
            return act(ledger)
        except Conflict as refused:
            return refused
        finally:
            ledger.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result() for one in [pool.submit(run, act) for act in acts]]


def _close(id: int, actor: Actor, outcome: str = "genuine") -> Callable[[Ledger], Any]:
    how: dict[str, Any] = {"outcome": Outcome(outcome), "reason_code": CODES[outcome]}
    return lambda ledger: actions.finalise(ledger, actor, at=now(), investigation=id, **how)


def test_the_last_two_verdicts_at_once_end_the_freeze_exactly_once(url: str, scene: Scene) -> None:
    for round in range(15):
        name = f"account {round}"
        one, two = scene.open(name), scene.open(name, BEN)
        scene.freeze(name)
        closed = _at_once(url, _close(one.id, ANA, "fraud"), _close(two.id, BEN))
        assert sorted(len(each.ended) for each in closed) == [0, 1]
        assert sorted(len(each.blocks) for each in closed) == [0, 1]


def test_two_verdicts_on_one_investigation_at_once_one_is_refused(url: str, scene: Scene) -> None:
    for round in range(15):
        one = scene.open(f"account {round}")
        answers = _at_once(url, _close(one.id, ANA, "fraud"), _close(one.id, BEN, "genuine"))
        assert sum(isinstance(each, Conflict) for each in answers) == 1


def test_a_freeze_and_the_last_verdict_at_once_leave_nothing_frozen_without_cause(url: str, scene: Scene) -> None:
    for round in range(15):
        name = f"account {round}"
        one = scene.open(name)
        freeze, closed = _at_once(
            url,
            lambda ledger, name=name: actions.freeze(  # type: ignore[misc]
                ledger, ANA, at=now(), account=name, direction=Direction.OUT, reason="x"
            ),
            _close(one.id, BEN),
        )
        assert len(closed.ended) == (0 if isinstance(freeze, Conflict) else 1)
        with scene.ledger.read() as connection:
            c = tables.freezes.c
            active = sa.select(sa.func.count()).where(c.account == name, c.status == "active")
            assert connection.execute(active).scalar_one() == 0


def test_opening_another_and_the_last_verdict_at_once(url: str, scene: Scene) -> None:
    for round in range(15):
        name = f"account {round}"
        one = scene.open(name)
        scene.freeze(name)
        opened, closed = _at_once(
            url,
            lambda ledger, name=name: actions.open_investigation(  # type: ignore[misc]
                ledger, ANA, at=now(), account=name, subject="mule"
            ),
            _close(one.id, BEN),
        )
        assert opened.pending
        with scene.ledger.read() as connection:
            c = tables.case_events.c
            kinds = connection.execute(sa.select(c.kind, c.subject).where(c.account == name).order_by(c.id)).all()
        order = [kind for kind, _ in kinds]
        first = order.index("finalised") < len(order) - 1 - order[::-1].index("investigation_opened")
        assert len(closed.ended) == (1 if first else 0)


def test_many_writers_leave_one_chain(url: str) -> None:
    def notes(ledger: Ledger) -> None:
        for _ in range(20):
            actions.note(ledger, ANA, at=now(), account=str(random.random()), text="x")

    _at_once(url, notes, notes, notes)
    ledger = Ledger(url)
    with ledger.read() as connection:
        found = audit.verify(connection)
    ledger.close()
    assert (found.events, found.broken_at) == (60, None)


def test_taking_the_next_alert_at_once_gives_everybody_another(url: str, scene: Scene) -> None:
    for place in range(8):
        scene.alert(f"account {place}")
    at = now()
    takers = (ANA, BEN, SUE, SAM)
    taken = _at_once(url, *[lambda ledger, who=who: actions.take_next(ledger, who, at=at) for who in takers])  # type: ignore[misc]
    assert len({one.account for one in taken}) == 4
    holders: dict[str, int] = defaultdict(int)
    with scene.ledger.read() as connection:
        for name in connection.execute(sa.select(tables.alerts.c.locked_by)).scalars():
            holders[name] += 1
    assert {holders[who.name] for who in takers} == {1}
