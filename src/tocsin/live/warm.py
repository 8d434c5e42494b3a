"""Starting warm: a model may bring the memory of the past it learned from, and the ledger then goes on after it."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import sqlalchemy as sa

from tocsin.errors import Damaged
from tocsin.features import Kernel, Plan
from tocsin.ledger import Ledger
from tocsin.ledger.sequence import next_number
from tocsin.ledger.tables import account_events, labels, sequence, transactions

log = logging.getLogger("tocsin.live")
BROUGHT = "memory.bin"
"""The memory's file in a model's directory."""


def base_path(folder: Path, plan: Plan) -> Path:
    """Where a plan's memory of the time before the ledger is kept."""
    return folder / f"{plan.fingerprint[:24]}.base.kernel"


def take_over(ledger: Ledger, model: Path, plan: Plan, folder: Path) -> None:
    """Keep the memory that a model brings, if it ends exactly where this ledger begins.

    A new ledger begins wherever that memory ends: its first number is the next one. A ledger that has begun takes the
    memory of another plan only if it ends at the same number, since its own events must follow without a gap.
    """
    brought, kept = model / BROUGHT, base_path(folder, plan)
    if kept.is_file() or not brought.is_file():
        return
    try:
        ends = Kernel.load(brought, plan).last_number
    except Damaged as error:
        log.warning("the memory in %s is left aside: %s", model, error)
        return
    with ledger.read() as connection:
        begins, fresh = _first_number(connection)
    if ends + 1 != begins and not (fresh and begins == 1):
        log.info("the memory in %s ends at %d, this ledger begins at %d; it is left aside", model, ends, begins)
        return
    if ends + 1 != begins:  # first of all: killed after it, the next start finds the ledger beginning where it should
        with ledger.write() as connection:
            mine = sequence.c.name == "events", sequence.c.next == begins
            if connection.execute(sequence.update().where(*mine).values(next=ends + 1)).rowcount != 1:
                log.info("the ledger has begun meanwhile; the memory in %s is left aside", model)
                return
    _copy(brought, kept)
    log.info("starting warm: the memory in %s, %d events, goes on in this ledger", model, ends)


def _first_number(connection: sa.Connection) -> tuple[int, bool]:
    """The ledger's first number, or its next one while it has none."""
    firsts = [
        first
        for table in (transactions, account_events, labels)
        if (first := connection.execute(sa.select(sa.func.min(table.c.number))).scalar_one()) is not None
    ]
    return (min(firsts), False) if firsts else (next_number(connection), True)


def _copy(source: Path, to: Path) -> None:
    """Whole or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = to.with_suffix(".partial")
    shutil.copyfile(source, draft)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(draft, to)
