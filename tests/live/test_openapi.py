"""The interface as it is written down: whatever is sent, by whoever reads the document well or ill, is never a 5xx."""

from __future__ import annotations

import random
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tocsin.live.openapi import document

OPERATIONS = [(path, method) for path, methods in document()["paths"].items() for method in methods]
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


def fuzz(live: Any, path: str, method: str, examples: int) -> None:
    """So many requests made from the document, right and wrong ones, against the running service."""
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=str(live.client.base_url))
    operation = schema[path][method]
    headers = dict(live.client.headers)
    statuses: set[int] = set()

    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def right(case: Any) -> None:
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS, session=None).status_code)

    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def wrong(case: Any) -> None:
        checks = [not_a_server_error, status_code_conformance]
        statuses.add(case.call_and_validate(headers=headers, checks=checks, session=None).status_code)

    right()
    if operation.body or operation.query or operation.path_parameters:
        wrong()
    assert statuses & {200, 404, 422}  # the requests came through to what they ask for


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_made_from_the_document_is_a_fault(live: Any, path: str, method: str) -> None:
    fuzz(live, path, method, 15)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), [o for o in OPERATIONS if o[0].startswith("/v1")])
def test_no_request_of_many_is_a_fault(live: Any, path: str, method: str) -> None:
    fuzz(live, path, method, 400)


def mangle(body: bytes, dice: random.Random) -> bytes:
    """One body with a few bytes cut, doubled, swapped or made up."""
    out = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out) + 1)
        way = dice.randrange(5)
        if way == 0:
            del out[at : at + dice.randint(1, 20)]
        elif way == 1:
            out[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 5)))
        elif way == 2:
            out[at:at] = dice.choice(
                [b"null", b"1e400", b"-", b'"', b"{", b"]", b"\\ud800", b"\x00", b"NaN", b"9" * 60]
            )
        elif way == 3:
            out[at:at] = out[at : at + 30]
        else:
            del out[at:]
        out = out or bytearray(b"{")
    return bytes(out)


def mangled(live: Any, count: int, seed: int) -> None:
    """So many mangled bodies, one by one and in lists; each is refused or, if it still makes sense, answered."""
    dice = random.Random(seed)
    event = {"id": "e", "at": "2026-03-01T11:00:00Z", "kind": "sign_in", "account": "ann", "credit_score": 1.5}
    label = {"transaction_id": "p1", "finding": "fraud", "known_at": "2026-03-01T12:00:00Z"}
    more = {"latitude": 1.5, "extra": {"risk": 2.0, "branch": "x"}, "card": "4111111111111111", "payee": "bob"}
    good = {
        "/v1/transactions": msgspec.json.encode(live.house.payment("p1", 20, **more)),
        "/v1/events": msgspec.json.encode(event),
        "/v1/labels": msgspec.json.encode(label),
    }
    seen: set[int] = set()
    for i in range(count):
        path = dice.choice(list(good))
        kind = "application/json"
        body = mangle(good[path], dice)
        if i % 5 == 0:
            kind, body = "application/x-ndjson", b"\n".join(mangle(good[path], dice) for _ in range(8))
        answer = live.client.post(path, content=body, headers={"Content-Type": kind})
        assert answer.status_code < 500, (body, answer.text)
        if kind != "application/json" and answer.status_code == 200:
            for line in answer.content.splitlines():
                status = msgspec.json.decode(line).get("status", 200)
                assert status < 500
                seen.add(status)
        seen.add(answer.status_code)
    assert {200, 422} <= seen
    assert live.pay("after")["action"] == "approve"


def test_mangled_bodies_by_the_thousand_are_never_a_fault(live: Any) -> None:
    mangled(live, 1_500, seed=1)


@pytest.mark.slow
def test_more_mangled_bodies_are_never_a_fault(live: Any) -> None:
    mangled(live, 20_000, seed=2)


def test_every_word_of_the_document_has_its_schema() -> None:
    doc = document()
    text = msgspec.json.encode(doc).decode()
    for name in {part.split(chr(34))[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in doc["components"]["schemas"]
