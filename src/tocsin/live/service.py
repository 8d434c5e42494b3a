"""The live service put together: memory, model, scoring thread, explainer, and what watches them."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import sqlalchemy as sa

from tocsin import artifact
from tocsin.artifact import Artifact
from tocsin.artifact.folder import kept_at
from tocsin.errors import BadInput, NotFound, NotReady, TocsinError
from tocsin.ledger import Ledger
from tocsin.ledger.models import Activation, current, path_of
from tocsin.ledger.store import Clock
from tocsin.ledger.tables import blocks, freezes
from tocsin.live.access import Access
from tocsin.live.cards import Cards
from tocsin.live.checkpoints import Checkpoints
from tocsin.live.door import Door
from tocsin.live.explain import Explainer
from tocsin.live.limits import Limits
from tocsin.live.memory import Memory
from tocsin.live.metrics import Metrics
from tocsin.live.scorer import STEPS, Scorer
from tocsin.live.waiting import Waiting
from tocsin.live.warm import take_over
from tocsin.money import Rates
from tocsin.schema import Transaction
from tocsin.spec import Spec

log = logging.getLogger("tocsin.live")
WATCH_EVERY_S = 1.0
NO_MODEL = "no model is in force; `tocsin model activate PATH` puts one in force"
TRY_AGAIN = timedelta(minutes=1)
"""A model that could not be taken over is tried again after so long: its disk may be back, its copy whole."""


class Service:
    """Answers payments from one ledger with the model in force.

    Parameters
    ----------
    folder : where the memory's snapshots live.
    rates : the base currency and what leads to it; a model of another base currency is refused.
    load : reads a model from its directory.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        *,
        cards: Cards,
        rates: Rates,
        limits: Limits,
        clock: Clock,
        load: Callable[[str], Artifact] = artifact.load,
    ) -> None:
        self.ledger = ledger
        self.limits = limits
        self.clock = clock
        self.door = Door(cards, rates, None, clock=clock, ahead=limits.ahead)
        self.access = Access(ledger, limits)
        self.metrics = Metrics(self)
        self.waiting: Waiting | None = None
        self.problem: str | None = "starting"
        self._scorer: Scorer | None = None
        self._folder = folder
        self._rates = rates
        self._checkpoints = Checkpoints(ledger)
        self._load_model = load
        self._models: dict[str, Artifact] = {}
        self._activation: Activation | None = None
        self._refused: tuple[int, datetime] | None = None  # which activation, and when
        self._stopped: frozenset[tuple[str, str]] = frozenset()
        self._explainer: Explainer | None = None
        self._ending = threading.Event()
        self._looked = threading.Event()  # the first look at what is in force has ended, well or not
        self._starter: threading.Thread | None = None
        self._snapshot_at = 0.0

    def start(self, *, wait: bool = False) -> None:
        """Begin in a thread of its own: load the model, restore the memory, open. With ``wait``, until that is done."""
        self._starter = threading.Thread(target=self._start, name="tocsin-watch", daemon=True)
        self._starter.start()
        if wait:
            self._looked.wait()

    def stop(self) -> None:
        """Answer who waits, write a snapshot, end every thread."""
        if self._ending.is_set():
            return
        self._ending.set()
        if self._starter:
            self._starter.join()
        self.problem = "stopping"
        if self._explainer:
            self._explainer.stop()
        if self.waiting and self._scorer:
            saving = self.waiting.do(self._scorer.memory.save)
            self.waiting.stop()
            if saving:
                saving.join()

    @property
    def scorer(self) -> Scorer:
        """The scorer. Raises ``NotReady`` while there is none."""
        if self._scorer is None or self.problem is not None:
            raise NotReady(f"the service is not ready: {self.problem}.", hint="GET /ready says when it is.")
        return self._scorer

    def room(self) -> Waiting:
        """Where requests wait. Raises ``NotReady`` while nobody is there to decide."""
        if self.waiting is None or self.problem is not None:
            raise NotReady(f"the service is not ready: {self.problem}.", hint="GET /ready says when it is.")
        return self.waiting

    @property
    def trouble(self) -> str | None:
        """Why a payment sent now would not be decided, or None; ``problem`` alone closes the door, this only tells."""
        if self.problem is None and self.waiting is not None and self.waiting.unwritten:
            return "decisions cannot be kept: the ledger's disk or database needs looking after"
        return self.problem

    def is_stopped(self, payment: Transaction) -> bool:
        """Whether a freeze or block was known a second ago; only for what is said at a deadline, the write asks anew."""
        return (payment.account, "out") in self._stopped or (payment.payee or "", "in") in self._stopped

    def model_of(self, version: str) -> Artifact:
        """The model of a version, read again from where it was if need be.

        Raises
        ------
        NotFound : it was never in force here, or its directory has another model now.
        """
        model = self._models.get(version)
        if model is None:
            with self.ledger.read() as connection:
                path = path_of(connection, version)
            if path is None:
                raise NotFound(f"no model {version} was ever in force here.")
            model = self._read_model(path, version)
            if model.version != version:
                raise NotFound(f"{path} holds {model.version} now, not {version}.")
            self._models[version] = model
        return model

    def state(self) -> dict[str, Any]:
        """The memory's number, fingerprint and size, between two batches."""
        scorer, room = self.scorer, self.room()

        def look() -> dict[str, Any]:
            kernel = scorer.memory.kernel
            return {
                "number": scorer.memory.last_number,
                "fingerprint": kernel.fingerprint(),
                "bytes": kernel.bytes_used,
                "late": kernel.late,
                "model": scorer.model.version,
            }

        found: dict[str, Any] = room.do(look, timeout=30)
        return found

    def gauges(self) -> dict[str, float]:
        """For the metrics."""
        out = {"ready": float(self.trouble is None), "waiting": float(self.waiting.size if self.waiting else 0)}
        if self._scorer:
            kernel = self._scorer.memory.kernel
            out |= {"memory_bytes": float(kernel.bytes_used), "memory_number": float(self._scorer.memory.last_number)}
        return out

    def totals(self) -> dict[str, float]:
        """For the metrics."""
        if self._scorer is None or self.waiting is None:
            return {}
        late = float(self._scorer.memory.kernel.late)
        return {"alerts": float(self._scorer.alerts), "batches": float(self.waiting.batches), "late_events": late}

    def actions(self) -> dict[tuple[str, str], int]:
        """For the metrics."""
        return dict(self._scorer.actions) if self._scorer else {}

    def seconds(self) -> dict[str, float]:
        """For the metrics."""
        steps = dict(self._scorer.seconds) if self._scorer else dict.fromkeys(STEPS, 0.0)
        return steps | {"reasons": self._explainer.seconds if self._explainer else 0.0}

    def _start(self) -> None:
        """Until a model is in force there is nothing to do but to look for one; then watch."""
        while not self._ending.is_set():
            try:
                self._watch()
            except TocsinError as error:
                log.error("%s", error)
                if self._scorer is None:
                    self.problem = "the model in force cannot be used; the log says why"
            except Exception:
                log.exception("watching failed; it goes on")
            self._looked.set()
            self._checkpoints.run()
            self._ending.wait(WATCH_EVERY_S)
        self._checkpoints.close()

    def _watch(self) -> None:
        """Once a second: keys, what stands against accounts, the model in force, the snapshot, forgotten alerts."""
        self.access.refresh()
        self._read_stopped()
        with self.ledger.read() as connection:
            wanted = current(connection)
        if wanted is None:
            self.problem = NO_MODEL
            return
        if self._scorer is None:
            self._open(wanted)
        elif self._activation and wanted.id != self._activation.id and not self._refused_lately(wanted):
            self._switch(wanted)
        elif monotonic() - self._snapshot_at > self.limits.snapshot_every.total_seconds():
            self._save()
        if self.waiting and self.waiting.unwritten:
            self._look_at_store(self.waiting)
        if self._explainer:
            self._explainer.ring()

    def _look_at_store(self, room: Waiting) -> None:
        """Whether the ledger writes again; no payment need come to find out, since none may be sent meanwhile."""
        try:
            room.do(self.ledger.check_writable)
        except Exception as error:
            log.warning("the ledger still cannot be written: %s", getattr(error, "orig", None) or error)
        else:
            room.unwritten = False
            log.info("the ledger can be written again")

    def _open(self, wanted: Activation) -> None:
        """The first model: restore the memory and open."""
        model = self._load(wanted)
        take_over(self.ledger, Path(wanted.path), model.plan, self._folder)
        memory = Memory(self.ledger, model.spec, model.plan, self._folder)
        memory.restore(self._between_pieces)
        self._scorer = Scorer(self.ledger, memory, model, clock=self.clock, due_in=self.limits.due_in)
        self.door.expect(model.spec)
        self.waiting = Waiting(self._scorer, most_waiting=self.limits.most_waiting)
        self.waiting.start()
        self._activation, self._snapshot_at = wanted, monotonic()
        room = self.waiting
        self._explainer = Explainer(self.ledger, self.model_of, self._between, lambda: room.size > 0)
        self._scorer.on_alert = self._explainer.ring
        self._explainer.start()
        self.problem = None
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it while payments wait
        log.info("ready with %s at number %d", model.version, memory.last_number)

    def _refused_lately(self, wanted: Activation) -> bool:
        """Whether it could not be taken over within the last minute; a clock that was put back ends the minute."""
        if self._refused is None or self._refused[0] != wanted.id:
            return False
        return timedelta(0) <= self.clock() - self._refused[1] < TRY_AGAIN

    def _switch(self, wanted: Activation) -> None:
        """Another model without a pause; what cannot be used leaves the one in force, and is tried again."""
        self._refused = wanted.id, self.clock()
        try:
            self._take(wanted)
        except TocsinError as error:
            if self._ending.is_set():
                raise
            log.error("the model %s is not taken over, %s stays: %s", wanted.version, self.scorer.model.version, error)
        else:
            self._activation, self._refused = wanted, None
            log.info("switched to %s", wanted.version)

    def _take(self, wanted: Activation) -> None:
        """Load and switch; a memory for other features is rebuilt beside the one in use."""
        scorer, room, model = self.scorer, self.room(), self._load(wanted)
        _check_extras(scorer.model.spec, model.spec)
        memory = scorer.memory
        if model.plan.fingerprint != memory.plan.fingerprint:
            take_over(self.ledger, Path(wanted.path), model.plan, self._folder)
            memory = Memory(self.ledger, model.spec, model.plan, self._folder)
            memory.restore(self._between_pieces)  # what comes meanwhile is caught up within the next write

        def switch() -> None:
            scorer.model, scorer.memory = model, memory

        room.do(switch)
        self.door.expect(model.spec)

    def _read_model(self, path: str, version: str) -> Artifact:
        """The model there, or, when another was written over it, the one that was kept beside."""
        model, aside = self._load_model(path), kept_at(path, version)
        return self._load_model(str(aside)) if model.version != version and aside.is_dir() else model

    def _load(self, wanted: Activation) -> Artifact:
        model = self._read_model(wanted.path, wanted.version)
        if model.version != wanted.version:
            raise BadInput(
                f"the directory must hold the model that was activated, {wanted.version}; it holds {model.version}.",
                field=wanted.path,
                hint="Activate it again if that is wanted.",
            )
        if model.spec.currency != self._rates.base:
            raise BadInput(
                f"the model's base currency must be the ledger's, {self._rates.base}; it is {model.spec.currency}.",
                field="currency",
                hint="Name a rates file with that base in the setting `rates`.",
            )
        self._models[model.version] = model
        return model

    def _read_stopped(self) -> None:
        with self.ledger.read() as connection:
            rows = [
                row
                for table in (freezes, blocks)
                for row in connection.execute(
                    sa.select(table.c.account, table.c.direction).where(table.c.status == "active")
                )
            ]
        self._stopped = frozenset(
            (account, way) for account, direction in rows for way in ("in", "out") if direction in (way, "both")
        )

    def _save(self) -> None:
        self._snapshot_at = monotonic()
        self.room().do(self.scorer.memory.save)

    def _between(self, work: Callable[[], Any]) -> Any:
        assert self.waiting is not None
        return self.waiting.do(work)

    def _between_pieces(self, done: int, of: int) -> None:
        """A replay may take minutes: revoked keys and new freezes do not wait for its end, nor does stopping."""
        if self._ending.is_set():
            raise NotReady("the service is stopping; the next start replays the ledger anew.")
        self.access.refresh()
        self._read_stopped()
        self._checkpoints.run()
        self.problem = f"replaying the ledger, {done:,} of {of:,}" if self._scorer is None else self.problem
        log.info("replaying the ledger, %d of %d", done, of)


def _check_extras(old: Spec, new: Spec) -> None:
    """Refuse a model to which an extra is a number that was a text until now, or the other way round.

    Raises
    ------
    BadInput : naming the extra.
    """
    for was, old_names, new_names in (
        ("a text", old.extra_keys, new.extra_numbers),
        ("a number", old.extra_numbers, new.extra_keys),
    ):
        for name in sorted(old_names.keys() & new_names.keys()):
            raise BadInput(
                f"an extra must stay what it is from model to model; {name} is {was} in the ledger, not in this model.",
                field=f"extra.{name}",
                hint="Give it another name in the new model's spec.",
            )
