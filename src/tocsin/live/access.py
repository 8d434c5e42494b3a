"""Who may ask, and how often: API keys and the rate of each."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from tocsin.errors import NotSignedIn, TooMany
from tocsin.ledger import Ledger
from tocsin.ledger.keys import fingerprint, in_force
from tocsin.live.limits import Limits

_LOOKS_A_SECOND = 20
"""How often an unknown key makes us look into the ledger; a flood of wrong keys costs no more than that."""


class Access:
    """Knows the keys in force; used on the event loop. :meth:`refresh` may come from any thread."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger = ledger
        self._limits = limits
        self._keys: dict[bytes, str] = {}
        self._headers: dict[bytes, str] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self._looks = (0.0, 0)

    def refresh(self) -> None:
        """Read the keys in force from the ledger: new ones open, revoked ones do not."""
        with self._ledger.read() as connection:
            self._keys = in_force(connection)
        self._headers = {}

    def name(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The name of the key in ``Authorization: Bearer KEY``.

        Raises
        ------
        NotSignedIn : there is no key or nobody knows it.
        """
        given = next((value for key, value in headers if key == b"authorization"), None)
        if given is None:
            raise NotSignedIn("every request needs a key.", hint="Send the header `Authorization: Bearer KEY`.")
        name = self._headers.get(given)
        if name is not None:
            return name
        scheme, _, key = given.decode("latin-1").partition(" ")
        print_ = fingerprint(key.strip())
        if scheme.lower() == "bearer":
            name = self._keys.get(print_) or self._look_again(print_)
        if name is None:
            raise NotSignedIn("the key is not known, or revoked.", hint="`tocsin key new NAME` makes one.")
        self._headers[given] = name
        return name

    def spend(self, name: str, count: int) -> None:
        """Take ``count`` from the key's allowance, which refills with time.

        Raises
        ------
        TooMany : the allowance is used up; nothing is taken.
        """
        now = monotonic()
        left, since = self._buckets.get(name, (self._limits.burst, now))
        left = min(self._limits.burst, left + (now - since) * self._limits.rate)
        if left < count:
            self._buckets[name] = (left, now)
            raise TooMany(
                f"a key may send {self._limits.rate:g} a second, {self._limits.burst:g} at once; this is more.",
                hint="Wait a moment, or ask the owner to raise the setting `rate`.",
            )
        self._buckets[name] = (left - count, now)

    def _look_again(self, print_: bytes) -> str | None:
        """A key made a moment ago must open at once."""
        second, looks = self._looks
        now = monotonic()
        self._looks = (now, 1) if now - second > 1 else (second, looks + 1)
        if self._looks[1] > _LOOKS_A_SECOND:
            return None
        self.refresh()
        return self._keys.get(print_)
