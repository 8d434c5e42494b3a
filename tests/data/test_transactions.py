"""Reading payments: what each column may hold, what makes a bad row, and that no row is lost."""

from __future__ import annotations

import bz2
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tocsin import spec
from tocsin.batch import key_of
from tocsin.data import read
from tocsin.data.table import Table
from tocsin.data.times import NEVER
from tocsin.errors import BadInput
from tocsin.live import Cards
from tocsin.money import Rates
from tocsin.schema import KIND_CODE, Kind

UTC_ZONE = '[time]\nzone = "UTC"'


def a_spec(columns: str = "", rest: str = UTC_ZONE) -> spec.Spec:
    return spec.parse(f'[columns]\nat = "at"\namount = "amount"\naccount = "account"\n{columns}\n{rest}')


def a_file(folder: Path, *lines: str, name: str = "payments.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def said(table: Table) -> list[tuple[int, str]]:
    return [(p.row, p.column) for p in table.problems]


def micros(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


# --- kinds of file ---------------------------------------------------------------------------------------------------

LINES = ("at,amount,account", "2026-03-01T12:00:00Z,1.10,007", "2026-03-01T13:00:00+01:00,2,8")


def check_two(table: Table) -> None:
    assert table.batch.at.tolist() == [micros("2026-03-01T12:00:00Z")] * 2
    assert table.amount.tolist() == [110, 200]
    assert table.batch.keys["account"].tolist() == [key_of("007"), key_of("8")]
    assert table.problems == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_keeps_leading_zeros_and_finds_its_delimiter(tmp_path: Path, delimiter: str) -> None:
    check_two(read(a_file(tmp_path, *(line.replace(",", delimiter) for line in LINES)), a_spec()))


@pytest.mark.parametrize("method", ["gzip", "bz2", "zstd"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_compression_is_told_by_the_bytes(tmp_path: Path, method: str, suffix: str) -> None:
    data = ("\n".join(LINES)).encode()
    packed = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": lambda d: pa.compress(d, "zstd", asbytes=True)}
    path = tmp_path / f"payments.csv{suffix}"
    path.write_bytes(packed[method](data))
    table = read(path, a_spec())
    check_two(table)
    honest = method == "gzip" and suffix == ".gz"
    assert any("the bytes say" in note for note in table.notes) != honest


def test_json_lines_and_parquet_read_alike(tmp_path: Path) -> None:
    rows = [
        {"at": "2026-03-01T12:00:00Z", "amount": 1.1, "account": "007"},
        {"at": "2026-03-01T13:00:00+01:00", "amount": 2, "account": "8"},
    ]
    check_two(read(a_file(tmp_path, *map(json.dumps, rows), name="p.jsonl"), a_spec()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    check_two(read(tmp_path / "p.parquet", a_spec()))


def test_headers_and_lines_may_be_written_in_any_way(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    for end in ("\r", "\r\n", "\n"):
        path.write_bytes(end.join(LINES).encode())
        check_two(read(path, a_spec()))
    path.write_text('at,amount,account,"two\nlines"\n' + "\n".join(f"{line},x" for line in LINES[1:]))
    check_two(read(path, a_spec()))


def test_a_json_line_that_is_broken_is_one_bad_row(tmp_path: Path) -> None:
    good = '{"at": "2026-03-01T12:00:00Z", "amount": 1, "account": "a"}'
    table = read(a_file(tmp_path, good, '{"at": "2026', "[1]", good, name="p.jsonl"), a_spec())
    assert (len(table), table.rows_in, table.rows_bad) == (2, 4, 2)
    assert table.row.tolist() == [1, 4]
    assert said(table) == [(2, ""), (3, "")]


def test_nested_json_is_reached_by_dots(tmp_path: Path) -> None:
    line = '{"at": "2026-03-01T12:00:00Z", "amount": 1, "account": "a", "card": {"token": "t"}}'
    table = read(a_file(tmp_path, line, name="p.jsonl"), a_spec('card = "card.token"'))
    assert table.batch.keys["card"].tolist() == [key_of("t")]


def test_utf16_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    for encoding in ("utf-16", "utf-8-sig"):
        path.write_bytes("\n".join(LINES).encode(encoding))
        check_two(read(path, a_spec()))


def test_a_row_that_is_not_utf8_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"at,amount,account\n2026-03-01T12:00:00Z,1,M\xfcller\n2026-03-01T12:00:00Z,1,b\n")
    table = read(path, a_spec())
    assert (said(table), len(table)) == ([(1, "account")], 1)


@pytest.mark.parametrize("method", ["gzip", "bz2", "zstd"])
def test_a_file_cut_short_gives_what_it_still_holds(tmp_path: Path, method: str) -> None:
    rows = [f"2026-03-01T12:00:00Z,{i},{i * 7919 % 104729}" for i in range(200_000)]
    data = "\n".join(["at,amount,account", *rows]).encode()
    packed = {"gzip": gzip.compress, "bz2": bz2.compress, "zstd": lambda d: pa.compress(d, "zstd", asbytes=True)}
    whole = packed[method](data)
    path = tmp_path / "p.csv"
    path.write_bytes(whole[: len(whole) // 2])
    table = read(path, a_spec())
    assert 1_000 < len(table) < 200_000
    assert table.rows_in == len(table) + 1
    assert [p.row for p in table.problems] == [len(table) + 1]
    assert "ends in the middle" in table.problems[0].what


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("p.csv", b"", "empty"),
        ("p.csv", b"\n\n", "rows"),
        ("p.csv", b"at,amount,account\n", "not one row"),
        ("p.csv", b"\x00\x01\x02\x03", "something else"),
        ("p.csv", b"at,at,account\n1,2,3\n", "twice"),
        ("p.csv", b"2026-03-01T12:00:00Z,4111111111111111,a\n", "must name the columns"),
        ("p.json", b'[{"at": 1}]', "one object a line"),
        ("p.parquet", b"PAR1 and no more", "whole"),
        ("p.csv.gz", b"\x1f\x8b\x08\x00broken", "rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=word):
        read(tmp_path / name, a_spec())


def test_no_message_shows_a_card_number(tmp_path: Path) -> None:
    """Not even where the columns were exchanged by mistake."""
    card = "4111111111111111"
    rows = [f"{card},{card},a,{card},{card}", f"2026-03-01T12:00:00Z,x{card},a,{card},payment"]
    path = a_file(tmp_path, "at,amount,account,y,kind", *rows, "2026-03-01T12:00:00Z,1,a,0,payment")
    table = read(path, a_spec('label = "y"\nkind = "kind"'))
    assert len(table.problems) >= 5
    assert not any(card in p.what + p.hint for p in table.problems)
    path = a_file(tmp_path, f"{card},2,a", f"{card},2,a")
    with pytest.raises(BadInput, match="must name the columns"):
        read(path, a_spec())


def test_blanks_around_a_column_s_name_are_not_part_of_it(tmp_path: Path) -> None:
    check_two(read(a_file(tmp_path, " at, amount ,account", *LINES[1:]), a_spec()))


def test_no_file_or_a_folder_names_what_is_there(tmp_path: Path) -> None:
    a_file(tmp_path, "x")
    with pytest.raises(BadInput, match=r"payments\.csv"):
        read(tmp_path / "paymens.csv", a_spec())
    with pytest.raises(BadInput, match="is a folder"):
        read(tmp_path, a_spec())


# --- columns ---------------------------------------------------------------------------------------------------------


def test_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    path = a_file(tmp_path, "at,Amount,acount", "2026-03-01T12:00:00Z,1,a")
    with pytest.raises(BadInput, match=r"amount.*Did you mean 'Amount'") as caught:
        read(path, a_spec())
    assert caught.value.field == "columns.amount"


def test_columns_nobody_reads_and_labels_nobody_has_are_noted(tmp_path: Path) -> None:
    path = a_file(tmp_path, "at,amount,account,colour", "2026-03-01T12:00:00Z,1,a,red")
    table = read(path, a_spec('label = "fraud"'))
    assert any("colour" in note for note in table.notes)
    assert any("'fraud'" in note for note in table.notes)
    assert table.label.tolist() == [-1]
    assert table.known_at.tolist() == [NEVER]


@pytest.mark.parametrize(
    ("cards", "noted"),
    [
        (["4111111111111111", "4111 1111 1111 1111", "5500-0000-0000-0004"], True),
        (["４１１１１１１１１１１１１１１１", "378282246310005"], True),  # wide digits are digits
        (["4111111111111111", "5500000000000004", ""], True),
        (["card_1", "card_2", "4111111111111111"], False),
        (["tok4111111111111111", "12345678901", "12345678901234567890"], False),
        (["", ""], False),
    ],
)
def test_a_card_column_that_the_service_would_turn_into_tokens_is_noted(
    tmp_path: Path, cards: list[str], noted: bool
) -> None:
    rows = [f"2026-03-01T12:00:00Z,1,a,{card}" for card in cards]
    table = read(a_file(tmp_path, "at,amount,account,pan", *rows), a_spec('card = "pan"'))
    assert [("'pan' looks like card numbers" in one, "token" in one) for one in table.notes] == [(True, True)] * noted
    service = Cards(b"k" * 32)
    assert (2 * sum(service.token(card) != card for card in cards) > sum(map(bool, cards))) is noted
    assert not any(card in one for one in table.notes for card in cards if card)


def test_card_numbers_that_are_numbers_are_noted_too(tmp_path: Path) -> None:
    columns = {
        "at": ["2026-03-01T12:00:00Z"] * 2,
        "amount": [1, 2],
        "account": ["a", "b"],
        "card": [4111111111111111] * 2,
    }
    pq.write_table(pa.table(columns), tmp_path / "p.parquet")
    (note,) = read(tmp_path / "p.parquet", a_spec('card = "card"')).notes
    assert "looks like card numbers" in note


def test_a_join_brings_the_columns_of_the_file_beside_it(tmp_path: Path) -> None:
    a_file(tmp_path, "who,income", "7,100", "9,300", name="people.csv")
    path = a_file(tmp_path, "at,amount,account", *(f"2026-03-01T12:00:0{i}Z,1,{a}" for i, a in enumerate((9, 7, 8))))
    rest = UTC_ZONE + '\n[[join]]\nfile = "people"\nreplace = "payments"\nleft = "account"\nright = "who"'
    table = read(path, a_spec('numbers = ["income"]', rest))
    assert np.array_equal(table.batch.numbers["income"], [300, 100, np.nan], equal_nan=True)
    a_file(tmp_path, "who,income", "7,100", "7,300", name="people.csv")
    with pytest.raises(BadInput, match="some come twice"):
        read(path, a_spec('numbers = ["income"]', rest))


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time", "meant"),
    [
        ("2026-03-01 12:00", 'zone = "Europe/Paris"', "2026-03-01T11:00:00Z"),
        ("2026-07-01 12:00:00.25", 'zone = "Europe/Paris"', "2026-07-01T10:00:00.25Z"),
        ("2026-07-01 12:00:00 -05:00", "", "2026-07-01T17:00:00Z"),
        ("2026-07-01T12:00:00.123456789Z", "", "2026-07-01T12:00:00.123456Z"),
        ("2026-07-01T12:00:00+02", "", "2026-07-01T10:00:00Z"),
        ("2026-07-01", 'zone = "UTC"', "2026-07-01T00:00:00Z"),
        ("90", 'epoch = 2026-01-01T00:00:00Z\nunit = "1m"', "2026-01-01T01:30:00Z"),
        ("1767225600123", 'epoch = 1970-01-01T00:00:00Z\nunit = "1ms"', "2026-01-01T00:00:00.123Z"),
        ("1767225600123456", 'epoch = 1970-01-01T00:00:00Z\nunit = "1us"', "2026-01-01T00:00:00.123456Z"),
        ("1.5", 'epoch = 2026-01-01T00:00:00+01:00\nunit = "1h"', "2026-01-01T00:30:00Z"),
        ("3/12/2026 9:05 PM", 'zone = "UTC"\nformat = "%m/%d/%Y %I:%M %p"', "2026-03-12T21:05:00Z"),
        ("2026-10-25 02:30", 'zone = "Europe/Paris"', "2026-10-25T00:30:00Z"),
        ("2026-03-29 03:30", 'zone = "Europe/Paris"', "2026-03-29T01:30:00Z"),
    ],
)
def test_a_time_is_what_was_meant(tmp_path: Path, text: str, time: str, meant: str) -> None:
    table = read(a_file(tmp_path, "at,amount,account", f"{text},1,a"), a_spec(rest=f"[time]\n{time}"))
    assert table.problems == ()
    exact = datetime.fromisoformat(meant)
    assert table.batch.at[0] == int(exact.replace(microsecond=0).timestamp()) * 1_000_000 + exact.microsecond


@pytest.mark.parametrize(
    ("text", "time", "word"),
    [
        ("2026-03-01 12:00", "", "must say its zone"),
        ("2026-03-29 02:30", 'zone = "Europe/Paris"', "skipped"),
        ("2026-02-30 12:00", 'zone = "UTC"', "2026-02-30"),
        ("2025-02-29", 'zone = "UTC"', "2025-02-29"),
        ("1900-02-29", 'zone = "UTC"', "1900-02-29"),
        ("2026-13-01 12:00", 'zone = "UTC"', "2026-13-01"),
        ("yesterday", 'zone = "UTC"', "yesterday"),
        ("1026-03-01", 'zone = "UTC"', "1900"),
        ("", 'zone = "UTC"', "got nothing"),
        ("31/02/2026", 'zone = "UTC"\nformat = "%d/%m/%Y"', "31/02/2026"),
        ("1e30", "epoch = 1970-01-01T00:00:00Z", "1900"),
        ("soon", "epoch = 1970-01-01T00:00:00Z", "number"),
    ],
)
def test_a_time_that_cannot_be_makes_a_bad_row(tmp_path: Path, text: str, time: str, word: str) -> None:
    good = {"epoch": "5", "format": "01/02/2026"}
    beside = next((v for k, v in good.items() if k in time), "2026-03-01T12:00:00Z")
    path = a_file(tmp_path, "at,amount,account", f"{text},1,a", f"{beside},1,a")
    table = read(path, a_spec(rest=f"[time]\n{time}"))
    assert said(table) == [(1, "at")]
    assert word in table.problems[0].what
    assert table.row.tolist() == [2]


def test_the_doubled_hour_is_noted(tmp_path: Path) -> None:
    path = a_file(tmp_path, "at,amount,account", "2026-10-25 02:30,1,a")
    table = read(path, a_spec(rest='[time]\nzone = "Europe/Paris"'))
    assert any("comes twice" in note for note in table.notes)


@pytest.mark.parametrize("value", [1_767_225_600, 1_767_225_600_000, 1_767_225_600_000_000])
def test_numbers_without_an_epoch_get_the_right_line_as_hint(tmp_path: Path, value: int) -> None:
    path = a_file(tmp_path, "at,amount,account", f"{value},1,a")
    with pytest.raises(BadInput) as caught:
        read(path, a_spec(rest=""))
    line = str(caught.value.hint).removeprefix("Add under [time]: ").removesuffix(".").replace(", ", "\n")
    table = read(path, a_spec(rest=f"[time]\n{line}"))
    assert table.batch.at.tolist() == [micros("2026-01-01T00:00:00Z")]


def test_parquet_times_keep_their_zone(tmp_path: Path) -> None:
    when = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    for kind, ok in ((pa.timestamp("ns", "Asia/Tokyo"), True), (pa.timestamp("ms"), False)):
        at = pa.array(when, pa.timestamp("us", "UTC")).cast(kind)
        pq.write_table(pa.table({"at": at, "amount": [1], "account": ["a"]}), tmp_path / "p.parquet")
        table = read(tmp_path / "p.parquet", a_spec(rest=""))
        assert table.batch.at.tolist() == ([micros("2026-03-01T12:00:00Z")] if ok else [])
        assert (table.rows_bad == 0) == ok


# --- money -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "money", "minor"),
    [
        ("12.34", "", 1234),
        ("0.125", "", 12),
        ("0.135", "", 14),
        ("2.675", "", 268),
        ("1.005", "", 100),
        ("1.0050000000000000000001", "", 101),
        ("1e3", "", 100_000),
        (".5", "", 50),
        ("0", "", 0),
        ("1234", 'unit = "minor"', 1234),
        ("1234.0", 'unit = "minor"', 1234),
        ("1234", 'currency = "JPY"', 1234),
        ("1.2345", 'currency = "KWD"', 1234),
        ("9999999999999.99", "", 999_999_999_999_999),
    ],
)
def test_money_is_exact(tmp_path: Path, text: str, money: str, minor: int) -> None:
    rest = f"{UTC_ZONE}\n[money]\n{money}"
    table = read(a_file(tmp_path, "at,amount,account", f"2026-03-01T12:00:00Z,{text},a"), a_spec(rest=rest))
    assert table.amount.tolist() == [minor]
    rows = pa.table({"at": ["2026-03-01T12:00:00Z"], "amount": [float(text)], "account": ["a"]})
    pq.write_table(rows, tmp_path / "p.parquet")
    if float(text) == float(f"{float(text):.15g}") and len(text) < 17:
        assert read(tmp_path / "p.parquet", a_spec(rest=rest)).amount.tolist() == [minor]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("-1", "negative"),
        ("inf", "finite"),
        ("-Infinity", "finite"),
        ("nan", "nothing"),
        ("", "nothing"),
        ("$5", "plain number"),
        ('"1,000.00"', "plain number"),
        ('"12,50"', "plain number"),
        ("1e14", "at most"),
    ],
)
def test_an_amount_that_cannot_be_makes_a_bad_row(tmp_path: Path, text: str, word: str) -> None:
    path = a_file(tmp_path, "at,amount,account", f"2026-03-01T12:00:00Z,{text},a", "2026-03-01T12:00:00Z,1,b")
    table = read(path, a_spec())
    assert (set(said(table)), table.row.tolist(), table.amount.tolist()) == ({(1, "amount")}, [2], [100])
    assert word in table.problems[0].what


def test_a_decimal_comma_is_read_where_the_spec_says_so(tmp_path: Path) -> None:
    texts = ["12,5", "1.234,56", "1 234,56", "1\u00a0234,56", "7", "0,125", "12.5", "1,234.56", "12,5,6", "", "-3,5"]
    lines = ["at;amount;account", *(f"2026-03-01T12:00:00Z;{t};a" for t in texts)]
    table = read(a_file(tmp_path, *lines), a_spec(rest=UTC_ZONE + '\n[money]\ndecimal = ","'))
    assert table.amount.tolist() == [1250, 123_456, 123_456, 123_456, 700, 12]
    assert [p.row for p in table.problems] == [7, 8, 9, 10, 11]
    assert "1.234,56" in table.problems[0].what


def test_other_currencies_need_a_rate(tmp_path: Path) -> None:
    lines = ["at,amount,account,ccy", *(f"2026-03-01T12:00:00Z,10.01,a,{c}" for c in ("EUR", "USD", "JPY", "EURO", ""))]
    path = a_file(tmp_path, *lines)
    bare = read(path, a_spec('currency = "ccy"'))
    assert [p.row for p in bare.problems] == [2, 3, 4, 5]
    assert "--rates" in bare.problems[0].hint
    assert "ISO 4217" in bare.problems[2].what
    rates = tmp_path / "rates.toml"
    rates.write_text('base = "EUR"\ndate = 2026-03-01\n[rates]\nUSD = 0.5\nJPY = 0.01\n')
    table = read(path, a_spec('currency = "ccy"'), rates=Rates.load(rates))
    assert table.amount.tolist() == [1001, 500, 10]  # 10.01 dollars are 5.005 euros, to the even cent; 10 yen 10 cents


# --- ids, labels, kinds ----------------------------------------------------------------------------------------------


def test_an_id_stands_once(tmp_path: Path) -> None:
    rows = ["x,2026-03-01T12:00:00Z,bad,a", "x,2026-03-01T12:00:00Z,1,a", "x,2026-03-01T12:00:00Z,1,a"]
    table = read(a_file(tmp_path, "id,at,amount,account", *rows, ",2026-03-01T12:00:00Z,1,a"), a_spec('id = "id"'))
    assert said(table) == [(1, "amount"), (3, "id"), (4, "id")]
    assert table.row.tolist() == [2]


def test_made_ids_follow_the_row_wherever_it_stands(tmp_path: Path) -> None:
    rows = [f"2026-03-01T12:00:0{i}Z,{i},a" for i in (1, 2, 3, 1)]
    one = read(a_file(tmp_path, "at,amount,account", *rows), a_spec())
    two = read(a_file(tmp_path, "at,amount,account", *reversed(rows), name="q.csv"), a_spec())
    assert set(one.ids) == set(two.ids)
    assert len(set(one.ids)) == 4
    assert sum(i.endswith("-2") for i in one.ids) == 1


def test_labels_say_what_the_spec_says_they_say(tmp_path: Path) -> None:
    rest = UTC_ZONE + '\n[label]\nfraud = ["Yes", 1]\ngenuine = ["No", 0]\nunknown = ["open"]\nknown_after = "1d"'
    rows = [f"2026-03-01T12:00:00Z,1,a,{v}" for v in ("Yes", "no", "1", "0", "open", "", "perhaps")]
    table = read(a_file(tmp_path, "at,amount,account,y", *rows), a_spec('label = "y"', rest))
    assert table.label.tolist() == [1, 0, 1, 0, -1, -1]
    assert (table.known_at[:4] == micros("2026-03-02T12:00:00Z")).all()
    assert (table.known_at[4:] == NEVER).all()
    assert said(table) == [(7, "y")]


@pytest.mark.parametrize("values", [[True, False], [1.0, 0.0], [1, 0]])
def test_labels_of_any_type_are_their_text(tmp_path: Path, values: list[object]) -> None:
    at = [datetime(2026, 3, 1, tzinfo=UTC)] * 2
    pq.write_table(pa.table({"at": at, "amount": [1, 1], "account": ["a", "a"], "y": values}), tmp_path / "p.parquet")
    rest = UTC_ZONE + "\n[label]\nfraud = [1, true]\ngenuine = [0, false]"
    assert read(tmp_path / "p.parquet", a_spec('label = "y"', rest)).label.tolist() == [1, 0]


def test_an_account_label_is_on_all_its_payments(tmp_path: Path) -> None:
    rows = [f"2026-03-01T12:00:0{i}Z,1,{a},{y}" for i, (a, y) in enumerate([("a", 0), ("a", 1), ("b", 0), ("a", "")])]
    rows.append("2026-03-01T12:00:05Z,bad,b,1")  # a bad row says nothing of its account
    rest = UTC_ZONE + '\n[label]\nlevel = "account"'
    table = read(a_file(tmp_path, "at,amount,account,y", *rows), a_spec('label = "y"', rest))
    assert table.label.tolist() == [1, 1, 0, 1]


def test_a_label_known_before_its_payment_makes_a_bad_row(tmp_path: Path) -> None:
    rows = [f"2026-03-01T12:00:00Z,1,a,1,{k}" for k in ("2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z", "", "never")]
    table = read(a_file(tmp_path, "at,amount,account,y,k", *rows), a_spec('label = "y"\nknown_at = "k"'))
    assert said(table) == [(1, "k"), (4, "k")]
    assert "known before" in table.problems[0].what
    assert table.known_at.tolist() == [micros("2026-03-01T12:00:00Z")] * 2


def test_account_events_stand_among_the_payments(tmp_path: Path) -> None:
    rows = ["2026-03-01T12:00:00Z,1,a,payment", "2026-03-01T11:00:00Z,,a,sign_in", "2026-03-01T13:00:00Z,,a,dance"]
    rows.append("2026-03-01T13:00:00Z,,a,label")
    spec_ = a_spec('kind = "kind"')
    table = read(a_file(tmp_path, "at,amount,account,kind", *rows), spec_)
    assert table.batch.kind.tolist() == [KIND_CODE[Kind.SIGN_IN], KIND_CODE[Kind.PAYMENT]]
    assert (table.payments.tolist(), len(table.ids), said(table)) == ([1], 1, [(3, "kind"), (4, "kind")])
    events = a_file(tmp_path, "at,account,kind", "2026-03-01T10:00:00Z,a,new_device", "x,a,sign_in", name="e.csv")
    both = read(tmp_path / "payments.csv", spec_, events=events)
    assert both.batch.kind[0] == KIND_CODE[Kind.NEW_DEVICE]
    assert (both.rows_in, both.rows_bad, both.problems[-1].file) == (6, 3, "e.csv")


def test_numbers_and_places_are_checked(tmp_path: Path) -> None:
    rows = ["91,0,5", "0,181,5", "inf,0,5", "0,0,much", "1,2,", "1,2,NA", "1,2,1e2"]
    lines = ["at,amount,account,lat,lon,age", *(f"2026-03-01T12:00:00Z,1,a,{r}" for r in rows)]
    table = read(a_file(tmp_path, *lines), a_spec('latitude = "lat"\nlongitude = "lon"\nnumbers = ["age"]'))
    assert said(table) == [(1, "lat"), (2, "lon"), (3, "lat"), (4, "age")]
    assert np.array_equal(table.batch.numbers["age"], [np.nan, np.nan, 100], equal_nan=True)


def test_an_id_column_turned_to_floats_is_the_same_ids(tmp_path: Path) -> None:
    at = [datetime(2026, 3, 1, tzinfo=UTC)] * 3
    pq.write_table(pa.table({"at": at, "amount": [1, 1, 1], "account": [7.0, 8.0, None]}), tmp_path / "p.parquet")
    table = read(tmp_path / "p.parquet", a_spec())
    assert table.batch.keys["account"].tolist() == [key_of("7"), key_of("8")]
    assert said(table) == [(3, "account")]


# --- bad rows put aside ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_bad_rows_are_put_aside_as_they_stood(tmp_path: Path, suffix: str) -> None:
    rows = ["2026-03-01T12:00:00Z,1,a", "x,2,b", "2026-03-01T12:00:00Z,3", "2026-03-01T12:00:00Z,-4,"]
    side = tmp_path / f"bad{suffix}"
    table = read(a_file(tmp_path, "at,amount,account", *rows), a_spec(), bad_rows=side)
    assert (len(table), table.rows_bad) == (1, 3)
    if suffix == ".jsonl":
        kept = [json.loads(line) for line in side.read_text().splitlines()]
    else:
        kept = (pq.read_table(side) if suffix == ".parquet" else pa.csv.read_csv(side)).to_pylist()
    assert [r["tocsin_row"] for r in kept] == [2, 3, 4]
    assert kept[0]["at"] == "x"
    assert kept[1]["tocsin_text"] == "2026-03-01T12:00:00Z,3"
    assert "negative" in kept[2]["tocsin_problem"]
    assert "account" in kept[2]["tocsin_problem"]


def test_bad_rows_never_take_the_place_of_the_data(tmp_path: Path) -> None:
    path = a_file(tmp_path, "at,amount,account", "never,1,a", "2026-03-01T00:00:00Z,1,a")
    before = path.read_bytes()
    with pytest.raises(BadInput, match="of their own"):
        read(path, a_spec(), bad_rows=path.parent / "." / path.name)
    assert path.read_bytes() == before


def test_bad_rows_want_a_format(tmp_path: Path) -> None:
    path = a_file(tmp_path, "at,amount,account", "2026-03-01T12:00:00Z,1,a")
    with pytest.raises(BadInput, match=r"\.jsonl"):
        read(path, a_spec(), bad_rows=tmp_path / "bad.xls")
