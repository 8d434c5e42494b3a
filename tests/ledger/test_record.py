"""What is written comes back, byte for byte; what failed is not there."""

import sqlite3

import pytest
import sqlalchemy as sa

from tocsin.ledger import Ledger
from tocsin.ledger.record import AlertRow, DecisionRow, EventRow, LabelRow, Recorder, Rows, TransactionRow
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.standing import standing_of
from tocsin.ledger.tables import accounts, alerts, blocks, decisions, freezes, investigations, transactions


def payment(number: int, id: str, content: bytes = b"c" * 16) -> TransactionRow:
    return TransactionRow(number, id, content, 1_000, 2_000, 995, "EUR", 995, "ann", "bob", b"{}", False)


def decision(number: int, body: bytes = b'{"a":1}') -> DecisionRow:
    return DecisionRow(number, "review", "held_for_review", "score", 0.5, body, "m1", 3_000)


def test_a_batch_is_written_and_found_again(ledger: Ledger) -> None:
    recorder = Recorder(ledger)
    odd = 'quote" \\ back \u00e9 \u4e2d'
    with ledger.write() as c:
        recorder.add_accounts(c, {("ann", 1), ("bob", 1)})
        recorder.add_accounts(c, {("ann", 9)})
        recorder.add(
            c,
            Rows(
                [payment(1, "p1"), payment(2, odd)],
                [decision(1), decision(2, b"two")],
                [AlertRow(1, "ann", 1, 2, 3, "review", 0.5, 497, "", b"\0" * 8)],
                [EventRow(3, "e1", b"e" * 16, 5, 6, "sign_in", "ann", b"{}")],
                [LabelRow(4, 1, "fraud", "chargeback", 77)],
            ),
        )
    with ledger.read() as c:
        kept = recorder.payments_kept(c, ["p1", odd, "none"])
        assert kept.keys() == {"p1", odd}
        assert kept[odd].answer == b"two"
        assert kept["p1"].content == b"c" * 16
        assert recorder.payments_named(c, ["p1"]) == {"p1": (1, 1_000)}
        assert recorder.events_kept(c, ["e1", "p1"]) == {"e1": (3, b"e" * 16)}
        assert recorder.labels_kept(c, [1, 2]) == {(1, "chargeback", "fraud", 77): 4}
        assert recorder.payments_kept(c, []) == {}
        assert c.execute(sa.select(accounts.c.account, accounts.c.first_seen_at)).all() == [("ann", 1), ("bob", 1)]
        assert c.execute(sa.select(alerts.c.status, alerts.c.why)).one() == ("new", "")


def test_one_bad_row_leaves_nothing_of_the_batch(ledger: Ledger) -> None:
    recorder = Recorder(ledger)

    def write_both() -> None:
        with ledger.write() as c:
            recorder.add_accounts(c, [("ann", 1)])
            recorder.add(c, Rows([payment(1, "p1"), payment(2, "p1")], [decision(1), decision(2)]))

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        write_both()
    with ledger.read() as c:
        for table in (transactions, decisions, accounts):
            assert c.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0


def test_the_fast_statements_say_what_the_plain_ones_say(ledger: Ledger) -> None:
    recorder = Recorder(ledger)
    with ledger.write() as c:
        for n, (table, direction, status) in enumerate(
            [
                (freezes, "in", "active"),
                (freezes, "out", "ended"),
                (blocks, "both", "active"),
                (blocks, "out", "lifted"),
            ]
        ):
            recorder.add_accounts(c, [(f"a{n}", 1)])
            found = c.execute(
                investigations.insert()
                .values(account=f"a{n}", subject="s", status="pending", opened_by="x", opened_at=1)
                .returning(investigations.c.id)
            ).scalar_one()
            values = {"account": f"a{n}", "direction": direction, "reason": "r", "set_by": "x", "set_at": 1}
            more = {"investigation": found} if table is blocks else {}
            c.execute(table.insert().values(status=status, **values, **more))
        names = ["a0", "a1", "a2", "a3", "nobody"]
        assert recorder.standings(c, names) == standing_of(c, names)
        assert recorder.standings(c, names).keys() == {"a0", "a2"}
        assert recorder.standings(c, []) == {}
        first = recorder.next_number(c)
        assert first == next_number(c)
        recorder.take_numbers(c, first, 5)
        assert next_number(c) == first + 5 == take_numbers(c, 1)
