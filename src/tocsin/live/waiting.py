"""Where requests wait for the one scoring thread: it takes all that is there, decides it as one batch, answers, and
takes what has come meanwhile. Nobody waits for a batch to fill; under load it fills by itself.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from tocsin.errors import NotReady, TocsinError, TooMany
from tocsin.live.door import Arrival
from tocsin.live.ids import Outcome

log = logging.getLogger("tocsin.live")


class Decides(Protocol):
    """What the scoring thread needs of a scorer."""

    def decide(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """One outcome for each arrival, or an exception and nothing kept."""
        ...

    def amend(self, arrivals: Sequence[Arrival]) -> None:
        """Keep what was said when the deadline passed in the meantime."""
        ...


class _Ask:
    """One request that waits."""

    __slots__ = ("arrivals", "future", "loop")

    def __init__(self, arrivals: Sequence[Arrival], loop: asyncio.AbstractEventLoop) -> None:
        self.arrivals = arrivals
        self.loop = loop
        self.future: asyncio.Future[list[Outcome]] = loop.create_future()


class _Task:
    """Something else the scoring thread must do between two batches."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = threading.Event()
        self.result: Any = None
        self.error: Exception | None = None


class Waiting:
    """The waiting room and the thread that empties it.

    Parameters
    ----------
    scorer : decides; only ever called on the thread.
    most_waiting : arrivals that may wait; beyond it new ones are refused at once (429).
    most_at_once : arrivals decided in one batch, unless one request alone has more.

    Attributes
    ----------
    unwritten : whether the store refused a batch and nobody has looked since whether it writes again.
    """

    def __init__(self, scorer: Decides, *, most_waiting: int = 20_000, most_at_once: int = 512) -> None:
        self._scorer = scorer
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._queue: SimpleQueue[_Ask | _Task | None] = SimpleQueue()
        self._count_in = 0  # written on the event loop only
        self._count_out = 0  # written on the scoring thread only
        self.batches = 0
        self.unwritten = False
        self._open = False
        self._thread = threading.Thread(target=self._run, name="tocsin-scorer", daemon=True)

    def start(self) -> None:
        """Open the room."""
        self._open = True
        self._thread.start()

    def stop(self) -> None:
        """Take nobody in any more, answer all who wait, end the thread."""
        if self._open:
            self._open = False
            self._queue.put(None)
            self._thread.join()

    @property
    def size(self) -> int:
        """How many arrivals wait or are being decided."""
        return self._count_in - self._count_out

    def ask(self, arrivals: Sequence[Arrival], loop: asyncio.AbstractEventLoop) -> asyncio.Future[list[Outcome]]:
        """Wait for outcomes; called on the event loop.

        The future may be resolved early by whoever watches the deadline, after setting ``late`` on every arrival; the
        ledger then says what was answered.

        Raises
        ------
        TooMany : the room is full. NotReady : it is closed.
        """
        if not self._open:
            raise NotReady("the service is stopping.", hint="Send it again in a moment; ids make that safe.")
        if self.size > self._most_waiting:
            raise TooMany(
                f"at most {self._most_waiting} payments may wait; more do.", hint="Send it again in a moment, slower."
            )
        ask = _Ask(arrivals, loop)
        self._count_in += len(arrivals)
        self._queue.put(ask)
        return ask.future

    def do(self, work: Callable[[], Any], *, timeout: float | None = None) -> Any:
        """Have the scoring thread do something between two batches, and wait for it; never call it on that thread."""
        if not self._open:
            raise NotReady("the service is stopping.")
        task = _Task(work)
        self._queue.put(task)
        if not task.done.wait(timeout):
            raise NotReady("the scoring thread is busy.", hint="Ask again in a moment.")
        if task.error is not None:
            raise task.error
        return task.result

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            asks: list[_Ask] = []
            size = 0
            while isinstance(item, _Ask):
                asks.append(item)
                size += len(item.arrivals)
                if size >= self._most_at_once:
                    item = None
                    break
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    item = None
                    break
            else:
                if item is None:  # stop() put it there; whoever came before has been taken already
                    self._answer(asks)
                    return
            self._answer(asks)
            if isinstance(item, _Task):
                self._work(item)

    def _answer(self, asks: list[_Ask]) -> None:
        """Decide these requests and hand the outcomes back to their event loops."""
        if not asks:
            return
        arrivals = [arrival for ask in asks for arrival in ask.arrivals]
        self.batches += 1
        outcomes: list[Outcome] | TocsinError
        try:
            outcomes = self._scorer.decide(arrivals)
        except Exception as error:
            if len(asks) > 1 and not _is_of_the_store(error):
                log.exception("a batch of %d requests failed; each goes alone", len(asks))
                for ask in asks:
                    self._answer([ask])
                return
            self.unwritten |= _is_of_the_store(error) and not isinstance(error, TocsinError)
            outcomes = _say(error)
        self._count_out += len(arrivals)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Ask, list[Outcome] | TocsinError]]] = {}
        start = 0
        for ask in asks:
            end = start + len(ask.arrivals)
            part = outcomes if isinstance(outcomes, TocsinError) else outcomes[start:end]
            by_loop.setdefault(ask.loop, []).append((ask, part))
            start = end
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._deliver, answers)
            except RuntimeError:  # the loop has closed: nobody is there to be answered
                log.warning("%d requests were decided after their connections had gone", len(answers))

    def _deliver(self, answers: list[tuple[_Ask, list[Outcome] | TocsinError]]) -> None:
        """On the event loop: resolve, and note what the deadline had answered already while it was being decided."""
        amend: list[Arrival] = []
        for ask, outcome in answers:
            if ask.future.done():
                amend += [a for a in ask.arrivals if a.late is not None and a.fresh]
            elif isinstance(outcome, TocsinError):
                ask.future.set_exception(outcome)
            else:
                ask.future.set_result(outcome)
        if amend:
            self._queue.put(_Task(lambda: self._scorer.amend(amend)))

    def _work(self, task: _Task) -> None:
        try:
            task.result = task.work()
        except Exception as error:
            task.error = error
            log.error("the scoring thread could not do what was asked: %s", error)
        task.done.set()


def _is_of_the_store(error: Exception) -> bool:
    """A store that cannot write, or a memory that is full, fails every request alike; trying one by one is in vain."""
    return type(error).__module__.startswith(("sqlite3", "sqlalchemy", "psycopg")) or isinstance(
        error, OSError | NotReady
    )


def _say(error: Exception) -> TocsinError:
    if isinstance(error, TocsinError):
        return error
    if _is_of_the_store(error):
        log.error("the ledger could not be written, nothing of the batch is kept: %s", error)
        return NotReady(
            "the decision could not be kept, so there is none.",
            hint="Send the same id again; the ledger's disk or database needs looking after.",
        )
    log.error("a decision failed", exc_info=error)
    return TocsinError("the decision failed by a fault of ours; nothing of it is kept.", hint="The log says more.")
