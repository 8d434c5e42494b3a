"""API keys for services: made once, shown once, kept as a hash only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from secrets import token_urlsafe

import sqlalchemy as sa

from tocsin.errors import BadInput, Conflict, NotFound
from tocsin.ledger import audit
from tocsin.ledger.store import microseconds, moment
from tocsin.ledger.tables import keys

PREFIX = "tocsin_"


@dataclass(frozen=True, slots=True)
class Key:
    """A service's key as it may be shown: never the key itself."""

    name: str
    created_at: datetime
    revoked_at: datetime | None


def fingerprint(key: str) -> bytes:
    """What is kept of a key. It has 256 random bits, so a plain hash cannot be turned back."""
    return blake2b(key.encode(), digest_size=32).digest()


def new(connection: sa.Connection, name: str, *, at: datetime, actor: str) -> str:
    """Make a key for a service and return it, the only time it can be read.

    Raises
    ------
    Conflict : the name has a key already, in force or revoked.
    """
    if not 0 < len(name) <= 100:
        raise BadInput(f"a key's name must have 1 to 100 characters; got {len(name)}.", field="name")
    if connection.execute(sa.select(keys.c.name).where(keys.c.name == name)).first():
        raise Conflict(
            f"a key must have a name of its own; {name!r} is taken.",
            field="name",
            hint="Names are never used twice, so that the ledger stays readable; take another, such as shop-2.",
        )
    key = PREFIX + token_urlsafe(32)
    connection.execute(keys.insert().values(name=name, key_hash=fingerprint(key), created_at=microseconds(at)))
    audit.append(connection, at=at, kind="key made", actor=actor, subject=f"key {name}")
    return key


def revoke(connection: sa.Connection, name: str, *, at: datetime, actor: str) -> None:
    """End a key. A running service forgets it within a second.

    Raises
    ------
    NotFound : no such key. Conflict : it is revoked already.
    """
    row = connection.execute(sa.select(keys.c.revoked_at).where(keys.c.name == name)).first()
    if row is None:
        raise NotFound(f"no key is called {name!r}.", field="name", hint="`tocsin key list` shows them.")
    if row.revoked_at is not None:
        raise Conflict(f"the key {name!r} is revoked already, since {moment(row.revoked_at):%Y-%m-%d %H:%M} UTC.")
    connection.execute(keys.update().where(keys.c.name == name).values(revoked_at=microseconds(at)))
    audit.append(connection, at=at, kind="key revoked", actor=actor, subject=f"key {name}")


def all_keys(connection: sa.Connection) -> list[Key]:
    """Every key there ever was, by name."""
    rows = connection.execute(sa.select(keys.c.name, keys.c.created_at, keys.c.revoked_at).order_by(keys.c.name))
    return [Key(r.name, moment(r.created_at), moment(r.revoked_at) if r.revoked_at is not None else None) for r in rows]


def in_force(connection: sa.Connection) -> dict[bytes, str]:
    """Fingerprint -> name of every key that opens the door now."""
    rows = connection.execute(sa.select(keys.c.key_hash, keys.c.name).where(keys.c.revoked_at.is_(None)))
    return {bytes(row.key_hash): row.name for row in rows}
