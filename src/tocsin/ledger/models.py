"""Which model decides: a list of activations of which the newest is in force. It knows paths and fingerprints, no models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tocsin.errors import Conflict
from tocsin.ledger import audit
from tocsin.ledger.store import microseconds, moment
from tocsin.ledger.tables import activations


@dataclass(frozen=True, slots=True)
class Activation:
    """A model put in force: where its directory is, what it was then, by whom and when."""

    id: int
    version: str
    path: str
    fingerprint: str
    actor: str
    at: datetime


def activate(
    connection: sa.Connection, *, version: str, path: str, fingerprint: str, actor: str, at: datetime
) -> Activation:
    """Put a model in force; a running service takes it over within seconds."""
    before = current(connection)
    values = {"version": version, "path": path, "fingerprint": fingerprint, "actor": actor, "at": microseconds(at)}
    inserted = connection.execute(activations.insert().values(**values).returning(activations.c.id)).scalar_one()
    audit.append(
        connection,
        at=at,
        kind="model activated",
        actor=actor,
        subject=f"model {version}",
        old=before.version if before else None,
        new={"version": version, "fingerprint": fingerprint},
    )
    return Activation(int(inserted), version, path, fingerprint, actor, at)


def roll_back(connection: sa.Connection, *, actor: str, at: datetime) -> Activation:
    """Put the model before the one in force in force again; twice goes back and forth between the two.

    Raises
    ------
    Conflict : there is no other model to go back to.
    """
    past = history(connection)
    for earlier in past[1:]:
        if earlier.fingerprint != past[0].fingerprint:
            return activate(
                connection,
                version=earlier.version,
                path=earlier.path,
                fingerprint=earlier.fingerprint,
                actor=actor,
                at=at,
            )
    raise Conflict(
        "rolling back needs a model that was in force before; there is none.",
        hint="`tocsin model activate PATH` puts one in force.",
    )


def current(connection: sa.Connection) -> Activation | None:
    """The model in force, or ``None`` before the first activation."""
    found = history(connection, limit=1)
    return found[0] if found else None


def history(connection: sa.Connection, *, limit: int = 100) -> list[Activation]:
    """The activations, newest first."""
    rows = connection.execute(sa.select(activations).order_by(activations.c.id.desc()).limit(limit))
    return [Activation(r.id, r.version, r.path, r.fingerprint, r.actor, moment(r.at)) for r in rows]


def path_of(connection: sa.Connection, version: str) -> str | None:
    """Where the model of this version was when it was last in force."""
    query = sa.select(activations.c.path).where(activations.c.version == version)
    row = connection.execute(query.order_by(activations.c.id.desc()).limit(1)).first()
    return None if row is None else str(row.path)
