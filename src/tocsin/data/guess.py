"""Which ready spec fits a file, and a first spec of its own for a file that none fits: a place to start, not the truth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin import spec
from tocsin.data.columns import COMMA, as_texts, is_text, plain
from tocsin.data.files import read_rows
from tocsin.data.times import epoch_lines, reads_back
from tocsin.errors import BadInput
from tocsin.spec import Spec

# word -> how files call it, once blanks, marks and a leading tx or trans are gone; the earlier the likelier.
_CALLED: dict[str, str] = {
    "id": "id transactionid transid transnum num paymentid uid reference",
    "at": "at datetime timestamp time date transdatetranstime transactiondatetime transactiondate createdat step ts when",
    "amount": "amount amt value transactionamount transactionamt sum price total amountminor",
    "currency": "currency ccy currencycode",
    "account": "account accountid customerid customer userid user clientid client source sender nameorig sourcenodeid "
    "fromaccount payer origin",
    "card": "card cardid cardnumber ccnum cardtoken pan",
    "device": "device deviceid devicefingerprint",
    "ip": "ip ipaddress",
    "latitude": "latitude merchlat lat",
    "longitude": "longitude merchlong lon long lng",
    "country": "country location merchantcountry billingcountry countrycode",
    "retailer": "retailer retailerid merchant merchantid merchantname terminalid terminal shop store",
    "retailer_kind": "retailerkind category mcc merchantcategory merchantcategorycode",
    "payee": "payee payeeid target namedest beneficiary recipient receiver targetnodeid toaccount counterparty destination",
    "channel": "channel type usechip paymentmethod transactiontype method entrymode",
    "credit_score": "creditscore",
    "label": "label isfraud fraud class labels hascbk chargeback fraudulent isfraudulent fraudflag flag target",
    "known_at": "knownat labelknownat chargebackdate reportedat chargebackat",
    "weight": "weight sampleweight",
}
_ISO = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d|$)"
_PLAIN = r"^\d{1,25}(\.\d*)?$"
_FRAUD = {"1", "true", "yes", "y", "fraud", "fraudulent", "chargeback"}
_GENUINE = {"0", "false", "no", "n", "genuine", "legit", "legitimate", "normal", "ok"}
_FORMATS = tuple(
    f"{day}{clock}"
    for day in ("%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y%m%d")
    for clock in (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
)
_MAY_LACK = {"label", "known_at", "weight"}


def fitting(path: str | Path) -> tuple[Spec | None, list[str]]:
    """The ready spec that reads the most of the file's columns and misses none; and the file's columns.

    Raises
    ------
    BadInput : the file cannot be read at all.
    """
    path = Path(path)
    names = read_rows(path).table.column_names
    best: tuple[int, Spec | None] = (0, None)
    for name in spec.ready():
        candidate = spec.load(name)
        joined: set[str] = set()
        for rule in candidate.joins:
            beside = path.parent / (path.name.replace(rule.replace, rule.file) if rule.replace else rule.file)
            if rule.left in names and beside.is_file() and beside != path:
                joined |= set(read_rows(beside).table.column_names)
        wanted = {**candidate.columns, **candidate.extra_numbers, **candidate.extra_keys}
        there = {word for word, column in wanted.items() if column in names or column in joined}
        if not (set(wanted) - there - _MAY_LACK) and len(there) > best[0]:
            best = (len(there), candidate)
    return best[1], names


def starter(path: str | Path) -> str:
    """A spec for this file as TOML text, made from its columns' names and values, with what to look at said in comments.

    Raises
    ------
    BadInput : no column looks like a time, or none like an amount; there are no rows to look at.
    """
    path = Path(path)
    table = read_rows(path).table
    if table.num_rows == 0:
        raise BadInput(f"a data set must have rows; {path.name} has only the names of its columns.", field="file")
    words = _words(table)
    for word in ("at", "amount"):
        if word not in words:
            raise BadInput(
                f"no column of {path.name} looks like {'a time' if word == 'at' else 'an amount'}; "
                f"it has {', '.join(table.column_names[:30])}.",
                field=f"columns.{word}",
                hint=f'Write a spec with {word} = "YOUR_COLUMN" under [columns]; docs/spec.md says how.',
            )
    lines = [f"name = {_quote(path.name.split('.')[0])}", f"about = {_quote('A first guess at ' + path.name + '.')}"]
    lines += ["", "[columns]", *(f"{word} = {_quote(column)}" for word, column in words.items())]
    left = [n for n in table.column_names if n and n not in words.values()]
    if left:
        lines += [
            "# Not read: add to `numbers` or `keys` what is known before the payment is decided, and never an answer.",
            *(f"#   {name}" for name in left),
        ]
    lines += _time_lines(table[words["at"]])
    lines += ["", "[money]", 'currency = "EUR"     # look: which currency is it?']
    amounts = plain(table[words["amount"]])
    if is_text(amounts) and not _looks(as_texts(amounts.slice(0, 1000)).drop_null(), r"^-?[\d.]+$"):
        lines.append('decimal = ","     # 1.234,56 rather than 1234.56')
    if "label" in words:
        lines += _label_lines(table[words["label"]])
    return "\n".join(lines + _stage_lines(words)) + "\n"


def _words(table: pa.Table) -> dict[str, str]:
    bare = {name: _bare(name) for name in table.column_names}
    words: dict[str, str] = {}
    for word, called in _CALLED.items():
        known = called.split()
        found = [n for n, b in bare.items() if b in known and n not in words.values() and _could_be(word, table[n])]
        if found:
            words[word] = min(found, key=lambda n: (_preference(word, table[n]), known.index(bare[n])))
    if "account" not in words and "card" in words:
        words["account"] = words["card"]
    return words


def _bare(name: str) -> str:
    """The name without blanks and marks, and without the ``tx`` or ``trans`` that many files put before each."""
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    known = {c for called in _CALLED.values() for c in called.split()}
    return bare if bare in known else re.sub(r"^(tx|trans)", "", bare) or bare


def _could_be(word: str, column: pa.ChunkedArray) -> bool:
    column = plain(column)
    if pa.types.is_nested(column.type):
        return False
    if word in ("amount", "latitude", "longitude", "weight", "credit_score"):
        if is_text(column):
            sample = as_texts(column.slice(0, 1000)).drop_null()
            return len(sample) > 0 and (_looks(sample, r"^-?[\d.]+$") or _looks(sample, COMMA))
        return bool(
            pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
        )
    if word in ("at", "known_at") and is_text(column):
        head = as_texts(column.slice(0, 1000)).drop_null()
        return len(head) > 0 and (_looks(head, _ISO) or _looks(head, _PLAIN) or _format_of(head) is not None)
    if word == "label":
        return int(pc.count_distinct(column.slice(0, 100_000)).as_py()) <= 10
    return True


def _looks(head: pa.ChunkedArray, pattern: str) -> bool:
    """Whether most of the texts do; the rest are bad rows, not another format."""
    return bool(pc.mean(pc.match_substring_regex(head, pattern).cast(pa.int8())).as_py() > 0.5)


def _format_of(head: pa.ChunkedArray) -> str | None:
    """The known way of writing a time that reads the most of the texts, if it reads most of them."""
    best: tuple[int, str | None] = (len(head) // 2, None)
    for form in _FORMATS:
        parsed = pc.strptime(head, format=form, unit="us", error_is_null=True)
        read = int(reads_back(parsed, head, form).sum())
        best = max(best, (read, form), key=lambda pair: pair[0])
    return best[1]


def _preference(word: str, column: pa.ChunkedArray) -> int:
    """Real times before texts before numbers, where a time is wanted."""
    if word not in ("at", "known_at") or pa.types.is_temporal(column.type):
        return 0
    head = as_texts(column.slice(0, 100)).drop_null()
    return 2 if _looks(head, _PLAIN) else 1


def _time_lines(column: pa.ChunkedArray) -> list[str]:
    column = plain(column)
    head = as_texts(column.drop_null().slice(0, 1000))
    zone = 'zone = "UTC"     # look: where did the clock stand?'
    if pa.types.is_temporal(column.type):
        naive = not pa.types.is_timestamp(column.type) or column.type.tz is None
        return ["", "[time]", zone] if naive else []
    if _looks(head, _PLAIN):
        values = np.abs(np.asarray(pc.cast(as_texts(column), pa.float64(), safe=False).drop_null().to_numpy()))
        return ["", "[time]", *(f"{line}     # look: when was 0, and what is 1?" for line in epoch_lines(values.max()))]
    if _looks(head, _ISO):
        return [] if _looks(head, r"(Z|[+-]\d\d(:?\d\d)?)$") else ["", "[time]", zone]
    return ["", "[time]", zone, f'format = "{_format_of(head)}"     # look: the day first, or the month?']


def _label_lines(column: pa.ChunkedArray) -> list[str]:
    values = [str(v) for v in pc.unique(as_texts(column)).drop_null().to_pylist()]
    fraud = [v for v in values if v.lower() in _FRAUD]
    genuine = [v for v in values if v.lower() in _GENUINE]
    unknown = [v for v in values if v not in fraud and v not in genuine]
    return [
        "",
        "[label]",
        f"fraud = {_list(fraud)}",
        f"genuine = {_list(genuine)}",
        f"unknown = {_list(unknown)}" + ("     # look: what do these mean?" if unknown else ""),
        'known_after = "7d"     # look: how long until a fraud is known?',
    ]


def _stage_lines(words: dict[str, str]) -> list[str]:
    out = ["", "[[stage]]", 'name = "Amount, time"', 'columns = ["amount", "hour", "weekday", "night"]']
    if "account" in words:
        out += ["", "[[stage]]", 'name = "Account"', "features = ["]
        out += [
            '    "count of amount by account over 1h, 1d, 7d, 30d",',
            '    "mean of amount by account over 7d, 30d",',
        ]
        out += [
            f'    "novelty of {w} by account",'
            for w in ("card", "device", "ip")
            if w in words and words[w] != words["account"]
        ]
        out += ['    "since of amount by account",', "]"]
    place = (
        ["distance of place by account", "speed of place by account"]
        if {"latitude", "longitude", "account"} <= words.keys()
        else []
    )
    place += ["novelty of country by account"] if {"country", "account"} <= words.keys() else []
    if place:
        out += ["", "[[stage]]", 'name = "Place"', f"features = {_list(place)}"]
    others = [w for w in ("retailer", "payee") if w in words]
    for word in others:
        known = ['    "share of fraud by ' + word + ' over 7d, 30d",'] if "label" in words else []
        new = [f'    "novelty of {word} by account",'] if "account" in words else []
        out += [
            "",
            "[[stage]]",
            f'name = "{word.capitalize()}"',
            "features = [",
            f'    "count of amount by {word} over 1d, 7d",',
        ]
        out += [*new, *known, "]"]
    if "account" in words:
        out += [
            "",
            "[[stage]]",
            'name = "History"',
            "features = [",
            '    "odd = deviation of amount by account over 90d",',
        ]
        out += ['    "count of amount by account over 7d where odd > 3",', "]"]
    return out


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list(values: list[str]) -> str:
    return "[" + ", ".join(_quote(v) for v in values) + "]"
