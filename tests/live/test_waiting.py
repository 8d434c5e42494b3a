"""The waiting room: what waits is decided together, nobody hangs, one bad request harms no other."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from tocsin.errors import BadInput, NotReady, TocsinError, TooMany
from tocsin.live.waiting import Waiting


class Echo:
    """Answers each arrival with itself; may be held back, may fail."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.amended: list[Any] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fail: Any = None

    def decide(self, arrivals: Sequence[Any]) -> list[Any]:
        self.gate.wait(10)
        self.batches.append(list(arrivals))
        if self.fail:
            self.fail(arrivals)
        return [str(a).encode() for a in arrivals]

    def amend(self, arrivals: Sequence[Any]) -> None:
        self.amended += arrivals


def test_what_came_while_a_batch_was_decided_is_the_next_batch() -> None:
    echo = Echo()
    waiting = Waiting(echo)
    waiting.start()

    async def ask() -> list[list[bytes]]:
        loop = asyncio.get_running_loop()
        echo.gate.clear()
        first = waiting.ask(["a"], loop)
        await asyncio.sleep(0.05)
        rest = [waiting.ask([f"{i}", f"{i}'"], loop) for i in range(10)]
        assert waiting.size == 21
        echo.gate.set()
        return [await first, *[await one for one in rest]]

    answers = asyncio.run(ask())
    waiting.stop()
    assert answers == [[b"a"], *[[f"{i}".encode(), f"{i}'".encode()] for i in range(10)]]
    assert [len(batch) for batch in echo.batches] == [1, 20]
    assert waiting.size == 0


def test_batches_have_a_limit_but_a_long_list_stays_whole() -> None:
    echo = Echo()
    waiting = Waiting(echo, most_at_once=4)
    waiting.start()

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        echo.gate.clear()
        asked = [waiting.ask([i], loop) for i in range(9)] + [waiting.ask(list(range(30)), loop)]
        echo.gate.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    waiting.stop()
    assert sum(map(len, echo.batches)) == 39
    assert max(map(len, echo.batches)) >= 30
    assert sorted(map(len, echo.batches))[-2] <= 4


def test_a_full_room_refuses_and_a_closed_one_too() -> None:
    echo = Echo()
    waiting = Waiting(echo, most_waiting=3)

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotReady):
            waiting.ask(["early"], loop)
        waiting.start()
        echo.gate.clear()
        asked = [waiting.ask(["x"], loop) for _ in range(4)]
        with pytest.raises(TooMany):
            waiting.ask(["y"], loop)
        echo.gate.set()
        await asyncio.gather(*asked)

    asyncio.run(ask())
    waiting.stop()
    with pytest.raises(NotReady):
        waiting.do(lambda: 1)


def test_one_request_that_breaks_the_scorer_harms_no_other() -> None:
    echo = Echo()

    def fail(arrivals: Sequence[Any]) -> None:
        if "bad" in arrivals:
            raise ZeroDivisionError("a fault")

    echo.fail = fail
    waiting = Waiting(echo)
    waiting.start()

    async def ask() -> list[Any]:
        loop = asyncio.get_running_loop()
        echo.gate.clear()
        asked = [waiting.ask([word], loop) for word in ("first", "good", "bad", "fine")]
        echo.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(ask())
    waiting.stop()
    assert answers[:2] == [[b"first"], [b"good"]]
    assert answers[3] == [b"fine"]
    assert type(answers[2]) is TocsinError


@pytest.mark.parametrize(
    ("error", "kind"),
    [(sqlite3.OperationalError("database or disk is full"), NotReady), (BadInput("no"), BadInput)],
)
def test_a_store_that_fails_answers_nobody(error: Exception, kind: type) -> None:
    echo = Echo()

    def fail(_arrivals: Sequence[Any]) -> None:
        raise error

    echo.fail = fail
    waiting = Waiting(echo)
    waiting.start()

    async def ask() -> Any:
        return await waiting.ask(["x"], asyncio.get_running_loop())

    with pytest.raises(kind):
        asyncio.run(ask())
    waiting.stop()


def test_other_work_is_done_between_batches_and_its_errors_come_back() -> None:
    waiting = Waiting(Echo())
    waiting.start()
    assert waiting.do(lambda: threading.current_thread().name) == "tocsin-scorer"
    with pytest.raises(KeyError):
        waiting.do(lambda: {}["x"])
    waiting.stop()
