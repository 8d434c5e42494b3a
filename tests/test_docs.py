"""A missing document is a failing test, and so is a document that is no longer true."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import msgspec
import pytest

from tocsin import errors, spec
from tocsin.app import Settings
from tocsin.cli.main import VERBS
from tocsin.data.times import epoch_lines
from tocsin.errors import TocsinError
from tocsin.grammar import STATISTICS
from tocsin.ledger import Ledger, now
from tocsin.live import Cards, Limits, Service, routes
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


@pytest.mark.parametrize("where", ["[time]", "[money]", "[label]", "[memory]", "[history]", "[[join]]", "[[stage]]"])
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
        if find_spec(f"tocsin.cli.{verb}") is None:  # test_every_verb_is_there says so
            continue
        command = import_module(f"tocsin.cli.{verb}").command
        yield verb, command
        if isinstance(command, click.Group):
            for name, sub in command.commands.items():
                yield f"{verb} {name}", sub


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_is_there(verb: str) -> None:
    assert isinstance(import_module(f"tocsin.cli.{verb}").command, click.Command)


COMMANDS = list(commands())
COMMANDS_PAGE = ROOT / "docs" / "commands.md"


def part(name: str) -> str:
    """What docs/commands.md says of a verb, or of a verb under a verb."""
    return section(COMMANDS_PAGE.read_text(encoding="utf-8"), f"`tocsin {name}`")


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_is_documented_with_an_example(name: str) -> None:
    examples = [text for kind, text in blocks(part(name)) if kind == "sh"]
    assert any(re.search(rf"^(\w+=\S+ )*tocsin {name}\b", text, re.MULTILINE) for text in examples)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_is_documented_and_no_other(name: str, command: click.Command) -> None:
    options = {
        opt for p in command.params if isinstance(p, click.Option) and not p.hidden for opt in p.opts if opt[:2] == "--"
    } - {"--help"}
    assert first_options(part(name)) == options


def first_options(text: str) -> set[str]:
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `--")]
    return {word for row in rows for word in re.findall(r"`(--[\w-]+)", row)}


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_help_says_what_it_does_and_the_verbs_show_an_example(name: str, command: click.Command) -> None:
    assert command.help
    assert len(command.help.split("\n")[0]) > 10
    if " " not in name:
        assert re.search(r"^ *Examples?:$", command.help, re.MULTILINE)
        assert f"tocsin {name}" in command.help
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help, f"{param.opts} says nothing"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_example_uses_options_that_exist(name: str, command: click.Command) -> None:
    known = {opt for p in command.params for opt in [*p.opts, *p.secondary_opts]} | {"--help", "-h"}
    shown = [text for kind, text in blocks(part(name)) if kind == "sh"] + [command.help or ""]
    for text in shown:
        for line in re.findall(rf"^\s*tocsin {name}\b([^|>#\n]*)", text.replace("\\\n", " "), re.MULTILINE):
            unknown = {word.split("=")[0] for word in line.split() if word.startswith("--")} - known
            if not (isinstance(command, click.Group) and unknown):
                assert not unknown, line


def test_every_word_of_the_environment_is_documented() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "tocsin").rglob("*.py"))
    words = set(re.findall(r'"(TOCSIN_[A-Z]+)"', source))
    assert words >= {"TOCSIN_CACHE", "TOCSIN_WEIGHTS", "TOCSIN_OFFLINE"}
    assert first_column(section(COMMANDS_PAGE.read_text(encoding="utf-8"), "Words of the environment")) == words


# --- the service -----------------------------------------------------------------------------------------------------

SERVICE_PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default() -> None:
    rows = [line.split("|") for line in section(SERVICE_PAGE, "Settings").splitlines() if line.startswith("| `")]
    documented = {row[1].strip(" `"): row[3].strip(" `") for row in rows}
    settings = {f.name: f.default for f in msgspec.structs.fields(Settings)}
    assert documented.keys() == settings.keys()
    for name, default in settings.items():
        assert documented[name] == said(default), name


def said(default: object) -> str:
    """A default as a settings file would write it."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float) and default.is_integer():
        return str(int(default))
    return str(default) or "empty"


def test_every_route_is_documented(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    service = Service(
        ledger, tmp_path / "memory", cards=Cards(b"k" * 32), rates=Rates("EUR"), limits=Limits(), clock=now
    )
    there = {
        f"{method} {re.sub(r':path', '', route.path)}"
        for route in routes(service)
        for method in route.methods or ()
        if method != "HEAD"
    }
    documented = set(re.findall(r"^\| `((?:GET|POST) [^`]+)`", SERVICE_PAGE, re.MULTILINE))
    ledger.close()
    assert documented == there


def test_every_refusal_is_documented() -> None:
    """Damaged is told to the owner, not to a caller."""
    statuses = {
        str(kind.status) for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TocsinError)
    }
    documented = set(re.findall(r"^\| (\d{3}) \|", section(SERVICE_PAGE, "Refusals"), re.MULTILINE))
    assert documented == statuses - {"500"}


# --- every page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        link = next(filter(None, target))
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), link
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    """The anchors GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


def test_every_page_names_the_pinned_pytorch() -> None:
    (pinned,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    named = [
        (page.name, version) for page in PAGES for version in re.findall(r"torch==([\d.]+\d)", page.read_text("utf-8"))
    ]
    assert named
    assert {version for _, version in named} == {pinned}, named


RUN = [
    (page, text) for page in PAGES for kind, text in blocks(page.read_text(encoding="utf-8")) if kind == "python run"
]


@pytest.mark.parametrize(("page", "text"), RUN, ids=[f"{p.stem}-{i}" for i, (p, _) in enumerate(RUN)])
def test_every_block_that_says_it_runs_does(
    page: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(text, str(page), "exec"), {"__name__": "__docs__"})


def test_some_blocks_run() -> None:
    """So that renaming the mark cannot switch the test off unseen."""
    assert len(RUN) >= 1


MODULES = sorted((ROOT / "src" / "tocsin").rglob("*.py"))
EXAMPLES = [m for m in MODULES if ">>> " in m.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_every_example_in_a_docstring_runs(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert (result.failed, result.attempted > 0) == (0, True)
