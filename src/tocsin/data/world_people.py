"""Who and what there is in the made world: cities, retailers, accounts with their habits, cards, phones, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from tocsin.data.world_rows import NOBODY, SECONDS_A_DAY, Flags, Floats, Ints, kilometres

if TYPE_CHECKING:
    from tocsin.data.world import WorldSettings

# kind of retailer: median euros, spread (sigma of the log), how often people go, whether it is online.
KINDS: dict[str, tuple[float, float, float, bool]] = {
    "groceries": (32.0, 0.7, 30.0, False),
    "restaurant": (28.0, 0.6, 12.0, False),
    "cafe": (6.5, 0.5, 12.0, False),
    "fuel": (52.0, 0.4, 8.0, False),
    "pharmacy": (17.0, 0.7, 6.0, False),
    "clothing": (48.0, 0.7, 6.0, False),
    "electronics": (85.0, 1.0, 3.0, False),
    "transport": (9.0, 0.9, 10.0, False),
    "hardware": (38.0, 0.9, 4.0, False),
    "jewellery": (110.0, 0.9, 1.0, False),
    "hotel": (120.0, 0.6, 1.5, False),
    "cash_machine": (100.0, 0.6, 6.0, False),
    "marketplace": (34.0, 0.9, 14.0, True),
    "digital_goods": (7.0, 0.9, 8.0, True),
    "streaming": (12.0, 0.3, 5.0, True),
    "gaming": (15.0, 1.1, 4.0, True),
    "fashion_online": (55.0, 0.7, 5.0, True),
    "airline": (190.0, 0.8, 1.2, True),
}
KIND_NAMES: tuple[str, ...] = tuple(KINDS)
KIND_OF: dict[str, int] = {name: code for code, name in enumerate(KIND_NAMES)}
MEDIAN: Floats = np.array([k[0] for k in KINDS.values()])
SIGMA: Floats = np.array([k[1] for k in KINDS.values()])
OFTEN: Floats = np.array([k[2] for k in KINDS.values()])
IS_ONLINE: Flags = np.array([k[3] for k in KINDS.values()])

# Cities abroad: country, latitude, longitude. Those of the home country are made.
ABROAD: tuple[tuple[str, float, float], ...] = (
    ("FR", 48.86, 2.35),
    ("ES", 41.39, 2.17),
    ("IT", 41.90, 12.50),
    ("GB", 51.51, -0.13),
    ("PL", 52.23, 21.01),
    ("AT", 48.21, 16.37),
    ("PT", 38.72, -9.14),
    ("GR", 37.98, 23.73),
    ("TR", 41.01, 28.98),
    ("MA", 31.63, -8.00),
    ("US", 40.71, -74.01),
    ("AE", 25.20, 55.27),
    ("TH", 13.76, 100.50),
    ("BR", -23.55, -46.63),
)
HOME_COUNTRY = "DE"
COUNTRIES: tuple[str, ...] = (HOME_COUNTRY, *(c[0] for c in ABROAD))
HOLIDAYS: tuple[tuple[int, int], ...] = ((1, 1), (1, 6), (4, 18), (4, 21), (5, 1), (5, 29), (10, 3), (12, 25), (12, 26))

# Habits of the day, by hour: office, early, evening, night, retired. Weekdays; weekends are later and flatter.
_HOURS: Floats = np.array(
    [
        [1, 0.4, 0.2, 0.2, 0.3, 1, 4, 9, 7, 4, 4, 7, 14, 9, 5, 5, 8, 16, 18, 14, 9, 6, 4, 2],
        [1, 0.5, 0.4, 2, 6, 9, 6, 5, 6, 8, 9, 8, 9, 11, 14, 14, 10, 7, 5, 4, 3, 2, 1, 1],
        [5, 3, 1.5, 0.6, 0.4, 0.4, 0.8, 1.5, 2, 3, 5, 7, 9, 9, 8, 8, 9, 10, 12, 14, 15, 14, 12, 9],
        [12, 11, 9, 8, 7, 6, 5, 4, 3, 1, 0.5, 0.4, 0.5, 1, 2, 4, 6, 7, 7, 7, 8, 9, 11, 12],
        [0.4, 0.2, 0.2, 0.2, 0.3, 0.6, 1.5, 5, 11, 15, 16, 14, 10, 7, 8, 9, 8, 6, 4, 3, 2, 1.5, 1, 0.6],
    ]
)
HABIT_SHARE: Floats = np.array([0.42, 0.14, 0.18, 0.06, 0.20])
# Monday to Sunday, how much of each habit's spending falls on the day.
_WEEK: Floats = np.array(
    [
        [0.9, 0.9, 0.95, 1.0, 1.25, 1.5, 0.7],
        [0.9, 0.95, 1.0, 1.0, 1.2, 1.4, 0.8],
        [0.8, 0.8, 0.9, 1.1, 1.5, 1.6, 1.0],
        [1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.0],
        [1.1, 1.15, 1.15, 1.1, 1.2, 0.9, 0.4],
    ]
)
TRIPS = 3
CONTACTS = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of the world: how local time becomes UTC, which days are worked, and how much of a year each carries."""

    first: date
    days: int
    offset: Ints  # seconds local time is ahead of UTC, a day
    weekday: Ints
    holiday: Flags
    bustle: Floats  # how much people buy that day, around 1

    @property
    def seconds(self) -> int:
        return self.days * SECONDS_A_DAY


@dataclass(frozen=True, slots=True)
class Retailers:
    """int[r] kind and city (``NOBODY`` online), degrees, and where each (city, kind) starts and how many it has."""

    kind: Ints
    city: Ints
    latitude: Floats
    longitude: Floats
    first: Ints  # [cities + 1, kinds]; the last row is the internet
    count: Ints


@dataclass(frozen=True, slots=True)
class Places:
    """Cities, home ones first: degrees, country code, how many are at home."""

    latitude: Floats
    longitude: Floats
    country: Ints
    home: int


@dataclass(frozen=True, slots=True)
class People:
    """One entry an account: where it lives, when it acts, what it owns. Entities are codes, days count from the first."""

    city: Ints
    habit: Ints
    shift: Floats  # hours earlier or later than the habit
    pace: Floats  # payments, relative
    wealth: Floats  # amounts, relative
    income: Floats  # euros a month
    opened: Ints  # day; negative when before the world begins
    company: Flags
    employer: Ints
    cards: Ints  # [n, 2]
    devices: Ints  # [n, 3]: the phone, the next phone, a second device
    new_phone: Ints  # day of the next phone
    home_ip: Ints  # [n, 2] before and after a new line
    new_line: Ints  # day of the new line
    work_ip: Ints
    carrier: Ints
    contacts: Ints  # [n, CONTACTS] payees
    trip_from: Ints  # [n, TRIPS] days
    trip_to: Ints
    trip_city: Ints
    by_opening: Ints  # accounts, oldest first

    def __len__(self) -> int:
        return len(self.city)


@dataclass(frozen=True, slots=True)
class Stock:
    """How many of each thing have been given out; fraudsters' phones and addresses are drawn after everybody's."""

    counts: dict[str, int]

    def draw(self, name: str, n: int) -> Ints:
        """The codes of ``n`` new things of a kind."""
        first = self.counts.get(name, 0)
        self.counts[name] = first + n
        return np.arange(first, first + n, dtype=np.int64)


def make_calendar(settings: WorldSettings) -> Calendar:
    """Every day from the first of the world, in the world's zone."""
    first = settings.start
    year, month = divmod(first.month - 1 + settings.months, 12)
    last = date(first.year + year, month + 1, min(first.day, 28))
    days = [first + timedelta(d) for d in range((last - first).days)]
    zone = ZoneInfo(settings.zone)
    offsets = [datetime(d.year, d.month, d.day, 12, tzinfo=zone).utcoffset() or timedelta(0) for d in days]
    holiday = np.array([(d.month, d.day) in HOLIDAYS for d in days])
    bustle = np.array([1.3 if d.month == 12 and d.day < 24 else 0.92 if d.month == 2 else 1.0 for d in days])
    payday = np.array([1.12 if d.day in (28, 29, 30, 31, 1, 2, 3) else 1.0 for d in days])
    eve = np.r_[holiday[1:], False]
    return Calendar(
        first,
        len(days),
        np.array([int(o.total_seconds()) for o in offsets], dtype=np.int64),
        np.array([d.weekday() for d in days], dtype=np.int64),
        holiday,
        bustle * payday * np.where(holiday, 0.45, 1.0) * np.where(eve, 1.35, 1.0),
    )


def make_places(rng: np.random.Generator, accounts: int) -> Places:
    """Made cities in the home country and the known ones abroad."""
    home = int(np.clip(accounts // 90, 5, 40))
    latitude = np.r_[rng.uniform(47.6, 54.3, home), [c[1] for c in ABROAD]]
    longitude = np.r_[rng.uniform(6.8, 14.2, home), [c[2] for c in ABROAD]]
    country = np.r_[np.zeros(home, np.int64), np.arange(1, 1 + len(ABROAD))]
    return Places(latitude, longitude, country, home)


def make_retailers(rng: np.random.Generator, places: Places, accounts: int) -> Retailers:
    """At least one retailer of each kind in each city, more in the big ones, and the internet's."""
    cities, kinds = len(places.latitude), len(KIND_NAMES)
    size = np.r_[_city_share(places.home) * places.home, np.full(cities - places.home, 0.5)]
    density = accounts / 40 / places.home
    count = np.zeros((cities + 1, kinds), dtype=np.int64)
    shops = ~IS_ONLINE
    wanted = density * size[:, None] * (OFTEN / OFTEN[shops].sum())[None, :] * 4
    count[:-1, shops] = 1 + rng.poisson(wanted)[:, shops]
    count[-1, IS_ONLINE] = 6 + int(accounts / 150)
    first = np.cumsum(count.ravel()).reshape(count.shape) - count
    cell = np.repeat(np.arange(count.size), count.ravel())
    city = cell // kinds
    lat = np.r_[places.latitude, np.nan][city] + rng.normal(0, 0.03, len(cell))
    lon = np.r_[places.longitude, np.nan][city] + rng.normal(0, 0.045, len(cell))
    return Retailers(cell % kinds, np.where(city == cities, NOBODY, city), lat, lon, first, count)


def make_people(
    rng: np.random.Generator, settings: WorldSettings, calendar: Calendar, places: Places, stock: Stock
) -> People:
    """Everybody who banks here. Households share a line, some share a phone; one account in forty is a company."""
    n = settings.accounts
    stock.draw("account", n)
    company = rng.random(n) < 0.025
    company[:3] = True
    income = np.exp(rng.normal(np.log(2300), 0.45, n))
    opened = np.where(rng.random(n) < 0.82, -rng.integers(20, 3000, n), rng.integers(0, calendar.days, n))
    city = rng.choice(places.home, n, p=_city_share(places.home))
    companies = np.flatnonzero(company)
    employer = companies[rng.zipf(1.6, n) % len(companies)]
    employer = np.where((rng.random(n) < 0.62) & ~company, employer, NOBODY)
    trip_from, trip_to, trip_city = _make_trips(rng, n, calendar, places)
    cards = stock.draw("card", n)
    second = rng.random(n) < 0.25
    cards_2 = cards.copy()
    cards_2[second] = stock.draw("card", int(second.sum()))
    return People(
        city=city,
        habit=rng.choice(len(HABIT_SHARE), n, p=HABIT_SHARE),
        shift=rng.normal(0, 0.8, n),
        pace=np.exp(rng.normal(0, 0.55, n)),
        wealth=np.sqrt(income / 2300) * np.exp(rng.normal(0, 0.2, n)) * np.where(company, 2.5, 1.0),
        income=income,
        opened=opened,
        company=company,
        employer=employer,
        cards=np.stack([cards, cards_2], axis=1),
        **_make_belongings(rng, n, calendar, city, stock),
        contacts=_make_contacts(rng, n, city, settings.external_payees, stock),
        trip_from=trip_from,
        trip_to=trip_to,
        trip_city=trip_city,
        by_opening=np.argsort(opened, kind="stable"),
    )


def hours_of(habit: Ints, weekend: Flags, shift: Floats, u: Floats, v: Floats) -> Floats:
    """The second of the day at which someone of this habit acts, from two uniform numbers a row."""
    soft = np.roll(_HOURS, 2, axis=1) * 0.6 + _HOURS * 0.4
    table = np.cumsum(np.concatenate([_HOURS, soft]), axis=1)
    table /= table[:, -1:]
    row = habit + len(_HOURS) * weekend
    # One sorted array of all the curves, each lifted by its row: a single search instead of one a row.
    hour = np.searchsorted((table + np.arange(len(table))[:, None]).ravel(), row + u) - 24 * row
    return np.asarray((np.clip(hour, 0, 23) + v + shift) % 24 * 3600, dtype=np.float64)


def days_of(calendar: Calendar, habit: Ints, u: Floats, tilt: float = 0.0) -> Ints:
    """The day on which someone of this habit acts; ``tilt`` > 0 lets it grow over the months."""
    out = np.zeros(len(u), dtype=np.int64)
    growth = 1 + tilt * (np.arange(calendar.days) / calendar.days - 0.5)
    for code in range(len(_WEEK)):
        mine = habit == code
        curve = np.cumsum(_WEEK[code, calendar.weekday] * calendar.bustle * growth)
        out[mine] = np.searchsorted(curve / curve[-1], u[mine])
    return np.clip(out, 0, calendar.days - 1)


def free_days(calendar: Calendar) -> Flags:
    """bool[days]: weekends and holidays."""
    return np.asarray((calendar.weekday >= 5) | calendar.holiday)


def far_cities(places: Places, beyond_km: float) -> Ints:
    """Cities at least so far from the middle of the home country."""
    n = len(places.latitude)
    away = kilometres(places.latitude, places.longitude, np.full(n, 51.0), np.full(n, 10.5))
    return np.flatnonzero(away > beyond_km)


def _city_share(home: int) -> Floats:
    share = 1 / (np.arange(home) + 2.0)
    return np.asarray(share / share.sum())


def _make_trips(rng: np.random.Generator, n: int, calendar: Calendar, places: Places) -> tuple[Ints, Ints, Ints]:
    """Holidays and business: about two and a half trips a year, one in two abroad."""
    shape = (n, TRIPS)
    taken = rng.random(shape) < min(0.9, 2.5 / TRIPS * calendar.days / 365)
    start = rng.integers(0, max(calendar.days - 3, 1), shape)
    length = np.minimum(1 + rng.geometric(0.16, shape), 21)
    near = rng.integers(0, places.home, shape)
    abroad = rng.integers(places.home, len(places.latitude), shape)
    city = np.where(rng.random(shape) < 0.5, near, abroad)
    return np.where(taken, start, calendar.days + 1), np.where(taken, start + length, calendar.days + 1), city


def _make_belongings(rng: np.random.Generator, n: int, calendar: Calendar, city: Ints, stock: Stock) -> dict[str, Ints]:
    """Phones and lines. One account in seven lives with its neighbour in the list, of which a third share a phone."""
    partner = np.flatnonzero(rng.random(n) < 0.14)
    partner = partner[partner > 0]
    phones, next_phones, second = (stock.draw("device", n) for _ in range(3))
    lines, next_lines = stock.draw("ip", n), stock.draw("ip", n)
    for column in (lines, next_lines):
        column[partner] = column[partner - 1]
    city[partner] = city[partner - 1]
    sharing = partner[rng.random(len(partner)) < 0.33]
    phones[sharing] = phones[sharing - 1]
    second = np.where(rng.random(n) < 0.35, second, phones)
    work = stock.draw("ip", max(n // 25, 2))
    carriers = stock.draw("ip", max(n // 30, 3))
    return {
        "devices": np.stack([phones, next_phones, second], axis=1),
        "new_phone": _some_day(rng, n, calendar, a_year=0.5),
        "home_ip": np.stack([lines, next_lines], axis=1),
        "new_line": _some_day(rng, n, calendar, a_year=0.7),
        "work_ip": rng.choice(work, n),
        "carrier": rng.choice(carriers, n),
    }


def _some_day(rng: np.random.Generator, n: int, calendar: Calendar, a_year: float) -> Ints:
    """A day in the span for those to whom it happens, and a day that never comes for the rest."""
    happens = rng.random(n) < 1 - np.exp(-a_year * calendar.days / 365)
    return np.where(happens, rng.integers(0, calendar.days, n), calendar.days + 1)


def _make_contacts(rng: np.random.Generator, n: int, city: Ints, external: int, stock: Stock) -> Ints:
    """Payees one pays again and again: mostly people of the same city who bank here too, some who do not."""
    outside = stock.draw("account", external)  # payees are codes of the same kind as accounts, beyond them
    order = np.argsort(city, kind="stable")
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    near = rng.integers(1, min(40, n), (n, CONTACTS)) * rng.choice([-1, 1], (n, CONTACTS))
    inside = order[(rank[:, None] + near) % n]
    return np.where(rng.random((n, CONTACTS)) < 0.6, inside, rng.choice(outside, (n, CONTACTS)))
