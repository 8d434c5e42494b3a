"""Who is there, and who may do what: one table, every deed against every role.

Whoever may not, cannot: every function of ``actions``, ``people`` and ``reads`` asks here first, before it looks at
anything. The service role scores payments and has no desk. Nobody, administrators included, has a deed that lifts a
freeze: only verdicts do.

Passwords are kept as argon2 hashes, sessions and invitations as hashes of random tokens: whoever reads the ledger
cannot sign in with what stands there. A wrong password is counted before it is checked, so many at once do not help.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tocsin.desk.model import Actor, Role
from tocsin.errors import BadInput, NotAllowed, NotSignedIn, TooMany
from tocsin.ledger import Ledger, audit, microseconds, moment
from tocsin.ledger.tables import failed_sign_ins, invitations, people, sessions

SESSION_LASTS = timedelta(hours=12)
SESSION_IDLES = timedelta(hours=1)
INVITATION_LASTS = timedelta(days=3)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 200
FORGET_FAILURES = timedelta(minutes=15)
MOST_FAILURES = {"name and address": 5, "name": 20, "address": 50}
"""So many wrong passwords in a quarter of an hour, then nobody is let in there until some are forgotten."""
_TOUCH = timedelta(minutes=1)
_HASHER = PasswordHasher()


class Deed(StrEnum):
    """What somebody may want to do at the desk, in words that complete "you may not ..."."""

    READ_CASES = "read cases"
    READ_AUDIT = "read the audit"
    READ_PEOPLE = "see the people of the desk"
    TAKE_ALERT = "take alerts"
    DISMISS_ALERT = "dismiss alerts"
    INVESTIGATE = "open investigations"
    ASSIGN = "assign investigations"
    NOTE = "write notes"
    FREEZE = "freeze accounts"
    FINALISE = "give verdicts"
    REOPEN = "reopen investigations"
    ASK_TO_LIFT = "ask to lift a block"
    LIFT = "lift or refuse to lift a block"
    MANAGE_PEOPLE = "manage people"


_ANALYST, _SENIOR, _ADMIN, _AUDITOR = Role.ANALYST, Role.SENIOR, Role.ADMIN, Role.AUDITOR
_WORKS = frozenset((_ANALYST, _SENIOR))
_READS = frozenset((_ANALYST, _SENIOR, _ADMIN, _AUDITOR))

MAY: dict[Deed, frozenset[Role]] = {
    Deed.READ_CASES: _READS,
    Deed.READ_AUDIT: frozenset((_SENIOR, _ADMIN, _AUDITOR)),
    Deed.READ_PEOPLE: _READS,
    Deed.TAKE_ALERT: _WORKS,
    Deed.DISMISS_ALERT: _WORKS,
    Deed.INVESTIGATE: _WORKS,
    Deed.ASSIGN: _WORKS,
    Deed.NOTE: _WORKS,
    Deed.FREEZE: _WORKS,
    Deed.FINALISE: _WORKS,
    Deed.REOPEN: _WORKS,
    Deed.ASK_TO_LIFT: _WORKS,
    Deed.LIFT: frozenset((_SENIOR,)),
    Deed.MANAGE_PEOPLE: frozenset((_ADMIN,)),
}
"""Who may do what; a role that is not named may not."""


def may(actor: Actor, deed: Deed) -> bool:
    """Whether this actor may do this; for pages that show only what can be done."""
    return actor.role in MAY[deed]


def require(actor: Actor, deed: Deed) -> None:
    """Go on only if the actor may.

    Raises
    ------
    NotAllowed : names the deed, the role, and who may.
    """
    if not may(actor, deed):
        roles = " or ".join(sorted(MAY[deed]))
        raise NotAllowed(f"to {deed} one must be {roles}; you are {actor.role}.", hint="Ask one of them.")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; ``csrf`` is the mark every form of this session must carry."""

    actor: Actor
    csrf: str
    expires_at: datetime


def sign_in(ledger: Ledger, *, at: datetime, name: str, password: str, address: str) -> tuple[str, Session]:
    """Begin a session; returns its token, which is kept nowhere, and the session.

    Raises
    ------
    NotSignedIn : name or password is wrong, or the person is switched off; the message does not say which.
    TooMany : too many wrong passwords for this name or from this address lately.
    """
    with ledger.write() as connection:
        attempt = _count_attempt(connection, at, name[:100], address[:100])
        query = sa.select(people).where(people.c.name == name, people.c.active)
        person = connection.execute(query).first()
    if not _fits(person.password_hash if person else None, password) or person is None:
        raise NotSignedIn("name and password must belong together; these do not.", hint="Ask an admin for a new link.")
    with ledger.write() as connection:
        c = failed_sign_ins.c
        mine = sa.and_(c.name == name, c.address == address[:100])
        connection.execute(failed_sign_ins.delete().where(sa.or_(c.id == attempt, mine)))
        if _HASHER.check_needs_rehash(person.password_hash):
            _set_password(connection, name, password)
        token, session = _begin(connection, at, Actor(name, Role(person.role)))
        audit.append(connection, at=at, kind="signed_in", actor=name, subject=f"person {name}")
    return token, session


def session(ledger: Ledger, token: str, at: datetime, *, touch: bool = True) -> Session:
    """Whose session this token opens; the role is the one the person has now.

    Without ``touch`` it is only looked at: a page that asks for news by itself does not keep a session alive.

    Raises
    ------
    NotSignedIn : no such session, it has ended, was idle too long, or the person is switched off.
    """
    query = (
        sa.select(sessions, people.c.role)
        .join(people, people.c.name == sessions.c.person)
        .where(sessions.c.token_hash == _hash(token), people.c.active)
    )
    with ledger.read() as connection:
        row = connection.execute(query).first()
    if row is None or at >= moment(row.expires_at) or at >= moment(row.seen_at) + SESSION_IDLES:
        raise NotSignedIn("somebody must be signed in; this session has ended.", hint="Sign in again.")
    if touch and at >= moment(row.seen_at) + _TOUCH:
        with ledger.write() as connection:
            seen = sessions.update().where(sessions.c.token_hash == row.token_hash)
            connection.execute(seen.values(seen_at=microseconds(at)))
    return Session(Actor(row.person, Role(row.role)), row.csrf, moment(row.expires_at))


def sign_out(ledger: Ledger, token: str, at: datetime) -> None:
    """End a session; ending one that is not there does nothing."""
    with ledger.write() as connection:
        ended = sessions.delete().where(sessions.c.token_hash == _hash(token)).returning(sessions.c.person)
        person = connection.execute(ended).scalar_one_or_none()
        if person is not None:
            audit.append(connection, at=at, kind="signed_out", actor=person, subject=f"person {person}")


def check_csrf(session: Session, given: str) -> None:
    """Hold a form to the mark of the session it claims to come from.

    Raises
    ------
    NotAllowed : it carries another or none.
    """
    if not compare_digest(session.csrf.encode(), given.encode()):
        raise NotAllowed("a form must carry the mark of this session; it does not.", hint="Load the page again.")


def invite(connection: sa.Connection, at: datetime, name: str) -> str:
    """A new one-time link's token for somebody, inside a write; the links made before end."""
    void = invitations.update().where(invitations.c.person == name, invitations.c.used_at.is_(None))
    connection.execute(void.values(used_at=microseconds(at)))
    token = token_urlsafe(32)
    row = {"token_hash": _hash(token), "person": name, "expires_at": microseconds(at + INVITATION_LASTS)}
    connection.execute(invitations.insert().values(**row))
    return token


def invited(ledger: Ledger, token: str, at: datetime) -> Actor:
    """Whom a one-time link is for.

    Raises
    ------
    NotSignedIn : it was used, has run out, or never was.
    """
    with ledger.read() as connection:
        return _invited(connection, token, at)


def accept_invitation(ledger: Ledger, token: str, *, at: datetime, password: str) -> tuple[str, Session]:
    """Set a first or new password by a one-time link and sign in; every older session of the person ends."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadInput(
            f"a password must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters; got {len(password)}.",
            field="password",
            hint="Several words in a row are good.",
        )
    hashed = _HASHER.hash(password)  # before the write begins: it is slow on purpose
    with ledger.write() as connection:
        actor = _invited(connection, token, at)
        if len(actor.name) > 3 and actor.name.casefold() in password.casefold():
            raise BadInput("a password must not contain the name; this one does.", field="password")
        used = invitations.update().where(invitations.c.token_hash == _hash(token), invitations.c.used_at.is_(None))
        if connection.execute(used.values(used_at=microseconds(at))).rowcount != 1:
            raise _spent()  # on PostgreSQL somebody else may have used it since it was looked at
        connection.execute(people.update().where(people.c.name == actor.name).values(password_hash=hashed))
        connection.execute(sessions.delete().where(sessions.c.person == actor.name))
        begun = _begin(connection, at, actor)
        audit.append(connection, at=at, kind="password_set", actor=actor.name, subject=f"person {actor.name}")
    return begun


def first_admin(ledger: Ledger, *, at: datetime, name: str = "admin") -> str | None:
    """At the very first start make an admin and return the token of a one-time link; later there is nothing to do."""
    with ledger.write() as connection:
        if connection.execute(sa.select(people.c.name).limit(1)).first() is not None:
            return None
        row = {"name": name, "role": Role.ADMIN.value, "active": True, "created_at": microseconds(at)}
        connection.execute(people.insert().values(**row))
        audit.append(
            connection, at=at, kind="person_added", actor="first start", subject=f"person {name}", new={"role": "admin"}
        )
        return invite(connection, at, name)


def _invited(connection: sa.Connection, token: str, at: datetime) -> Actor:
    query = (
        sa.select(people.c.name, people.c.role)
        .join(invitations, invitations.c.person == people.c.name)
        .where(
            invitations.c.token_hash == _hash(token),
            invitations.c.used_at.is_(None),
            invitations.c.expires_at > microseconds(at),
            people.c.active,
        )
    )
    row = connection.execute(query).first()
    if row is None:
        raise _spent()
    return Actor(row.name, Role(row.role))


def _spent() -> NotSignedIn:
    return NotSignedIn(
        "a link must be new and unused; this one was used, has run out, or never was.",
        hint="Ask an admin for another: `tocsin user link NAME`.",
    )


def _count_attempt(connection: sa.Connection, at: datetime, name: str, address: str) -> int:
    c = failed_sign_ins.c
    connection.execute(failed_sign_ins.delete().where(c.at <= microseconds(at - FORGET_FAILURES)))
    conditions = {"name and address": (c.name == name) & (c.address == address), "name": c.name == name}
    for what, condition in {**conditions, "address": c.address == address}.items():
        count = connection.execute(sa.select(sa.func.count()).where(condition)).scalar_one()
        if count >= MOST_FAILURES[what]:
            raise TooMany(
                f"at most {MOST_FAILURES[what]} wrong passwords a quarter of an hour are taken for one {what}.",
                hint="Wait, or ask an admin for a new link.",
            )
        known = sa.select(people.c.name).where(people.c.name == name)
        if what == "name" and count == MOST_FAILURES[what] - 1 and connection.execute(known).first():
            audit.append(connection, at=at, kind="sign_in_throttled", actor=name, subject=f"person {name}")
    row = {"name": name, "address": address, "at": microseconds(at)}
    return int(connection.execute(failed_sign_ins.insert().values(**row).returning(c.id)).scalar_one())


def _fits(hashed: str | None, password: str) -> bool:
    # A name nobody has takes as long as a wrong password, so the time does not tell who is there.
    try:
        return _HASHER.verify(hashed or _nobodys(), password[:LONGEST_PASSWORD]) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _HASHER.hash(token_urlsafe(32))


def _set_password(connection: sa.Connection, name: str, password: str) -> None:
    row: dict[str, Any] = {"password_hash": _HASHER.hash(password)}
    connection.execute(people.update().where(people.c.name == name).values(**row))


def _begin(connection: sa.Connection, at: datetime, actor: Actor) -> tuple[str, Session]:
    connection.execute(sessions.delete().where(sessions.c.expires_at <= microseconds(at)))
    token, csrf, ends = token_urlsafe(32), token_urlsafe(32), at + SESSION_LASTS
    row = {"created_at": microseconds(at), "seen_at": microseconds(at), "expires_at": microseconds(ends)}
    connection.execute(sessions.insert().values(token_hash=_hash(token), person=actor.name, csrf=csrf, **row))
    return token, Session(actor, csrf, ends)


def _hash(token: str) -> bytes:
    return blake2b(token.encode(), digest_size=32).digest()
