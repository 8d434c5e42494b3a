"""What the kernel promises beside the numbers: refusal, bytes, expiry, snapshots, order, late events."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tocsin.batch import Batch
from tocsin.errors import BadInput, Damaged, NotReady
from tocsin.features import Kernel, Plan, compile_plan
from tocsin.schema import KIND_CODE, Kind
from tocsin.spec import parse

SECOND = 1_000_000
SPEC = """
[columns]
at = "at"
amount = "amount"
account = "account"
device = "device"
retailer = "retailer"
credit_score = "score"
[money]
unit = "minor"
[memory]
idle = "1h"
ceiling_mb = 64
[[stage]]
name = "profile"
features = [
    "count of amount by account over 60s",
    "sum of amount by account over 60s",
    "max of amount by account over 60s",
    "distinct of device by account over 60s",
    "novelty of device by account",
    "share of fraud by retailer over 60s",
    "last of credit_score by account",
]
"""
NAMES = ("count", "sum", "max", "distinct", "novelty", "share", "last")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(parse(SPEC))


def events(*rows: dict, first: int = 1) -> Batch:
    """Rows of ``at`` (seconds), and optionally kind, amount, account, device, retailer, credit_score, of, fraud."""
    n = len(rows)
    return Batch(
        number=np.arange(first, first + n, dtype=np.int64),
        at=np.array([r["at"] * SECOND for r in rows], dtype=np.int64),
        kind=np.array([KIND_CODE[r.get("kind", Kind.PAYMENT)] for r in rows], dtype=np.uint8),
        amount=np.array([r.get("amount", 0) for r in rows], dtype=np.int64),
        keys={k: np.array([r.get(k, 0) for r in rows], dtype=np.uint64) for k in ("account", "device", "retailer")},
        numbers={"credit_score": np.array([r.get("credit_score", np.nan) for r in rows])},
        of=np.array([r.get("of", -1) for r in rows], dtype=np.int64),
        fraud=np.array([r.get("fraud", 0) for r in rows], dtype=np.int8),
    )


def many(n: int, entities: int, *, first: int = 1, pace: int = 1) -> Batch:
    rng = np.random.default_rng(first)
    return Batch(
        number=np.arange(first, first + n, dtype=np.int64),
        at=(np.arange(first, first + n) * pace * SECOND).astype(np.int64),
        kind=np.zeros(n, dtype=np.uint8),
        amount=rng.integers(1, 10_000, n),
        keys={k: rng.integers(1, entities + 1, n).astype(np.uint64) for k in ("account", "device", "retailer")},
        numbers={"credit_score": rng.normal(600, 50, n)},
        of=np.full(n, -1, dtype=np.int64),
        fraud=np.zeros(n, dtype=np.int8),
    )


def named(row: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, row.tolist(), strict=True))


def test_a_window_is_half_open_and_never_holds_the_event_itself(plan: Plan) -> None:
    got = Kernel(plan).step(
        events(
            {"at": 100, "account": 7, "amount": 250},
            {"at": 159, "account": 7, "amount": 1_000},
            {"at": 160, "account": 7, "amount": 5},
        )
    )
    assert got[:, 0].tolist() == [0, 1, 1]  # at 160 the payment of 100 is exactly 60 s old, and out
    assert got[:, 1].tolist() == [0, 2.5, 10.0]
    assert np.isnan(got[0, 2])
    assert got[1:, 2].tolist() == [2.5, 10.0]


def test_an_entity_that_is_not_there_is_unknown_and_not_zero(plan: Plan) -> None:
    got = Kernel(plan).step(events({"at": 1, "account": 7, "amount": 1}, {"at": 2, "account": 7, "amount": 1}))
    row = named(got[1])
    assert row["count"] == 1
    assert np.isnan(row["novelty"])
    assert np.isnan(row["share"])


def test_columns_a_batch_does_not_bring_are_missing(plan: Plan) -> None:
    full = events({"at": 1, "account": 7, "amount": 1})
    bare = Batch(
        full.number, full.at, full.kind, full.amount, {"account": full.keys["account"]}, {}, full.of, full.fraud
    )
    row = named(Kernel(plan).step(bare)[0])
    assert row["count"] == 0
    assert np.isnan(row["novelty"])
    assert np.isnan(row["last"])


def test_a_label_counts_from_its_arrival_and_a_correction_takes_it_back(plan: Plan) -> None:
    pay = {"account": 1, "retailer": 9, "amount": 1}
    label = {"kind": Kind.LABEL, "of": 1}
    got = Kernel(plan).step(
        events(
            {"at": 1, **pay},
            {"at": 2, **pay},
            {"at": 3, **label, "fraud": 1},
            {"at": 4, **pay},
            {"at": 5, **label, "fraud": 1},
            {"at": 6, **label, "fraud": 0},
            {"at": 7, **pay},
            {"at": 8, **label, "of": 999, "fraud": 1},
            {"at": 61, **label, "fraud": 1},
            {"at": 61, **pay},
        )
    )
    assert np.isnan(got[0, 5])
    assert got[1:, 5].tolist() == [0.0, 0.5, 0.0, 0.0]  # at 61 the payment of 1 has left the window


def test_an_account_event_brings_what_it_carries(plan: Plan) -> None:
    kernel = Kernel(plan)
    kernel.step(events({"at": 1, "kind": Kind.CREDIT_SCORE, "account": 7, "credit_score": 640.0}))
    row = named(kernel.step(events({"at": 2, "account": 7, "credit_score": 700.0}, first=2))[0])
    assert row["last"] == 640.0
    assert row["count"] == 0


def test_a_late_event_is_read_and_remembered_at_its_entitys_newest_time_and_counted(plan: Plan) -> None:
    kernel = Kernel(plan)
    got = kernel.step(
        events(
            {"at": 100, "account": 7, "amount": 100},
            {"at": 30, "account": 7, "amount": 100},  # late: seen as at 100
            {"at": 130, "account": 7, "amount": 100},
            {"at": 50, "account": 8, "amount": 100},  # nobody has seen account 8 later than this
            {"at": 159, "account": 7, "amount": 100},
        )
    )
    assert got[:, 0].tolist() == [0, 1, 2, 0, 3]
    assert kernel.late == 1


def test_a_full_memory_refuses_and_changes_nothing(plan: Plan) -> None:
    kernel = Kernel(plan, ceiling_bytes=400_000)
    kernel.step(many(200, 50))
    before, size = kernel.fingerprint(), kernel.bytes_used
    with pytest.raises(NotReady, match="must stay within 400,000 bytes"):
        kernel.step(many(2_000, 100_000, first=201))
    with pytest.raises(NotReady):  # larger than a slice: the first slices fit, the last does not
        kernel.step(many(30_000, 100_000, first=201))
    assert kernel.fingerprint() == before
    assert kernel.bytes_used == size
    assert kernel.last_number == 200
    assert len(kernel.step(many(10, 50, first=201))) == 10


def test_a_large_batch_that_may_not_fit_but_does_is_taken(plan: Plan) -> None:
    tight = Kernel(plan, ceiling_bytes=3_000_000)
    free = Kernel(plan)
    batch = many(40_000, 20)
    np.testing.assert_array_equal(tight.step(batch), free.step(batch))
    assert tight.fingerprint() == free.fingerprint()
    assert tight.bytes_used <= 3_000_000


def test_old_events_and_idle_entities_give_their_room_back(plan: Plan) -> None:
    kernel = Kernel(plan)
    sizes, entities = [], []
    for part in range(12):
        batch = many(5_000, 1_000, first=1 + 5_000 * part)
        shifted = {k: v + np.uint64(1_000 * part) for k, v in batch.keys.items()}  # nobody comes back
        kernel.step(
            Batch(batch.number, batch.at, batch.kind, batch.amount, shifted, batch.numbers, batch.of, batch.fraud)
        )
        sizes.append(kernel.bytes_used)
        entities.append(kernel.entities)
    assert sizes[-1] == sizes[4]
    # An hour of newcomers at one a second, in three tables, and what the sweep has not come to yet.
    assert max(entities) < 2 * 3_600 * 2


def test_an_entity_idle_for_too_long_is_forgotten(plan: Plan) -> None:
    row = {"account": 7, "device": 3, "amount": 1}
    got = Kernel(plan).step(
        events(
            {"at": 0, **row, "credit_score": 600.0},
            {"at": 3_599, **row},
            {"at": 7_199, **row},
        )
    )
    assert got[:, 4].tolist() == [1, 0, 1]  # one hour is the expiry; exactly one hour is too long
    assert got[1, 6] == 600.0
    assert np.isnan(got[2, 6])


def test_idle_expiry_may_not_cut_a_window_short(plan: Plan) -> None:
    with pytest.raises(BadInput, match="must not be shorter than the longest window"):
        Kernel(plan, idle_expiry=timedelta(seconds=59))


def test_numbers_must_go_up(plan: Plan) -> None:
    kernel = Kernel(plan)
    kernel.step(many(10, 5))
    with pytest.raises(BadInput, match=r"after the last number remembered \(10\); got 10"):
        kernel.step(many(5, 5, first=10))
    assert kernel.last_number == 10


def test_an_empty_batch_is_nothing(plan: Plan) -> None:
    kernel = Kernel(plan)
    before = kernel.fingerprint()
    assert kernel.step(many(10, 5).take(slice(0, 0))).shape == (0, len(plan.names))
    assert kernel.fingerprint() == before
    assert kernel.last_number == 0


def test_rows_are_written_where_one_says(plan: Plan) -> None:
    room = np.full((50, plan.width), -1.0)
    twin, kernel = Kernel(plan), Kernel(plan)
    got = kernel.step(many(30, 5), into=room[10:])
    assert np.shares_memory(got, room)
    assert got.tobytes() == twin.step(many(30, 5)).tobytes() == room[10:40].tobytes()
    assert (room[:10] == -1).all()
    assert (room[40:] == -1).all()


@pytest.mark.parametrize(
    "room",
    [
        np.zeros((29, 7)),
        np.zeros((30, 8)),
        np.zeros((30, 7), dtype=np.float32),
        np.zeros((30, 14))[:, ::2],
        np.zeros(210),
    ],
)
def test_where_rows_do_not_fit_nothing_is_stepped_over(plan: Plan, room: np.ndarray) -> None:
    kernel = Kernel(plan)
    with pytest.raises(BadInput, match="30 rows or more of 7 columns"):
        kernel.step(many(30, 5), into=room)
    assert kernel.last_number == 0


def test_a_spec_without_features_gives_its_raw_columns() -> None:
    plan = compile_plan(
        parse(SPEC.split("features", maxsplit=1)[0].replace('"profile"', '"raw"\ncolumns = ["amount", "account"]'))
    )
    kernel = Kernel(plan)
    assert kernel.step(events({"at": 1, "account": 1022, "amount": 1_250})).tolist() == [[12.5, 2.0]]
    assert kernel.entities == 0


def test_bytes_are_said_and_true(plan: Plan) -> None:
    kernel = Kernel(plan)
    assert set(kernel.bytes_an_entity()) == {"account", "account+device", "retailer"}
    kernel.step(many(60_000, 30_000, pace=0))
    rooms = sum(kernel.bytes_an_entity().values()) * 65_536  # rooms are powers of two
    assert rooms * 0.5 < kernel.bytes_used - kernel.bytes_an_event() * 65_536 < rooms * 1.5


def test_a_snapshot_is_written_while_the_kernel_steps_on(plan: Plan, tmp_path: Path) -> None:
    kernel, straight = Kernel(plan), Kernel(plan)
    kernel.step(many(5_000, 300))
    straight.step(many(5_000, 300))
    snapshot = kernel.snapshot()
    writer = threading.Thread(target=snapshot.save, args=(tmp_path / "kernel",))
    writer.start()
    kernel.step(many(5_000, 300, first=5_001))
    writer.join()
    loaded = Kernel.load(tmp_path / "kernel", plan)
    assert loaded.fingerprint() == straight.fingerprint() == snapshot.fingerprint()
    assert loaded.last_number == 5_000
    assert kernel.last_number == 10_000
    assert os.listdir(tmp_path) == ["kernel"]


def test_a_snapshot_that_was_changed_cut_or_belongs_elsewhere_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    kernel = Kernel(plan)
    kernel.step(many(500, 30))
    kernel.save(path)
    raw = path.read_bytes()
    for place in (3, 40, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(Damaged):
            Kernel.load(path, plan)
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(Damaged):
        Kernel.load(path, plan)
    path.write_bytes(raw)
    with pytest.raises(Damaged, match="another plan"):
        Kernel.load(path, compile_plan(parse(SPEC.replace("over 60s", "over 61s"))))
    assert Kernel.load(path, plan).fingerprint() == kernel.fingerprint()


def test_a_save_that_fails_leaves_the_old_file(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    kernel = Kernel(plan)
    kernel.step(many(100, 30))
    kernel.save(path)
    before = path.read_bytes()
    kernel.step(many(100, 30, first=101))
    snapshot = kernel.snapshot()
    broken = type(snapshot)(snapshot.plan_fingerprint, snapshot.last_number, (*snapshot.pieces[:-1], None))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["kernel"]


def test_copies_share_nothing(plan: Plan) -> None:
    kernel = Kernel(plan)
    kernel.step(many(500, 30))
    twin, before = kernel.copy(), kernel.fingerprint()
    twin.step(many(500, 30, first=501))
    assert kernel.fingerprint() == before != twin.fingerprint()


def test_sums_of_large_amounts_are_exact(plan: Plan) -> None:
    large = 10**15
    batch = events(*[{"at": i, "account": 7, "amount": large - i} for i in range(59)])
    got = Kernel(plan).step(batch)
    assert got[58, 1] == sum(large - i for i in range(58)) / 100


@pytest.mark.slow
def test_where_no_folder_can_be_written_to_the_step_is_compiled_anew() -> None:
    program = (
        "from tocsin.features import Kernel, compile_plan; from tocsin.spec import load;"
        "from tocsin.features.entry import entries; k = Kernel(compile_plan(load('handbook')));"
        "print(type(entries()[0]._cache).__name__, k.entities)"
    )
    nowhere = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    nowhere.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", program], env=nowhere, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["NullCache", "0"], done.stderr
