"""How much fraud of which kind the made world holds, when it strikes, whom, and with what tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tocsin.data.world_rows import NOBODY, Floats, Ints, Rows

if TYPE_CHECKING:
    from tocsin.data.world import WorldSettings
    from tocsin.data.world_life import Land


@dataclass(frozen=True, slots=True)
class Fraud:
    """A kind of fraud: its share of all fraudulent payments, whether it grows (> 0) or fades, how late it is known."""

    share: float
    slope: float
    days_until_known: float
    about: str


FRAUDS: dict[str, Fraud] = {
    "card_testing": Fraud(0.18, -1.2, 9, "a stolen card tried with small amounts, then emptied"),
    "takeover": Fraud(0.11, 0.8, 6, "an account taken over with a new device and address"),
    "borrowed_rhythm": Fraud(0.09, 0.3, 16, "an account used by another person; only the rhythm differs"),
    "telling_order": Fraud(0.12, 0.3, 14, "a card used in a telling order of retailers; each payment ordinary"),
    "impossible_travel": Fraud(0.08, -0.6, 7, "a copied card used far away within the hour"),
    "compromised_retailer": Fraud(0.13, 0.0, 11, "copied cards used at one retailer for some weeks"),
    "mule_ring": Fraud(0.08, 0.5, 20, "stolen money passed on inside a ring that shares devices and addresses"),
    "authorised_push": Fraud(0.05, 1.5, 12, "an owner persuaded to pay a new payee"),
    "structuring": Fraud(0.05, 0.0, 30, "amounts kept just below a reporting threshold"),
    "fan_in": Fraud(0.04, 0.0, 30, "many accounts pay one collector within days"),
    "fan_out": Fraud(0.04, 0.0, 30, "one account pays many within days"),
    "cycle": Fraud(0.03, 0.0, 35, "money that comes back to where it began"),
}
FRAUD_KINDS: tuple[str, ...] = tuple(FRAUDS)


@dataclass(frozen=True, slots=True)
class Episodes:
    """A run of episodes of one kind; :meth:`mark` writes the planted truth into their rows."""

    code: int
    first: int

    def mark(self, made: Rows, episode: Ints, ring: Ints | None = None) -> Rows:
        """The rows with their kind of fraud, their episode (counted over the whole world) and, if any, their ring."""
        return made.tagged(truth=self.code, episode=self.first + episode, ring=NOBODY if ring is None else ring)


@dataclass(slots=True)
class Plan:
    """Fraudulent payments wanted of each kind, how the kinds drift, and the episodes given out so far."""

    quota: dict[str, int]
    drift: float
    given: int = 0

    def slope(self, kind: str) -> float:
        """How steeply a kind grows (or fades) over the months, as the log of last day over first day."""
        return FRAUDS[kind].slope * self.drift

    def begin(self, kind: str, episodes: int) -> Episodes:
        """Number so many new episodes of a kind."""
        first = self.given
        self.given += episodes
        return Episodes(FRAUD_KINDS.index(kind), first)


def make_plan(settings: WorldSettings) -> Plan:
    """Share the fraudulent payments out among the kinds, each getting at least a few."""
    total = sum(fraud.share for fraud in FRAUDS.values())
    wanted = settings.transactions * settings.fraud_rate
    return Plan({k: max(round(wanted * f.share / total), 4) for k, f in FRAUDS.items()}, settings.drift)


def sizes_for(rng: np.random.Generator, quota: int, low: int, high: int) -> Ints:
    """Sizes of episodes, ``low`` to ``high`` payments each, that add up to the quota (the last may be shorter)."""
    sizes = rng.integers(low, high + 1, quota // low + 1)
    ends = np.cumsum(sizes)
    n = int(np.searchsorted(ends, quota)) + 1
    sizes = sizes[:n]
    sizes[-1] -= int(ends[n - 1]) - quota
    return np.asarray(sizes)


def strike_days(rng: np.random.Generator, days: int, n: int, slope: float) -> Ints:
    """Days on which episodes begin, exponentially more (or fewer) of them as the months pass."""
    curve = np.cumsum(np.exp(slope * np.arange(days) / days))
    return np.searchsorted(curve / curve[-1], rng.random(n))


def victims(rng: np.random.Generator, land: Land, n: int, slope: float, day: Ints | None = None) -> tuple[Ints, Ints]:
    """Whom fraud strikes and on which day: accounts open for two weeks at least, companies seldom."""
    people = land.people
    day = strike_days(rng, land.calendar.days, n, slope) if day is None else day
    private = people.by_opening[~people.company[people.by_opening]]
    old_enough = np.searchsorted(people.opened[private], day - 14)
    return private[(np.maximum(old_enough, 1) * rng.random(n)).astype(np.int64)], day


@dataclass(frozen=True, slots=True)
class Thieves:
    """Gangs and their tools: a few devices and addresses each, changed every third of the span, used again and again."""

    devices: Ints = field(repr=False)  # [gangs, seasons, tools]
    ips: Ints = field(repr=False)

    def tools(self, rng: np.random.Generator, land: Land, episode: Ints, at: Floats) -> tuple[Ints, Ints, Ints]:
        """Device, address and apparent city for each row; the same inside one episode."""
        gangs, seasons, many = self.devices.shape
        episodes = int(episode.max()) + 1 if len(episode) else 0
        gang = rng.integers(0, gangs, episodes)[episode]
        season = np.minimum((at / land.calendar.seconds * seasons).astype(np.int64), seasons - 1)
        device = self.devices[gang, season, rng.integers(0, many, episodes)[episode]]
        ip = self.ips[gang, season, rng.integers(0, many, episodes)[episode]]
        # Some hide in the crowd: a mobile carrier's address, which a hundred honest people share.
        hidden = (rng.random(episodes) < 0.3)[episode]
        ip = np.where(hidden, land.people.carrier[rng.integers(0, len(land.people), episodes)[episode]], ip)
        near = rng.integers(0, land.places.home, episodes)
        anywhere = rng.integers(0, len(land.places.latitude), episodes)
        return device, ip, np.where(rng.random(episodes) < 0.7, near, anywhere)[episode]


def make_thieves(land: Land) -> Thieves:
    """As many gangs as the world can feed."""
    gangs = max(3, land.settings.accounts // 300)
    shape = (gangs, 3, 10)
    size = gangs * 3 * 10
    return Thieves(land.stock.draw("device", size).reshape(shape), land.stock.draw("ip", size).reshape(shape))
