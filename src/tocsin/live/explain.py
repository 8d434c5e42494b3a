"""After the answer: why an alert rang, in words, with this customer's normal beside it, frozen into the alert.

What the model saw is kept with the alert, so whatever a crash or a restart left without reasons gets them later, and
from the model that decided.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic, sleep, thread_time
from typing import Any, NamedTuple

import msgspec
import numpy as np
import sqlalchemy as sa

from tocsin.artifact import Artifact
from tocsin.errors import TocsinError
from tocsin.ledger import Ledger
from tocsin.ledger.normal import normal_of
from tocsin.ledger.tables import alerts, decisions
from tocsin.schema import Reason

log = logging.getLogger("tocsin.live")
AT_ONCE = 4
"""A handful: what is explained in one go takes the interpreter from payments for a few milliseconds."""
MOST_PATIENT_S = 0.2
ModelOf = Callable[[str], Artifact]


_WAITING = (
    sa.select(alerts.c.id, alerts.c.number, alerts.c.inputs, decisions.c.model)
    .join(decisions, decisions.c.number == alerts.c.number)
    .where(alerts.c.reasons.is_(None))
    .order_by(alerts.c.id)
    .limit(sa.bindparam("most"))
)
_KEEP = (
    alerts.update()
    .where(alerts.c.id == sa.bindparam("alert"), alerts.c.reasons.is_(None))
    .values(why=sa.bindparam("why"), reasons=sa.bindparam("reasons"), normal=sa.bindparam("normal"))
)


class Explained(NamedTuple):
    """What is written into one alert."""

    id: int
    why: str
    reasons: bytes
    normal: bytes


def explain(ledger: Ledger, model_of: ModelOf, *, at_once: int = AT_ONCE) -> list[Explained]:
    """Reasons and normal of the oldest alerts that have none, at most ``at_once``.

    Parameters
    ----------
    model_of : version -> the model of that version.
    """
    with ledger.read() as connection:
        rows = connection.execute(_WAITING, {"most": at_once}).all()
        out: list[Explained] = []
        for version in dict.fromkeys(row.model for row in rows):
            mine = [row for row in rows if row.model == version]
            given, zone, currency, why = _reasons(version, [row.inputs for row in mine], model_of)
            for row, reasons in zip(mine, given, strict=True):
                normal = normal_of(connection, row.number, currency=currency, zone=zone)
                out.append(Explained(row.id, why(reasons), msgspec.json.encode(reasons), msgspec.json.encode(normal)))
    return out


def keep(ledger: Ledger, explained: list[Explained]) -> None:
    """Write them into their alerts, unless somebody has already."""
    with ledger.write() as connection:
        values = [{"alert": one.id, "why": one.why, "reasons": one.reasons, "normal": one.normal} for one in explained]
        connection.execute(_KEEP, values)


class Explainer:
    """A thread that explains alerts as they ring.

    Parameters
    ----------
    write : has something done where it does not stand in the way of decisions, the scoring thread.
    busy : whether payments wait; then reasons wait too, but never longer than ``MOST_PATIENT_S`` a handful.

    Attributes
    ----------
    seconds : processor time spent so far.
    """

    def __init__(
        self,
        ledger: Ledger,
        model_of: ModelOf,
        write: Callable[[Callable[[], Any]], Any],
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ledger = ledger
        self._model_of = model_of
        self._write = write
        self._busy = busy
        self.seconds = 0.0
        self._bell = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="tocsin-explainer", daemon=True)

    def start(self) -> None:
        """Begin with whatever alerts were left without reasons."""
        self._bell.set()
        self._thread.start()

    def ring(self) -> None:
        """There may be new alerts."""
        self._bell.set()

    def stop(self) -> None:
        """End after the alerts at hand; what is left is explained at the next start."""
        self._stopping = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._bell.wait()
            self._bell.clear()
            try:
                while not self._stopping and self._wait_politely() and (done := explain(self._ledger, self._model_of)):
                    self._write(lambda done=done: keep(self._ledger, done))  # type: ignore[misc]
                    self.seconds = thread_time()
            except Exception as error:  # a full disk, a service that stops: the next bell tries again
                if not self._stopping:
                    log.warning("alerts wait for their reasons: %s", error)

    def _wait_politely(self) -> bool:
        """Let payments go first; always true."""
        until = monotonic() + MOST_PATIENT_S
        while self._busy() and monotonic() < until and not self._stopping:
            sleep(0.01)
        return True


def _reasons(
    version: str, inputs: list[bytes], model_of: ModelOf
) -> tuple[list[tuple[Reason, ...]], str, str, Callable[[tuple[Reason, ...]], str]]:
    """The reasons of each row, the zone and currency of their model, and how it says a sentence."""
    try:
        model = model_of(version)
    except TocsinError as error:
        log.warning("the model %s is gone, its alerts keep their stages only: %s", version, error)
        sentence = f"The reasons cannot be told any more: the model {version} is not where it was."
        return [() for _ in inputs], "UTC", "EUR", lambda _reasons: sentence
    matrix = np.stack([np.frombuffer(row, dtype=np.float64) for row in inputs])
    return model.reasons(matrix), model.spec.time.zone, model.spec.currency, model.why
