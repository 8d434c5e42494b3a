"""One preparation for training and serving: shapes, determinism, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_pictures, made_sentences, made_sounds
from tocsin.data.collection import collect
from tocsin.data.prepare import Preparation, Preparer
from tocsin.data.text import Vocabulary
from tocsin.errors import BadInput


def test_pictures_sounds_and_texts_become_arrays_of_one_shape(tmp_path: Path) -> None:
    pictures = collect(made_pictures(tmp_path / "pictures", each=3))
    made = Preparer(Preparation("images", size=32)).prepared([pictures.raw(i) for i in range(len(pictures))])
    assert (made.shape, made.dtype) == ((9, 32, 32, 3), np.uint8)
    sounds = collect(made_sounds(tmp_path / "sounds", each=3, rate=8_000))
    made = Preparer(Preparation("sound", samples=12_000)).prepared([sounds.raw(i) for i in range(len(sounds))])
    assert (made.shape, made.dtype) == ((9, 12_000), np.float32)
    sentences = collect(made_sentences(tmp_path / "sentences.csv", each=5))
    texts = [str(sentences.raw(i)) for i in range(len(sentences))]
    made = Preparer(Preparation("text", length=6), Vocabulary.of(texts, least=1).save()).prepared(texts)
    assert (made.shape, made.dtype) == ((15, 6), np.int64)
    assert (made > 1).mean() > 0.9


def test_one_among_many_is_the_same_as_alone(tmp_path: Path) -> None:
    pictures = collect(made_pictures(tmp_path, each=3, ending="jpg", size=100))
    raws = [pictures.raw(i) for i in range(len(pictures))]
    preparer = Preparer(Preparation("images", size=40))
    assert np.array_equal(preparer.prepared(raws)[4], Preparer(preparer.preparation).prepared(raws[4:5])[0])


def test_what_is_no_picture_is_named_by_its_number() -> None:
    preparer = Preparer(Preparation("images", size=8))
    with pytest.raises(BadInput, match="must be a picture") as caught:
        preparer.prepared([b"hello"])
    assert caught.value.field == "0"
    with pytest.raises(BadInput, match="must be bytes"):
        preparer.prepared(["hello"])
    with pytest.raises(BadInput, match="must be a text"):
        Preparer(Preparation("text"), Vocabulary.of([]).save()).prepared([b"hello"])


def test_a_recipe_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(BadInput, match="Did you mean 'images'"):
        Preparation("image")
    with pytest.raises(BadInput, match="above 0"):
        Preparation("images", size=0)
    with pytest.raises(BadInput, match="vocabulary"):
        Preparer(Preparation("text"))
