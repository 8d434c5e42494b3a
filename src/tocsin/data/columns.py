"""A file's columns as the columns of a batch: amounts, keys, numbers, labels. Whole columns at a time.

Each function marks the rows it cannot read in ``found`` and gives something harmless in their place.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.batch import keys_of
from tocsin.data.problems import Findings, shown
from tocsin.money import Rates
from tocsin.schema import CURRENCIES, LARGEST_AMOUNT_MINOR, exponent_of
from tocsin.spec import LabelReading

_MISSING_TEXTS = pa.array(["", "nan", "none", "null", "na", "n/a"])
COMMA = r"^[+-]?(\d{1,3}([. ]\d{3})*|\d+)(,\d+)?$"
"""How numbers are written where a comma stands before the fraction: 1.234,56 or 1 234,56 or 1234,56."""
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


def is_text(column: pa.ChunkedArray) -> bool:
    """Whether the column holds texts."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without dictionary encoding, texts in one type, halves as floats."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.string())
    return column.cast(pa.float32()) if pa.types.is_float16(column.type) else column


def can_be_number(kind: pa.DataType) -> bool:
    """Whether a column of the type can be read as numbers: numbers, texts that say numbers, true and false."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(texts or numbers or pa.types.is_boolean(kind) or pa.types.is_null(kind))


def as_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Every value as the text it is known by: 7 and 7.0 are ``7``, texts lose the blanks around them, blank is missing.

    A column of ids that a table program turned into 7.0 because one was missing must not become another column of ids.
    """
    column = plain(column)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        values = np.asarray(pc.fill_null(column, 0.0).to_numpy())
        if np.all((values == np.rint(values)) & (np.abs(values) < 2**53)):
            column = column.cast(pa.int64())
    if not is_text(column):
        return column.cast(pa.string())
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(column, ""), None, column)


def like_card_numbers(column: pa.ChunkedArray) -> bool:
    """Whether most of the first thousand values would become tokens at the service's door: 12 to 19 digits, no letter."""
    texts = as_texts(column).drop_null()[:1000]
    digits = pc.replace_substring_regex(texts, r"[^\p{L}\p{N}]+", "")
    return len(texts) > 0 and 2 * pc.sum(pc.match_substring_regex(digits, r"^\p{Nd}{12,19}$")).as_py() > len(texts)


def read_keys(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    """uint64[n]: the key of each value's text; each distinct value is hashed once."""
    column = plain(column)
    encoded = pc.dictionary_encode(column).combine_chunks()
    uniques = keys_of(as_texts(pa.chunked_array([encoded.dictionary])).to_pylist())
    place = np.asarray(pc.fill_null(encoded.indices, len(uniques)).to_numpy(zero_copy_only=False), np.int64)
    return np.append(uniques, np.uint64(0))[place]


def with_point(column: pa.ChunkedArray, name: str, found: Findings) -> pa.ChunkedArray:
    """Texts with a decimal comma as texts with a point; what is not written so is a bad row (12.5 could be 125)."""
    column = plain(column)
    if not is_text(column):
        return column
    texts = pc.replace_substring(pc.utf8_trim_whitespace(column), "\u00a0", " ")
    missing = pc.or_(texts.is_null(), pc.is_in(pc.utf8_lower(texts), value_set=_MISSING_TEXTS))
    clean = pc.fill_null(pc.match_substring_regex(texts, COMMA), False)
    bad = np.asarray(pc.invert(pc.or_(missing, clean)).to_numpy())
    found.add(bad, name, lambda i: f"must be a number with a decimal comma, such as 1.234,56; got {shown(column[i])}.")
    pointed = pc.replace_substring(pc.replace_substring_regex(texts, "[. ]", ""), ",", ".")
    return pc.if_else(clean, pointed, None)


def read_numbers(column: pa.ChunkedArray, name: str, found: Findings) -> NDArray[np.float64]:
    """float64[n], NaN where missing; infinities and texts that are no numbers make bad rows."""
    column = plain(column)
    if is_text(column):
        column = _numeric(column, name, found)
    values = np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), np.float64)
    endless = np.isinf(values)
    found.add(endless, name, "a number must be finite; got infinity.", "Leave it out when it is not known.")
    values[endless] = np.nan
    return values


def check_range(values: NDArray[np.float64], limit: float, name: str, found: Findings) -> None:
    """Places must lie on the Earth."""
    outside = np.abs(values) > limit
    found.add(
        outside,
        name,
        lambda i: f"must be between -{limit:g} and {limit:g} degrees; got {values[i]:g}.",
        "Are latitude and longitude exchanged?",
    )


def _numeric(column: pa.ChunkedArray, name: str, found: Findings) -> pa.ChunkedArray:
    """Texts as float64; what is no number is a bad row, what says "missing" is missing."""
    texts = pc.utf8_trim_whitespace(column)
    missing = pc.or_(texts.is_null(), pc.is_in(pc.utf8_lower(texts), value_set=_MISSING_TEXTS))
    clean = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)
    endless = pc.fill_null(pc.match_substring_regex(texts, r"^[+-]?inf(inity)?$", ignore_case=True), False)
    bad = pc.invert(pc.or_(pc.or_(missing, clean), endless)).to_numpy()
    found.add(np.asarray(bad), name, lambda i: f"must be a number; got {shown(texts[i])}.")
    return pc.if_else(pc.or_(clean, endless), texts, None).cast(pa.float64())


def read_amounts(
    column: pa.ChunkedArray,
    currencies: NDArray[np.object_] | None,
    unit: Literal["major", "minor"],
    base: str,
    rates: Rates | None,
    name: str,
    wanted: NDArray[np.bool_],
    found: Findings,
) -> NDArray[np.int64]:
    """int64[n] whole minor units of the base currency, halves to the even neighbour; 0 where not wanted or bad.

    Parameters
    ----------
    currencies : the code of each row; ``None`` when all are in the base currency.
    unit : whether the file counts major units (euros) or minor ones (cents).
    wanted : bool[n], the rows that are payments.
    """
    column = plain(column)
    amount = np.zeros(len(column), np.int64)
    if currencies is None:
        return _minor(column, 0 if unit == "minor" else exponent_of(base), name, wanted, found)
    for code in {str(c) for c in currencies[wanted]}:
        rows = wanted & (currencies == code)
        if code not in CURRENCIES:
            found.add(
                rows,
                "currency",
                f"must be an ISO 4217 code such as EUR; got {shown(code[:12])}.",
                "Three letters, capitals.",
            )
        elif code != base and (rates is None or rates.base != base or not rates.knows(code)):
            found.add(
                rows,
                "currency",
                f"there is no rate from {code} to the base currency {base}.",
                f'Give --rates FILE with base = "{base}" and a line {code} = ... under [rates].',
            )
        else:
            own = _minor(column, 0 if unit == "minor" else exponent_of(code), name, rows, found)
            amount += own if rates is None or code == base else rates.all_to_base(own, code)
    return np.where(found.bad, 0, amount)


def _minor(
    column: pa.ChunkedArray, digits: int, name: str, wanted: NDArray[np.bool_], found: Findings
) -> NDArray[np.int64]:
    """Amounts of one currency as whole units of 10^-digits."""
    if is_text(column):
        value, texts = _text_values(column, name, wanted, found), column
    else:
        value = np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), np.float64)
        texts = None
    found.add(wanted & ~found.bad & np.isnan(value), name, "an amount must be there; got nothing.")
    found.add(wanted & np.isinf(value), name, "an amount must be finite; got infinity.")
    found.add(
        wanted & (value < 0) & np.isfinite(value),
        name,
        lambda i: f"an amount must not be negative; got {value[i]:g}.",
        "A refund is a payment of its own with the retailer as account.",
    )
    scaled = value * 10.0**digits
    found.add(
        wanted & np.isfinite(value) & (scaled > LARGEST_AMOUNT_MINOR),
        name,
        f"an amount must be at most {LARGEST_AMOUNT_MINOR} minor units; got more.",
    )
    usable = wanted & (scaled >= 0) & (scaled <= LARGEST_AMOUNT_MINOR)
    scaled = np.where(usable, scaled, 0.0)
    out = np.rint(scaled).astype(np.int64)
    # A float is within 2^-51 of what was written; only next to a half can that change the rounding.
    close = np.flatnonzero(usable & (np.abs(scaled - np.floor(scaled) - 0.5) <= 1e-6 + scaled * 2.0**-50))
    if len(close):
        written = (texts if texts is not None else column).take(pa.array(close)).cast(pa.string()).to_pylist()
        out[close] = [_exact(text, digits) for text in written]
    return out


def _exact(text: str, digits: int) -> int:
    try:
        return int(Decimal(text.strip()).scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN))
    except InvalidOperation:
        return 0


def _text_values(column: pa.ChunkedArray, name: str, wanted: NDArray[np.bool_], found: Findings) -> NDArray[np.float64]:
    mine = Findings(found.rows)
    value = np.array(pc.fill_null(_numeric(column, name, mine), np.nan).to_numpy(), np.float64)
    found.add(
        wanted & mine.bad,
        name,
        lambda i: f"an amount must be a plain number such as 1234.56; got {shown(column[i])}.",
        "Without currency signs, blanks or thousands marks, and with a point.",
    )
    return value


def read_labels(column: pa.ChunkedArray, reading: LabelReading, name: str, found: Findings) -> NDArray[np.int8]:
    """int8[n]: 1 fraud, 0 genuine, -1 unknown (also where nothing stands); a value the spec does not name is a bad row."""
    encoded = pc.dictionary_encode(as_texts(column)).combine_chunks()
    said = dict.fromkeys(reading.fraud, 1) | dict.fromkeys(reading.genuine, 0) | dict.fromkeys(reading.unknown, -1)
    said |= {k.lower(): v for k, v in said.items()}
    words = [str(w) for w in encoded.dictionary.to_pylist()]
    meaning = np.array([said.get(w, said.get(w.lower(), -2)) for w in words] + [-1], np.int8)
    place = np.asarray(pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False), np.int64)
    label = meaning[place]
    found.add(
        label == -2,
        name,
        lambda i: f"a label must be a value the spec names; got {shown(words[place[i]])}.",
        "Add the value under [label] to fraud, genuine or unknown.",
    )
    return np.where(label == -2, -1, label).astype(np.int8)
