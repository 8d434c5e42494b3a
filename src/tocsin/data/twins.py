"""Copies and near-copies in a collection: found in time about proportional to its size, not to its square.

Pictures and sounds come as small maps (a thumbnail; loudness by pitch and time), texts as words. Maps are compared within
cells around a few of them, so that each meets only those that could be like it; texts by MinHash. This module opens no
file and does not know what a near-copy means for learning.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise
from math import isqrt

import numpy as np
from numpy.typing import NDArray

SIDE = 24
"""Points a side of a map."""

_WHOLE = 4096
_BLOCK = 1024
_MOST = 8
_ROWS, _BANDS = 3, 20


def alike(
    maps: NDArray[np.uint8], *, least: float, shift: int = 0, contrast: float = 4.0, candidates: float = 0.85
) -> NDArray[np.int64]:
    """Pairs of maps that are the same up to brightness, contrast, small noise and a small shift.

    Parameters
    ----------
    maps : uint8[n, SIDE, SIDE, channels].
    least : the correlation from which two are called alike, each channel's mean taken away first.
    shift : points by which one may be moved against the other.
    contrast : the standard deviation below which a map is too plain to be compared (open sea, silence).
    candidates : the correlation of their eighths from which two are looked at closely.

    Returns
    -------
    int64[m, 2], the smaller number first; of very many alike each is paired with its nearest eight.

    References
    ----------
    The cells are those of an inverted file (Jégou, Douze, Schmid, 2011), with examples themselves as centres.
    """
    blocks = [maps[i : i + _BLOCK] for i in range(0, len(maps), _BLOCK)]
    varied = np.concatenate([_deviation(block) >= contrast for block in blocks] or [np.zeros(0, bool)])
    rows = np.flatnonzero(varied)
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = rows[_near(np.concatenate([_small(block) for block in blocks])[rows], candidates)]
    alike_ = [_correlation(maps, pairs[i : i + _BLOCK], shift, least) >= least for i in range(0, len(pairs), _BLOCK)]
    return np.asarray(pairs[np.concatenate(alike_)] if alike_ else pairs)


def _deviation(maps: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much each map varies from place to place, float64[n]; colour alone is no variation."""
    return np.asarray(np.sqrt(maps.astype(np.float32).var(axis=(1, 2)).mean(axis=1, dtype=np.float64)))


def _small(maps: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The means of 3 x 3 points and of all channels, unit length without their mean; float32[n, 64]."""
    eighth = SIDE // 8
    coarse = maps.reshape(len(maps), 8, eighth, 8, eighth, -1).mean(axis=(2, 4, 5), dtype=np.float32)
    return _unit(coarse.reshape(len(maps), 64))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


def _near(sketch: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """Pairs of rows whose product is at least ``least``, each row with its nearest few of its cells; int64[m, 2]."""
    found = [np.zeros((0, 2), np.int64)]
    for cell in _cells(sketch):
        inside = sketch[cell]
        most = min(_MOST, len(cell) - 1)
        for start in range(0, len(cell) if most > 0 else 0, _BLOCK):
            like = inside[start : start + _BLOCK] @ inside.T
            own = np.arange(len(like))
            like[own, own + start] = -1.0
            nearest = np.argpartition(like, -most, axis=1)[:, -most:]
            good = np.take_along_axis(like, nearest, axis=1) >= least
            pairs = np.stack([np.broadcast_to(cell[own + start, None], nearest.shape), cell[nearest]], axis=2)[good]
            found.append(np.sort(pairs, axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _cells(sketch: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """Rows that may be alike, together: each in the cells of the three centres nearest to it."""
    n = len(sketch)
    if n <= _WHOLE:
        return [np.arange(n)]
    centres = sketch[np.random.default_rng(0).choice(n, isqrt(n), replace=False)]
    blocks = [
        np.argpartition(sketch[i : i + _BLOCK] @ centres.T, -3, axis=1)[:, -3:].astype(np.int32)
        for i in range(0, n, _BLOCK)
    ]
    nearest = np.concatenate(blocks)
    order = np.argsort(nearest, axis=None, kind="stable")
    bounds = np.searchsorted(nearest.ravel()[order], np.arange(len(centres) + 1))
    return [order[a:b] // 3 for a, b in pairwise(bounds) if b - a > 1]


def _correlation(maps: NDArray[np.uint8], pairs: NDArray[np.int64], shift: int, least: float) -> NDArray[np.float64]:
    """The best correlation of each pair over all shifts; float64[m]. A pair far below ``least`` unmoved is not moved."""
    ours, theirs = (maps[pairs[:, side]].astype(np.float32) for side in (0, 1))
    best = _moved(ours, theirs, 0, 0, 0)
    moving = np.flatnonzero((best < least) & (best > 0.6)) if shift else np.zeros(0, np.int64)
    ours, theirs = ours[moving], theirs[moving]
    for down in range(-shift, shift + 1):
        for across in range(-shift, shift + 1):
            if len(moving):
                best[moving] = np.maximum(best[moving], _moved(ours, theirs, down, across, shift))
    return best


def _moved(
    ours: NDArray[np.float32], theirs: NDArray[np.float32], down: int, across: int, edge: int
) -> NDArray[np.float64]:
    inner = slice(edge, SIDE - edge)
    a = ours[:, inner, inner]
    b = theirs[:, edge + down : SIDE - edge + down, edge + across : SIDE - edge + across]
    a, b = a - a.mean(axis=(1, 2), keepdims=True), b - b.mean(axis=(1, 2), keepdims=True)
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    product = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    return np.asarray(product / np.maximum(lengths, 1e-6), np.float64)


def alike_texts(texts: Sequence[Sequence[str]], *, least: float = 0.75) -> NDArray[np.int64]:
    """Pairs of texts that share most of their neighbouring words.

    Parameters
    ----------
    texts : the words of each.
    least : the share of pairs of neighbouring words that two texts must have in common of all they have (Jaccard).

    Returns
    -------
    int64[m, 2]. Ten words and one more among them share 0.77; ten of which one was changed 0.69, and they may well mean
    another thing (the largest city, the largest snake). A text of fewer than four words is like no other.

    References
    ----------
    Broder, On the resemblance and containment of documents, 1997; banding as in Leskovec, Rajaraman, Ullman.
    """
    rows = [i for i, words in enumerate(texts) if len(words) >= 4]
    shingles = [_shingles(texts[i]) for i in rows]
    if len(rows) < 2:
        return np.zeros((0, 2), np.int64)
    signature = _signatures(shingles)
    found = [np.zeros((0, 2), np.int64)]
    for band in range(_BANDS):
        keys = _mixed(signature[:, band * _ROWS : (band + 1) * _ROWS])
        order = np.argsort(keys, kind="stable")
        for ahead in range(1, _MOST + 1):
            same = keys[order[ahead:]] == keys[order[:-ahead]]
            found.append(np.stack([order[:-ahead][same], order[ahead:][same]], axis=1))
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    kept = [
        shared / (len(shingles[a]) + len(shingles[b]) - shared) >= least
        for a, b in pairs.tolist()
        for shared in [len(np.intersect1d(shingles[a], shingles[b], assume_unique=True))]
    ]
    return np.asarray(np.asarray(rows, np.int64)[pairs[np.asarray(kept, bool)]])


def _shingles(words: Sequence[str]) -> NDArray[np.uint32]:
    """Every two neighbouring words as one number, the beginning and the end among them; sorted, each once."""
    padded = ["", *words[:512], ""]
    numbers = [zlib.crc32(f"{a} {b}".encode(errors="replace")) for a, b in pairwise(padded)]
    return np.unique(np.asarray(numbers, np.uint32))


def _signatures(shingles: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """The smallest of each text's numbers under each of _ROWS · _BANDS hashes; uint32[n, 60]."""
    starts = np.cumsum([0, *map(len, shingles[:-1])])
    every = np.concatenate(shingles).astype(np.uint64)
    random = np.random.default_rng(0)
    signature = np.empty((len(shingles), _ROWS * _BANDS), np.uint32)
    for i in range(_ROWS * _BANDS):
        odd, plus = (random.integers(1, 1 << 63, 2, np.uint64) | np.uint64(1)).tolist()
        mixed = (every * np.uint64(odd) + np.uint64(plus)) >> np.uint64(32)
        signature[:, i] = np.minimum.reduceat(mixed, starts)
    return signature


def _mixed(columns: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """A few columns as one number."""
    key = np.zeros(len(columns), np.uint64)
    for column in columns.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
    return key


def joined(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the first example that each is like, directly or through others; int64[n].

    Examples
    --------
    >>> joined(5, np.array([[1, 3], [3, 4]])).tolist()
    [0, 1, 2, 1, 1]
    """
    root = list(range(n))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for a, b in pairs.tolist():
        a, b = find(a), find(b)
        root[max(a, b)] = min(a, b)
    return np.fromiter((find(i) for i in range(n)), np.int64, n)
