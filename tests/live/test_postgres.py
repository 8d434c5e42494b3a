"""The same decisions on a real PostgreSQL."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from scenes.bench import Bench
from tocsin.errors import Conflict
from tocsin.ledger import microseconds
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.tables import alerts, freezes, labels, transactions
from tocsin.live.explain import explain, keep

pytestmark = pytest.mark.postgres


@pytest.fixture
def bench(postgres_house: Any) -> Bench:
    return Bench(postgres_house)


def test_decisions_alerts_labels_and_events(bench: Bench) -> None:
    label = msgspec.json.encode(
        {"transaction_id": "p1", "finding": "fraud", "known_at": bench.house.clock().isoformat()}
    )
    event = {"id": "e", "at": bench.house.clock().isoformat(), "kind": "sign_in", "account": "ann"}
    arrivals = [
        bench.payment("p1", 600, payee="bob"),
        bench.door.event(msgspec.json.encode(event)),
        bench.door.label(label),
        bench.payment("p2", 20, account="o'brien"),
    ]
    out = bench.decide(*arrivals)
    assert [o["number"] for o in out] == [1, 2, 3, 4]
    again = bench.decide(bench.payment("p1", 600, payee="bob"), bench.payment("p2", 21), bench.payment("p3"))
    assert again[0] == out[0]
    assert isinstance(again[1], Conflict)
    assert again[2]["number"] == 5
    found = explain(bench.house.ledger, lambda _: bench.scorer.model)
    keep(bench.house.ledger, found)
    with bench.house.ledger.read() as c:
        assert c.execute(sa.select(alerts.c.why)).scalar_one() == "Because of the amount."
        assert next_number(c) == 6
    fresh = Bench(bench.house)
    assert fresh.memory.kernel.fingerprint() == bench.memory.kernel.fingerprint()


def test_a_freeze_stops_and_a_verdicts_label_is_consumed(bench: Bench) -> None:
    bench.decide(bench.payment("p1"))
    at = microseconds(bench.house.clock())
    with bench.house.ledger.write() as c:
        number = take_numbers(c, 1)
        values = {"account": "ann", "direction": "out", "reason": "r", "set_by": "ada", "set_at": at}
        c.execute(freezes.insert().values(status="active", **values))
        c.execute(
            labels.insert().values(number=number, transaction_number=1, finding="fraud", source="verdict", known_at=at)
        )
    out = bench.decide(bench.payment("p2"), bench.payment("p3", account="bob"))
    assert [(o["action"], o["number"]) for o in out] == [("decline", 3), ("approve", 4)]
    assert bench.memory.last_number == 4


def test_two_writers_take_turns_and_no_number_is_taken_twice(bench: Bench) -> None:
    stop = threading.Event()
    taken: list[int] = []
    bench.decide(bench.payment("p"))

    def desk() -> None:
        while not stop.is_set():
            with bench.house.ledger.write() as c:
                number = take_numbers(c, 1)
                at = microseconds(bench.house.clock()) + number
                row = {"number": number, "transaction_number": 1, "finding": "fraud", "source": "verdict"}
                c.execute(labels.insert().values(**row, known_at=at))
            taken.append(number)

    writer = threading.Thread(target=desk)
    writer.start()
    mine = [o["number"] for i in range(40) for o in bench.decide(bench.payment(f"a{i}"), bench.payment(f"b{i}"))]
    stop.set()
    writer.join()
    assert taken
    assert not set(mine) & set(taken)
    assert sorted([*mine, *taken, 1]) == list(range(1, len(mine) + len(taken) + 2))
    with bench.house.ledger.write() as c:
        bench.memory.catch_up(c, next_number(c) - 1)
        assert c.execute(sa.select(sa.func.count()).select_from(transactions)).scalar_one() == 81
    assert Bench(bench.house).memory.kernel.fingerprint() == bench.memory.kernel.fingerprint()
