"""Copying a running ledger with the memory's snapshot and the card key, and putting the copy back.

A backup is a directory: ``ledger.sqlite``, ``memory/``, ``secrets.toml`` and ``manifest.json`` with the fingerprint of
each. It holds everything the data folder holds, so it must be kept as secret as that.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from tocsin.errors import BadInput, Conflict, Damaged, NotFound
from tocsin.ledger.store import Ledger

LEDGER, MEMORY, SECRETS, MANIFEST = "ledger.sqlite", "memory", "secrets.toml", "manifest.json"
SNAPSHOTS = "*.kernel"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: ``next_number`` of the sequence at that moment, and path -> fingerprint of each file."""

    made_at: datetime
    next_number: int
    files: dict[str, str]


def make(ledger: Ledger, folder: Path, to: Path, *, at: datetime) -> Manifest:
    """Copy the ledger as it stands at one moment, while others write, with the newest snapshot of the memory.

    The snapshot is copied first, so it is never ahead of the ledger; what came between is replayed after a restore.

    Parameters
    ----------
    folder : the service's data folder.
    to : a directory that does not exist yet; it appears whole or not at all.

    Raises
    ------
    BadInput : the ledger is not SQLite. Conflict : ``to`` exists.
    """
    if not ledger.is_sqlite:
        raise BadInput(
            "this backup copies SQLite ledgers; this one is on PostgreSQL.",
            hint="Use pg_dump; the memory is rebuilt from the ledger.",
        )
    if to.exists():
        raise Conflict(f"a backup must go to a new directory; {to} exists.", hint="Name another one.")
    partial = to.with_name(to.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / MEMORY).mkdir(parents=True, mode=0o700)
    for snapshot in sorted((folder / MEMORY).glob(SNAPSHOTS)):
        _copy(snapshot, partial / MEMORY / snapshot.name)
    if (folder / SECRETS).is_file():
        _copy(folder / SECRETS, partial / SECRETS)
    next_number = _copy_ledger(Path(ledger.engine.url.database or ""), partial / LEDGER)
    files = {str(p.relative_to(partial)): fingerprint_of(p) for p in sorted(partial.rglob("*")) if p.is_file()}
    manifest = Manifest(made_at=at, next_number=next_number, files=files)
    (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    for path in partial.rglob("*"):
        _sync(path)
    os.rename(partial, to)
    _sync(to.parent)
    return manifest


def restore(source: Path, folder: Path) -> Manifest:
    """Put a backup into an empty data folder; the service that starts there goes on where the backup ends.

    Raises
    ------
    NotFound : there is no backup. Damaged : a file is not what was copied. Conflict : the folder has a ledger, or what another left behind.
    """
    if not (source / MANIFEST).is_file():
        raise NotFound(
            f"a backup must have a {MANIFEST}; {source} has none.", hint="`tocsin backup make DIR` makes one."
        )
    manifest = msgspec.json.decode((source / MANIFEST).read_bytes(), type=Manifest)
    for name, fingerprint in manifest.files.items():
        path = source / name
        if (
            not path.resolve().is_relative_to(source.resolve())
            or not path.is_file()
            or fingerprint_of(path) != fingerprint
        ):
            raise Damaged(f"{name} is not the file that was copied into {source}.", hint="Use another backup.")
    # What another ledger left behind would be taken for this one's: SQLite reads its log into the copy.
    left = [one for one in (LEDGER, f"{LEDGER}-wal", SECRETS, MEMORY) if (folder / one).exists()]
    if left:
        raise Conflict(
            f"a backup is restored into an empty folder; {folder} has {left[0]}.",
            hint="Stop the service and move that folder away first.",
        )
    for name in sorted(manifest.files, key=LEDGER.__eq__):  # the ledger last: without it nothing was restored
        (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(source / name, folder / name)
    return manifest


def fingerprint_of(path: Path) -> str:
    """Blake2b of a file's bytes, as hex."""
    digest = blake2b(digest_size=32)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _copy_ledger(source: Path, to: Path) -> int:
    """One consistent copy; in WAL mode neither readers nor the writer wait for it."""
    if not source.is_file():
        raise NotFound(f"there is no ledger at {source}.", hint="Name the service's data folder with --data.")
    reading, writing = sqlite3.connect(source, timeout=30), sqlite3.connect(to)
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        (next_number,) = writing.execute("SELECT next FROM sequence WHERE name = 'events'").fetchone()
    finally:
        reading.close()
        writing.close()
    os.chmod(to, 0o600)
    return int(next_number)


def _copy(source: Path, to: Path) -> None:
    shutil.copyfile(source, to)
    os.chmod(to, 0o600)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
