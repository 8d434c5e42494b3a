"""One ``step`` for training and for live: what was known just before each event; then remember it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tocsin.batch import Batch
from tocsin.errors import BadInput, Damaged, NotReady
from tocsin.features import program as p
from tocsin.features.ahead import GUESSES
from tocsin.features.entry import entries
from tocsin.features.layout import microseconds
from tocsin.features.memory import Memory, Snapshot, address, read_snapshot
from tocsin.features.plan import Plan
from tocsin.spec import CALENDAR

SLICE = 2048
"""Events are stepped over in slices of this many; a batch up to this size is refused as a whole before it begins."""


class Kernel:
    """The features of events in the order of their arrival, and the memory behind them.

    Training steps over millions of rows in one call, serving over one or a few; the numbers are the same to the bit
    however the events are cut into batches, and across :meth:`save` and :meth:`load`.

    Parameters
    ----------
    plan : from :func:`tocsin.features.compile_plan`.
    ceiling_bytes : most bytes the memory may take; a step that might need more raises ``NotReady`` and changes
        nothing. Default: the spec's.
    idle_expiry : an entity nobody named for so long is forgotten; never shorter than the longest window.
        Default: the spec's.
    """

    def __init__(self, plan: Plan, *, ceiling_bytes: int | None = None, idle_expiry: timedelta | None = None) -> None:
        idle = plan.idle_expiry
        if idle_expiry is not None:
            idle = microseconds(idle_expiry)
            longest = int(plan.program.groups[:, p.G_REACH].max(initial=0))
            if idle < longest:
                raise BadInput(
                    f"must not be shorter than the longest window ({timedelta(microseconds=longest)}); "
                    f"got {idle_expiry}.",
                    field="idle_expiry",
                )
        self.plan = plan
        self.ceiling_bytes = plan.ceiling_bytes if ceiling_bytes is None else ceiling_bytes
        self._memory = Memory(plan.program, idle)
        self._lock = Lock()
        self._prepare()

    def _prepare(self) -> None:
        plan = self.plan
        self._compiled_step, _ = entries()  # here, so that no event waits for machine code
        columns = p.V_COLUMNS + len(plan.keys) + len(plan.numbers)
        # A few cells apart from a power of two: columns of one event must not fall into the same set of the cache.
        self._events = np.zeros((columns, SLICE + 8), dtype=np.int64)
        self._keys = self._events[p.V_COLUMNS : p.V_COLUMNS + len(plan.keys)].view(np.uint64)
        self._numbers = self._events[p.V_COLUMNS + len(plan.keys) :].view(np.float64)
        cells = (1 + GUESSES) * len(plan.program.lookups) + 2 * (p.FIRST_NUMBER + len(plan.numbers))
        self._scratch = np.zeros(cells, dtype=np.int64)
        named = [i for i, row in enumerate(plan.program.inputs) if not row[p.I_KEY] and 1 <= row[p.I_INDEX] <= 4]
        conditioned = (plan.program.conditions[:, p.C_FEATURE] == 0) & (plan.program.conditions[:, p.C_INDEX] <= 4)
        used = set(plan.program.values.tolist()) & set(range(1, 1 + len(CALENDAR)))
        clock = int(bool(named) or bool(conditioned.any()) or bool(used) or plan.history > 0)
        self._fixed = (len(plan.keys), len(plan.numbers), clock, address(self._scratch), plan.program.minor_units)

    def step(self, batch: Batch, into: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Read each payment's features as of just before it, then remember it; other events are remembered only.

        Parameters
        ----------
        batch : events in order of arrival, numbered above :attr:`last_number`.
        into : float64[payments of the batch or more, plan.width] in C order, whose first rows are written; for long
            streams, which need no second copy of their rows. Default: new memory.

        Returns
        -------
        float64[payments of the batch, plan.width], in their order: the columns of ``plan.names``; where the spec has a
        ``[history]``, behind them the tokens of the entity's last payments, the newest last, and this payment's own.

        Raises
        ------
        BadInput : the batch begins at or before the last number remembered, or ``into`` cannot take its rows.
        NotReady : the memory would pass its ceiling; nothing has changed.
        """
        n = len(batch)
        out = self._room_for(int(np.count_nonzero(batch.payments)), into)
        if n == 0:
            return out
        with self._lock:
            first = int(batch.number[0])
            if first <= self.last_number:
                raise BadInput(
                    f"a batch must begin after the last number remembered ({self.last_number}); got {first}.",
                    field="number",
                    hint="Leave out what was stepped before.",
                )
            memory = self._memory
            if n > SLICE and memory.bytes_with(n) > self.ceiling_bytes:
                memory = memory.copy()  # it may still fit; if not, the copy is dropped and nothing has changed
            done = 0
            for start in range(0, n, SLICE):
                piece = batch if n <= SLICE else batch.take(slice(start, start + SLICE))
                done += self._slice(memory, piece, out[done:])
            self._memory = memory
        return out

    def _room_for(self, rows: int, into: NDArray[np.float64] | None) -> NDArray[np.float64]:
        width = self.plan.width
        if into is None:
            return np.empty((rows, width))
        fits = into.ndim == 2 and into.shape[1] == width and len(into) >= rows
        if not fits or into.dtype != np.float64 or not into.flags.c_contiguous or not into.flags.writeable:
            raise BadInput(
                f"must be writeable float64 in C order with {rows} rows or more of {width} columns; "
                f"got {into.dtype} of shape {into.shape}.",
                field="into",
            )
        return into[:rows]

    def _slice(self, memory: Memory, batch: Batch, out: NDArray[np.float64]) -> int:
        """Step over up to ``SLICE`` events; returns how many payments there were."""
        n, events = len(batch), self._events
        events[p.V_NUMBER, :n] = batch.number
        events[p.V_AT, :n] = batch.at
        events[p.V_KIND, :n] = batch.kind
        events[p.V_AMOUNT, :n] = batch.amount
        events[p.V_OF, :n] = batch.of
        events[p.V_FRAUD, :n] = batch.fraud
        for i, name in enumerate(self.plan.keys):
            self._keys[i, :n] = batch.keys.get(name, 0)
        for i, name in enumerate(self.plan.numbers):
            self._numbers[i, :n] = batch.numbers.get(name, np.nan)
        cells, width = self.plan.cells, self.plan.width
        keys, numbers, clock, scratch, minor = self._fixed
        where = address(events), events.shape[1], n, keys, numbers, clock, scratch, minor, address(out), width
        if self._compiled_step(address(cells), address(memory.state), *where):
            self._grow(memory, n)
            self._compiled_step(address(cells), address(memory.state), *where)
        return int(np.count_nonzero(batch.payments))

    def _grow(self, memory: Memory, n: int) -> None:
        wanted = memory.bytes_with(n)
        if wanted > self.ceiling_bytes:
            raise NotReady(
                f"the memory is full: it must stay within {self.ceiling_bytes:,} bytes and would need {wanted:,}.",
                field="memory",
                hint="Raise [memory] ceiling_mb, shorten the windows or the idle expiry, or partition by entity.",
            )
        memory.grow(n)

    @property
    def last_number(self) -> int:
        """The number of the newest event remembered; 0 when there is none."""
        return int(self._memory.whole[p.N_LAST_NUMBER])

    @property
    def late(self) -> int:
        """How many payments and account events were older than the newest time seen for one of their entities."""
        return int(self._memory.whole[p.N_LATE])

    @property
    def bytes_used(self) -> int:
        """Bytes the memory takes now."""
        return self._memory.nbytes

    @property
    def entities(self) -> int:
        """How many entities are remembered, those combined of several columns too."""
        return int(self._memory.tables[:, p.S_LIVE].sum())

    def bytes_an_entity(self) -> dict[str, int]:
        """What one more entity of each kind costs, in bytes of its row and its place in the index."""
        return {
            "+".join(store): 8 * width + 32
            for store, width in zip(self.plan.entities, self._memory.widths, strict=True)
        }

    def bytes_an_event(self) -> int:
        """What one more payment that every group remembers costs, in bytes of the rings."""
        return 8 * sum(self._memory.node_widths)

    def snapshot(self) -> Snapshot:
        """The memory as it is now. Takes the lock for as long as copying takes; writing needs no lock."""
        with self._lock:
            return Snapshot(
                self.plan.fingerprint, self.last_number, tuple(piece.copy() for piece in self._memory.pieces())
            )

    def fingerprint(self) -> str:
        """Hex of everything remembered, equal for equal memories however the events were cut into batches."""
        with self._lock:
            pieces = tuple(self._memory.pieces())
            return Snapshot(self.plan.fingerprint, self.last_number, pieces).fingerprint()

    def save(self, path: str | Path) -> None:
        """Write the memory to a file, as a whole or not at all."""
        self.snapshot().save(path)

    @classmethod
    def load(cls, path: str | Path, plan: Plan, *, ceiling_bytes: int | None = None) -> Kernel:
        """A kernel that goes on where :meth:`save` stood.

        Raises
        ------
        Damaged : the file fails its fingerprint, or belongs to another plan.
        """
        snapshot = read_snapshot(path)
        if snapshot.plan_fingerprint != plan.fingerprint:
            raise Damaged(
                "a snapshot must belong to the plan that reads it; got one of another plan.",
                field="snapshot",
                hint="Remove it; the memory is then rebuilt from the ledger.",
            )
        kernel = cls(plan, ceiling_bytes=ceiling_bytes)
        kernel._memory = Memory.of(plan.program, list(snapshot.pieces))
        return kernel

    def copy(self) -> Kernel:
        """A kernel with the same memory, sharing nothing."""
        with self._lock:
            twin = Kernel(self.plan, ceiling_bytes=self.ceiling_bytes)
            twin._memory = self._memory.copy()
            return twin
