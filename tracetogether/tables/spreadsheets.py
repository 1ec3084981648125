"""Write rows as CSV, NDJSON and XLSX; no spreadsheet computes their text as a formula."""

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tracetogether.errors import MissingExtraError
from tracetogether.plain_text import escaped_json, visible
from tracetogether.whole_file import PRIVATE, whole_file

Cell = str | int | float | bool | None
"""The value of a cell; None leaves it empty."""

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "csv": "text/csv; charset=utf-8",
        "ndjson": "application/x-ndjson",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
"""Form of file -> its media type in HTTP."""

_CHUNK_BYTES: Final = 65_536
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE: Final = 500
MOST_ROWS_A_SHEET: Final = 1_048_576  # ECMA-376, as all spreadsheets read it


def harmless(value: Cell) -> Cell:
    """Return a cell that a spreadsheet shows and doesn't compute.

    Text that begins like a formula gets an apostrophe in front (OWASP, CSV injection). Hidden
    characters become U+FFFD. Numbers stay numbers.

    >>> harmless("=1+1"), harmless(-3)
    ("'=1+1", -3)
    """
    if not isinstance(value, str):
        return value
    shown = visible(value, lines=True)
    return f"'{shown}" if value.startswith(_RISKY) or shown.startswith(_RISKY) else shown


def file_of(rows: Iterable[Sequence[Cell]], form: str) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces; ``form`` is a key of MEDIA_TYPES.

    The table of contents of a workbook is at its end. So the workbook is first written to a private
    temporary folder, and then read from there.
    """
    if form == "xlsx":
        with tempfile.TemporaryDirectory(prefix="tracetogether-") as folder:
            path = Path(folder) / "export.xlsx"
            write_xlsx(rows, path, title="Contacts")
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
    else:
        text = csv_text(rows) if form == "csv" else ndjson_text(rows)
        yield from (piece.encode() for piece in text)


def csv_text(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield rows as CSV (RFC 4180), 500 rows at a time; booleans are true and false."""
    waiting = iter(rows)
    while some := list(islice(waiting, _ROWS_AT_ONCE)):
        text = io.StringIO()
        csv.writer(text).writerows([_csv_cell(cell) for cell in row] for row in some)
        yield text.getvalue()


def ndjson_text(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Yield rows as JSON objects, one per line, 500 at a time; the first row has the names."""
    waiting = iter(rows)
    names = [str(name) for name in next(waiting, ())]
    while some := list(islice(waiting, _ROWS_AT_ONCE)):
        yield "".join(
            escaped_json(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)) + "\n"
            for row in some
        )


def _csv_cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    return harmless(value)


def write_xlsx(rows: Iterable[Sequence[Cell]], path: Path, *, title: str) -> None:
    """Write rows to a new workbook; the first row is the heading of every sheet.

    Each row is written to disk at once and doesn't stay in memory. Text stays text: nothing becomes
    a formula or a link.

    Raises:
        MissingExtraError: the package that writes XLSX is not installed.
        StoreError: the file can't be written.
    """
    try:
        import xlsxwriter  # noqa: F401, PLC0415 - optional package
    except ImportError:
        raise MissingExtraError("XLSX files", "server") from None
    with (
        whole_file(path, mode=PRIVATE, new=True) as half,
        # The sheets are here until the end: on the same disk, and deleted if that is full.
        tempfile.TemporaryDirectory(prefix=".sheets-", dir=path.parent) as scratch,
    ):
        _write_book(rows, half, scratch, title)


def _write_book(rows: Iterable[Sequence[Cell]], path: Path, scratch: str, title: str) -> None:
    """Write a workbook; its sheets go to the folder ``scratch`` first.

    Raises:
        OSError: it can't be written.
    """
    from xlsxwriter import Workbook  # noqa: PLC0415 - optional package
    from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "tmpdir": scratch,
    }
    waiting = iter(rows)
    heading = next(waiting, ())
    book = Workbook(str(path), options)
    try:
        some = chain([next(waiting, None)], waiting)
        for number in range(1, 1_000):
            sheet = book.add_worksheet(title if number == 1 else f"{title} {number}")
            sheet.freeze_panes(1, 0)
            for place, row in enumerate(chain([heading], islice(some, MOST_ROWS_A_SHEET - 1))):
                for column, cell in enumerate(row or ()):
                    _write_cell(sheet, place, column, cell)
            more = next(some, None)
            if more is None:
                break
            some = chain([more], some)
    finally:
        try:
            book.close()
        except FileCreateError as error:
            reason = error.args[0] if error.args else None
            raise reason if isinstance(reason, OSError) else OSError(str(error)) from None


def _write_cell(sheet: Any, row: int, column: int, cell: Cell) -> None:  # noqa: ANN401 - the optional package's sheet
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, cell)
        case int() | float():
            sheet.write_number(row, column, cell)
        case str():
            sheet.write_string(row, column, visible(cell, lines=True))
