"""What stands against an account, and that deciding a payment and freezing wait for one another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sa

from scenes.postgres import fresh_database
from tocsin.ledger import Ledger
from tocsin.ledger.standing import FREE, Standing, standing_of
from tocsin.ledger.tables import accounts, blocks, freezes, investigations


def prepare(ledger: Ledger) -> None:
    with ledger.write() as connection:
        for name in ("A", "B", "C"):
            connection.execute(accounts.insert().values(account=name, first_seen_at=0))
        row = {"id": 1, "account": "A", "subject": "x", "status": "pending", "opened_by": "ana", "opened_at": 0}
        connection.execute(investigations.insert().values(**row))


def stop(ledger: Ledger, table: sa.Table, account: str, direction: str, status: str = "active") -> None:
    row = {"account": account, "direction": direction, "status": status, "reason": "x", "set_by": "ana", "set_at": 0}
    extra = {"investigation": 1} if table is blocks else {}
    with ledger.write() as connection:
        connection.execute(table.insert().values(**row, **extra))


def test_directions_and_kinds_add_up(both: Ledger) -> None:
    prepare(both)
    stop(both, freezes, "A", "out")
    stop(both, freezes, "A", "in", "ended")
    stop(both, blocks, "A", "in")
    stop(both, freezes, "B", "both")
    stop(both, blocks, "C", "both", "lifted")
    with both.write() as connection:
        found = standing_of(connection, ["A", "B", "C", "unseen"])
        assert standing_of(connection, []) == {}
    assert found == {
        "A": Standing(frozen_out=True, blocked_in=True),
        "B": Standing(frozen_out=True, frozen_in=True),
    }
    assert found.get("C", FREE) == Standing()


@pytest.mark.postgres
def test_a_freeze_waits_for_the_payment_being_decided_and_payments_do_not_wait_for_each_other() -> None:
    # A SQLite write excludes all others; there is nothing to wait for.
    both = Ledger(fresh_database())
    both.create()
    prepare(both)
    decided, frozen = Event(), Event()

    def freeze() -> bool:
        with both.write() as connection:
            connection.execute(sa.select(accounts).where(accounts.c.account == "A").with_for_update())
            frozen.set()
        return decided.is_set()

    with ThreadPoolExecutor(2) as pool:
        with both.write() as connection:
            standing_of(connection, ["A"])
            with both.write() as another:  # would hang if payments excluded each other
                standing_of(another, ["A", "B"])
            waiting = pool.submit(freeze)
            assert not frozen.wait(0.3)
            decided.set()
        assert waiting.result()
    both.close()


def test_only_looking_holds_nothing(both: Ledger) -> None:
    prepare(both)
    with both.read() as connection:
        assert standing_of(connection, ["A"], hold=False) == {}
        stop(both, freezes, "A", "out")  # would hang on PostgreSQL if looking held the row
