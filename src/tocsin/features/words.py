"""A feature in plain words, for reasons, for the desk and for the documentation."""

from __future__ import annotations

from datetime import timedelta

from tocsin.schema import ACCOUNT_EVENTS
from tocsin.spec import CALENDAR, Condition, Feature, Spec

_NOUNS = {
    "ip": "IP address",
    "retailer_kind": "kind of retailer",
    "amount": "amount",
    "credit_score": "credit score",
    "sign_in": "sign-ins",
    "password_change": "password changes",
    "new_device": "new devices",
    "new_payee": "new payees",
    "address_change": "changes of address",
    "social_event": "social events",
    "latitude": "latitude",
    "longitude": "longitude",
}
_ONE_OF = {
    "sign_in": "sign-in",
    "password_change": "password change",
    "new_device": "new device",
    "new_payee": "new payee",
    "address_change": "change of address",
    "credit_score": "credit score",
    "social_event": "social event",
}
_PLURALS = {"country": "countries", "retailer_kind": "kinds of retailer", "ip": "IP addresses"}
_RAW = {
    "amount": "the amount",
    "hour": "the hour of the day",
    "weekday": "the day of the week",
    "weekend": "whether it is the weekend",
    "night": "whether it is night",
    "latitude": "the latitude of the place",
    "longitude": "the longitude of the place",
    "credit_score": "the credit score",
}
_SIDES = {
    "payee": "to",
    "retailer": "at",
    "country": "in",
    "retailer_kind": "at",
    "device": "from",
    "ip": "from",
    "channel": "through",
}
_TRUE = {"night": "it was night", "weekend": "it was the weekend"}
_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_OPERATORS = {"<=": "at most", ">=": "at least", "==": "equal to", "!=": "other than", "<": "below", ">": "above"}
_MADE = {
    "count": "{events} {who}{when}{where}",
    "sum": "total {column} {who}{when}{where}",
    "mean": "mean {column} {who}{when}{where}",
    "max": "largest {column} {who}{when}{where}",
    "min": "smallest {column} {who}{when}{where}",
    "std": "spread of {column} {who}{when}{where}",
    "distinct": "different {values} {who}{when}{where}",
    "share": "share of payments {who} known as fraud{when}{where}",
    "ratio": "this {column} over the mean {who}{when}{where}",
    "deviation": "this {column} against the usual {who}{when}, in standard deviations{where}",
    "decayed_count": "recent {events} {who} (half-life {span}){late}{where}",
    "decayed_sum": "recent total {column} {who} (half-life {span}){late}{where}",
    "decayed_mean": "recent mean {column} {who} (half-life {span}){late}{where}",
    "since": "seconds since the last {event} {who}{late}{where}",
    "novelty": "{value} never seen before with {entity}{late}{where}",
    "age": "seconds since this {value} was first seen with {entity}{late}{where}",
    "distance": "kilometres from the last place {who}{late}{where}",
    "speed": "kilometres an hour from the last place {who}{late}{where}",
    "last": "newest known {column} {who}{late}{where}",
}


def say_column(name: str) -> str:
    """A raw column in words.

    Examples
    --------
    >>> say_column("weekend"), say_column("card")
    ('whether it is the weekend', 'the card')
    """
    return _RAW.get(name, f"the {_noun(name)}")


def say(feature: Feature, spec: Spec) -> str:
    """A feature in words: statistic, whose, since when, under which condition."""
    named = {f.name: f for f in spec.features}
    entity = _entity(feature)
    return _MADE[feature.statistic].format(
        column=_noun(feature.column),
        value=_noun(feature.column),
        values=_PLURALS.get(feature.column, f"{_noun(feature.column)}s"),
        events=_events(feature.column),
        event=_event(feature.column),
        entity=entity,
        who=_who(feature),
        when=_when(feature),
        span=say_length(feature.span) if feature.span else "",
        late=f", up to {say_length(feature.delay)} ago" if feature.delay else "",
        where="".join(
            (" where " if i == 0 else " and ") + _condition(c, named, spec) for i, c in enumerate(feature.where)
        ),
    )


def say_length(span: timedelta) -> str:
    """A length of time in words: ``hour``, ``7 days``.

    Examples
    --------
    >>> say_length(timedelta(hours=1)), say_length(timedelta(days=7)), say_length(timedelta(days=30))
    ('hour', '7 days', '30 days')
    """
    seconds = int(span.total_seconds())
    for word, size in _UNITS[1:]:
        if seconds and seconds % size == 0:
            return word if seconds == size else f"{seconds // size} {word}s"
    return "0 seconds"


def _noun(name: str) -> str:
    return _NOUNS.get(name, name.replace("_", " "))


def _events(column: str) -> str:
    if column in ACCOUNT_EVENTS:
        return _NOUNS[column] if column != "credit_score" else "new credit scores"
    if column == "fraud":
        return "known frauds"
    return "payments" if column in ("amount", *CALENDAR) else f"payments with a {_noun(column)}"


def _event(column: str) -> str:
    if column in ACCOUNT_EVENTS:
        return _ONE_OF[column]
    if column == "fraud":
        return "known fraud"
    return "payment" if column in ("amount", *CALENDAR) else f"payment with a {_noun(column)}"


def _entity(feature: Feature) -> str:
    parts = []
    for store, by in zip(feature.store, feature.by, strict=True):
        parts.append(f"this {_noun(by)}" + (f" as {_noun(store)}" if store != by else ""))
    return " and ".join(parts)


def _who(feature: Feature) -> str:
    """Whose events: ``by this card``, ``at this retailer``, ``to this account`` (stored by payee, read by account)."""
    parts = [f"{_SIDES.get(store, 'by')} this {_noun(by)}" for store, by in zip(feature.store, feature.by, strict=True)]
    return " ".join(parts)


def _when(feature: Feature) -> str:
    if feature.span is None:
        return ""
    length = say_length(feature.span)
    if not feature.delay:
        return f" in the last {length}"
    if not length[0].isdigit():
        length = f"1 {length}"
    return f" in the {length} that ended {_ago(feature.delay)}"


def _ago(delay: timedelta) -> str:
    length = say_length(delay)
    return f"{length} ago" if length[0].isdigit() else f"1 {length} ago"


def _condition(condition: Condition, named: dict[str, Feature], spec: Spec) -> str:
    if condition.name in _TRUE and condition.operator == "==" and condition.value == 1:
        return _TRUE[condition.name]
    if condition.name in named:
        subject = f"({say(named[condition.name], spec)})"
    else:
        subject = _RAW.get(condition.name, f"the {_noun(condition.name)}")
    return f"{subject} was {_OPERATORS[condition.operator]} {condition.value:g}"
