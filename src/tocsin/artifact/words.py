"""A feature and its value in the customer's terms: "11 times the usual amount", "40 min after a password change"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isnan
from typing import Literal

from tocsin.artifact.network import NETWORK_LINE, SURPRISES
from tocsin.schema import ACCOUNT_EVENTS, SIGNS
from tocsin.spec import Feature, Spec, say_span

Sort = Literal["new", "much", "plain", "when", "aside"]
"""What a fragment is about; a sentence takes them in this order, and an aside only where there is nothing else."""

_WORDS = {
    "ip": "IP address",
    "retailer_kind": "kind of retailer",
    "credit_score": "credit score",
    "social_event": "social event",
    "sign_in": "sign-in",
    "password_change": "password change",
    "new_device": "new device",
    "new_payee": "new payee",
    "address_change": "change of address",
    "fraud": "reported fraud",
    "place": "place",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PAST = {
    "order": "the order of the last payments",
    "kinds": "the {kinds} of the last payments",
    "rhythm": "the rhythm of the last payments",
    "order and rhythm": "the order and rhythm of the last payments",
    "kinds and rhythm": "the {kinds} and the rhythm of the last payments",
    "hours": "the hours of the last payments",
    "amounts": "the amounts of the last payments",
    "past": "the last payments taken together",
}
_SURPRISED = {
    "gap": "a pause unlike this account's rhythm",
    "hour": "an hour unlike this account's habits",
    "kind": "a {kind} that was not to be expected of this account now",
    "amount": "an amount unlike this account's habits",
    "unlike": "a payment unlike this account's rhythm",
    "usual": "a payment much like this account's others",
}
_LONG = 3 * 86400.0
"""Beyond three days nothing is said to have come "after" something, and nothing is new."""
_UNITS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """A few words about one value; ``family`` is alike for values that say the same thing over other spans."""

    text: str
    sort: Sort
    family: str


def word(name: str) -> str:
    """A column as people call it."""
    return _WORDS.get(name, name.replace("_", " "))


def words(name: str) -> str:
    """A column's name for several of it."""
    one = word(name)
    if one.startswith("kind of "):
        return "kinds of " + one.removeprefix("kind of ") + "s"
    if one == "change of address":
        return "changes of address"
    if one.endswith("y") and one[-2] not in "aeiou":
        return one[:-1] + "ies"
    return one + ("es" if one.endswith(("s", "x", "ch")) else "s")


def money(value: float, currency: str) -> str:
    """An amount in major units: ``€ 2,480`` from a hundred up, ``€ 12.30`` below."""
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"
    return f"{SIGNS.get(currency, currency)} {number}"


def duration(seconds: float) -> str:
    """A length of time in the largest unit that says it: ``40 s``, ``40 min``, ``5 h``, ``3 days``."""
    for size, unit, upto in ((1, "s", 90), (60, "min", 90 * 60), (3600, "h", 48 * 3600)):
        if seconds < upto:
            return f"{seconds / size:.0f} {unit}"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:.0f} years"


def span_words(span: timedelta | None) -> str:
    """``in the last hour``, ``in the last 7 days``."""
    if span is None:
        return "so far"
    text = say_span(span)
    count, unit = int(text[:-1]), _UNITS[text[-1]]
    return f"in the last {unit}" if count == 1 else f"in the last {count} {unit}s"


def plain_number(value: float) -> str:
    """A number as short as it may be."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.2g}"


def fragment(spec: Spec, name: str, value: float, described: str) -> Fragment:
    """What the value of a feature or column says.

    Parameters
    ----------
    described : the feature in plain words, used where the value needs no phrase of its own.
    """
    feature = next((f for f in spec.features if f.name == name), None)
    if feature is None and name.partition(".")[0] in (NETWORK_LINE, *SURPRISES):
        return _learned(spec, *name.partition(".")[::2])
    if feature is None:
        return _raw(spec, name, value)
    family = _family(feature)
    if isnan(value):
        return Fragment(_nothing_yet(feature, described), "aside", family)
    if feature.where or feature.statistic.startswith("decayed"):
        return Fragment(_counted(feature, value, described, spec), "plain", feature.name)
    text, sort = _STATISTICS[feature.statistic](feature, value, spec)
    return Fragment(text, sort, family)


def _family(feature: Feature) -> str:
    """Alike for features that tell one story: other spans, the card for the account, kilometres and speed, new and how new."""
    by = " ".join("account" if name == "card" else name for name in feature.by)
    statistic = {"speed": "distance", "sum": "count", "age": "novelty"}.get(feature.statistic, feature.statistic)
    return f"{statistic} {feature.column} {by}"


def _counted(feature: Feature, value: float, described: str, spec: Spec) -> str:
    if feature.statistic == "count":
        one = described.removeprefix("payments ")
        return f"1 payment {one}" if value == 1 and one != described else f"{plain_number(value)} {described}"
    return f"{described}: {money(value, spec.currency) if _is_money(feature) else plain_number(value)}"


def _nothing_yet(feature: Feature, described: str) -> str:
    if feature.statistic == "since":
        return f"no {_event(feature.column)} before by {_who(feature)}"
    if feature.statistic in ("ratio", "deviation", "mean", "max", "min", "std"):
        return f"no payments by {_who(feature)} to compare with"
    return f"{described}: not known"


def _is_money(feature: Feature) -> bool:
    return feature.column == "amount" and feature.statistic in ("decayed_sum", "decayed_mean", "sum", "mean", "max")


def _raw(spec: Spec, name: str, value: float) -> Fragment:
    if isnan(value):
        return Fragment(f"{word(name)} not known", "aside", name)
    if name == "amount":
        return Fragment(f"an amount of {money(value, spec.currency)}", "much", name)
    if name == "hour":
        minutes = round(value * 60) % 1440
        return Fragment(f"at {minutes // 60:02d}:{minutes % 60:02d}", "when", name)
    if name == "weekday":
        return Fragment(f"on a {_DAYS[int(value) % 7]}", "when", name)
    if name in ("weekend", "night"):
        text = ("at the weekend" if name == "weekend" else "at night") if value else f"not at {_article(name)}"
        return Fragment(text, "when", name)
    if name == "anomaly":
        return Fragment("unlike other payments" if value > 0.5 else "much like other payments", "plain", name)
    if name in spec.key_names:
        return Fragment(f"this {word(name)}" if value else f"no {word(name)} given", "aside", name)
    return Fragment(f"{word(name)} {plain_number(value)}", "plain", name)


def _learned(spec: Spec, name: str, note: str) -> Fragment:
    """What a network says of itself; ``note`` is what it was owed to (:mod:`tocsin.artifact.past`)."""
    kind = word(spec.history.kind[0]) if spec.history and spec.history.kind else "kind"
    if name == NETWORK_LINE:
        told = _PAST.get(note, "how these values come together")
        # That everything together did it is no news in a sentence that names things; where nothing else is named, it is.
        sort_of: Sort = "plain" if note in _PAST else "aside"
        return Fragment(told.format(kinds=words(kind) if spec.history else "kinds"), sort_of, f"{name} {note}")
    sort: Sort = "aside" if note == "usual" else "plain"
    if name == SURPRISES[0]:
        return Fragment(_SURPRISED.get(note, _SURPRISED["unlike"]).format(kind=kind), sort, SURPRISES[0])
    like = "much like" if note == "usual" else "unlike"
    return Fragment(f"the last {name.rpartition('_')[2]} payments {like} this account's rhythm", sort, SURPRISES[0])


def _article(name: str) -> str:
    return "the weekend" if name == "weekend" else "night"


def _who(feature: Feature) -> str:
    """Whose past a feature looks at."""
    if feature.by == feature.store:
        return "this " + " and ".join(word(b) for b in feature.by)
    return " and ".join(
        f"this {word(read)}" + ("" if read == kept else f" as {word(kept)}")
        for read, kept in zip(feature.by, feature.store, strict=True)
    )


def _event(column: str) -> str:
    return word(column) if column in ACCOUNT_EVENTS or column == "fraud" else "payment"


def _events(column: str, count: float) -> str:
    if column == "fraud":
        return "reported fraud" if count == 1 else "reported frauds"
    one = _event(column)
    return one if count == 1 else words(column) if column in ACCOUNT_EVENTS else "payments"


def _ordinal(n: int) -> str:
    if n % 100 in (11, 12, 13):
        return f"{n}th"
    return f"{n}{({1: 'st', 2: 'nd', 3: 'rd'}).get(n % 10, 'th')}"


def _delayed(feature: Feature) -> str:
    return f", up to {say_span(feature.delay)} ago" if feature.delay else ""


def _count(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    span = span_words(feature.span)
    if _event(feature.column) == "payment" and not feature.delay:
        if value == 0:
            return f"first payment by {_who(feature)} {span}", "plain"
        return f"{_ordinal(int(value) + 1)} payment by {_who(feature)} {span}", "much"
    number = "no" if value == 0 else f"{value:.0f}"
    return f"{number} {_events(feature.column, value)} for {_who(feature)} {span}{_delayed(feature)}", "plain"


def _sum(feature: Feature, value: float, spec: Spec) -> tuple[str, Sort]:
    amount = money(value, spec.currency) if feature.column == "amount" else plain_number(value)
    verb = "paid by" if feature.by == feature.store else "moved by"
    return f"{amount} {verb} {_who(feature)} {span_words(feature.span)}{_delayed(feature)}", "much"


def _size(feature: Feature, value: float, spec: Spec) -> tuple[str, Sort]:
    kind = {"mean": "mean", "max": "largest", "min": "smallest", "std": "spread of"}[feature.statistic]
    amount = money(value, spec.currency) if feature.column == "amount" else plain_number(value)
    what = "payment" if feature.column == "amount" else word(feature.column)
    return f"{kind} {what} by {_who(feature)} {span_words(feature.span)}: {amount}", "plain"


def _distinct(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    name = word(feature.column) if value == 1 else words(feature.column)
    number = "no" if value == 0 else "one" if value == 1 else f"{value:.0f} different"
    return f"{number} {name} with {_who(feature)} {span_words(feature.span)}", "much" if value > 1 else "plain"


def _share(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    share = f"{value * 100:.0f} %" if value == 0 or value >= 0.1 else f"{value * 100:.1f} %"
    return f"{share} of the payments with {_who(feature)} {span_words(feature.span)} reported as fraud", "much"


def _ratio(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    what = "amount" if feature.column == "amount" else word(feature.column)
    number = f"{value:.0f} times" if value >= 10 else f"{value:.1f} times" if value >= 1 else f"{value * 100:.0f} % of"
    return f"{number} the usual {what} of {_who(feature)}", "much"


def _deviation(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    what = "amount" if feature.column == "amount" else word(feature.column)
    way = "above" if value >= 0 else "below"
    if abs(value) < 1:
        return f"a usual {what} for {_who(feature)}", "plain"
    return f"{what} far {way} the usual of {_who(feature)} ({abs(value):.1f} standard deviations)", "much"


def _since(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    if feature.column in ACCOUNT_EVENTS:
        if value > _LONG:
            return f"no {_event(feature.column)} for {duration(value)}", "plain"
        article = "an" if _event(feature.column)[0] in "aeiou" else "a"
        return f"{duration(value)} after {article} {_event(feature.column)}", "when"
    return f"{duration(value)} after the last {_event(feature.column)} by {_who(feature)}", "when"


def _novelty(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    if value:
        return f"{word(feature.column)} never used before by {_who(feature)}", "new"
    return f"{word(feature.column)} used before by {_who(feature)}", "aside"


def _age(feature: Feature, value: float, spec: Spec) -> tuple[str, Sort]:
    if value == 0:
        return _novelty(feature, 1.0, spec)
    sort: Sort = "plain" if value > _LONG else "new"
    return f"{word(feature.column)} first seen with {_who(feature)} {duration(value)} ago", sort


def _distance(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    if value < 1:
        return f"at the last place of {_who(feature)}", "plain"
    return f"{value:,.0f} km from the last place of {_who(feature)}", "much"


def _speed(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    return f"{value:,.0f} km/h from the last place of {_who(feature)}", "much"


def _last(feature: Feature, value: float, _spec: Spec) -> tuple[str, Sort]:
    return f"newest {word(feature.column)} of {_who(feature)}: {plain_number(value)}", "plain"


_STATISTICS = {
    "count": _count,
    "sum": _sum,
    "mean": _size,
    "max": _size,
    "min": _size,
    "std": _size,
    "distinct": _distinct,
    "share": _share,
    "ratio": _ratio,
    "deviation": _deviation,
    "since": _since,
    "novelty": _novelty,
    "age": _age,
    "distance": _distance,
    "speed": _speed,
    "last": _last,
}
