"""Any type in any column is read, is a bad row, or is refused in words; never a traceback from below."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tocsin import spec
from tocsin.data import read
from tocsin.errors import BadInput

WORDS = ["id", "at", "kind", "amount", "currency", "account", "card", "latitude", "label", "known_at", "weight", "age"]
PLAIN: dict[str, list[Any]] = {
    "id": ["1", "2", "3"],
    "at": [datetime(2026, 3, 1, tzinfo=UTC)] * 3,
    "kind": ["payment"] * 3,
    "amount": [1.0, 2.0, 3.0],
    "currency": ["EUR"] * 3,
    "account": ["a"] * 3,
    "card": ["c"] * 3,
    "latitude": [1.0] * 3,
    "label": [0, 1, 0],
    "known_at": [datetime(2026, 3, 2, tzinfo=UTC)] * 3,
    "weight": [1.0] * 3,
    "age": [1.0] * 3,
}
ARRAYS: dict[str, pa.Array] = {
    "bool": pa.array([True, False, None]),
    "int8": pa.array([1, 0, None], pa.int8()),
    "uint64": pa.array([2**64 - 1, 0, None], pa.uint64()),
    "int64": pa.array([2**62, -(2**62), None]),
    "float32": pa.array([1.5, float("nan"), float("inf")], pa.float32()),
    "half": pa.array([1.5, 2.0, None], pa.float16()),
    "decimal": pa.array([Decimal("1.25"), Decimal("-3.00"), None], pa.decimal128(20, 2)),
    "decimal256": pa.array([Decimal("1.25"), Decimal("3.00"), None], pa.decimal256(50, 2)),
    "string": pa.array(["", "x", None]),
    "large_string": pa.array(["", "x", None], pa.large_string()),
    "string_view": pa.array(["", "x", None], pa.string_view()),
    "binary_view": pa.array([b"\xff", b"x", None], pa.binary_view()),
    "binary": pa.array([b"\xff", b"x", None]),
    "fixed_binary": pa.array([b"ab", b"cd", None], pa.binary(2)),
    "dictionary": pa.array(["a", "b", None]).dictionary_encode(),
    "dictionary_int": pa.array([1, 0, None]).dictionary_encode(),
    "date32": pa.array([date(2026, 3, 1), date(1066, 1, 1), None]),
    "date64": pa.array([date(2026, 3, 1), date(2026, 3, 1), None], pa.date64()),
    "time": pa.array([time(1, 2), time(3, 4), None]),
    "duration": pa.array([timedelta(1), timedelta(2), None]),
    "timestamp_s": pa.array([datetime(2026, 3, 1), datetime(2026, 3, 1), None], pa.timestamp("s")),  # noqa: DTZ001
    "timestamp_tz": pa.array([datetime(2026, 3, 1, tzinfo=UTC)] * 2 + [None], pa.timestamp("ns", "Asia/Tokyo")),
    "null": pa.nulls(3),
    "list": pa.array([[1], [], None]),
    "struct": pa.array([{"x": 1}, {"x": 2}, None]),
}
TOML = "[columns]\n" + "\n".join(f'{w} = "{w}"' for w in WORDS[:-1]) + '\nnumbers = ["age"]\n'
SPECS = [
    spec.parse(TOML + '[time]\nzone = "Europe/Paris"'),
    spec.parse(TOML + "[time]\nepoch = 2026-01-01T00:00:00Z"),
    spec.parse(TOML + '[time]\nzone = "UTC"\nformat = "%d.%m.%Y"\n[money]\nunit = "minor"\n[label]\nlevel = "account"'),
]


@pytest.mark.parametrize("kind", list(ARRAYS))
@pytest.mark.parametrize("word", WORDS)
def test_any_type_in_any_column(tmp_path: Path, word: str, kind: str) -> None:
    table = pa.table({**PLAIN, word: ARRAYS[kind]})
    path = tmp_path / "p.parquet"
    pq.write_table(table, path)
    for one, suffix in zip(SPECS, (".csv", ".jsonl", ".parquet"), strict=True):
        try:
            got = read(path, one, bad_rows=tmp_path / f"bad{suffix}")
        except BadInput as error:
            assert word in str(error)  # noqa: PT017
            continue
        assert got.rows_in == 3 == len(got.batch) + got.rows_bad
        assert {p.row for p in got.problems}.isdisjoint(got.row.tolist())
