"""One box that finds an account, a payment, an alert or an investigation, or whoever used a card, device, address, payee.

Only exact values and beginnings of account names are found, each by an index: nothing is ever read through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from tocsin.desk.access import Deed, require
from tocsin.desk.model import Actor
from tocsin.ledger import Ledger
from tocsin.ledger.links import catch_up, linked
from tocsin.ledger.tables import accounts, alerts, investigations, transactions

What = Literal["account", "payment", "alert", "investigation", "card", "device", "ip", "payee"]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found, and the account to go to; ``value`` is the id, number or token that was meant."""

    what: What
    value: str
    account: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, nearest first; ``behind`` counts the newest entries whose cards and devices are not read yet."""

    hits: tuple[Hit, ...]
    behind: int


def find(ledger: Ledger, actor: Actor, text: str, *, limit: int = 20) -> Found:
    """Whatever is meant by the text; nothing for a blank one."""
    require(actor, Deed.READ_CASES)
    text = text.replace("\0", "").strip()[:200]
    if not text:
        return Found((), 0)
    behind = catch_up(ledger)
    with ledger.read() as connection:
        hits = [*_named(connection, text), *_numbered(connection, text), *_beginning(connection, text, limit)]
        hits += [Hit(one.word, one.value, one.account) for one in linked(connection, text, limit=limit)]  # type: ignore[arg-type]
    return Found(tuple(dict.fromkeys(hits))[:limit], behind)


def _named(connection: sa.Connection, text: str) -> list[Hit]:
    found = connection.execute(sa.select(accounts.c.account).where(accounts.c.account == text)).scalars()
    hits = [Hit("account", name, name) for name in found]
    paid = sa.select(transactions.c.id, transactions.c.account).where(transactions.c.id == text)
    return hits + [Hit("payment", id, name) for id, name in connection.execute(paid)]


def _numbered(connection: sa.Connection, text: str) -> list[Hit]:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return []
    hits = []
    for what, table in (("investigation", investigations), ("alert", alerts)):
        for name in connection.execute(sa.select(table.c.account).where(table.c.id == int(text))).scalars():
            hits.append(Hit(what, text, name))  # type: ignore[arg-type]  # noqa: PERF401
    return hits


def _beginning(connection: sa.Connection, text: str, limit: int) -> list[Hit]:
    c = accounts.c.account
    query = sa.select(c).where(c >= text, c < text + "\U0010ffff", c.startswith(text, autoescape=True))
    query = query.order_by(c).limit(limit)
    return [Hit("account", name, name) for name in connection.execute(query).scalars()]
