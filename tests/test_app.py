"""Settings and wiring: where values come from, what the first start makes, one application for services and people."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from tocsin.app import Settings, build, card_key, console_user, open_ledger, read_settings
from tocsin.cli.backup import command as backup
from tocsin.cli.key import command as key
from tocsin.cli.model import command as model
from tocsin.cli.serve import _prepare, _same
from tocsin.cli.user import command as user
from tocsin.errors import BadInput, NotFound
from tocsin.ledger import models, now
from tocsin.ledger.tables import failed_sign_ins


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1\nhost = "h"\ncurrency = "USD"\n')
    settings = read_settings(file, environment={"TOCSIN_PORT": "2", "TOCSIN_HOST": "e"}, port=3, host=None)
    assert (settings.port, settings.host, settings.currency) == (3, "e", "USD")
    assert settings.deadline_ms == Settings().deadline_ms
    assert settings.limits.deadline == timedelta(seconds=1)
    assert read_settings(environment={"TOCSIN_AHEAD_H": "-1"}).limits.ahead is None


def test_the_data_folders_own_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("port = 9")
    assert read_settings(environment={}, folder=tmp_path).port == 9
    assert read_settings(environment={"TOCSIN_FOLDER": str(tmp_path)}).port == 9


@pytest.mark.parametrize("text", ["prot = 1", 'port = "x"', "port =", 'durability = "luck"'])
def test_wrong_settings_are_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.toml"
    file.write_text(text)
    with pytest.raises(BadInput):
        read_settings(file, environment={})
    with pytest.raises(NotFound):
        read_settings(tmp_path / "none.toml", environment={})


def test_the_card_key_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    first = card_key(tmp_path)
    assert card_key(tmp_path) == first
    assert len(first) == 32
    assert (tmp_path / "secrets.toml").stat().st_mode & 0o777 == 0o600
    (tmp_path / "secrets.toml").write_text('card_key = "abc"')
    with pytest.raises(BadInput, match="64 hexadecimal"):
        card_key(tmp_path)


def test_killed_while_making_the_card_key_the_next_start_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as at:
        at.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            card_key(tmp_path)
    assert len(card_key(tmp_path)) == 32


def test_all_that_start_at_once_have_one_card_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as many:
        assert len(set(many.map(card_key, [tmp_path] * 8))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["secrets.toml"]


def test_who_has_no_name_on_the_machine_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    assert console_user() == "uid 54321"


def run(*words: str | Path, command: Any) -> str:
    result = CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    made = run("new", "shop", "--data", tmp_path, command=key)
    assert made.startswith("tocsin_")
    assert "shop" in run("list", "--data", tmp_path, command=key)
    run("revoke", "shop", "--data", tmp_path, command=key)
    listed = run("list", "--data", tmp_path, command=key)
    assert "revoked" in listed
    assert made.splitlines()[0] not in listed


def test_keys_and_models_are_those_of_the_ledger_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, there = tmp_path / "my data", f"sqlite:///{tmp_path}/elsewhere.sqlite"
    settings = Settings(folder=folder, ledger=there)
    _prepare(settings, None, "http://127.0.0.1:8477")
    (hint,) = re.findall(r"`tocsin key (new NAME.*?)`", capsys.readouterr().err)
    run(*shlex.split(hint), command=key)
    assert "NAME" in run("list", "--ledger", there, "--data", folder, command=key)
    assert "There is no key" in run("list", "--data", folder, command=key)
    _prepare(settings, None, "http://127.0.0.1:8477")
    assert "key new" not in capsys.readouterr().err
    opened = open_ledger(settings)
    with opened.write() as connection:
        models.activate(connection, version="v-1", path="p", fingerprint="v-1", actor="test", at=now())
    opened.close()
    assert "v-1" in run("list", "--ledger", there, "--data", folder, command=model)
    assert "No model" in run("list", "--data", folder, command=model)


def test_no_password_stands_in_the_hint() -> None:
    flags = _same(Settings(ledger="postgresql+psycopg://tocsin:hush@db/tocsin"))
    assert flags == " --ledger 'postgresql+psycopg://tocsin:***@db/tocsin'"
    assert _same(Settings()) == ""


def test_a_backup_is_made_and_restored_by_command(tmp_path: Path) -> None:
    run("new", "shop", "--data", tmp_path / "a", command=key)
    card_key(tmp_path / "a")
    run("make", tmp_path / "b", "--data", tmp_path / "a", command=backup)
    run("restore", tmp_path / "b", "--data", tmp_path / "c", command=backup)
    assert "shop" in run("list", "--data", tmp_path / "c", command=key)
    assert card_key(tmp_path / "c") == card_key(tmp_path / "a")


def test_no_model_was_ever_in_force(tmp_path: Path) -> None:
    assert "No model" in run("list", "--data", tmp_path, command=model)


@pytest.mark.parametrize(
    ("trusted", "sender", "forwarded", "counted"),
    [
        ("", "10.0.0.7", "203.0.113.9", "10.0.0.7"),  # nobody's word counts unless it is said whose
        ("10.0.0.0/28", "10.0.0.7", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.7", "1.1.1.1, 203.0.113.9, 10.0.0.8", "203.0.113.9"),  # the first is forged
        ("10.0.0.7", "10.0.0.9", "203.0.113.9", "10.0.0.9"),
    ],
)
def test_wrong_passwords_are_counted_for_whom_a_trusted_proxy_names(
    tmp_path: Path, trusted: str, sender: str, forwarded: str, counted: str
) -> None:
    settings = Settings(folder=tmp_path, trusted_proxies=trusted)
    app = build(settings)

    async def try_once() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(sender, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as c:
            page = await c.get("/sign-in")
            (csrf,) = re.findall(r'name="csrf" value="([^"]+)"', page.text)
            form = {"csrf": csrf, "name": "ana", "password": "not the one at all"}
            return await c.post("/sign-in", data=form, headers={"X-Forwarded-For": forwarded})

    assert asyncio.run(try_once()).status_code == 401
    opened = open_ledger(settings)
    with opened.read() as connection:
        assert connection.execute(sa.select(failed_sign_ins.c.address)).scalars().all() == [counted]
    opened.close()


@pytest.mark.parametrize("wrong", ["*", "proxy.bank.example", "10.0.0.300", "10.0.0.7/8"])
def test_a_proxy_is_named_by_its_address(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(BadInput, match="IP addresses or networks"):
        build(Settings(folder=tmp_path, trusted_proxies=wrong))


def test_links_begin_where_people_reach_the_desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").write_text('public = "https://desk.bank.example/"')
    settings = read_settings(environment={}, folder=tmp_path)
    _prepare(settings, None, settings.address)
    assert "https://desk.bank.example/welcome/" in capsys.readouterr().err
    assert run("add", "ana", "--role", "analyst", "--data", tmp_path, command=user).startswith(
        "https://desk.bank.example/welcome/"
    )
    assert Settings(port=9).address == "http://127.0.0.1:9"
    assert Settings(port=9, https=True).address == "https://127.0.0.1:9"


def test_one_application_answers_services_and_people(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    open_ledger(settings).close()
    app = build(settings)

    async def ask() -> dict[str, httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://t") as c:
            for _ in range(200):
                ready = await c.get("/ready")
                if "no model" in ready.text:
                    break
                await asyncio.sleep(0.02)
            paths = ("/health", "/ready", "/v1/alerts", "/v1/nothing", "/nothing", "/sign-in", "/v1/docs")
            found = {path: await c.get(path) for path in paths}
            found["POST"] = await c.post("/v1/transactions", json={})
            found["wrong way"] = await c.get("/v1/transactions")
            return found

    found = asyncio.run(ask())
    assert {path: r.status_code for path, r in found.items()} == {
        "/health": 200,
        "/ready": 503,
        "/v1/alerts": 401,
        "/v1/nothing": 404,
        "/nothing": 404,
        "/sign-in": 200,
        "/v1/docs": 200,
        "POST": 401,
        "wrong way": 405,
    }
    assert "no model is in force" in found["/ready"].json()["problem"]
    assert found["/v1/nothing"].json()["hint"]
    assert found["wrong way"].headers["allow"] == "POST"
