"""Card numbers stop here: at the door each becomes a keyed token, and nothing behind the door has ever seen one."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from unicodedata import decimal, normalize

PREFIX = "card_"
_SEPARATORS = re.compile(r"[\W_]+")


class Cards:
    """Turns card numbers into tokens: the same number gives the same token, and only the key could tell which.

    Parameters
    ----------
    key : at least 32 secret bytes; with another key every card is a new card, so it must be kept as long as the ledger.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("a card key must have at least 32 bytes")
        self._key = key

    def token(self, card: str) -> str:
        """The token of whatever looks like a card number: 12 to 19 digits, and around them no letter.

        Numbers that fail Luhn's check are tokens too, because a mistyped card number is one digit away from a real
        one. Anything else, such as a token of the caller's own, stays as it is.
        """
        digits = _SEPARATORS.sub("", normalize("NFKC", card))
        if not (digits.isdecimal() and 12 <= len(digits) <= 19):
            return card
        digits = "".join(str(decimal(one)) for one in digits)  # a number in other digits is the same number
        return PREFIX + hmac.digest(self._key, digits.encode(), sha256)[:16].hex()
