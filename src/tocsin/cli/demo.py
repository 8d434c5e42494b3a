"""``tocsin demo``: the whole story in one command, on a made world."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tocsin.app import Settings, open_ledger
from tocsin.cli.demo_days import Days, Post, fraud_kinds, make_days
from tocsin.cli.demo_found import Lesson, find, learn_from, say, show
from tocsin.cli.demo_past import keep_past
from tocsin.cli.demo_proof import prove
from tocsin.cli.demo_stream import Client, Played, Served, play
from tocsin.data.world import MADE, STEPS, WorldSettings
from tocsin.desk import Actor, Role
from tocsin.desk.access import first_admin
from tocsin.desk.people import add_person
from tocsin.desk.web.doors import WELCOME
from tocsin.errors import BadInput
from tocsin.ledger import Ledger, keys, microseconds, models, moment, now

_LAST_HOURS = timedelta(hours=8)
"""How much of the stream is kept for when somebody looks at the desk."""
_PORT = Settings().port
_ANALYST = Actor("ana", Role.ANALYST)


@dataclass(frozen=True, slots=True)
class _Way:
    """What was asked for."""

    transactions: int
    months: int
    seed: int
    ends: datetime
    port: int
    once: bool
    minutes: float
    browse: bool


@click.command()
@click.option("--transactions", default=200_000, show_default=True, help="Payments of the made world.")
@click.option("--months", default=6, show_default=True, help="Months they span.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another world.")
@click.option("--until", type=click.DateTime(), help="The moment (UTC) at which the made world ends; now if not given.")
@click.option("--data", type=click.Path(path_type=Path), help="An empty folder to keep it all in; else thrown away.")
@click.option("--port", default=_PORT, show_default=True, help="Where to listen; 0 takes any free port.")
@click.option("--minutes", default=5.0, show_default=True, help="How long the last eight hours are played for.")
@click.option("--open", "browse", is_flag=True, help="Open the desk in the browser.")
@click.option("--once", is_flag=True, help="End by itself, and check that everything came out as it must.")
def command(
    transactions: int,
    months: int,
    seed: int,
    until: datetime | None,
    data: Path | None,
    port: int,
    minutes: float,
    browse: bool,
    once: bool,
) -> None:
    """The whole story: a made world, a model, a live stream, the desk.

    Makes a world of payments, learns from its past, says what it found, serves, plays the last days through the API with
    a key of its own, and leaves the desk open with alerts coming in until Ctrl-C.

    \b
    Example:
      tocsin demo
      tocsin demo --once --transactions 20000
    """
    ends = now() if until is None else until.replace(tzinfo=UTC)
    if ends > now():
        raise BadInput(
            "the made world must end now or earlier; a service takes no payment of the future.", field="--until"
        )
    way = _Way(transactions, months, seed, ends, 0 if once and port == _PORT else port, once, minutes, browse)
    if data is not None and data.exists() and any(data.iterdir()):
        raise BadInput(f"the demo needs an empty folder; {data} has something in it.", field="--data")
    with nullcontext(data) if data is not None else tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            _tell(way, Path(folder))
        except KeyboardInterrupt:
            click.echo("\nThe demo has ended" + (f"; to go on: tocsin serve --data {data}" if data else "."), err=True)


def _tell(way: _Way, folder: Path) -> None:
    """The story, from nothing to the desk."""
    out, began = Console(highlight=False), time.monotonic()
    out.print(f"[bold]{MADE}[/bold]")
    settings = Settings(folder=folder, port=way.port, zone=WorldSettings().zone)
    with closing(open_ledger(settings)) as ledger:
        with _bars() as bars:
            days = _make(way, folder, bars)
            lesson = _learn(days, folder, bars)
            key, link = _prepare(ledger, lesson, days, bars)
        out.print(lesson.said)
        out.print(show(lesson.found))
        out.print(f"On the {lesson.found.days:.0f} newest days of the past, never looked at: {say(lesson.found)}\n")
        with Served(settings) as served, closing(Client(served.host, served.port, key)) as client:
            cut = len(days.posts) if way.once else _cut(days)
            played = _go_live(served, client, lesson, days, cut, out)
            if way.once:
                prove(ledger, client, _ANALYST, link, lambda line: out.print(f"[green]✓[/green] {line}"))
                out.print(f"Everything came out as it must, in {time.monotonic() - began:.0f} s.")
                return
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops it, it tidies up
            _show_the_way(out, served, link, began, way.browse)
            with _bars() as bars:
                _play(
                    client, days.posts[cut:], played, bars, "the last hours, as they come", lasting_s=way.minutes * 60
                )
            out.print("The stream has ended; the desk stays open until Ctrl-C.")
            while True:
                time.sleep(1)


def _go_live(served: Served, client: Client, lesson: Lesson, days: Days, cut: int, out: Console) -> Played:
    """Wait until the service is ready, check what it remembers, play the days up to the cut, say how it went."""
    played = Played()
    with _bars() as bars:
        with _bar(bars, "serving: the memory is rebuilt from the ledger") as told:
            served.wait(lambda problem: told(problem, 0.0))
        _check_memory(client, lesson, out)
        _play(client, days.posts[:cut], played, bars, f"playing {days.days_played:.1f} days through the API")
    _say_played(out, lesson, days, played)
    return played


def _make(way: _Way, folder: Path, bars: Progress) -> Days:
    with _bar(bars, "making a world") as told:
        return make_days(
            folder,
            transactions=way.transactions,
            months=way.months,
            seed=way.seed,
            ends=way.ends,
            on_step=lambda step: told("", STEPS.index(step) / len(STEPS)),
        )


def _learn(days: Days, folder: Path, bars: Progress) -> Lesson:
    with _bar(bars, f"learning from {days.payments:,} payments") as told:
        return learn_from(days, folder, told)


def _prepare(ledger: Ledger, lesson: Lesson, days: Days, bars: Progress) -> tuple[str, str]:
    """The past into the ledger, the model in force, a key for the stream, two people; the key and ana's link."""
    with _bar(bars, "keeping the past in the ledger") as told:
        keep_past(ledger, days.past, lesson.stream, lambda share: told("", share))
    at = now()
    token = first_admin(ledger, at=at)
    assert token is not None, "a new ledger has nobody in it"
    link = add_person(ledger, Actor("admin", Role.ADMIN), at=at, name=_ANALYST.name, role=_ANALYST.role)
    with ledger.write() as connection:
        path, version = str(lesson.model.resolve()), lesson.version
        models.activate(connection, version=version, path=path, fingerprint=version, actor="tocsin demo", at=at)
        return keys.new(connection, "demo", at=at, actor="tocsin demo"), link


def _check_memory(client: Client, lesson: Lesson, out: Console) -> None:
    """What the service remembers after replay must be what learning remembered, to the bit."""
    state = client.answer("GET", "/v1/memory")
    if state["fingerprint"] != lesson.memory:
        raise click.ClickException("the memory rebuilt from the ledger must equal the one that learned; it does not.")
    out.print(f"The memory rebuilt from the ledger equals the one that learned, to the bit ({lesson.memory[:12]}).")


def _play(
    client: Client, posts: list[Post], played: Played, bars: Progress, what: str, *, lasting_s: float = 0.0
) -> None:
    with _bar(bars, what) as told:

        def tell(done: int) -> None:
            when = moment(posts[done - 1].at).strftime("%a %H:%M")
            told(f"{what}: {when} UTC, {len(played.alerts)} alerts", done / len(posts))

        play(client, posts, played, tell, lasting_s=lasting_s)


def _say_played(out: Console, lesson: Lesson, days: Days, played: Played) -> None:
    """What happened live, beside what was found before, and how long the answers took."""
    if not played.actions:
        return
    kinds = fraud_kinds(days.planted, played.actions)
    rang = np.array([action != "approve" for action in played.actions.values()])
    live = find(kinds, rang, days.days_played)
    out.print(show(lesson.found, live))
    seconds = np.array(played.seconds) * 1000
    out.print(
        f"Live: {len(played.actions):,} payments answered, one a request, in {np.median(seconds):.1f} ms "
        f"(99 of 100 within {np.quantile(seconds, 0.99):.1f} ms); {say(live)}"
    )


def _cut(days: Days) -> int:
    """How many posts come before the last hours."""
    late = microseconds(days.ends - _LAST_HOURS)
    return int(np.searchsorted([post.at for post in days.posts], late))


def _show_the_way(out: Console, served: Served, link: str, began: float, browse: bool) -> None:
    """The last lines: the address and the sign-in."""
    address = f"{served.address}{WELCOME}{link}"
    out.print(f"\nReady after {time.monotonic() - began:.0f} s. Alerts are coming in; stop with Ctrl-C.")
    out.print(f"The desk:          [bold]{served.address}[/bold]   (the API: {served.address}/v1/docs)")
    out.print(f"Sign in, once, as {_ANALYST.name}: [bold]{address}[/bold]", soft_wrap=True)
    if browse:
        click.launch(address)


def _bars() -> Progress:
    columns = SpinnerColumn(finished_text="[green]✓[/green]"), TextColumn("{task.description}"), BarColumn(24)
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))


@contextmanager
def _bar(bars: Progress, what: str) -> Iterator[Callable[[str, float], None]]:
    """One line of progress: called with words (or none) and a share from 0 to 1; full when left."""
    task = bars.add_task(what, total=1.0)

    def told(words: str, share: float) -> None:
        bars.update(task, description=words or what, completed=min(share, 0.999))  # full only when it is done

    yield told
    bars.update(task, description=what, completed=1.0)
