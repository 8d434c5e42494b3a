"""The migrations make exactly the tables the code knows, once, whoever starts first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import tocsin.ledger
from tocsin.errors import NotReady
from tocsin.ledger import Ledger, upgrade
from tocsin.ledger.tables import metadata, sequence


def test_the_migrations_make_exactly_the_tables(both: Ledger) -> None:
    with both.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = compare_metadata(context, metadata)
    assert found == [], "the tables have changed: write a migration (or, before the first release, change the first)"


def test_reflected_they_are_what_create_all_would_have_made(tmp_path: Path) -> None:
    # Nearer than Alembic's own comparison: constraints, their names and nullability, as SQLite keeps them.
    migrated, plain = Ledger(tmp_path / "migrated.sqlite"), Ledger(tmp_path / "plain.sqlite")
    migrated.create()
    metadata.create_all(plain.engine)

    def kept(ledger: Ledger) -> dict[str, set[str]]:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        with ledger.engine.connect() as connection:
            rows = connection.exec_driver_sql(query).all()
        return {row.name: {" ".join(line.strip(" ,").split()) for line in row.sql.splitlines()} for row in rows}

    found, wanted = kept(migrated), kept(plain)
    migrated.close()
    plain.close()
    assert found == wanted


def test_there_is_one_line_of_migrations_and_the_code_knows_its_end() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(tocsin.ledger.__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [upgrade.NEWEST]


def test_doing_it_again_changes_nothing(both: Ledger) -> None:
    with both.write() as connection:
        connection.execute(sequence.update().values(next=17))
    both.create()
    with both.read() as connection:
        assert connection.execute(sa.select(sequence)).all() == [("events", 17)]


def test_several_start_at_once(empty_url: str) -> None:
    barrier = Barrier(4)

    def start() -> None:
        ledger = Ledger(empty_url)
        barrier.wait()
        ledger.create()
        ledger.close()

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(start) for _ in range(4)]:
            one.result()
    ledger = Ledger(empty_url)
    with ledger.read() as connection:
        assert connection.execute(sa.select(sequence)).all() == [("events", 1)]
    ledger.close()


def test_stopped_half_way_nothing_is_there(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, run = Ledger(empty_url), upgrade._run

    def stopped(connection: sa.Connection) -> None:
        run(connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(upgrade, "_run", stopped)
    with pytest.raises(KeyboardInterrupt):
        ledger.create()
    assert sa.inspect(ledger.engine).get_table_names() == []
    monkeypatch.undo()
    ledger.create()
    assert "transactions" in sa.inspect(ledger.engine).get_table_names()
    ledger.close()


def test_a_ledger_of_a_newer_program_is_refused(both: Ledger) -> None:
    with both.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NotReady, match="at 9999"):
        both.create()


def test_tables_without_a_version_are_refused(both: Ledger) -> None:
    with both.write() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    with pytest.raises(NotReady, match="no version"):
        both.create()
