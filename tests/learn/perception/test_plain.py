"""Plain machine learning: it learns what can be seen, says the same when opened without scikit-learn, and refuses in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tocsin.artifact.heads import LINEAR, TREES, LinearHead, TreesHead
from tocsin.artifact.plain import STATE, opened
from tocsin.errors import BadInput, NotReady
from tocsin.learn.perception.plain import Plain, Scale

KINDS = ("images", "sound", "text")


def made(kind: str, n: int, seed: int) -> tuple[Any, np.ndarray]:
    """Three classes that differ in what the kind is made of."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    if kind == "images":
        pictures = rng.integers(0, 120, (n, 32, 32, 3))
        pictures[np.arange(n), :, :, label] += 40
        return pictures.astype(np.uint8), label
    if kind == "sound":
        at = np.arange(8000) / 16_000
        return np.stack([np.sin(2 * np.pi * (400 + 400 * c) * at) + rng.normal(0, 0.5, 8000) for c in label]).astype(
            np.float32
        ), label
    words = (("cat", "fur", "purr"), ("dog", "bone", "bark"), ("bird", "wing", "sing"))
    return [" ".join([*rng.choice(words[c], 2), *rng.choice(["a", "the", "and"], 3)]) for c in label], label


def told(kind: str, into: Any = "svm") -> tuple[Plain, Any, np.ndarray]:
    given, label = made(kind, 90, 0)
    new, truth = made(kind, 30, 1)
    return Plain(kind, into).fit(given, label, 3, later=made(kind, 45, 2)), new, truth


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_and_says_the_same_opened_anew(kind: str) -> None:
    model, new, truth = told(kind)
    logits = model.logits(new)
    assert (logits.argmax(axis=1) == truth).mean() >= 0.9
    files = model.save()
    assert set(files) == {STATE, LINEAR}
    head = LinearHead(files[LINEAR], 3)
    np.testing.assert_allclose(head(opened(kind, files[STATE]).of(new)), logits, atol=1e-4)
    again, _, _ = told(kind)
    assert again.save() == files


def test_trees_are_served_from_their_text() -> None:
    model, new, truth = told("images", "trees")
    files = model.save()
    assert set(files) == {STATE, TREES}
    logits = TreesHead(files[TREES].decode(), 3)(opened("images", files[STATE]).of(new))
    np.testing.assert_allclose(logits, model.logits(new), atol=1e-9)
    assert (logits.argmax(axis=1) == truth).mean() >= 0.9


def test_what_is_best_on_the_examples_set_aside_is_taken() -> None:
    model, _, _ = told("text", None)
    judged = {into: told("text", into)[0].head_.judged for into in ("svm", "logistic")}  # type: ignore[union-attr]
    assert model.into_ == min(judged, key=judged.__getitem__)


def test_a_class_that_was_never_seen_is_never_said() -> None:
    given, label = made("images", 60, 0)
    later, truth = made("images", 30, 1)
    keep, known = label != 1, truth != 1
    model = Plain("images", "svm").fit(given[keep], label[keep], 3, later=(later[known], truth[known]))
    assert 1 not in model.logits(later).argmax(axis=1)


def test_every_block_varies_by_one_in_all() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(3, 5, (400, 4)), rng.normal(0, 0.01, (400, 60))], axis=1).astype(np.float32)
    scaled = Scale.of(features, (4, 60))(features)
    variance = scaled.var(axis=0)
    assert variance[:4].sum() == pytest.approx(1, abs=0.05)
    assert variance[4:].sum() == pytest.approx(1, abs=0.05)


def test_what_cannot_be_learned_is_refused() -> None:
    given, label = made("images", 30, 0)
    with pytest.raises(BadInput, match="two classes"):
        Plain("images").fit(given, np.zeros_like(label), 3, later=(given, label))
    with pytest.raises(BadInput, match="svm or logistic"):
        Plain("text", "trees")
    with pytest.raises(NotReady, match="must learn"):
        Plain("images").logits(given)
