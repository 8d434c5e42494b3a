"""The desk's reads stay quick however much is in the ledger: none of them walks through a large table."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scenes.desk import ANA, SUE, Scene
from tocsin.desk import actions, chosen, history, reads, search, stops

LARGE = (
    "transactions",
    "decisions",
    "alerts",
    "account_events",
    "labels",
    "case_events",
    "links",
    "accounts",
    "freezes",
)
READS: dict[str, Callable[[Scene], Any]] = {
    "the queue": lambda scene: reads.queue(scene.ledger, ANA),
    "its next page": lambda scene: reads.queue(scene.ledger, ANA, after=(100, 0, 0)),
    "mine": lambda scene: reads.queue(scene.ledger, ANA, wanted=reads.Filter(scope="mine")),
    "everybody's": lambda scene: reads.queue(scene.ledger, ANA, wanted=reads.Filter(scope="all")),
    "an alert": lambda scene: reads.alert(scene.ledger, ANA, 1),
    "news": lambda scene: reads.news(scene.ledger, ANA, after=0),
    "the newest": lambda scene: reads.newest_alert(scene.ledger, ANA),
    "the day": lambda scene: reads.day(scene.ledger, ANA, since=scene.at - timedelta(days=1)),
    "pending": lambda scene: reads.list_investigations(scene.ledger, ANA),
    "final": lambda scene: reads.list_investigations(scene.ledger, ANA, pending=False),
    "an account": lambda scene: history.account_page(scene.ledger, ANA, "A"),
    "its timeline": lambda scene: history.timeline(scene.ledger, ANA, "A", after=(2**60, 1, 1)),
    "what a verdict may speak of": lambda scene: chosen.choices(
        scene.ledger, ANA, "A", at=scene.now, alerts=[1], others=[2]
    ),
    "what one on an investigation may": lambda scene: chosen.choices(
        scene.ledger, ANA, "A", at=scene.now, investigation=1
    ),
    "a search": lambda scene: search.find(scene.ledger, ANA, "phone"),
    "what is stopped": lambda scene: stops.stops(scene.ledger, ANA),
    "the audit": lambda scene: reads.audit_page(scene.ledger, SUE, account="A"),
    "next": lambda scene: actions.take_next(scene.ledger, ANA, at=scene.now, after=1),
}


@pytest.mark.parametrize("name", READS)
def test_no_read_walks_through_a_large_table(scene: Scene, name: str) -> None:
    alert = scene.alert("A")
    scene.alert("A")
    opened = actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="x", alerts=[alert])
    scene.freeze("A")
    scene.close(opened.id)
    asked: list[tuple[str, Any]] = []
    sa.event.listen(scene.ledger.engine, "before_cursor_execute", lambda *all: asked.append((all[2], all[3])))
    READS[name](scene)
    assert asked
    raw = sqlite3.connect(scene.ledger.engine.url.database or "")
    for statement, values in asked:
        if statement.lstrip().startswith(("SELECT", "UPDATE")):
            steps = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            walked = [step for step in steps if step.startswith("SCAN") and step.split()[1] in LARGE]
            stops = "LIMIT" in statement and "WHERE" not in statement and not any("B-TREE" in step for step in steps)
            assert stops or not walked, (walked, statement)  # the newest by its key is read and no more
    raw.close()
