"""A missing document is a failing test, and so is a document that is no longer true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from tocsin import spec
from tocsin.cli.main import VERBS
from tocsin.data.times import epoch_lines
from tocsin.grammar import STATISTICS
from tocsin.money import Rates
from tocsin.schema import ACCOUNT_EVENTS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
SPEC_PAGE = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(what follows the fence, what stands in it)."""
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield match[1].strip(), match[2]


def section(text: str, title: str) -> str:
    """What stands under a heading that begins so, up to the next heading."""
    match = re.search(rf"^(#+) {re.escape(title)}[^\n]*\n(.*?)(?=^#{{1,3}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"there is no heading {title!r}"
    return match[2]


def first_column(text: str) -> set[str]:
    """Every word in backquotes in the first column of the tables."""
    return {
        word
        for line in text.splitlines()
        if line.startswith("| `")
        for word in re.findall(r"`(\w+)`", line.split("|")[1])
    }


# --- the spec --------------------------------------------------------------------------------------------------------


def keys_read(where: str) -> set[str]:
    """The keys a table of the spec knows, as its refusal of an unknown one is built from."""
    source = (ROOT / "src" / "tocsin" / "spec.py").read_text(encoding="utf-8")
    match = re.search(rf'_only\(\w+, \{{([^}}]*)\}}, "{re.escape(where)}"\)', source)
    assert match, where
    return set(re.findall(r'"(\w+)"', match[1]))


@pytest.mark.parametrize("where", ["[time]", "[money]", "[label]", "[memory]", "[[join]]", "[[stage]]"])
def test_every_key_of_the_spec_is_documented(where: str) -> None:
    assert first_column(section(SPEC_PAGE, f"`{where}`")) == keys_read(where)


def test_every_word_of_columns_is_documented() -> None:
    documented = first_column(section(SPEC_PAGE, "`[columns]`"))
    assert documented == set(spec._ROLES)
    for event in ACCOUNT_EVENTS:
        assert f"`{event}`" in section(SPEC_PAGE, "`[columns]`")


def test_every_statistic_is_documented_and_nothing_else() -> None:
    assert first_column(section(SPEC_PAGE, "The statistics")) == set(STATISTICS)


def test_every_ready_spec_is_documented() -> None:
    assert first_column(section(SPEC_PAGE, "Ready specs")) == set(spec.ready())


WORDS = [
    *("account", "card", "device", "ip", "latitude", "longitude", "country", "retailer", "retailer_kind"),
    *("payee", "channel", "credit_score", "social_event", "label", "kind"),
]
PRELUDE = '[columns]\nat = "t"\namount = "a"\n' + "\n".join(f'{w} = "{w}"' for w in WORDS) + "\n"


@pytest.mark.parametrize("text", [b for kind, b in blocks(SPEC_PAGE) if kind == "toml"])
def test_every_example_of_a_spec_can_be_read(text: str) -> None:
    spec.parse(text if "[columns]" in text else PRELUDE + text)


def test_the_example_of_rates_can_be_read(tmp_path: Path) -> None:
    (text,) = (b for kind, b in blocks(SPEC_PAGE) if kind == "toml rates")
    (tmp_path / "rates.toml").write_text(text)
    assert Rates.load(tmp_path / "rates.toml").to_base(1000, "JPY") == 610


def test_the_units_named_for_times_are_read() -> None:
    for unit in re.findall(r'`"(\d+\w+)"`', section(SPEC_PAGE, "`[time]`")):
        assert spec.parse(PRELUDE + f'[time]\nunit = "{unit}"').time.unit
    assert epoch_lines(1.7e12)[1] == 'unit = "1ms"'


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every verb and every verb under a verb, as it is typed."""
    for verb in VERBS:
        command = import_module(f"tocsin.cli.{verb}").command
        yield verb, command
        if isinstance(command, click.Group):
            for name, sub in command.commands.items():
                yield f"{verb} {name}", sub
