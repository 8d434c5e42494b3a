"""Card numbers become tokens; nothing else does."""

import pytest

from tocsin.live.cards import Cards

CARDS = Cards(b"k" * 32)


@pytest.mark.parametrize(
    "written",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        " 4111111111111111",
        "4111111111111111\n",
        "4111  1111\t1111\u00a01111",
        "4111.1111.1111.1111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١١١١١١١١١١١١١",
    ],
)
def test_one_number_is_one_token_however_it_is_written(written: str) -> None:
    token = CARDS.token(written)
    assert token == CARDS.token("4111111111111111")
    assert token.startswith("card_")
    assert "1111" not in token.removeprefix("card_") or "4111" not in token


def test_mistyped_numbers_are_tokens_too_and_other_words_stay() -> None:
    assert CARDS.token("4111111111111112").startswith("card_")
    assert CARDS.token("4111111111111112") != CARDS.token("4111111111111111")
    assert CARDS.token("378282246310005").startswith("card_")
    for word in ("card_abc", "12345678901", "c-17", "12345678901234567890", "x4111111111111111", ""):
        assert CARDS.token(word) == word


def test_another_key_gives_other_tokens_and_a_short_key_none() -> None:
    assert Cards(b"j" * 32).token("4111111111111111") != CARDS.token("4111111111111111")
    with pytest.raises(ValueError, match="32 bytes"):
        Cards(b"short")
