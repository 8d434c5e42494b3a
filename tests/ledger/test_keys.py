"""API keys: shown once, kept as a hash, ended by revoking."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.errors import BadInput, Conflict, NotFound
from tocsin.ledger import Ledger, audit, keys

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_new_key_opens_and_is_nowhere_in_the_file(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.write() as c:
        key = keys.new(c, "shop", at=NOON, actor="admin")
    with ledger.read() as c:
        assert keys.in_force(c) == {keys.fingerprint(key): "shop"}
        assert audit.verify(c).events == 1
    for path in tmp_path.iterdir():
        assert key.encode() not in path.read_bytes()


def test_a_revoked_key_opens_nothing_and_its_name_stays_taken(ledger: Ledger) -> None:
    with ledger.write() as c:
        keys.new(c, "shop", at=NOON, actor="admin")
        keys.revoke(c, "shop", at=NOON, actor="admin")
    with ledger.write() as c:
        assert keys.in_force(c) == {}
        assert keys.all_keys(c)[0].revoked_at == NOON
        with pytest.raises(Conflict, match="taken"):
            keys.new(c, "shop", at=NOON, actor="admin")
        with pytest.raises(Conflict, match="revoked already"):
            keys.revoke(c, "shop", at=NOON, actor="admin")


def test_unknown_and_unnamed_keys_are_refused(ledger: Ledger) -> None:
    with ledger.write() as c:
        with pytest.raises(NotFound):
            keys.revoke(c, "nobody", at=NOON, actor="admin")
        with pytest.raises(BadInput):
            keys.new(c, "", at=NOON, actor="admin")
