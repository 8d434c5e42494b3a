"""Which ready spec fits, and a first spec for a file that none fits: it must read that very file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tocsin import spec
from tocsin.data import read
from tocsin.data.guess import fitting, starter
from tocsin.errors import BadInput


def a_file(folder: Path, header: str, *rows: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("name", [n for n in spec.ready() if n not in ("amlsim", "sparkov")])
def test_a_file_with_a_ready_spec_s_columns_gets_it(tmp_path: Path, name: str) -> None:
    known = spec.load(name)
    columns = [*known.columns.values(), *known.extra_numbers.values(), *known.extra_keys.values()]
    fits, names = fitting(a_file(tmp_path, ",".join(columns), ",".join("1" for _ in columns)))
    assert fits is not None
    assert (fits.name, names) == (name, columns)


def test_a_joined_file_must_be_there_to_fit(tmp_path: Path) -> None:
    path = a_file(tmp_path, "time,value,sourceNodeId,targetNodeId", "1,2,3,4", name="x_transactions.csv")
    assert fitting(path)[0] is None
    a_file(tmp_path, "nodeid,isFraud,init_balance", "3,1,5", name="x_nodes.csv")
    fits, _ = fitting(path)
    assert fits is not None
    assert fits.name == "amlsim"


def test_a_missing_column_does_not_fit(tmp_path: Path) -> None:
    assert fitting(a_file(tmp_path, "TRANSACTION_ID,TX_DATETIME,TX_AMOUNT", "1,2,3"))[0] is None


@pytest.mark.parametrize(
    ("header", "row", "words", "at"),
    [
        (
            ",trans_date_trans_time,cc_num,merchant,category,amt,lat,long,trans_num,merch_lat,merch_long,is_fraud",
            "0,2019-01-01 00:00:18,2703186189652095,fraud_R,misc_net,4.97,36.0,-81.1,0b242abb,36.1,-82.0,0",
            {
                "at": "trans_date_trans_time",
                "card": "cc_num",
                "account": "cc_num",
                "id": "trans_num",
                "label": "is_fraud",
                "latitude": "merch_lat",
            },
            "2019-01-01 00:00:18",
        ),
        (
            "step,type,amount,nameOrig,oldbalanceOrg,nameDest,isFraud",
            "3,PAYMENT,9839.64,C1231006815,170136.0,M1979787155,0",
            {"at": "step", "account": "nameOrig", "payee": "nameDest", "channel": "type", "label": "isFraud"},
            "2026-01-01 00:00:03",
        ),
        (
            "Timestamp;User ID;Value;IP Address;Chargeback",
            "1767225600000;u1;12.50;10.0.0.1;no",
            {"at": "Timestamp", "account": "User ID", "amount": "Value", "ip": "IP Address", "label": "Chargeback"},
            "2026-01-01 00:00:00",
        ),
        (
            "date,amount,customer",
            "31/12/2025 23:59,5,c",
            {"at": "date", "amount": "amount", "account": "customer"},
            "2025-12-31 23:59:00",
        ),
        (
            "Datum;Date;Amount;Client",
            "x;31.12.2025 23:59;1.234,50;c",
            {"at": "Date", "amount": "Amount", "account": "Client"},
            "2025-12-31 23:59:00",
        ),
        (
            "Date,Amount,Client",
            "12/31/2025 11:59 PM,5,c",
            {"at": "Date", "amount": "Amount", "account": "Client"},
            "2025-12-31 23:59:00",
        ),
    ],
)
def test_a_starter_reads_its_own_file(tmp_path: Path, header: str, row: str, words: dict[str, str], at: str) -> None:
    path = a_file(tmp_path, header, row)
    guessed = spec.parse(starter(path))
    assert words.items() <= dict(guessed.columns).items()
    table = read(path, guessed)
    assert table.problems == ()
    assert str(table.batch.at.view("datetime64[us]")[0]).replace("T", " ").startswith(at)
    assert len(guessed.stages) >= 2


def test_a_starter_is_made_from_a_file_with_bad_rows_too(tmp_path: Path) -> None:
    rows = ["03/14/2026,1,a", "31/31/2026,2,a", "03/16/2026,x,b", "03/17/2026,4,b"]
    path = a_file(tmp_path, "date,amt,client", *rows)
    table = read(path, spec.parse(starter(path)))
    assert [(p.row, p.column) for p in table.problems] == [(2, "date"), (3, "amt")]


def test_labels_are_told_apart_by_their_words(tmp_path: Path) -> None:
    rows = [{"at": "2026-03-01T00:00:00Z", "amount": 1, "user": "a", "fraud": v} for v in ("Yes", "No", "open", None)]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    guessed = spec.parse(starter(path))
    assert guessed.label.fraud == ("Yes",)
    assert guessed.label.genuine == ("No",)
    assert guessed.label.unknown == ("open",)
    assert read(path, guessed).label.tolist() == [1, 0, -1, -1]


@pytest.mark.parametrize(
    ("header", "row", "word"), [("amount,who", "1,a", "a time"), ("date,who", "2026-01-01,a", "amount")]
)
def test_without_a_time_or_an_amount_there_is_no_guess(tmp_path: Path, header: str, row: str, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        starter(a_file(tmp_path, header, row))
