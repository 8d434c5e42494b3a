"""The main job in real Chromium: a payment rings, an analyst freezes, and the account is free again by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tocsin.desk.model import Role

pytestmark = pytest.mark.browser


def test_from_the_bell_to_the_release_by_keyboard(house, sit: Callable[..., object]) -> None:  # type: ignore[no-untyped-def]
    assert house.pay("A-1", 30) == "approve"
    ana = sit("ana")
    ana.see("Nothing is waiting.")

    assert house.pay("A-1", 600) == "review"
    ana.see("1 new alert")  # told without reloading
    assert ana.page.locator("tr.row").count() == 0  # and nothing has moved
    ana.press("r")
    ana.page.locator("tr.row").wait_for()

    ana.press("Enter")
    ana.page.wait_for_url("**/accounts/A-1?alert=1")
    ana.press("z")
    ana.see("From this moment every outgoing payment of A-1 is declined")
    ana.press("Enter")
    ana.see("A-1 is frozen, outgoing.")
    ana.see("lifts by itself when investigation 1 is final")
    ana.see("0 of 1 final")

    assert house.pay("A-1", 10) == "decline"
    assert house.pay("A-2", 10) == "approve"
    ana.press("r")
    ana.see("declined, frozen")

    ana.press("g", "1", "Enter")
    ana.see("A-1 is released: that was the last pending investigation.")
    assert ana.page.get_by_text("0 of 1 final").count() == 0
    assert house.pay("A-1", 10) == "approve"


def test_fraud_by_keyboard_becomes_a_block(house, sit: Callable[..., object]) -> None:  # type: ignore[no-untyped-def]
    house.pay("A-1", 600)
    ana = sit("ana")
    ana.press("z", "Enter")
    ana.see("A-1 is frozen, outgoing.")
    ana.press("f", "2", "Enter")
    ana.see("Investigation 1 is final: fraud.")
    ana.see("a block stands in its place: outgoing.")
    assert house.pay("A-1", 10) == "decline"

    ana.page.goto("/accounts/A-1")
    ana.press("b")
    ana.page.keyboard.type("a new card, the customer called")
    ana.press("Control+Enter")
    ana.see("A senior other than you lifts block 1 or refuses")
    sue = sit("sue", role=Role.SENIOR, at="/accounts/A-1")
    sue.press("l")
    sue.see("money moves again.")
    sue.press("Control+Enter")
    sue.see("Block 1 is lifted")
    assert house.pay("A-1", 10) == "approve"


def test_two_analysts_on_one_alert(house, sit: Callable[..., object]) -> None:  # type: ignore[no-untyped-def]
    house.pay("A-1", 600)
    house.pay("A-2", 610)
    ana, ben = sit("ana"), sit("ben", forgive=("409 (Conflict)", "Response Status Error Code 409"))
    for one in (ana, ben):
        one.page.locator('tr.row[data-alert="1"]').click()
        one.page.locator('#actions input[name="alerts"][value="1"]').first.wait_for(state="attached")
    ana.press("g", "1", "Enter")
    ana.see("Investigation 1 is final: genuine.")
    ben.press("f", "1", "Enter")
    ben.see("Not as things stand now.")
    ben.see("alert 1 is joined to investigation 1")
    ben.page.locator('tr.row[data-alert="1"]').wait_for(state="detached")  # and the list is as it is now
    assert ben.page.locator('tr.row[data-alert="2"]').count() == 1


def test_signing_in_by_the_one_time_link(house, sit: Callable[..., object]) -> None:  # type: ignore[no-untyped-def]
    from tocsin.desk import access, people
    from tocsin.desk.model import Actor
    from tocsin.ledger import now

    token = people.add_person(house.ledger, Actor("admin", Role.ADMIN), at=now(), name="eve", role=Role.ANALYST)
    eve = sit("ana", at=f"/welcome/{token}")
    eve.page.context.clear_cookies()
    eve.page.goto(f"/welcome/{token}")
    eve.page.get_by_label(f"Password, at least {access.SHORTEST_PASSWORD}").fill("a bell in the night")
    eve.page.get_by_label("The same again").fill("a bell in the night")
    eve.press("Enter")
    eve.page.wait_for_url("**/queue")
    eve.page.get_by_text("eve", exact=True).first.click()
    eve.page.get_by_role("button", name="Sign out").click()
    eve.page.wait_for_url("**/sign-in")
