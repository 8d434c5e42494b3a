"""The one contract of everything that learns: ``fit(examples)`` returns the learner, ``score(x)`` is in [0, 1].

A score is higher for what is more suspicious. A learner is deterministic by its seed, takes missing values as they
come, refuses what it cannot learn from in words, and is the same to the bit after being saved and loaded. Every
learner in ``learn.LEARNERS`` is held to all of this by ``tests/contract``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, NotReady

UNKNOWN = -1
"""The label of an example of which nobody knows yet."""
_FOR_EVER = np.iinfo(np.int64).max // 2


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows to learn from, in order of time.

    Parameters
    ----------
    matrix : float64[n, d]; NaN where nothing is known.
    label : int8[n], 1 fraud, 0 genuine, ``UNKNOWN``.
    at : int64[n], microseconds since 1970, never falling; 0, 1, 2... when the rows have no time.
    known_at : int64[n], when the label became known; ``at`` itself by default.
    weight : float64[n], how many examples a row stands for; ones by default.
    amount : float64[n], major units, for thresholds by cost; zeros by default.
    tokens : uint32[n, history + 1] or None, each payment's last payments and itself (``features.history``).
    genuine_after : microseconds after which an example of which nobody knows yet counts as genuine; None: it never does.
    sampled : share of the payments that are no frauds that is here; ``weight`` makes up for the rest.
    account : int64[n] or None, who paid, as a number; accounts are what a gate draws.
    """

    matrix: NDArray[np.float64]
    label: NDArray[np.int8]
    at: NDArray[np.int64]
    known_at: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    amount: NDArray[np.float64]
    tokens: NDArray[np.uint32] | None = None
    genuine_after: int | None = None
    sampled: float = 1.0
    account: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def of(
        cls,
        matrix: NDArray[np.float64],
        label: NDArray[np.int8],
        *,
        at: NDArray[np.int64] | None = None,
        known_at: NDArray[np.int64] | None = None,
        weight: NDArray[np.float64] | None = None,
        amount: NDArray[np.float64] | None = None,
    ) -> Self:
        """Check and gather; what is left out takes its default.

        Raises
        ------
        BadInput : lengths differ, times fall, a label is not 1, 0 or -1, a number is infinite, a weight negative.
        """
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        n = len(rows)
        when = np.arange(n, dtype=np.int64) if at is None else np.asarray(at, dtype=np.int64)
        examples = cls(
            rows,
            np.asarray(label, dtype=np.int8),
            when,
            when if known_at is None else np.asarray(known_at, dtype=np.int64),
            None if weight is None else np.asarray(weight, dtype=np.float64),
            np.zeros(n) if amount is None else np.asarray(amount, dtype=np.float64),
        )
        examples._check()
        return examples

    def _check(self) -> None:
        if self.matrix.ndim != 2:
            raise BadInput(
                f"examples must have two dimensions, rows and columns; got {self.matrix.ndim}.", field="matrix"
            )
        _check_finite(self.matrix)
        for name in ("label", "at", "known_at", "weight", "amount"):
            column = getattr(self, name)
            if column is not None and column.shape != (len(self.matrix),):
                raise BadInput(
                    f"must have one value for each of {len(self.matrix)} rows; got {column.shape}.", field=name
                )
        if len(self) and (self.at[1:] < self.at[:-1]).any():
            raise BadInput("examples must be in order of time.", field="at", hint="Sort them first.")
        if not np.isin(self.label, (1, 0, UNKNOWN)).all():
            raise BadInput("a label must be 1 (fraud), 0 (genuine) or -1 (unknown).", field="label")
        if self.weight is not None and not (np.isfinite(self.weight).all() and (self.weight >= 0).all()):
            raise BadInput("a weight must be finite and at least 0.", field="weight")

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Examples:
        """The given rows, in their order."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(
            self,
            matrix=self.matrix[rows],
            label=self.label[rows],
            at=self.at[rows],
            known_at=self.known_at[rows],
            weight=weight,
            amount=self.amount[rows],
            tokens=None if self.tokens is None else self.tokens[rows],
            account=None if self.account is None else self.account[rows],
        )

    def as_known_at(self, cut: int) -> Examples:
        """What could be learned from at a moment: rows before it; a label that became known later is unknown.

        With ``genuine_after``, what was unknown for so long counted as genuine in that moment, whatever came out later; and
        what is younger is unknown altogether, because frauds are told before it could be said of others that they are none.
        """
        rows = self.take(slice(0, int(np.searchsorted(self.at, cut))))  # in order of time: a view, not a copy
        label = np.where(rows.known_at <= cut, rows.label, np.int8(UNKNOWN)).astype(np.int8)
        if self.genuine_after is not None:
            old = rows.at + self.genuine_after <= cut
            label = np.where(old, np.where(label == UNKNOWN, 0, label), UNKNOWN).astype(np.int8)
        return replace(rows, label=label)

    def as_known_at_last(self) -> Examples:
        """What is known when all has been told that the data tells; the same rows."""
        if self.genuine_after is None or not len(self):
            return self
        told = self.known_at[(self.label != UNKNOWN) & (self.known_at < _FOR_EVER)]
        return self.as_known_at(max(int(self.at[-1]), int(told.max()) if len(told) else 0) + 1)

    def known(self) -> Examples:
        """The rows whose label is known and whose weight is not nothing: what a learner with labels sees."""
        keep = self.is_known()
        return self if keep.all() else self.take(keep)

    def is_known(self) -> NDArray[np.bool_]:
        """bool[n]: whether the label is known and the weight not nothing."""
        keep: NDArray[np.bool_] = self.label != UNKNOWN
        if self.weight is not None:
            keep &= self.weight > 0
        return keep


class Learner(ABC):
    """Something that learns by example. Vary it by wrapping, not by subclassing a learner."""

    needs_labels: ClassVar[bool] = True
    width_: int | None = None

    @abstractmethod
    def fit(self, examples: Examples) -> Self:
        """Learn; the same examples and seed give the same learner to the bit.

        Raises
        ------
        BadInput : nothing to learn from: no rows, no columns, or (with labels) only one class.
        """

    @abstractmethod
    def score(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1], higher is more suspicious.

        Raises
        ------
        BadInput : another width than learned, or an infinite number.
        NotReady : nothing has been learned yet.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learned into an existing folder; never as pickle."""

    @abstractmethod
    def load(self, folder: Path) -> Self:
        """Read back what :meth:`save` wrote; scores are then equal to the bit."""


def check_rows(matrix: NDArray[np.float64], width: int | None) -> NDArray[np.float64]:
    """Rows as float64[n, width] in C order, without infinities.

    Raises
    ------
    BadInput : not two-dimensional, another width, or an infinite number (the row and column are named).
    """
    rows = np.ascontiguousarray(matrix, dtype=np.float64)
    if rows.ndim != 2:
        raise BadInput(f"examples must have two dimensions, rows and columns; got {rows.ndim}.", field="matrix")
    if width is not None and rows.shape[1] != width:
        raise BadInput(f"rows must have the {width} columns learned from; got {rows.shape[1]}.", field="matrix")
    _check_finite(rows)
    return rows


def _check_finite(matrix: NDArray[np.float64], at_once: int = 65_536) -> None:
    """In pieces: what is told of each number takes an eighth of the numbers' own memory."""
    for first in range(0, len(matrix), at_once):
        bad = np.isinf(matrix[first : first + at_once])
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise BadInput(
                f"numbers must be finite or missing; got infinity in row {first + row}, column {column}.",
                field="matrix",
                hint="Write NaN where a value is not known.",
            )


def check_learnable(examples: Examples, *, labels: bool) -> Examples:
    """The rows a learner will use.

    Raises
    ------
    BadInput : no rows or columns; with ``labels``, no known fraud or no known genuine row among them.
    """
    keep = learnable(examples, labels=labels)
    return examples if keep.all() else examples.take(keep)


def learnable(examples: Examples, *, labels: bool) -> NDArray[np.bool_]:
    """bool[n]: which rows a learner will use, for who reads them where they are; raises as :func:`check_learnable`."""
    examples._check()
    everything = np.ones(len(examples), dtype=bool) if examples.weight is None else examples.weight > 0
    keep = examples.is_known() if labels else everything
    count, columns = int(keep.sum()), examples.matrix.shape[1]
    if not count or not columns:
        raise BadInput(
            f"learning needs rows and columns; got {count} usable rows of {len(examples)} and {columns} columns.",
            hint="Rows whose label is unknown or whose weight is 0 cannot be learned from." if labels else None,
        )
    label = examples.label[keep]
    if labels and len(np.unique(label)) < 2:
        what = "frauds" if label[0] == 1 else "genuine payments"
        raise BadInput(
            f"learning needs both frauds and genuine payments; all {count} known rows are {what}.",
            field="label",
            hint="Without labels, learn with --way anomaly.",
        )
    return keep


def learned_width(learner: Learner) -> int:
    """How many columns a learner has learned from.

    Raises
    ------
    NotReady : nothing yet.
    """
    if learner.width_ is None:
        raise NotReady(f"{type(learner).__name__} must learn before it scores.", hint="Call fit(examples) first.")
    return learner.width_


def check_ends(ends: Sequence[int], width: int) -> tuple[int, ...]:
    """Where each stage's columns end: rising, the last one the width."""
    out = tuple(int(e) for e in ends) or (width,)
    if list(out) != sorted(set(out)) or out[0] < 1 or out[-1] != width:
        raise BadInput(f"stages must end at rising columns, the last at {width}; got {out}.", field="ends")
    return out
