"""Laundering in the made world: rings of mules, amounts under a threshold, fans and cycles between accounts of the bank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tocsin.data.world_life import Land, sending
from tocsin.data.world_plan import Plan, sizes_for, strike_days
from tocsin.data.world_rows import (
    CASH,
    SECONDS_A_DAY,
    TRANSFER,
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


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of mules. Member 0 shares a device with 1, 1 an address with 2, 2 a device with 3: linked over two hops."""

    members: Ints  # [rings, size] accounts
    devices: Ints  # [rings, size] the device each member uses
    ips: Ints
    first: Ints  # day the ring begins to work
    last: Ints


def make_rings(rng: np.random.Generator, land: Land) -> Rings:
    """Recruit the rings among private accounts; each works for some weeks."""
    settings, days = land.settings, land.calendar.days
    rings, size = max(3, settings.accounts // 350), settings.ring_size
    private = land.people.by_opening[~land.people.company[land.people.by_opening]]
    settled = private[: max(len(private) * 8 // 10, 1)]
    members = rng.choice(settled, (rings, size), replace=len(settled) < rings * size)
    half = size // 2 + 1
    devices = land.stock.draw("device", rings * half).reshape(rings, half)
    ips = land.stock.draw("ip", rings * half).reshape(rings, half)
    place = np.arange(size)
    length = rng.integers(25, 60, rings)
    first = np.sort((rng.random(rings) * np.maximum(days - length, 1)).astype(np.int64))
    first[0] = 0
    return Rings(members, devices[:, place // 2], ips[:, (place + 1) // 2], first, np.minimum(first + length, days))


def mule_of(rng: np.random.Generator, land: Land, rings: Rings, at: Floats) -> tuple[Ints, Ints]:
    """A mule account to send stolen money to, and its ring: one that works that day, or else the last that did."""
    day = at / SECONDS_A_DAY
    pick = rng.random((len(at), len(rings.first)))
    working = (rings.first[None, :] <= day[:, None]) & (day[:, None] < rings.last[None, :])
    begun = np.maximum(np.searchsorted(rings.first, day, side="right") - 1, 0)
    ring = np.where(working.any(axis=1), np.argmax(pick * working, axis=1), begun)
    return rings.members[ring, rng.integers(0, rings.members.shape[1], len(at))], ring


def pass_on(rng: np.random.Generator, land: Land, plan: Plan, rings: Rings, stolen: Rows) -> Rows:
    """Mules pass on what comes in within hours, less a fee: to the next in the ring, or out of the bank."""
    quota = plan.quota["mule_ring"]
    received = stolen.take(stolen.payments & (stolen["ring"] >= 0) & (stolen["payee"] < len(land.people)))
    follow = np.sort(rng.permutation(len(received))[: quota * 2 // 3])
    source = received.take(follow)
    n_own = quota - len(source)
    own_ring = rng.integers(0, len(rings.first), n_own)
    own_day = rings.first[own_ring] + (rng.random(n_own) * (rings.last - rings.first)[own_ring]).astype(np.int64)
    ring = np.r_[source["ring"], own_ring].astype(np.int64)
    start = np.r_[source["at"], own_day * SECONDS_A_DAY + rng.uniform(0, SECONDS_A_DAY, n_own)]
    incoming = np.r_[source["amount"] / 100, np.exp(rng.normal(np.log(450), 0.7, n_own))]
    drawn = rng.integers(0, rings.members.shape[1], len(ring))
    is_source = np.arange(len(ring)) < len(source)
    payee = np.zeros(len(ring), dtype=np.int64)
    payee[: len(source)] = source["payee"]
    found = np.argmax(rings.members[ring] == payee[:, None], axis=1)
    place = np.where(is_source, found, drawn)
    onward = rings.members[ring, (place + 1) % rings.members.shape[1]]
    out = len(land.people) + rng.integers(0, max(land.settings.external_payees, 1), len(ring))
    at = start + np.exp(rng.normal(np.log(9000), 0.9, len(ring)))
    paid = rows(
        at,
        account=rings.members[ring, place],
        device=rings.devices[ring, place],
        ip=rings.ips[ring, place],
        city=land.people.city[rings.members[ring, place]],
        payee=np.where(rng.random(len(ring)) < 0.6, onward, out),
        amount=cents(incoming * rng.uniform(0.8, 0.97, len(ring))),
        channel=TRANSFER,
    )
    episodes, meeting = plan.begin("mule_ring", len(rings.first)), _ring_of_meeting(rings)
    return join([episodes.mark(paid, ring, ring), episodes.mark(_meet(rng, land, rings), meeting, meeting)])


def structure(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """Amounts kept just below the threshold, over days, to a few payees or in cash."""
    threshold = land.settings.reporting_threshold
    sizes = sizes_for(rng, plan.quota["structuring"], 4, 9)
    account, day = _launderers(rng, land, len(sizes))
    group, _ = spread(sizes)
    at = day[group] * SECONDS_A_DAY + rng.uniform(9, 17, len(sizes))[group] * 3600.0
    at = at + running(rng.uniform(0.3, 2.0, len(group)) * SECONDS_A_DAY, group)
    payees = rng.integers(0, len(land.people) + land.settings.external_payees, (len(sizes), 3))
    payee = payees[group, rng.integers(0, 3, len(group))]
    payee = np.where(payee == account[group], (payee + 1) % len(land.people), payee)
    euros = threshold * rng.uniform(0.86, 0.999, len(group))
    euros = np.where(rng.random(len(group)) < 0.5, np.rint(euros / 50 - 0.5) * 50, euros)
    paid = sending(rng, land, at, account[group], payee, euros)
    cash = rng.random(len(group)) < 0.25
    paid = paid.tagged(channel=np.where(cash, CASH, TRANSFER), payee=np.where(cash, -1, payee))
    return plan.begin("structuring", len(sizes)).mark(paid, group)


def fan_in(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """Many accounts pay one collector within days."""
    sizes = sizes_for(rng, plan.quota["fan_in"], 8, 16)
    collector, day = _launderers(rng, land, len(sizes))
    group, _ = spread(sizes)
    payer, _ = _launderers(rng, land, len(group))
    payer = np.where(payer == collector[group], (payer + 1) % len(land.people), payer)
    at = _within_days(rng, day, group)
    euros = np.exp(rng.normal(np.log(420), 0.6, len(group)))
    paid = sending(rng, land, at, payer, collector[group], np.rint(euros / 10) * 10)
    return plan.begin("fan_in", len(sizes)).mark(paid, group)


def fan_out(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """One account pays many within days."""
    sizes = sizes_for(rng, plan.quota["fan_out"], 8, 16)
    source, day = _launderers(rng, land, len(sizes))
    group, _ = spread(sizes)
    payee, _ = _launderers(rng, land, len(group))
    payee = np.where(payee == source[group], (payee + 1) % len(land.people), payee)
    at = _within_days(rng, day, group)
    euros = np.exp(rng.normal(np.log(420), 0.6, len(group)))
    paid = sending(rng, land, at, source[group], payee, np.rint(euros / 10) * 10)
    return plan.begin("fan_out", len(sizes)).mark(paid, group)


def go_round(rng: np.random.Generator, land: Land, plan: Plan) -> Rows:
    """Money goes from account to account and comes back to where it began, less small fees."""
    sizes = sizes_for(rng, plan.quota["cycle"], 3, 6)
    sizes = np.maximum(sizes, 2)
    _, day = _launderers(rng, land, len(sizes))
    group, place = spread(sizes)
    private = land.people.by_opening[: max(len(land.people) // 2, 8)]
    around = private[(rng.integers(0, len(private), len(sizes))[group] + place * 7) % len(private)]
    first = np.cumsum(sizes) - sizes
    following = np.where(place == sizes[group] - 1, around[first[group]], np.roll(around, -1))
    at = (day * SECONDS_A_DAY + rng.uniform(8, 20, len(sizes)) * 3600)[group]
    at = at + running(np.exp(rng.normal(np.log(30_000), 0.8, len(group))), group)
    euros = np.exp(rng.normal(np.log(1500), 0.7, len(sizes)))[group] * 0.98**place
    return plan.begin("cycle", len(sizes)).mark(sending(rng, land, at, around, following, euros), group)


def _launderers(rng: np.random.Generator, land: Land, n: int) -> tuple[Ints, Ints]:
    """Accounts that launder, one in five a company, and the day they begin."""
    people = land.people
    day = strike_days(rng, max(land.calendar.days - 6, 1), n, 0.0)
    old_enough = np.maximum(np.searchsorted(people.opened[people.by_opening], day - 14), 1)
    anyone = people.by_opening[(old_enough * rng.random(n)).astype(np.int64)]
    firms = np.flatnonzero(people.company)
    return np.where(rng.random(n) < 0.2, rng.choice(firms, n), anyone), day


def _within_days(rng: np.random.Generator, day: Ints, group: Ints) -> Floats:
    """Moments in the waking hours of the three days after a day."""
    later = (rng.random(len(group)) * 3).astype(np.int64)
    return (day[group] + later) * SECONDS_A_DAY + rng.uniform(7.5, 22.5, len(group)) * 3600.0


_MEETINGS = 4
"""How often each mule signs in from the ring's own tools."""


def _ring_of_meeting(rings: Rings) -> Ints:
    return np.repeat(np.arange(len(rings.first)), rings.members.shape[1] * _MEETINGS)


def _meet(rng: np.random.Generator, land: Land, rings: Rings) -> Rows:
    """Sign-ins of the mules from the devices and addresses they share."""
    ring = _ring_of_meeting(rings)
    place = np.tile(np.repeat(np.arange(rings.members.shape[1]), _MEETINGS), len(rings.first))
    day = rings.first[ring] + rng.random(len(ring)) * (rings.last - rings.first)[ring]
    member = rings.members[ring, place]
    return rows(
        np.asarray(day * SECONDS_A_DAY, dtype=np.float64),
        kind=KIND_CODE[Kind.SIGN_IN],
        account=member,
        device=rings.devices[ring, place],
        ip=rings.ips[ring, place],
        city=land.people.city[member],
    )
