"""What a file of payments has become: events in order of time, and what is known of each payment, and since when."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.batch import Batch
from tocsin.data.problems import Problem
from tocsin.data.times import NEVER
from tocsin.schema import KIND_CODE, Kind
from tocsin.spec import Spec


@dataclass(frozen=True, slots=True)
class Table:
    """Payments and account events in order of time, with what is known of the payments' labels.

    Parameters
    ----------
    spec : how the file was read.
    batch : the events, numbered 1 to n in order of time (at the same time: in the file's order); no label rows.
    ids : object[n_payments], texts.
    label : int8[n_payments]: 1 fraud, 0 genuine, -1 unknown.
    known_at : int64[n_payments] microseconds UTC; ``times.NEVER`` where the label is unknown.
    weight : float64[n_payments] or None: how many rows each stands for.
    row : int64[n_payments]: the row of the file.
    problems : one a problem found, in the order of the file's rows.
    notes : what is odd but readable, and what was left unread.
    rows_in, rows_bad : rows in the files, and those put aside; the rest is in ``batch``.
    """

    spec: Spec
    batch: Batch
    ids: NDArray[np.object_]
    label: NDArray[np.int8]
    known_at: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    row: NDArray[np.int64]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    rows_in: int = 0
    rows_bad: int = 0

    def __len__(self) -> int:
        """How many payments there are."""
        return len(self.ids)

    @property
    def payments(self) -> NDArray[np.int64]:
        """int64[n_payments]: the places of the payments in ``batch``."""
        return np.flatnonzero(self.batch.payments)

    @property
    def at(self) -> NDArray[np.int64]:
        """int64[n_payments] microseconds UTC."""
        return self.batch.at[self.batch.payments]

    @property
    def amount(self) -> NDArray[np.int64]:
        """int64[n_payments] whole minor units of the base currency."""
        return self.batch.amount[self.batch.payments]

    def as_known_at(self, cut: int) -> Table:
        """The same payments, with only the labels that were known at the cut (microseconds UTC, inclusive)."""
        later = self.known_at > cut
        return replace(
            self,
            label=np.where(later, -1, self.label).astype(np.int8),
            known_at=np.where(later, NEVER, self.known_at),
        )

    def stream(self) -> Batch:
        """The events with the frauds that became known merged in when they did, numbered anew: what live would have seen.

        A label known at the very time of an event comes after it. One that becomes known after the last event is left
        out: it tells no event of the file anything, and a memory that serves from there on must not know it early.
        Payments stand in the same order as in ``batch``.
        """
        batch = self.batch
        ends = batch.at[-1] if len(batch) else NEVER
        told = np.flatnonzero((self.label == 1) & (self.known_at != NEVER) & (self.known_at <= ends))
        n, m = len(batch), len(told)
        at = np.concatenate([batch.at, self.known_at[told]])
        late = np.concatenate([np.zeros(n, np.int8), np.ones(m, np.int8)])
        order = np.lexsort((late, at))
        number = np.arange(1, n + m + 1, dtype=np.int64)
        place = np.empty(n + m, np.int64)
        place[order] = number
        of = np.concatenate([np.full(n, -1, np.int64), place[self.payments[told]]])
        return Batch(
            number=number,
            at=at[order],
            kind=np.concatenate([batch.kind, np.full(m, KIND_CODE[Kind.LABEL], np.uint8)])[order],
            amount=np.concatenate([batch.amount, np.zeros(m, np.int64)])[order],
            keys={k: np.concatenate([v, np.zeros(m, np.uint64)])[order] for k, v in batch.keys.items()},
            numbers={k: np.concatenate([v, np.full(m, np.nan)])[order] for k, v in batch.numbers.items()},
            of=of[order],
            fraud=np.concatenate([np.zeros(n, np.int8), np.ones(m, np.int8)])[order],
        )
