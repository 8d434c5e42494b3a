"""What the pages stand on: the ledger, the clock, and how money and times are written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2

from tocsin.desk.web import sums, words
from tocsin.errors import BadInput
from tocsin.ledger import Ledger, now
from tocsin.schema import exponent_of

HERE = Path(__file__).parent
STATIC = HERE / "static"


class Desk:
    """The analysts' desk on one ledger.

    Parameters
    ----------
    ledger : where everything is.
    clock : what time it is; tests bring their own.
    currency : the base currency, in which money at stake is said.
    zone : the IANA time zone in which times are shown (they are kept in UTC).
    secure_cookies : whether the browser may send the session over https only; false for a machine of one's own.
    address : where people find the desk, such as ``https://desk.bank.example``; by default whatever they asked for.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime] = now,
        currency: str = "EUR",
        zone: str = "UTC",
        secure_cookies: bool = True,
        address: str = "",
    ) -> None:
        exponent_of(currency)
        self.ledger = ledger
        self.clock = clock
        self.currency = currency
        self.zone = _zone(zone)
        self.secure_cookies = secure_cookies
        self.address = address

    def render(self, template: str, at: datetime, context: Mapping[str, Any]) -> str:
        """A page in words; ``at`` is the moment all its relative times are measured from."""
        return (
            _templates()
            .get_template(template)
            .render(
                **context,
                about=lambda minor: words.about(minor, self.currency),
                ago=lambda when: words.span((at - when).total_seconds()),
                clock=lambda when: words.clock(when, at, self.zone),
                due=lambda when: words.due(when, at),
                exact=lambda when: words.exact(when, self.zone),
                hour=lambda when: words.when(when, at, self.zone),
            )
        )


@cache
def _templates() -> jinja2.Environment:
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals.update(
        static=_addresses().__getitem__,
        bars=lambda score: words.bars(score.base, score.stages),
        count=words.count,
        add_up=sums.add_up,
        foremost=sums.foremost,
    )
    pages.filters.update(money=words.money, iso=words.iso, odds=words.odds, short=words.short, unbroken=words.unbroken)
    return pages


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadInput(
            f"a zone must be one of the IANA list; got {name[:40]!r}.",
            field="zone",
            hint="Such as Europe/Paris or UTC.",
        ) from error


def _addresses() -> dict[str, str]:
    """Each static file's address, with a piece of its fingerprint, so that a new version is never an old one cached."""
    files = (path for path in STATIC.rglob("*") if path.is_file())
    return {
        (name := path.relative_to(STATIC).as_posix()): (
            f"/static/{name}?{blake2b(path.read_bytes(), digest_size=4).hexdigest()}"
        )
        for path in files
    }
