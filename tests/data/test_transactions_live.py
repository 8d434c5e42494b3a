"""A payment has the same columns whether it is read from a file or came over the wire: else features would differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tocsin import spec
from tocsin.data import WorldSettings, make_world, read
from tocsin.ledger.replay import Entry, Gatherer
from tocsin.ledger.store import microseconds
from tocsin.schema import KIND_CODE, AccountEvent, Kind, Transaction, check_event, check_transaction

PAYMENT, EVENT = Transaction.__struct_fields__, AccountEvent.__struct_fields__


def sent(row: dict[str, Any]) -> Transaction | AccountEvent:
    """A row of the file as a service would send it, through JSON."""
    row = {k: v for k, v in row.items() if v is not None}
    if row["kind"] == "payment":
        body = msgspec.json.encode({k: v for k, v in row.items() if k in PAYMENT})
        return check_transaction(msgspec.json.decode(body, type=Transaction))
    return check_event(
        msgspec.json.decode(msgspec.json.encode({k: v for k, v in row.items() if k in EVENT}), type=AccountEvent)
    )


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_a_file_and_the_wire_give_the_same_columns(tmp_path: Path, form: str) -> None:
    world = make_world(WorldSettings(transactions=3_000, seed=5)).events
    # A file may say of an account event what the service has no word for; neither may remember it.
    world = world.set_column(world.column_names.index("card"), "card", pa.array(["c"] * world.num_rows))
    path = tmp_path / f"world.{form}"
    if form == "parquet":
        pq.write_table(world, path)
    elif form == "csv":
        import pyarrow.csv

        pyarrow.csv.write_csv(world, path)
    else:
        path.write_bytes(b"\n".join(msgspec.json.encode(row) for row in world.to_pylist()))
    known = spec.load("world")
    table = read(path, known)
    assert table.rows_bad == 0

    rows = sorted(world.to_pylist(), key=lambda row: row["at"])
    entries = []
    for number, row in enumerate(rows, 1):
        body = sent(row)
        amount = body.amount_minor if isinstance(body, Transaction) else 0
        entries.append(Entry(number, microseconds(body.at), KIND_CODE[Kind(row["kind"])], amount, body))
    live = Gatherer(known).gather(entries)

    for column in ("number", "at", "kind", "amount"):
        assert (getattr(live, column) == getattr(table.batch, column)).all(), column
    assert live.keys.keys() == table.batch.keys.keys()
    for name, keys in live.keys.items():
        assert (keys == table.batch.keys[name]).all(), name
    for name, numbers in live.numbers.items():
        assert np.array_equal(numbers, table.batch.numbers[name], equal_nan=True), name
