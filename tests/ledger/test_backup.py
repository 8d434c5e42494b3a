"""A backup made while others write is one moment of the ledger, whole, and goes back only unharmed."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from tocsin.errors import BadInput, Conflict, Damaged, NotFound
from tocsin.ledger import Ledger, backup
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.tables import accounts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "memory").mkdir(parents=True)
    (folder / "memory" / "abc.kernel").write_bytes(b"snapshot")
    (folder / "secrets.toml").write_text("card_key = 'x'")
    return folder


@pytest.fixture
def ledger(folder: Path):
    ledger = Ledger(folder / backup.LEDGER)
    ledger.create()
    yield ledger
    ledger.close()


def grow(ledger: Ledger, i: int) -> None:
    with ledger.write() as c:
        take_numbers(c, 1)
        c.execute(accounts.insert().values(account=f"a{i}", first_seen_at=i))


def test_a_backup_made_under_writes_is_one_moment_and_restores(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        i = 0
        while not stop.is_set():
            grow(ledger, i)
            i += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        manifests = [backup.make(ledger, folder, tmp_path / f"b{i}", at=NOON) for i in range(3)]
    finally:
        stop.set()
        writer.join()
    for i, manifest in enumerate(manifests):
        backup.restore(tmp_path / f"b{i}", tmp_path / f"r{i}")
        again = Ledger(tmp_path / f"r{i}" / backup.LEDGER)
        with again.read() as c:
            count = c.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one()
            assert count == next_number(c) - 1 == manifest.next_number - 1
        again.close()
        assert (tmp_path / f"r{i}" / "memory" / "abc.kernel").read_bytes() == b"snapshot"
        assert (tmp_path / f"r{i}" / "secrets.toml").stat().st_mode & 0o077 == 0


def test_a_changed_byte_is_found_before_anything_is_restored(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    backup.make(ledger, folder, tmp_path / "b", at=NOON)
    (tmp_path / "b" / "memory" / "abc.kernel").write_bytes(b"snapshoT")
    with pytest.raises(Damaged, match=r"abc\.kernel"):
        backup.restore(tmp_path / "b", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_nothing_is_ever_overwritten(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    backup.make(ledger, folder, tmp_path / "b", at=NOON)
    with pytest.raises(Conflict):
        backup.make(ledger, folder, tmp_path / "b", at=NOON)
    with pytest.raises(Conflict):
        backup.restore(tmp_path / "b", folder)
    with pytest.raises(NotFound):
        backup.restore(tmp_path / "none", tmp_path / "r")


@pytest.mark.parametrize("left", ["ledger.sqlite-wal", "memory/old.kernel", "secrets.toml"])
def test_nothing_of_another_ledger_is_taken_for_the_backups(
    ledger: Ledger, folder: Path, tmp_path: Path, left: str
) -> None:
    backup.make(ledger, folder, tmp_path / "b", at=NOON)
    (tmp_path / "r" / left).parent.mkdir(parents=True)
    (tmp_path / "r" / left).write_bytes(b"of another ledger")
    with pytest.raises(Conflict, match=left.partition("/")[0]):
        backup.restore(tmp_path / "b", tmp_path / "r")
    assert not (tmp_path / "r" / backup.LEDGER).exists()


def test_a_restore_cut_short_is_no_ledger_with_a_new_card_key(
    ledger: Ledger, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.make(ledger, folder, tmp_path / "b", at=NOON)
    copied: list[str] = []

    def copy(source: Path, to: Path) -> None:
        copied.append(to.name)
        to.touch()

    monkeypatch.setattr(backup, "_copy", copy)
    backup.restore(tmp_path / "b", tmp_path / "r")
    assert copied[-1] == backup.LEDGER
    assert backup.SECRETS in copied


def test_a_manifest_names_nothing_outside_the_backup(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    backup.make(ledger, folder, tmp_path / "b", at=NOON)
    (tmp_path / "outside").write_bytes(b"x")
    manifest = tmp_path / "b" / backup.MANIFEST
    found = msgspec.json.decode(manifest.read_bytes())
    found["files"]["../outside"] = backup.fingerprint_of(tmp_path / "outside")
    manifest.write_bytes(msgspec.json.encode(found))
    with pytest.raises(Damaged, match="outside"):
        backup.restore(tmp_path / "b", tmp_path / "r")


def test_a_postgres_ledger_is_sent_to_its_own_tool(folder: Path, tmp_path: Path) -> None:
    ledger = Ledger("postgresql+psycopg://nobody@localhost/none")
    with pytest.raises(BadInput, match="SQLite"):
        backup.make(ledger, folder, tmp_path / "b", at=NOON)
    ledger.close()
