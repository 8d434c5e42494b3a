"""Every pair of colours that carries words is readable (WCAG AA), light and dark, computed from the style sheet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tocsin.desk.web

SHEET = (Path(tocsin.desk.web.__file__).parent / "static" / "desk.css").read_text()
PAIRS = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", SHEET)
COLOURS = {
    "light": {name: light for name, light, _ in PAIRS},
    "dark": {name: dark for name, _, dark in PAIRS},
}
# words on what they stand on
WORDS = [
    ("ink", "paper"), ("ink", "card"), ("ink", "accent-soft"), ("ink", "red-soft"),
    ("muted", "paper"), ("muted", "card"), ("muted", "accent-soft"),
    ("accent", "paper"), ("accent", "card"), ("accent", "accent-soft"),
    ("red", "red-soft"), ("red", "card"), ("red", "paper"), ("amber", "amber-soft"), ("green", "green-soft"),
    ("solid-ink", "solid"),
]  # fmt: skip
# shapes that say something: bars, borders of fields, the dots of the timeline
SHAPES = [
    ("up", "card"),
    ("down", "card"),
    ("field", "card"),
    ("accent", "card"),
    ("red", "card"),
    ("amber", "card"),
    ("green", "card"),
]


def _brightness(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2: 1 (the same) to 21 (black on white)."""
    low, high = sorted((_brightness(one), _brightness(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize(("words", "ground"), WORDS)
def test_words_are_readable(look: str, words: str, ground: str) -> None:
    assert contrast(COLOURS[look][words], COLOURS[look][ground]) >= 4.5


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_shapes_are_visible(look: str, shape: str, ground: str) -> None:
    assert contrast(COLOURS[look][shape], COLOURS[look][ground]) >= 3


def test_every_colour_in_the_sheet_is_one_of_the_variables() -> None:
    body = SHEET.split("}", 1)[1]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)", body)
