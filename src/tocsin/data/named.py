"""Which column of a file is which word of the spec: joins, columns that are not there, columns nobody reads."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.data.columns import as_texts, can_be_number
from tocsin.data.files import read_rows
from tocsin.data.problems import Findings
from tocsin.errors import BadInput, did_you_mean
from tocsin.schema import NUMBERS
from tocsin.spec import Join, Spec

_MAY_BE_ABSENT = ("label", "known_at", "weight")
_EVENTS_NEED = ("at", "kind", "account")


def join(table: pa.Table, path: Path, joins: tuple[Join, ...]) -> pa.Table:
    """The table with the columns of the files beside it; a name both have stays the first file's.

    Raises
    ------
    BadInput : the other file or a column is not there, or its rows cannot be told apart.
    """
    for rule in joins:
        other_path = path.parent / (path.name.replace(rule.replace, rule.file) if rule.replace else rule.file)
        if other_path == path or (rule.replace and rule.replace not in path.name):
            raise BadInput(
                f"the name of the file must hold {rule.replace or rule.file!r} so that the one beside it can be found; "
                f"it is {path.name}.",
                field="join",
            )
        other = read_rows(other_path).table
        for side, names, name in ((path, table.column_names, rule.left), (other_path, other.column_names, rule.right)):
            if name not in names:
                raise BadInput(f"{side.name} has no column {name!r}.", field="join", hint=did_you_mean(name, names))
        right = as_texts(other[rule.right])
        if pc.count_distinct(right, mode="all").as_py() != len(right):
            raise BadInput(f"{other_path.name} must have each {rule.right!r} once; some come twice.", field="join")
        left = pc.dictionary_encode(as_texts(table[rule.left])).combine_chunks()
        place = pc.index_in(left.dictionary, value_set=right.combine_chunks()).take(left.indices)
        for name in other.column_names:
            if name not in table.column_names:
                table = table.append_column(name, other[name].take(place))
    return table


def places_of(table: pa.Table, spec: Spec, file: str, found: Findings, *, only_events: bool) -> dict[str, str]:
    """word -> column, for the words of the spec this file has; what it leaves unread is noted.

    Raises
    ------
    BadInput : a column the spec names is not in the file (only labels, weights and made ids may be absent).
    """
    names = table.column_names
    every = {**spec.columns, **spec.extra_numbers, **spec.extra_keys}
    columns = {word: column for word, column in every.items() if column in names}
    absent = [word for word in every if word not in columns]
    if only_events:
        absent = [word for word in absent if word in _EVENTS_NEED]
        if "kind" not in spec.columns:
            raise BadInput(
                "a second file of events needs a kind; the spec names no column for it.", field="columns.kind"
            )
    for word in absent:
        if word in _MAY_BE_ABSENT:
            found.notes.append(f"there is no column {every[word]!r}: nothing is known as {word}.")
            continue
        raise BadInput(
            f"the spec reads {word} from the column {every[word]!r}, which {file} does not have.",
            field=f"columns.{word}",
            hint=did_you_mean(every[word], names),
        )
    numbers = {"amount", *NUMBERS, "weight", *spec.extra_numbers}
    for word, column in columns.items():
        kind = table.schema.field(column).type
        bytes_ = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        if pa.types.is_nested(kind) or bytes_ or (word in numbers and not can_be_number(kind)):
            wanted = "numbers" if word in numbers else "texts, numbers or times"
            raise BadInput(f"a column for {word} must hold {wanted}; {column!r} holds {kind}.", field=column)
    used = set(columns.values()) | {j.left for j in spec.joins} | {j.right for j in spec.joins}
    unread = [n for n in names if n not in used]
    if unread:
        found.notes.append(f"the spec does not read: {', '.join(n or 'a column without a name' for n in unread)}.")
    return columns
