"""A file of payments, read by its spec into what learning and replay step over.

Good rows go through, bad rows are counted, told and kept aside: rows in = good rows + bad rows, always.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.batch import Batch
from tocsin.data.columns import (
    as_texts,
    check_range,
    is_text,
    like_card_numbers,
    plain,
    read_amounts,
    read_keys,
    read_labels,
    read_numbers,
    with_point,
)
from tocsin.data.files import REPLACED, Rows, read_rows
from tocsin.data.identity import made_ids, repeated
from tocsin.data.named import join, places_of
from tocsin.data.problems import Findings, Problem, shown
from tocsin.data.side import write_bad
from tocsin.data.table import Table
from tocsin.data.times import NEVER, read_times
from tocsin.errors import BadInput
from tocsin.money import Rates
from tocsin.schema import ACCOUNT_EVENTS, KIND_CODE, KINDS, AccountEvent, Kind
from tocsin.spec import Spec

_PAYMENT = np.uint8(KIND_CODE[Kind.PAYMENT])


def read(
    path: str | Path,
    spec: Spec,
    *,
    events: str | Path | None = None,
    rates: Rates | None = None,
    bad_rows: str | Path | None = None,
) -> Table:
    """Read a file of payments (and account events) by its spec.

    Parameters
    ----------
    path : CSV, JSON lines or Parquet, plain or compressed by gzip, zstd or bz2.
    events : a second file with the account events, columns named as in the first.
    rates : what other currencies are worth in the spec's.
    bad_rows : where to write the rows that cannot be read (``.csv``, ``.jsonl`` or ``.parquet``), each with its problems.

    Raises
    ------
    BadInput : the file as a whole cannot be read by this spec; a bad row never raises.
    """
    for source in (path, events):
        if bad_rows is not None and source is not None and Path(bad_rows).resolve() == Path(source).resolve():
            raise BadInput(
                f"bad rows must go to a file of their own; {Path(bad_rows).name} is the one that is read.", field="bad"
            )
    parts = [_read_file(Path(path), spec, rates, only_events=False)]
    if events is not None:
        parts.append(_read_file(Path(events), spec, rates, only_events=True))
    if bad_rows is not None:
        write_bad(Path(bad_rows), [(p.rows, p.found) for p in parts])
    for part in parts:  # as columns of numbers it is all there; the bad rows, which are told as they stood, are written
        part.rows.table = part.rows.table.schema.empty_table()
    table = _arrange(spec, parts)
    del parts
    pa.default_memory_pool().release_unused()  # Arrow keeps for itself what the file took, and nothing after needs it
    return table


@dataclass(slots=True)
class _Part:
    """One file's good rows, still in the file's order."""

    rows: Rows
    found: Findings
    at: NDArray[np.int64]
    kind: NDArray[np.uint8]
    amount: NDArray[np.int64]
    keys: dict[str, NDArray[np.uint64]]
    numbers: dict[str, NDArray[np.float64]]
    ids: NDArray[np.object_]
    label: NDArray[np.int8]
    known_at: NDArray[np.int64]
    weight: NDArray[np.float64] | None


def _read_file(path: Path, spec: Spec, rates: Rates | None, *, only_events: bool) -> _Part:
    rows = read_rows(path)
    if rows.table.num_rows + len(rows.unsplit) == 0:
        raise BadInput(f"a data set must have rows; {path.name} has columns and not one row.", field="file")
    found = Findings(rows.number, path.name if only_events else "")
    found.notes.extend(rows.notes)
    for row in rows.unsplit:
        found.problems.append(Problem(row.row, "", row.what, "", found.file))
    if rows.not_utf8:
        _find_replaced(rows.table, found)
    table = join(rows.table, path, spec.joins)
    columns = places_of(table, spec, path.name, found, only_events=only_events)
    if spec.decimal == ",":
        for word in {"amount", "weight", *spec.number_names} & columns.keys():
            place = table.column_names.index(columns[word])
            table = table.set_column(place, columns[word], with_point(table.column(place), columns[word], found))
    n = table.num_rows
    kind = _read_kinds(table[columns["kind"]], columns["kind"], found) if "kind" in columns else np.full(n, _PAYMENT)
    pays = kind == _PAYMENT
    if only_events:
        found.add(
            pays, columns["kind"], "a file of account events must hold no payments.", "Put them in the first file."
        )
    at = read_times(table[columns["at"]], spec.time, columns["at"], found)
    amount = _read_money(table, columns, spec, rates, pays, found)
    keys = {name: read_keys(table[columns[name]]) for name in spec.key_names if name in columns}
    if "account" in columns:
        found.add(keys["account"] == 0, columns["account"], "an account must be there; got nothing.")
    if "card" in columns and like_card_numbers(table[columns["card"]]):
        found.notes.append(
            f"{shown(columns['card'])} looks like card numbers. The service remembers cards by token, never by number, so the "
            "history by card learned here will not be that of the same cards there. "
            "Put tokens into the file: your own, sent to the service too, or the service's (docs/learn.md says how)."
        )
    numbers = {w: read_numbers(table[columns[w]], columns[w], found) for w in spec.number_names if w in columns}
    for name, limit in (("latitude", 90.0), ("longitude", 180.0)):
        if name in numbers:
            check_range(numbers[name], limit, columns[name], found)
    _forget_on_events(keys, numbers, pays)
    label, known_at = _read_known(table, columns, spec, at, pays, found)
    weight = None
    if "weight" in columns:
        weight = read_numbers(table[columns["weight"]], columns["weight"], found)
        found.add(pays & ~(weight > 0), columns["weight"], "a weight must be a number above 0.")
    if spec.label.level == "account":
        label = _by_account(label, keys["account"], pays & ~found.bad)
    if "id" in columns:
        ids = _read_ids(table[columns["id"]], columns["id"], pays, found)
    else:
        ids = made_ids([at, kind, amount, *keys.values(), *numbers.values()])
    return _Part(rows, found, at, kind, amount, keys, numbers, ids, label, known_at, weight)


def _forget_on_events(
    keys: dict[str, NDArray[np.uint64]], numbers: dict[str, NDArray[np.float64]], pays: NDArray[np.bool_]
) -> None:
    """Leave out of account events what the service has no word for there, so that both remember the same."""
    if pays.all():
        return
    words = AccountEvent.__struct_fields__
    keys.update({name: np.where(pays, column, np.uint64(0)) for name, column in keys.items() if name not in words})
    numbers.update({name: np.where(pays, column, np.nan) for name, column in numbers.items() if name not in words})


def _read_money(
    table: pa.Table,
    columns: dict[str, str],
    spec: Spec,
    rates: Rates | None,
    pays: NDArray[np.bool_],
    found: Findings,
) -> NDArray[np.int64]:
    if "amount" not in columns:
        return np.zeros(table.num_rows, np.int64)
    currencies = None
    if "currency" in columns:
        currencies = np.asarray(pc.fill_null(as_texts(table[columns["currency"]]), "").to_numpy(), object)
    name = columns["amount"]
    return read_amounts(table[name], currencies, spec.amount_unit, spec.currency, rates, name, pays, found)


def _read_ids(column: pa.ChunkedArray, name: str, pays: NDArray[np.bool_], found: Findings) -> NDArray[np.object_]:
    """object[n] texts; an id that is missing, or stood in an earlier good row, makes a bad row."""
    ids = as_texts(column)
    there = np.asarray(ids.is_valid().to_numpy())
    found.add(pays & ~there, name, "an id must be there; got nothing.")
    found.add(
        repeated(ids, ~found.bad),
        name,
        "an id must stand once; this one stood in an earlier row.",
        "If the rows are different payments, leave id out of the spec: ids are then made from the rows.",
    )
    return np.asarray(ids.to_numpy(), object)


def _read_kinds(column: pa.ChunkedArray, name: str, found: Findings) -> NDArray[np.uint8]:
    """uint8[n] codes; a word that is neither payment nor an account event is a bad row."""
    encoded = pc.dictionary_encode(as_texts(column)).combine_chunks()
    words = [str(w).lower() for w in encoded.dictionary.to_pylist()]
    codes = np.array([KIND_CODE[Kind(w)] if w in KINDS else 255 for w in words] + [255], np.uint8)
    place = np.asarray(pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False), np.int64)
    kind = codes[place]
    kind[kind == KIND_CODE[Kind.LABEL]] = 255
    found.add(
        kind == 255,
        name,
        lambda i: f"a kind must be payment or an account event; got {shown([*words, ''][place[i]])}.",
        f"Account events: {', '.join(ACCOUNT_EVENTS)}. Labels belong in a column of their own.",
    )
    return kind


def _read_known(
    table: pa.Table,
    columns: dict[str, str],
    spec: Spec,
    at: NDArray[np.int64],
    pays: NDArray[np.bool_],
    found: Findings,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The labels and when each became known."""
    label = np.full(len(at), -1, np.int8)
    known_at = np.full(len(at), NEVER, np.int64)
    if "label" not in columns:
        return label, known_at
    label = np.where(pays, read_labels(table[columns["label"]], spec.label, columns["label"], found), -1).astype(
        np.int8
    )
    known_at = at + int(spec.label.known_after.total_seconds()) * 1_000_000
    if "known_at" in columns:
        written = plain(table[columns["known_at"]])
        there = np.asarray(as_texts(written).is_valid().to_numpy())
        mine = Findings(found.rows, found.file)
        if there.any():
            known = read_times(pc.if_else(pa.array(there), written, None), spec.time, columns["known_at"], mine)
            found.take(mine, there)
            known_at = np.where(there & ~mine.bad, known, known_at)
        early = there & ~found.bad & pays & (known_at < at)
        found.add(early, columns["known_at"], "a label must become known after its payment; this one was known before.")
    return label, np.where(label >= 0, known_at, NEVER)


def _by_account(label: NDArray[np.int8], account: NDArray[np.uint64], good: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The account's label on each of its payments: fraud if any good row says so, else genuine if any does."""
    _, inverse = np.unique(account, return_inverse=True)
    highest = np.full(int(inverse.max(initial=-1)) + 1, -1, np.int8)
    np.maximum.at(highest, inverse[good], label[good])
    return highest[inverse]


def _find_replaced(table: pa.Table, found: Findings) -> None:
    for name in table.column_names:
        column = plain(table[name])
        if is_text(column):
            hit = np.asarray(pc.fill_null(pc.match_substring(column, REPLACED), False).to_numpy())
            found.add(
                hit,
                name,
                "a text must be UTF-8; this one is not.",
                "`iconv -f latin1 -t utf-8` turns one into the other.",
            )


def _arrange(spec: Spec, parts: list[_Part]) -> Table:
    """Good rows of all files in order of time."""
    good = [~p.found.bad for p in parts]
    whole = len(parts) == 1 and bool(good[0].all())  # the usual case, and then nothing need be copied

    def joined(name: str) -> NDArray[Any]:
        if whole:
            return np.asarray(getattr(parts[0], name))
        return np.concatenate([getattr(p, name)[g] for p, g in zip(parts, good, strict=True)])

    def mapped(name: str, words: tuple[str, ...], missing: Any, kind: Any) -> dict[str, NDArray[Any]]:
        if whole and set(words) == getattr(parts[0], name).keys():
            return dict(getattr(parts[0], name))
        return {
            w: np.concatenate(
                [
                    getattr(p, name)[w][g] if w in getattr(p, name) else np.full(int(g.sum()), missing, kind)
                    for p, g in zip(parts, good, strict=True)
                ]
            )
            for w in words
        }

    at, kind = joined("at"), joined("kind")
    order = np.argsort(at, kind="stable")
    n = len(order)
    batch = Batch(
        number=np.arange(1, n + 1, dtype=np.int64),
        at=at,
        kind=kind,
        amount=joined("amount"),
        keys=mapped("keys", spec.key_names, 0, np.uint64),
        numbers=mapped("numbers", spec.number_names, np.nan, np.float64),
        of=np.full(n, -1, np.int64),
        fraud=np.zeros(n, np.int8),
    ).take(order)
    batch = replace(batch, number=np.arange(1, n + 1, dtype=np.int64))
    pays = order[batch.payments]
    label = joined("label")[pays]
    return Table(
        spec=spec,
        batch=batch,
        ids=joined("ids")[pays],
        label=label,
        known_at=np.where(label >= 0, joined("known_at")[pays], NEVER),
        weight=None if parts[0].weight is None else joined("weight")[pays],
        row=np.concatenate([p.rows.number[g] for p, g in zip(parts, good, strict=True)])[pays],
        problems=tuple(x for p in parts for x in sorted(p.found.problems, key=lambda x: x.row)),
        notes=tuple(x for p in parts for x in p.found.notes),
        rows_in=sum(len(p.rows.number) + len(p.rows.unsplit) for p in parts),
        rows_bad=sum(int(p.found.bad.sum()) + len(p.rows.unsplit) for p in parts),
    )
