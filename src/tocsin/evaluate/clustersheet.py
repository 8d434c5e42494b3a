"""The page of groups: what is in each, from its centre outwards, and what fits it least. One file, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np

from tocsin.data.collection import UNKNOWN, Collection
from tocsin.errors import TocsinError
from tocsin.evaluate.charts import Axis, Line, count, lines
from tocsin.evaluate.clusters import Clusters, agreement, telling_words
from tocsin.evaluate.embedding import Embedding
from tocsin.evaluate.headline import KINDS
from tocsin.evaluate.sheets import Shown, sheet
from tocsin.evaluate.style import CLASSES_STYLE, STYLE

_FIGURES, _ODD = 160, 60
"""Examples on the page in all, so that it stays a few megabytes: shown, and odd ones out."""


def cluster_page(collection: Collection, embedding: Embedding, found: Clusters) -> str:
    """The page as HTML.

    Parameters
    ----------
    collection : where the examples are; ``embedding.rows`` are those that were grouped.
    """
    title = f"What is in {Path(collection.source).name}?"
    said = group_words(collection, embedding, found)
    each = max(4, min(12, _FIGURES // len(found.sizes)))
    odd = max(2, min(6, _ODD // len(found.sizes)))
    groups = "".join(_group(collection, embedding, found, group, words, each, odd) for group, words in enumerate(said))
    how = "".join(f"<p>{escape(one)}</p>" for one in notes(collection, embedding, found))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}{CLASSES_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f'<p class="about">grouped by {escape(embedding.words)}</p><section class="lead"><p class="first">'
        f"{escape(first_words(collection, found))}</p>{how}</section>{_how_many(found)}{groups}"
        f"<footer>Made by Tocsin on {datetime.now(UTC):%d %B %Y}.</footer></main></body></html>"
    )


def first_words(collection: Collection, found: Clusters) -> str:
    """How many there are, in how many groups, and how far these are apart."""
    s = found.silhouette
    apart = (
        "far apart" if s > 0.5 else "apart" if s > 0.25 else "that run into one another: take them for a first sorting"
    )
    return (
        f"{len(found.of):,} {KINDS[collection.kind]} fall into {len(found.sizes)} groups, {apart} (silhouette {s:.2f})."
    )


def notes(collection: Collection, embedding: Embedding, found: Clusters) -> list[str]:
    """What was left out, and how like the true classes the groups are, where there are any."""
    out = []
    if missing := len(collection) - len(embedding.rows):
        out.append(f"{missing:,} could not be read and are left out.")
    label = collection.label[embedding.rows]
    known = label != UNKNOWN
    if len(np.unique(label[known])) > 1:
        rand, mutual = agreement(found.of[known], label[known])
        out.append(
            f"The groups were made without the classes that are there; with these they agree by an adjusted Rand index of "
            f"{rand:.2f} and a normalised mutual information of {mutual:.2f} (0 is chance, 1 the same)."
        )
    return out


def group_words(collection: Collection, embedding: Embedding, found: Clusters) -> list[str]:
    """What can be said of each group: the words that tell it from others, or which classes it is of."""
    out = [""] * len(found.sizes)
    if collection.kind == "text":
        texts = [str(collection.raw(int(i))) for i in embedding.rows]
        out = [", ".join(words) for words in telling_words(texts, found.of)]
    label = collection.label[embedding.rows]
    if (label != UNKNOWN).any():
        for group in range(len(out)):
            here = Counter(collection.classes[i] for i in label[(found.of == group) & (label != UNKNOWN)].tolist())
            total = sum(here.values())
            said = ", ".join(f"{name} {n / total:.0%}" for name, n in here.most_common(3))
            out[group] = f"{out[group]} ({said})" if out[group] else said
    return out


def _group(
    collection: Collection, embedding: Embedding, found: Clusters, group: int, words: str, each: int, odd: int
) -> str:
    size = found.sizes[group]
    kind, preparation = collection.kind, embedding.preparation
    shown = found.outwards(group, each)
    outer = [i for i in found.odd(group, odd) if i not in shown]
    heading = f"Group {group + 1} · {size:,} {KINDS[kind]} ({size / len(found.of):.0%})"
    out = f'<section class="card wide"><h2>{escape(heading)}</h2>' + (f"<p>{escape(words)}</p>" if words else "")
    out += sheet(_shown(collection, embedding, found, shown.tolist(), group), kind, preparation)
    if outer:
        out += '<p class="odd">The odd ones out</p>'
        out += sheet(_shown(collection, embedding, found, outer, group), kind, preparation)
    return out + "</section>"


def _shown(
    collection: Collection, embedding: Embedding, found: Clusters, chosen: Sequence[int], group: int
) -> list[Shown]:
    out = []
    for i in chosen:
        row = int(embedding.rows[i])
        try:
            raw = collection.raw(row)
        except TocsinError:
            raw = "" if collection.kind == "text" else b""
        name = collection.names[row]
        known = collection.label[row] != UNKNOWN
        line = f"<b>{escape(collection.classes[collection.label[row]])}</b>" if known else ""
        alt = f"{name} in group {group + 1}, {found.distance[i]:.2f} from its centre"
        out.append(Shown(name, raw, line, alt))
    return out


def _how_many(found: Clusters) -> str:
    if len(found.tried) < 3:
        return ""
    x, y = [float(k) for k, _ in found.tried], [s for _, s in found.tried]
    chart = lines(
        [Line("", x, y, "s1", dots=True)],
        Axis(2, x[-1], "groups", count),
        Axis(min(0.0, *y), max(0.05, *y) * 1.15, "", lambda v: f"{v:.2g}"),
        title="Number of groups against how far they are apart",
        mark=float(len(found.sizes)),
        mark_name="taken",
    )
    return (
        '<div class="cards"><section class="card"><h2>How many groups?</h2><p>Upwards: how far apart the groups are '
        f"(silhouette). Another number: --into.</p>{chart}</section></div>"
    )
