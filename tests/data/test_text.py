"""Texts are cleaned, cut into words or pieces, and these become numbers, the same every time."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tocsin.data.text import OTHER, PADDING, Vocabulary, WordPieces, clean, tokens_of, words
from tocsin.errors import BadInput, Damaged


def tokenizer_json() -> bytes:
    """A word-piece tokenizer such as existing networks come with, of a few words."""
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "bell", "ring", "##s", "##ing", "loud"]
    made = Tokenizer(models.WordPiece({word: i for i, word in enumerate(known)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_padding(length=50)  # as some come; it is not what is asked for
    return made.to_str().encode()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a\tb\r\n c", "a b c"),
        ("a\u00a0b\u2003c", "a b c"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("bell\x07", "bell"),
        ("e\u0301", "é"),
        ("family 👩‍👩‍👧", "family 👩👩👧"),
        ("", ""),
    ],
)
def test_cleaning(given: str, wanted: str) -> None:
    assert clean(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("It's 3.50, isn't it?!", ["it's", "3.50", ",", "isn't", "it", "?", "!"]),
        ("ÜBER straße", ["über", "straße"]),
        ("call 0800-123", ["call", "0800", "-", "123"]),
        ("日本語 text", ["日本語", "text"]),
        ("   ", []),
    ],
)
def test_words(given: str, wanted: list[str]) -> None:
    assert words(given) == wanted


def test_a_vocabulary_keeps_the_commonest_and_is_the_same_after_saving() -> None:
    texts = ["b b b a a c", "a b d d"]
    made = Vocabulary.of(texts, least=2, most=2)
    assert made.words == ("b", "a")
    assert len(made) == 4
    again = Vocabulary.load(made.save())
    assert again == made
    assert np.array_equal(again.encode(texts, 5), made.encode(texts, 5))
    assert made.encode(["a b x", ""], 4).tolist() == [[3, 2, OTHER, PADDING], [0, 0, 0, 0]]


def test_equal_counts_are_ordered_by_the_word_so_that_a_vocabulary_does_not_depend_on_the_order_of_texts() -> None:
    texts = ["one two three", "three two one"]
    assert Vocabulary.of(texts) == Vocabulary.of(texts[::-1])


@pytest.mark.parametrize("data", [b"", b"{}", b'["a", 1]', b"\xff\xfe"])
def test_a_vocabulary_that_is_none_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged, match="JSON list of words"):
        Vocabulary.load(data)


def test_word_pieces_are_cut_to_length_and_filled_with_padding() -> None:
    pieces = WordPieces(tokenizer_json())
    assert pieces.encode(["The bell rings", "loud"], 6).tolist() == [[2, 4, 5, 6, 7, 3], [2, 9, 3, 0, 0, 0]]
    assert pieces.encode(["The bell rings loud"], 4).tolist() == [[2, 4, 5, 3]]
    assert pieces.encode([""], 3).tolist() == [[2, 3, 0]]
    assert pieces.encode([], 3).shape == (0, 3)
    assert len(pieces) == 10


def test_the_pieces_are_those_the_numbers_stand_for() -> None:
    assert WordPieces(tokenizer_json()).pieces("Ringing") == ["[CLS]", "ring", "##ing", "[SEP]"]
    assert Vocabulary.of([]).pieces("Ringing, loud") == ["ringing", ",", "loud"]


def test_a_tokenizer_that_is_none_or_pads_otherwise_is_damaged() -> None:
    with pytest.raises(Damaged, match="cannot be read"):
        WordPieces(b"{}")
    whole = msgspec.json.decode(tokenizer_json())
    vocabulary = whole["model"]["vocab"]
    vocabulary["[PAD]"], vocabulary["[UNK]"] = vocabulary["[UNK]"], vocabulary["[PAD]"]
    with pytest.raises(Damaged, match="must be its padding"):
        WordPieces(msgspec.json.encode(whole))


def test_what_cuts_texts_is_chosen_by_its_word() -> None:
    assert isinstance(tokens_of("words", b"[]"), Vocabulary)
    assert isinstance(tokens_of("wordpiece", tokenizer_json()), WordPieces)
    with pytest.raises(BadInput, match="words, wordpiece"):
        tokens_of("letters", b"[]")
