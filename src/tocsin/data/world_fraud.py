"""Fraud on cards and accounts in the made world: each kind leaves its own mark, and honest life leaves some like it."""

from __future__ import annotations

import numpy as np

from tocsin.data.world_laundering import Rings, mule_of
from tocsin.data.world_life import (
    TELLING_ORDER,
    Land,
    errand_gaps,
    moment,
    ordering,
    price,
    retailer_in,
    sending,
    shopping,
    whereabouts,
)
from tocsin.data.world_people import ABROAD, IS_ONLINE, KIND_OF, far_cities
from tocsin.data.world_plan import Plan, Thieves, sizes_for, victims
from tocsin.data.world_rows import (
    NOBODY,
    ONLINE,
    SECONDS_A_DAY,
    SHOP,
    TRANSFER,
    Ints,
    Rows,
    cents,
    join,
    kilometres,
    rows,
    running,
    spread,
)
from tocsin.schema import KIND_CODE, Kind

_TRIAL_KINDS: Ints = np.array([KIND_OF[k] for k in ("digital_goods", "gaming", "streaming")])
# What stolen cards are emptied on; the favourite moves on as the months pass.
_LOOT_KINDS: Ints = np.array([KIND_OF[k] for k in ("marketplace", "fashion_online", "gaming", "airline")])

# Whose hours a thief of each habit's account keeps: two habits far from it (office, early, evening, night, retired).
_OTHER_HABITS: Ints = np.array([[3, 2], [2, 3], [1, 4], [0, 4], [3, 2]])


def test_and_empty(rng: np.random.Generator, land: Land, plan: Plan, thieves: Thieves) -> Rows:
    """A stolen card is tried with small amounts within minutes, then emptied with large ones."""
    sizes = sizes_for(rng, plan.quota["card_testing"], 5, 11)
    account, day = victims(rng, land, len(sizes), plan.slope("card_testing"))
    group, place = spread(sizes)
    trials = np.minimum(rng.integers(2, 6, len(sizes)), np.maximum(sizes - 2, 1))[group]
    trying = place < trials
    gap = np.exp(rng.normal(np.log(np.where(trying, 140, 1500)), 0.9))
    at = (day * SECONDS_A_DAY + rng.uniform(0, SECONDS_A_DAY, len(day)))[group] + running(gap, group)
    season = np.minimum((at / land.calendar.seconds * 3).astype(np.int64), 2)
    loot = _LOOT_KINDS[np.where(rng.random(len(at)) < 0.6, season, rng.integers(0, len(_LOOT_KINDS), len(at)))]
    kind = np.where(trying, rng.choice(_TRIAL_KINDS, len(at)), loot)
    small = cents(rng.uniform(0.5, 4.0, len(at)))
    large = cents(np.exp(rng.normal(np.log(160), 0.7, len(at))))
    device, ip, city = thieves.tools(rng, land, group, at)
    # A shop on the internet does not always pass the device on.
    device = np.where(rng.random(len(at)) < land.settings.device_unknown_rate, NOBODY, device)
    paid = rows(
        at,
        account=account[group],
        card=land.people.cards[account, 0][group],
        device=device,
        ip=ip,
        city=city,
        retailer=retailer_in(rng, land, city, kind, account[group] + 7919),
        amount=np.where(trying, small, large),
        channel=ONLINE,
    )
    return plan.begin("card_testing", len(sizes)).mark(paid, group)


def take_over(rng: np.random.Generator, land: Land, plan: Plan, thieves: Thieves, rings: Rings) -> Rows:
    """Someone else signs in from a new device and address, changes the password, adds a payee, sends the money away."""
    sizes = sizes_for(rng, plan.quota["takeover"], 2, 4)
    account, day = victims(rng, land, len(sizes), plan.slope("takeover"))
    n = len(sizes)
    start = day * SECONDS_A_DAY + rng.uniform(0, SECONDS_A_DAY, n)
    device, ip, city = thieves.tools(rng, land, np.arange(n), start)
    payee, ring = mule_of(rng, land, rings, start)
    group, _ = spread(sizes)
    wait = np.exp(rng.normal(np.log(5400), 1.0, n))
    at = start[group] + wait[group] + running(np.exp(rng.normal(np.log(2400), 1.0, len(group))), group)
    euros = np.exp(rng.normal(np.log(420), 0.8, len(group))) * land.people.wealth[account][group]
    paid = rows(
        at,
        account=account[group],
        device=device[group],
        ip=ip[group],
        city=city[group],
        payee=payee[group],
        amount=cents(euros),
        channel=TRANSFER,
    )
    episodes = plan.begin("takeover", n)
    made = [episodes.mark(paid, group, ring[group])]
    for kind, after, chance in (
        (Kind.SIGN_IN, 0.0, 1.0),
        (Kind.PASSWORD_CHANGE, 0.2, 0.6),
        (Kind.NEW_DEVICE, 0.1, 0.7),
        (Kind.NEW_PAYEE, 0.9, 0.85),
    ):
        event = rows(
            start + wait * after,
            kind=KIND_CODE[kind],
            account=account,
            device=device,
            ip=ip,
            city=city,
            payee=payee if kind is Kind.NEW_PAYEE else NOBODY,
        )
        made.append(episodes.mark(event, np.arange(n), ring).take(rng.random(n) < chance))
    return join(made)


def borrow_rhythm(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """The account's own device, address, retailers and amounts; only the hours and the gaps are another person's."""
    sizes = sizes_for(rng, plan.quota["borrowed_rhythm"], 6, 11)
    account, day = victims(rng, land, len(sizes), plan.slope("borrowed_rhythm"))
    other = _OTHER_HABITS[land.people.habit[account], rng.integers(0, 2, len(account))]
    # A stranger of another habit: borrowed from an account that has it, hour by hour.
    strangers = rng.integers(0, len(land.people), (len(account), 64))
    match = np.argmax(land.people.habit[strangers] == other[:, None], axis=1)
    stranger = strangers[np.arange(len(account)), match]
    group, place = spread(sizes)
    days = day[group] + place // 3
    fits = days < land.calendar.days
    at = moment(rng, land, stranger[group], np.minimum(days, land.calendar.days - 1), np.zeros(len(group), np.bool_))
    kind = rng.choice(np.flatnonzero(IS_ONLINE), len(group))
    acted = ordering(rng, land, at, account[group], kind)
    return plan.begin("borrowed_rhythm", len(sizes)).mark(acted, group).take(fits)


def follow_order(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """A stolen card goes round the shops in one telling order; each payment by itself is the owner's kind of payment."""
    sizes = sizes_for(rng, plan.quota["telling_order"], 5, 8)
    account, day = victims(rng, land, len(sizes), plan.slope("telling_order"))
    city, moving = whereabouts(land, account, day)
    group, place = spread(sizes)
    kind = np.array(TELLING_ORDER)[place % len(TELLING_ORDER)]
    at = moment(rng, land, account, day, moving)[group] + running(errand_gaps(rng, len(group)), group)
    paid = shopping(rng, land, at, account[group], kind, city[group])
    return plan.begin("telling_order", len(sizes)).mark(paid, group)


def be_in_two_places(rng: np.random.Generator, land: Land, plan: Plan, spent: Rows) -> Rows:
    """A copy of a card is used far away within the hour after its owner paid in a shop: no plane is that fast."""
    sizes = sizes_for(rng, plan.quota["impossible_travel"], 2, 4)
    seen = np.flatnonzero((spent["channel"] == SHOP) & (spent["city"] >= 0))
    if not len(seen) or not len(sizes):
        return rows(np.empty(0))
    owner = spent.take(rng.choice(seen, len(sizes)))
    here, places = owner["city"], land.places
    far = rng.choice(far_cities(places, 1500.0), len(sizes))
    apart = kilometres(places.latitude[here], places.longitude[here], places.latitude[far], places.longitude[far])
    overseas = places.home + [c[0] for c in ABROAD].index("US")
    far = np.where(apart > 1400.0, far, np.where(here == overseas, 0, overseas))
    group, _ = spread(sizes)
    start = owner["at"] + rng.uniform(600, 3000, len(sizes))
    at = start[group] + running(rng.uniform(400, 2600, len(group)), group)
    kinds = np.array([KIND_OF[k] for k in ("clothing", "electronics", "cash_machine", "jewellery", "restaurant")])
    kind = rng.choice(kinds, len(group))
    paid = shopping(rng, land, at, owner["account"][group].astype(np.int64), kind, far[group])
    paid = paid.tagged(card=owner["card"][group])
    return plan.begin("impossible_travel", len(sizes)).mark(paid, group)


def compromise_retailer(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """For some weeks copied cards are used at one retailer, with prices like its others."""
    shops, calendar = land.retailers, land.calendar
    sizes = sizes_for(rng, plan.quota["compromised_retailer"], 12, 26)
    usable = np.flatnonzero((shops.city != NOBODY) & (shops.city < land.places.home) & ~IS_ONLINE[shops.kind])
    shop = rng.choice(usable, len(sizes))
    length = np.minimum(rng.integers(28, 60, len(sizes)), max(calendar.days - 2, 1))
    first = (rng.random(len(sizes)) * np.maximum(calendar.days - length, 1)).astype(np.int64)
    group, _ = spread(sizes)
    day = first[group] + (rng.random(len(group)) * length[group]).astype(np.int64)
    account, _ = victims(rng, land, len(group), 0.0, day=day)
    at = moment(rng, land, account, day, np.zeros(len(group), np.bool_))
    kind = shops.kind[shop][group]
    paid = rows(
        at,
        account=account,
        card=land.people.cards[account, 0],
        city=shops.city[shop][group],
        retailer=shop[group],
        amount=(price(rng, land, account, kind, at) * rng.uniform(1.0, 2.2, len(group))).astype(np.int64),
        channel=SHOP,
    )
    return plan.begin("compromised_retailer", len(sizes)).mark(paid, group)


def persuade(rng: np.random.Generator, land: Land, plan: Plan, rings: Rings) -> Rows:
    """A caller persuades the owner to pay: own device, own hours, a new payee, round and growing amounts."""
    sizes = sizes_for(rng, plan.quota["authorised_push"], 1, 3)
    account, day = victims(rng, land, len(sizes), plan.slope("authorised_push"))
    older = land.people.habit[account] == 4
    again, day_2 = victims(rng, land, len(sizes), plan.slope("authorised_push"))
    swap = ~older & (rng.random(len(sizes)) < 0.5)
    account, day = np.where(swap, again, account), np.where(swap, day_2, day)
    _, moving = whereabouts(land, account, day)
    start = moment(rng, land, account, day, moving)
    payee, ring = mule_of(rng, land, rings, start)
    group, place = spread(sizes)
    at = start[group] + running(np.exp(rng.normal(np.log(60_000), 0.8, len(group))), group)
    euros = np.exp(rng.normal(np.log(800), 0.8, len(sizes)))[group] * 1.5**place * land.people.wealth[account][group]
    paid = sending(rng, land, at, account[group], payee[group], np.maximum(np.rint(euros / 50) * 50, 50))
    paid = plan.begin("authorised_push", len(sizes)).mark(paid, group, ring[group])
    first = paid.take((place == 0) & (rng.random(len(group)) < 0.9))
    told = first.tagged(
        kind=KIND_CODE[Kind.NEW_PAYEE],
        at=first["at"] - rng.uniform(60, 2400, len(first)),
        amount=0,
        channel=NOBODY,
    )
    return join([paid, told])
