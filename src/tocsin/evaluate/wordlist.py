"""Words that decide: what single words spoke for, over all texts that were explained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tocsin.evaluate.charts import bars
from tocsin.evaluate.saliency import Saliency

_SHOWN, _CLASSES = 8, 6
_FAINT = 0.15
"""Words that brought less than this share of the strongest's are left out."""
_TWICE = 2
"""A word of one text alone is that text's affair."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A word: the nats it brought to its class on average, and in how many of the explained texts it stood."""

    word: str
    nats: float
    texts: int


def strongest_words(classes: Sequence[str], why: Mapping[int, tuple[int, Saliency]]) -> dict[str, tuple[Weight, ...]]:
    """For each class the words that spoke for it most; nothing for models of pictures and sounds.

    Parameters
    ----------
    why : text -> (the class that was said, its words and what each brought).
    """
    brought: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for said, found in why.values():
        one: dict[str, float] = defaultdict(float)
        for word, value in zip(found.words, found.values.tolist() if found.words else (), strict=True):
            one[word.strip(" \t\r\n.,;:!?\"'()[]").lower()] += value
        for word, value in one.items():
            if any(letter.isalnum() for letter in word):
                brought[said][word].append(value)
    out = {}
    for said, words in sorted(brought.items()):
        weights = [Weight(w, sum(v) / len(v), len(v)) for w, v in words.items() if len(v) >= _TWICE and sum(v) > 0]
        weights.sort(key=lambda one: -one.nats * one.texts**0.5)
        if weights:
            least = _FAINT * weights[0].nats
            out[classes[said]] = tuple(w for w in weights[:_SHOWN] if w.nats >= least)
    return out


def word_cards(words: Mapping[str, Sequence[Weight]]) -> str:
    """A card for each of the first classes; empty where there are no words."""
    out = []
    for name, weights in list(words.items())[:_CLASSES]:
        most = max(w.nats for w in weights)
        rows = [(w.word, w.nats, f"{w.nats:+.2f} in {w.texts}") for w in weights]
        out.append(
            f'<section class="card"><h2>Words that spoke for {escape(name)}</h2><p>By how many nats the answer moved when the '
            f"word was left out, on average, and in how many of the texts asked about.</p>{bars(rows, most=most, colour='s2')}"
            "</section>"
        )
    return "".join(out)
