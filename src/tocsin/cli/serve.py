"""``tocsin serve``: answer every transaction."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from pathlib import Path
from shlex import quote
from typing import Any

import click
import msgspec
import uvicorn
from sqlalchemy import make_url

from tocsin.app import Settings, build, open_ledger, read_settings
from tocsin.artifact import load
from tocsin.artifact.seal import PAYMENTS, kind_of
from tocsin.desk.access import first_admin
from tocsin.desk.web.doors import WELCOME
from tocsin.errors import BadInput
from tocsin.ledger import keys, models, now
from tocsin.live.models import Models


@click.command()
@click.argument("given", metavar="[MODEL]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="A settings file.")
@click.option("--host", help="Where to listen [127.0.0.1].")
@click.option("--port", type=int, help="On which port [8477].")
@click.option(
    "--ledger", help="A database URL, such as postgresql+psycopg://...; SQLite in the data folder if not given."
)
@click.option(
    "--durability",
    type=click.Choice(["process", "power"]),
    help="What an answer survives: kill -9, or a power cut too.",
)
@click.option("--rates", type=click.Path(), help="A file of exchange rates to the base currency.")
@click.option("--currency", help="The base currency, when there is no rates file [EUR].")
@click.option("--deadline-ms", type=int, help="After so long the owner's choice is answered [1000].")
@click.option("--ahead-h", type=float, help="How far in the future a time may lie, in hours; -1 takes any [24].")
@click.option("--snapshot-every-s", type=float, help="How often the memory is written to its file [300].")
@click.option("--models", help="Directories of models of images, sound or text, by commas; new ones are found running.")
def command(given: tuple[Path, ...], settings_file: Path | None, **flags: Any) -> None:
    """Answer every transaction: approve, review or decline; with the desk.

    MODEL is put in force if another is. Without it, the model in force serves. Models of images, sound or text may be
    named too, or alone: each answers at /v1/predict/NAME, by its folder's name.

    \b
    Example:
        tocsin key new shop
        tocsin serve models/world
        curl -H "Authorization: Bearer KEY" -H "Content-Type: application/json" \\
             -d '{"id":"p1","at":"2026-03-01T12:00:00Z","amount_minor":1999,
                  "currency":"EUR","account":"a1"}' http://127.0.0.1:8477/v1/transactions
        tocsin serve models/world models/cats
        curl -H "Authorization: Bearer KEY" -H "Content-Type: image/jpeg" \\
             --data-binary @photo.jpg http://127.0.0.1:8477/v1/predict/cats
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    settings = read_settings(settings_file, **flags)
    _look_at_port(settings.host, settings.port)
    model, settings = _by_kind(given, settings)
    _prepare(settings, model, settings.address)
    app = build(settings)
    click.echo(f"Tocsin answers at {settings.address}: the desk at /, the API at /v1/docs. Stop with Ctrl-C.", err=True)
    # Two threads share the interpreter: a waiting one should get it after half a millisecond, not after five.
    sys.setswitchinterval(0.0005)
    gc.set_threshold(50_000, 20, 1_000)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # whose word counts is a setting of the application
        timeout_graceful_shutdown=5,  # a browser that listens for news would never hang up
    )


def _by_kind(given: tuple[Path, ...], settings: Settings) -> tuple[Path | None, Settings]:
    """The model of payments among those given, and the settings with the others; what they are called is said.

    Raises
    ------
    BadInput : more than one is of payments, or two of classes have one name.
    Damaged : one is no model.
    """
    payments = [path for path in given if kind_of(path) == PAYMENTS]
    if len(payments) > 1:
        raise BadInput(f"one model of payments is in force at a time; got {len(payments)}.", field="MODEL")
    others = [str(path) for path in given if path not in payments]
    settings = msgspec.structs.replace(settings, models=",".join([*settings.models.split(","), *others]).strip(","))
    names = Models(settings.places).names
    if names:
        click.echo(f"Models of classes answer at {settings.address}/v1/predict/NAME: {', '.join(names)}.", err=True)
    return (payments[0] if payments else None), settings


def _look_at_port(host: str, port: int) -> None:
    """Refuse an address that cannot be listened at before anything is promised or written.

    Raises
    ------
    BadInput : it is no port, the machine has no such address, or another program listens there.
    """
    if not 0 <= port <= 65_535:
        raise BadInput(f"a port must be 0 to 65535; got {port}.", field="port")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        said = (error.strerror or str(error)).partition(" (while")[0].lower()
        raise BadInput(
            f"must be free to listen at; {host}, port {port}, is not: {said}.",
            field="port",
            hint="Stop what listens there, or name another with --port or --host.",
        ) from None


def _prepare(settings: Settings, model: Path | None, address: str) -> None:
    """Put the named model in force, and say what is still missing."""
    ledger = open_ledger(settings)
    try:
        if model is not None:
            loaded, path = load(model), str(model.resolve())
            with ledger.write() as connection:
                there = models.current(connection)
                if there is None or (there.version, there.path) != (loaded.version, path):
                    models.activate(
                        connection,
                        version=loaded.version,
                        path=path,
                        fingerprint=loaded.version,
                        actor="tocsin serve",
                        at=now(),
                    )
        token = first_admin(ledger, at=now())
        if token is not None:
            click.echo(f"The first administrator sets a password here, once: {address}{WELCOME}{token}", err=True)
        with ledger.read() as connection:
            if not keys.in_force(connection):
                click.echo(f"No service has a key yet: `tocsin key new NAME{_same(settings)}` makes one.", err=True)
    finally:
        ledger.close()


def _same(settings: Settings) -> str:
    """The flags by which another command finds the same ledger; a password stands nowhere on a screen or in a log."""
    flags = "" if settings.folder == Settings().folder else f" --data {quote(str(settings.folder))}"
    if settings.ledger:
        there = make_url(settings.ledger).render_as_string() if "://" in settings.ledger else settings.ledger
        flags += f" --ledger {quote(there)}"
    return flags
