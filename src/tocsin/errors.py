"""What can go wrong, in one tree.

TocsinError                     anything below; carries ``field`` and ``hint``
├── BadInput          422       the words are wrong: a column, a time, an amount, a spec line
│   └── BadSpec       422       the file that describes a data set is wrong
├── NotSignedIn       401       nobody, or an unknown key
├── NotAllowed        403       somebody, but not with this role
├── NotFound          404       no such account, alert, decision, model
├── TooLarge          413       a body or a list beyond the stated limit
├── TooMany           429       more requests than the stated rate
├── Conflict          409       not a legal move from this state, or the id was used for something else
├── NotReady          503       starting, replaying, full, or nothing is activated
├── Diverged          500       a training whose loss or gradient is no finite number any more
└── Damaged           500       an artifact, a snapshot or the audit chain fails its fingerprint

Every message says what must hold, what was got, and the way out. No message names a card number or a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TocsinError(Exception):
    """Anything Tocsin refuses, with the field it is about and the way out.

    Parameters
    ----------
    message : what must hold and what was got, in one sentence.
    field : the argument, column or key the message is about, if there is one.
    hint : the way out, in one sentence.
    """

    status: int = 500

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message}" + (f" {self.hint}" if self.hint else "")


class BadInput(TocsinError):
    """The words are wrong: a column, a time, an amount."""

    status = 422


class BadSpec(BadInput):
    """The file that describes a data set is wrong."""


class NotSignedIn(TocsinError):
    """Nobody is signed in, or the key is unknown."""

    status = 401


class NotAllowed(TocsinError):
    """Somebody is signed in, but this role may not do this."""

    status = 403


class NotFound(TocsinError):
    """No such account, alert, decision or model."""

    status = 404


class TooLarge(TocsinError):
    """A body or a list beyond the stated limit."""

    status = 413


class TooMany(TocsinError):
    """More requests than the stated rate."""

    status = 429


class Conflict(TocsinError):
    """Not a legal move from this state, or the id was used for something else."""

    status = 409


class NotReady(TocsinError):
    """Starting, replaying, full, or no model is activated."""

    status = 503


class Diverged(TocsinError):
    """A training whose loss or gradient is no finite number any more."""

    status = 500


class Damaged(TocsinError):
    """An artifact, a snapshot or the audit chain fails its fingerprint."""

    status = 500


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The way out of a misspelt name: the nearest known ones, or, when none is near, the first thirty.

    Examples
    --------
    >>> did_you_mean("acount", ["amount", "account", "at"])
    "Did you mean 'account' or 'amount'?"
    >>> did_you_mean("x", ["amount", "at"])
    'There are: amount, at.'
    """
    names = list(known)
    by_lower = {n.lower(): n for n in names}
    close = [by_lower[n] for n in get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)]
    if close:
        return f"Did you mean {' or '.join(repr(c) for c in close)}?"
    return f"There are: {', '.join(names[:30])}{', ...' if len(names) > 30 else ''}." if names else "There are none."
