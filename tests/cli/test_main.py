"""What the machine refuses is said in one message, never as a traceback."""

from __future__ import annotations

import os
import socket
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tocsin.cli import main
from tocsin.cli.serve import _look_at_port
from tocsin.errors import BadInput


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["tocsin", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "Traceback" not in said
    return said


def test_a_file_where_a_folder_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    for words in (["world", "--out"], ["key", "new", "shop", "--data"], ["serve", "--port", "0", "--data"]):
        said = refused(monkeypatch, capsys, *words, str(tmp_path / "taken"))
        assert "taken: a folder must be able to stand here; a file does." in said, words
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_ledger_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 50)
    said = refused(monkeypatch, capsys, "audit", "verify", "--data", str(tmp_path))
    assert "the database must answer; it says: file is not a database" in said
    said = refused(monkeypatch, capsys, "serve", "--port", "0", "--data", str(tmp_path / "d"), "--ledger", "junk://x")
    assert "junk" in said


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main.group, "main", fails)
    with pytest.raises(ZeroDivisionError):
        main.main()


@pytest.mark.parametrize(("number", "says"), [(28, "it is full"), (27, "a limit on us"), (122, "a limit on us")])
def test_a_full_disk_is_named(
    number: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(**_: object) -> None:
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(main.group, "main", fails)
    assert f"the disk must have room; {says}" in refused(monkeypatch, capsys)


@pytest.mark.parametrize(("module", "extra"), [("torch", "networks"), ("onnx", "learn"), ("psycopg", "postgres")])
def test_a_part_that_is_not_installed_is_named_with_the_way_to_it(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed

    def needs(**_: object) -> None:
        import_module(module)

    monkeypatch.setattr(main.group, "main", needs)
    assert f"pip install 'tocsin[{extra}]'" in refused(monkeypatch, capsys)


def test_an_import_of_ours_that_fails_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> None:
        import_module("tocsin.no_such_module")

    monkeypatch.setattr(main.group, "main", fails)
    with pytest.raises(ModuleNotFoundError):
        main.main()


def test_a_port_is_looked_at_before_anything_is_promised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match="is not: address already in use"):
            _look_at_port("127.0.0.1", port)
    _look_at_port("127.0.0.1", port)
    with pytest.raises(BadInput, match="0 to 65535; got 99999"):
        _look_at_port("127.0.0.1", 99_999)


@pytest.mark.parametrize("told", [None, "7"])
def test_idle_threads_sleep_soon_unless_the_user_says_otherwise(
    told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", told or "")  # so that it is put back afterwards
    if told is None:
        monkeypatch.delenv("GOMP_SPINCOUNT")
    seen: list[str | None] = []
    monkeypatch.setattr(main.group, "main", lambda **_: seen.append(os.environ.get("GOMP_SPINCOUNT")))
    main.main()
    assert seen == [told or main.TURNS]
