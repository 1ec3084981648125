"""Read columns out of a CSV table, plain or gzipped, block by block in numpy.

A block of whole lines is cut at its separators all at once; plain decimals are read as an
integer mantissa over a power of ten, which is exact (one rounding, as float() does). What is
unusual (exponents, nan, very many digits) goes through float() value by value, and a block
that holds a double quote through the csv module. Memory follows the result, not the text.
"""

import csv
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from tracetogether.byte_fields import LONGEST_NAME, number, padded, read_decimals, read_names
from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.text_lines import LineBlocks, opened, whole_lines
from tracetogether.units import Floats, Ints

BAD_LINES_KEPT: Final = 20

_BLOCK_BYTES: Final = 8_000_000
_NEWLINE, _COMMA = b"\n,"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be read: its 1-based number in the file, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """The chosen columns of a table, in the order of its lines.

    Attributes:
        numbers: field -> (rows,) float64; NaN where blank.
        labels: field -> names; unknown where blank. Fields whose column is not in the table
            are in neither mapping.
        rows: how many lines were read.
        bad_count: how many lines were skipped.
        bad_lines: the first of them.
    """

    numbers: dict[str, Floats]
    labels: dict[str, Labels]
    rows: int
    bad_count: int
    bad_lines: tuple[BadLine, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    column: str
    index: int
    is_number: bool
    may_be_empty: bool

    def reason(self, text: str) -> str:
        """Return what is wrong with ``text`` in this field."""
        where = f"{self.name} (column {self.column!r})"
        if not text.strip():
            return f"{where} is empty"
        return f"{where} is not {'a number' if self.is_number else 'UTF-8 text'}: {text[:40]!r}"


@dataclass(frozen=True, slots=True)
class _Block:
    """What one block of lines gave: columns by field, and the lines that gave nothing."""

    numbers: dict[str, Floats]
    labels: dict[str, Labels]
    rows: int
    bad_count: int
    bad_lines: list[BadLine]  # the first ones, by line


@dataclass(slots=True)
class _Columns:
    """What the blocks so far gave."""

    fields: Sequence[_Field]
    blocks: list[_Block] = field(default_factory=list)
    bad_count: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)

    def add(self, block: _Block) -> None:
        self.blocks.append(block)
        self.bad_count += block.bad_count
        self.bad_lines += block.bad_lines[: BAD_LINES_KEPT - len(self.bad_lines)]

    def joined(self) -> CsvColumns:
        return CsvColumns(
            numbers={
                f.name: np.concatenate([block.numbers[f.name] for block in self.blocks])
                for f in self.fields
                if f.is_number
            },
            labels={
                f.name: Labels.concat([block.labels[f.name] for block in self.blocks])
                for f in self.fields
                if not f.is_number
            },
            rows=sum(block.rows for block in self.blocks),
            bad_count=self.bad_count,
            bad_lines=tuple(self.bad_lines),
        )


def read_csv(
    path: Path,
    *,
    numbers: Mapping[str, str],
    labels: Mapping[str, str],
    required: AbstractSet[str],
    may_be_empty: AbstractSet[str] = frozenset(),
    strict: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    block_bytes: int = _BLOCK_BYTES,
) -> CsvColumns:
    """Read some columns of a comma-separated table with a header, plain or gzipped.

    Args:
        path: the file; UTF-8, with or without byte order mark, any line ends.
        numbers: field -> column that holds numbers.
        labels: field -> column that holds names; space around a name is dropped.
        required: fields whose column must exist. The others may be missing.
        may_be_empty: fields that may be blank: a number becomes NaN, a name unknown. A line with
            any other number blank, or with any other required name blank, is malformed.
        strict: stop at the first malformed line instead of skipping and counting it.
        on_progress: called with (bytes of the file read, bytes in all) after each block.
        block_bytes: how much text is held at a time.

    Raises:
        InvalidReadingsError: the file can't be read, is no table, lacks a column, holds no
            readable line, or, with ``strict``, has a malformed line; says which and the remedy.
    """
    with opened(path) as (raw, stream):
        total = path.stat().st_size
        blocks = whole_lines(path, stream, block_bytes)
        header, line, rest = _header(path, blocks)
        fields = _find_fields(path, header, numbers, labels, required, may_be_empty)
        columns = _Columns(fields)
        source = LineBlocks(rest, blocks, line)
        while (block := source.next_block()) is not None:
            parsed = None
            if not _needs_csv_module(block):
                parsed = _parse(block, source.line, len(header), fields)
            if parsed is None:
                parsed = _parse_records(source.records(block), len(header), fields)
            else:
                source.line += block.count(b"\n")
            if strict and parsed.bad_lines:
                bad = parsed.bad_lines[0]
                raise InvalidReadingsError(
                    f"{path}, line {bad.line}: {bad.reason}; mend the line, or leave strict off "
                    "and such lines are skipped and counted"
                )
            columns.add(parsed)
            if on_progress is not None:
                on_progress(min(raw.tell() if raw.seekable() else 0, total), total)
    if not any(block.rows for block in columns.blocks):
        if not columns.bad_lines:
            raise InvalidReadingsError(f"{path} has a header but no line under it")
        bad = columns.bad_lines[0]
        raise InvalidReadingsError(
            f"{path} has no readable line; all {columns.bad_count} are malformed, "
            f"the first is line {bad.line}: {bad.reason}"
        )
    return columns.joined()


def _needs_csv_module(block: bytes) -> bool:
    return b'"' in block or b"\0" in block


# --- the header ----------------------------------------------------------------


def _header(path: Path, blocks: Iterator[bytes]) -> tuple[list[str], int, bytes]:
    """Return the column names, the number of the line under them, and the text after them."""
    line = 1
    for block in blocks:
        rest = block
        while rest:
            text, _, rest = rest.partition(b"\n")
            line += 1
            text = text.removeprefix(BOM_UTF8)
            if text:
                return _column_names(path, text), line, rest
    raise InvalidReadingsError(f"{path} is empty; it should be a table with a header line")


def _column_names(path: Path, text: bytes) -> list[str]:
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise InvalidReadingsError(f"{path} is UTF-16; save it as UTF-8")
    try:
        decoded = text.decode("utf-8")
        names = next(csv.reader([decoded], strict=True))
    except (UnicodeDecodeError, csv.Error):
        names = []
    if not names or any(c < " " and c != "\t" for name in names for c in name):
        raise InvalidReadingsError(f"{path} is not a table of text: it has no header line")
    return [name.strip() for name in names]


def _find_fields(
    path: Path,
    header: list[str],
    numbers: Mapping[str, str],
    labels: Mapping[str, str],
    required: AbstractSet[str],
    may_be_empty: AbstractSet[str],
) -> list[_Field]:
    fields = []
    for name, column in {**numbers, **labels}.items():
        if header.count(column) == 1:
            is_number = name in numbers
            blank = name in may_be_empty or not (is_number or name in required)
            fields.append(_Field(name, column, header.index(column), is_number, blank))
        elif column in header:
            raise InvalidReadingsError(f"{path} has more than one column {column!r}; rename one")
        elif name in required:
            found = ", ".join(header)
            hint = next((mark for mark in ";\t|" if mark in header[0]), None)
            remedy = (
                f"its separator seems to be {hint!r}, it must be a comma"
                if hint and len(header) == 1
                else f"name another with --columns {name}=..."
            )
            raise InvalidReadingsError(
                f"{path} has no column {column!r} for the {name}; it has: {found[:400]}; {remedy}"
            )
    return fields


# --- blocks to columns -----------------------------------------------------------


@dataclass(slots=True)
class _BadLines:
    """The malformed lines of a block: how many, and the first of each kind with the reason."""

    count: int = 0
    lines: list[BadLine] = field(default_factory=list)

    def note(self, rows: Ints) -> list[int]:
        """Count ``rows`` and return those that want a reason."""
        self.count += len(rows)
        return [int(row) for row in rows[:BAD_LINES_KEPT]]

    def first(self) -> list[BadLine]:
        return sorted(self.lines, key=lambda bad: bad.line)[:BAD_LINES_KEPT]


def _parse(block: bytes, line: int, width: int, fields: Sequence[_Field]) -> _Block | None:
    """Read a block that holds no quotes; None if a label is too long for a matrix of bytes."""
    text = padded(block)
    buffer = text[: len(block)]
    newline = buffer == _NEWLINE
    separators = np.flatnonzero(newline | (buffer == _COMMA))
    last = np.flatnonzero(newline[separators])  # which of the separators ends each line
    line_ends = separators[last]
    line_starts = np.concatenate([[0], line_ends[:-1] + 1])
    widths = np.diff(last, prepend=-1)
    written = line_ends > line_starts
    bad = _BadLines()
    for row in bad.note(np.flatnonzero(written & (widths != width))):
        bad.lines.append(BadLine(line + row, _width_reason(int(widths[row]), width)))

    rows = np.flatnonzero(written & (widths == width))
    first = last[rows] - width + 1
    good = np.ones(len(rows), dtype=np.bool_)
    numbers: dict[str, Floats] = {}
    labels: dict[str, Labels] = {}
    for f in fields:
        ends = separators[first + f.index]
        starts = separators[first + f.index - 1] + 1 if f.index else line_starts[rows]
        if f.is_number:
            numbers[f.name], unreadable, empty = read_decimals(text, starts, ends)
        else:
            if int((ends - starts).max(initial=0)) > LONGEST_NAME:
                return None
            labels[f.name], unreadable, empty = read_names(text, starts, ends)
        faulty = unreadable if f.may_be_empty else unreadable | empty
        for at in bad.note(np.flatnonzero(good & faulty)):
            field_text = block[starts[at] : ends[at]].decode("utf-8", errors="replace")
            bad.lines.append(BadLine(line + int(rows[at]), f.reason(field_text)))
        good &= ~faulty
    return _Block(
        numbers={name: column[good] for name, column in numbers.items()},
        labels={name: column.take(good) for name, column in labels.items()},
        rows=int(good.sum()),
        bad_count=bad.count,
        bad_lines=bad.first(),
    )


def _width_reason(width: int, wanted: int) -> str:
    return f"{width} fields where the header has {wanted}"


def _parse_records(
    records: Iterator[tuple[int, list[str] | str]], width: int, fields: Sequence[_Field]
) -> _Block:
    """Read records that the csv module has taken apart."""
    bad = _BadLines()
    numbers: dict[str, list[float]] = {f.name: [] for f in fields if f.is_number}
    labels: dict[str, list[str]] = {f.name: [] for f in fields if not f.is_number}
    rows = 0
    for line, record in records:
        if not record:
            continue  # an empty line
        row = _read_record(record, width, fields)
        if isinstance(row, str):
            bad.count += 1
            if len(bad.lines) < BAD_LINES_KEPT:
                bad.lines.append(BadLine(line, row))
            continue
        rows += 1
        for name, value in row[0].items():
            numbers[name].append(value)
        for name, text in row[1].items():
            labels[name].append(text)
    return _Block(
        numbers={name: np.array(column, dtype=np.float64) for name, column in numbers.items()},
        labels={name: Labels.encode(column) for name, column in labels.items()},
        rows=rows,
        bad_count=bad.count,
        bad_lines=bad.lines,
    )


def _read_record(
    record: list[str] | str, width: int, fields: Sequence[_Field]
) -> tuple[dict[str, float], dict[str, str]] | str:
    """Return one record's numbers and names, or what is wrong with it."""
    if isinstance(record, str):
        return record
    if len(record) != width:
        return _width_reason(len(record), width)
    numbers: dict[str, float] = {}
    labels: dict[str, str] = {}
    for f in fields:
        text = record[f.index]
        blank = not text.strip()
        if blank and not f.may_be_empty:
            return f.reason(text)
        if f.is_number:
            value = number(text)
            if value is None:
                return f.reason(text)
            numbers[f.name] = value
        else:
            # Bytes that are no UTF-8 came in as surrogates.
            if "\0" in text or _has_surrogate(text):
                return f.reason(text.encode("utf-8", "replace").decode())
            labels[f.name] = text.strip()
    return numbers, labels


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
