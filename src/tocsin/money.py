"""Money that must add up: whole minor units, one base currency, and the rates that lead to it.

A rates file is TOML and says on which day it was true::

    base = "EUR"
    date = 2026-03-01

    [rates]            # one unit of the currency is so many units of the base
    USD = 0.92
    JPY = 0.0061

It knows no market and fetches nothing: whoever owns the money owns the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.schema import exponent_of


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit of each currency is worth in the base currency, on one day.

    Parameters
    ----------
    base : ISO 4217 code of the currency everything is added up in; its own rate is 1.
    of : currency -> units of the base, exact.
    day : the day the rates were true, ``None`` when nobody said.
    """

    base: str
    of: Mapping[str, Fraction] = field(default_factory=dict)
    day: date | None = None

    @classmethod
    def load(cls, path: str | Path) -> Rates:
        """Read a rates file.

        Raises
        ------
        BadInput : the file is not there, is no TOML, or a currency or a rate in it is wrong.
        """
        try:
            tables = tomllib.loads(Path(path).read_text(encoding="utf-8"), parse_float=Decimal)
        except OSError as error:
            raise BadInput(f"a rates file must be readable; {path} is not: {error.strerror}.", field="rates") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"a rates file must be TOML: {error}.", field="rates") from error
        unknown = sorted(set(tables) - {"base", "date", "rates"})
        if unknown or not isinstance(tables.get("base"), str) or not isinstance(tables.get("rates", {}), dict):
            got = f"the key {unknown[0]!r}" if unknown else "another shape"
            raise BadInput(
                f"a rates file must have base, date and a table [rates]; got {got}.",
                field="rates",
                hint='Write base = "EUR", date = 2026-03-01 and under [rates] lines such as USD = 0.92.',
            )
        day = tables.get("date")
        if day is not None and not isinstance(day, date):
            raise BadInput(f"must be a day such as 2026-03-01, without quotes; got {day!r}.", field="rates.date")
        exponent_of(tables["base"])
        return cls(tables["base"], {c: _rate(c, r) for c, r in tables.get("rates", {}).items()}, day)

    def knows(self, currency: str) -> bool:
        """Whether an amount in this currency can be turned into the base currency."""
        return currency == self.base or currency in self.of

    def to_base(self, amount_minor: int, currency: str) -> int:
        """Whole minor units of ``currency`` as whole minor units of the base; halves go to the even neighbour.

        Raises
        ------
        BadInput : there is no rate for the currency.

        Examples
        --------
        >>> Rates("EUR", {"JPY": Fraction("0.0061")}).to_base(1000, "JPY")    # 1000 yen: 6.10 euros
        610
        """
        return round(amount_minor * self._factor(currency))

    def all_to_base(self, amount_minor: NDArray[np.int64], currency: str) -> NDArray[np.int64]:
        """:meth:`to_base` for many amounts of one currency, equal to the last unit; int64[n] -> int64[n]."""
        factor = self._factor(currency)
        if factor == 1:
            return amount_minor
        top, bottom = factor.numerator, factor.denominator
        biggest = int(np.abs(amount_minor).max(initial=0))
        exact = amount_minor if biggest * top < 2**62 and bottom < 2**61 else amount_minor.astype(object)
        whole, rest = exact * top // bottom, exact * top % bottom
        up = (2 * rest > bottom) | ((2 * rest == bottom) & (whole % 2 == 1))
        return np.asarray(whole + up, dtype=np.int64)

    def _factor(self, currency: str) -> Fraction:
        if currency == self.base:
            return Fraction(1)
        if currency not in self.of:
            raise BadInput(
                f"there must be a rate from {currency[:12]!r} to {self.base}; the rates have "
                f"{', '.join(sorted(self.of)) or 'none'}.",
                field="currency",
                hint=f"Add a line such as {currency[:3]} = 0.92 under [rates].",
            )
        return self.of[currency] * Fraction(10) ** (exponent_of(self.base) - exponent_of(currency))


def _rate(currency: str, value: object) -> Fraction:
    exponent_of(currency)
    exact = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal("NaN")
    if not exact.is_finite() or not 0 < exact < 10**9:
        raise BadInput(
            f"a rate must be a number above 0: how many units of the base one unit is worth; got {value!r}.",
            field=f"rates.{currency}",
        )
    return Fraction(exact)
