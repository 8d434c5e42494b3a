"""Where what is remembered lives: rows of entities, rings of events, and the file they are kept in.

Knows sizes, growth, bytes, copies and the file; knows nothing of what a cell means.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.errors import Damaged
from tocsin.features import program as p
from tocsin.features.entry import entries
from tocsin.features.program import Ints, Program

_MAGIC = b"TOCSIN-MEMORY-1\n"
_DIGEST = 32
_LEAST_ROWS, _LEAST_NODES = 16, 16
# Of a table's and a ring's state only these say what is remembered; the rest says where it lies.
_TABLE_KEPT = (p.S_USED, p.S_FREE, p.S_LIVE, p.S_CURSOR, p.S_PASS, p.S_BOUND)
_RING_KEPT = (p.Q_HEAD, p.Q_TAIL)


def address(cells: Any) -> int:
    """Where an array's first cell lies."""
    return int(cells.__array_interface__["data"][0])


def _power(n: int, least: int) -> int:
    """The smallest power of two that is at least ``n`` and ``least``."""
    return max(least, 1 << max(0, n - 1).bit_length())


class Memory:
    """All cells of one kernel.

    Parameters
    ----------
    program : says how many tables and rings there are and how wide their rows are.
    idle : microseconds after which an entity nobody named is forgotten.
    """

    def __init__(self, program: Program, idle: int) -> None:
        self.program = program
        self.widths = [int(w) for w in program.tables[:, p.T_WIDTH]]
        self.node_widths = [int(w) for w in program.groups[:, p.G_WIDTH]]
        self.state = np.zeros(
            p.N_CELLS + len(self.widths) * p.S_CELLS + len(self.node_widths) * p.Q_CELLS, dtype=np.int64
        )
        after = p.N_CELLS + len(self.widths) * p.S_CELLS
        self.whole = self.state[: p.N_CELLS]
        self.tables = self.state[p.N_CELLS : after].reshape(-1, p.S_CELLS)
        self.rings = self.state[after:].reshape(-1, p.Q_CELLS)
        self.whole[p.N_NEWEST], self.whole[p.N_RECYCLE], self.whole[p.N_IDLE] = p.NEVER, p.FOREVER, idle
        self.tables[:, p.S_USED] = self.tables[:, p.S_CURSOR] = 1
        self.tables[:, p.S_PASS], self.tables[:, p.S_BOUND] = p.FOREVER, p.NEVER
        self.rings[:, p.Q_HEAD] = self.rings[:, p.Q_TAIL] = 1  # position 0 means "no node"
        self.rows: list[Ints] = []
        self.indexes: list[Ints] = []
        self.nodes: list[Ints] = []
        for t, width in enumerate(self.widths):
            rows = np.empty((_LEAST_ROWS, width), dtype=np.int64)
            rows[0] = program.templates[t]
            self.rows.append(rows)
            self.indexes.append(np.zeros(0, dtype=np.int64))
            self._place_rows(t, rows)
        for g, width in enumerate(self.node_widths):
            self.nodes.append(np.empty((0, width), dtype=np.int64))
            self._place_nodes(g, np.empty((_LEAST_NODES if width else 0, width), dtype=np.int64))

    def _place_rows(self, t: int, rows: Ints) -> None:
        self.rows[t] = rows
        self.tables[t, p.S_ROWS], self.tables[t, p.S_ROOM] = address(rows), len(rows)
        self.indexes[t] = np.zeros(4 * _power(len(rows), _LEAST_ROWS), dtype=np.int64)
        self.tables[t, p.S_INDEX] = address(self.indexes[t])
        self.tables[t, p.S_MASK] = len(self.indexes[t]) // 2 - 1
        _, refill = entries()
        refill(address(self.tables[t]), self.widths[t])

    def _place_nodes(self, g: int, nodes: Ints) -> None:
        self.nodes[g] = nodes
        self.rings[g, p.Q_ADDRESS], self.rings[g, p.Q_MASK] = address(nodes), len(nodes) - 1

    def _room(self, t: int, n: int) -> int:
        """How many rows a table needs so that ``n`` more entities fit."""
        return max(_power(int(self.tables[t, p.S_LIVE]) + 1 + n, _LEAST_ROWS), len(self.rows[t]))

    def _ring_room(self, g: int, n: int) -> int:
        held = int(self.rings[g, p.Q_HEAD] - self.rings[g, p.Q_TAIL])
        return max(_power(held + n, _LEAST_NODES), len(self.nodes[g])) if self.node_widths[g] else 0

    def bytes_with(self, n: int) -> int:
        """How many bytes everything takes once ``n`` more events are sure to fit."""
        total = self.state.nbytes
        for t, width in enumerate(self.widths):
            total += self._room(t, n) * (8 * width + 32)
        for g, width in enumerate(self.node_widths):
            total += self._ring_room(g, n) * 8 * width
        return total

    def grow(self, n: int) -> None:
        """Make room for ``n`` more events; nothing that is remembered changes."""
        for t, width in enumerate(self.widths):
            room = self._room(t, n)
            if room > len(self.rows[t]):
                used = int(self.tables[t, p.S_USED])
                rows = np.empty((room, width), dtype=np.int64)
                rows[:used] = self.rows[t][:used]
                self._place_rows(t, rows)
        for g, width in enumerate(self.node_widths):
            room = self._ring_room(g, n)
            if room > len(self.nodes[g]):
                nodes = np.empty((room, width), dtype=np.int64)
                self._lay(g, nodes, list(self.held(g)))
                self._place_nodes(g, nodes)

    def _lay(self, g: int, nodes: Ints, parts: list[Ints]) -> None:
        """Write a ring's nodes, oldest first, where their positions say."""
        position, mask = int(self.rings[g, p.Q_TAIL]), len(nodes) - 1
        for part in parts:
            while len(part):
                start = position & mask
                fits = min(len(part), len(nodes) - start)
                nodes[start : start + fits] = part[:fits]
                part, position = part[fits:], position + fits

    def held(self, g: int) -> Iterator[Ints]:
        """A ring's nodes from the oldest to the newest, in one or two pieces."""
        tail, head = int(self.rings[g, p.Q_TAIL]), int(self.rings[g, p.Q_HEAD])
        if tail == head:
            return
        room = len(self.nodes[g])
        start, stop = tail % room, (head - 1) % room + 1
        if start < stop:
            yield self.nodes[g][start:stop]
        else:
            yield self.nodes[g][start:]
            yield self.nodes[g][:stop]

    @property
    def nbytes(self) -> int:
        """Bytes allocated for everything remembered."""
        return self.state.nbytes + sum(a.nbytes for a in (*self.rows, *self.indexes, *self.nodes))

    def pieces(self) -> list[Ints]:
        """Everything that says what is remembered, and nothing that says where it lies; views, not copies."""
        out = [self.whole, self.tables[:, _TABLE_KEPT], self.rings[:, _RING_KEPT]]
        out += [rows[: int(used)] for rows, used in zip(self.rows, self.tables[:, p.S_USED], strict=True)]
        for g in range(len(self.nodes)):
            out += self.held(g)
        return out

    def copy(self) -> Memory:
        """The same memory again, sharing nothing."""
        return Memory.of(self.program, [piece.copy() for piece in self.pieces()])

    @classmethod
    def of(cls, program: Program, pieces: list[Ints]) -> Memory:
        """A memory from :meth:`pieces`, each ring's in one or two."""
        memory = cls(program, 0)
        memory.whole[:] = pieces[0].ravel()
        memory.tables[:, _TABLE_KEPT] = pieces[1].reshape(-1, len(_TABLE_KEPT))
        memory.rings[:, _RING_KEPT] = pieces[2].reshape(-1, len(_RING_KEPT))
        at = 3
        for t, width in enumerate(memory.widths):
            used = int(memory.tables[t, p.S_USED])
            rows = np.empty((_power(used, _LEAST_ROWS), width), dtype=np.int64)
            rows[:used] = pieces[at].reshape(used, width)
            memory._place_rows(t, rows)
            at += 1
        for g, width in enumerate(memory.node_widths):
            held = int(memory.rings[g, p.Q_HEAD] - memory.rings[g, p.Q_TAIL])
            nodes = np.empty((_power(held, _LEAST_NODES) if width else 0, width), dtype=np.int64)
            parts = []
            while held:
                parts.append(pieces[at].reshape(-1, width))
                held -= len(parts[-1])
                at += 1
            memory._lay(g, nodes, parts)
            memory._place_nodes(g, nodes)
        return memory


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A memory as it was at one moment; may be written by another thread while the kernel steps on."""

    plan_fingerprint: str
    last_number: int
    pieces: tuple[Ints, ...]

    def fingerprint(self) -> str:
        """Hex of everything remembered; equal for equal memories however the events were cut into batches."""
        digest = blake2b(self.plan_fingerprint.encode(), digest_size=16)
        for piece in self.pieces:
            digest.update(np.ascontiguousarray(piece).tobytes())
        return digest.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write it as a whole or not at all: a file beside it first, flushed to disk, then renamed over it."""
        path = Path(path)
        header = {
            "plan": self.plan_fingerprint,
            "last_number": self.last_number,
            "cells": [int(piece.size) for piece in self.pieces],
        }
        text = json.dumps(header).encode()
        digest = blake2b(digest_size=_DIGEST)
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with beside.open("wb") as file:
                for part in (
                    _MAGIC,
                    len(text).to_bytes(8, "little"),
                    text,
                    *(np.ascontiguousarray(x).tobytes() for x in self.pieces),
                ):
                    digest.update(part)
                    file.write(part)
                file.write(digest.digest())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_snapshot(path: str | Path) -> Snapshot:
    """Read a file of :meth:`Snapshot.save`.

    Raises
    ------
    Damaged : the file is cut short, changed, or not a snapshot.
    """
    raw = Path(path).read_bytes()
    way_out = "Remove it; the memory is then rebuilt from the ledger."
    if len(raw) < len(_MAGIC) + 8 + _DIGEST or not raw.startswith(_MAGIC):
        raise Damaged(
            "a snapshot must be a file written by Tocsin; got something else.", field="snapshot", hint=way_out
        )
    body, digest = raw[:-_DIGEST], raw[-_DIGEST:]
    if blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise Damaged(
            "a snapshot must match its fingerprint; got a file that does not.", field="snapshot", hint=way_out
        )
    start = len(_MAGIC) + 8
    stop = start + int.from_bytes(body[len(_MAGIC) : start], "little")
    header = json.loads(body[start:stop])
    pieces, at = [], stop
    for cells in header["cells"]:
        pieces.append(np.frombuffer(body, dtype=np.uint8, count=8 * cells, offset=at).copy().view(np.int64))
        at += 8 * cells
    return Snapshot(header["plan"], header["last_number"], tuple(pieces))
