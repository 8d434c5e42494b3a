"""What is wrong with a file, row by row: found in columns, told in words, and kept so that no row is lost.

A problem always makes its row a bad row; what is odd but readable is a note. Rows are counted from 1 at the first row
after the header, so row 1 is what a reader sees first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def shown(value: object) -> str:
    """A value as a message may show it: cut, and without the digits of what may be a card number.

    Examples
    --------
    >>> shown("31/31/2026"), shown("4111 1111 1111 1111")
    ("'31/31/2026'", '16 digits')
    """
    text = str(value)
    run = re.search(r"\d{12,}", re.sub(r"[ -]", "", text))
    return f"{len(run[0])} digits" if run else repr(text[:30])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one row.

    Parameters
    ----------
    row : 1 for the first row after the header.
    column : the file's column, or ``""`` when the row itself is broken.
    what : what must hold and what was got; never a card number or a name.
    hint : the way out.
    file : the name of the file, when it is not the first one.
    """

    row: int
    column: str
    what: str
    hint: str = ""
    file: str = ""


@dataclass(slots=True)
class Findings:
    """Collects the problems of one file while it is read; bad rows are a mask, problems are made from it at the end.

    ``rows`` are the numbers of the rows as they stand in the file, int64[n].
    """

    rows: NDArray[np.int64]
    file: str = ""
    bad: NDArray[np.bool_] = field(init=False)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bad = np.zeros(len(self.rows), bool)

    def add(
        self,
        where: NDArray[np.bool_],
        column: str,
        what: str | Callable[[int], str],
        hint: str = "",
    ) -> None:
        """Mark the rows of the mask bad; ``what`` may be made per row (called with the row's position)."""
        found = np.flatnonzero(where)
        if len(found) == 0:
            return
        self.bad[found] = True
        for position, row in zip(found.tolist(), self.rows[found].tolist(), strict=True):
            text = what if isinstance(what, str) else what(position)
            self.problems.append(Problem(row, column, text, hint, self.file))

    def take(self, other: Findings, rows: NDArray[np.bool_]) -> None:
        """Take over what another collector found in the given rows of the same file."""
        wanted = set(self.rows[rows].tolist())
        self.problems.extend(p for p in other.problems if p.row in wanted)
        self.notes.extend(other.notes)
        self.bad |= other.bad & rows
