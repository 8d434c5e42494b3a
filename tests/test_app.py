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
from click.testing import CliRunner

from tocsin.app import Settings, build, card_key, console_user, open_ledger, read_settings
from tocsin.cli.backup import command as backup
from tocsin.cli.key import command as key
from tocsin.cli.model import command as model
from tocsin.cli.serve import _prepare, _same
from tocsin.errors import BadInput, NotFound
from tocsin.ledger import models, now


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
