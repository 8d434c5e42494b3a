"""Take the pictures of the guide: the real desk on a made day, in real Chromium. Run it with `make docs`.

    python docs/make_pictures.py [FOLDER]

Everything in the pictures is made up; the clock stands still, so the same code gives the same pictures.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from scenes import made_day  # noqa: E402
from tocsin.desk import access, actions, people  # noqa: E402
from tocsin.desk.model import Actor, Direction, Outcome, Role  # noqa: E402
from tocsin.desk.web import Desk, routes  # noqa: E402
from tocsin.ledger import Ledger  # noqa: E402

NOON = datetime(2026, 11, 23, 13, 14, tzinfo=UTC)
ADMIN, ANA, BEN = Actor("admin", Role.ADMIN), Actor("ana", Role.ANALYST), Actor("ben", Role.ANALYST)
FRAUD, GENUINE = Outcome.FRAUD, Outcome.GENUINE


def make_day(ledger: Ledger) -> str:
    """A morning's work, then what is open now; returns the session of the analyst who is looking."""
    tokens = [people.add_person(ledger, ADMIN, at=NOON, name=one.name, role=one.role) for one in (ANA, BEN)]
    session, _ = access.accept_invitation(ledger, tokens[0], at=NOON, password="a bell in the night")
    for done in range(24):
        at = NOON - timedelta(hours=4, minutes=-9 * done)
        one = made_day.alert(ledger, at, done, account=f"A-{5100 + done}")
        opened = actions.open_investigation(ledger, BEN, at=at, subject="unusual payment", alerts=[one])
        outcome, reason = (FRAUD, "takeover") if done % 3 else (GENUINE, "customer_confirmed")
        later = at + timedelta(minutes=2, seconds=7 * done)
        actions.finalise(
            ledger, BEN, at=later, investigation=opened.id, outcome=outcome, reason_code=reason, note="called"
        )
    ids = made_day.fill(ledger, NOON, len(made_day.STORIES))
    made_day.alert(
        ledger, NOON, 2, account=made_day.account_of(2), why="A second large one at another retailer, minutes later."
    )
    frozen = {"direction": Direction.OUT, "reason": "takeover likely, calling the customer"}
    actions.freeze(ledger, ANA, at=NOON - timedelta(minutes=8), alerts=[ids[0]], subject="takeover", **frozen)
    account = made_day.account_of(0)
    actions.open_investigation(ledger, BEN, at=NOON - timedelta(minutes=6), subject="mule payee", account=account)
    with ledger.write() as connection:
        made_day.payment(connection, NOON - timedelta(minutes=5), account, 90_000, "P-771", "decline", cause="freeze")
    actions.note(
        ledger,
        ANA,
        at=NOON - timedelta(minutes=3),
        account=account,
        text="No answer on the phone of file; new number since Friday.",
    )
    actions.take_alert(ledger, BEN, at=NOON, alert=ids[1])
    return session


def take(browser: Browser, address: str, session: str, folder: Path) -> None:
    """Every picture; flat colours make small files."""
    account = f"/accounts/{made_day.account_of(0)}"
    wanted = (
        ("desk", "/queue", 1280, 800, "light", ()),
        ("desk-case", account, 1280, 900, "light", ()),
        ("desk-case-dark", account, 1280, 900, "dark", ()),
        ("desk-verdict", "/queue", 1280, 800, "light", ("f", "2")),
        ("desk-narrow", "/queue", 360, 740, "light", ()),
    )
    for name, path, width, height, scheme, keys in wanted:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, base_url=address, reduced_motion="reduce"
        )
        context.add_cookies([{"name": "tocsin_session", "value": session, "url": address}])
        page = context.new_page()
        page.goto(path)
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(300)
        page.screenshot(path=folder / f"{name}.png")
        context.close()
        print(f"{name}.png {(folder / f'{name}.png').stat().st_size // 1024} KiB")  # noqa: T201


def main(folder: Path) -> None:
    """Make the day, serve it, take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("The pictures need Chromium: apt-get install chromium, then run again.")
    with tempfile.TemporaryDirectory() as there:
        ledger = Ledger(Path(there) / "desk.sqlite")
        ledger.create()
        session = make_day(ledger)
        app = Starlette(routes=routes(Desk(ledger, clock=lambda: NOON, zone="Europe/Paris", secure_cookies=False)))
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take(browser, address, session, folder)
            browser.close()
        server.should_exit = True
        thread.join(10)
        ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
