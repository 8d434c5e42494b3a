"""Kill the service at any moment, again and again, and count: is every answered payment there, once, as it was answered?

    make bench NAME=crash       (QUICK=1: three rounds)

Each round starts the service on the same ledger, loads it with payments, events and labels, kills it with signal 9 at
a moment drawn at random, and sends what got no answer again in the next round, as a payment system would. At the end
the memory of the last start (snapshot and replay) is compared with that of an uninterrupted run over the same ledger.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop

from tocsin import artifact
from tocsin.ledger import Ledger
from tocsin.live import Memory
from traffic import Connection, Server, free_port, fresh_key, learn_model, payments, requests_of, start_server

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 20
CONNECTIONS = 24


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.environ.get("TOCSIN_BENCH_FOLDER", name))
        if not (folder / "model").is_dir():
            learn_model(folder, 20_000 if QUICK else 50_000)
        print(msgspec.json.encode(rounds(folder, Path(name) / "data", ROUNDS)).decode())


def rounds(folder: Path, data: Path, count: int, *, seed: int = 1) -> dict[str, object]:
    """So many rounds of load and kill; what was found in the ledger in the end."""
    key, dice = fresh_key(data), random.Random(seed)
    bodies = mixed(payments(folder / "world" / "world.parquet", 8_000 * count))
    answered: dict[int, bytes] = {}
    started: list[float] = []
    for number in range(1, count + 1):
        server = start_server(folder / "model", data, free_port(), key, "--snapshot-every-s", 1)
        started.append(server.wait())
        waiting = [i for i in range(len(bodies)) if i not in answered][:8_000]
        after = dice.uniform(0.3, 2.5)
        new = uvloop.run(load_and_kill(server, bodies, waiting, after))
        answered |= new
        print(f"round {number:2}: ready in {started[-1]:5.1f} s, {len(new):6,} answered, killed after {after:.2f} s")
    server = start_server(folder / "model", data, free_port(), key)
    server.wait()
    with server.client as client:
        live = client.get("/v1/memory").json()
        again = client.post(bodies[min(answered)].path, content=bodies[min(answered)].body, headers=JSON).content
    server.stop()
    found = compare(data, bodies, answered)
    uninterrupted = replayed(folder / "model", data)
    found |= {
        "kills": count,
        "answered": len(answered),
        "profiles_equal": uninterrupted == (live["number"], live["fingerprint"]),
        "same_answer_after_restart": again == answered[min(answered)],
        "numbers": live["number"],
        "slowest_start_s": round(max(started), 2),
        "quick": QUICK,
    }
    show(found)
    return found


JSON = {"Content-Type": "application/json"}


class Post(NamedTuple):
    """Something to send, and the id under which it must be found."""

    path: str
    body: bytes
    id: str


def mixed(payments: list[bytes]) -> list[Post]:
    """The payments with a sign-in before every twentieth and a chargeback of an earlier one after every thirtieth."""
    out: list[Post] = []
    ids: list[str] = []
    for i, body in enumerate(payments):
        tx = msgspec.json.decode(body)
        if i % 20 == 0:
            event = {"id": f"sign-in-{i}", "at": tx["at"], "kind": "sign_in", "account": tx["account"]}
            out.append(Post("/v1/events", msgspec.json.encode(event), str(event["id"])))
        out.append(Post("/v1/transactions", body, tx["id"]))
        ids.append(tx["id"])
        if i % 30 == 29 and i > 300:
            label = {"transaction_id": ids[i - 300], "finding": "fraud", "known_at": tx["at"]}
            out.append(Post("/v1/labels", msgspec.json.encode(label), ids[i - 300]))
    return out


async def load_and_kill(server: Server, bodies: list[Post], waiting: list[int], after: float) -> dict[int, bytes]:
    """Send over many connections until the kill; returns place -> answer of all that was answered."""
    loop = asyncio.get_running_loop()
    feed, answered = iter(waiting), dict[int, bytes]()

    async def work() -> None:
        _, connection = await loop.create_connection(Connection, "127.0.0.1", server.port)
        for place in feed:
            request = requests_of([bodies[place].body], server.key, path=bodies[place].path)[0]
            status, body = await connection.send(request)
            if status == 200:
                answered[place] = body

    async def kill() -> None:
        await asyncio.sleep(after)
        await loop.run_in_executor(None, server.kill)

    await asyncio.gather(kill(), *(work() for _ in range(CONNECTIONS)), return_exceptions=True)
    return answered


def compare(data: Path, bodies: list[Post], answered: dict[int, bytes]) -> dict[str, object]:
    """Every answer against the ledger: there, once, and the same bytes."""
    with sqlite3.connect(data / "ledger.sqlite") as c:
        rows = c.execute(
            "SELECT '/v1/transactions', t.id, d.body FROM transactions t LEFT JOIN decisions d ON d.number = t.number"
            " UNION ALL SELECT '/v1/events', id, NULL FROM account_events"
            " UNION ALL SELECT '/v1/labels', t.id, NULL FROM labels l JOIN transactions t ON t.number = l.transaction_number"
        ).fetchall()
        orphans = c.execute(
            "SELECT count(*) FROM alerts WHERE number NOT IN (SELECT number FROM decisions)"
        ).fetchone()[0]
        numbers = c.execute(
            "SELECT min(number), max(number), count(*) FROM (SELECT number FROM transactions UNION ALL"
            " SELECT number FROM account_events UNION ALL SELECT number FROM labels)"
        ).fetchone()
        (sound,) = c.execute("PRAGMA integrity_check").fetchone()
    kept: dict[tuple[str, str], list[bytes | None]] = {}
    for path, id, body in rows:
        kept.setdefault((path, id), []).append(body)
    sent = {place: (bodies[place].path, bodies[place].id) for place in answered}
    paid = {place: answer for place, answer in answered.items() if bodies[place].path == "/v1/transactions"}
    return {
        "lost": sum(one not in kept for one in sent.values()),
        "doubled": sum(len(there) > 1 for there in kept.values()),
        "changed": sum(kept.get(sent[place], [None])[0] != answer for place, answer in paid.items()),
        "in_ledger": len(rows),
        "without_decision": sum(there[0] is None for (path, _), there in kept.items() if path == "/v1/transactions"),
        "alerts_without_decision": orphans,
        "gaps_in_sequence": numbers[1] - numbers[0] + 1 - numbers[2],
        "integrity": sound,
    }


def replayed(model: Path, data: Path) -> tuple[int, str]:
    """Number and fingerprint of a memory that consumes the whole ledger in one go, from where the model's own ends."""
    loaded, ledger = artifact.load(model), Ledger(data / "ledger.sqlite")
    folder = data / "uninterrupted"
    folder.mkdir()
    for base in (data / "memory").glob("*.base.kernel"):
        (folder / base.name).write_bytes(base.read_bytes())
    memory = Memory(ledger, loaded.spec, loaded.plan, folder)
    memory.restore()
    ledger.close()
    return memory.last_number, memory.kernel.fingerprint()


def show(found: dict[str, object]) -> None:
    """The table for people."""
    print()
    for name, value in found.items():
        print(f"{name.replace('_', ' '):34}{value!s:>14}")


if __name__ == "__main__":
    main()
