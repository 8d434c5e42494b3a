"""Whatever people write at the desk is sealed for ever, so no card number may be in it."""

from __future__ import annotations

import sqlalchemy as sa

from scenes.desk import ANA, Scene
from tocsin.desk import actions
from tocsin.desk.model import Direction, Outcome
from tocsin.ledger import tables

CARD = "4111 1111-1111 1111"


def test_a_card_number_in_any_words_of_a_person_is_masked_before_it_is_sealed(scene: Scene) -> None:
    words = f"the card {CARD}, call 2026-03-01"
    opened = scene.open("A")
    how = {"at": scene.now, "investigation": opened.id}
    actions.note(scene.ledger, ANA, at=scene.now, account="A", text=words)
    actions.freeze(scene.ledger, ANA, at=scene.now, account="A", direction=Direction.OUT, reason=words)
    actions.finalise(scene.ledger, ANA, outcome=Outcome.FRAUD, reason_code="scam", note=words, **how)
    actions.reopen(scene.ledger, ANA, reason=words, **how)
    with scene.ledger.read() as connection:
        kept = [
            str(value)
            for table in tables.metadata.sorted_tables
            for row in connection.execute(sa.select(table))
            for value in row
        ]
    assert not [one for one in kept if "1111" in one]
    assert len([one for one in kept if "the card [card number], call 2026-03-01" in one]) >= 4
