"""The report is one file, true to its numbers, and safe to open."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from tocsin.evaluate.charts import Axis, Line, bars, columns, lines
from tocsin.evaluate.drift import drift
from tocsin.evaluate.report import page, sentence
from tocsin.evaluate.results import find
from tocsin.measure.early import AnsweredAt, EarlyAnswers


class Reader(HTMLParser):
    """Collects tags and text, and refuses what is not closed in order."""

    void = frozenset({"meta", "line", "circle", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def html(results):
    found = find(results, cost_per_alert=5.0, rounds=5)
    values = np.column_stack([results.score, results.amount])
    moved = drift(("score", "amount"), values, values, results.at, score_then=results.score, score_now=results.score)
    return page(
        found, title="How <good>?", model="m", data="d", currency="EUR", drift=moved, notes=["Only <i>March</i>."]
    )


def test_well_formed_self_contained_and_escaped(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert not re.search(r"(src|href)=|https?://(?!www\.w3)|<script|url\(", html)
    assert "How &lt;good&gt;?" in html
    assert "&lt;i&gt;March" in html
    assert "card &lt;b&gt;" in html
    assert "nan" not in "".join(t for t in reader.text if not t.lstrip().startswith(":root")).lower()


def test_every_picture_says_what_it_is_and_stays_inside(html):
    reader = Reader()
    reader.feed(html)
    pictures = [attrs for tag, attrs in reader.tags if tag == "svg"]
    assert len(pictures) == 5
    assert all(p["role"] == "img" and p["aria-label"] for p in pictures)
    for tag, attrs in reader.tags:
        if tag == "polyline":
            for point in (attrs["points"] or "").split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= 440
                assert 0 <= y <= 272


def test_the_sentence_has_the_true_numbers(results):
    found = find(results, rounds=2)
    said = sentence(found, "EUR")
    assert f"{found.caught:.0%} of the frauds" in said
    assert f"EUR {found.money.stopped:,.0f} of EUR {found.money.at_stake:,.0f}" in said


def test_axes():
    assert Axis(0, 1, "").ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis(1, 1000, "", log=True).ticks() == [1, 10, 100, 1000]
    assert Axis(1, 1000, "", log=True).place(10) == pytest.approx(1 / 3)
    assert Axis(0, 1, "").place(7) == 1.0


def test_pictures_leave_out_what_is_not_known():
    drawn = lines([Line("a", [0, 0.5, 1], [0, float("nan"), 1])], Axis(0, 1, ""), Axis(0, 1, ""), title="t")
    assert re.search(r'points="[\d.,]+ [\d.,]+"', drawn)
    assert columns(["a", "b"], [0.5, float("nan")], Axis(0, 1, ""), title="t").count("<rect") == 1
    assert "width:0.0%" in bars([("a", float("nan"), "–")])


def test_early_answers_are_told_only_where_there_are_any(results, html):
    assert "before every kind of data" not in html
    stages = (AnsweredAt("amount <1>", 0.0, 0.0, 0.0, 0.0), AnsweredAt("place", 0.0125, 0.75, 0.004, 0.002))
    told = EarlyAnswers(stages, 1200, 0.3)
    html = page(find(results, rounds=2), title="t", model="m", data="d", currency="EUR", early=told)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    said = " ".join(" ".join(reader.text).split())
    assert "75% of the payments were approved early, which saves 30% of the look-ups" in said
    assert "let through 0.40% of 1,200 frauds, 0.20% of their money" in said
    assert "amount <1> never 0.0% 0.00% 0.00% place 0.01250 75.0% 0.40% 0.20%" in said
