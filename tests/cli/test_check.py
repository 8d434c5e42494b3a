"""`tocsin check` as a person meets it: what it says, what it writes, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tocsin.cli.check import command
from tocsin.errors import BadInput

SPEC = """
name = "mine"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
label = "label"
"""
GOOD = ["id,at,amount,account,label", "1,2026-03-01T12:00:00Z,10,a,0", "2,2026-03-02T12:00:00Z,20.5,b,1"]
BAD = ["3,2026-03-02,5,[red]b,0", "2,2026-03-02T12:00:00Z,5,b,0", "5,2026-03-02T12:00:00Z,-5,b,0", "6,x"]


def check(folder: Path, lines: list[str], *options: str) -> Result:
    (folder / "mine.toml").write_text(SPEC)
    (folder / "p.csv").write_text("\n".join(lines) + "\n")
    return CliRunner().invoke(command, [str(folder / "p.csv"), *options])


def test_a_clean_file_ends_with_0(tmp_path: Path) -> None:
    got = check(tmp_path, GOOD, "--spec", str(tmp_path / "mine.toml"))
    assert got.exit_code == 0
    for said in ("2 good, 0 bad", "2026-03-01 12:00:00Z to 2026-03-02", "median 15.25", "1 of 2 known, 50.00%"):
        assert said in got.stdout
    assert "known at once" in got.stdout
    assert "[label] known_after" in got.stdout
    assert "No problems." in got.stdout


def test_bad_rows_are_told_put_aside_and_end_with_1(tmp_path: Path) -> None:
    side = tmp_path / "bad.csv"
    got = check(tmp_path, GOOD + BAD, "--spec", str(tmp_path / "mine.toml"), "--bad", str(side))
    assert got.exit_code == 1
    assert "2 good, 4 bad" in got.stdout
    for said in ("at, in row 3", "id, in row 4", "amount, in row 5", "the row itself, in row 6", "say its zone"):
        assert said in got.stdout
    assert len(side.read_text().splitlines()) == 5
    assert "\x1b[" not in got.stdout  # no colours in a pipe


def test_without_a_spec_it_guesses_and_says_so(tmp_path: Path) -> None:
    got = check(tmp_path, GOOD)
    assert got.exit_code == 0
    assert "a guess, as no ready spec fits" in got.stdout
    assert "account = account" in got.stdout


def test_the_starter_is_a_spec_that_reads_the_file(tmp_path: Path) -> None:
    text = check(tmp_path, GOOD, "--starter").stdout
    (tmp_path / "first.toml").write_text(text)
    again = CliRunner().invoke(command, [str(tmp_path / "p.csv"), "--spec", str(tmp_path / "first.toml")])
    assert (again.exit_code, "No problems." in again.stdout) == (0, True)


def test_a_refusal_is_a_tocsin_error(tmp_path: Path) -> None:
    got = check(tmp_path, GOOD, "--spec", "handbook")
    assert isinstance(got.exception, BadInput)
    with pytest.raises(BadInput, match="TRANSACTION_ID"):
        raise got.exception


def test_rates_are_used(tmp_path: Path) -> None:
    (tmp_path / "rates.toml").write_text('base = "EUR"\n[rates]\nUSD = 0.5\n')
    (tmp_path / "c.toml").write_text(SPEC.replace('label = "label"', 'currency = "ccy"'))
    path = tmp_path / "c.csv"
    path.write_text("id,at,amount,account,ccy\n1,2026-03-01T12:00:00Z,10,a,USD\n")
    options = [str(path), "--spec", str(tmp_path / "c.toml")]
    assert CliRunner().invoke(command, options).exit_code == 1
    got = CliRunner().invoke(command, [*options, "--rates", str(tmp_path / "rates.toml")])
    assert (got.exit_code, "largest 5.00" in got.stdout) == (0, True)


def test_what_a_guess_took_for_granted_is_said(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    rows = ["1,2026-03-01T12:00:00,10,a,0", "2,2026-03-02T12:00:00,20.5,b,1", "3,2026-03-03T12:00:00,5,b,maybe"]
    path.write_text("\n".join(["id,at,amount,account,label", *rows]) + "\n")
    said = " ".join(CliRunner().invoke(command, [str(path)]).stdout.split())
    assert 'zone = "UTC" (where did the clock stand?)' in said
    assert 'unknown = ["maybe"] (what do these mean?)' in said
    assert 'known_after = "7d"' in said


def test_a_file_of_column_names_only_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("id,at,amount,account\n")
    got = CliRunner().invoke(command, [str(tmp_path / "h.csv")])
    assert isinstance(got.exception, BadInput)
    assert "only the names of its columns" in str(got.exception)
