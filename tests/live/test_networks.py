"""A layered network in the live service: its past is the kernel's, its scores are the artifact's, and it needs no PyTorch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from scenes.layered import written
from tocsin.artifact import load
from tocsin.features import Kernel
from tocsin.ledger import models
from tocsin.ledger.replay import Gatherer, replay
from tocsin.ledger.tables import alerts

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
[[stage]]
name = "amount"
columns = ["amount", "hour"]
[[stage]]
name = "history"
features = ["count of amount by account over 1h, 1d", "novelty of device by account"]
[history]
by = "account"
kind = ["retailer", "country"]
length = 12
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    written(place / "network", SPEC)
    written(place / "other", SPEC, seed=1)
    written(place / "trees", SPEC, network=False)
    return place


def activate(house: Any, folder: Path) -> Any:
    model = load(folder)
    with house.ledger.write() as c:
        models.activate(
            c, version=model.version, path=str(folder), fingerprint=model.version, actor="test", at=house.clock()
        )
    return model


def some(live: Any, start: int, count: int, lines: int = 100) -> list[dict[str, Any]]:
    rows = []
    for i in range(start, start + count):
        live.house.clock.now += timedelta(minutes=1 + i * 37 % 500)
        more = {"device": f"d{i % 4}", "retailer": f"r{i % 9}"}
        rows.append(live.house.payment(f"t{i}", 10 + 40 * (i % 13), account=f"a{i % 5}", **more))
    return [a for i in range(0, count, lines) for a in live.lines("/v1/transactions", rows[i : i + lines])]


def started(house: Any, start: Any, folder: Path) -> Any:
    activate(house, folder)
    return start(load=load)


def scored_anew(house: Any, model: Any) -> dict[int, Any]:
    """Number -> logit, from nothing but the ledger: a fresh kernel over all of it, and the model on its rows."""
    kernel, gatherer = Kernel(model.plan), Gatherer(model.spec)
    with house.ledger.read() as c:
        rows = [kernel.step(batch) for batch in replay(c, gatherer, after=0, upto=10_000, at_once=7)]
        numbers = [r.number for r in c.execute(sa.text("SELECT number FROM transactions ORDER BY number"))]
    logits = model.score(np.concatenate(rows)).logit
    return dict(zip(numbers, logits.tolist(), strict=True))


def test_live_scores_are_the_ledgers_replayed_one_by_one_or_together(house: Any, start: Any, folder: Path) -> None:
    live = started(house, start, folder / "network")
    answers = some(live, 0, 40) + some(live, 40, 20, lines=1)
    anew = scored_anew(house, load(folder / "network"))
    assert {a["number"]: a["score"]["logit"] for a in answers} == anew
    for answer in answers:
        total = answer["score"]["base"]
        for stage in answer["score"]["stages"]:
            total += stage["delta"]
        assert total == answer["score"]["logit"]
    assert len({a["score"]["logit"] for a in answers}) > 30


def test_models_of_one_spec_follow_each_other_without_a_replay(house: Any, start: Any, folder: Path) -> None:
    """The memory is what happened and no model's impression of it, so it serves trees and networks alike."""
    live = started(house, start, folder / "trees")
    some(live, 0, 30)
    memory = live.service.scorer.memory
    for number, (name, back) in enumerate((("network", False), ("other", False), ("network", True), ("other", True))):
        if back:
            with house.ledger.write() as c:
                models.roll_back(c, actor="test", at=house.clock())
        else:
            activate(house, folder / name)
        version = load(folder / name).version
        until = time.monotonic() + 15
        while live.service.scorer.model.version != version:
            assert time.monotonic() < until
            time.sleep(0.01)
        answers = some(live, 30 + 10 * number, 10)
        assert {a["model"] for a in answers} == {version}
        anew = scored_anew(house, load(folder / name))
        assert all(anew[a["number"]] == a["score"]["logit"] for a in answers)
        assert live.service.scorer.memory is memory
    assert live.service.state()["number"] == 70


def test_after_a_restart_the_same_scores(house: Any, start: Any, folder: Path) -> None:
    live = started(house, start, folder / "network")
    some(live, 0, 30)
    live.service.waiting.do(live.service.scorer.memory.save).join()
    some(live, 30, 30)
    before = live.service.state()["fingerprint"]
    live.service.stop()
    again = start(load=load)
    assert again.service.state()["fingerprint"] == before
    answers = some(again, 60, 10)
    anew = scored_anew(house, load(folder / "network"))
    assert all(anew[a["number"]] == a["score"]["logit"] for a in answers)


def test_an_alerts_reasons_tell_of_the_past(house: Any, start: Any, folder: Path) -> None:
    live = started(house, start, folder / "network")
    some(live, 0, 60)
    until = time.monotonic() + 30
    query = sa.select(alerts.c.why, alerts.c.reasons, alerts.c.inputs)
    while True:
        with house.ledger.read() as c:
            found = c.execute(query).all()
        if found and all(row.reasons is not None for row in found):
            break
        assert time.monotonic() < until
        time.sleep(0.02)
    model = load(folder / "network")
    assert all(len(np.frombuffer(row.inputs)) == model.plan.width for row in found)
    told = [msgspec.json.decode(row.reasons) for row in found]
    assert any(one["feature"].startswith("network") for reasons in told for one in reasons)
    assert all(row.why[:1].isupper() for row in found)


SERVE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "safetensors", "jaxtyping", "onnx", "sklearn", "matplotlib"):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocked())
from tocsin.cli.main import main
main()
"""


def test_a_server_without_pytorch_scores_a_network_model(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVE]
    data = ["--data", str(tmp_path / "data")]
    made = subprocess.run([*command, "key", "new", "test", *data], capture_output=True, text=True, check=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    words = [*command, "serve", str(folder / "network"), *data, "--port", str(port), "--ahead-h", "-1"]
    log = tmp_path / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(words, stdout=out, stderr=out, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(1200):
                assert server.poll() is None, log.read_text()
                try:
                    if client.get("/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.05)
            body = {"id": "p1", "at": "2026-03-01T12:00:00Z", "amount_minor": 2000, "currency": "EUR", "account": "ann"}
            key = {"Authorization": f"Bearer {made.stdout.split()[0]}"}
            answer = client.post("/v1/transactions", json=body, headers=key)
    finally:
        server.terminate()
        server.wait(30)
    assert answer.status_code == 200, answer.text
    score = answer.json()["score"]
    assert len(score["stages"]) == 2
    assert 0 < score["value"] < 1
    assert answer.json()["model"] == load(folder / "network").version
