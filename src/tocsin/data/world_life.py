"""What honest people of the made world do: shopping, paying, travelling, changing phones; and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tocsin.data.world_people import (
    CONTACTS,
    IS_ONLINE,
    KIND_OF,
    MEDIAN,
    OFTEN,
    SIGMA,
    TRIPS,
    Calendar,
    People,
    Places,
    Retailers,
    Stock,
    days_of,
    free_days,
    hours_of,
)
from tocsin.data.world_rows import (
    CASH,
    NOBODY,
    ONLINE,
    SECONDS_A_DAY,
    SHOP,
    TRANSFER,
    Flags,
    Floats,
    Ints,
    Rows,
    cents,
    join,
    rows,
    running,
    spread,
)
from tocsin.schema import KIND_CODE, Kind

if TYPE_CHECKING:
    from tocsin.data.world import WorldSettings

TELLING_ORDER: tuple[int, ...] = tuple(KIND_OF[k] for k in ("fuel", "pharmacy", "electronics", "cafe"))
"""The order in which a stolen card is used; honest people visit the same kinds in all other orders."""

SOCIAL_EVENTS: tuple[str, ...] = ("house_move", "new_job", "job_loss", "birth", "bereavement", "festival")
_SOCIAL_A_YEAR: Floats = np.array([0.08, 0.12, 0.05, 0.03, 0.04, 0.6])
_SMALL_KINDS: Ints = np.array([KIND_OF["digital_goods"], KIND_OF["gaming"]])


@dataclass(frozen=True, slots=True)
class Land:
    """Everything that stands before anything happens."""

    settings: WorldSettings
    calendar: Calendar
    places: Places
    retailers: Retailers
    people: People
    stock: Stock


def whereabouts(land: Land, account: Ints, day: Ints) -> tuple[Ints, Flags]:
    """The city an account's owner is in on a day, and whether they travel that day (out or back)."""
    people = land.people
    city, moving = people.city[account], np.zeros(len(account), dtype=np.bool_)
    for trip in range(TRIPS):
        start, end = people.trip_from[account, trip], people.trip_to[account, trip]
        away = (start <= day) & (day < end)
        city = np.where(away, people.trip_city[account, trip], city)
        moving |= (day == start) | (day == end)
    return city, moving


def moment(rng: np.random.Generator, land: Land, account: Ints, day: Ints, moving: Flags) -> Floats:
    """When on that day, by habit; a day of travel begins at noon, so that honest people stay below a plane's speed."""
    people, n = land.people, len(account)
    weekend = free_days(land.calendar)[day]
    second = hours_of(people.habit[account], weekend, people.shift[account], rng.random(n), rng.random(n))
    odd = rng.random(n) < 0.03
    second = np.where(odd, rng.uniform(0, SECONDS_A_DAY, n), second)
    return np.asarray(day * SECONDS_A_DAY + np.where(moving, SECONDS_A_DAY / 2 + second / 2, second), dtype=np.float64)


def instruments(rng: np.random.Generator, land: Land, account: Ints, day: Ints) -> tuple[Ints, Ints]:
    """The device and the IP address an account's owner uses on a day: the phone or the laptop; home, work or mobile."""
    people, n = land.people, len(account)
    phone = people.devices[account, (day >= people.new_phone[account]).astype(np.int64)]
    device = np.where(rng.random(n) < 0.22, people.devices[account, 2], phone)
    home = people.home_ip[account, (day >= people.new_line[account]).astype(np.int64)]
    which = rng.random(n)
    ip = np.where(which < 0.55, home, np.where(which < 0.85, people.carrier[account], people.work_ip[account]))
    return device, ip


def retailer_in(rng: np.random.Generator, land: Land, city: Ints, kind: Ints, account: Ints) -> Ints:
    """A retailer of that kind in that city (online kinds: on the internet); people have favourites."""
    shops = land.retailers
    cell = np.where(IS_ONLINE[kind], len(shops.first) - 1, city)
    count = shops.count[cell, kind]
    favourite = (account * 2_654_435_761 + kind * 40_503) % 1_000_003 % count
    other = (count * rng.random(len(kind)) ** 2).astype(np.int64)
    return shops.first[cell, kind] + np.where(rng.random(len(kind)) < 0.65, favourite, np.minimum(other, count - 1))


def price(rng: np.random.Generator, land: Land, account: Ints, kind: Ints, at: Floats) -> Ints:
    """What someone of this wealth pays at this kind of retailer, in cents; prices rise a little over the months."""
    rise = 1 + 0.05 * land.settings.drift * at / land.calendar.seconds
    euros = MEDIAN[kind] * np.exp(SIGMA[kind] * rng.normal(size=len(kind))) * land.people.wealth[account] * rise
    note = kind == KIND_OF["cash_machine"]
    return np.where(note, cents(np.maximum(np.rint(euros / 10) * 10, 10)), cents(euros))


def kinds_for(rng: np.random.Generator, account: Ints, *, online: bool) -> Ints:
    """Kinds of retailer as this account chooses them: half the time one of its own favourite kinds."""
    often = OFTEN * (online == IS_ONLINE)
    curve = np.cumsum(often) / often.sum()
    taste = account * 4 + rng.integers(0, 4, len(account))  # four favourite kinds an account, by a fixed hash
    own = taste * 2_654_435_761 % 2**32 / 2**32
    u = np.where(rng.random(len(account)) < 0.5, own, rng.random(len(account)))
    return np.minimum(np.searchsorted(curve, u), len(curve) - 1)


def shopping(rng: np.random.Generator, land: Land, at: Floats, account: Ints, kind: Ints, city: Ints) -> Rows:
    """Payments by card in a shop, or cash from a machine."""
    own = land.people.cards[account, (rng.random(len(account)) < 0.25).astype(np.int64)]
    return rows(
        at,
        account=account,
        card=own,
        city=city,
        retailer=retailer_in(rng, land, city, kind, account),
        amount=price(rng, land, account, kind, at),
        channel=np.where(kind == KIND_OF["cash_machine"], CASH, SHOP),
    )


def ordering(rng: np.random.Generator, land: Land, at: Floats, account: Ints, kind: Ints) -> Rows:
    """Payments by card on the internet, from one's own device."""
    day = np.clip((at // SECONDS_A_DAY).astype(np.int64), 0, land.calendar.days - 1)
    city, _ = whereabouts(land, account, day)
    tunnel = rng.random(len(at)) < land.settings.tunnel_rate
    city = np.where(tunnel, rng.integers(0, len(land.places.latitude), len(at)), city)
    device, ip = instruments(rng, land, account, day)
    return rows(
        at,
        account=account,
        card=land.people.cards[account, 0],
        device=device,
        ip=ip,
        city=city,
        retailer=retailer_in(rng, land, city, kind, account),
        amount=price(rng, land, account, kind, at),
        channel=ONLINE,
    )


def sending(rng: np.random.Generator, land: Land, at: Floats, account: Ints, payee: Ints, euros: Floats) -> Rows:
    """Transfers to a payee from one's own device."""
    day = np.clip((at // SECONDS_A_DAY).astype(np.int64), 0, land.calendar.days - 1)
    city, _ = whereabouts(land, account, day)
    device, ip = instruments(rng, land, account, day)
    return rows(
        at, account=account, device=device, ip=ip, city=city, payee=payee, amount=cents(euros), channel=TRANSFER
    )


def make_shopping(rng: np.random.Generator, land: Land, n: int) -> Rows:
    """Outings of one to five shops, ``n`` payments in all."""
    sizes = rng.choice(np.arange(1, 6), max(int(n / 1.6) + 50, 1), p=[0.60, 0.22, 0.10, 0.05, 0.03])
    account, day = _accounts_and_days(rng, land, len(sizes), tilt=-0.3 * land.settings.drift)
    city, moving = whereabouts(land, account, day)
    stray = rng.random(len(account)) < land.settings.stray_rate
    city = np.where(stray, rng.integers(0, len(land.places.latitude), len(account)), city)
    start = moment(rng, land, account, day, moving)
    group, _ = spread(sizes)
    at = start[group] + running(np.exp(rng.normal(np.log(2100), 0.7, len(group))), group)
    kind = kinds_for(rng, account[group], online=False)
    return _cut(rng, shopping(rng, land, at, account[group], kind, city[group]), n)


def make_errands(rng: np.random.Generator, land: Land, outings: int) -> Rows:
    """Honest twins of the telling order: the same kinds of retailer, as many, as fast, in other orders."""
    account, day = _accounts_and_days(rng, land, outings)
    city, moving = whereabouts(land, account, day)
    sizes = rng.integers(5, 9, outings)
    group, place = spread(sizes)
    blocks = np.argsort(rng.random((outings, 2, len(TELLING_ORDER))), axis=2).reshape(outings, -1)
    kind = np.array(TELLING_ORDER)[blocks[group, place]]
    at = moment(rng, land, account, day, moving)[group] + running(errand_gaps(rng, len(group)), group)
    return shopping(rng, land, at, account[group], kind, city[group])


def errand_gaps(rng: np.random.Generator, n: int) -> Floats:
    """Seconds between the shops of one round of errands, honest or not."""
    return np.exp(rng.normal(np.log(2700), 0.6, n))


def make_orders(rng: np.random.Generator, land: Land, n: int) -> Rows:
    """Payments on the internet; now and then a run of small ones within minutes, as in a game."""
    sizes = np.where(rng.random(n + 20) < 0.96, 1, rng.integers(3, 8, n + 20))
    account, day = _accounts_and_days(rng, land, len(sizes), tilt=0.5 * land.settings.drift)
    _, moving = whereabouts(land, account, day)
    group, _ = spread(sizes)
    at = moment(rng, land, account, day, moving)[group] + running(
        np.exp(rng.normal(np.log(150), 0.8, len(group))), group
    )
    kind = kinds_for(rng, account[group], online=True)
    kind = np.where(sizes[group] > 1, rng.choice(_SMALL_KINDS, len(sizes))[group], kind)
    return _cut(rng, ordering(rng, land, at, account[group], kind), n)


def make_transfers(rng: np.random.Generator, land: Land, n: int) -> Rows:
    """Transfers to regular payees, and to new ones (a builder, a used car); the new payee is announced first."""
    people = land.people
    account, day = _accounts_and_days(rng, land, n)
    _, moving = whereabouts(land, account, day)
    at = moment(rng, land, account, day, moving)
    payee = people.contacts[account, (CONTACTS * rng.random(n) ** 1.6).astype(np.int64)]
    fresh = rng.random(n) < land.settings.new_payee_rate
    anyone = rng.integers(0, len(people) + land.settings.external_payees, n)
    payee = np.where(fresh | (payee == account), anyone, payee)
    payee = np.where(payee == account, (payee + 1) % len(people), payee)
    big = fresh & (rng.random(n) < 0.3)
    euros = np.exp(rng.normal(np.log(np.where(big, 1300, 75)), np.where(big, 0.8, 0.9)))
    euros = np.where(rng.random(n) < 0.4, np.maximum(np.rint(euros / 10) * 10, 5), euros) * people.wealth[account]
    sent = sending(rng, land, at, account, payee, euros)
    first = np.flatnonzero(fresh & (rng.random(n) < 0.85))
    told = rows(
        at[first] - rng.uniform(40, 3000, len(first)),
        kind=KIND_CODE[Kind.NEW_PAYEE],
        account=account[first],
        device=sent["device"][first],
        ip=sent["ip"][first],
        payee=payee[first],
    )
    return join([sent, told])


def make_regular(rng: np.random.Generator, land: Land) -> Rows:
    """Salaries at the month's end (a company pays many: honest fan-out) and rents at its beginning."""
    people, calendar = land.people, land.calendar
    months = max(calendar.days // 30, 1)
    month = np.repeat(np.arange(months), len(people))
    everyone = np.tile(np.arange(len(people)), months)
    alive = people.opened[everyone] < month * 30 + 25
    paid = alive & (people.employer[everyone] >= 0)
    worker, payday = everyone[paid], month[paid] * 30 + 26 + (people.employer[everyone[paid]] % 3)
    boss = people.employer[worker]
    minute = 9 * 3600 + rng.uniform(0, 600, len(worker))
    keep = payday < calendar.days
    salaries = sending(
        rng, land, (payday * SECONDS_A_DAY + minute)[keep], boss[keep], worker[keep], people.income[worker[keep]]
    )
    renting = alive & ~people.company[everyone] & (everyone % 9 < 4)
    tenant = everyone[renting]
    at = (month[renting] * 30 + rng.integers(0, 3, len(tenant))) * SECONDS_A_DAY + 6 * 3600
    rent = np.rint(people.income[tenant] * 0.3 / 10) * 10
    rents = sending(rng, land, at + rng.uniform(0, 900, len(at)), tenant, people.contacts[tenant, 0], rent)
    return join([salaries, rents.take((at < calendar.seconds) & (rents["payee"] != tenant))])


def make_collections(rng: np.random.Generator, land: Land, n: int) -> Rows:
    """Honest fan-in: a club, a shared holiday, a present; many pay one within days, and some money goes back."""
    people = land.people
    sizes = rng.integers(5, 18, max(n // 11, 1) + 1)
    treasurer, day = _accounts_and_days(rng, land, len(sizes))
    group, _ = spread(sizes)
    member = rng.integers(0, len(people), len(group))
    due = np.exp(rng.normal(np.log(60), 1.0, len(sizes)))[group] * rng.choice([1.0, 1.0, 1.0, 0.5], len(group))
    days = np.minimum(day[group] + rng.integers(0, 6, len(group)), land.calendar.days - 1)
    _, moving = whereabouts(land, member, days)
    at = moment(rng, land, member, days, moving)
    back = rng.random(len(group)) < 0.15
    payer, payee = np.where(back, treasurer[group], member), np.where(back, member, treasurer[group])
    fine = (payer != payee) & (people.opened[payer] < days)
    return _cut(rng, sending(rng, land, at[fine], payer[fine], payee[fine], np.rint(due[fine]) + 1), n)


def make_business(rng: np.random.Generator, land: Land, n: int) -> Rows:
    """Companies pay each other in working hours: large amounts, some just below a reporting threshold, by chance."""
    people = land.people
    firms = np.flatnonzero(people.company)
    payer = rng.choice(firms, n)
    partner = firms[(np.searchsorted(firms, payer) + rng.integers(1, 4, n)) % len(firms)]
    outside = rng.integers(len(people), len(people) + max(land.settings.external_payees, 1), n)
    payee = np.where((rng.random(n) < 0.5) | (partner == payer), outside, partner)
    day = days_of(land.calendar, np.zeros(n, np.int64), rng.random(n))
    euros = np.exp(rng.normal(np.log(2300), 1.15, n))
    euros = np.where(rng.random(n) < 0.3, np.maximum(np.rint(euros / 100) * 100, 50), euros)
    return sending(rng, land, day * SECONDS_A_DAY + rng.uniform(8, 18, n) * 3600, payer, payee, euros)


def make_resettling(rng: np.random.Generator, land: Land) -> Rows:
    """Honest twins of a takeover: a new phone, and within the day money to a new payee."""
    people, days = land.people, land.calendar.days
    owner = np.flatnonzero((people.new_phone < days - 1) & (people.opened <= people.new_phone))
    owner = owner[rng.random(len(owner)) < 0.6]
    at = (people.new_phone[owner] + 1) * SECONDS_A_DAY + rng.uniform(8, 22, len(owner)) * 3600
    payee = len(people) + rng.integers(0, land.settings.external_payees, len(owner))
    payee = np.where(
        rng.random(len(owner)) < 0.5, payee, (owner + rng.integers(1, len(people), len(owner))) % len(people)
    )
    euros = np.exp(rng.normal(np.log(350), 0.9, len(owner))) * people.wealth[owner]
    sent = sending(rng, land, at, owner, payee, euros).tagged(device=people.devices[owner, 1])
    told = sent.tagged(
        kind=KIND_CODE[Kind.NEW_PAYEE], at=at - rng.uniform(60, 2000, len(at)), amount=0, channel=NOBODY, city=NOBODY
    )
    return join([sent, told])


def blur(rng: np.random.Generator, land: Land, honest: Rows) -> Rows:
    """What makes honest people look new: cleared cookies, hotel networks, shops that do not pass the device on."""
    settings, stock = land.settings, land.stock
    online, sending_out = honest["channel"] == ONLINE, honest["channel"] == TRANSFER
    device, ip = honest["device"].copy(), honest["ip"].copy()
    for column, name, rate in ((device, "device", settings.fresh_device_rate), (ip, "ip", settings.fresh_ip_rate)):
        fresh = (online & (rng.random(len(honest)) < rate)) | (sending_out & (rng.random(len(honest)) < rate / 2))
        column[fresh] = stock.draw(name, int(fresh.sum()))
    device[online & (rng.random(len(honest)) < settings.device_unknown_rate)] = NOBODY
    return honest.tagged(device=device, ip=ip)


def keep_inside(land: Land, honest: Rows) -> Rows:
    """What ran past either end of the world (an outing after the last midnight) happened a day earlier or later."""
    at, end = honest["at"], land.calendar.seconds
    late = np.where(at >= end, at - SECONDS_A_DAY * np.ceil((at - end + 1) / SECONDS_A_DAY), at)
    return honest.tagged(at=np.where(late < 0, late + SECONDS_A_DAY, late))


def make_account_events(rng: np.random.Generator, land: Land, spent: Rows, recruits: Ints) -> Rows:
    """Sign-ins before payments and on their own, new phones, passwords, addresses, credit scores, social events.

    ``spent`` holds whatever is paid from within the bank, fraud too: a missing sign-in must not give fraud away.
    """
    people, days = land.people, land.calendar.days
    n = len(people)
    online = np.flatnonzero(spent.payments & (spent["device"] >= 0) & (rng.random(len(spent)) < 0.4))
    before = spent.take(online)
    sign_ins = rows(
        before["at"] - rng.uniform(20, 400, len(before)),
        kind=KIND_CODE[Kind.SIGN_IN],
        account=before["account"],
        device=before["device"],
        ip=before["ip"],
        city=before["city"],
        truth=before["truth"],
        episode=before["episode"],
        ring=before["ring"],
    )
    looks = _at_random(rng, land, Kind.SIGN_IN, a_year=20.0)
    passwords = _at_random(rng, land, Kind.PASSWORD_CHANGE, a_year=0.9)
    moves = _at_random(rng, land, Kind.ADDRESS_CHANGE, a_year=0.12)
    owner = np.flatnonzero(people.new_phone < days)
    when = people.new_phone[owner] * SECONDS_A_DAY + rng.uniform(7, 20, len(owner)) * 3600
    phones = rows(
        when,
        kind=KIND_CODE[Kind.NEW_DEVICE],
        account=owner,
        device=people.devices[owner, 1],
        ip=people.home_ip[owner, 0],
        city=people.city[owner],
    )
    again = phones.take(rng.random(len(owner)) < 0.35)
    resets = again.tagged(kind=KIND_CODE[Kind.PASSWORD_CHANGE], at=again["at"] + rng.uniform(30, 4000, len(again)))
    told = join(
        [sign_ins, looks, passwords, moves, phones, resets, _credit(rng, land, recruits), _social(rng, land, n)]
    )
    return told.take((told["at"] >= 0) & (told["at"] < land.calendar.seconds))


def _credit(rng: np.random.Generator, land: Land, recruits: Ints) -> Rows:
    """A credit score a quarter; those a ring will recruit stand a little lower."""
    n, quarters = len(land.people), max(land.calendar.days // 91, 1)
    level = rng.normal(650, 70, n)
    level[recruits] -= 45
    account = np.tile(np.arange(n), quarters)
    quarter = np.repeat(np.arange(quarters), n)
    score = np.clip(level[account] + rng.normal(0, 12, len(account)), 300, 850)
    at = (quarter * 91.0 + rng.integers(0, 20, len(account))) * SECONDS_A_DAY + 4 * 3600
    return rows(
        np.asarray(at, np.float64), kind=KIND_CODE[Kind.CREDIT_SCORE], account=account, credit_score=np.rint(score)
    )


def _social(rng: np.random.Generator, land: Land, n: int) -> Rows:
    many = rng.poisson(_SOCIAL_A_YEAR * n * land.calendar.days / 365)
    what = np.repeat(np.arange(len(SOCIAL_EVENTS)), many)
    at = rng.uniform(0, land.calendar.seconds, len(what))
    return rows(at, kind=KIND_CODE[Kind.SOCIAL_EVENT], account=rng.integers(0, n, len(what)), social_event=what)


def _at_random(rng: np.random.Generator, land: Land, kind: Kind, a_year: float) -> Rows:
    """Events that come by themselves, at the owner's hours and from their devices."""
    n = int(rng.poisson(a_year * len(land.people) * land.calendar.days / 365))
    account, day = _accounts_and_days(rng, land, n)
    city, moving = whereabouts(land, account, day)
    device, ip = instruments(rng, land, account, day)
    at = moment(rng, land, account, day, moving)
    return rows(at, kind=KIND_CODE[kind], account=account, device=device, ip=ip, city=city)


def _accounts_and_days(rng: np.random.Generator, land: Land, n: int, tilt: float = 0.0) -> tuple[Ints, Ints]:
    """Who acts and on which day: the brisk more often, nobody before their account is open."""
    people = land.people
    curve = np.cumsum(np.where(people.company, 0.3, people.pace))
    account, day = np.empty(0, np.int64), np.empty(0, np.int64)
    while len(account) < n:
        more = np.searchsorted(curve / curve[-1], rng.random(int((n - len(account)) * 1.15) + 20))
        then = days_of(land.calendar, people.habit[more], rng.random(len(more)), tilt)
        there = people.opened[more] <= then
        account, day = np.r_[account, more[there]], np.r_[day, then[there]]
    return account[:n], day[:n]


def _cut(rng: np.random.Generator, made: Rows, n: int) -> Rows:
    """Exactly ``n`` of the rows, at random; they were made in small excess."""
    if len(made) <= n:
        return made
    keep = np.ones(len(made), dtype=np.bool_)
    keep[rng.choice(len(made), len(made) - n, replace=False)] = False
    return made.take(keep)
