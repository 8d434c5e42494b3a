"""Predictions from outside: what is answered and what is refused, whatever is sent; models come and go while it runs."""

from __future__ import annotations

import io
import random
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from scenes.classes import COLOURS, colour, tiny, tone
from tocsin.artifact.classes import NETWORK, Classifier
from tocsin.errors import BadInput
from tocsin.live import Limits, Predictor, routes
from tocsin.live import models as models_module
from tocsin.live.models import Models

LIMITS = Limits(largest_example=1 << 20, most_lines=50, most_predicting=4)
Ask = Callable[..., httpx.Response]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A directory with three models of classes, and what else may lie beside them."""
    for kind, name in (("images", "colours"), ("sound", "loudness"), ("text", "topics")):
        tiny(tmp_path / "shelf" / name, kind)
    (tmp_path / "shelf" / "notes.txt").write_text("mine")
    (tmp_path / "shelf" / "empty").mkdir()
    shutil.copytree(tmp_path / "shelf" / "colours", tmp_path / "shelf" / "colours.0123456789ab")
    return tmp_path / "shelf"


@pytest.fixture
def predictor(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Predictor]:
    monkeypatch.setattr(models_module, "LOOK_EVERY_S", 0.0)
    made = Predictor([shelf], LIMITS)
    yield made
    made.stop()


@pytest.fixture
def ask(start: Any, server: Any, predictor: Predictor) -> Ask:
    """Send bytes to a model."""
    live = start()
    server.app = Starlette(routes=routes(live.service, predictor))

    def send(model: str, body: Any, kind: str | None = None, query: str = "", **headers: str) -> httpx.Response:
        headers |= {"Content-Type": kind} if kind else {}
        found: httpx.Response = live.client.post(f"/v1/predict/{model}{query}", content=body, headers=headers)
        return found

    send.client = live.client  # type: ignore[attr-defined]
    return send


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["class"] for one in answer.json()["classes"]]


@pytest.mark.parametrize(
    ("model", "body", "kind", "first"),
    [
        ("colours", colour("red"), "image/png", "red"),
        ("colours", colour("blue", ending="JPEG"), "image/jpeg", "blue"),
        ("colours", colour("lime"), "application/octet-stream", "green"),
        ("colours", colour("lime"), None, "green"),
        ("loudness", tone(0.9), "audio/wav", "loud"),
        ("loudness", tone(0.01, rate=44_100, channels=2, subtype="PCM_24"), "audio/x-wav", "quiet"),
        ("topics", b"my cat, my dog", "text/plain; charset=utf-8", "animals"),
        ("topics", b'{"text": "a bank gave a loan"}', "application/json", "money"),
        ("topics", b'"a bank gave a loan"', "application/json", "money"),
    ],
)
def test_an_example_is_answered(ask: Ask, model: str, body: bytes, kind: str | None, first: str) -> None:
    answer = ask(model, body, kind)
    said = answer.json()
    assert names(answer)[0] == first
    assert said["model"] == model
    assert said["version"].startswith("tiny-")
    values = [one["probability"] for one in said["classes"]]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1)
    assert names(ask(model, body, kind, "?top=1")) == [first]


def test_a_list_of_texts_is_answered_in_order(ask: Ask) -> None:
    answer = ask("topics", b'["cat dog", "bank loan", ""]', "application/json", "?top=1")
    assert [one[0]["class"] for one in answer.json()["predictions"][:2]] == ["animals", "money"]
    assert len(answer.json()["predictions"]) == 3
    assert "classes" not in answer.json()
    assert ask("topics", b"[]", "application/json").json()["predictions"] == []


@pytest.mark.parametrize(
    ("model", "body", "kind", "status", "says"),
    [
        ("colors", colour("red"), "image/png", 404, "colours"),
        ("..%2Fshelf%2Fcolours", colour("red"), "image/png", 404, "page|model|Not Found"),
        ("colours.0123456789ab", colour("red"), "image/png", 404, "model"),
        ("colours", colour("red"), "audio/wav", 422, "image/"),
        ("colours", b'{"text": "x"}', "application/json", 422, "image/"),
        ("topics", colour("red"), "image/png", 422, "text/plain"),
        ("topics", b"x", None, 422, "text/plain"),
        ("colours", b"", "image/png", 422, "empty"),
        ("topics", b"", "text/plain", 422, "empty"),
        ("colours", tone(0.5), "image/png", 422, "picture"),
        ("loudness", colour("red"), "audio/wav", 422, "sound"),
        ("topics", b"\xff\xfe\x00", "text/plain", 422, "UTF-8"),
        ("topics", b'{"text": 3}', "application/json", 422, "text"),
        ("topics", b'{"words": "x"}', "application/json", 422, "text"),
        ("topics", b'["a", 3]', "application/json", 422, r"\[1\]"),
        ("topics", b"[" * 100_000, "application/json", 422, "Expected `str`, got `array`"),
        ("topics", b'{"text": "x"', "application/json", 422, "JSON"),
        ("topics", b'["a"' + b', "a"' * 50 + b"]", "application/json", 413, "at most 50"),
        ("colours", b"x" * ((1 << 20) + 1), "image/png", 413, "1048576"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(
    ask: Ask, model: str, body: bytes, kind: str, status: int, says: str
) -> None:
    import re

    answer = ask(model, body, kind)
    assert answer.status_code == status, answer.text
    assert re.search(says, answer.text)


@pytest.mark.parametrize("top", ["0", "-1", "x", "1.5", "²", "1000000"])
def test_how_many_classes_is_a_whole_number(ask: Ask, top: str) -> None:
    assert ask("colours", colour("red"), "image/png", f"?top={top}").status_code == 422


def test_it_wants_a_key_like_every_route(ask: Ask) -> None:
    for given in ("Bearer nobody", "nothing"):
        assert ask("colours", colour("red"), "image/png", Authorization=given).status_code == 401
    assert httpx.get(f"{ask.client.base_url}/v1/models").status_code == 401  # type: ignore[attr-defined]


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(ask: Ask) -> None:
    answer = ask("colours", bomb(30_000), "image/png")
    assert answer.status_code == 422
    assert "pixels" in answer.text


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, in a few bytes a row."""
    from struct import pack

    def chunk(name: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data))

    packed = zlib.compress(bytes(side // 8 + 1) * side, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", packed)
        + chunk(b"IEND", b"")
    )


def mangled(body: bytes, dice: random.Random) -> bytes:
    out = bytearray(body)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(out) or 1)
        way = dice.randrange(4)
        if way == 0:
            del out[at:]
        elif way == 1:
            out[at : at + 1] = bytes([dice.randrange(256)])
        elif way == 2:
            out[at:at] = dice.randbytes(8)
        else:
            del out[at : at + dice.randint(1, 30)]
        out = out or bytearray(b"x")
    return bytes(out)


def fuzzed(ask: Ask, count: int, seed: int) -> set[int]:
    from PIL import Image

    palette = io.BytesIO()
    Image.new("RGBA", (30, 30), (1, 2, 3, 100)).convert("P").save(palette, "PNG")
    pictures = [colour("red", (40, 30), ending) for ending in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")]
    sounds = [tone(0.5, subtype=subtype, channels=2) for subtype in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT")]
    good = [
        *(("colours", body, "application/octet-stream") for body in [*pictures, palette.getvalue()]),
        *(("loudness", body, "audio/wav") for body in sounds),
        ("topics", b'{"text": "cat dog"}', "application/json"),
        ("topics", b'["a", "b\\u00e9"]', "application/json"),
        ("topics", "größer Hund".encode(), "text/plain"),
    ]
    dice = random.Random(seed)
    seen = set()
    for _ in range(count):
        model, body, kind = dice.choice(good)
        answer = ask(model, mangled(body, dice), kind)
        assert answer.status_code < 500, answer.text
        seen.add(answer.status_code)
    assert names(ask("colours", colour("red"), "image/png"))[0] == "red"
    return seen


def test_mangled_examples_are_refused_or_answered_and_never_a_fault(ask: Ask) -> None:
    assert fuzzed(ask, 400, seed=1) == {200, 422}


@pytest.mark.slow
def test_more_mangled_examples_are_never_a_fault(ask: Ask) -> None:
    assert fuzzed(ask, 6_000, seed=2) == {200, 422}


# --- the models ------------------------------------------------------------------------------------------------------


def test_the_models_there_are_are_listed_with_what_they_take(ask: Ask) -> None:
    found = {one["name"]: one for one in ask.client.get("/v1/models").json()["models"]}  # type: ignore[attr-defined]
    assert list(found) == ["colours", "loudness", "topics"]
    assert found["colours"]["classes"] == list(COLOURS)
    assert found["colours"]["takes"] == ["image/*", "application/octet-stream"]
    assert found["topics"]["measured"] == {"accuracy": 0.9}


def test_a_model_written_anew_is_taken_over_and_a_new_one_is_found(ask: Ask, shelf: Path) -> None:
    before = ask("colours", colour("red"), "image/png").json()
    tiny(shelf / "colours", "images", temperature=9.0)
    tiny(shelf / "more", "images")
    after = ask("colours", colour("red"), "image/png").json()
    assert after["version"] != before["version"]
    assert after["classes"][0]["probability"] < before["classes"][0]["probability"]
    assert names(ask("more", colour("blue"), "image/png"))[0] == "blue"
    shutil.rmtree(shelf / "more")
    assert ask("more", colour("blue"), "image/png").status_code == 404


def test_a_damaged_model_is_told_and_leaves_the_one_before_in_its_place(ask: Ask, shelf: Path) -> None:
    broken = tiny(shelf / "broken", "images")
    (broken / NETWORK).write_bytes(b"no graph")
    answer = ask("broken", colour("red"), "image/png")
    assert (answer.status_code, "fingerprint" in answer.text) == (503, True)
    before = ask("colours", colour("red"), "image/png").json()
    card = shelf / "colours" / "model.json"
    card.write_bytes(card.read_bytes()[:-20])
    assert ask("colours", colour("red"), "image/png").json() == before
    listed = ask.client.get("/v1/models").json()["models"]  # type: ignore[attr-defined]
    problems = {one["name"]: one["problem"] for one in listed}
    assert problems["broken"]
    assert problems["colours"]
    assert problems["topics"] is None


def test_places_are_models_or_hold_them_and_names_are_their_own(shelf: Path, tmp_path: Path) -> None:
    assert Models([shelf / "colours"]).names == ("colours",)
    assert Models([shelf, shelf / "colours"]).names == ("colours", "loudness", "topics")
    other = tiny(tmp_path / "elsewhere" / "colours", "images")
    with pytest.raises(BadInput, match="a name of its own"):
        _ = Models([shelf, other]).names
    with pytest.raises(BadInput, match="directory"):
        _ = Models([shelf / "notes.txt"]).names


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def slow(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every prediction waits until it may go on."""
    go, real = threading.Event(), Classifier.predict

    def wait(self: Classifier, raws: Any) -> Any:
        go.wait(20)
        return real(self, raws)

    monkeypatch.setattr(Classifier, "predict", wait)
    yield go
    go.set()


def test_a_deadline_is_kept_and_payments_are_decided_meanwhile(ask: Ask, slow: threading.Event, house: Any) -> None:
    began = time.perf_counter()
    answer = ask("colours", colour("red"), "image/png", **{"Tocsin-Deadline-Ms": "300"})
    assert answer.status_code == 503
    assert "deadline" in answer.text
    assert 0.25 < time.perf_counter() - began < 5
    paid = ask.client.post("/v1/transactions", json=house.payment("p1"))  # type: ignore[attr-defined]
    assert paid.status_code == 200
    slow.set()
    assert names(ask("colours", colour("red"), "image/png"))[0] == "red"
    assert ask("colours", colour("red"), "image/png", **{"Tocsin-Deadline-Ms": "soon"}).status_code == 422


def test_more_than_there_is_room_for_are_refused_at_once(ask: Ask, slow: threading.Event) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask("colours", colour("red"), "image/png").status_code))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 15
    while statuses.count(429) < 8 and time.monotonic() < until:
        time.sleep(0.01)
    assert statuses == [429] * 8
    slow.set()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 4 + [429] * 8
    assert ask("colours", colour("red"), "image/png").status_code == 200


def test_texts_of_a_list_are_counted_against_the_keys_rate(start: Any, server: Any, shelf: Path, house: Any) -> None:
    house.limits = replace(house.limits, rate=1.0, burst=20.0)
    live, made = start(), Predictor([shelf], LIMITS)
    server.app = Starlette(routes=routes(live.service, made))
    headers = {"Content-Type": "application/json"}
    answers = [
        live.client.post("/v1/predict/topics", content=b'["a", "b", "c", "d", "e", "f", "g", "h"]', headers=headers)
        for _ in range(3)
    ]
    made.stop()
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_what_is_predicted_is_counted_for_monitoring(ask: Ask) -> None:
    ask("colours", colour("red"), "image/png")
    ask("topics", b'["a", "b"]', "application/json")
    ask("nowhere", b"x", "image/png")
    told = ask.client.get("/metrics").text  # type: ignore[attr-defined]
    assert 'tocsin_predictions_total{model="colours"} 1.0' in told
    assert 'tocsin_predictions_total{model="topics"} 2.0' in told
    assert "nowhere" not in told
    assert 'tocsin_request_seconds_count{what="predict"} 3.0' in told


def test_stopping_answers_who_waits(shelf: Path) -> None:
    import asyncio

    from tocsin.errors import NotReady

    made = Predictor([shelf], LIMITS)
    made.stop()
    with pytest.raises(NotReady, match="stopping"):
        asyncio.run(made.run(lambda: 1, time.perf_counter() + 5))


def test_a_service_that_only_predicts_is_ready(start: Any, server: Any, shelf: Path, house: Any) -> None:
    import sqlalchemy as sa

    from tocsin.ledger.tables import activations

    with house.ledger.write() as connection:
        connection.execute(sa.delete(activations))
    live = start()
    made = Predictor([shelf], replace(LIMITS, predict_deadline=timedelta(seconds=20)))
    server.app = Starlette(routes=routes(live.service, made))
    assert live.client.get("/ready").json()["ready"] is True
    assert live.client.post("/v1/transactions", json=house.payment("p1")).status_code == 503
    answer = live.client.post("/v1/predict/colours", content=colour("red"), headers={"Content-Type": "image/png"})
    made.stop()
    assert names(answer)[0] == "red"
    server.app = Starlette(routes=routes(live.service))
    assert live.client.get("/ready").status_code == 503
