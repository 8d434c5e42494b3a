"""The demo's past as ledger rows, so that the desk knows every customer's history and the memory can be replayed.

The rows stand under the very numbers under which learning stepped over them. Nobody decided these payments here: their
decisions say so (cause ``imported``, no score), and no alert rings for them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec
import numpy as np
import pyarrow as pa

from tocsin.batch import Batch
from tocsin.cli.demo_days import body_of, read_events
from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.record import DecisionRow, EventRow, LabelRow, Recorder, Rows, TransactionRow
from tocsin.ledger.sequence import take_numbers
from tocsin.schema import KIND_CODE, Action, Decision, Finding, Kind, Transaction

IMPORTED = "imported"
_AT_ONCE = 20_000
_encode = msgspec.json.Encoder().encode


def keep_past(ledger: Ledger, past: pa.Table, stream: Batch, told: Callable[[float], None]) -> int:
    """Write the past into an empty ledger and return how many numbers it took.

    Parameters
    ----------
    past : payments and account events in order of time.
    stream : the same with the labels merged in, as learning saw it: it says which number each has.
    """
    recorder, values = Recorder(ledger), read_events(past)
    is_label = stream.kind == KIND_CODE[Kind.LABEL]
    assert past.num_rows == int((~is_label).sum()), "the stream must be of the same events"
    known: set[str] = set()
    for first in range(0, len(stream), _AT_ONCE):
        rows, seen = Rows(), dict[str, int]()
        for row in range(first, min(first + _AT_ONCE, len(stream))):
            number, at = int(stream.number[row]), int(stream.at[row])
            if is_label[row]:
                rows.labels.append(LabelRow(number, int(stream.of[row]), Finding.FRAUD, "chargeback", at))
                continue
            value = next(values)
            assert microseconds(value.at) == at, "the stream must be in the order of the file"
            seen.setdefault(value.account, at)
            if isinstance(value, Transaction):
                if value.payee:
                    seen.setdefault(value.payee, at)
                _keep_payment(rows, number, at, value)
            else:
                body = body_of(value)
                rows.events.append(EventRow(number, value.id, _print(body), at, at, value.kind, value.account, body))
        with ledger.write() as connection:
            took = take_numbers(connection, min(_AT_ONCE, len(stream) - first))
            assert took == int(stream.number[first]), "the ledger must be empty"
            recorder.add_accounts(connection, [(name, at) for name, at in seen.items() if name not in known])
            recorder.add(connection, rows)
        known.update(seen)
        told((first + _AT_ONCE) / len(stream))
    return len(stream)


def numbers_match(stream: Batch) -> bool:
    """Whether a stream's numbers run from 1 without a gap, as an empty ledger gives them."""
    return bool(np.array_equal(stream.number, np.arange(1, len(stream) + 1)))


def _keep_payment(rows: Rows, number: int, at: int, value: Transaction) -> None:
    body = body_of(value)
    amount = value.amount_minor
    rows.transactions.append(
        TransactionRow(
            number,
            value.id,
            _print(body),
            at,
            at,
            amount,
            value.currency,
            amount,
            value.account,
            value.payee,
            body,
            False,
        )
    )
    decision = Decision(
        transaction_id=value.id,
        number=number,
        action=Action.APPROVE,
        code="approved",
        score=None,
        reasons=(),
        model=IMPORTED,
        decided_at=value.at,
    )
    rows.decisions.append(
        DecisionRow(number, Action.APPROVE, "approved", IMPORTED, None, _encode(decision), IMPORTED, at)
    )


def _print(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()
