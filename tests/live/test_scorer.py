"""The scorer without a network: order, freezes, labels, and what a write that fails leaves behind."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from scenes.bench import Bench
from tocsin.data import read
from tocsin.errors import Conflict, NotFound
from tocsin.features import compile_plan
from tocsin.learn.gathering import features
from tocsin.ledger import audit, microseconds
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.tables import alerts, blocks, decisions, freezes, investigations, labels, transactions
from tocsin.measure import Policy
from tocsin.spec import parse

HISTORY = """
[history]
by = "account"
kind = ["payee", "country"]
length = 4
[[stage]]
columns = ["amount"]
"""


@pytest.fixture
def bench(house: Any) -> Bench:
    return Bench(house)


def test_everything_new_gets_the_next_number_of_one_sequence(bench: Bench) -> None:
    out = bench.decide(bench.payment("p1"), bench.event("e1"), bench.label("p1"), bench.payment("p2"))
    assert [o["number"] for o in out] == [1, 2, 3, 4]
    assert bench.memory.last_number == 4
    with bench.house.ledger.read() as c:
        assert next_number(c) == 5
        row = c.execute(sa.select(labels.c.number, labels.c.transaction_number, labels.c.source)).one()
    assert tuple(row) == (3, 1, "chargeback")
    assert bench.replayed() == bench.memory.kernel.fingerprint()


def test_a_refused_line_takes_no_number(bench: Bench) -> None:
    bench.decide(bench.payment("p1"))
    out = bench.decide(bench.payment("p1", 99), bench.label("nobody"), bench.payment("p2"))
    assert isinstance(out[0], Conflict)
    assert isinstance(out[1], NotFound)
    assert out[2]["number"] == 2


def test_a_label_counts_from_when_it_arrived_and_not_before(bench: Bench) -> None:
    shop = {"retailer": "shop"}
    place = bench.scorer.model.plan.names.index("share_fraud_by_retailer_7d")

    def share(id: str) -> float:
        bench.house.clock.now += timedelta(minutes=1)
        bench.decide(bench.payment(id, 600, **shop))
        with bench.house.ledger.read() as c:
            inputs = c.execute(sa.select(alerts.c.inputs).order_by(alerts.c.id.desc()).limit(1)).scalar_one()
        return float(memoryview(inputs).cast("d")[place])

    share("p1")
    assert share("p2") == 0
    bench.decide(bench.label("p1"))
    assert share("p3") == pytest.approx(1 / 2)
    bench.decide(bench.label("p1", "genuine"))
    assert share("p4") == 0


def test_an_accounts_last_payments_are_those_that_learning_reads_from_a_file(bench: Bench, tmp_path: Path) -> None:
    countries, minutes = ["DE", "FR", None, "DE", "IT", None, "PT"], [0, 3, 3, 90, 1, 4000, 2]
    lines = ["id,at,amount,account,country,payee"]
    for i, (country, later) in enumerate(zip(countries, minutes, strict=True)):
        bench.house.clock.now += timedelta(minutes=later)
        more = ({"country": country} if country else {}) | ({"payee": "zoe"} if i == 5 else {})
        bench.decide(bench.payment(f"p{i}", 600 + i * i, account="ann", **more))
        bench.decide(bench.payment(f"q{i}", 1, account="bob"))
        at = bench.house.clock.now.isoformat()
        lines += [f"p{i},{at},{600 + i * i},ann,{country or ''},{more.get('payee', '')}", f"q{i},{at},1,bob,,"]
    with bench.house.ledger.read() as c:
        kept = [
            memoryview(row).cast("d") for row in c.execute(sa.select(alerts.c.inputs).order_by(alerts.c.id)).scalars()
        ]
    (tmp_path / "payments.csv").write_text("\n".join(lines))
    model = bench.house.models["m1"]
    spec = parse(model.spec.text.split("card =")[0] + 'country = "country"\npayee = "payee"\n' + HISTORY)
    plan = compile_plan(spec)
    learned, _ = features(read(tmp_path / "payments.csv", spec), plan)
    told = learned.matrix[::2, len(plan.names) :]
    assert np.array(kept)[:, len(model.plan.names) :].tolist() == told.tolist()
    assert (told > 0).sum(axis=1).tolist() == [1, 2, 3, 4, 5, 5, 5]


def test_a_verdicts_label_written_by_the_desk_is_consumed_in_its_place(bench: Bench) -> None:
    bench.decide(bench.payment("p1", retailer="shop"))
    at = microseconds(bench.house.clock())
    with bench.house.ledger.write() as c:
        number = take_numbers(c, 1)
        c.execute(
            labels.insert().values(number=number, transaction_number=1, finding="fraud", source="verdict", known_at=at)
        )
    bench.house.clock.now += timedelta(minutes=1)
    out = bench.decide(bench.payment("p2", retailer="shop"))
    assert out[0]["number"] == 3
    assert bench.memory.last_number == 3
    assert bench.replayed() == bench.memory.kernel.fingerprint()


def stop(bench: Bench, table: sa.Table, account: str, direction: str) -> None:
    at = microseconds(bench.house.clock())
    with bench.house.ledger.write() as c:
        found = c.execute(
            investigations.insert()
            .values(account=account, subject="takeover", status="pending", opened_by="ada", opened_at=at)
            .returning(investigations.c.id)
        ).scalar_one()
        values = {"account": account, "direction": direction, "reason": "r", "set_by": "ada", "set_at": at}
        more = {"investigation": found} if table is blocks else {}
        c.execute(table.insert().values(status="active", **values, **more))
        audit.append(c, at=bench.house.clock(), kind="freeze", actor="ada", account=account)


@pytest.mark.parametrize("table", [freezes, blocks])
@pytest.mark.parametrize(
    ("direction", "paying", "receiving"),
    [("out", "decline", "approve"), ("in", "approve", "decline"), ("both", "decline", "decline")],
)
def test_a_payment_decided_after_a_freeze_is_declined_without_an_alert(
    bench: Bench, table: sa.Table, direction: str, paying: str, receiving: str
) -> None:
    before = bench.decide(bench.payment("p0", 20), bench.payment("p1", 20, account="bob", payee="ann"))
    assert [o["action"] for o in before] == ["approve", "approve"]
    stop(bench, table, "ann", direction)
    out = bench.decide(bench.payment("p2", 20, payee="carl"), bench.payment("p3", 20, account="bob", payee="ann"))
    assert [o["action"] for o in out] == [paying, receiving]
    declined = next(o for o in out if o["action"] == "decline")
    assert declined["code"] == "not_permitted"
    assert b"freeze" not in msgspec.json.encode(declined)
    assert bench.count(alerts) == 0
    with bench.house.ledger.read() as c:
        causes = set(c.execute(sa.select(decisions.c.cause)).scalars())
    assert causes == {"score", "freeze" if table is freezes else "block"}
    bench.decide(bench.payment("p4", 5000, payee="carl"))
    assert bench.count(alerts) == (0 if paying == "decline" else 1)


def test_an_ended_freeze_stops_nobody(bench: Bench) -> None:
    bench.decide(bench.payment("p0"))
    stop(bench, freezes, "ann", "both")
    with bench.house.ledger.write() as c:
        c.execute(freezes.update().values(status="ended"))
    assert bench.decide(bench.payment("p1"))[0]["action"] == "approve"


class FailsToCommit:
    """A ledger whose next writes fail at the last moment, after everything was written."""

    def __init__(self, ledger: Any, failures: int) -> None:
        self._ledger = ledger
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    @contextmanager
    def write(self) -> Any:
        with self._ledger.write() as connection:
            yield connection
            if self.failures > 0:
                self.failures -= 1
                raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("failures", [1, 3])
def test_when_the_commit_fails_nothing_is_kept_and_the_memory_goes_back(
    bench: Bench, failures: int, snapshot: bool
) -> None:
    bench.decide(*[bench.payment(f"p{i}", device=f"d{i % 3}") for i in range(20)])
    if snapshot:
        bench.memory.save().join()
    bench.decide(bench.payment("later"))
    before = bench.memory.kernel.fingerprint()
    bench.scorer._ledger = FailsToCommit(bench.house.ledger, failures)
    for attempt in range(failures):
        with pytest.raises(sqlite3.OperationalError):
            bench.scorer.decide([bench.payment(f"lost {attempt}"), bench.event(f"e{attempt}")])
        assert bench.memory.kernel.fingerprint() == before
        assert bench.memory.last_number == 21
    assert bench.count(transactions) == 21
    out = bench.decide(bench.payment("lost 0"))
    assert out[0]["number"] == 22
    assert bench.replayed() == bench.memory.kernel.fingerprint()


def test_a_full_disk_refuses_and_goes_on_once_there_is_room(bench: Bench) -> None:
    bench.decide(bench.payment("p0"))

    def room(pages: int) -> None:
        with bench.house.ledger.engine.connect() as c:
            c.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            c.commit()

    before = bench.memory.kernel.fingerprint()
    room(1)  # SQLite takes the present size: no page more
    big = [bench.payment(f"x{i}", 600, device="d" * 150) for i in range(3_000)]
    with pytest.raises(Exception, match="full"):
        bench.scorer.decide(big)
    assert bench.memory.kernel.fingerprint() == before
    assert bench.count(transactions) == 1
    room(1 << 30)
    assert bench.decide(bench.payment("p1"))[0]["number"] == 2
    assert bench.replayed() == bench.memory.kernel.fingerprint()


def test_one_by_one_and_all_at_once_give_the_same_memory_and_the_same_scores(house: Any, tmp_path: Any) -> None:
    from tocsin.ledger import Ledger

    prints, scores = [], []
    for size in (1, 7, 60):
        house.ledger = Ledger(tmp_path / f"{size}.sqlite")
        house.ledger.create()
        bench = Bench(house)
        house.folder = tmp_path / str(size)
        start = house.clock.now
        arrivals = []
        for i in range(60):
            house.clock.now += timedelta(seconds=30)
            arrivals.append(bench.payment(f"p{i}", 10 + i, device=f"d{i % 5}", retailer=f"r{i % 4}", card=f"c{i % 6}"))
            if i % 10 == 9:
                arrivals.append(bench.label(f"p{i - 3}"))
        house.clock.now = start
        out = [o for i in range(0, len(arrivals), size) for o in bench.decide(*arrivals[i : i + size])]
        prints.append(bench.memory.kernel.fingerprint())
        scores.append([o["score"] for o in out if "score" in o])
        house.ledger.close()
    assert len(set(prints)) == 1
    assert scores[0] == scores[1] == scores[2]
    assert len(scores[0]) == 60


def test_a_late_payment_is_counted_and_marked(bench: Bench) -> None:
    bench.decide(bench.payment("p1"))
    bench.house.clock.now -= timedelta(hours=2)
    bench.decide(bench.payment("p2"), bench.payment("p3", account="bob"))
    with bench.house.ledger.read() as c:
        late = {row.id: row.late for row in c.execute(sa.select(transactions.c.id, transactions.c.late))}
    assert late == {"p1": False, "p2": True, "p3": False}
    assert bench.memory.kernel.late >= 1


def test_an_early_stage_answers_and_the_later_ones_are_told_as_not_asked(bench: Bench) -> None:
    model = bench.house.models["m1"]
    assert len(model.stage_names) > 1
    model.policy = Policy(review_at=0.5, decline_at=0.9, approve_below=(0.01,) * (len(model.stage_names) - 1))
    sure, unsure, rings = bench.decide(bench.payment("p1", 20), bench.payment("p2", 100), bench.payment("p3", 700))
    assert [one["action"] for one in (sure, unsure, rings)] == ["approve", "approve", "review"]
    asked = [[share["delta"] is not None for share in one["score"]["stages"]] for one in (sure, unsure, rings)]
    later = len(model.stage_names) - 1
    assert asked == [[True] + [False] * later, [True] * (later + 1), [True] * (later + 1)]
    score = sure["score"]
    assert score["base"] + score["stages"][0]["delta"] == score["logit"]
    assert score["value"] == pytest.approx(1 / (1 + np.exp(4.8)))
