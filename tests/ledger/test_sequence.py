"""The one sequence: no gap, no number twice, whoever takes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tocsin.ledger import Ledger
from tocsin.ledger.sequence import next_number, take_numbers


def test_numbers_follow_one_another(both: Ledger) -> None:
    with both.write() as connection:
        assert next_number(connection) == 1
        assert take_numbers(connection, 3) == 1
        assert take_numbers(connection, 1) == 4
        assert next_number(connection) == 5


def test_a_write_that_fails_gives_its_numbers_back(both: Ledger) -> None:
    with suppress(ZeroDivisionError), both.write() as connection:
        take_numbers(connection, 100)
        raise ZeroDivisionError
    with both.write() as connection:
        assert take_numbers(connection, 1) == 1


def test_many_writers_share_the_numbers_without_gap_or_double(both: Ledger) -> None:
    def take(count: int) -> list[int]:
        with both.write() as connection:
            first = take_numbers(connection, count)
        return list(range(first, first + count))

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, [1, 2, 3] * 12) for number in numbers]
    assert sorted(taken) == list(range(1, 73))
