"""`tocsin audit` and `tocsin user` as a person meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from tocsin.cli import audit, user
from tocsin.desk import access
from tocsin.desk.model import Actor, Role
from tocsin.errors import BadInput, Conflict, Damaged, NotFound
from tocsin.ledger import Ledger, now
from tocsin.ledger.tables import case_events


def run(group: object, folder: Path, *words: str) -> str:
    result = CliRunner().invoke(group, [*words, "--data", str(folder)], catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_people_come_and_go_and_the_link_lets_them_in(tmp_path: Path) -> None:
    run(user.command, tmp_path, "add", "ada", "--role", "admin")
    link = run(user.command, tmp_path, "add", "ana", "--role", "analyst")
    assert link.startswith("http://127.0.0.1:8477/welcome/")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    token = link.rsplit("/", 1)[1]
    session, _ = access.accept_invitation(ledger, token, at=now(), password="four words in a row")
    assert access.session(ledger, session, now()).actor == Actor("ana", Role.ANALYST)
    run(user.command, tmp_path, "role", "ana", "--role", "senior")
    assert access.session(ledger, session, now()).actor.role is Role.SENIOR
    assert run(user.command, tmp_path, "off", "ana") == "ana is off."
    listed = [line.split() for line in run(user.command, tmp_path, "list").splitlines()]
    assert [line[:3] for line in listed] == [["ada", "admin", "has"], ["ana", "senior", "off"]]
    assert "/welcome/" in run(user.command, tmp_path, "on", "ana")
    assert run(user.command, tmp_path, "link", "ana") != run(user.command, tmp_path, "link", "ana")
    with pytest.raises(Conflict, match="the last one"):
        run(user.command, tmp_path, "off", "ada")
    with ledger.read() as connection:
        actors = set(connection.execute(sa.select(case_events.c.actor)).scalars())
    assert any(name.endswith("(console)") for name in actors)
    ledger.close()


def test_an_empty_desk_says_what_to_do(tmp_path: Path) -> None:
    assert "tocsin user add" in run(user.command, tmp_path, "list")


def test_the_chain_is_verified_and_its_head_printed(tmp_path: Path) -> None:
    run(user.command, tmp_path, "add", "ana", "--role", "analyst")
    run(user.command, tmp_path, "link", "ana")
    head = run(audit.command, tmp_path, "head")
    assert head.startswith("2:")
    assert head in run(audit.command, tmp_path, "verify", "--head", head)
    assert "2 events" in run(audit.command, tmp_path, "verify")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    with ledger.write() as connection:
        connection.execute(case_events.delete().where(case_events.c.id == 2))
    assert "1 events" in run(audit.command, tmp_path, "verify")
    with pytest.raises(Damaged, match="ends before event 2"):
        run(audit.command, tmp_path, "verify", "--head", head)
    with ledger.write() as connection:
        connection.execute(case_events.update().values(actor="somebody else"))
    ledger.close()
    with pytest.raises(Damaged, match="broken at event 1: its content is not what was sealed"):
        run(audit.command, tmp_path, "verify")


@pytest.mark.parametrize("head", ["", "2", "2:", "x:" + "0" * 64, "2:" + "0" * 63, "2:" + "g" * 64])
def test_a_hash_that_is_none_is_refused(tmp_path: Path, head: str) -> None:
    with pytest.raises(BadInput, match="64 hexadecimal"):
        run(audit.command, tmp_path, "verify", "--head", head)


def test_no_ledger_is_not_a_whole_chain(tmp_path: Path) -> None:
    for words in (["head"], ["verify"]):
        with pytest.raises(NotFound, match="no ledger at"):
            run(audit.command, tmp_path / "elsewhere", *words)
    assert not (tmp_path / "elsewhere").exists()
