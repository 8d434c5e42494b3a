"""What the memory must consume again: everything the ledger holds after a number, in the order of the one sequence.

The live service gathers its waiting requests with the same :class:`Gatherer`, so what is replayed is to the bit what
was first remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

from tocsin.batch import Batch, key_of
from tocsin.errors import BadInput
from tocsin.ledger.tables import account_events, labels, transactions
from tocsin.schema import KIND_CODE, AccountEvent, Finding, Kind, Transaction
from tocsin.spec import Spec

PAYMENT = KIND_CODE[Kind.PAYMENT]
LABEL = KIND_CODE[Kind.LABEL]
_MISSING = float("nan")
_KEYS_KEPT = 500_000
"""Texts whose key is kept at hand: about 60 MB; then it starts anew."""


class Entry(NamedTuple):
    """One thing the memory consumes; ``at`` in microseconds, ``amount`` in minor units of the base currency."""

    number: int
    at: int
    kind: int
    amount: int
    body: Transaction | AccountEvent | None
    of: int = -1
    fraud: int = 0


class Gatherer:
    """Entries → the columns of one spec.

    Parameters
    ----------
    spec : says which keys and numbers an event carries; all else in a transaction is kept in the ledger only.
    """

    def __init__(self, spec: Spec) -> None:
        self._keys = spec.key_names
        self._numbers = spec.number_names
        self._extra_numbers = frozenset(spec.extra_numbers)
        self._read_payment = _reader(Transaction, (*self._keys, *self._numbers))
        self._read_event = _reader(AccountEvent, (*self._keys, *self._numbers))
        self._nothing = (None,) * (len(self._keys) + len(self._numbers))
        self._known: dict[str, int] = {}

    def gather(self, entries: Sequence[Entry]) -> Batch:
        """The entries, which must be in the order of their numbers, as one batch.

        Raises
        ------
        BadInput : an extra that this spec takes for a number came as a text, when another model was in force.
        """
        rows = [
            self._nothing
            if (body := entry.body) is None
            else (self._read_payment(body) if type(body) is Transaction else self._read_event(body))
            for entry in entries
        ]
        columns = list(zip(*rows, strict=True)) if rows else [() for _ in self._nothing]
        for name, values in zip(self._numbers, columns[len(self._keys) :], strict=True):
            if name in self._extra_numbers and str in map(type, values):
                raise _was_text(name)
        number, at, kind, amount, _, of, fraud = zip(*entries, strict=True) if entries else ((),) * 7
        return Batch(
            number=np.array(number, dtype=np.int64),
            at=np.array(at, dtype=np.int64),
            kind=np.array(kind, dtype=np.uint8),
            amount=np.array(amount, dtype=np.int64),
            keys={name: self._key_column(columns[i]) for i, name in enumerate(self._keys)},
            numbers={name: _number_column(columns[i]) for i, name in enumerate(self._numbers, start=len(self._keys))},
            of=np.array(of, dtype=np.int64),
            fraud=np.array(fraud, dtype=np.int8),
        )

    def _key_column(self, texts: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.uint64]]:
        known = self._known
        if len(known) > _KEYS_KEPT:
            known.clear()
        out = []
        for text in texts:
            if not text:
                out.append(0)
                continue
            key = known.get(text)
            if key is None:
                key = known[text] = key_of(str(text))
            out.append(key)
        return np.array(out, dtype=np.uint64)


def entries_between(connection: sa.Connection, after: int, upto: int) -> list[Entry]:
    """Everything with a number in ``(after, upto]``, in order."""
    out: list[Entry] = []
    t, e = transactions.c, account_events.c
    payments = sa.select(t.number, t.at, t.base_minor, t.body).where(t.number > after, t.number <= upto)
    for number, at, amount, body in connection.execute(payments):
        out.append(Entry(number, at, PAYMENT, amount, _read_transaction(body)))
    events = sa.select(e.number, e.at, e.kind, e.body).where(e.number > after, e.number <= upto)
    for number, at, kind, body in connection.execute(events):
        out.append(Entry(number, at, KIND_CODE[Kind(kind)], 0, _read_account_event(body)))
    found = sa.select(labels.c.number, labels.c.known_at, labels.c.transaction_number, labels.c.finding)
    for number, known_at, of, finding in connection.execute(
        found.where(labels.c.number > after, labels.c.number <= upto)
    ):
        out.append(Entry(number, known_at, LABEL, 0, None, of, int(finding == Finding.FRAUD)))
    out.sort(key=attrgetter("number"))
    return out


def replay(
    connection: sa.Connection, gatherer: Gatherer, *, after: int, upto: int, at_once: int = 20_000
) -> Iterator[Batch]:
    """The batches with numbers in ``(after, upto]``, ``at_once`` numbers a batch; nothing where nothing is."""
    for start in range(after, upto, at_once):
        entries = entries_between(connection, start, min(start + at_once, upto))
        if entries:
            yield gatherer.gather(entries)


_read_transaction = msgspec.json.Decoder(Transaction).decode
_read_account_event = msgspec.json.Decoder(AccountEvent).decode


def _reader(shape: type[msgspec.Struct], names: tuple[str, ...]) -> Any:
    """struct -> tuple of the named values; ``None`` for what this shape has no word for, extras by their name."""
    fields = set(shape.__struct_fields__)
    plain = [name for name in names if name in fields]
    if plain == list(names) and len(names) > 1:
        return attrgetter(*names)
    has_extra = "extra" in fields

    def read(body: Any) -> tuple[Any, ...]:
        extra = body.extra if has_extra else {}
        return tuple(getattr(body, name) if name in fields else extra.get(name) for name in names)

    return read


def _number_column(values: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([_MISSING if value is None else value for value in values], dtype=np.float64)


def _was_text(name: str) -> BadInput:
    return BadInput(
        f"an extra must stay what it is from model to model; the ledger holds texts of {name}, this model wants numbers.",
        field=f"extra.{name}",
        hint="Give it another name in the new model's spec.",
    )
