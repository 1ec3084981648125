"""Rows as files: what is written parses back, and nothing of it is a formula."""

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

from tracetogether.errors import StoreError
from tracetogether.tables import spreadsheets
from tracetogether.tables.spreadsheets import csv_text, harmless, ndjson_text, write_xlsx

ROWS = [
    ("text", "whole", "part", "yes", "none"),
    ('a,"quoted"\nline', 3, 0.25, True, None),
    ("中文 ünï", -7, 1e-6, False, None),
]
EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\r=1"]


def test_threat_spreadsheet_formula_is_written_as_text() -> None:
    for text in EVIL:
        assert harmless(text) == "'" + text.replace("\r", "\ufffd")
    for cell in ("plain", "a=b", "", -5, -0.5, None, True, "'quoted"):
        assert harmless(cell) == cell
    (written,) = csv_text([[text] for text in EVIL])
    for (cell,) in csv.reader(io.StringIO(written, newline="")):
        assert cell[0] == "'"


def test_csv_parses_back() -> None:
    text = "".join(csv_text(ROWS))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["text", "whole", "part", "yes", "none"],
        ['a,"quoted"\nline', "3", "0.25", "true", ""],
        ["中文 ünï", "-7", "1e-06", "false", ""],
    ]
    many = list(csv_text([str(number)] for number in range(1_001)))
    assert len(many) == 3
    assert "".join(many).split() == [str(number) for number in range(1_001)]


def test_json_lines_parse_back() -> None:
    lines = "".join(ndjson_text(ROWS)).splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == ROWS[1:]
    assert list(json.loads(lines[0])) == list(ROWS[0])
    assert list(ndjson_text([("only", "a heading")])) == []


def test_xlsx_parses_back_and_text_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    rows = [
        *ROWS,
        *[(text, 0, 0.5, False, None) for text in (*EVIL[:5], "https://a.example", "12")],
    ]
    write_xlsx(rows, path, title="Contacts")
    book = openpyxl.load_workbook(path, read_only=True)
    sheet = book["Contacts"]
    assert [tuple(row) for row in sheet.iter_rows(values_only=True, max_col=5)] == rows
    kinds = {cell.data_type for row in sheet.iter_rows(min_row=2, max_col=1) for cell in row}
    assert kinds == {"s"}
    book.close()


def test_a_workbook_continues_on_another_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_ROWS_A_SHEET", 4)
    path = tmp_path / "a.xlsx"
    write_xlsx([("n",), *[(number,) for number in range(7)]], path, title="T")
    book = openpyxl.load_workbook(path, read_only=True)
    found = {
        name: [row[0] for row in book[name].iter_rows(values_only=True)] for name in book.sheetnames
    }
    book.close()
    assert found == {"T": ["n", 0, 1, 2], "T 2": ["n", 3, 4, 5], "T 3": ["n", 6]}


def test_an_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't write"):
        write_xlsx([("a",)], tmp_path / "nowhere" / "a.xlsx", title="T")
