"""A scorer on a ledger of its own, with the door before it: payments in, decisions out, no network."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from tocsin.live import Cards, Memory
from tocsin.live.door import Arrival, Door
from tocsin.live.scorer import Scorer
from tocsin.money import Rates


class Bench:
    """A scorer on a house, with the door before it."""

    def __init__(self, house: Any) -> None:
        self.house = house
        model = house.models["m1"]
        self.door = Door(Cards(b"k" * 32), Rates("EUR"), model.spec, clock=house.clock, ahead=None)
        self.memory = Memory(house.ledger, model.spec, model.plan, house.folder / "memory")
        self.memory.restore()
        self.scorer = Scorer(house.ledger, self.memory, model, clock=house.clock, due_in=timedelta(hours=1))

    def payment(self, id: str, amount: float = 20, **more: Any) -> Arrival:
        return self.door.payment(msgspec.json.encode(self.house.payment(id, amount, **more)))

    def label(self, id: str, finding: str = "fraud") -> Arrival:
        body = {"transaction_id": id, "finding": finding, "known_at": self.house.clock().isoformat()}
        return self.door.label(msgspec.json.encode(body))

    def event(self, id: str, kind: str = "sign_in", account: str = "ann") -> Arrival:
        body = {"id": id, "at": self.house.clock().isoformat(), "kind": kind, "account": account}
        return self.door.event(msgspec.json.encode(body))

    def decide(self, *arrivals: Arrival) -> list[Any]:
        return [o if isinstance(o, Exception) else msgspec.json.decode(o) for o in self.scorer.decide(arrivals)]

    def count(self, table: sa.Table) -> int:
        with self.house.ledger.read() as c:
            return int(c.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    def replayed(self) -> str:
        """The fingerprint of a memory that consumes the whole ledger anew."""
        model = self.house.models["m1"]
        fresh = Memory(self.house.ledger, model.spec, model.plan, self.house.folder / "nothing here")
        fresh.restore()
        return fresh.kernel.fingerprint()
