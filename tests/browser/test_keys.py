"""Working with the keyboard alone, and without any script at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from scenes import made_day
from tocsin.desk import reads
from tocsin.desk.model import Actor, Role
from tocsin.ledger import now

pytestmark = pytest.mark.browser
ANA = Actor("ana", Role.ANALYST)


def chosen(seat: Any) -> int:
    return int(seat.page.locator('tr.row[aria-selected="true"]').get_attribute("data-alert"))


def test_three_keys_give_a_verdict_and_the_next_is_chosen(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 8)
    ana = sit("ana")
    order = [int(one.get_attribute("data-alert")) for one in ana.page.locator("tr.row").all()]
    ana.press("f", "2", "Enter")
    ana.see("Investigation 1 is final: fraud.")
    assert chosen(ana) == order[1]
    ana.press("g", "1", "Enter")
    ana.see("Investigation 2 is final: genuine.")
    assert chosen(ana) == order[2]
    assert reads.alert(house.ledger, ANA, order[0]).account.investigations[0].verdict.reason_code == "takeover"


@pytest.mark.parametrize("pause_ms", [0, 20, 60, 120])
def test_keys_pressed_fast_act_on_the_row_that_was_chosen(house: Any, sit: Callable[..., Any], pause_ms: int) -> None:
    """The bar follows the list a moment later; a verdict must never land on the row before."""
    made_day.fill(house.ledger, now(), 8)
    ana = sit("ana")
    slow = lambda route: (time.sleep(0.15), route.continue_())  # noqa: E731
    ana.page.route("**/preview*", slow)
    order = [int(one.get_attribute("data-alert")) for one in ana.page.locator("tr.row").all()]
    for key in ("j", "j", "j", "k", "f", "1", "Enter"):
        ana.press(key)
        ana.page.wait_for_timeout(pause_ms)
    ana.see("Investigation 1 is final: fraud.")
    found = {one: reads.alert(house.ledger, ANA, one).alert.status for one in order}
    assert [one for one, status in found.items() if status == "joined"] == [order[2]]


def test_words_typed_before_the_note_is_open_are_not_commands(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 8)
    ana = sit("ana")
    ana.press("j", "m", *"fz1 gone")
    note = ana.page.locator('[data-act="note"] textarea')
    expect(note).to_be_focused(timeout=15_000)
    assert note.input_value() == "fz1 gone"


def test_moving_searching_and_asking_for_the_keys(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 30)
    ana = sit("ana")
    for _ in range(25):
        ana.press("j")
    row = ana.page.locator('tr.row[aria-selected="true"]')
    assert row.evaluate(
        "x => x.getBoundingClientRect().bottom <= document.querySelector('#actions').getBoundingClientRect().top"
    )
    ana.press("?")
    ana.page.locator("dialog#keys").wait_for()
    ana.press("Escape")
    ana.page.locator("dialog#keys").wait_for(state="hidden")
    ana.press("/")
    ana.page.keyboard.type("P-771")
    ana.press("Enter")
    ana.page.wait_for_url("**/accounts**P-771")


def test_a_freeze_can_be_thought_better_of(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 1)
    ana = sit("ana")
    ana.press("z")
    ana.page.get_by_role("button", name="Freeze now").wait_for()
    ana.press("2")
    ana.see("every incoming payment of")
    ana.press("Escape")
    ana.page.get_by_role("button", name="Freeze now").wait_for(state="hidden")
    ana.press("Enter")
    ana.page.wait_for_url("**/accounts/**")
    assert not reads.alert(house.ledger, ANA, 1).account.freezes


def test_selecting_many_and_dismissing_them(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 6)
    ana = sit("ana")
    ana.press("x", "j", "x", "j", "j", "x")
    ana.page.get_by_text("Dismiss 3").wait_for()
    ana.press("d")
    ana.page.keyboard.type("one retailer, known outage")
    ana.press("Control+Enter")
    ana.see("3 alerts dismissed.")
    expect(ana.page.locator("tr.row")).to_have_count(3, timeout=15_000)


def test_next_holds_a_case_and_a_note_is_kept(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 3)
    ana = sit("ana")
    ana.press("n")
    ana.page.locator("tr.row .tag.mine").wait_for()
    ana.press("m")
    ana.page.keyboard.type("called: j k f g all typed, nothing done")
    ana.press("Control+Enter")
    ana.see("The note is on the account's timeline.")
    ana.press("Enter")
    ana.page.wait_for_url("**/accounts/**")
    ana.see("“called: j k f g all typed, nothing done”")
    assert reads.alert(house.ledger, ANA, 1).alert.status == "new"


def test_two_pending_investigations_are_walked_by_keyboard(house: Any, sit: Callable[..., Any]) -> None:
    made_day.alert(house.ledger, now(), account="A-1")
    ana = sit("ana", at="/accounts/A-1")
    ana.press("z", "Enter")
    ana.see("A-1 is frozen, outgoing.")
    made_day.alert(house.ledger, now(), 1, account="A-1")
    ana.press("r")
    ana.page.locator(".will", has_text="a verdict on 1 releases the account at once").wait_for()
    ana.page.goto("/accounts/A-1?alert=2")
    ana.press("o")
    ana.page.keyboard.type("second payment")
    ana.press("Enter")
    ana.see("Investigation 2 is pending with 1 alert, and yours.")
    ana.see("0 of 2 final")
    ana.press("j")
    ana.page.wait_for_url("**investigation=**")
    ana.press("i", "1", "Enter")
    ana.see("1 of 2 final")


def test_everything_works_without_scripts(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 2)
    ana = sit("ana", java_script_enabled=False)
    page = ana.page
    page.locator('[data-act="freeze"] > summary').click()
    page.get_by_role("button", name="Freeze now").click()
    page.get_by_text("is frozen, outgoing.").wait_for()
    page.locator('[data-act="genuine"] > summary').click()
    page.get_by_label("travel").check()
    page.locator('[data-act="genuine"] button').click()
    page.get_by_text("is released: that was the last pending investigation.").wait_for()
    page.locator("tr.row .why a").first.click()
    page.get_by_role("link", name="Open", exact=True).click()
    page.get_by_text("What each kind of data said").first.wait_for()


def test_the_payments_a_verdict_labels_are_chosen_on_its_sheet(house: Any, sit: Callable[..., Any]) -> None:
    """Ticking moves nothing, says at once when nothing is left to label, and leaves the three keys as they were."""
    made_day.alert(house.ledger, now(), account="A-1")
    ana = sit("ana")
    ana.press("f")
    sheet = ana.page.locator('[data-act="fraud"]')
    assert sheet.locator("input[type=radio]").first.evaluate("x => x === document.activeElement")
    first, second = sheet.locator("[name=payment]").nth(0), sheet.locator("[name=payment]").nth(1)
    assert (first.is_checked(), second.is_checked()) == (True, False)
    nothing = sheet.get_by_text("It labels nothing for the next model.")
    assert not nothing.is_visible()
    before = sheet.locator("form").evaluate("x => x.scrollHeight")
    first.uncheck()
    assert nothing.is_visible()
    assert sheet.locator("form").evaluate("x => x.scrollHeight") == before
    first.check()
    second.check()
    ana.press("2", "Enter")
    ana.see("2 payments labelled for the next model.")
