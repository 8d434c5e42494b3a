"""Whatever happens in whatever order, the memory is the ledger replayed, to the bit, and every answer is in the ledger."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.sequence import take_numbers
from tocsin.ledger.tables import decisions, labels, transactions
from tocsin.live import Cards, Memory
from tocsin.live.door import Arrival, Door
from tocsin.live.scorer import Scorer
from tocsin.money import Rates

WHO = st.sampled_from(["ann", "bob", "cat"])
PAYMENT = st.tuples(st.just("payment"), st.integers(0, 30), WHO, st.sampled_from(["d1", "d2"]), st.integers(-90, 300))
LABEL = st.tuples(st.just("label"), st.integers(0, 30), st.sampled_from(["fraud", "genuine"]))
EVENT = st.tuples(st.just("event"), st.integers(0, 30), WHO, st.sampled_from(["sign_in", "new_device"]))
STEP = st.one_of(
    st.tuples(st.just("batch"), st.lists(st.one_of(PAYMENT, LABEL, EVENT), min_size=1, max_size=8)),
    st.tuples(st.just("failing batch"), st.lists(PAYMENT, min_size=1, max_size=4)),
    st.tuples(st.just("verdict"), st.integers(0, 30)),
    st.tuples(st.just("snapshot"), st.none()),
    st.tuples(st.just("restart"), st.none()),
)


class History:
    """One ledger, and a scorer that may fail, stop and start again."""

    def __init__(self, folder: Path, model: Any, clock: Any) -> None:
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ledger.create()
        self.folder, self.model, self.clock = folder, model, clock
        self.door = Door(Cards(b"k" * 32), Rates("EUR"), model.spec, clock=clock, ahead=None)
        self.failing = False
        self.answers: dict[str, bytes] = {}
        self.start()

    def start(self) -> None:
        self.memory = Memory(self.ledger, self.model.spec, self.model.plan, self.folder / "memory")
        self.memory.restore()
        self.scorer = Scorer(self, self.memory, self.model, clock=self.clock, due_in=timedelta(1))  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    @contextmanager
    def write(self) -> Any:
        with self.ledger.write() as connection:
            yield connection
            if self.failing:
                raise sqlite3.OperationalError("the disk is full")

    def arrival(self, what: str, i: int, *more: Any) -> Arrival:
        at = self.clock.now
        if what == "payment":
            who, device, later = more
            body = {"id": f"p{i}", "at": at + timedelta(seconds=later), "amount_minor": 100 * i, "currency": "EUR"}
            return self.door.payment(msgspec.json.encode(body | {"account": who, "device": device, "retailer": "r"}))
        if what == "label":
            body = {"transaction_id": f"p{i}", "finding": more[0], "known_at": at + timedelta(days=1)}
            return self.door.label(msgspec.json.encode(body))
        body = {"id": f"e{i}", "at": at, "kind": more[1], "account": more[0]}
        return self.door.event(msgspec.json.encode(body))

    def batch(self, items: list[Any]) -> None:
        arrivals = [self.arrival(*item) for item in items]
        for item, outcome in zip(items, self.scorer.decide(arrivals), strict=True):
            if item[0] == "payment" and isinstance(outcome, bytes):
                assert self.answers.setdefault(f"p{item[1]}", outcome) == outcome

    def failing_batch(self, items: list[Any]) -> None:
        before = self.memory.kernel.fingerprint()
        self.failing = True
        try:
            self.scorer.decide([self.arrival(*item) for item in items])
        except sqlite3.OperationalError:
            assert self.memory.kernel.fingerprint() == before
        else:
            raise AssertionError("a write that failed was answered")
        finally:
            self.failing = False

    def verdict(self, i: int) -> None:
        with self.ledger.write() as c:
            found = c.execute(sa.select(transactions.c.number).where(transactions.c.id == f"p{i}")).scalar()
            if found is not None:
                number = take_numbers(c, 1)
                row = {"number": number, "transaction_number": found, "finding": "fraud", "source": "verdict"}
                c.execute(labels.insert().values(**row, known_at=microseconds(self.clock.now) + number))

    def check(self) -> None:
        self.batch([("event", 99, "ann", "sign_in")])  # whatever the desk wrote last is consumed
        fresh = Memory(self.ledger, self.model.spec, self.model.plan, self.folder / "nothing")
        fresh.restore()
        assert fresh.last_number == self.memory.last_number
        assert fresh.kernel.fingerprint() == self.memory.kernel.fingerprint()
        query = sa.select(transactions.c.id, decisions.c.body).join(
            decisions, decisions.c.number == transactions.c.number
        )
        with self.ledger.read() as c:
            assert {row.id: bytes(row.body) for row in c.execute(query)} == self.answers


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, min_size=1, max_size=12))
def test_the_memory_is_the_ledger_replayed(house: Any, steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        history = History(Path(name), house.models["m1"], house.clock)
        for what, given_ in steps:
            house.clock.now += timedelta(minutes=3)
            if what == "batch":
                history.batch(given_)
            elif what == "failing batch":
                history.failing_batch(given_)
            elif what == "verdict":
                history.verdict(given_)
            elif what == "snapshot":
                saving = history.memory.save()
                assert saving is not None
                saving.join()
            else:
                history.start()
        history.check()
        history.ledger.close()
