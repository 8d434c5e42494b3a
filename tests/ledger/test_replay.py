"""The ledger gives back, in order, exactly what the memory first consumed."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from tocsin.batch import key_of
from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.record import EventRow, LabelRow, Recorder, Rows, TransactionRow
from tocsin.ledger.replay import LABEL, PAYMENT, Entry, Gatherer, replay
from tocsin.schema import KIND_CODE, AccountEvent, Kind, Transaction
from tocsin.spec import parse

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = parse(
    """
[columns]
at = "at"
amount = "amount"
account = "account"
card = "card"
device = "device"
latitude = "lat"
numbers = ["risk"]
keys = ["branch"]
"""
)


def tx(i: int, **more: object) -> Transaction:
    return Transaction(
        id=f"p{i}", at=NOON + timedelta(seconds=i), amount_minor=i, currency="EUR", account=f"a{i % 3}", **more
    )


def equal(a, b) -> None:
    for name in ("number", "at", "kind", "amount", "of", "fraud"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    for name in a.keys:
        assert np.array_equal(a.keys[name], b.keys[name]), name
    for name in a.numbers:
        assert np.array_equal(a.numbers[name], b.numbers[name], equal_nan=True), name


def stored() -> tuple[list[Entry], Rows]:
    t1 = tx(1, card="c1", extra={"branch": "north", "risk": 2.5}, latitude=48.5)
    t4 = tx(4, device="d1")
    event = AccountEvent(id="e", at=NOON, kind=Kind.NEW_DEVICE, account="a1", device="d9")
    entries = [
        Entry(1, microseconds(t1.at), PAYMENT, 1, t1),
        Entry(2, microseconds(NOON), KIND_CODE[Kind.NEW_DEVICE], 0, event),
        Entry(3, microseconds(NOON), LABEL, 0, None, 1, 1),
        Entry(4, microseconds(t4.at), PAYMENT, 4, t4),
    ]
    rows = Rows(
        [
            TransactionRow(
                n, t.id, b"", microseconds(t.at), 0, n, "EUR", n, t.account, None, msgspec.json.encode(t), False
            )
            for n, t in ((1, t1), (4, t4))
        ],
        events=[EventRow(2, "e", b"", microseconds(NOON), 0, "new_device", "a1", msgspec.json.encode(event))],
        labels=[LabelRow(3, 1, "fraud", "chargeback", microseconds(NOON))],
    )
    return entries, rows


def test_replay_equals_what_was_gathered_live(ledger: Ledger) -> None:
    entries, rows = stored()
    with ledger.write() as c:
        Recorder(ledger).add(c, rows)
    live = Gatherer(SPEC).gather(entries)
    with ledger.read() as c:
        (again,) = replay(c, Gatherer(SPEC), after=0, upto=4)
        pieces = list(replay(c, Gatherer(SPEC), after=1, upto=4, at_once=1))
    equal(live, again)
    assert [int(p.number[0]) for p in pieces] == [2, 3, 4]
    equal(live.take(slice(1, 2)), pieces[0])


def test_columns_are_what_the_spec_names() -> None:
    batch = Gatherer(SPEC).gather(stored()[0])
    assert list(batch.keys) == ["account", "card", "device", "branch"]
    assert batch.keys["branch"].tolist() == [key_of("north"), 0, 0, 0]
    assert batch.keys["device"].tolist() == [0, key_of("d9"), 0, key_of("d1")]
    assert batch.keys["account"].tolist() == [key_of("a1"), key_of("a1"), 0, key_of("a1")]
    assert batch.numbers["risk"][0] == 2.5
    assert np.isnan(batch.numbers["risk"][1:]).all()
    assert batch.of.tolist() == [-1, -1, 1, -1]
    assert batch.payments.tolist() == [True, False, False, True]


def test_nothing_to_replay_is_no_batch(ledger: Ledger) -> None:
    with ledger.read() as c:
        assert list(replay(c, Gatherer(SPEC), after=0, upto=0)) == []
        assert list(replay(c, Gatherer(SPEC), after=0, upto=9)) == []
    assert len(Gatherer(SPEC).gather([])) == 0
