"""The report of a model of classes: one page, first a sentence, then pictures, then examples, then the numbers.

One file that needs no network: pictures and sounds stand in it. It is written beside the model when it is learned and
anew by ``tocsin evaluate MODEL DATA --report``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.classes import ClassesCard
from tocsin.data.collection import Collection
from tocsin.errors import TocsinError
from tocsin.evaluate.attribution import Explainer
from tocsin.evaluate.classcharts import Course, charts
from tocsin.evaluate.confusion import ClassFindings, doubtful, find_classes, mistakes, typical
from tocsin.evaluate.headline import KINDS, Rival, facts, first_sentence, sentences
from tocsin.evaluate.headline import sure as certain
from tocsin.evaluate.matrix import by_class
from tocsin.evaluate.saliency import Saliency
from tocsin.evaluate.sheets import Shown, sheet
from tocsin.evaluate.style import CLASSES_STYLE, STYLE
from tocsin.evaluate.wordlist import strongest_words, word_cards

Told = Callable[[str, float], None]
_MISTAKES, _DOUBTFUL, _TYPICAL = 24, 12, 24
_MORE_TEXTS = 150
"""Texts explained beside those shown, for the words that decide."""


def silent(_what: str, _share: float) -> None:
    """Nobody is told."""


def write_report(
    path: str | Path,
    card: ClassesCard,
    collection: Collection,
    rows: NDArray[np.int64],
    probability: NDArray[np.float64],
    label: NDArray[np.int64],
    explain: Explainer | None = None,
    course: Course | None = None,
    *,
    plain: Rival | None = None,
    notes: Sequence[str] = (),
    seconds: float = 60.0,
    told: Told = silent,
) -> ClassFindings:
    """Write the report of a model of classes on examples whose class is known, and give back what was measured.

    Parameters
    ----------
    path : the HTML file.
    card : of the model. collection : where the examples are; its classes need not be the model's.
    rows : int64[n], which examples of the collection were judged.
    probability : float64[n, k], what the model says of each; columns by ``card.classes``.
    label : int64[n], the true class of each, by ``card.classes``.
    explain : says what an answer hung on (:func:`tocsin.evaluate.attribution.explainer`); None leaves that out.
    course : how accuracy grew with examples, or the loss with epochs, where that is known.
    plain : what plain machine learning makes of the same examples, where that is known.
    notes : further true sentences the reader should know.
    seconds : as long as explaining may take; then the rest of the examples stands without.
    told : told what is being done and the share of it that is done.

    Raises
    ------
    BadInput : there are no examples, or numbers that are no probabilities.
    """
    group = [collection.group[i] for i in rows.tolist()]
    found = find_classes(card.classes, label, probability, group=group)
    gallery = _Gallery(card, collection, rows, probability, label, explain, seconds, told)
    html = _page(card, found, gallery, course, [*sentences(found, plain), *notes], collection.source)
    Path(path).write_text(html, encoding="utf-8")
    told("the report is written", 1.0)
    return found


class _Gallery:
    """The examples that are shown, each explained once, for as long as the time allows."""

    def __init__(
        self,
        card: ClassesCard,
        collection: Collection,
        rows: NDArray[np.int64],
        probability: NDArray[np.float64],
        label: NDArray[np.int64],
        explain: Explainer | None,
        seconds: float,
        told: Told,
    ) -> None:
        self.card, self.collection, self.rows = card, collection, rows
        self.probability, self.label = probability, label
        self.wrong = mistakes(label, probability)
        unsure = doubtful(probability)
        self.shown_wrong = self.wrong[:_MISTAKES]
        self.unsure = unsure[~np.isin(unsure, self.shown_wrong)][:_DOUBTFUL]
        each = max(1, min(4, _TYPICAL // len(card.classes)))
        of = [typical(label, probability, i)[:each] for i in range(len(card.classes))]
        self.typical = np.concatenate(of)[: 2 * _TYPICAL]
        self.explain, self.why = explain, dict[int, Saliency]()
        if explain is not None:
            self._ask(explain, seconds, told)

    def _ask(self, explain: Explainer, seconds: float, told: Told) -> None:
        """Mistakes first; a text's words are wanted of more texts than are shown."""
        wanted = [*self.shown_wrong, *self.typical, *self.unsure]
        if self.card.kind == "text":
            wanted += np.random.default_rng(0).permutation(len(self.rows))[:_MORE_TEXTS].tolist()
        wanted = list(dict.fromkeys(int(i) for i in wanted))
        begun = time.monotonic()
        for done, i in enumerate(wanted):
            told("asking why", done / len(wanted))
            if time.monotonic() - begun > seconds:
                break
            try:
                self.why[i] = explain(self.collection.raw(int(self.rows[i])), self.said(i))
            except TocsinError:  # what cannot be read is shown as such
                continue

    def said(self, i: int) -> int:
        """The class the model says of an example."""
        return int(self.probability[i].argmax())

    def sheet(self, chosen: NDArray[np.int64], *, right: bool = False) -> str:
        """The examples as a contact sheet."""
        shown = [self._shown(int(i), right) for i in chosen]
        return sheet(shown, self.card.kind, self.card.preparation)

    def _shown(self, i: int, right: bool) -> Shown:
        name = self.collection.names[int(self.rows[i])]
        raw = self._raw(i)
        said, true = self.said(i), int(self.label[i])
        a, b = self.card.classes[said], self.card.classes[true]
        sure, share = self.probability[i, said], self.probability[i, true]
        if said == true:
            line = f"<b>{escape(a)}</b> {certain(sure)}" + ("" if right else ", rightly")
        else:
            line = f"said <b>{escape(a)}</b> {certain(sure)}<br>is <b>{escape(b)}</b> {certain(share)}"
        alt = f"{b}, said to be {a} with {certain(sure)}"
        return Shown(name, raw, line, alt, self.why.get(i), "" if said == true else "wrong")

    def _raw(self, i: int) -> bytes | str:
        try:
            return self.collection.raw(int(self.rows[i]))
        except TocsinError:
            return b"" if self.card.kind != "text" else ""


def _page(
    card: ClassesCard,
    found: ClassFindings,
    gallery: _Gallery,
    course: Course | None,
    notes: Sequence[str],
    source: str,
) -> str:
    title = f"How good is {card.version or card.name}?"
    paragraphs = "".join(f"<p>{escape(note)}</p>" for note in notes)
    cards = "".join(_card(c.heading, c.words, c.picture) for c in charts(found, course))
    words = word_cards(strongest_words(card.classes, {i: (gallery.said(i), w) for i, w in gallery.why.items()}))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}{CLASSES_STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="about" title="{escape(source, quote=True)}">{escape(Path(source).name)} · {found.examples:,} {KINDS[card.kind]} · '
        f"{escape(_way(card))}</p>"
        f'<section class="lead"><p class="first">{escape(first_sentence(card, found))}</p>{paragraphs}</section>'
        f'<div class="cards">{cards}{words}</div>{_sheets(card, found, gallery)}'
        f'<section class="card wide"><h2>Class by class</h2>{by_class(found.classes)}</section>'
        f'<section class="card wide"><h2>The model</h2>{_facts(facts(card, found))}</section>'
        f"<footer>Made by Tocsin on {datetime.now(UTC):%d %B %Y}.</footer></main></body></html>"
    )


def _sheets(card: ClassesCard, found: ClassFindings, gallery: _Gallery) -> str:
    out = []
    if len(gallery.wrong):
        some = f"The {_MISTAKES} surest of {len(gallery.wrong):,}" if len(gallery.wrong) > _MISTAKES else "All of them"
        sure = int((gallery.probability[gallery.wrong].max(axis=1) >= 0.95).sum())
        said = f"{some}, the surest first."
        if sure:
            what = (
                "was made with 95 % or more: look whether its label is"
                if sure == 1
                else ("were made with 95 % or more: look whether their labels are")
            )
            said += f" {sure:,} of the mistakes {what} right."
        out.append(_sheet("The worst mistakes", said, gallery.sheet(gallery.shown_wrong)))
    else:
        out.append(_sheet("The worst mistakes", "There are none on these examples.", ""))
    said = "Where it was least decided between two classes; these teach it most when more of their like are labelled."
    if len(gallery.unsure):
        out.append(_sheet("The most doubtful", said, gallery.sheet(gallery.unsure)))
    if len(gallery.typical):
        said = "Of each class those it was surest of, and right."
        out.append(_sheet("The most typical", said, gallery.sheet(gallery.typical, right=True)))
    return _switch(card, gallery) + "".join(out)


def _switch(card: ClassesCard, gallery: _Gallery) -> str:
    """What the colours mean, and a switch for them; nothing where nothing was asked."""
    if gallery.explain is None or not gallery.why:
        return ""
    shown = len({int(i) for i in (*gallery.shown_wrong, *gallery.unsure, *gallery.typical)})
    there = sum(int(i) in gallery.why for i in {*gallery.shown_wrong, *gallery.unsure, *gallery.typical})
    short = "" if there == shown else f" The time allowed was enough for {there} of these {shown}."
    return (
        '<p class="switch"><label><input type="checkbox" id="why" checked> Show what each answer hung on</label>'
        f"<span>{escape(gallery.explain.words)}{short}</span></p>"
    )


def _sheet(heading: str, words: str, figures: str) -> str:
    return f'<section class="card wide"><h2>{escape(heading)}</h2><p>{escape(words)}</p>{figures}</section>'


def _card(heading: str, words: str, picture: str) -> str:
    return f'<section class="card"><h2>{escape(heading)}</h2><p>{escape(words)}</p>{picture}</section>'


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f'<table class="facts">{body}</table>'


def _way(card: ClassesCard) -> str:
    network = f", {card.network}" if card.network else ""
    return f"way {card.way}{network}{f' into {card.into}' if card.into else ''}"
