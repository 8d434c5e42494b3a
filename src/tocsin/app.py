"""Settings and wiring: the one file that knows everything. It constructs; it holds no rule."""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tocsin.desk.web import Desk
from tocsin.desk.web import routes as desk_routes
from tocsin.errors import BadInput, NotFound, TocsinError
from tocsin.ledger import Ledger, backup, now
from tocsin.ledger.store import Clock
from tocsin.live import Cards, Limits, Predictor, Service, routes
from tocsin.live.answers import refusal
from tocsin.money import Rates

PREFIX = "TOCSIN_"
_OWN_MACHINE = ("127.0.0.1", "::1", "localhost")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything an owner may set: in ``settings.toml``, as ``TOCSIN_NAME`` in the environment, or as a flag.

    Parameters
    ----------
    folder : the data folder: ledger, memory, secrets.
    ledger : a database URL; SQLite in the data folder when empty.
    durability : what an answer survives with SQLite: ``process`` a killed process, ``power`` a power cut too.
    host, port : where to listen.
    currency, rates : the base currency, or a rates file that names it.
    zone : the IANA zone in which the desk shows times.
    https : people reach the desk over https even if ``host`` is this machine, because something stands before it.
    public : the address at which people reach the desk, such as ``https://desk.bank.example``; links begin with it.
    trusted_proxies : addresses and networks, by commas, whose word counts on whom a request comes from; none by default.
    models : directories, by commas, each a model of classes or holding some; their folders' names are their names.
    The rest are :class:`tocsin.live.Limits`, with their units in their names; ``ahead_h`` below 0 takes any time.
    """

    folder: Path = Path("tocsin-data")
    ledger: str = ""
    durability: Literal["process", "power"] = "process"
    host: str = "127.0.0.1"
    port: int = 8477
    currency: str = "EUR"
    rates: str = ""
    zone: str = "UTC"
    https: bool = False
    public: str = ""
    trusted_proxies: str = ""
    deadline_ms: int = 1_000
    largest_body: int = 4 << 20
    most_lines: int = 10_000
    rate: float = 50_000.0
    burst: float = 100_000.0
    most_waiting: int = 20_000
    ahead_h: float = 24.0
    due_in_h: float = 24.0
    snapshot_every_s: float = 300.0
    models: str = ""
    predict_deadline_ms: int = 10_000
    largest_example: int = 16 << 20
    most_predicting: int = 32

    @property
    def address(self) -> str:
        """Where people find the desk, without a slash at the end."""
        plain = f"{'https' if self.https else 'http'}://{self.host}:{self.port}"
        return self.public.rstrip("/") or plain

    @property
    def proxies(self) -> list[str]:
        """The trusted addresses and networks.

        Raises
        ------
        BadInput : one is neither; "*" is not, because then anybody could say to be anybody.
        """
        named = [one.strip() for one in self.trusted_proxies.split(",") if one.strip()]
        for one in named:
            try:
                ip_network(one)
            except ValueError as error:
                raise BadInput(
                    f"must be IP addresses or networks, separated by commas; got {one!r}.",
                    field="trusted_proxies",
                    hint="Write the proxy's own address, such as 10.0.0.7 or 10.0.0.0/28.",
                ) from error
        return named

    @property
    def limits(self) -> Limits:
        """The limits of the live service."""
        return Limits(
            deadline=timedelta(milliseconds=self.deadline_ms),
            largest_body=self.largest_body,
            most_lines=self.most_lines,
            rate=self.rate,
            burst=self.burst,
            most_waiting=self.most_waiting,
            ahead=timedelta(hours=self.ahead_h) if self.ahead_h >= 0 else None,
            due_in=timedelta(hours=self.due_in_h),
            snapshot_every=timedelta(seconds=self.snapshot_every_s),
            predict_deadline=timedelta(milliseconds=self.predict_deadline_ms),
            largest_example=self.largest_example,
            most_predicting=self.most_predicting,
        )

    @property
    def places(self) -> tuple[Path, ...]:
        """Where the models of classes lie."""
        return tuple(Path(one.strip()) for one in self.models.split(",") if one.strip())


def read_settings(path: Path | None = None, *, environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Flags over environment over file over defaults; a flag that is ``None`` was not given.

    Parameters
    ----------
    path : a settings file; without one ``settings.toml`` in the data folder, if it is there.

    Raises
    ------
    BadInput : a name that does not exist or a value of the wrong kind.
    """
    env = os.environ if environment is None else environment
    names = Settings.__struct_fields__
    given: dict[str, Any] = {n: env[PREFIX + n.upper()] for n in names if PREFIX + n.upper() in env}
    given |= {name: value for name, value in flags.items() if value is not None}
    if path is None:
        usual = Path(given.get("folder", Settings().folder)) / "settings.toml"
        path = usual if usual.is_file() else None
    elif not path.is_file():
        raise NotFound(f"there is no settings file at {path}.", field="settings")
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise BadInput(f"a settings file must be TOML: {error}.", field=str(path)) from error
    try:
        return msgspec.convert(values | given, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        raise BadInput(
            f"{message}.", field=where.rstrip("`") or "settings", hint=f"Names: {', '.join(names)}."
        ) from None


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of these settings, with its tables made if it is new."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ledger = Ledger(settings.ledger or settings.folder / backup.LEDGER, durability=settings.durability)
    ledger.create()
    return ledger


def card_key(folder: Path) -> bytes:
    """The key that turns card numbers into tokens; made at the first start, readable by the owner only.

    Raises
    ------
    BadInput : the file is there but has no key of 64 hexadecimal digits.
    """
    path = folder / backup.SECRETS
    if not path.is_file():
        _make_card_key(path)
    try:
        key = bytes.fromhex(tomllib.loads(path.read_text(encoding="utf-8"))["card_key"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        key = b""
    if len(key) != 32:
        raise BadInput(
            f"{path} must hold card_key, 64 hexadecimal digits.", field="card_key", hint="Restore it from a backup."
        )
    return key


def console_user() -> str:
    """Who gives a command on this machine, for the audit; a number where the machine has no name for them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container that runs as whatever number it was given
        return f"uid {os.getuid()}"


def _make_card_key(path: Path) -> None:
    """Whole or not at all; of two that start at once one makes it and both read the same."""
    draft = path.with_name(f".{path.name}-{token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(
            f'# Without this key the cards in the ledger cannot be recognised again.\ncard_key = "{token_hex(32)}"\n'
        )
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def make_service(settings: Settings, ledger: Ledger, *, clock: Clock = now) -> Service:
    """The live service, not yet started."""
    rates = Rates.load(settings.rates) if settings.rates else Rates(settings.currency)
    cards = Cards(card_key(settings.folder))
    return Service(
        ledger, settings.folder / backup.MEMORY, cards=cards, rates=rates, limits=settings.limits, clock=clock
    )


def build(settings: Settings, *, clock: Clock = now) -> Starlette:
    """One application: the live service at ``/v1``, the desk at ``/``; its lifespan starts and stops the service."""
    ledger = open_ledger(settings)
    service = make_service(settings, ledger, clock=clock)
    predictor = Predictor(settings.places, settings.limits)
    # Over plain HTTP a browser keeps a secure cookie only when it talks to its own machine, and not every browser does.
    secure = settings.address.startswith("https:") or settings.host not in _OWN_MACHINE
    desk = Desk(
        ledger,
        clock=clock,
        currency=service.door.rates.base,
        zone=settings.zone,
        secure_cookies=secure,
        address=settings.public.rstrip("/"),
    )

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        service.start()
        predictor.start()
        yield
        predictor.stop()
        service.stop()
        ledger.close()

    proxies = settings.proxies
    app = Starlette(
        routes=[*routes(service, predictor), *desk_routes(desk)],
        middleware=[Middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)] if proxies else [],
        lifespan=life,
        exception_handlers={TocsinError: _refuse, HTTPException: _refuse_http},
    )
    app.state.service = service
    return app


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, TocsinError)
    return refusal(error)


async def _refuse_http(request: Request, error: Exception) -> Response:
    """What the router refuses: JSON for services, plain words for people."""
    assert isinstance(error, HTTPException)
    if not request.url.path.startswith("/v1"):
        return PlainTextResponse(error.detail, error.status_code, headers=error.headers)
    problem = msgspec.json.encode({"error": f"{error.detail}.", "hint": "GET /v1/docs lists what there is."})
    return Response(problem, error.status_code, headers=error.headers, media_type="application/json")
