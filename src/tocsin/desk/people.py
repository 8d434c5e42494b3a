"""The people of the desk: adding, changing the role, a new one-time link, switching off and on again.

Only an admin manages people, and an admin gives no verdicts. Nobody is ever deleted, because what they did stays.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tocsin.desk.access import Deed, invite, require
from tocsin.desk.model import Actor, Role
from tocsin.errors import BadInput, Conflict, NotFound
from tocsin.ledger import Ledger, audit, microseconds
from tocsin.ledger.tables import people, sessions

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")


def add_person(ledger: Ledger, actor: Actor, *, at: datetime, name: str, role: Role) -> str:
    """Add somebody; returns the token of the one-time link with which they choose their password.

    Raises
    ------
    Conflict : there is somebody of that name.
    BadInput : the name has other letters than a-z, 0-9, ``. _ @ -``, or the role is not one of people.
    """
    require(actor, Deed.MANAGE_PEOPLE)
    _check_role(role)
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"a name must be 1 to 100 of the letters a-z, 0-9, . _ @ -; got {name[:100]!r}.",
            field="name",
            hint="Such as ana or ana.berg@bank.example.",
        )
    with ledger.write() as connection:
        if connection.execute(sa.select(people.c.name).where(people.c.name == name)).first():
            raise Conflict(f"a name must be given once; there is a {name} already.", field="name")
        row = {"name": name, "role": role.value, "active": True, "created_at": microseconds(at)}
        connection.execute(people.insert().values(**row))
        _tell(connection, actor, at, "person_added", name, new={"role": role.value})
        return invite(connection, at, name)


def new_link(ledger: Ledger, actor: Actor, *, at: datetime, name: str) -> str:
    """The token of a new one-time link for somebody who forgot their password or lost the first link."""
    require(actor, Deed.MANAGE_PEOPLE)
    with ledger.write() as connection:
        if not _person(connection, name).active:
            raise Conflict(f"a link is for people who are switched on; {name} is off.", hint="Switch them on first.")
        _tell(connection, actor, at, "link_made", name)
        return invite(connection, at, name)


def change_role(ledger: Ledger, actor: Actor, *, at: datetime, name: str, role: Role) -> None:
    """Give somebody another role, in force at their next click; the last admin stays admin."""
    require(actor, Deed.MANAGE_PEOPLE)
    _check_role(role)
    with ledger.write() as connection:
        admins, before = _hold_admins(connection), _person(connection, name)
        if before.role == role:
            raise Conflict(f"{name} is {role} already.")
        if before.role == Role.ADMIN:
            _check_other_admin(admins, name)
        connection.execute(people.update().where(people.c.name == name).values(role=role.value))
        _tell(connection, actor, at, "role_changed", name, old={"role": before.role}, new={"role": role.value})


def switch_off(ledger: Ledger, actor: Actor, *, at: datetime, name: str) -> None:
    """Let somebody in no longer; their sessions end at once, what they did stays. The last admin stays."""
    require(actor, Deed.MANAGE_PEOPLE)
    with ledger.write() as connection:
        admins, before = _hold_admins(connection), _person(connection, name)
        if not before.active:
            raise Conflict(f"{name} is off already.")
        if before.role == Role.ADMIN:
            _check_other_admin(admins, name)
        connection.execute(people.update().where(people.c.name == name).values(active=False))
        connection.execute(sessions.delete().where(sessions.c.person == name))
        _tell(connection, actor, at, "person_off", name)


def switch_on(ledger: Ledger, actor: Actor, *, at: datetime, name: str) -> str:
    """Let somebody in again, with a new password; returns the token of the one-time link."""
    require(actor, Deed.MANAGE_PEOPLE)
    with ledger.write() as connection:
        if _person(connection, name).active:
            raise Conflict(f"{name} is on already.")
        connection.execute(people.update().where(people.c.name == name).values(active=True, password_hash=None))
        _tell(connection, actor, at, "person_on", name)
        return invite(connection, at, name)


def _person(connection: sa.Connection, name: str) -> Any:
    row = connection.execute(sa.select(people).where(people.c.name == name).with_for_update()).first()
    if row is None:
        raise NotFound("no such person at this desk.", field="name", hint="`tocsin user list` shows who is there.")
    return row


def _check_role(role: Role) -> None:
    if role is Role.SERVICE:
        raise BadInput(
            "a person's role must not be service; services have keys.", field="role", hint="See `tocsin key`."
        )


def _hold_admins(connection: sa.Connection) -> set[str]:
    # Held in one order before anything else, so that two admins cannot remove each other at the same moment.
    query = sa.select(people.c.name).where(people.c.role == Role.ADMIN.value, people.c.active).order_by(people.c.name)
    return set(connection.execute(query.with_for_update()).scalars())


def _check_other_admin(admins: set[str], name: str) -> None:
    if admins <= {name}:
        raise Conflict(f"somebody must stay admin; {name} is the last one.", hint="Make another admin first.")


def _tell(connection: sa.Connection, actor: Actor, at: datetime, kind: str, name: str, **values: Any) -> None:
    audit.append(connection, at=at, kind=kind, actor=actor.name, subject=f"person {name}", **values)
