"""One box that finds what is meant, by index, and what links accounts."""

from __future__ import annotations

import sqlalchemy as sa

from scenes.desk import ANA, Scene
from tocsin.desk.search import Hit, find
from tocsin.ledger import links, tables


def hits(scene: Scene, text: str) -> list[tuple[str, str, str]]:
    found = find(scene.ledger, ANA, text)
    assert found.behind == 0
    return [(one.what, one.value, one.account) for one in found.hits]


def test_accounts_payments_alerts_and_investigations(scene: Scene) -> None:
    alert = scene.alert("A-1")
    scene.pay("A-17", score=None)
    opened = scene.open("A-2")
    with scene.ledger.read() as connection:
        id = connection.execute(sa.select(tables.transactions.c.id).limit(1)).scalar_one()
    assert hits(scene, " A-1 ") == [("account", "A-1", "A-1"), ("account", "A-17", "A-17")]
    assert [one[2] for one in hits(scene, "A-")] == ["A-1", "A-17", "A-2"]
    assert hits(scene, id) == [("payment", id, "A-1")]
    assert ("investigation", str(opened.id), "A-2") in hits(scene, str(opened.id))
    assert ("alert", str(alert), "A-1") in hits(scene, str(alert))
    assert hits(scene, "  ") == hits(scene, "A_") == hits(scene, "%") == hits(scene, "nothing") == []


def test_whoever_used_a_card_or_device_or_paid_somebody(scene: Scene) -> None:
    scene.pay("A", device="phone 1", card="card 1", payee="P")
    scene.pay("B", device="phone 1", card="card 2", payee="P")
    scene.pay("A", device="phone 1", card="card 1", payee="Q")
    assert hits(scene, "phone 1") == [("device", "phone 1", "A"), ("device", "phone 1", "B")]
    assert hits(scene, "card 2") == [("card", "card 2", "B")]
    assert hits(scene, "P") == [("account", "P", "P"), ("payee", "P", "A"), ("payee", "P", "B")]


def test_links_are_read_once_a_piece_at_a_time_and_the_rest_is_said(scene: Scene) -> None:
    for place in range(7):
        scene.pay(f"A{place}", device=f"d{place}")
    piece, links.PIECE = links.PIECE, 3
    try:
        assert links.catch_up(scene.ledger, pieces=1) == 4
        assert links.catch_up(scene.ledger, pieces=9) == 0
        assert links.catch_up(scene.ledger, pieces=9) == 0
    finally:
        links.PIECE = piece
    with scene.ledger.read() as connection:
        devices = sa.select(tables.links.c.first_number).where(tables.links.c.word == "device")
        assert sorted(connection.execute(devices).scalars()) == [1, 2, 3, 4, 5, 6, 7]


def test_hits_are_said_once(scene: Scene) -> None:
    scene.pay("A")
    assert find(scene.ledger, ANA, "A").hits.count(Hit("account", "A", "A")) == 1
