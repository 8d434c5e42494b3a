"""What a service may ask of us, and how long anything may take; every number an owner may set, with its default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the live service.

    Parameters
    ----------
    deadline : when no score came by then, the policy's ``on_deadline`` is answered; a request may ask for another with
        the header ``Tocsin-Deadline-Ms``, up to ``longest_deadline``.
    largest_body : bytes of one request; beyond it 413.
    most_lines : JSON lines of one request; beyond it 413.
    rate : payments, events and labels a second for one key, with ``burst`` at once after a pause; beyond it 429.
    most_waiting : arrivals that may wait for the scoring thread; beyond it 429.
    ahead : how far in the future a time may lie; ``None`` takes any.
    due_in : how long analysts have for an alert.
    snapshot_every : how often the memory is written to its file; the next start replays what came after.
    predict_deadline : when no prediction came by then, 503; a request may ask for another as above.
    largest_example : bytes of one picture, sound or list of texts to predict; beyond it 413.
    most_predicting : predictions that may be read, wait or be computed at once; beyond it 429.
    """

    deadline: timedelta = timedelta(seconds=1)
    longest_deadline: timedelta = timedelta(seconds=60)
    largest_body: int = 4 << 20
    most_lines: int = 10_000
    rate: float = 50_000.0
    burst: float = 100_000.0
    most_waiting: int = 20_000
    ahead: timedelta | None = timedelta(days=1)
    due_in: timedelta = timedelta(hours=24)
    snapshot_every: timedelta = timedelta(minutes=5)
    predict_deadline: timedelta = timedelta(seconds=10)
    largest_example: int = 16 << 20
    most_predicting: int = 32
