"""Texts: cleaned, cut into words or word pieces, and these into numbers.

``Vocabulary`` needs nothing but Python. ``WordPieces`` reads the tokenizer.json of an existing network and needs tokenizers
(``pip install 'tocsin[perception]'``).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, Damaged, NotReady

PADDING, OTHER = 0, 1
"""What stands behind a text's end, and for a word that the vocabulary has not."""

_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+(?:['’]\w+)*|[^\w\s]")
_SPACE = re.compile(r"\s+")
_KEPT_CONTROLS = "\t\n\r"


def clean(text: str) -> str:
    """A text in one spelling: Unicode composed (NFC), no control or invisible characters, single spaces.

    Examples
    --------
    >>> clean("  Cafe\\u0301 \\x00 \\u200bau\\n lait ")
    'Café au lait'
    """
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable() or c in _KEPT_CONTROLS or unicodedata.category(c)[0] == "Z")
    return _SPACE.sub(" ", text).strip()


def words(text: str) -> list[str]:
    """The words of a text in lower case; numbers and every mark of punctuation are words too.

    Examples
    --------
    >>> words("Don't pay $1,200.50 now!")
    ["don't", 'pay', '$', '1,200.50', 'now', '!']
    """
    return _WORD.findall(clean(text).lower())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and their numbers: the first of ``words`` is 2; 0 is padding, 1 any other word.

    When the words of a network's texts are its own; for a pretrained network take its ``WordPieces``.
    """

    words: tuple[str, ...]
    _number: dict[str, int]

    @classmethod
    def of(cls, texts: Iterable[str], *, least: int = 2, most: int = 30_000) -> Vocabulary:
        """The words that stand at least ``least`` times in the texts, the commonest ``most`` of them, the commonest first.

        Examples
        --------
        >>> Vocabulary.of(["ring the bell", "the bell rings"]).words
        ('bell', 'the')
        """
        counts = Counter(word for text in texts for word in words(text))
        common = sorted((word for word, n in counts.items() if n >= least), key=lambda word: (-counts[word], word))
        return cls._with(common[:most])

    @classmethod
    def load(cls, data: bytes) -> Vocabulary:
        """What ``save`` wrote.

        Raises
        ------
        Damaged : the bytes are no vocabulary.
        """
        try:
            return cls._with(msgspec.json.decode(data, type=list[str]))
        except msgspec.DecodeError as error:
            raise Damaged(f"a vocabulary must be a JSON list of words; {error}.") from error

    @classmethod
    def _with(cls, chosen: Sequence[str]) -> Vocabulary:
        return cls(tuple(chosen), {word: i for i, word in enumerate(chosen, OTHER + 1)})

    def save(self) -> bytes:
        """As a JSON list, UTF-8."""
        return msgspec.json.encode(self.words)

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown word among them."""
        return len(self.words) + OTHER + 1

    def encode(self, texts: Sequence[str], length: int) -> NDArray[np.int64]:
        """int64[n, length]: the first ``length`` words of each text, then PADDING.

        Examples
        --------
        >>> Vocabulary.of(["a a b b b"]).encode(["b a c", ""], 4).tolist()
        [[2, 3, 1, 0], [0, 0, 0, 0]]
        """
        given = np.zeros((len(texts), length), np.int64)
        for row, text in zip(given, texts, strict=True):
            numbers = [self._number.get(word, OTHER) for word in words(text)[:length]]
            row[: len(numbers)] = numbers
        return given

    def pieces(self, text: str) -> list[str]:
        """The words ``encode`` makes numbers of, in order, to be shown beside them."""
        return words(text)


class WordPieces:
    """The word pieces of an existing network, by its tokenizer.json.

    Parameters
    ----------
    data : the bytes of the tokenizer.json.

    Raises
    ------
    Damaged : the bytes are no tokenizer, or its padding is not number 0.
    NotReady : tokenizers is not installed.
    """

    def __init__(self, data: bytes) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise NotReady(
                "word pieces need tokenizers, which is not installed.",
                hint="pip install 'tocsin[perception]' brings it.",
            ) from error
        try:
            self._tokenizer: Any = Tokenizer.from_buffer(data)
            self._whole: Any = Tokenizer.from_buffer(data)  # never cut, so that two threads may use both
        except Exception as error:  # a Rust error comes as a plain Exception
            raise Damaged(f"a tokenizer.json must be whole; this one cannot be read: {error}.") from error
        if self._tokenizer.id_to_token(PADDING) != "[PAD]":
            got = self._tokenizer.id_to_token(PADDING)
            raise Damaged(f"a tokenizer's number 0 must be its padding, [PAD]; here it is {got!r}.")
        for tokenizer in (self._tokenizer, self._whole):
            tokenizer.no_padding()
            tokenizer.no_truncation()

    def __len__(self) -> int:
        """How many numbers there are."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str], length: int) -> NDArray[np.int64]:
        """int64[n, length]: the pieces of each text between [CLS] and [SEP], cut to ``length`` in all, then PADDING."""
        self._tokenizer.enable_truncation(length)
        given = np.zeros((len(texts), length), np.int64)
        for row, text in zip(given, self._tokenizer.encode_batch([clean(text) for text in texts]), strict=True):
            row[: len(text.ids)] = text.ids
        return given

    def pieces(self, text: str) -> list[str]:
        """The pieces ``encode`` makes numbers of, in order, [CLS] and [SEP] among them."""
        return list(self._whole.encode(clean(text)).tokens)


TOKENS = ("words", "wordpiece")


def tokens_of(kind: str, vocabulary: bytes) -> Vocabulary | WordPieces:
    """What cuts texts, by its kind (one of ``TOKENS``) and the bytes it was saved as.

    Raises
    ------
    BadInput : another kind.
    Damaged : the bytes are not what they should be.
    """
    if kind == "words":
        return Vocabulary.load(vocabulary)
    if kind == "wordpiece":
        return WordPieces(vocabulary)
    raise BadInput(f"must be one of {', '.join(TOKENS)}; got {kind!r}.", field="tokens")
