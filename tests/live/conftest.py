"""A service on a ledger of its own, with a model whose score one can read off the amount and a clock one can set."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette

from scenes.postgres import fresh_database
from tocsin.artifact import Scored
from tocsin.errors import NotFound
from tocsin.features import compile_plan
from tocsin.ledger import Ledger, keys, models
from tocsin.live import Cards, Limits, Service, routes
from tocsin.measure import Policy
from tocsin.money import Rates
from tocsin.schema import Reason
from tocsin.spec import parse

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = """
name = "small"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
card = "card"
device = "device"
retailer = "retailer"
payee = "payee"
country = "country"
latitude = "latitude"
longitude = "longitude"
numbers = ["risk"]
keys = ["branch"]
[history]
by = "account"
kind = ["payee", "country"]
length = 4
[[stage]]
name = "amount"
columns = ["amount"]
[[stage]]
name = "history"
features = [
  "count of amount by account over 1h, 1d",
  "sum of amount by card over 1d",
  "novelty of device by account",
  "share of fraud by retailer over 7d",
  "count of sign_in by account over 1d",
]
"""
OTHER_SPEC = SPEC.replace("count of amount by account over 1h, 1d", "count of amount by account over 1h, 1d, 7d")


class FakeModel:
    """Amount up to 500: genuine; the score rises with the amount, 0.5 at 500 and above 0.9 from 1000."""

    def __init__(self, text: str = SPEC, *, version: str = "fake-1", policy: Policy | None = None) -> None:
        self.spec = parse(text)
        self.plan = compile_plan(self.spec)
        self.version = version
        self.policy = policy or Policy(review_at=0.5, decline_at=0.9)
        self.stage_names = tuple(self.plan.stage_names)

    def score(self, matrix: np.ndarray) -> Scored:
        logit = np.clip((matrix[:, self.plan.names.index("amount")] - 500) / 100, -8, 8)
        delta = np.zeros((len(matrix), len(self.stage_names)))
        delta[:, 0] = logit
        return Scored(0.0, delta, logit, 1 / (1 + np.exp(-logit)))

    def reasons(self, matrix: np.ndarray, top: int = 3) -> list[tuple[Reason, ...]]:
        return [
            (Reason(text="the amount", feature="amount", stage="amount", value=float(row[0]), delta=1.0),)
            for row in matrix
        ]

    def why(self, reasons: tuple[Reason, ...]) -> str:
        return "Because of " + ", ".join(r.text for r in reasons) + "."


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@dataclass
class House:
    """Everything a test of the live service needs in its hands."""

    folder: Path
    ledger: Ledger
    clock: Clock
    models: dict[str, FakeModel] = field(default_factory=dict)
    key: str = ""
    limits: Limits = field(default_factory=lambda: Limits(deadline=timedelta(seconds=30)))

    def service(self, **more: Any) -> Service:
        arguments: dict[str, Any] = {
            "cards": Cards(b"k" * 32),
            "rates": Rates("EUR"),
            "limits": self.limits,
            "clock": self.clock,
            "load": self.load,
        }
        return Service(self.ledger, self.folder / "memory", **(arguments | more))

    def load(self, path: str) -> Any:
        if path not in self.models:
            raise NotFound(f"no model at {path}")
        return self.models[path]

    def activate(self, path: str, model: FakeModel) -> None:
        self.models[path] = model
        with self.ledger.write() as c:
            models.activate(
                c, version=model.version, path=path, fingerprint=model.version, actor="test", at=self.clock()
            )

    def payment(self, id: str, amount: float = 20, **more: Any) -> dict[str, Any]:
        base = {"id": id, "at": self.clock().isoformat(), "amount_minor": round(amount * 100), "currency": "EUR"}
        return base | {"account": "ann"} | more


def furnish(ledger: Ledger, folder: Path) -> House:
    """A house on a new ledger, with a key and a model in force."""
    ledger.create()
    made = House(folder, ledger, Clock())
    with ledger.write() as c:
        made.key = keys.new(c, "test", at=NOON, actor="test")
    made.activate("m1", FakeModel())
    return made


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield furnish(ledger, tmp_path)
    ledger.close()


@pytest.fixture
def postgres_house(tmp_path: Path) -> Iterator[House]:
    ledger = Ledger(fresh_database())
    yield furnish(ledger, tmp_path)
    ledger.close()


@dataclass
class Live:
    """A running service and a client that holds a key."""

    house: House
    service: Service
    client: httpx.Client

    def pay(self, id: str, amount: float = 20, **more: Any) -> dict[str, Any]:
        answer = self.client.post("/v1/transactions", json=self.house.payment(id, amount, **more))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def lines(self, path: str, rows: list[Any]) -> list[dict[str, Any]]:
        body = b"\n".join(row if isinstance(row, bytes) else msgspec.json.encode(row) for row in rows)
        answer = self.client.post(path, content=body, headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 200, answer.text
        return [msgspec.json.decode(line) for line in answer.content.splitlines()]


class Server:
    """A real server on a port of its own; which application answers may change between tests."""

    def __init__(self) -> None:
        self.app: Any = None
        config = uvicorn.Config(
            self._answer, port=0, interface="asgi3", http="httptools", lifespan="off", log_level="warning", ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def start(house: House, server: Server) -> Iterator[Callable[..., Live]]:
    """Start a service on the house; everything started is stopped at the end."""
    running: list[Live] = []

    def begin(**more: Any) -> Live:
        service = house.service(**more)
        service.start(wait=True)
        server.app = Starlette(routes=routes(service))
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"Authorization": f"Bearer {house.key}"}, timeout=60
        )
        running.append(Live(house, service, client))
        return running[-1]

    yield begin
    for live in running:
        live.client.close()
        live.service.stop()


@pytest.fixture
def live(start: Callable[..., Live]) -> Live:
    return start()


@pytest.fixture
def make_model() -> type[FakeModel]:
    """Makes fake models: of the same spec unless told otherwise."""
    return FakeModel


@pytest.fixture
def other_spec() -> str:
    """A spec whose plan differs, so its memory must be rebuilt."""
    return OTHER_SPEC
