"""Writing what came in and what was decided: whole batches, one statement a table, inside somebody's write.

The rows are plain tuples in the order of the table's columns and the statements are SQLAlchemy Core, compiled once for
the database at hand and given to its driver as they are; the way through ``Connection.execute`` costs four times as
much a row, and this is the path every payment takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.ledger.standing import Standing, fold
from tocsin.ledger.store import Ledger
from tocsin.ledger.tables import (
    account_events,
    accounts,
    alerts,
    blocks,
    decisions,
    freezes,
    labels,
    sequence,
    transactions,
)

# Said as a literal, so that one parameter is left: the list of accounts.
_ACTIVE = {table.name: table.c.status == sa.literal_column("'active'") for table in (freezes, blocks)}


class TransactionRow(NamedTuple):
    """One row of ``transactions``; times in microseconds, ``body`` the transaction as JSON with the card as a token."""

    number: int
    id: str
    content: bytes
    at: int
    received_at: int
    amount_minor: int
    currency: str
    base_minor: int
    account: str
    payee: str | None
    body: bytes
    late: bool


class DecisionRow(NamedTuple):
    """One row of ``decisions``; ``body`` is the answer, byte for byte."""

    number: int
    action: str
    code: str
    cause: str
    score: float | None
    body: bytes
    model: str
    decided_at: int


class AlertRow(NamedTuple):
    """A new row of ``alerts``; ``why`` (empty here), ``reasons`` and ``normal`` follow after the answer."""

    number: int
    account: str
    at: int
    created_at: int
    due_at: int
    action: str
    score: float
    stake_minor: int
    why: str
    inputs: bytes
    status: str = "new"


class EventRow(NamedTuple):
    """One row of ``account_events``."""

    number: int
    id: str
    content: bytes
    at: int
    received_at: int
    kind: str
    account: str
    body: bytes


class LabelRow(NamedTuple):
    """One row of ``labels`` that came over the wire (a verdict's is written by the desk)."""

    number: int
    transaction_number: int
    finding: str
    source: str
    known_at: int


class KeptPayment(NamedTuple):
    """What the ledger already holds under an id: the content's fingerprint and the answer given."""

    number: int
    content: bytes
    answer: bytes


@dataclass(slots=True)
class Rows:
    """Everything one batch adds to the ledger."""

    transactions: list[TransactionRow] = field(default_factory=list)
    decisions: list[DecisionRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    labels: list[LabelRow] = field(default_factory=list)


class Recorder:
    """The statements of the busiest path, compiled for one ledger's database."""

    def __init__(self, ledger: Ledger) -> None:
        self._sqlite = ledger.is_sqlite
        module: Any = sqlite if ledger.is_sqlite else postgresql
        self._dialect = module.dialect(paramstyle="qmark" if ledger.is_sqlite else "format")
        insert = module.insert
        self._inserts = [
            (place, self._compile(sa.insert(table).values(dict.fromkeys(shape._fields)), shape._fields))
            for place, table, shape in (
                ("transactions", transactions, TransactionRow),
                ("decisions", decisions, DecisionRow),
                ("alerts", alerts, AlertRow),
                ("events", account_events, EventRow),
                ("labels", labels, LabelRow),
            )
        ]
        self._accounts = self._compile(
            insert(accounts).values(account=None, first_seen_at=None).on_conflict_do_nothing()
        )
        self._payments_kept = self._compile(
            sa.select(transactions.c.id, transactions.c.number, transactions.c.content, decisions.c.body)
            .join(decisions, decisions.c.number == transactions.c.number)
            .where(self._among(transactions.c.id))
        )
        self._payments_named = self._compile(
            sa.select(transactions.c.id, transactions.c.number, transactions.c.at).where(self._among(transactions.c.id))
        )
        self._events_kept = self._compile(
            sa.select(account_events.c.id, account_events.c.number, account_events.c.content).where(
                self._among(account_events.c.id)
            )
        )
        self._next = self._compile(
            sa.select(sequence.c.next).where(sequence.c.name == sa.literal_column("'events'")).with_for_update()
        )
        self._take = self._compile(
            sequence.update()
            .where(sequence.c.name == sa.literal_column("'events'"))
            .values(next=sa.bindparam("first") + sa.bindparam("count"))
        )
        self._hold = self._compile(
            sa.select(accounts.c.account)
            .where(self._among(accounts.c.account))
            .order_by(accounts.c.account)
            .with_for_update(read=True)
        )
        self._stops = [
            (
                word,
                self._compile(sa.select(t.c.account, t.c.direction).where(_ACTIVE[t.name], self._among(t.c.account))),
            )
            for word, t in (("frozen", freezes), ("blocked", blocks))
        ]
        self._labels_kept = self._compile(
            sa.select(
                labels.c.transaction_number, labels.c.source, labels.c.finding, labels.c.known_at, labels.c.number
            ).where(self._among(labels.c.transaction_number))
        )

    def next_number(self, connection: sa.Connection) -> int:
        """The number the next thing will get, locked until this write ends; as ``sequence.next_number``."""
        cursor = _cursor(connection)
        cursor.execute(self._next)
        return int(cursor.fetchone()[0])

    def take_numbers(self, connection: sa.Connection, first: int, count: int) -> None:
        """Take ``count`` numbers from ``first``, which :meth:`next_number` has locked."""
        _cursor(connection).execute(self._take, (first, count))

    def standings(self, connection: sa.Connection, names: Iterable[str]) -> dict[str, Standing]:
        """What stands against each of these accounts; as ``standing.standing_of``, which says what is locked."""
        wanted = list(names)
        if not self._sqlite:
            self._ask(connection, self._hold, sorted(wanted))
        rows = [(word, *row) for word, statement in self._stops for row in self._ask(connection, statement, wanted)]
        return fold(rows) if rows else {}

    def payments_kept(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, KeptPayment]:
        """Which of these transactions are in the ledger already, with the answer each got."""
        rows = self._ask(connection, self._payments_kept, list(ids))
        return {row[0]: KeptPayment(row[1], bytes(row[2]), bytes(row[3])) for row in rows}

    def payments_named(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, tuple[int, int]]:
        """The number and the time (microseconds) of each of these transactions that is there."""
        return {row[0]: (row[1], row[2]) for row in self._ask(connection, self._payments_named, list(ids))}

    def events_kept(self, connection: sa.Connection, ids: Iterable[str]) -> dict[str, tuple[int, bytes]]:
        """The number and content of each of these account events that is there."""
        return {row[0]: (row[1], bytes(row[2])) for row in self._ask(connection, self._events_kept, list(ids))}

    def labels_kept(self, connection: sa.Connection, payments: Iterable[int]) -> dict[tuple[int, str, str, int], int]:
        """(payment's number, source, finding, known_at) -> number of every label these payments have."""
        rows = self._ask(connection, self._labels_kept, list(payments))
        return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}

    def add_accounts(self, connection: sa.Connection, seen: Iterable[tuple[str, int]]) -> None:
        """Make sure each (account, first seen in microseconds) has its row."""
        rows = sorted(seen)  # one order for all writers, so that two never wait for each other in a ring
        if rows:
            _cursor(connection).executemany(self._accounts, rows)

    def add(self, connection: sa.Connection, rows: Rows) -> None:
        """Write everything of one batch; accounts first, if they are new (:meth:`add_accounts`)."""
        cursor = _cursor(connection)
        for place, statement in self._inserts:
            if new := getattr(rows, place):
                cursor.executemany(statement, new)

    def _ask(self, connection: sa.Connection, statement: str, values: list[Any]) -> list[Any]:
        if not values:
            return []
        cursor = _cursor(connection)
        cursor.execute(statement, (msgspec.json.encode(values).decode() if self._sqlite else values,))
        rows: list[Any] = cursor.fetchall()
        return rows

    def _among(self, column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        """``column`` is one of a list given as one parameter, so that the statement is the same for any length."""
        values: sa.BindParameter[Any] = sa.bindparam("values")
        if self._sqlite:
            return column.in_(sa.select(sa.func.json_each(values).table_valued("value").c.value))
        return column == sa.any_(values)

    def _compile(self, statement: Any, order: tuple[str, ...] | None = None) -> str:
        """The text for the driver; with ``order``, made sure that the places stand in that order."""
        compiled = statement.compile(dialect=self._dialect)
        if order is not None and tuple(compiled.positiontup) != order:
            raise TypeError(f"a row must have the order of the table's columns, {compiled.positiontup}; got {order}.")
        return str(compiled)


def _cursor(connection: sa.Connection) -> Any:
    """The driver's own cursor, inside the transaction the connection has begun."""
    return connection.connection.cursor()
