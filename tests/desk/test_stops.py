"""The accounts whose money is stopped, and nobody else."""

from __future__ import annotations

import pytest

from scenes.desk import ANA, AUD, BEN, BOT, Scene
from tocsin.desk import actions
from tocsin.desk.model import Direction, Outcome
from tocsin.desk.stops import stops
from tocsin.errors import NotAllowed


def test_frozen_then_blocked_then_asked_about(scene: Scene) -> None:
    scene.pay("free")
    opened = actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="takeover", account="held")
    set_at = scene.now
    actions.freeze(scene.ledger, ANA, at=set_at, direction=Direction.OUT, reason="takeover", account="held")
    (one,) = stops(scene.ledger, AUD)
    assert (one.account, one.frozen, one.blocked, one.since, one.pending) == ("held", True, False, set_at, 1)
    closed = actions.finalise(
        scene.ledger, BEN, at=scene.now, investigation=opened.id, outcome=Outcome.FRAUD, reason_code="takeover"
    )
    (one,) = stops(scene.ledger, AUD)
    assert (one.frozen, one.blocked, one.pending, one.lift_asked) == (False, True, 0, False)
    actions.ask_to_lift_block(scene.ledger, ANA, at=scene.now, block=closed.blocks[0].id, reason="new card")
    assert stops(scene.ledger, AUD)[0].lift_asked


def test_only_people_of_the_desk_may_look(scene: Scene) -> None:
    with pytest.raises(NotAllowed):
        stops(scene.ledger, BOT)
