"""The service from outside: answers, refusals, look-ups, keys, limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from tocsin.errors import BadInput
from tocsin.ledger import keys
from tocsin.ledger.tables import account_events, accounts, alerts, decisions, labels, transactions
from tocsin.live import Cards
from tocsin.live.door import Door
from tocsin.money import Rates

CARD = "4111 1111 1111 1111"


def count(house, table: sa.Table) -> int:
    with house.ledger.read() as c:
        return int(c.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_payment_is_answered_and_kept(live) -> None:
    answer = live.pay("p1", 20, payee="bob", card=CARD)
    assert (answer["action"], answer["code"], answer["model"]) == ("approve", "approved", "fake-1")
    assert answer["number"] == 1
    score = answer["score"]
    total = score["base"]
    for stage in score["stages"]:
        total += stage["delta"]
    assert total == score["logit"]
    assert [s["stage"] for s in score["stages"]] == ["amount", "history"]
    found = live.client.get("/v1/decisions/p1").json()
    assert {k: found[k] for k in answer} == answer
    with live.house.ledger.read() as c:
        assert set(c.execute(sa.select(accounts.c.account)).scalars()) == {"ann", "bob"}
        assert c.execute(sa.select(decisions.c.body)).scalar_one() == msgspec.json.encode(answer)


@pytest.mark.parametrize(("amount", "action"), [(20, "approve"), (600, "review"), (900, "decline")])
def test_the_policy_decides_and_review_and_decline_ring(live, amount: float, action: str) -> None:
    assert live.pay("p", amount)["action"] == action
    assert count(live.house, alerts) == (action != "approve")


def test_an_alert_gets_reasons_why_and_normal_after_the_answer(live) -> None:
    for i in range(3):
        live.pay(f"p{i}", 20, device="phone")
    answer = live.pay("big", 600, device="other")
    assert answer["reasons"] == []
    found = wait_for(lambda: live.client.get("/v1/decisions/big").json(), lambda d: d["reasons"])
    assert found["why"] == "Because of the amount."
    assert found["reasons"][0]["value"] == 600.0
    with live.house.ledger.read() as c:
        normal = msgspec.json.decode(c.execute(sa.select(alerts.c.normal)).scalar_one())
    assert normal["payments"] == 3
    assert {line["what"]: line["this"] for line in normal["lines"]}["Device"] == "other, never before"
    listed = live.client.get("/v1/alerts").json()
    assert [a["transaction_id"] for a in listed["alerts"]] == ["big"]
    assert listed["alerts"][0]["stake_minor"] == round(0.7310585786300049 * 60_000)
    assert live.client.get("/v1/alerts", params={"after": listed["last"]}).json()["alerts"] == []
    assert live.client.get("/v1/alerts", params={"status": "dismissed"}).json()["alerts"] == []


def wait_for(read: Callable, good: Callable, seconds: float = 10):
    until = time.monotonic() + seconds
    while not good(found := read()):
        assert time.monotonic() < until, f"still {found}"
        time.sleep(0.01)
    return found


def test_the_same_id_gets_the_same_answer_and_is_remembered_once(live) -> None:
    first = live.client.post("/v1/transactions", json=live.house.payment("p1", 20))
    number = live.client.get("/v1/memory").json()
    live.house.clock.now += timedelta(seconds=5)
    body = live.house.payment("p1", 20) | {"at": "2026-03-01T13:00:00+01:00"}  # the same moment, written otherwise
    assert live.client.post("/v1/transactions", json=body).content == first.content
    assert live.client.get("/v1/memory").json() == number
    assert count(live.house, transactions) == 1


def test_the_same_id_with_other_content_is_a_conflict(live) -> None:
    live.pay("p1", 20)
    answer = live.client.post("/v1/transactions", json=live.house.payment("p1", 21))
    assert answer.status_code == 409
    assert answer.json()["field"] == "id"
    assert count(live.house, transactions) == 1


def test_each_line_of_a_list_has_its_own_result_in_order(live) -> None:
    live.pay("old", 20)
    payment = live.house.payment
    out = live.lines(
        "/v1/transactions",
        [
            payment("a"),
            b"{not json",
            payment("old", 99),
            payment("b", 600),
            payment("a"),
            payment("a", 77),
            payment("old"),
        ],
    )
    assert [o.get("transaction_id") for o in out] == ["a", None, None, "b", "a", None, "old"]
    assert [o.get("status") for o in out] == [None, 422, 409, None, None, 409, None]
    assert out[1]["line"] == 2
    assert out[4] == out[0]
    assert (out[0]["number"], out[3]["number"]) == (2, 3)
    assert count(live.house, transactions) == 3


def test_events_and_labels_take_numbers_of_the_same_sequence(live) -> None:
    event = {"id": "e1", "at": "2026-03-01T11:00:00Z", "kind": "sign_in", "account": "ann", "device": "d"}
    assert live.client.post("/v1/events", json=event).json() == {"id": "e1", "number": 1}
    assert live.client.post("/v1/events", json=event).json() == {"id": "e1", "number": 1}
    assert live.client.post("/v1/events", json=event | {"device": "x"}).status_code == 409
    assert live.pay("p1")["number"] == 2
    label = {"transaction_id": "p1", "finding": "fraud", "known_at": "2026-03-01T12:00:00Z"}
    assert live.client.post("/v1/labels", json=label).json() == {"id": "p1", "number": 3}
    assert live.client.post("/v1/labels", json=label).json() == {"id": "p1", "number": 3}
    assert live.client.post("/v1/labels", json=label | {"finding": "genuine"}).json()["number"] == 4
    assert live.client.post("/v1/labels", json=label | {"transaction_id": "p9"}).status_code == 404
    early = live.client.post("/v1/labels", json=label | {"known_at": "2026-03-01T11:59:59Z"})
    assert (early.status_code, early.json()["field"]) == (422, "known_at")
    assert live.client.post("/v1/labels", json=label | {"source": "verdict"}).status_code == 422
    for field in ("source", "transaction_id"):
        assert live.client.post("/v1/labels", json=label | {field: "a\0b"}).json()["field"] == field
    assert (count(live.house, account_events), count(live.house, labels)) == (1, 2)


BAD = [
    ("at", "2026-03-01T12:00:00", "zone"),
    ("at", "yesterday", ""),
    ("at", "0001-01-01T00:00:00+14:00", "1 to 9999"),
    ("at", "1969-01-01T00:00:00Z", "1970"),
    ("at", "2027-03-01T12:00:00Z", "future"),
    ("amount_minor", -1, "between"),
    ("amount_minor", 1.5, "int"),
    ("amount_minor", 10**15 + 1, "between"),
    ("amount_minor", 10**40, ""),
    ("currency", "EURO", "ISO 4217"),
    ("currency", "USD", "rate"),
    ("account", "", "1 to 200"),
    ("account", "a\0b", "NUL"),
    ("payee", "x" * 201, "at most 200"),
    ("device", "a\0b", "NUL"),
    ("ip", "\0", "NUL"),
    ("latitude", 91, "latitude"),
    ("unknown", 1, "unknown field"),
    ("extra", {"colour": "red"}, "name"),
    ("extra", {"risk": "high"}, "number"),
    ("extra", {"branch": 3}, "text"),
    ("extra", {"branch": {"a": 1}}, ""),
    ("id", "", "1 to 200"),
    ("id", None, "str"),
]


def test_bad_words_are_refused_clearly_counted_and_not_stored(live) -> None:
    for field, value, says in BAD:
        answer = live.client.post("/v1/transactions", json=live.house.payment("p1") | {field: value})
        assert answer.status_code == 422, (field, value, answer.text)
        problem = answer.json()
        assert says in problem["error"], (field, value, problem)
        assert problem.get("field", "").startswith(field) or says in ("unknown field", "rate"), problem
    assert count(live.house, transactions) == 0
    assert f'tocsin_refused_total{{status="422"}} {len(BAD)}.0' in live.client.get("/metrics").text


def test_what_does_not_decode_is_refused_with_the_way_out(live) -> None:
    payment = live.house.payment("p1")
    for route, body, way_out in (
        ("transactions", {"id": "p1"}, "fields are id, at, amount_minor"),
        ("transactions", payment | {"amuont": 1}, "fields are id, at, amount_minor"),
        ("transactions", payment | {"at": "2026-03-01 12:00"}, "such as 2026-03-01T12:00:00Z"),
        ("transactions", [payment], "JSON lines"),
        ("labels", {"transaction_id": "p1", "fraud": True}, "fields are transaction_id, finding"),
        ("events", {"id": "e", "at": payment["at"], "account": "a", "kind": "dance"}, "kinds are sign_in"),
    ):
        answer = live.client.post(f"/v1/{route}", json=body)
        assert answer.status_code == 422, (route, body, answer.text)
        assert way_out in answer.json()["hint"], (route, body, answer.text)


def test_an_amount_too_large_in_the_base_currency_is_refused(house) -> None:
    spec = house.models["m1"].spec
    door = Door(Cards(b"k" * 32), Rates("IDR", {"EUR": Fraction(19_000)}), spec, clock=house.clock, ahead=None)
    for amount, fits in ((10**15 // 19_000, True), (10**15 // 19_000 + 1, False), (10**15, False)):
        body = msgspec.json.encode(house.payment("p") | {"amount_minor": amount})
        if fits:
            assert door.payment(body).base_minor <= 10**15
        else:
            with pytest.raises(BadInput, match="IDR") as refused:
                door.payment(body)
            assert refused.value.field == "amount_minor"


def test_broken_bodies_are_refused(live) -> None:
    bodies = (b"", b"{", b'{"id":', b"[]", b"null", b"\xff\xfe", b'{"amount_minor": NaN}', b'{"latitude": 1e999}')
    for body in (*bodies, b"[" * 100_000):
        for path in ("/v1/transactions", "/v1/events", "/v1/labels"):
            answer = live.client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 422
            assert answer.json()["error"]
    assert live.client.post("/v1/labels", content=b"{}", headers={"Content-Type": "text/xml"}).status_code == 422
    lines = {"Content-Type": "application/x-ndjson"}
    assert live.client.post("/v1/transactions", content=b" \n\n", headers=lines).status_code == 422
    assert count(live.house, transactions) == 0


def test_nothing_is_answered_without_a_key(live) -> None:
    del live.client.headers["Authorization"]
    for path in ("/v1/transactions", "/v1/events", "/v1/labels"):
        assert live.client.post(path, json={}).status_code == 401
    for path in ("/v1/decisions/x", "/v1/accounts/x", "/v1/alerts", "/v1/memory", "/metrics"):
        assert live.client.get(path).status_code == 401
    for wrong in ("Bearer nonsense", "Basic abc", "Bearer", "Bearer " + "x" * 5000):
        assert live.client.get("/v1/alerts", headers={"Authorization": wrong}).status_code == 401
    assert live.client.get("/health").status_code == 200
    assert live.client.get("/ready").json() == {"ready": True, "problem": None}


def test_a_new_key_opens_at_once_and_a_revoked_one_closes_within_a_second(live) -> None:
    with live.house.ledger.write() as c:
        key = keys.new(c, "second", at=live.house.clock(), actor="test")
    headers = {"Authorization": f"Bearer {key}"}
    assert live.client.get("/v1/alerts", headers=headers).status_code == 200
    with live.house.ledger.write() as c:
        keys.revoke(c, "second", at=live.house.clock(), actor="test")
    wait_for(lambda: live.client.get("/v1/alerts", headers=headers).status_code, lambda status: status == 401)


def test_sizes_and_rates_have_limits(house, start) -> None:
    house.limits = replace(house.limits, largest_body=2_000, most_lines=3, rate=0.001, burst=4)
    live = start()
    big = live.client.post("/v1/transactions", json=house.payment("p", device="x" * 3_000))
    assert big.status_code == 413
    ndjson = {"Content-Type": "application/x-ndjson"}
    streamed = live.client.post("/v1/transactions", content=iter([b" " * 900] * 3), headers=ndjson)
    assert streamed.status_code == 413
    assert live.client.post("/v1/transactions", content=b"{}\n" * 4, headers=ndjson).status_code == 413
    assert live.client.post("/v1/transactions", content=b"{}\n" * 3, headers=ndjson).status_code == 200
    live.pay("one")
    many = live.client.post("/v1/transactions", json=house.payment("two"))
    assert (many.status_code, many.json()["hint"][:4]) == (429, "Wait")
    assert count(house, transactions) == 1


def test_accounts_and_decisions_can_be_looked_up(live) -> None:
    live.pay("a/b c", 20, account="ann/1")
    found = live.client.get("/v1/accounts/ann/1").json()
    assert (found["may_pay"], found["may_receive"]) == (True, True)
    assert [p["transaction_id"] for p in found["payments"]] == ["a/b c"]
    assert live.client.get("/v1/decisions/a/b%20c").json()["transaction_id"] == "a/b c"
    assert live.client.get("/v1/accounts/nobody").status_code == 404
    assert live.client.get("/v1/decisions/nothing").status_code == 404
    for bad in ("-1", "x", "1e3", "99999", "²"):
        assert live.client.get("/v1/alerts", params={"limit": bad}).status_code == 422
    assert live.client.get("/v1/alerts", params={"status": "old"}).status_code == 422


def test_card_numbers_are_nowhere_behind_the_door(live, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    digits = CARD.replace(" ", "")
    live.pay("p1", 600, card=CARD)
    live.pay("p2", 20, card=digits)
    for body in (live.house.payment("p3", card=digits, currency="XXX"), {digits: 1}, {"card": [digits]}):
        assert digits not in live.client.post("/v1/transactions", json=body).text
    wait_for(lambda: live.client.get("/v1/decisions/p1").json(), lambda d: d["reasons"])
    with live.house.ledger.read() as c:
        bodies = [msgspec.json.decode(b) for b in c.execute(sa.select(transactions.c.body)).scalars()]
    assert bodies[0]["card"] == bodies[1]["card"]
    assert bodies[0]["card"].startswith("card_")
    live.service.scorer.memory.save().join()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) >= 2
    for path in files:
        content = path.read_bytes()
        assert digits.encode() not in content
        assert CARD.encode() not in content
    assert digits not in caplog.text
    assert digits not in live.client.get("/metrics").text


def test_the_interface_is_described_offline(live) -> None:
    doc = live.client.get("/v1/openapi.json").json()
    assert doc["openapi"].startswith("3.1")
    page = live.client.get("/v1/docs").text
    for path in doc["paths"]:
        assert path in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    for words in ("computed after the answer", "JSON lines"):
        assert words in page


def test_metrics_count_what_happened(live) -> None:
    live.pay("p1", 20)
    live.pay("p2", 600)
    text = live.client.get("/metrics").text
    assert 'tocsin_decisions_total{action="approve",cause="score"} 1.0' in text
    assert 'tocsin_decisions_total{action="review",cause="score"} 1.0' in text
    assert "tocsin_memory_number 2.0" in text
    assert 'tocsin_request_seconds_count{what="transaction"} 2.0' in text
    assert "tocsin_ready 1.0" in text
