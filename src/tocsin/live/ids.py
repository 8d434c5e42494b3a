"""Ids first: what was seen before gets its old answer or a refusal, and only what is new gets a number.

Looks into the ledger and into the batch itself, so the same id twice in one list, or from two requests at once, is one
payment.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from tocsin.errors import BadInput, Conflict, NotFound, TocsinError
from tocsin.ledger.record import KeptPayment, Recorder
from tocsin.ledger.replay import LABEL, PAYMENT, Entry
from tocsin.live.door import Arrival
from tocsin.schema import KIND_CODE, AccountEvent, Finding, Label, Transaction

Outcome = bytes | TocsinError
"""What goes back for one arrival: the answer as it is sent, or the refusal."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an account event or a label: its place in the one sequence."""

    id: str
    number: int


class Sorted:
    """A batch after its ids were looked up.

    Attributes
    ----------
    new, places, entries : what is new, where it stood among the arrivals, and what the memory consumes of it.
    answers : for each arrival its outcome, or the place of the first arrival with the same id and content, or ``None``
        for a new payment, whose answer follows.
    """

    def __init__(self, recorder: Recorder, connection: sa.Connection, arrivals: Sequence[Arrival], first: int) -> None:
        self.new: list[Arrival] = []
        self.places: list[int] = []
        self.entries: list[Entry] = []
        self.answers: list[Outcome | int | None] = []
        self._arrivals = arrivals
        self._first = first
        self._here: dict[tuple[type, str], int] = {}
        self._payments: dict[str, KeptPayment] = {}
        self._events: dict[str, tuple[int, bytes]] = {}
        self._targets: dict[str, tuple[int, int]] = {}
        self._labels: dict[tuple[int, str, str, int], int] = {}
        self._look_up(recorder, connection)
        for place, arrival in enumerate(arrivals):
            before = len(self.entries)
            answer = self._sort(place, arrival)
            if len(self.entries) > before:
                self.new.append(arrival)
                self.places.append(place)
            self.answers.append(answer)

    def outcomes(self) -> list[Outcome]:
        """One outcome for each arrival, once every new payment has its answer."""
        out: list[Outcome] = []
        for answer in self.answers:
            assert answer is not None
            out.append(out[answer] if isinstance(answer, int) else answer)
        return out

    def _look_up(self, recorder: Recorder, connection: sa.Connection) -> None:
        ids: dict[type, list[str]] = {Transaction: [], AccountEvent: [], Label: []}
        for arrival in self._arrivals:
            ids[type(arrival.value)].append(arrival.id)
        self._payments = recorder.payments_kept(connection, ids[Transaction])
        self._events = recorder.events_kept(connection, ids[AccountEvent])
        self._targets = recorder.payments_named(connection, ids[Label])
        self._labels = recorder.labels_kept(connection, {number for number, _ in self._targets.values()})

    def _sort(self, place: int, arrival: Arrival) -> Outcome | int | None:
        value, number = arrival.value, self._first + len(self.entries)
        if isinstance(value, Label):
            return self._sort_label(arrival, value, number)
        earlier = self._here.get((type(value), arrival.id))
        if earlier is not None:
            return earlier if self._arrivals[earlier].content == arrival.content else _conflict()
        if isinstance(value, Transaction):
            kept = self._payments.get(arrival.id)
            if kept is not None:
                return kept.answer if kept.content == arrival.content else _conflict()
            self._targets[arrival.id] = (number, arrival.at)
            self.entries.append(Entry(number, arrival.at, PAYMENT, arrival.base_minor, value))
            self._here[Transaction, arrival.id] = place
            return None
        known = self._events.get(arrival.id)
        if known is not None:
            return _accepted(arrival.id, known[0]) if known[1] == arrival.content else _conflict()
        self._here[AccountEvent, arrival.id] = place
        self.entries.append(Entry(number, arrival.at, KIND_CODE[value.kind], 0, value))
        return _accepted(arrival.id, number)

    def _sort_label(self, arrival: Arrival, label: Label, number: int) -> Outcome:
        target = self._targets.get(label.transaction_id)
        if target is None:
            return NotFound(
                "a label must be of a transaction that was decided here; this id is unknown.",
                field="transaction_id",
                hint="Send the transaction first.",
            )
        if arrival.at < target[1]:
            return BadInput("a label cannot be known before its payment happened; this one is.", field="known_at")
        key = (target[0], label.source, str(label.finding), arrival.at)
        if key not in self._labels:
            self._labels[key] = number
            fraud = int(label.finding is Finding.FRAUD)
            self.entries.append(Entry(number, arrival.at, LABEL, 0, None, target[0], fraud))
        return _accepted(arrival.id, self._labels[key])


def _accepted(id: str, number: int) -> bytes:
    return msgspec.json.encode(Accepted(id=id, number=number))


def _conflict() -> Conflict:
    return Conflict(
        "an id must stand for one thing only; this one came before with other content.",
        field="id",
        hint="Send the same content again to get the same answer, or take a new id.",
    )
