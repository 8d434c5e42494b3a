"""A made world: payments and account events of people who do not exist, with fraud whose truth is known.

Use it to learn, to test and to show; never to claim how well a model does at a bank. Honest life has its days and
weeks, holidays, travel, new phones and new payees; each kind of fraud leaves a mark that honest life sometimes leaves
too. The same settings give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.data import world_fraud as fraud
from tocsin.data import world_laundering as laundering
from tocsin.data import world_life as life
from tocsin.data.world_file import lay_out
from tocsin.data.world_people import Stock, make_calendar, make_people, make_places, make_retailers
from tocsin.data.world_plan import FRAUD_KINDS, make_plan, make_thieves
from tocsin.data.world_rows import TRANSFER, Rows, join
from tocsin.errors import BadInput

STEPS: tuple[str, ...] = ("people", "shopping", "fraud", "online", "transfers", "account events", "in order", "written")
"""What is reported while a world is made, in order; the last one by :func:`write_world`."""

MADE = "This world is made: its people, payments and frauds do not exist."


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """Every parameter of the made world, in one place. Rates are shares of the rows they speak of.

    Parameters
    ----------
    transactions : payments to make, exactly; account events come on top (about one for three payments).
    months : how many months they span.
    seed : the same settings and seed give the same bytes.
    fraud_rate : share of payments that are fraud.
    drift : 0 lets nothing change over the months, 1 lets kinds of fraud, channels and prices move.
    payments_a_month : by an average account; sets how many accounts there are.
    labels_never : payments about which nothing is ever learnt.
    labels_missed : frauds that pass as genuine for ever.
    labels_mistaken : honest payments that someone reports as fraud.
    """

    transactions: int = 200_000
    months: int = 6
    seed: int = 1
    start: date = date(2025, 1, 1)
    zone: str = "Europe/Berlin"
    fraud_rate: float = 0.008
    drift: float = 1.0
    payments_a_month: float = 15.0
    reporting_threshold: int = 10_000
    ring_size: int = 6
    new_payee_rate: float = 0.09
    tunnel_rate: float = 0.004
    stray_rate: float = 0.0006
    device_unknown_rate: float = 0.3
    fresh_device_rate: float = 0.05
    fresh_ip_rate: float = 0.08
    labels_never: float = 0.03
    labels_missed: float = 0.04
    labels_mistaken: float = 0.0003

    def __post_init__(self) -> None:
        if not 2_000 <= self.transactions <= 50_000_000:
            raise BadInput(
                f"a made world must have 2,000 to 50,000,000 transactions; got {self.transactions}.",
                field="transactions",
            )
        if not 1 <= self.months <= 60:
            raise BadInput(f"a made world must span 1 to 60 months; got {self.months}.", field="months")
        if not 0 < self.fraud_rate <= 0.2:
            raise BadInput(f"must be above 0 and at most 0.2; got {self.fraud_rate}.", field="fraud_rate")

    @property
    def accounts(self) -> int:
        """How many accounts the world has."""
        return max(80, round(self.transactions / (self.payments_a_month * self.months)))

    @property
    def external_payees(self) -> int:
        """How many payees bank elsewhere."""
        return max(20, self.accounts // 2)


@dataclass(frozen=True, slots=True)
class World:
    """What was made.

    ``events`` has payments and account events in order of time, the columns named by the words of the schema.
    ``truth`` has the planted truth of every row that belongs to a fraud: id, kind, episode, ring; rows it does not
    list are honest. It stays apart: no model may see it.
    """

    settings: WorldSettings
    events: pa.Table
    truth: pa.Table


def make_world(settings: WorldSettings, on_step: Callable[[str], None] = lambda step: None) -> World:
    """Make a world of exactly ``settings.transactions`` payments and their account events.

    ``on_step`` is told each of :data:`STEPS` when it begins. A million payments take about ten seconds on one core.

    Examples
    --------
    >>> world = make_world(WorldSettings(transactions=2_000, months=2))
    >>> world.events.column_names[:4]
    ['id', 'at', 'kind', 'amount_minor']
    """

    def draw(section: int) -> np.random.Generator:
        return np.random.default_rng([settings.seed, section])

    on_step("people")
    calendar, stock = make_calendar(settings), Stock({})
    places = make_places(draw(1), settings.accounts)
    shops = make_retailers(draw(2), places, settings.accounts)
    people = make_people(draw(3), settings, calendar, places, stock)
    land = life.Land(settings, calendar, places, shops, people, stock)
    rings = laundering.make_rings(draw(4), land)
    on_step("shopping")
    owners = life.make_shopping(draw(5), land, settings.transactions * 3 // 10)
    on_step("fraud")
    stolen = _steal(draw, land, rings, owners)
    honest = join(
        [owners, _live(draw, land, settings.transactions - len(owners) - int(stolen.payments.sum()), on_step)]
    )
    honest = life.keep_inside(land, life.blur(draw(30), land, honest))
    on_step("account events")
    # Whoever uses a stolen card elsewhere signs in nowhere; all other fraud goes through the bank's own door.
    inside = stolen.take((stolen["channel"] == TRANSFER) | (stolen["truth"] == FRAUD_KINDS.index("borrowed_rhythm")))
    told = life.make_account_events(draw(31), land, join([honest, inside]), np.unique(rings.members))
    on_step("in order")
    events, truth = lay_out(draw(40), land, join([stolen, honest, told]))
    return World(settings, events, truth)


def write_world(world: World, folder: Path, on_step: Callable[[str], None] = lambda step: None) -> None:
    """Write ``world.parquet``, and apart from it ``truth.parquet`` and ``settings.json``; the folder is made."""
    on_step("written")
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(world.events, folder / "world.parquet", compression="zstd", compression_level=1)
    pq.write_table(world.truth, folder / "truth.parquet", compression="zstd")
    settings = {**asdict(world.settings), "start": world.settings.start.isoformat(), "about": MADE}
    (folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _steal(draw: Callable[[int], np.random.Generator], land: life.Land, rings: laundering.Rings, owners: Rows) -> Rows:
    """All fraud, cut to the span of the world."""
    plan, thieves = make_plan(land.settings), make_thieves(land)
    taken = fraud.take_over(draw(10), land, plan, thieves, rings)
    pushed = fraud.persuade(draw(11), land, plan, rings)
    made = join(
        [
            taken,
            pushed,
            laundering.pass_on(draw(12), land, plan, rings, join([taken, pushed])),
            fraud.test_and_empty(draw(13), land, plan, thieves),
            fraud.borrow_rhythm(draw(14), land, plan),
            fraud.follow_order(draw(15), land, plan),
            fraud.be_in_two_places(draw(16), land, plan, owners),
            fraud.compromise_retailer(draw(17), land, plan),
            laundering.structure(draw(18), land, plan),
            laundering.fan_in(draw(19), land, plan),
            laundering.fan_out(draw(20), land, plan),
            laundering.go_round(draw(21), land, plan),
        ]
    )
    return made.take((made["at"] >= 0) & (made["at"] < land.calendar.seconds))


def _live(draw: Callable[[int], np.random.Generator], land: life.Land, n: int, on_step: Callable[[str], None]) -> Rows:
    """The rest of honest life: exactly ``n`` payments, and the new payees that go with them."""
    twins = max(round(land.settings.transactions * land.settings.fraud_rate * 0.06), 4)
    fixed = [
        life.make_regular(draw(22), land),
        life.make_resettling(draw(23), land),
        life.make_errands(draw(24), land, twins),
        life.make_collections(draw(25), land, n // 60),
        life.make_business(draw(26), land, n // 40),
    ]
    left = n - sum(int(part.payments.sum()) for part in fixed)
    on_step("online")
    fixed.append(life.make_orders(draw(27), land, left * 45 // 100))
    on_step("transfers")
    fixed.append(life.make_transfers(draw(28), land, left * 17 // 100))
    left = n - sum(int(part.payments.sum()) for part in fixed)
    return join([*fixed, life.make_shopping(draw(29), land, left)])
