"""Groups are those the examples were made in, and their number is found."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scenes.pages import read
from tocsin.data.collection import collect, texts
from tocsin.errors import BadInput
from tocsin.evaluate.clusters import agreement, cluster, telling_words
from tocsin.evaluate.clustersheet import cluster_page
from tocsin.evaluate.embedding import PLAIN, embed


def silent(_what: str, _share: float) -> None:
    """Nobody is told."""


def made(k: int, each: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows around k directions, each with a length of its own, which says nothing."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((k, 40))
    label = np.repeat(np.arange(k), each)
    rows = centres[label] + 0.5 * rng.standard_normal((len(label), 40))
    return rows * rng.uniform(0.2, 5, (len(label), 1)), label


@pytest.mark.parametrize("k", [2, 6])
def test_the_groups_and_their_number_are_found(k: int) -> None:
    rows, label = made(k, 16)
    found = cluster(rows)
    assert len(found.sizes) == k
    assert agreement(found.of, label) == (pytest.approx(1), pytest.approx(1))
    assert max(found.tried, key=lambda one: one[1])[0] == k
    assert found.silhouette == pytest.approx(max(s for _, s in found.tried), abs=0.05)


def test_the_number_asked_for_is_kept_and_the_largest_group_is_first() -> None:
    rng = np.random.default_rng(1)
    rows = np.concatenate([made(1, 50, 3)[0], made(1, 20, 4)[0], made(1, 9, 5)[0]])
    found = cluster(rows, 3, seed=2)
    assert found.sizes == (50, 20, 9)
    assert found.tried == ()
    again = cluster(rows, 3, seed=2)
    assert (again.of == found.of).all()
    shuffled = rng.permutation(len(rows))
    assert cluster(rows[shuffled], 3).sizes == found.sizes


def test_from_the_centre_outwards_and_the_odd_ones() -> None:
    found = cluster(made(3, 40)[0], 3)
    for group in range(3):
        shown, odd = found.outwards(group, 6), found.odd(group, 4)
        assert len(set(shown.tolist())) == 6
        assert (found.of[shown] == group).all()
        assert (np.diff(found.distance[shown]) >= 0).all()
        assert found.distance[odd].min() >= found.distance[shown].max()
    assert len(found.outwards(0, 100)) == 40


@pytest.mark.parametrize(("rows", "into"), [(np.ones((20, 3)), None), (made(2, 10)[0], 1), (made(2, 10)[0], 21)])
def test_what_cannot_be_grouped_is_refused(rows: NDArray[np.float64], into: int | None) -> None:
    with pytest.raises(BadInput):
        cluster(rows, into)


def test_words_that_tell_groups_apart() -> None:
    said = ["the cat sat", "the cat ran", "the dog sat", "the dog ran"] * 10
    words = telling_words(said, np.array([0, 0, 1, 1] * 10))
    assert words[0][0] == "cat"
    assert words[1][0] == "dog"


def test_texts_are_grouped_by_their_words_and_the_page_shows_them() -> None:
    rng = np.random.default_rng(0)
    kinds = ["win a free prize now", "the <b>train</b> to town is late", "bread and butter with tea"]
    fill = "one two three four five six".split()
    said = [f"{kinds[i % 3]} {' '.join(rng.choice(fill, 2))}" for i in range(90)] + ["  "]
    collection = texts(said, source="letters.csv")
    embedding = embed(collection, network=PLAIN, told=silent)
    assert len(embedding.rows) == 90  # the blank one is left out
    found = cluster(embedding.values, 3)
    assert agreement(found.of, np.arange(90) % 3)[0] == pytest.approx(1)
    html = cluster_page(collection, embedding, found)
    reader = read(html)
    said_there = " ".join(" ".join(reader.text).split())
    assert "90 texts fall into 3 groups" in said_there
    assert "1 could not be read" in said_there
    assert "Group 3 · 30 texts (33%)" in said_there
    assert "<b>train</b>" not in html
    assert "prize" in said_there


def test_pictures_are_grouped_by_what_one_sees_and_compared_with_their_folders(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        (tmp_path / name).mkdir()
        for i in range(15):
            picture = np.clip(rng.normal(colour, 25, (48, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / name / f"{i}.png")
    (tmp_path / "red" / "broken.png").write_bytes(b"no picture")
    collection = collect(tmp_path)
    embedding = embed(collection, network=PLAIN, told=silent)
    assert len(embedding.rows) == 30
    found = cluster(embedding.values)
    html = cluster_page(collection, embedding, found)
    reader = read(html)
    assert "adjusted Rand index of 1.00" in " ".join(" ".join(reader.text).split())
    assert sum(tag == "figure" for tag, _ in reader.tags) >= 2 * 12
    assert all((a.get("src") or "data:").startswith("data:") for _, a in reader.tags)


def test_sounds_are_grouped_by_their_pitch(tmp_path: Path) -> None:
    import soundfile

    t = np.arange(16_000) / 16_000
    rng = np.random.default_rng(0)
    for i in range(24):
        file = io.BytesIO()
        wave = 0.4 * np.sin(2 * np.pi * (300 if i % 2 else 2500) * t) + 0.02 * rng.standard_normal(16_000)
        soundfile.write(file, wave, 16_000, format="WAV")
        (tmp_path / f"{i:02}.wav").write_bytes(file.getvalue())
    embedding = embed(collect(tmp_path), network=PLAIN, told=silent)
    found = cluster(embedding.values)
    assert agreement(found.of, np.arange(24) % 2)[0] == pytest.approx(1)


def test_too_few_that_can_be_read_are_refused() -> None:
    with pytest.raises(BadInput, match="four examples"):
        embed(texts(["a", " ", "b", "c"]), network=PLAIN, told=silent)
