"""The desk and the live service on one real server, in front of real Chromium.

The model is a made one whose score can be read off the amount, so that a test can ring the bell when it wants to.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette

from conftest import CHROMIUM
from tocsin.artifact import Scored
from tocsin.desk import access, people
from tocsin.desk.model import Actor, Role
from tocsin.desk.web import Desk
from tocsin.desk.web import routes as desk_routes
from tocsin.features import compile_plan
from tocsin.ledger import Ledger, keys, models, now
from tocsin.live import Cards, Limits, Service, routes
from tocsin.measure import Policy
from tocsin.money import Rates
from tocsin.schema import Reason
from tocsin.spec import parse

PASSWORD = "a bell in the night"
SPEC = """
name = "small"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
payee = "payee"
device = "device"
[[stage]]
name = "amount"
columns = ["amount"]
[[stage]]
name = "history"
features = ["count of amount by account over 1h, 1d", "novelty of device by account"]
"""


class RisingModel:
    """Up to 500 genuine; the score rises with the amount: 0.5 at 500, above 0.9 from 720."""

    version = "rising-1"

    def __init__(self) -> None:
        self.spec = parse(SPEC)
        self.plan = compile_plan(self.spec)
        self.policy = Policy(review_at=0.5, decline_at=0.99)
        self.stage_names = tuple(self.plan.stage_names)

    def score(self, matrix: np.ndarray) -> Scored:
        delta = np.zeros((len(matrix), len(self.stage_names)))
        delta[:, 0] = np.clip((matrix[:, self.plan.names.index("amount")] - 500) / 100, -4, 4)
        logit = -2.0 + delta.sum(axis=1) + 2.0
        delta[:, 0] += 2.0
        return Scored(-2.0, delta, logit, 1 / (1 + np.exp(-logit)))

    def reasons(self, matrix: np.ndarray, top: int = 3) -> list[tuple[Reason, ...]]:
        return [
            (Reason(text="amount of this payment", feature="amount", stage="amount", value=float(row[0]), delta=1.0),)
            for row in matrix
        ]

    def why(self, reasons: tuple[Reason, ...]) -> str:
        return "An amount far above what this customer pays."


@dataclass
class House:
    """A running server with the desk and the live service, and a key to the latter."""

    ledger: Ledger
    address: str
    api: httpx.Client
    count: int = 0
    people: list[str] = field(default_factory=list)

    def pay(self, account: str, amount: float, **more: Any) -> str:
        """Send one payment through the front door; returns what the payment system is told to do."""
        self.count += 1
        payment = {"id": f"pay-{self.count}", "at": datetime.now(UTC).isoformat(), "amount_minor": round(amount * 100)}
        payment |= {"currency": "EUR", "account": account, "payee": "P-771"} | more
        answer = self.api.post("/v1/transactions", json=payment)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["action"])

    def person(self, name: str, role: Role = Role.ANALYST) -> str:
        """Somebody new at the desk, with a session; returns its token."""
        admin = Actor("admin", Role.ADMIN)
        invitation = people.add_person(self.ledger, admin, at=now(), name=name, role=role)
        return access.accept_invitation(self.ledger, invitation, at=now(), password=PASSWORD)[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.create()
    with ledger.write() as connection:
        key = keys.new(connection, "payments", at=now(), actor="test")
        models.activate(connection, version="rising-1", path="m", fingerprint="f" * 64, actor="test", at=now())
    service = Service(
        ledger,
        tmp_path / "memory",
        cards=Cards(b"k" * 32),
        rates=Rates("EUR"),
        limits=Limits(),
        clock=now,
        load=lambda _path: RisingModel(),
    )
    service.start(wait=True)
    app = Starlette(routes=[*routes(service), *desk_routes(Desk(ledger, secure_cookies=False))])
    config = uvicorn.Config(app, port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30) as api:
        yield House(ledger, address, api)
    server.should_exit = True
    thread.join(10)
    service.stop()
    ledger.close()


@pytest.fixture(scope="module")  # no longer: while Playwright lives, this thread has a running event loop
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Seat:
    """Somebody's page in the browser, and everything the browser complained about."""

    page: Page
    complaints: list[str]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def see(self, text: str) -> None:
        """Wait until the words are on the page."""
        self.page.get_by_text(text).first.wait_for()


@pytest.fixture
def sit(house: House, chromium: Browser) -> Iterator[Callable[..., Seat]]:
    """Sit somebody down in front of the desk; at the end the browser must not have complained about anything."""
    seats: list[tuple[BrowserContext, Seat, tuple[str, ...]]] = []

    def begin(
        name: str = "ana",
        *,
        role: Role = Role.ANALYST,
        at: str = "/queue",
        width: int = 1280,
        height: int = 800,
        forgive: tuple[str, ...] = (),
        **context: Any,
    ) -> Seat:
        place = chromium.new_context(viewport={"width": width, "height": height}, base_url=house.address, **context)
        place.add_cookies([{"name": "tocsin_session", "value": house.person(name, role), "url": house.address}])
        page = place.new_page()
        page.set_default_timeout(15_000)
        seat = Seat(page, [])
        page.on(
            "console", lambda said: seat.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: seat.complaints.append(str(error)))
        seats.append((place, seat, forgive))
        page.goto(at)
        return seat

    yield begin
    for place, seat, forgive in seats:
        place.close()
        left = [one for one in seat.complaints if not any(words in one for words in forgive)]
        assert not left, left
