"""What it was in an account's last payments that raised a score: asked of the networks themselves, for alerts only.

The surprise says how many nats each part of the payment cost. The network is asked again with one thing about the past
made as it usually is; what then falls away was owed to that. A few rows an alert, after the answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.network import SURPRISES, NetworkScorer, SurpriseScorer
from tocsin.features.history import GAPS, HOURS, KINDS, Payments, unpack

USUAL, UNLIKE, TOGETHER = "usual", "unlike", "together"
_MUCH = 0.5
"""Something was owed to a part where at least this share of it falls away without the part."""


def surprise_notes(
    scorer: SurpriseScorer, surprise: NDArray[np.float64], tokens: NDArray[np.int64]
) -> list[dict[str, str]]:
    """For each row and each of the surprise's columns, what is to be said of it.

    ``usual`` where it is no more than payments cost on average; else, of the payment itself, the part that cost most
    beyond its own average (``gap``, ``hour``, ``kind`` or ``amount``), and of the means ``unlike``.

    Parameters
    ----------
    surprise : float64[n, 3], nats. tokens : int64[n, history + 1].
    """
    least = sum(scorer.card.usual)
    return [
        {name: part if value > least else USUAL for name, value, part in zip(SURPRISES, row, said, strict=True)}
        for row, said in zip(surprise, ((p or USUAL, UNLIKE, UNLIKE) for p in scorer.part(tokens)), strict=True)
    ]


def network_note(
    scorer: NetworkScorer, columns: NDArray[np.float64], margins: NDArray[np.float64], tokens: NDArray[np.int64]
) -> str:
    """What the network's part in the last stage of one payment was owed to.

    Returns
    -------
    ``order``, ``kinds``, ``rhythm``, ``order and rhythm``, ``hours`` or ``amounts`` of the last payments; ``past`` where no
    single one of these; ``together`` where it was the payment's own values, and not the past.

    Parameters
    ----------
    columns : float64[d]. margins : float64[stages], the trees'. tokens : int64[history + 1].
    """
    changed = {name: packed(payments) for name, payments in _otherwise(tokens).items()}
    rows = len(changed) + 1
    joined = scorer(
        np.repeat(columns[None], rows, axis=0),
        np.repeat(margins[None], rows, axis=0),
        np.stack([tokens, *changed.values()]),
    )
    last = joined[:, -1]
    stage = (joined - scorer.start(margins[None])[0])[0]
    owed = float(stage[-1] - (stage[-2] if len(stage) > 1 else 0.0))
    fell = {name: float(last[0] - after) for name, after in zip(changed, last[1:], strict=True)}
    whole = fell.pop("past")
    if whole <= 0 or whole < _MUCH * owed:
        return TOGETHER
    fell["order"] = fell["order"] if fell["order"] > 0 else 0.0
    most = max(fell, key=lambda name: fell[name])
    if fell[most] < _MUCH * whole / 2:
        return "past"
    order = "order" if fell["order"] >= _MUCH * max(fell["kinds"], fell["order"]) else "kinds"
    told = order if most in ("kinds", "order") else most
    both = {"order", "kinds", "rhythm"}
    if (
        most in both
        and fell["rhythm"] >= _MUCH * fell[most]
        and max(fell["order"], fell["kinds"]) >= _MUCH * fell[most]
    ):
        return "order and rhythm" if order == "order" else "kinds and rhythm"
    return told


def _otherwise(tokens: NDArray[np.int64]) -> dict[str, Payments]:
    """The same past with one thing as it usually is; ``past`` without any."""
    seen = unpack(tokens)
    there = tokens != 0
    before = there.copy()
    before[-1] = False
    kind, gap, hour, amount = seen
    past = np.flatnonzero(before)
    known = kind[past]
    reversed_, alike = kind.copy(), kind.copy()
    reversed_[past] = known[::-1]
    alike[past] = np.bincount(known).argmax() if len(known) else 0
    gaps = gap[past][gap[past] > 0]
    none = np.zeros_like(tokens)
    only = [np.where(np.arange(len(tokens)) == len(tokens) - 1, part, none) for part in (kind, none, hour, amount)]
    return {
        "past": Payments(*only),
        "order": seen._replace(kind=reversed_),
        "kinds": seen._replace(kind=alike),
        "rhythm": seen._replace(gap=np.where(gap > 0, _middle(gaps), gap)),
        "hours": seen._replace(hour=np.where(there, hour[-1], hour)),
        "amounts": seen._replace(amount=np.where(before, _middle(amount[past]), amount)),
    }


def _middle(values: NDArray[np.int64]) -> int:
    """The middle one of some whole numbers; 0 where there is none."""
    return int(np.sort(values)[len(values) // 2]) if len(values) else 0


def packed(payments: Payments) -> NDArray[np.int64]:
    """int64[...]: the tokens of what :func:`tocsin.features.history.unpack` gave."""
    kind, gap, hour, amount = payments
    return np.asarray(kind + KINDS * (gap + GAPS * (hour + HOURS * amount)))
