"""From a table to what is learned from: the features of every event, the rows of all payments or of a bounded sample.

The kernel steps over everything, because each event is part of somebody's past. What it says of a payment takes some 0.8 kB, and
that is what bounds how much can be learned from; so of the payments that are no frauds a sample may be kept, each standing for
as many as were left out. Frauds are few and are all kept.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.network import tokens_of
from tocsin.data import Table
from tocsin.errors import BadInput
from tocsin.features import Kernel, Plan
from tocsin.learn.contract import Examples
from tocsin.learn.task import Told, silent

READING = "reading the past event by event"
LEAST_GENUINE = 1000
"""Fewer say too little of what is usual."""


def features(table: Table, plan: Plan, told: Told = silent, *, chunk: int = 65_536) -> tuple[Examples, Kernel]:
    """Every payment's features as live would have seen them, and the memory after the last event.

    The rows are the kernel's, the last payments behind the columns, as a model scores them; to learn from millions use
    :func:`gather`.
    """
    kernel = Kernel(plan)
    stream = table.stream()
    matrix = np.empty((len(table), plan.width))
    filled = 0
    for first in range(0, len(stream), chunk):
        filled += len(kernel.step(stream.take(slice(first, first + chunk)), into=matrix[filled:]))
        told(READING, min(1.0, (first + chunk) / len(stream)))
    amount = table.amount / table.spec.minor_units
    examples = Examples.of(
        matrix, table.label, at=table.at, known_at=table.known_at, weight=table.weight, amount=amount
    )
    return replace(examples, account=_accounts(table, np.ones(len(table), dtype=bool))), kernel


def gather(
    table: Table,
    plan: Plan,
    *,
    room: int = 0,
    most_genuine: int | None = None,
    seed: int = 0,
    told: Told = silent,
    chunk: int = 65_536,
) -> tuple[Examples, Kernel]:
    """The payments to learn from, their last payments as tokens beside the matrix, and the memory after the last event.

    Parameters
    ----------
    room : columns left empty behind the plan's, for what learning adds.
    most_genuine : of the payments not labelled fraud (the unlabelled too) at most so many are kept, drawn without regard to
        anything; each then stands for as many as there were to one kept. None keeps all.
    seed : of that draw.

    Raises
    ------
    BadInput : too small a sample.
    """
    kernel, stream = Kernel(plan), table.stream()
    kept, share = drawn(table.label, most_genuine, seed)
    own, rows = len(plan.names), int(kept.sum())
    matrix = np.empty((rows, own + room))
    matrix[:, own:] = np.nan
    tokens = np.empty((rows, plan.history + 1), dtype=np.uint32) if plan.history else None
    into, seen, filled = np.empty((chunk, plan.width)), 0, 0
    for first in range(0, len(stream), chunk):
        found = kernel.step(stream.take(slice(first, first + chunk)), into=into)
        mine = kept[seen : seen + len(found)]
        seen += len(found)
        if not mine.all():
            found = found[mine]
        part = slice(filled, filled + len(found))
        matrix[part, :own] = found[:, :own]
        if tokens is not None:
            tokens[part] = tokens_of(found, own)
        filled += len(found)
        told(READING, min(1.0, (first + chunk) / len(stream)))
    weight = table.weight if share == 1 else _weights(table, share)
    examples = Examples.of(
        matrix,
        table.label[kept],
        at=table.at[kept],
        known_at=table.known_at[kept],
        weight=None if weight is None else weight[kept],
        amount=table.amount[kept] / table.spec.minor_units,
    )
    return replace(examples, tokens=tokens, sampled=share, account=_accounts(table, kept)), kernel


def drawn(label: NDArray[np.int8], most_genuine: int | None, seed: int) -> tuple[NDArray[np.bool_], float]:
    """bool[n], which payments are kept; and the share of those not labelled fraud that this is.

    Raises
    ------
    BadInput : so few genuine payments that nothing usual can be learned.
    """
    others = np.flatnonzero(label != 1)
    if most_genuine is None or most_genuine >= len(others):
        return np.ones(len(label), dtype=bool), 1.0
    if most_genuine < LEAST_GENUINE:
        raise BadInput(f"must be {LEAST_GENUINE:,} or more; got {most_genuine:,}.", field="--most-genuine")
    kept = label == 1
    kept[np.random.default_rng([seed, 5]).choice(others, most_genuine, replace=False)] = True
    return kept, most_genuine / len(others)


def _accounts(table: Table, kept: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Who paid, numbered; None where the spec names no account."""
    keys = table.batch.keys.get("account")
    if keys is None:
        return None
    return np.unique(keys[table.payments[kept]], return_inverse=True)[1].astype(np.int64)


def _weights(table: Table, share: float) -> NDArray[np.float64]:
    own = np.ones(len(table)) if table.weight is None else table.weight
    return np.where(table.label == 1, own, own / share)


def with_room(examples: Examples, plan: Plan, room: int) -> Examples:
    """Examples as :func:`gather` gives them, whichever they are; those of :func:`features` are copied."""
    own = len(plan.names)
    if plan.history and examples.tokens is None:
        examples = replace(examples, tokens=tokens_of(examples.matrix, own).astype(np.uint32))
    if examples.matrix.shape[1] == own + room:
        return examples
    matrix = np.empty((len(examples), own + room))
    matrix[:, :own] = examples.matrix[:, :own]
    matrix[:, own:] = np.nan
    return replace(examples, matrix=matrix)


def give_back() -> None:
    """Return what is free to the system, where it is the GNU library that keeps it: arrays of up to 32 MB are cut from a heap that
    otherwise stays as large as it was when the file was read, a third of all memory on a million payments."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def kernel_rows(examples: Examples, plan: Plan) -> NDArray[np.float64]:
    """float64[n, plan.width]: the rows as the kernel gave them and a model scores them; take few at a time."""
    own = len(plan.names)
    rows = np.empty((len(examples), plan.width))
    rows[:, :own] = examples.matrix[:, :own]
    if plan.history:
        assert examples.tokens is not None
        rows[:, own:] = examples.tokens
    return rows
