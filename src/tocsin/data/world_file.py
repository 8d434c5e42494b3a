"""The made world as a file: rows in order of time, codes as names, and labels that come late, never or wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from tocsin.data.world_life import SOCIAL_EVENTS, Land
from tocsin.data.world_people import COUNTRIES, KIND_NAMES
from tocsin.data.world_plan import FRAUD_KINDS, FRAUDS
from tocsin.data.world_rows import CHANNELS, SECONDS_A_DAY, Column, Flags, Ints, Rows
from tocsin.schema import KINDS

_MICROSECOND = 1_000_000
_TIME = pa.timestamp("us", tz="UTC")


def lay_out(rng: np.random.Generator, land: Land, made: Rows) -> tuple[pa.Table, pa.Table]:
    """The events and, apart, the planted truth; columns are named by the words of the schema."""
    day = np.clip((made["at"] // SECONDS_A_DAY).astype(np.int64), 0, land.calendar.days - 1)
    first = land.calendar.first
    midnight = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
    at = np.rint((made["at"] - land.calendar.offset[day]) * _MICROSECOND).astype(np.int64) + midnight * _MICROSECOND
    order = np.argsort(at, kind="stable")
    at, made = at[order], made.take(order)
    paid = made.payments
    ids = _ids(paid)
    label, known_at = _labels(rng, land, made, at)
    columns = {
        "id": ids,
        "at": pa.array(at, _TIME),
        "kind": _named(made["kind"].astype(np.int32), [str(kind) for kind in KINDS]),
        "amount_minor": pa.array(made["amount"], pa.int64(), mask=~paid),
        "currency": _named(np.where(paid, 0, -1), ["EUR"]),
        **_entities(rng, land, made),
        **_where(land, made),
        "channel": _named(made["channel"], list(CHANNELS)),
        "credit_score": pa.array(made["credit_score"], mask=np.isnan(made["credit_score"])),
        "social_event": _named(made["social_event"], list(SOCIAL_EVENTS)),
        "label": pa.array(label, pa.int8(), mask=label < 0),
        "known_at": pa.array(known_at, _TIME, mask=label < 0),
    }
    planted = np.flatnonzero(made["truth"] >= 0)
    ring = made["ring"][planted]
    truth = {
        "id": ids.take(pa.array(planted)),
        "kind": _named(made["truth"][planted], list(FRAUD_KINDS)),
        "episode": pa.array(made["episode"][planted], pa.int32()),
        "ring": pa.array(ring, pa.int32(), mask=ring < 0),
    }
    return pa.table(columns), pa.table(truth)


def _labels(rng: np.random.Generator, land: Land, made: Rows, at: Ints) -> tuple[Ints, Ints]:
    """What becomes known of each payment and when: 1, 0, or -1 for never (and for what is no payment).

    Honest payments take as long to pass as genuine as frauds take to be found, so that the rate of fraud among what is
    known by a day does not depend on the day.
    """
    settings, n = land.settings, len(made)
    is_fraud = made["truth"] >= 0
    u = rng.random(n)
    label = np.where(is_fraud, u >= settings.labels_missed, u < settings.labels_mistaken).astype(np.int64)
    usual = np.array([FRAUDS[kind].days_until_known for kind in FRAUD_KINDS])
    typical = np.where(is_fraud, usual[made["truth"]], rng.choice(usual, n))
    days = 0.5 + typical * rng.gamma(2.0, 0.5, n)
    known_at = at + np.rint(days * SECONDS_A_DAY * _MICROSECOND).astype(np.int64)
    never = ~made.payments | (rng.random(n) < settings.labels_never)
    return np.where(never, -1, label), known_at


def _ids(paid: Flags) -> pa.Array:
    """``t000000001`` for payments, ``e000000001`` for account events, each counted in order of time."""
    number = np.where(paid, np.cumsum(paid), np.cumsum(~paid))
    digits = np.empty((len(paid), 10), dtype=np.uint8)
    digits[:, 0] = np.where(paid, ord("t"), ord("e"))
    for place in range(9, 0, -1):
        number, digit = np.divmod(number, 10)
        digits[:, place] = digit + ord("0")
    offsets = np.arange(0, 10 * len(paid) + 1, 10, dtype=np.int32)
    return pa.StringArray.from_buffers(len(paid), pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))


def _named(codes: Column, names: list[str]) -> pa.Array:
    """Codes as names, nothing where the code is negative."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=codes < 0), pa.array(names))


def _entities(rng: np.random.Generator, land: Land, made: Rows) -> dict[str, pa.Array]:
    """Accounts, cards, devices, addresses, retailers and payees under shuffled names, so that no name tells anything."""
    counts, bank = land.stock.counts, len(land.people)
    accounts = [f"A{i:07d}" for i in rng.permutation(counts["account"])]
    kinds = np.r_[land.retailers.kind, -1]
    return {
        "account": _named(made["account"], accounts[:bank]),
        "card": _named(made["card"], [f"C{i:07d}" for i in rng.permutation(counts["card"])]),
        "device": _named(made["device"], [f"D{i:07d}" for i in rng.permutation(counts["device"])]),
        "ip": _named(made["ip"], [_address(i) for i in rng.permutation(counts["ip"])]),
        "retailer": _named(made["retailer"], [f"R{i:05d}" for i in rng.permutation(len(land.retailers.kind))]),
        "retailer_kind": _named(kinds[made["retailer"]], list(KIND_NAMES)),
        # A payee of this bank has the name of the account: that makes laundering a graph.
        "payee": _named(made["payee"], accounts),
    }


def _address(number: int) -> str:
    """A number as an address of the private range 10.0.0.0/8, which belongs to nobody."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _where(land: Land, made: Rows) -> dict[str, pa.Array]:
    """Degrees and country: the shop's place, or else the middle of the city the row comes from."""
    city, shop = made["city"], made["retailer"]
    inside = (shop >= 0) & ~np.isnan(np.r_[land.retailers.latitude, np.nan][shop]) & (city >= 0)
    latitude = np.where(inside, np.r_[land.retailers.latitude, 0.0][shop], np.r_[land.places.latitude, 0.0][city])
    longitude = np.where(inside, np.r_[land.retailers.longitude, 0.0][shop], np.r_[land.places.longitude, 0.0][city])
    nowhere = city < 0
    return {
        "latitude": pa.array(np.round(latitude, 4), mask=nowhere),
        "longitude": pa.array(np.round(longitude, 4), mask=nowhere),
        "country": _named(np.r_[land.places.country, -1][city], list(COUNTRIES)),
    }
