"""Why a payment got its score: the features that raised it most, and one sentence in the customer's terms.

Computed after the answer, for alerts only. Shares are log-odds and add up (``Artifact.shares``); what is said here is a
choice of the strongest, and never claims to be all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.network import NETWORK_LINE
from tocsin.artifact.past import TOGETHER
from tocsin.artifact.words import Fragment, fragment
from tocsin.features import Plan
from tocsin.schema import Reason
from tocsin.spec import Spec


def reasons_of(
    spec: Spec,
    plan: Plan,
    inputs: Sequence[str],
    stages: Sequence[str],
    row: NDArray[np.float64],
    share: NDArray[np.float64],
    top: int,
    notes: Mapping[str, str] | None = None,
) -> tuple[Reason, ...]:
    """The strongest reasons of one payment, each saying something else.

    Parameters
    ----------
    inputs : what has a share; the columns, and behind them what is no column (the network).
    row : float64[d], the values. share : float64[stages, len(inputs)], each one's share of each stage in log-odds.
    notes : what more is known of one of them (:mod:`tocsin.artifact.past`); told
        behind its name and a dot.
    """
    found: list[Reason] = []
    said: set[str] = set()
    order = np.argsort(-share, axis=None, kind="stable")
    for place in order:
        stage, column = divmod(int(place), share.shape[1])
        delta = float(share[stage, column])
        if delta <= 0 or len(found) == top:
            break
        name, value = inputs[column], float(row[column]) if column < len(row) else float("nan")
        if note := (notes or {}).get(name):  # the past is read in the last stage only
            name = f"{name}.{note if name != NETWORK_LINE or stage == len(stages) - 1 else TOGETHER}"
        if np.isnan(value) and _first_seen(spec, name, inputs, row):
            value = 0.0
        words = fragment(spec, name, value, _describe(plan, name))
        if words.family in said:
            continue
        said.add(words.family)
        known = None if np.isnan(value) else value
        found.append(Reason(text=_capital(words.text), feature=name, stage=stages[stage], value=known, delta=delta))
    return tuple(found)


def _first_seen(spec: Spec, name: str, inputs: Sequence[str], row: NDArray[np.float64]) -> bool:
    """Whether an age is not known because this very payment is the first with the value, and not for want of one.

    The novelty of the same pair tells the two apart, where the spec has it.
    """
    age = next((f for f in spec.features if f.name == name and f.statistic == "age"), None)
    twins = (
        f.name
        for f in spec.features
        if age and f.statistic == "novelty" and (f.column, f.by, f.store) == (age.column, age.by, age.store)
    )
    return any(twin in inputs and row[inputs.index(twin)] == 1 for twin in twins)


def why_of(spec: Spec, plan: Plan, reasons: Sequence[Reason]) -> str:
    """One sentence: what is new first, then how much, then what else, then when."""
    parts: dict[str, list[str]] = {"new": [], "much": [], "plain": [], "when": [], "aside": []}
    for reason in reasons:
        value = float("nan") if reason.value is None else reason.value
        words = fragment(spec, reason.feature, value, _describe(plan, reason.feature))
        parts[words.sort].append(_in_a_sentence(words))
    parts["new"] = _gathered(parts["new"])
    told = [" and ".join(parts[sort]) for sort in ("new", "much", "plain", "when") if parts[sort]]
    told = told or [" and ".join(parts["aside"])]
    return _capital(", ".join(told)) if told != [""] else "Nothing single stands out; many small things add up"


def _gathered(texts: Sequence[str]) -> list[str]:
    """Things that end alike told together: a device and a country never used."""
    ends: dict[str, list[str]] = {}
    for text in texts:
        for end in (" never used", " first seen "):
            if end in text:
                head, tail = text.split(end, 1)
                ends.setdefault(end + tail, []).append(head)
                break
        else:
            ends.setdefault("", []).append(text)
    return [" and ".join(heads) + end for end, heads in ends.items()]


def _in_a_sentence(words: Fragment) -> str:
    """Shorter where a list of reasons says it in full: the account is the one whose alert it is."""
    text = re.sub(r" never used before by this account(?! and)", " never used", words.text)
    text = re.sub(r" first seen with this account (?!and)", " first seen ", text)
    text = re.sub(r" (?:of|by) this account(?! and)", "", text)
    return f"{_article(text)} {text}" if words.sort == "new" else text


def _article(text: str) -> str:
    return "an" if text[0] in "aeiouI" else "a"


def _describe(plan: Plan, name: str) -> str:
    return plan.describe(name) if name in plan.names else name


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
