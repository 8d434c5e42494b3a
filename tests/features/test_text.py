"""Plain features of texts: TF-IDF against scikit-learn's, hashes that part what is different, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tocsin.errors import BadInput, Damaged
from tocsin.features.sound import SoundFeatures
from tocsin.features.text import Sparse, TextFeatures, opened, word_terms

TEXTS = [
    "the bell rings at night",
    "the bell rang, and rang again!",
    "who rings the bell?",
    "nobody rings at night",
    "",
    "Ärger über die Glocke 🔔 an der Tür",
    "die Glocke an der Tür",
]


def test_words_are_weighed_as_scikit_learn_weighs_them() -> None:
    ours = TextFeatures(words=(1, 2), letters=(0, 0), least=1).fit(TEXTS).of(TEXTS)
    rival = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    theirs = rival.fit_transform(TEXTS).toarray()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), atol=1e-6)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-6)


def test_letters_are_weighed_as_scikit_learn_weighs_them() -> None:
    texts = [text.replace(",", "").replace("!", "").replace("?", "") for text in TEXTS]  # theirs cut at spaces only
    ours = TextFeatures(words=(0, 0), letters=(3, 3), least=1).fit(texts).of(texts)
    theirs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True).fit_transform(texts).toarray()
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-6)


def test_both_blocks_stand_side_by_side() -> None:
    terms = TextFeatures(least=1).fit(TEXTS)
    rows = terms.of(TEXTS)
    assert rows.shape == (7, terms.width)
    np.testing.assert_allclose((rows**2).sum(axis=1), [2, 2, 2, 2, 0, 2, 2], rtol=1e-5, err_msg="each to length 1")
    one = terms.of(TEXTS[2:3])
    np.testing.assert_array_equal(one[0], rows[2])


def test_what_was_never_seen_is_nothing() -> None:
    terms = TextFeatures(letters=(0, 0), least=1).fit(TEXTS)
    assert not terms.of(["zebra xylophone"]).any()


def test_pairs_know_their_order_and_never_reach_into_the_next_text() -> None:
    def hashes(*texts: list[str]) -> set[int]:
        return set(word_terms(list(texts), 2, 2).hashes.tolist())

    assert hashes(["a", "b"]) != hashes(["b", "a"])
    assert hashes(["a"], ["b"]) == set()


def test_a_term_in_one_text_is_left_out_and_the_most_frequent_are_kept() -> None:
    terms = TextFeatures(letters=(0, 0), words=(1, 1)).fit(TEXTS)
    assert terms.width == len("the bell rings at night die glocke an der tür".split())
    few = TextFeatures(letters=(0, 0), words=(1, 1), most=3).fit(TEXTS)
    assert few.width == 3


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 2 of them"):
        TextFeatures().fit(["one", "dog"])


def test_saved_and_opened_it_says_the_same_and_has_no_word_in_it() -> None:
    terms = TextFeatures(least=1).fit(TEXTS)
    state = terms.save()
    np.testing.assert_array_equal(opened(state).of(TEXTS), terms.of(TEXTS))
    assert b"bell" not in state
    with pytest.raises(Damaged, match="archive of features"):
        opened(SoundFeatures().save())


def test_sparse_rows_are_taken_joined_and_multiplied_like_dense_ones() -> None:
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((6, 9)) < 0.3, rng.normal(size=(6, 9)), 0).astype(np.float32)
    dense[2] = 0
    row, column = np.nonzero(dense)
    begins = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=6))])
    sparse = Sparse(dense[row, column], column.astype(np.int32), begins, 9)
    weight = rng.normal(size=(9, 2)).astype(np.float32)
    np.testing.assert_array_equal(sparse.dense(), dense)
    np.testing.assert_allclose(sparse.times(weight), dense @ weight, atol=1e-6)
    order = np.array([5, 2, 2, 0])
    np.testing.assert_array_equal(sparse.take(order).dense(), dense[order])
    np.testing.assert_array_equal(sparse.and_then(sparse.take(order)).dense(), np.concatenate([dense, dense[order]]))
