"""What an analyst sees: nothing moves, dark is dark, and at 360 pixels everything can be reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from scenes import made_day
from tocsin.desk import actions
from tocsin.desk.model import Actor, Direction, Role
from tocsin.ledger import now
from tocsin.ledger.tables import alerts

pytestmark = pytest.mark.browser
ANA = Actor("ana", Role.ANALYST)

REACHABLE = """(button) => {
  const box = button.getBoundingClientRect();
  const inside = box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
  const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return inside && box.height >= 28 && (hit === button || button.contains(hit));
}"""


def check_every_action_is_reachable(page: Any, least: int) -> None:
    buttons = page.locator("#actions .act > summary, #actions > a, #actions form.inline button").all()
    shown = [one for one in buttons if one.is_visible()]
    assert len(shown) >= least
    for one in shown:
        assert one.evaluate(REACHABLE), one.inner_text()


@pytest.mark.parametrize("width", [360, 1280])
def test_every_action_can_be_reached_and_every_sheet_fits(house: Any, sit: Callable[..., Any], width: int) -> None:
    made_day.fill(house.ledger, now(), 8)
    ana = sit("ana", width=width, height=640 if width == 360 else 800)
    check_every_action_is_reachable(ana.page, 8)
    for act in ana.page.locator("#actions .act").all():
        if not act.is_visible():
            continue
        act.locator("summary").click()
        send = act.locator("button.main")
        send.scroll_into_view_if_needed()
        assert send.evaluate(REACHABLE), act.inner_text()
        ana.press("Escape")
    account = ana.page.locator("tr.row").first.get_attribute("data-open")
    ana.page.goto(account)
    check_every_action_is_reachable(ana.page, 6)
    actions.freeze(house.ledger, ANA, at=now(), direction=Direction.OUT, reason="takeover", alerts=[1])
    ana.page.reload()
    check_every_action_is_reachable(ana.page, 8)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(house: Any, sit: Callable[..., Any], scheme: str) -> None:
    made_day.fill(house.ledger, now(), 3)
    long = "an-account-with-a-very-long-name-" * 5
    made_day.alert(house.ledger, now(), account=long, amount_minor=10**15, why="Unbreakable" * 40)
    ada = sit("ada", role=Role.ADMIN, width=360, height=740, color_scheme=scheme)
    for path in (
        "/queue",
        "/queue?at=4",
        "/investigations",
        "/accounts",
        f"/accounts/{long}",
        "/audit",
        "/models",
        "/people",
    ):
        ada.page.goto(path)
        assert ada.page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_light_and_dark_come_from_the_system_or_from_me(house: Any, sit: Callable[..., Any]) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    ana, ben = sit("ana", color_scheme="light"), sit("ben", color_scheme="dark")
    assert ana.page.evaluate(paper) == "rgb(246, 244, 239)"
    assert ben.page.evaluate(paper) == "rgb(22, 24, 26)"
    ana.page.get_by_text("ana", exact=True).first.click()
    ana.page.get_by_label("Appearance").select_option("dark")
    ana.page.get_by_role("button", name="Keep", exact=True).click()
    expect(ana.page.locator("body")).to_have_css("background-color", "rgb(22, 24, 26)", timeout=15_000)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_message_covers_neither_the_accounts_name_nor_the_actions(
    house: Any, sit: Callable[..., Any], width: int
) -> None:
    made_day.alert(house.ledger, now(), account="A-7")
    actions.freeze(house.ledger, ANA, at=now(), direction=Direction.OUT, reason="takeover", alerts=[1])
    ana = sit("ana", width=width, height=740, at="/accounts/A-7")
    before = ana.page.locator("main h1").bounding_box()
    ana.press("g", "1", "Enter")
    ana.see("A-7 is released: that was the last pending investigation.")
    told = ana.page.locator(".toast").bounding_box()
    assert told
    for kept in (ana.page.locator("main h1"), ana.page.locator("#actions")):
        box = kept.bounding_box()
        assert box
        assert told["y"] + told["height"] <= box["y"] or told["y"] >= box["y"] + box["height"]
    assert ana.page.locator("main h1").bounding_box() == before  # nothing moved


def wait_for_reasons(house: Any) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with house.ledger.read() as connection:
            if connection.execute(sa.select(alerts.c.id).where(alerts.c.reasons.is_(None))).first() is None:
                return
        time.sleep(0.02)
    raise AssertionError("the service never said why")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_the_stages_and_their_exact_sum_on_the_case_page(
    house: Any, sit: Callable[..., Any], width: int, scheme: str
) -> None:
    house.pay("A-9", 700)  # scored and explained by the running service
    wait_for_reasons(house)
    ana = sit("ana", width=width, height=740, color_scheme=scheme, at="/accounts/A-9")
    ana.see("Amount said most: it multiplied the odds of fraud by 55. Above all: amount of this payment.")
    bars = ana.page.locator(".bars tbody tr:not(.axis)")
    assert bars.count() == 2
    drawn = bars.nth(0).locator("rect").bounding_box()
    assert drawn
    assert drawn["width"] > 40  # a bar one can see, not one of no size
    ana.press("e")
    rows = ana.page.locator(".sum tbody tr").all()
    shown = [row.locator("td").nth(1).inner_text().replace("−", "-") for row in rows]
    assert shown == ["-2.0000", "+4.0000", "+0.0000"]
    assert ana.page.locator(".sum tfoot").inner_text().split() == [
        "Together",
        "=",
        "2.0000",
        "=",
        "7.389",
        "88.08",
        "%",
    ]
    ana.see("The record says 0.880797, and the unrounded parts come to that")
    for cell in ana.page.locator(".sum td, .sum th.number").all():
        box = cell.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
    assert ana.page.evaluate("document.documentElement.scrollWidth") <= width
    ana.press("e")
    expect(ana.page.locator(".sum table")).to_be_hidden()


def test_a_new_alert_moves_nothing(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 3)
    ana = sit("ana")
    boxes = (
        "[...document.querySelectorAll('tr.row, #preview, #actions, h1')].map(x => x.getBoundingClientRect().toJSON())"
    )
    before = ana.page.evaluate(boxes)
    house.pay("A-9", 600)
    ana.see("1 new alert")
    assert ana.page.evaluate(boxes) == before
    house.pay("A-8", 600)
    ana.see("2 new alerts")
    ana.press("r")
    ana.page.locator("tr.row").nth(4).wait_for()
    ana.see("Live: new alerts are announced here")


def test_the_case_page_tells_what_is_new_and_moves_nothing(house: Any, sit: Callable[..., Any]) -> None:
    made_day.alert(house.ledger, now(), account="A-7")
    ana = sit("ana", at="/accounts/A-7")
    boxes = "[...document.querySelectorAll('.card, .timeline li, #actions, h1')].map(x => x.getBoundingClientRect().toJSON())"
    before, lines = ana.page.evaluate(boxes), ana.page.locator(".timeline li").count()
    house.pay("A-8", 20)  # somebody else's
    house.pay("A-7", 20)
    ana.see("1 new line")
    actions.note(house.ledger, ANA, at=now(), account="A-7", text="called")
    ana.see("2 new lines")
    assert ana.page.evaluate(boxes) == before
    ana.press("r")
    expect(ana.page.locator(".timeline li")).to_have_count(lines + 2)
    expect(ana.page.get_by_text("new line")).to_have_count(0)
    house.pay("A-7", 20)
    ana.see("1 new line")


def test_freezing_is_said_in_words_beside_the_colour(house: Any, sit: Callable[..., Any]) -> None:
    made_day.fill(house.ledger, now(), 1)
    ana = sit("ana")
    actions.freeze(house.ledger, ANA, at=now(), direction=Direction.BOTH, reason="takeover", alerts=[1])
    ana.page.reload()
    tag = ana.page.locator("tr.row .tag.frozen")
    assert tag.inner_text() == "frozen"
    red = tag.evaluate("x => getComputedStyle(x).color")
    assert red == "rgb(165, 32, 27)"
