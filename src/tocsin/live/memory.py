"""The kernel's memory beside the ledger: always at a committed number once a write has ended, whatever happened in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from tocsin.batch import Batch
from tocsin.errors import Damaged
from tocsin.features import Kernel, Plan
from tocsin.ledger import Ledger
from tocsin.ledger.replay import Gatherer, replay
from tocsin.ledger.sequence import next_number
from tocsin.live.warm import base_path
from tocsin.spec import Spec

log = logging.getLogger("tocsin.live")
AT_ONCE = 20_000
Progress = Callable[[int, int], None]


class Memory:
    """What was known just before each event, kept equal to what the ledger's order makes of it.

    ``step`` runs ahead of the commit, because the score needs it. If the commit fails, :meth:`undo` brings the memory
    back to the last committed number: from the last snapshot and the ledger, or, while failures go on, from a copy in
    memory that is kept only then. A copy for every batch would cost more than all the rest of a decision.

    Parameters
    ----------
    folder : where snapshots live, one a plan.
    """

    def __init__(self, ledger: Ledger, spec: Spec, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.gatherer = Gatherer(spec)
        self._ledger = ledger
        self._base = base_path(folder, plan)
        self._path = folder / f"{plan.fingerprint[:24]}.kernel"
        self._kernel = Kernel(plan)
        self._ahead = False  # stepped over something that is not committed yet
        self._spare: Kernel | None = None
        self._saving = threading.Lock()

    @property
    def kernel(self) -> Kernel:
        """The kernel itself, for reading."""
        return self._kernel

    @property
    def last_number(self) -> int:
        """The newest number the memory has consumed."""
        return int(self._kernel.last_number)

    def restore(self, progress: Progress | None = None) -> None:
        """Snapshot plus replay of what the ledger holds after it; without a good snapshot, everything is replayed."""
        with self._ledger.read() as connection:
            upto = next_number(connection) - 1
        self._kernel = self._load(upto)
        self._ahead = False
        start = self.last_number
        while (done := self.last_number) < upto:
            with self._ledger.read() as connection:  # one view a piece, so that no reader stands in the way for long
                self.catch_up(connection, min(done + AT_ONCE, upto))
            if self.last_number == done:
                break
            if progress:
                progress(self.last_number - start, upto - start)

    def catch_up(self, connection: sa.Connection, upto: int) -> None:
        """Consume what others committed up to ``upto``: a verdict's label, written by the desk."""
        if upto <= self.last_number:
            return
        for batch in replay(connection, self.gatherer, after=self.last_number, upto=upto, at_once=AT_ONCE):
            self._kernel.step(batch)

    def step(self, batch: Batch) -> NDArray[np.float64]:
        """Features of the batch's payments, and remember all of it, ahead of the commit."""
        out: NDArray[np.float64] = self._kernel.step(batch)
        self._ahead = True
        return out

    def committed(self) -> None:
        """What was stepped is in the ledger."""
        self._ahead = False
        self._spare = None

    def undo(self) -> None:
        """Back to the last committed number; nothing to do when nothing ran ahead."""
        if not self._ahead:
            return
        if self._spare is not None:
            self._kernel = self._spare.copy()
        else:
            self.restore()
            self._spare = self._kernel.copy()
        self._ahead = False

    def save(self) -> threading.Thread | None:
        """Write a snapshot in a thread of its own while stepping goes on; ``None`` while one is being written."""
        if self._ahead or not self._saving.acquire(blocking=False):
            return None
        snapshot = self._kernel.snapshot()

        def write() -> None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                snapshot.save(self._path)
            except OSError as error:
                log.error("the snapshot could not be written, the next start replays more: %s", error)
            finally:
                self._saving.release()

        thread = threading.Thread(target=write, name="tocsin-snapshot", daemon=True)
        thread.start()
        return thread

    def _load(self, newest: int) -> Kernel:
        """The last snapshot, else what the memory was before the ledger began."""
        if self._path.is_file():
            try:
                kernel = Kernel.load(self._path, self.plan)
            except Damaged as error:
                log.warning("the snapshot is left aside and everything is replayed: %s", error)
            else:
                if kernel.last_number <= newest:
                    return kernel
                # It must go: once other events have those numbers it would look like theirs.
                log.warning("the snapshot is ahead of the ledger (%d > %d); replaying", kernel.last_number, newest)
                self._path.unlink()
        return Kernel.load(self._base, self.plan) if self._base.is_file() else Kernel(self.plan)
