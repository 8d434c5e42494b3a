"""The service through its life: restarts, deadlines, other models, snapshots, backups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from threading import Semaphore
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from tocsin.desk import history
from tocsin.desk.model import Actor, Role
from tocsin.errors import NotFound
from tocsin.features import Kernel
from tocsin.ledger import Ledger, backup, keys, microseconds, models, tables
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.tables import alerts, decisions, freezes, investigations, labels, transactions
from tocsin.live import Memory, memory, warm
from tocsin.live.warm import BROUGHT
from tocsin.measure import Policy
from tocsin.money import Rates
from tocsin.schema import Action


def wait_for(read: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 15) -> Any:
    until = time.monotonic() + seconds
    while not good(found := read()):
        assert time.monotonic() < until, f"still {found}"
        time.sleep(0.01)
    return found


def some_traffic(live: Any, start: int, count: int) -> None:
    rows = []
    for i in range(start, start + count):
        live.house.clock.now += timedelta(seconds=20)
        more = {"device": f"d{i % 4}", "retailer": f"r{i % 3}", "card": f"c{i % 5}", "payee": f"p{i % 2}"}
        rows.append(live.house.payment(f"t{i}", 10 + i, account=f"a{i % 7}", **more))
    live.lines("/v1/transactions", rows)
    label = {"transaction_id": f"t{start}", "finding": "fraud", "known_at": live.house.clock.now.isoformat()}
    event = {"id": f"e{start}", "at": live.house.clock.now.isoformat(), "kind": "sign_in", "account": "a1"}
    live.lines("/v1/labels", [label])
    live.lines("/v1/events", [event])


def state(live: Any) -> dict[str, Any]:
    """What the service says of its memory; its bytes are room, which may differ between equal memories."""
    found: dict[str, Any] = live.client.get("/v1/memory").json()
    del found["bytes"]
    return found


@pytest.mark.parametrize("snapshot", ["none", "old", "damaged", "ahead"])
def test_after_a_restart_the_memory_is_the_same_to_the_bit(house: Any, start: Any, snapshot: str) -> None:
    live = start()
    some_traffic(live, 0, 40)
    if snapshot != "none":
        live.service.waiting.do(live.service.scorer.memory.save).join()
    some_traffic(live, 40, 40)
    before = state(live)
    file = live.service.scorer.memory._path
    old = file.read_bytes() if snapshot != "none" else b""
    live.service.stop()
    if snapshot == "none":
        file.unlink()
    elif snapshot == "old":
        file.write_bytes(old)
    elif snapshot == "damaged":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:  # the ledger is an older copy than the snapshot
        with house.ledger.engine.begin() as c:
            for table in (decisions, transactions):
                c.execute(table.delete().where(table.c.number > 60))
            c.exec_driver_sql("DELETE FROM labels WHERE number > 60")
            c.exec_driver_sql("DELETE FROM account_events WHERE number > 60")
            c.exec_driver_sql("UPDATE sequence SET next = 61")
    again = start()
    if snapshot == "ahead":
        assert state(again)["number"] == 60
        assert not file.exists(), "a snapshot of events that are gone would pass for one of those that came instead"
        return
    assert state(again) == before
    some_traffic(again, 80, 10)
    after = state(again)
    again.service.stop()
    file.unlink()
    assert state(start()) == after


def test_the_same_id_after_a_restart_gets_the_same_answer(house: Any, start: Any) -> None:
    live = start()
    body = house.payment("p", 600, card="4111111111111111")
    first = live.client.post("/v1/transactions", json=body).content
    live.service.stop()
    assert start().client.post("/v1/transactions", json=body).content == first


def test_what_the_door_refuses_since_then_still_has_its_old_answer(house: Any, start: Any, make_model: Any) -> None:
    sent = house.payment("p", 20, extra={"risk": 1.5}), house.payment("d", 20, currency="USD")
    live = start(rates=Rates("EUR", {"EUR": Fraction(1), "USD": Fraction(9, 10)}))
    answers = [live.client.post("/v1/transactions", json=one).json() for one in sent]
    assert [one["action"] for one in answers] == ["approve", "approve"]
    live.service.stop()
    house.activate("m2", make_model(make_model().spec.text.replace('["risk"]', "[]"), version="fake-2"))
    live = start()
    assert [live.client.post("/v1/transactions", json=one).status_code for one in sent] == [422, 422]
    for id, first in zip(("p", "d"), answers, strict=True):
        again = live.client.get(f"/v1/decisions/{id}").json()
        assert (again["number"], again["action"], again["score"]) == (first["number"], first["action"], first["score"])


def test_the_same_id_from_many_at_once_is_one_payment(live: Any) -> None:
    body = live.house.payment("p", 600)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: live.client.post("/v1/transactions", json=body).content, range(64)))
    assert len(set(found)) == 1
    with live.house.ledger.read() as c:
        assert c.execute(sa.select(sa.func.count()).select_from(transactions)).scalar_one() == 1
        assert c.execute(sa.select(sa.func.count()).select_from(alerts)).scalar_one() == 1


def test_a_freeze_between_two_requests_declines_the_second(live: Any) -> None:
    assert live.pay("p1")["action"] == "approve"
    at = microseconds(live.house.clock())
    with live.house.ledger.write() as c:
        c.execute(
            investigations.insert().values(account="ann", subject="s", status="pending", opened_by="ada", opened_at=at)
        )
        values = {"account": "ann", "direction": "out", "reason": "r", "set_by": "ada", "set_at": at}
        c.execute(freezes.insert().values(status="active", **values))
    second = live.pay("p2")
    assert (second["action"], second["code"]) == ("decline", "not_permitted")
    assert live.client.get("/v1/accounts/ann").json()["may_pay"] is False
    with live.house.ledger.write() as c:
        c.execute(freezes.update().values(status="ended"))
    assert live.pay("p3")["action"] == "approve"


class Slow:
    """Holds the ledger's write lock, so that nothing can be decided until it is released."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __enter__(self) -> None:
        self._context = self._ledger.write()
        self._context.__enter__()

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)


@pytest.mark.parametrize("choice", [Action.APPROVE, Action.REVIEW])
def test_when_the_deadline_passes_the_owners_choice_is_answered_and_kept(
    house: Any, start: Any, make_model: Any, choice: Action
) -> None:
    house.activate("m2", make_model(version="fake-2", policy=Policy(review_at=0.5, decline_at=0.9, on_deadline=choice)))
    live = start()
    headers = {"Tocsin-Deadline-Ms": "150"}
    body = house.payment("p", 20)
    with Slow(house.ledger):
        began = time.monotonic()
        answer = live.client.post("/v1/transactions", json=body, headers=headers)
        took = time.monotonic() - began
    assert took < 5
    late = answer.json()
    assert (late["action"], late["deadline_passed"], late["score"]) == (choice, True, None)
    wait_for(lambda: live.client.get("/v1/decisions/p").status_code, lambda status: status == 200)
    assert (
        wait_for(lambda: live.client.get("/v1/decisions/p").json(), lambda d: d["deadline_passed"])["action"] == choice
    )
    assert live.client.post("/v1/transactions", json=body).content == answer.content
    with house.ledger.read() as c:
        assert c.execute(sa.select(decisions.c.cause)).scalar_one() == "deadline"
        assert c.execute(sa.select(decisions.c.score)).scalar_one() is not None
        rang = c.execute(sa.select(sa.func.count()).select_from(alerts)).scalar_one()
    assert rang == (choice is Action.REVIEW)
    assert "tocsin_late_answers_total 1.0" in live.client.get("/metrics").text


def test_a_late_approval_of_a_suspicious_payment_still_rings(house: Any, start: Any, make_model: Any) -> None:
    policy = Policy(review_at=0.5, decline_at=0.9, on_deadline=Action.APPROVE)
    house.activate("m2", make_model(version="fake-2", policy=policy))
    live = start()
    with Slow(house.ledger):
        answer = live.client.post(
            "/v1/transactions", json=house.payment("p", 900), headers={"Tocsin-Deadline-Ms": "100"}
        )
    assert answer.json()["action"] == "approve"
    found = wait_for(lambda: live.client.get("/v1/alerts").json()["alerts"], len)
    assert found[0]["action"] == "decline"


def test_a_deadline_must_be_a_number_and_events_past_theirs_are_not_promised(house: Any, start: Any) -> None:
    live = start()
    for bad in ("0", "-5", "soon", "1e3", "999999999999"):
        headers = {"Tocsin-Deadline-Ms": bad}
        assert live.client.post("/v1/transactions", json=house.payment("p"), headers=headers).status_code == 422
    event = {"id": "e", "at": house.clock().isoformat(), "kind": "sign_in", "account": "ann"}
    with Slow(house.ledger):
        late = live.client.post("/v1/events", json=event, headers={"Tocsin-Deadline-Ms": "100"})
    assert late.status_code == 503
    assert (
        wait_for(lambda: live.client.post("/v1/events", json=event), lambda r: r.status_code == 200).json()["number"]
        == 1
    )


def test_a_frozen_account_is_not_approved_by_a_deadline(house: Any, start: Any, make_model: Any) -> None:
    policy = Policy(review_at=0.5, on_deadline=Action.APPROVE)
    house.activate("m2", make_model(version="fake-2", policy=policy))
    live = start()
    live.pay("p0")
    at = microseconds(house.clock())
    with house.ledger.write() as c:
        values = {"account": "ann", "direction": "out", "reason": "r", "set_by": "ada", "set_at": at}
        c.execute(freezes.insert().values(status="active", **values))
    wait_for(lambda: live.service._stopped, lambda stopped: ("ann", "out") in stopped)
    with Slow(house.ledger):
        answer = live.client.post(
            "/v1/transactions", json=house.payment("p", 20), headers={"Tocsin-Deadline-Ms": "100"}
        )
    assert (answer.json()["action"], answer.json()["deadline_passed"]) == ("decline", True)


def test_another_model_takes_over_without_a_restart_and_back(house: Any, live: Any, make_model: Any) -> None:
    some_traffic(live, 0, 20)
    before = state(live)
    house.activate("m2", make_model(version="fake-2", policy=Policy(review_at=0.01, decline_at=0.9)))
    wait_for(lambda: state(live)["model"], lambda version: version == "fake-2")
    assert state(live) | {"model": "fake-1"} == before  # the same plan keeps the memory
    assert live.pay("a", 100)["action"] == "review"
    with house.ledger.write() as c:
        models.roll_back(c, actor="test", at=house.clock())
    wait_for(lambda: state(live)["model"], lambda version: version == "fake-1")
    assert live.pay("b", 100)["action"] == "approve"


def test_a_model_with_another_plan_gets_its_memory_rebuilt_from_the_ledger(
    house: Any, live: Any, make_model: Any, other_spec: str
) -> None:
    some_traffic(live, 0, 30)
    other = make_model(other_spec, version="wide-1")
    house.activate("wide", other)
    wait_for(lambda: state(live)["model"], lambda version: version == "wide-1")
    some_traffic(live, 30, 10)
    fresh = Kernel(other.plan)
    from tocsin.ledger.replay import Gatherer, replay

    with house.ledger.read() as c:
        for batch in replay(c, Gatherer(other.spec), after=0, upto=10_000):
            fresh.step(batch)
    assert state(live)["fingerprint"] == fresh.fingerprint()


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Semaphore]:
    """A replay for another plan goes on by one number for each release."""
    released, catch_up = Semaphore(0), Memory.catch_up

    def waits(self: Memory, connection: sa.Connection, upto: int) -> None:
        if threading.current_thread().name == "tocsin-watch":
            assert released.acquire(timeout=60)
        catch_up(self, connection, upto)

    monkeypatch.setattr(memory, "AT_ONCE", 1)
    monkeypatch.setattr(Memory, "catch_up", waits)
    yield released
    released.release(1_000)


def test_a_revoked_key_does_not_wait_for_a_replay(
    house: Any, live: Any, make_model: Any, other_spec: str, pieces: Semaphore
) -> None:
    some_traffic(live, 0, 10)
    house.activate("wide", make_model(other_spec, version="wide-1"))
    pieces.release()
    with house.ledger.write() as c:
        (name,) = c.execute(sa.select(tables.keys.c.name)).scalars()
        keys.revoke(c, name, at=house.clock(), actor="test")
    pieces.release(2)
    wait_for(lambda: live.client.get("/v1/alerts").status_code, lambda status: status == 401)
    assert live.service.scorer.model.version == "fake-1"


def test_stopping_does_not_wait_for_a_replay(
    house: Any, live: Any, make_model: Any, other_spec: str, pieces: Semaphore
) -> None:
    some_traffic(live, 0, 10)
    house.activate("wide", make_model(other_spec, version="wide-1"))
    pieces.release()
    wait_for(lambda: pieces._value, lambda left: left == 0)  # it is at the second piece of many
    stopping = threading.Thread(target=live.service.stop)
    stopping.start()
    wait_for(live.service._ending.is_set, bool)
    pieces.release()
    stopping.join(timeout=30)
    assert not stopping.is_alive()


def test_a_model_that_cannot_be_used_leaves_the_old_one_in_force(house: Any, live: Any, make_model: Any) -> None:
    house.activate("usd", make_model(version="usd-1", text=make_model().spec.text + '\n[money]\ncurrency = "USD"\n'))
    with house.ledger.write() as c:
        models.activate(c, version="gone", path="nowhere", fingerprint="x", actor="test", at=house.clock())
    wait_for(lambda: live.service._refused, lambda refused: refused is not None)
    assert live.pay("p")["model"] == "fake-1"


def test_a_model_that_could_not_be_loaded_is_tried_again_after_a_minute(
    house: Any, start: Any, make_model: Any
) -> None:
    asked: list[str] = []

    def load(path: str) -> Any:
        asked.append(path)
        return house.load(path)

    live = start(load=load)
    house.activate("away", make_model(version="fake-2"))
    there = house.models.pop("away")
    wait_for(lambda: asked.count("away"), lambda times: times == 1)
    house.models["away"] = there
    house.clock.now += timedelta(seconds=59)
    live.service._watch()
    assert (asked.count("away"), live.pay("a")["model"]) == (1, "fake-1")
    house.clock.now += timedelta(seconds=1)
    wait_for(lambda: state(live)["model"], lambda version: version == "fake-2")


def test_a_model_in_force_that_was_written_over_is_found_beside(
    house: Any, start: Any, make_model: Any, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    house.activate(str(place), make_model(version="fake-aaa"))
    house.models[str(place)] = make_model(version="fake-bbb")
    live = start()
    assert live.client.get("/ready").status_code == 503
    (tmp_path / "model.aaa").mkdir()
    house.models[str(tmp_path / "model.aaa")] = make_model(version="fake-aaa")
    wait_for(lambda: live.client.get("/ready").status_code, lambda status: status == 200)
    assert live.pay("p")["model"] == "fake-aaa"


@pytest.mark.parametrize("back", [False, True])
def test_a_model_to_which_an_extra_is_something_else_is_refused_by_its_name(
    house: Any, live: Any, make_model: Any, other_spec: str, back: bool, caplog: pytest.LogCaptureFixture
) -> None:
    text = other_spec.replace('numbers = ["risk"]', "numbers = []").replace('["branch"]', '["branch", "risk"]')
    if back:
        text = other_spec.replace('["risk"]', '["risk", "branch"]').replace('keys = ["branch"]', "keys = []")
    live.pay("a", extra={"risk": 1.5, "branch": "north"})
    with caplog.at_level("ERROR", logger="tocsin.live"):
        house.activate("turned", make_model(text, version="turned-1"))
        wait_for(lambda: caplog.text, lambda said: "is not taken over" in said)
    assert f"extra.{'branch' if back else 'risk'}" in caplog.text
    assert "Give it another name" in caplog.text
    assert live.pay("b", extra={"risk": 2, "branch": "south"})["model"] == "fake-1"


def test_texts_of_an_earlier_model_are_no_numbers_of_a_later_one(
    house: Any, start: Any, make_model: Any, other_spec: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = start()
    live.pay("a", extra={"branch": "12"})
    live.service.stop()
    house.activate("turned", make_model(other_spec.replace('["risk"]', '["branch"]').replace('keys = ["branch"]', "")))
    with caplog.at_level("ERROR", logger="tocsin.live"):
        assert start().client.get("/ready").status_code == 503
    assert "extra.branch" in caplog.text


def test_alerts_left_without_reasons_are_explained_at_the_next_start(house: Any, start: Any) -> None:
    def broken(path: str) -> Any:
        model = house.load(path)
        model.reasons = lambda matrix, top=3: (_ for _ in ()).throw(MemoryError("out of luck"))
        return model

    live = start(load=broken)
    live.pay("p", 600)
    live.service.stop()
    with house.ledger.read() as c:
        assert c.execute(sa.select(alerts.c.reasons)).scalar_one() is None
    del house.models["m1"].reasons
    again = start()
    found = wait_for(lambda: again.client.get("/v1/decisions/p").json(), lambda d: d["reasons"])
    assert found["why"] == "Because of the amount."


def test_an_alert_whose_model_is_gone_says_so(house: Any, start: Any, make_model: Any) -> None:
    house.activate("m2", make_model(version="fake-2"))
    with house.ledger.write() as c:
        models.activate(c, version="fake-1", path="m1", fingerprint="fake-1", actor="test", at=house.clock())

    def explained_by_nobody(path: str) -> Any:
        return house.load(path)

    live = start(load=explained_by_nobody)
    live.service._explainer._stopping = True  # as if it were killed right after the answer
    live.pay("p", 600)
    live.service.stop()
    with house.ledger.write() as c:
        models.activate(c, version="fake-2", path="m2", fingerprint="fake-2", actor="test", at=house.clock())
    del house.models["m1"]
    again = start()
    found = wait_for(lambda: again.client.get("/v1/decisions/p").json(), lambda d: d["why"])
    assert "fake-1 is not where it was" in found["why"]


def test_a_backup_of_the_running_service_goes_on_where_it_was(house: Any, start: Any, tmp_path: Path) -> None:
    live = start()
    some_traffic(live, 0, 20)
    live.service.waiting.do(live.service.scorer.memory.save).join()
    some_traffic(live, 20, 20)
    backup.make(house.ledger, house.folder, tmp_path / "b", at=house.clock())
    then = state(live)
    some_traffic(live, 40, 5)
    live.service.stop()
    house.ledger.close()
    backup.restore(tmp_path / "b", tmp_path / "restored")
    house.folder = tmp_path / "restored"
    house.ledger = Ledger(house.folder / backup.LEDGER)
    assert state(start()) == then


def test_a_new_ledger_goes_on_after_the_memory_its_model_brings(
    house: Any, start: Any, make_model: Any, tmp_path: Path
) -> None:
    first = start()
    some_traffic(first, 0, 50)
    brought = tmp_path / "model"
    brought.mkdir()
    first.service.scorer.memory.kernel.save(brought / BROUGHT)
    past = state(first)
    first.service.stop()
    house.ledger.close()
    house.folder = tmp_path / "new"
    house.ledger = Ledger(tmp_path / "new.sqlite")
    house.ledger.create()
    house.activate(str(brought), make_model())

    with house.ledger.write() as c:
        house.key = keys.new(c, "new", at=house.clock(), actor="test")
    live = start()
    assert state(live) == past
    assert live.pay("p")["number"] == past["number"] + 1
    some_traffic(live, 100, 10)
    after = state(live)
    live.service.stop()
    for snapshot in (house.folder / "memory").glob("*.kernel"):
        if ".base." not in snapshot.name:
            snapshot.unlink()
    assert state(start()) == after


def test_killed_while_taking_over_a_memory_the_next_start_takes_it_over(
    house: Any, start: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, brought, folder = make_model().plan, tmp_path / "model", tmp_path / "memory"
    brought.mkdir()
    live = start()
    some_traffic(live, 0, 20)
    live.service.scorer.memory.kernel.save(brought / BROUGHT)
    ends = live.service.scorer.memory.last_number
    fresh = Ledger(tmp_path / "fresh.sqlite")
    fresh.create()

    def killed(_source: Path, _to: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at:
        at.setattr(warm, "_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            warm.take_over(fresh, brought, plan, folder)
    memory = Memory(fresh, make_model().spec, plan, folder)
    warm.take_over(fresh, brought, plan, folder)
    memory.restore()
    with fresh.read() as c:
        assert memory.last_number + 1 == next_number(c) == ends + 1
    fresh.close()


def test_nothing_is_decided_before_a_model_is_in_force(house: Any, start: Any) -> None:
    with house.ledger.engine.begin() as c:
        c.exec_driver_sql("DELETE FROM activations")
    live = start()
    assert live.client.get("/ready").status_code == 503
    refused = live.client.post("/v1/transactions", json=house.payment("p"))
    assert (refused.status_code, "no model" in refused.json()["error"]) == (503, True)
    with pytest.raises(NotFound):
        live.service.model_of("never")
    house.activate("m1", house.models["m1"])
    wait_for(lambda: live.client.get("/ready").status_code, lambda status: status == 200)
    assert live.pay("p")["number"] == 1


def test_ready_tells_of_a_full_disk_until_there_is_room_again(house: Any, start: Any) -> None:
    live = start()
    assert live.pay("p0")["number"] == 1
    room = [1]  # SQLite takes the present size for one that is too small: no page more

    def checked_out(connection: Any, _record: Any, _proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={room[0]}")

    sa.event.listen(house.ledger.engine, "checkout", checked_out)
    lines = b"\n".join(msgspec.json.encode(house.payment(f"x{i}", 600, device="d" * 150)) for i in range(2_000))
    sent = live.client.post("/v1/transactions", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert b"could not be kept" in sent.content
    ready = live.client.get("/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert "disk or database needs looking after" in ready.json()["problem"]
    assert "tocsin_ready 0.0" in live.client.get("/metrics").text
    for _ in range(3):  # looked at anew, and still no room
        live.service._watch()
        assert live.client.get("/ready").status_code == 503
    room[0] = 1 << 30
    wait_for(lambda: live.client.get("/ready").status_code, lambda status: status == 200)  # without a payment
    assert live.pay("p1")["number"] == 2
    with house.ledger.read() as c:
        assert not sa.inspect(c).has_table("tocsin_scratch")


def test_snapshots_are_written_while_payments_go_on(house: Any, start: Any) -> None:
    from dataclasses import replace

    house.limits = replace(house.limits, snapshot_every=timedelta(seconds=0.01))
    live = start()
    some_traffic(live, 0, 20)
    file = live.service.scorer.memory._path
    wait_for(file.is_file, bool)
    assert msgspec.json.decode(msgspec.json.encode(state(live)))["number"] == 22


def test_the_memory_and_the_desk_hold_the_same_of_a_payment_whoever_spoke_last(live: Any, make_model: Any) -> None:
    """Chargebacks over the wire and verdicts of the desk in turn; a probe at the same shop tells what is remembered."""
    number, noon = live.pay("p", 20, retailer="shop", account="bob")["number"], live.house.clock()
    share = make_model().plan.names.index("share_fraud_by_retailer_7d")
    said = [
        ("chargeback", "fraud", 30),
        ("verdict", "genuine", 40),
        ("chargeback", "fraud", 35),
        ("chargeback", "fraud", 50),
    ]
    said += [("verdict", "genuine", 60), ("verdict", "fraud", 70), ("chargeback", "genuine", 10)]
    for turn, (source, finding, minute) in enumerate(said):
        known_at = noon + timedelta(minutes=minute)
        live.house.clock.now = noon + timedelta(minutes=80 + turn)
        if source == "verdict":
            with live.house.ledger.write() as c:
                row = {"transaction_number": number, "finding": finding, "source": source}
                c.execute(labels.insert().values(number=take_numbers(c, 1), known_at=microseconds(known_at), **row))
        else:
            label = {"transaction_id": "p", "finding": finding, "known_at": known_at.isoformat()}
            live.lines("/v1/labels", [label])
        probe = live.pay(f"probe{turn}", 600, retailer="shop")["number"]
        with live.house.ledger.read() as c:
            inputs = c.execute(sa.select(alerts.c.inputs).where(alerts.c.number == probe)).scalar_one()
        entries = history.timeline(live.house.ledger, Actor("ana", Role.ANALYST), "bob").entries
        assert [one.payment.finding for one in entries] == [finding]
        assert (np.frombuffer(inputs)[share] > 0) == (finding == "fraud"), turn
