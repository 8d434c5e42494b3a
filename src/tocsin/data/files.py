"""Bytes on disk as rows of columns: CSV, JSON lines and Parquet, plain or compressed, told apart by their bytes.

A row that cannot be split into columns is kept as text with its number, so that nothing is lost; a file that was cut
short gives what it still holds. This module does not know what a column means.
"""

from __future__ import annotations

import bz2
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from numpy.typing import NDArray

from tocsin.errors import BadInput, did_you_mean

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
_SUFFIXES = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2"}
_FORMATS = "CSV, JSON lines or Parquet, plain or compressed by gzip, zstd or bz2"
REPLACED = "\ufffd"
"""Stands where a text was not UTF-8; the rows that hold one are bad rows."""


@dataclass(frozen=True, slots=True)
class Unsplit:
    """A row that could not be split into columns: its number in the file, what was wrong, its text."""

    row: int
    what: str
    text: str


@dataclass(slots=True)
class Rows:
    """What a file holds: columns, the number in the file of each row (int64[n], from 1), and the rows left over."""

    table: pa.Table
    number: NDArray[np.int64]
    unsplit: list[Unsplit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_utf8: bool = False


def read_rows(path: str | Path) -> Rows:
    """Read every row of a file.

    CSV columns come as texts (so that an id keeps its leading zeros); JSON and Parquet keep their types.

    Raises
    ------
    BadInput : the file is not there, is empty, is of another kind, or holds nothing that can be read.
    """
    path = Path(path)
    _must_be_file(path)
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return _read_parquet(path, path)
    return read_named(path.read_bytes(), path)


def read_named(data: bytes, path: str | Path) -> Rows:
    """Read every row of a file whose bytes are there already (out of an archive); ``path`` is its name.

    Raises
    ------
    BadInput : as ``read_rows``.
    """
    path = Path(path)
    if not data:
        raise BadInput(f"a data set must have rows; {path.name} is empty (0 bytes).", field="file")
    if data.startswith(b"PAR1"):
        return _read_parquet(pa.BufferReader(data), path)
    notes: list[str] = []
    by_bytes = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
    by_name = _SUFFIXES.get(path.suffix.lower())
    if by_name != by_bytes and (by_name or by_bytes):
        notes.append(f"the name says {by_name or 'not compressed'}, the bytes say {by_bytes or 'not compressed'}.")
    cut = False
    if by_bytes:
        data, cut = _decompress(data, by_bytes)
        if data.startswith(b"PAR1"):
            return _read_parquet(pa.BufferReader(data), path)
    rows = _read_text(data, path, cut)
    rows.notes[:0] = notes
    return rows


def _must_be_file(path: Path) -> None:
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.is_file())[:5]
        raise BadInput(f"must be one file; {path} is a folder.", field="file", hint=f"In it: {', '.join(inside)}.")
    if not path.is_file():
        folder = path.parent
        if not folder.is_dir():
            raise BadInput(f"there is no folder {folder}.", field="file")
        beside = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        raise BadInput(f"there is no file {path}.", field="file", hint=did_you_mean(path.name, beside))
    if path.stat().st_size == 0:
        raise BadInput(f"a data set must have rows; {path.name} is empty (0 bytes).", field="file")


def _decompress(data: bytes, method: str) -> tuple[bytes, bool]:
    """All bytes that can still be had, and whether the end is missing."""
    if method == "zstd":
        return _decompress_zstd(data)
    out: list[bytes] = []
    broken: type[Exception] = zlib.error if method == "gzip" else OSError
    while data:
        machine: Any = zlib.decompressobj(wbits=31) if method == "gzip" else bz2.BZ2Decompressor()
        try:
            out.append(machine.decompress(data))
        except broken:
            return b"".join(out), True
        if not machine.eof:
            return b"".join(out), True
        data = machine.unused_data
    return b"".join(out), False


def _decompress_zstd(data: bytes) -> tuple[bytes, bool]:
    out: list[bytes] = []
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        while True:
            try:
                piece = stream.read(1 << 14)
            except OSError:
                return b"".join(out), True
            if not piece:
                return b"".join(out), False
            out.append(piece)


def _read_parquet(source: Any, path: Path) -> Rows:
    try:
        table = pa.parquet.read_table(source)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(
            f"a Parquet file must be whole, its table of contents stands at its end; {path.name} cannot be read.",
            field="file",
            hint="It was probably cut short on its way: copy it again.",
        ) from error
    return _rows_of(table, path)


def _rows_of(table: pa.Table, path: Path) -> Rows:
    twice = [name for name, count in Counter(table.column_names).items() if count > 1]
    if twice:
        raise BadInput(f"every column must have a name of its own; {path.name} has {twice[0]!r} twice.", field="file")
    for place, column in enumerate(table.schema):
        if pa.types.is_string_view(column.type) or pa.types.is_binary_view(
            column.type
        ):  # Arrow cannot take rows of them
            whole = pa.string() if pa.types.is_string_view(column.type) else pa.binary()
            table = table.set_column(place, column.name, table.column(place).cast(whole))
    return Rows(table, np.arange(1, table.num_rows + 1, dtype=np.int64))


def _read_text(data: bytes, path: Path, cut: bool) -> Rows:
    """CSV or JSON lines from decompressed bytes."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", errors="replace").encode()
    if b"\0" in data[:4096]:
        raise BadInput(f"a data set must be {_FORMATS}; {path.name} is something else.", field="file")
    tail = b""
    if cut:
        data, _, tail = data.rpartition(b"\n")
        data += b"\n"
    not_utf8 = False
    try:
        data.decode()
    except UnicodeDecodeError:
        not_utf8 = True
        data = data.decode(errors="replace").encode()
    if not data.strip():
        raise BadInput(f"a data set must have rows; {path.name} has none.", field="file")
    rows = _read_json(data, path) if data.lstrip()[:1] in (b"{", b"[") else _read_csv(data, path)
    rows.not_utf8 = not_utf8
    if cut:
        last = rows.table.num_rows + len(rows.unsplit) + 1
        what = "the compressed file ends in the middle of this row; what came after it is lost."
        rows.unsplit.append(Unsplit(last, what, tail.decode(errors="replace")))
    return rows


def _read_csv(data: bytes, path: Path) -> Rows:
    header = re.split(rb"[\r\n]", data, maxsplit=1)[0].decode()
    delimiter = max(",;\t|", key=header.count)
    unsplit: list[Unsplit] = []

    def keep(row: Any) -> str:
        what = f"a row must have {row.expected_columns} columns; this one has {row.actual_columns}."
        unsplit.append(Unsplit(int(row.number) - 1, what, str(row.text)))
        return "skip"

    def parsing(handler: Callable[[Any], str], *, blank_lines: bool) -> Any:
        return pa.csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            invalid_row_handler=handler,
            ignore_empty_lines=not blank_lines,
        )

    # One thread: only then does Arrow count the rows it could not split.
    reading = pa.csv.ReadOptions(use_threads=False, block_size=1 << 24)
    try:
        first = parsing(lambda _row: "skip", blank_lines=False)
        names = pa.csv.open_csv(pa.BufferReader(data), read_options=reading, parse_options=first).schema.names
        _must_be_names(names, path)
        texts = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
        )
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            read_options=reading,
            # In a file of one column a blank line is a row whose value is missing.
            parse_options=parsing(keep, blank_lines=len(names) == 1),
            convert_options=texts,
        )
    except pa.ArrowInvalid as error:
        said = re.sub(r"\d{12,}", "...", str(error))
        raise BadInput(f"{path.name} cannot be read as CSV: {said}.", field="file") from error
    rows = _rows_of(table.rename_columns([name.strip() for name in names]), path)
    rows.unsplit = unsplit
    if unsplit:
        rows.number = _without(table.num_rows, [u.row for u in unsplit])
    return rows


def _must_be_names(names: list[str], path: Path) -> None:
    if any(re.match(r"\s*(\d{4}-\d\d-\d\d|-?\d+\.\d|\d{6})", name) for name in names):
        raise BadInput(
            f"the first line of a CSV file must name the columns; in {path.name} it looks like a row.",
            field="file",
            hint="Put a line such as at,amount,account before it.",
        )


def _without(n: int, left_out: list[int]) -> NDArray[np.int64]:
    """The numbers of the n rows that remain once others, at the given numbers, are left out; int64[n]."""
    every = np.arange(1, n + len(left_out) + 1, dtype=np.int64)
    return np.setdiff1d(every, np.asarray(left_out, np.int64), assume_unique=True)[:n]


def _read_json(data: bytes, path: Path) -> Rows:
    if data.lstrip()[:1] == b"[":
        raise BadInput(
            f"JSON must be one object a line; {path.name} is one long list.",
            field="file",
            hint="`jq -c '.[]' FILE > FILE.jsonl` turns one into the other.",
        )
    try:
        table = pa.json.read_json(pa.BufferReader(data))
        # Arrow reads texts that look like times as times and forgets whether they said their zone: read them as texts.
        times = [f.name for f in table.schema if pa.types.is_timestamp(f.type)]
        if times:
            schema = pa.schema([f.with_type(pa.string()) if f.name in times else f for f in table.schema])
            table = pa.json.read_json(pa.BufferReader(data), parse_options=pa.json.ParseOptions(explicit_schema=schema))
        return _rows_of(_flat(table), path)
    except pa.ArrowInvalid:
        return _read_json_by_line(data, path)


def _flat(table: pa.Table) -> pa.Table:
    while any(pa.types.is_struct(f.type) for f in table.schema):
        table = table.flatten()
    return table


def _read_json_by_line(data: bytes, path: Path) -> Rows:
    """The slow way, for files with broken lines or with columns of mixed types; those become texts."""
    good: list[dict[str, Any]] = []
    numbers: list[int] = []
    unsplit: list[Unsplit] = []
    for row, line in enumerate((x for x in data.decode().split("\n") if x.strip()), 1):
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            unsplit.append(Unsplit(row, f"a line must be a JSON object: {error.msg} at character {error.pos}.", line))
            continue
        if isinstance(value, dict):
            good.append(value)
            numbers.append(row)
        else:
            unsplit.append(Unsplit(row, f"a line must be a JSON object; got a {type(value).__name__}.", line))
    names = list(dict.fromkeys(name for value in good for name in value))
    if not names:
        raise BadInput(f"{path.name} holds no line that is a JSON object.", field="file")
    columns = [_column([value.get(name) for value in good]) for name in names]
    rows = _rows_of(_flat(pa.table(columns, names=names)), path)
    rows.number, rows.unsplit = np.asarray(numbers, np.int64), unsplit
    return rows


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values], pa.string())
