"""Events as columns: keys that are the same everywhere, rows that can be taken."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tocsin.batch import MISSING_KEY, Batch, key_of, keys_of
from tocsin.schema import KIND_CODE, Kind


def a_batch(n: int) -> Batch:
    kinds = [KIND_CODE[Kind.PAYMENT], KIND_CODE[Kind.SIGN_IN], KIND_CODE[Kind.LABEL]]
    return Batch(
        number=np.arange(1, n + 1, dtype=np.int64),
        at=np.arange(n, dtype=np.int64) * 1000,
        kind=np.array([kinds[i % 3] for i in range(n)], np.uint8),
        amount=np.arange(n, dtype=np.int64),
        keys={"card": np.arange(n, dtype=np.uint64)},
        numbers={"age": np.arange(n, dtype=np.float64)},
        of=np.full(n, -1, np.int64),
        fraud=np.zeros(n, np.int8),
    )


def test_a_key_is_the_same_on_every_machine() -> None:
    """Snapshots and ledgers hold keys: these two numbers may never change."""
    assert key_of("card-1") == 17_387_060_270_666_064_888
    assert key_of("été") == 15_573_535_892_061_639_100


@given(st.lists(st.one_of(st.none(), st.text(max_size=5))))
def test_keys_of_many_are_the_keys_of_each(texts: list[str | None]) -> None:
    keys = keys_of(texts)
    assert keys.dtype == np.uint64
    assert keys.tolist() == [key_of(t) if t else int(MISSING_KEY) for t in texts]
    assert all(k for k, t in zip(keys, texts, strict=True) if t)


def test_taking_rows_takes_every_column() -> None:
    batch = a_batch(9)
    assert len(batch) == 9
    assert batch.payments.tolist() == [True, False, False] * 3
    for rows in (slice(2, 5), np.array([5, 0, 7]), batch.payments):
        part = batch.take(rows)
        assert (part.number == batch.number[rows]).all()
        assert (part.at == batch.at[rows]).all()
        assert (part.keys["card"] == batch.keys["card"][rows]).all()
        assert (part.numbers["age"] == batch.numbers["age"][rows]).all()
        assert len(part) == len(part.kind) == len(part.amount) == len(part.of) == len(part.fraud)
