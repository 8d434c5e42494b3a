"""The bad rows, put aside: as they stood in the file, each with its number and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tocsin.data.files import Rows
from tocsin.data.problems import Findings
from tocsin.errors import BadInput


def write_bad(path: Path, parts: Sequence[tuple[Rows, Findings]]) -> int:
    """Write the bad rows of each file beside three columns of ours: ``tocsin_file``, ``tocsin_row``, ``tocsin_problem``.

    A row that could not be split into columns stands whole in ``tocsin_text``. Returns how many rows were written.

    Raises
    ------
    BadInput : the path's name says no format.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".parquet"):
        raise BadInput(f"bad rows go to a .csv, .jsonl or .parquet file; got {path.name}.", field="bad")
    table = pa.concat_tables([_bad_table(*part) for part in parts], promote_options="permissive")
    if suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif suffix == ".csv":
        pa.csv.write_csv(_flat(table), path)
    else:
        import json

        with path.open("w", encoding="utf-8") as file:
            for row in table.to_pylist():
                kept = {k: v for k, v in row.items() if v is not None}
                file.write(json.dumps(kept, default=str, ensure_ascii=False) + "\n")
    return int(table.num_rows)


def _bad_table(rows: Rows, found: Findings) -> pa.Table:
    said: dict[int, list[str]] = {}
    for problem in found.problems:
        where = f"{problem.column}: " if problem.column else ""
        said.setdefault(problem.row, []).append(where + problem.what)
    table = rows.table.filter(pa.array(found.bad))
    numbers = rows.number[found.bad]
    split = pa.table(
        {
            "tocsin_file": pa.array([found.file] * len(numbers), pa.string()),
            "tocsin_row": pa.array(numbers, pa.int64()),
            "tocsin_problem": pa.array([" ".join(said.get(int(r), [])) for r in numbers], pa.string()),
            "tocsin_text": pa.nulls(len(numbers), pa.string()),
            **{name: table[name] for name in table.column_names},
        }
    )
    whole = pa.table(
        {
            "tocsin_file": pa.array([found.file] * len(rows.unsplit), pa.string()),
            "tocsin_row": pa.array([u.row for u in rows.unsplit], pa.int64()),
            "tocsin_problem": pa.array([u.what for u in rows.unsplit], pa.string()),
            "tocsin_text": pa.array([u.text for u in rows.unsplit], pa.string()),
        }
    )
    both = pa.concat_tables([split, whole], promote_options="permissive")
    return both.take(pa.array(np.argsort(both["tocsin_row"].to_numpy(), kind="stable")))


def _flat(table: pa.Table) -> pa.Table:
    """CSV knows no lists and no dictionaries: those as texts."""
    columns = []
    for name in table.column_names:
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        elif pa.types.is_nested(column.type):
            column = pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())
        columns.append(column)
    return pa.table(columns, names=table.column_names)
