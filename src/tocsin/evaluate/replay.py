"""Payments scored as live would have scored them, decided by the same function, and laid beside what was true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tocsin.artifact import Artifact
from tocsin.batch import Batch
from tocsin.data import Table
from tocsin.errors import BadInput
from tocsin.evaluate.results import Results
from tocsin.features import Kernel
from tocsin.learn.contract import Examples
from tocsin.measure.policy import Policy, answers_at, decide_all
from tocsin.schema import Action

Told = Callable[[str, float], None]
"""Called with what is being done, in words, and how far it is from 0 to 1."""

SLICE = 65_536


def walk(table: Table, kernel: Kernel, told: Told) -> NDArray[np.float64]:
    """float64[payments, plan.width]: each payment's features just before it, going on from what the kernel remembers.

    Raises
    ------
    NotReady : the memory's ceiling is reached.
    """
    stream = table.stream()
    stream = _numbered_from(stream, kernel.last_number) if kernel.last_number else stream
    matrix = np.empty((len(table), kernel.plan.width))
    filled = 0
    for first in range(0, len(stream), SLICE):
        filled += len(kernel.step(stream.take(slice(first, first + SLICE)), into=matrix[filled:]))
        told("reading the past event by event", min(1.0, (first + SLICE) / len(stream)))
    return matrix


def examples_of(table: Table, matrix: NDArray[np.float64]) -> Examples:
    """The payments of a table with their features, labels and amounts in major units."""
    return Examples.of(
        matrix,
        table.label,
        at=table.at,
        known_at=table.known_at,
        weight=table.weight,
        amount=table.amount / table.spec.minor_units,
    )


def results_of(
    model: Artifact,
    examples: Examples,
    entity: NDArray[np.uint64],
    *,
    policy: Policy | None = None,
    kind: NDArray[np.object_] | None = None,
) -> Results:
    """Score and decide.

    Parameters
    ----------
    examples : the payments to be judged, with what finally became known of them.
    entity : uint64[n], whom each payment belongs to.
    policy : the model's own, if not given.
    kind : object[n], the planted kind of fraud, empty for genuine; truth then follows it and not the labels.
    """
    exits = np.empty((len(examples), len(model.stage_names)))
    for first in range(0, len(examples), SLICE):
        rows = slice(first, first + SLICE)
        scored = model.score(examples.matrix[rows])
        exits[rows] = scored.exits
        exits[rows, -1] = scored.value
    return Results(
        at=examples.at,
        amount=examples.amount,
        truth=examples.label if kind is None else (kind != "").astype(np.int8),
        exits=exits,
        stages=model.stage_names,
        stopped=stops(exits, policy or model.policy),
        entity=entity,
        weight=np.ones(len(examples)) if examples.weight is None else examples.weight,
        kind=kind,
    )


def stops(exits: NDArray[np.float64], policy: Policy) -> NDArray[np.bool_]:
    """bool[n]: which payments are not approved, by the very function that decides live."""
    held = np.array([r.action is not Action.APPROVE for r in decide_all(exits[:, -1].tolist(), policy)], dtype=bool)
    if policy.approve_below:
        stages = exits.shape[1]
        early = np.array([answers_at(row, policy) < stages for row in exits.tolist()], dtype=bool)
        held &= ~early
    return held


def entity_of(table: Table) -> NDArray[np.uint64]:
    """uint64[payments]: the card where the data set has cards (the account where one is missing), else the account."""
    keys, rows = table.batch.keys, table.payments
    account = keys["account"][rows] if "account" in keys else np.arange(1, len(rows) + 1, dtype=np.uint64)
    if "card" not in keys:
        return account
    card = keys["card"][rows]
    return np.where(card == 0, account, card)


def read_truth(path: Path, ids: NDArray[np.object_]) -> NDArray[np.object_]:
    """object[n]: the planted kind of each payment, empty for the genuine ones.

    Raises
    ------
    BadInput : the file is no Parquet file with the columns id and kind.
    """
    try:
        told = pq.read_table(path, columns=["id", "kind"])
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(
            f"the truth must be a Parquet file with the columns id and kind; {path.name} cannot be read so.",
            field="--truth",
            hint="`tocsin world` writes truth.parquet beside the world.",
        ) from error
    kinds = dict(zip(told["id"].to_pylist(), told["kind"].to_pylist(), strict=True))
    return np.array([kinds.get(i) or "" for i in ids], dtype=object)


def join(parts: list[Results]) -> Results:
    """Several stretches of time as one."""
    kinds = [part.kind for part in parts if part.kind is not None]
    return Results(
        at=np.concatenate([part.at for part in parts]),
        amount=np.concatenate([part.amount for part in parts]),
        truth=np.concatenate([part.truth for part in parts]),
        exits=np.concatenate([part.exits for part in parts]),
        stages=parts[0].stages,
        stopped=np.concatenate([part.stopped for part in parts]),
        entity=np.concatenate([part.entity for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        kind=np.concatenate(kinds) if len(kinds) == len(parts) else None,
    )


def _numbered_from(stream: Batch, last: int) -> Batch:
    return replace(stream, number=stream.number + last, of=np.where(stream.of >= 0, stream.of + last, stream.of))
