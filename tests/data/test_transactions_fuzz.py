"""Whatever is in a file, no row is lost: rows in = good + bad; and a good file comes back as it was written."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin import spec
from tocsin.batch import keys_of
from tocsin.data import read
from tocsin.errors import BadInput
from tocsin.schema import KIND_CODE, Kind

SPEC = spec.parse(
    """
[columns]
id = "id"
at = "at"
kind = "kind"
amount = "amount"
account = "account"
label = "label"
known_at = "known_at"
numbers = ["age"]
[time]
zone = "Europe/Paris"
"""
)
NAMES = ["id", "at", "kind", "amount", "account", "label", "known_at", "age"]

words = st.sampled_from(
    [
        *("", " ", "x", "1", "0", "-1", "1e400", "nan", "inf", "9" * 40, "12.345", "a", "b", "é"),
        *("2026-03-01", "2026-02-31", "2026-03-29 02:30", "2026-03-01T12:00:00Z", "1970-01-01T00:00:00Z"),
        *("payment", "sign_in", "label"),
    ]
)
junk = st.lists(words, min_size=len(NAMES), max_size=len(NAMES))
good_row = st.builds(
    lambda i, a, e: [str(i), "2026-03-01T12:00:00Z", "payment", "1.50", a, e, "", "3"],
    st.integers(0, 5),
    st.sampled_from("abc"),
    st.sampled_from(["0", "1", ""]),
)
rows = st.lists(st.one_of(good_row, junk, st.lists(words, min_size=1, max_size=10)), min_size=1, max_size=25)


def as_csv(lines: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(lines)
    return text.getvalue()


@settings(max_examples=150, deadline=None)
@given(rows)
def test_rows_in_are_good_and_bad_rows(lines: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path, side = Path(folder) / "p.csv", Path(folder) / "bad.parquet"
        path.write_text(as_csv([NAMES, *lines]), encoding="utf-8")
        try:
            table = read(path, SPEC, bad_rows=side)
        except BadInput as error:
            if "numbers as times" not in str(error):  # a whole column of numbers where times should be
                raise
            return
        bad = pq.read_table(side)
    assert table.rows_in == len(lines)
    assert len(table.batch) + table.rows_bad == table.rows_in
    assert bad.num_rows == table.rows_bad
    assert {p.row for p in table.problems} == set(bad["tocsin_row"].to_pylist())
    assert not set(table.row.tolist()) & set(bad["tocsin_row"].to_pylist())
    assert len(set(table.ids)) == len(table)
    assert all(p.what and "None" not in p.what for p in table.problems)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 400))
def test_a_file_cut_anywhere_loses_no_whole_row(lines: list[list[str]], keep: int) -> None:
    text = as_csv([["id", "at", "amount", "account"], *(line[:4] for line in lines)]).encode()
    head = text.index(b"\n") + 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "p.csv"
        path.write_bytes(text[: head + 1 + keep])
        cut = spec.parse('[columns]\nid = "id"\nat = "at"\namount = "amount"\naccount = "account"')
        try:
            table = read(path, cut)
        except BadInput:
            return
    assert len(table.batch) + table.rows_bad == table.rows_in


payment = st.tuples(
    st.integers(0, 10**15),
    st.integers(-(10**15), 4 * 10**15),
    st.sampled_from(["a", "007", "été", "x,y", 'q"q', "7.0", "line\nbreak"]),
    st.sampled_from([0, 1, None]),
    st.integers(0, 10**13),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=64)),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(payment, min_size=1, max_size=40), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_what_was_written_is_what_is_read(payments: list[tuple], form: str) -> None:  # type: ignore[type-arg]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    made = [
        {
            "id": f"p{i}",
            "at": (epoch + timedelta(microseconds=at)).isoformat(),
            "kind": "payment",
            "amount": minor,
            "account": account,
            "label": label,
            "known_at": (epoch + timedelta(microseconds=at + later)).isoformat(),
            "age": age,
        }
        for i, (minor, at, account, label, later, age) in enumerate(payments)
    ]
    schema = pa.schema(
        [(n, {"amount": pa.int64(), "label": pa.int8(), "age": pa.float64()}.get(n, pa.string())) for n in NAMES]
    )
    table = pa.Table.from_pylist(made, schema=schema)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"p.{form}"
        if form == "parquet":
            pq.write_table(table, path)
        elif form == "csv":
            pa.csv.write_csv(table, path)
        else:
            import json

            path.write_text("\n".join(json.dumps(row) for row in made), encoding="utf-8")
        got = read(path, spec.parse(SPEC.text + '\n[money]\nunit = "minor"'))
    assert got.problems == ()
    order = sorted(range(len(payments)), key=lambda i: payments[i][1])
    assert got.ids.tolist() == [f"p{i}" for i in order]
    assert got.amount.tolist() == [payments[i][0] for i in order]
    assert got.at.tolist() == [payments[i][1] for i in order]
    assert got.label.tolist() == [-1 if payments[i][3] is None else payments[i][3] for i in order]
    assert (got.batch.keys["account"] == keys_of([payments[i][2] for i in order])).all()
    ages = [np.nan if payments[i][5] is None else payments[i][5] for i in order]
    assert np.array_equal(got.batch.numbers["age"], ages, equal_nan=True)
    for place, i in enumerate(order):
        if payments[i][3] is not None:
            assert got.known_at[place] == payments[i][1] + payments[i][4]


@settings(max_examples=80, deadline=None)
@given(st.lists(payment, min_size=1, max_size=40))
def test_the_stream_tells_each_fraud_when_it_became_known(payments: list[tuple]) -> None:  # type: ignore[type-arg]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    columns = {
        "id": [f"p{i}" for i in range(len(payments))],
        "at": [epoch + timedelta(microseconds=p[1] // 10**13) for p in payments],  # many at the same time
        "kind": ["payment" if p[4] % 3 else "sign_in" for p in payments],
        "amount": [p[0] / 100 for p in payments],
        "account": [p[2] for p in payments],
        "label": [p[3] for p in payments],
        "known_at": [epoch + timedelta(microseconds=p[1] // 10**13 + p[4] // 10**11) for p in payments],
        "age": [1.0 for _ in payments],
    }
    with TemporaryDirectory() as folder:
        pq.write_table(pa.table(columns), Path(folder) / "p.parquet")
        table = read(Path(folder) / "p.parquet", SPEC)
    stream = table.stream()
    assert stream.number.tolist() == list(range(1, len(stream) + 1))
    assert (np.diff(stream.at) >= 0).all()
    labels = np.flatnonzero(stream.kind == KIND_CODE[Kind.LABEL])
    ends = table.batch.at.max()
    assert len(labels) == int(((table.label == 1) & (table.known_at <= ends)).sum())
    assert stream.at[-1] == ends  # what becomes known after the last event is for whoever serves from there on
    assert (stream.at[stream.payments] == table.at).all()
    assert (stream.amount[stream.payments] == table.amount).all()
    payments_at = np.flatnonzero(stream.payments)
    for row in labels:
        of = stream.of[row] - 1
        assert of < row
        assert stream.payments[of]
        which = int(np.searchsorted(payments_at, of))
        assert table.label[which] == 1
        assert table.known_at[which] == stream.at[row]
        # Whatever happened at the same moment does not know it yet.
        assert not (stream.at[row:][stream.kind[row:] != KIND_CODE[Kind.LABEL]] == stream.at[row]).any()
    cut = int(np.median(table.at)) if len(table) else 0
    known = table.as_known_at(cut)
    assert (known.known_at[known.label >= 0] <= cut).all()
    assert (known.label[table.known_at <= cut] == table.label[table.known_at <= cut]).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["good", "short", "long", "time", "blank", "quoted"]), min_size=1, max_size=60),
    st.booleans(),
)
def test_a_row_has_the_number_it_has_in_the_file(kinds: list[str], many: bool) -> None:
    """Blank lines are no rows; a quoted line break does not end one; numbers hold beyond the reader's blocks."""
    filler = "x" * 2_000_000 if many else "x"
    lines, number, bad = ["at,amount,account,card"], 0, set()
    for kind in kinds:
        if kind == "blank":
            lines.append("")
            continue
        number += 1
        row = ["2026-03-01T12:00:00Z", "1", str(number), filler if kind == "good" else "y"]
        if kind == "quoted":
            row[3] = '"two\nlines"'
        if kind == "time":
            row[0] = "soon"
        if kind in ("short", "long"):
            row = row[:2] if kind == "short" else [*row, "more"]
        if kind in ("short", "long", "time"):
            bad.add(number)
        lines.append(",".join(row))
    plain = spec.parse('[columns]\nat = "at"\namount = "amount"\naccount = "account"\ncard = "card"')
    if number == 0:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "p.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        table = read(path, plain)
    assert table.rows_in == number
    assert {p.row for p in table.problems} == bad
    assert (table.batch.keys["account"] == keys_of([str(r) for r in table.row])).all()
    assert set(table.row.tolist()) == set(range(1, number + 1)) - bad
