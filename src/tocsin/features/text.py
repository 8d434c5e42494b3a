"""What plain machine learning reads in a text: which words, pairs of words and runs of letters, weighed by how rare they are.

TF-IDF of words 1-2 and of characters 3-5 within words. A term is known by a 64-bit hash of it: the state is two arrays of
numbers, small, quick to search, and without a word of anybody's texts in it. NumPy only; the same code trains and serves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, Damaged
from tocsin.features.state import packed, unpacked

_WORD = re.compile(r"\w+|[^\w\s]")
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Sparse:
    """A matrix with few numbers that are not 0, row by row (CSR).

    Parameters
    ----------
    data : float32[m]. columns : int32[m], which column each is of. begins : int64[n + 1], where each row begins.
    width : how many columns there are.
    """

    data: NDArray[np.float32]
    columns: NDArray[np.int32]
    begins: NDArray[np.int64]
    width: int

    def __len__(self) -> int:
        return len(self.begins) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64[m]: which row each number is of."""
        return np.repeat(np.arange(len(self)), np.diff(self.begins))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Sparse:
        """The given rows, in their order."""
        wanted = np.arange(len(self))[rows]
        lengths = np.diff(self.begins)[wanted]
        ends = np.cumsum(lengths)
        begins = np.concatenate([[0], ends]).astype(np.int64)
        at = np.arange(int(begins[-1])) + np.repeat(self.begins[wanted] - begins[:-1], lengths)
        return Sparse(self.data[at], self.columns[at], begins, self.width)

    def and_then(self, other: Sparse) -> Sparse:
        """These rows, then those of another of the same width."""
        begins = np.concatenate([self.begins, other.begins[1:] + self.begins[-1]])
        columns = np.concatenate([self.columns, other.columns])
        return Sparse(np.concatenate([self.data, other.data]), columns, begins, self.width)

    def dense(self) -> NDArray[np.float32]:
        """float32[n, width], zeros and all."""
        out = np.zeros((len(self), self.width), dtype=np.float32)
        out[self.rows, self.columns] = self.data
        return out

    def times(self, weight: NDArray[np.float32]) -> NDArray[np.float64]:
        """float64[n, k]: the matrix times float32[width, k]."""
        out = np.zeros((len(self), weight.shape[1]))
        for k in range(weight.shape[1]):
            out[:, k] = np.bincount(self.rows, self.data * weight[self.columns, k].astype(np.float64), len(self))
        return out


class TextFeatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TF-IDF, two blocks of terms, each to length 1 in every text.

    Parameters
    ----------
    words, letters : how many words, or letters within a word, a term may have, from and to; (0, 0) leaves the block out.
    least : texts a term must be in to be kept. most : terms kept of a block, the most frequent.
    """

    words: tuple[int, int] = (1, 2)
    letters: tuple[int, int] = (3, 5)
    least: int = 2
    most: int = 200_000

    @property
    def blocks(self) -> int:
        """How many blocks of terms there are."""
        return int(self.words[1] > 0) + int(self.letters[1] > 0)

    def fit(self, texts: Sequence[str]) -> TextTerms:
        """Which terms there are and how rare each is.

        Raises
        ------
        BadInput : no texts, or no term that is in ``least`` of them.
        """
        blocks = [_block(terms, len(texts), self.least, self.most) for terms in self.terms(texts)]
        if not sum(len(term) for term, _ in blocks):
            raise BadInput(
                f"learning from texts needs terms that are in at least {self.least} of them; {len(texts)} texts have none."
            )
        return TextTerms(self, tuple(b[0] for b in blocks), tuple(b[1] for b in blocks))

    def terms(self, texts: Sequence[str]) -> list[Terms]:
        """The terms of each block in each text, one after another."""
        words = [_WORD.findall(text.lower()) for text in texts]
        out = []
        if self.words[1]:
            out.append(word_terms(words, *self.words))
        if self.letters[1]:
            out.append(letter_terms(words, *self.letters))
        return out


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms as they stand in texts: uint64[m] hashes, and int64[m] which text each is in."""

    hashes: NDArray[np.uint64]
    text: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextTerms:
    """Terms that were fitted: what makes numbers of texts.

    Parameters
    ----------
    settings : how terms are made. known : for each block uint64[f], rising hashes. rarity : for each float32[f],
    ln((1 + texts) / (1 + texts with it)) + 1.
    """

    settings: TextFeatures
    known: tuple[NDArray[np.uint64], ...]
    rarity: tuple[NDArray[np.float32], ...]

    @property
    def width(self) -> int:
        """How many columns."""
        return sum(len(block) for block in self.known)

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n, width], for a few texts at a time; a text with no known term is a row of zeros."""
        return self.sparse(texts).dense()

    def sparse(self, texts: Sequence[str]) -> Sparse:
        """The same without its zeros, for many."""
        n, first = len(texts), 0
        data, columns, rows = [], [], []
        for terms, known, rarity in zip(self.settings.terms(texts), self.known, self.rarity, strict=True):
            at = np.searchsorted(known, terms.hashes)
            at[at == len(known)] = 0
            found = known[at] == terms.hashes if len(known) else np.zeros(len(at), dtype=bool)
            pair, count = np.unique(terms.text[found] * max(1, len(known)) + at[found], return_counts=True)
            row, column = np.divmod(pair, max(1, len(known)))
            value = (1 + np.log(count)) * rarity[column]
            length = np.sqrt(np.bincount(row, value**2, n))
            data.append(value / length[row])
            columns.append(column + first)
            rows.append(row)
            first += len(known)
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
        values = np.concatenate(data)[order].astype(np.float32)
        return Sparse(values, np.concatenate(columns)[order].astype(np.int32), begins, first)

    def save(self) -> bytes:
        """What :func:`opened` reads."""
        known = {f"known_{i}": block for i, block in enumerate(self.known)}
        return packed(self.settings, known | {f"rarity_{i}": block for i, block in enumerate(self.rarity)})


def opened(state: bytes) -> TextTerms:
    """What :meth:`TextTerms.save` wrote.

    Raises
    ------
    Damaged : the state is of something else.
    """
    settings, arrays = unpacked(state, TextFeatures)
    blocks = range(settings.blocks)
    if set(arrays) != {f"{name}_{i}" for i in blocks for name in ("known", "rarity")}:
        raise Damaged(f"texts' terms must come with their rarity, {settings.blocks} blocks; got {sorted(arrays)}.")
    known = tuple(arrays[f"known_{i}"].astype(np.uint64) for i in blocks)
    return TextTerms(settings, known, tuple(arrays[f"rarity_{i}"].astype(np.float32) for i in blocks))


def _block(terms: Terms, texts: int, least: int, most: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """The terms kept of a block, and how rare each is."""
    order = np.lexsort((terms.text, terms.hashes))
    hashes, text = terms.hashes[order], terms.text[order]
    new = np.ones(len(hashes), dtype=bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (text[1:] != text[:-1])
    known, within = np.unique(hashes[new], return_counts=True)
    keep = np.flatnonzero(within >= least)
    if len(keep) > most:
        keep = np.sort(keep[np.argsort(-within[keep], kind="stable")[:most]])
    return known[keep], (np.log((1 + texts) / (1 + within[keep])) + 1).astype(np.float32)


def word_terms(words: Sequence[Sequence[str]], fewest: int, most: int) -> Terms:
    """Runs of so many words of each text."""
    different = {word for text in words for word in text}
    code = {
        word: int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")
        for word in different
    }
    codes = np.array([code[word] for text in words for word in text], dtype=np.uint64)
    text = np.repeat(np.arange(len(words)), [len(text) for text in words])
    return _runs(codes, text, text, fewest, most)


def letter_terms(words: Sequence[Sequence[str]], fewest: int, most: int) -> Terms:
    """Runs of so many letters of each word of each text, its two edges counted as letters."""
    lengths = np.array([len(word) + 2 for text in words for word in text], dtype=np.int64)
    letters = "".join(f"\x01{word}\x01" for text in words for word in text)
    codes = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    word = np.repeat(np.arange(len(lengths)), lengths)
    text = np.repeat(np.repeat(np.arange(len(words)), [len(text) for text in words]), lengths)
    return _runs(_mixed(codes), text, word, fewest, most)


def _runs(
    codes: NDArray[np.uint64], text: NDArray[np.int64], within: NDArray[np.int64], fewest: int, most: int
) -> Terms:
    """Hashes of all runs of ``fewest`` to ``most`` neighbours that share ``within``."""
    hashes, texts = [], []
    run = np.zeros(len(codes), dtype=np.uint64)
    for length in range(1, most + 1):
        last = len(codes) - length + 1
        if last <= 0:
            break
        run = _mixed(run[:last] ^ (codes[length - 1 :] + np.uint64(length)))
        if length >= fewest:
            whole = within[:last] == within[length - 1 :]
            hashes.append(run[whole])
            texts.append(text[:last][whole])
    if not hashes:
        return Terms(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
    return Terms(np.concatenate(hashes), np.concatenate(texts))


def _mixed(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each code stirred, so that neighbours are strangers (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        z = codes + _MIX
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
