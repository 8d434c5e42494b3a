"""A table that lists examples: one row each, with its text or the name of its file, its class, its part, its group.

Which column is which is told, or known by its name. This module reads no file of an example.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tocsin.data.arrangement import kind_of, part_of
from tocsin.errors import BadInput, did_you_mean

if TYPE_CHECKING:  # names of files are looked at where no table is read
    import pyarrow as pa

    from tocsin.data.files import Rows

INDEXES = ("index", "labels", "metadata", "annotations")
"""How a table that lists the files beside it may be called, before .csv, .tsv or .parquet."""
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz")

_FILE = ("file", "filename", "file_name", "path", "filepath", "file_path", "image", "picture", "audio", "sound", "clip")
_TEXT = ("text", "sentence", "message", "question", "review", "content", "body", "comment", "description", "title")
_LABEL = ("label", "labels", "class", "category", "target", "y", "sentiment", "intent", "topic")
_NO_LABEL = {"NaN", "nan", "None", "null", "NULL", "<NA>", "NaT", "#N/A"}
"""What programs write where there is no class, letter for letter: ``none`` and ``NA`` may well be classes."""
_PART = ("split", "part", "set", "subset")
_GROUP = ("group", "speaker", "patient", "subject", "speaker_id", "patient_id", "group_id")


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a table, one an example; "" stands where a row says nothing.

    Parameters
    ----------
    what : the texts, or the names of files.
    kind : "text" when ``what`` are texts, "images" or "sound" when they are names.
    label, part, group : None where the table has no such column.
    names : how to call each row: its number in the file, from 1, after the file's name where there are several.
    notes : which column was taken for what, and what was left out.
    """

    what: tuple[str, ...]
    kind: str
    label: tuple[str, ...] | None
    part: tuple[str, ...] | None
    group: tuple[str, ...] | None
    names: tuple[str, ...]
    notes: tuple[str, ...]


def is_table(name: str) -> bool:
    """Whether a name ends as a table's does."""
    return name.lower().endswith(TABLES)


def is_index(name: str) -> bool:
    """Whether a name is that of a table which lists the files beside it.

    Examples
    --------
    >>> is_index("Index.csv"), is_index("labels.parquet"), is_index("train/index.csv")
    (True, True, False)
    """
    return is_table(name) and name.lower().split(".")[0] in INDEXES


def listed(
    rows: Rows,
    source: str,
    *,
    kind: str | None = None,
    column: str | None = None,
    label: str | None = None,
    split: str | None = None,
    group: str | None = None,
) -> Listing:
    """Take the columns of a table for what they are.

    Parameters
    ----------
    rows : what was read.
    source : how to call the file in a message.
    kind : what the examples are, where the column does not say it.
    column : the one with the texts or the names of files.
    label, group : the columns with the class and with whoever stands behind several examples (speaker, patient).
    split : the one with the part, or ``COLUMN=VALUE``: rows of that value are the test part, the others are train.

    Raises
    ------
    BadInput : a column that was named is not there, or none can be taken for the examples.
    """
    table = rows.table
    if not table.num_rows:
        raise BadInput(f"a table of examples must have rows; {source} has none.", field="data")
    found_label = _named(table, label, "label") or _known(table, _LABEL, label)
    part_column, _, held_out = (split or "").partition("=")
    found_part = _named(table, part_column or None, "split") or _part_column(table)
    found_group = _named(table, group, "group") or _known(table, _GROUP, group)
    taken = {found_label, found_part, found_group}
    found = _named(table, column, "column") or _example_column(table, taken, source)
    what = _texts(table, found)
    got = _kind(what, kind, found, column is not None)
    parts = _parts(_texts(table, found_part), held_out, found_part) if found_part else None
    labels, absent = _labels(_texts(table, found_label), found_label) if found_label else (None, ())
    return Listing(
        what=what,
        kind=got,
        label=labels,
        part=parts,
        group=_texts(table, found_group) if found_group else None,
        names=tuple(map(str, rows.number.tolist())),
        notes=(*_notes(rows, found, got, found_label, found_part, found_group), *absent),
    )


def together(listings: Sequence[Listing], tables: Sequence[str], parts: Sequence[str]) -> Listing:
    """Several tables as one, each a part: train.csv and test.csv.

    Raises
    ------
    BadInput : one lists texts and another files.
    """
    kinds = {listing.kind for listing in listings}
    if len(kinds) > 1:
        raise BadInput(
            f"tables that belong together must list one kind; {', '.join(tables)} list {', '.join(sorted(kinds))}."
        )

    def joined(column: str) -> tuple[str, ...] | None:
        columns = [getattr(listing, column) for listing in listings]
        if all(values is None for values in columns):
            return None
        return tuple(x for values, one in zip(columns, listings, strict=True) for x in values or [""] * len(one.what))

    each = list(zip(listings, tables, parts, strict=True))
    return Listing(
        what=tuple(what for listing in listings for what in listing.what),
        kind=listings[0].kind,
        label=joined("label"),
        part=tuple(part for listing, _, part in each for _ in listing.what),
        group=joined("group"),
        names=tuple(f"{table}:{name}" for listing, table, _ in each for name in listing.names),
        notes=tuple(f"{table}: {note}" for listing, table, _ in each for note in listing.notes),
    )


def _named(table: pa.Table, name: str | None, field: str) -> str | None:
    if name is None or name in table.column_names:
        return name
    raise BadInput(f"there is no column {name!r}.", field=field, hint=did_you_mean(name, table.column_names))


def _known(table: pa.Table, words: Sequence[str], told: str | None) -> str | None:
    """The first column that bears one of the words; none when another was told."""
    if told is not None:
        return None
    by_lower = {name.strip().lower(): name for name in table.column_names}
    return next((by_lower[word] for word in words if word in by_lower), None)


def _part_column(table: pa.Table) -> str | None:
    """A column called split or the like, when its values are parts (a fold's number is none)."""
    name = _known(table, _PART, None)
    return name if name and any(part_of(v) for v in set(_texts(table, name)[:1000])) else None


def _example_column(table: pa.Table, taken: set[str | None], source: str) -> str:
    left: list[str] = [name for name in table.column_names if name not in taken]
    by_lower = {name.strip().lower(): name for name in left}
    for word in _FILE:
        if word in by_lower and _are_files(_texts(table, by_lower[word])):
            return by_lower[word]
    for word in _TEXT:
        if word in by_lower:
            return by_lower[word]
    for name in left:
        if _are_files(_texts(table, name)):
            return name
    wordy = [name for name in left if any(" " in text for text in _texts(table, name)[:1000])]
    if len(wordy) == 1:
        return wordy[0]
    raise BadInput(
        f"{source} must have a column of texts or of file names, and none is called text or file.",
        field="column",
        hint=f"Name it: --column {wordy[0] if wordy else 'COLUMN'}. There are: {', '.join(table.column_names[:30])}.",
    )


def _are_files(values: Sequence[str]) -> bool:
    """Whether most of them end as a picture's or a sound's name does."""
    some = [value for value in values[:1000] if value]
    return bool(some) and sum(kind_of(value) in ("images", "sound") for value in some) * 2 > len(some)


def _kind(what: Sequence[str], wanted: str | None, column: str, told: bool) -> str:
    files = [kind_of(value) for value in what if kind_of(value) in ("images", "sound")] if _are_files(what) else []
    got = max(("images", "sound"), key=files.count) if files else "text"
    if wanted is None or wanted == got:
        return got
    if told and wanted != "text":
        return wanted  # the names have no ending; the files beside them do
    said = {"text": "texts", "images": "names of pictures", "sound": "names of sounds"}[got]
    raise BadInput(f"the examples must be {wanted}; column {column!r} holds {said}.", field="kind")


def _parts(values: Sequence[str], held_out: str, column: str) -> tuple[str, ...]:
    if held_out:
        if held_out not in values:
            kinds = sorted(set(values))
            raise BadInput(
                f"no row has {column} = {held_out!r}.", field="split", hint=f"There are: {', '.join(kinds[:20])}."
            )
        return tuple("test" if value == held_out else "train" for value in values)
    wrong = next((value for value in values if value and not part_of(value)), None)
    if wrong is not None:
        raise BadInput(
            f"a part must be train, val or test; column {column!r} has {wrong[:30]!r}.",
            field="split",
            hint=f"--split {column}={wrong[:30]} takes the rows of that value as the test.",
        )
    return tuple(part_of(value) for value in values)


def _labels(values: tuple[str, ...], column: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The class of each row, "" where none is written, and what to say of those that a program wrote as words.

    Examples
    --------
    >>> _labels(("ham", " NaN", "none"), "label")
    (('ham', '', 'none'), ("column 'label' says NaN in 1 row: no class, an example without a label.",))
    """
    said = Counter(value.strip() for value in values if value.strip() in _NO_LABEL)
    if not said:
        return values, ()
    count = said.total()
    rows, examples = ("1 row", "an example") if count == 1 else (f"{count:,} rows", "examples")
    note = f"column {column!r} says {' or '.join(sorted(said))} in {rows}: no class, {examples} without a label."
    return tuple("" if value.strip() in _NO_LABEL else value for value in values), (note,)


def _texts(table: pa.Table, name: str) -> tuple[str, ...]:
    return tuple(_text(value) for value in table.column(name).to_pylist())


def _text(value: Any) -> str:
    """A cell as text: nothing for a missing one, a whole number without its point.

    Examples
    --------
    >>> [_text(v) for v in (None, float("nan"), 3.0, True, " x ")]
    ['', '', '3', 'True', ' x ']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _notes(
    rows: Rows, found: str, kind: str, label: str | None, part: str | None, group: str | None
) -> tuple[str, ...]:
    said = [f"{word} = {name}" for word, name in (("class", label), ("part", part), ("group", group)) if name]
    what = "text" if kind == "text" else "file"
    notes = [f"columns: {', '.join([f'{what} = {found}', *said])}.", *rows.notes]
    if label is None:
        notes.append("there is no column with the class (label, class, category); name it if there is one.")
    if part is None and "fold" in rows.table.column_names:
        notes.append("the column fold is not used; --split fold=VALUE makes the rows of one value the test.")
    if rows.unsplit:
        first = rows.unsplit[0]
        notes.append(f"{len(rows.unsplit):,} rows left out, first row {first.row:,}: {first.what}")
    return tuple(notes)
