"""How many decisions a second, how fast, and where the time goes; beside a bare application that only parses and answers.

    make bench NAME=live        (QUICK=1: under a minute)

The decision is whole: key, parsing, card token, ids, numbers, memory, all trees of all stages, freezes, policy, and one
durable commit (SQLite, WAL: an answer survives kill -9) before the answer goes out. The load generator is a process of
its own; its share of a core is printed, because on two cores it takes part of what it measures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil
import uvloop

from traffic import (
    ENVIRONMENT,
    Load,
    Server,
    free_port,
    fresh_key,
    learn_model,
    payments,
    requests_of,
    running,
    send,
    start_server,
)

QUICK = bool(os.environ.get("QUICK"))
DECISIONS = 4_000 if QUICK else 20_000
SECONDS = 5 if QUICK else 20
BARE = """
import sys, uvicorn, msgspec
from tocsin.schema import Transaction
read = msgspec.json.Decoder(Transaction).decode
async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body")
    lines = body.split(b"\\n") if b"\\n" in body else [body]
    answer = b"\\n".join(msgspec.json.encode({"id": read(line).id, "action": "approve"}) for line in lines)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off", access_log=False,
            log_level="warning", interface="asgi3", ws="none", proxy_headers=False)
"""
STEPS = {
    "door": "parse, check, card token",
    "ledger_read": "ids, order, freezes",
    "memory": "memory (kernel)",
    "score": "trees and network, all stages",
    "rules": "policy, rows, answers",
    "ledger_write": "insert",
    "commit": "commit",
    "reasons": "reasons of alerts, after the answer",
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.environ.get("TOCSIN_BENCH_FOLDER", name))
        if not (folder / "model").is_dir():
            learn_model(folder, 20_000 if QUICK else 100_000)
        bodies = payments(folder / "world" / "world.parquet", 6 * DECISIONS + 1_000 * SECONDS + 1_000)
        data = Path(name) / "data"
        key = fresh_key(data)
        port = free_port()
        bare = measure_bare(bodies, key)
        with running(start_server(folder / "model", data, port, key)) as server:
            result = measure(server, bodies)
        power = Path(name) / "power"
        key = fresh_key(power)
        with running(start_server(folder / "model", power, free_port(), key, "--durability", "power")) as server:
            result |= measure_power(server, bodies)
    result |= {
        "ratio_to_bare_app": result["decisions_per_s_single"] / bare["single"],
        "ratio_to_bare_app_lists_of_100": result["decisions_per_s_lists_of_100"] / bare["lists"],
        "bare_requests_per_s": bare["single"],
        "bare_payments_per_s_lists_of_100": bare["lists"],
        "quick": QUICK,
    }
    show(result)
    print(msgspec.json.encode({k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}).decode())


def measure(server: Server, bodies: list[bytes]) -> dict[str, object]:
    """Throughput one a request and in lists, then latency at half the single load."""
    feed = iter(bodies)

    def take(count: int) -> list[bytes]:
        return [next(feed) for _ in range(count)]

    drive(server, requests_of(take(1_000), server.key), connections=16)  # the first calls load compiled code
    process = psutil.Process(server.process.pid)
    single, steps = profiled(server, requests_of(take(DECISIONS), server.key), connections=32)
    lists, list_steps = profiled(server, requests_of(take(2 * DECISIONS), server.key, lines=100), connections=4)
    rate = DECISIONS / single.seconds / 2
    half = drive(
        server, requests_of(take(int(min(rate * SECONDS, 3 * DECISIONS))), server.key), connections=64, rate=rate
    )
    fixed = drive(server, requests_of(take(1_000 * SECONDS // 2), server.key), connections=64, rate=1_000)
    return {
        "decisions_per_s_single": DECISIONS / single.seconds,
        "decisions_per_s_lists_of_100": 2 * DECISIONS / lists.seconds,
        "p50_ms": half.quantile(0.5),
        "p99_ms": half.quantile(0.99),
        "p999_ms": half.quantile(0.999),
        "p50_ms_at_1000_per_s": fixed.quantile(0.5),
        "p99_ms_at_1000_per_s": fixed.quantile(0.99),
        "p999_ms_at_1000_per_s": fixed.quantile(0.999),
        "half_load_decisions_per_s": len(half.latencies) / half.seconds,
        "generator_share_of_a_core_single": single.generator_cpu,
        "generator_share_of_a_core_lists": lists.generator_cpu,
        "generator_share_of_a_core_half_load": half.generator_cpu,
        "service_memory_mb": process.memory_info().rss / 2**20,
        "answered_otherwise": sum(n for load in (single, lists, half) for s, n in load.statuses.items() if s != 200),
        "batch_size_single": steps.pop("batch_size"),
        "steps_single": steps,
        "steps_lists_of_100": {k: v for k, v in list_steps.items() if k != "batch_size"},
    }


def measure_power(server: Server, bodies: list[bytes]) -> dict[str, object]:
    """Throughput when a commit waits for the disk, so that an answer survives a power cut."""
    drive(server, requests_of(bodies[:1_000], server.key), connections=16)
    count = DECISIONS // 2
    single = drive(server, requests_of(bodies[1_000 : 1_000 + count], server.key), connections=32)
    lists = drive(server, requests_of(bodies[1_000 + count : 1_000 + 3 * count], server.key, lines=100), connections=4)
    return {
        "decisions_per_s_single_power": count / single.seconds,
        "decisions_per_s_lists_of_100_power": 2 * count / lists.seconds,
    }


def drive(server: Server, requests: list[bytes], *, connections: int, rate: float | None = None) -> Load:
    """One load from this process."""
    return uvloop.run(send(server.port, requests, connections=connections, rate=rate))


def profiled(server: Server, requests: list[bytes], *, connections: int) -> tuple[Load, dict[str, float]]:
    """A load, and microseconds of processor time a decision for each step; ``http`` is all that is left of the process's
    time: sockets, routing, keys, handing over between threads.
    """
    process = psutil.Process(server.process.pid)
    before, cpu = counters(server), sum(process.cpu_times()[:2])
    load = drive(server, requests, connections=connections)
    after, used = counters(server), sum(process.cpu_times()[:2]) - cpu
    decided = after["decided"] - before["decided"]
    steps = {step: 1e6 * (after[step] - before[step]) / decided for step in STEPS}
    steps["http"] = 1e6 * used / decided - sum(steps.values())
    steps["all"] = 1e6 * used / decided
    steps["batch_size"] = decided / max(after["batches"] - before["batches"], 1)
    return load, steps


def counters(server: Server) -> dict[str, float]:
    """What the service says of itself."""
    with server.client as client:
        text = client.get("/metrics").text
    out: dict[str, float] = {"decided": 0.0}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("tocsin_decisions_total"):
            out["decided"] += float(value)
        elif name.startswith("tocsin_step_seconds_total"):
            out[name.split('"')[1]] = float(value)
        elif name == "tocsin_door_seconds_total":
            out["door"] = float(value)
        elif name == "tocsin_batches_total":
            out["batches"] = float(value)
    return out


def measure_bare(bodies: list[bytes], key: str) -> dict[str, float]:
    """The same load on an application that parses and answers and does nothing else."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)], env=ENVIRONMENT)
    try:
        for _ in range(200):
            try:
                uvloop.run(send(port, requests_of(bodies[:200], key), connections=1))
                break
            except OSError:
                time.sleep(0.05)
        single = uvloop.run(send(port, requests_of(bodies[:DECISIONS], key), connections=32))
        lists = uvloop.run(send(port, requests_of(bodies[: 2 * DECISIONS], key, lines=100), connections=4))
    finally:
        process.terminate()
        process.wait()
    return {"single": DECISIONS / single.seconds, "lists": 2 * DECISIONS / lists.seconds}


def show(result: dict[str, object]) -> None:
    """The table for people."""
    print(f"{'decisions a second, one a request':46}{result['decisions_per_s_single']:>12,.0f}")
    print(f"{'  a bare application that only parses':46}{result['bare_requests_per_s']:>12,.0f}")
    print(f"{'decisions a second, lists of 100':46}{result['decisions_per_s_lists_of_100']:>12,.0f}")
    print(f"{'  a bare application that only parses':46}{result['bare_payments_per_s_lists_of_100']:>12,.0f}")
    print(f"{'the same, surviving a power cut: one a request':46}{result['decisions_per_s_single_power']:>12,.0f}")
    print(f"{'  lists of 100':46}{result['decisions_per_s_lists_of_100_power']:>12,.0f}")
    half = f"{result['half_load_decisions_per_s']:,.0f} a second"
    print(f"{'at half the single load':46}{half:>12}")
    for name in ("p50_ms", "p99_ms", "p999_ms"):
        print(f"  {name:44}{result[name]:>12,.2f}")
    print(f"{'at 1,000 a second':46}")
    for name in ("p50_ms", "p99_ms", "p999_ms"):
        print(f"  {name:44}{result[name + '_at_1000_per_s']:>12,.2f}")
    print(f"{'load generator, share of a core (single)':46}{result['generator_share_of_a_core_single']:>12.0%}")
    print(f"\n{'processor time, microseconds a decision':46}{'single':>12}{'lists':>12}")
    single, lists = result["steps_single"], result["steps_lists_of_100"]
    for step, words in {**STEPS, "http": "HTTP and all the rest", "all": "all"}.items():
        print(f"  {words:44}{single[step]:>12.1f}{lists[step]:>12.1f}")  # type: ignore[index]


if __name__ == "__main__":
    main()
