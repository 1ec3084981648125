"""Read columns from a CSV table, plain or gzipped, block by block in numpy.

numpy finds all separators of a block at once, and ``byte_fields`` reads each column. A block with a
double quote goes through the csv module. Memory depends on the result, not on the text.

Why not ``pyarrow.csv``? Measured on 2 million rows of 7 columns (97 MB), each three times on one
thread of a busy machine: this reader takes 2.4 to 2.9 CPU seconds and 259 to 274 MB at the peak,
pyarrow 26 takes 1.1 to 1.6 CPU seconds and 291 to 297 MB. It is about twice as fast, but it weighs
170 MB. Exact line numbers with the reason, dates of several forms and numbers with decimal commas
would need a second pass over its strings. So this reader stays.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from tracetogether.errors import InvalidReadingsError
from tracetogether.labels import Labels
from tracetogether.tables.byte_fields import (
    LONGEST_NAME,
    is_blank,
    is_grouped,
    marks_used,
    number,
    number_fault,
    padded,
    read_decimals,
    read_names,
    read_times,
    time_fault,
    times_of_texts,
)
from tracetogether.tables.csv_text import Header, LineBlocks, opened, read_header, whole_lines
from tracetogether.tables.timestamps import Times
from tracetogether.units import Bools, Floats, Ints

BAD_LINES_KEPT: Final = 20

_BLOCK_BYTES: Final = 8_000_000
_NEWLINE = ord("\n")
_NUMBER, _TIME, _LABEL = "number", "time", "label"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A malformed line: its number in the file, from 1, and the reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """The chosen columns of a table, in the order of its lines.

    A field whose column is not in the table is in none of the mappings.

    Attributes:
        numbers: field -> (rows,) float64; NaN where blank.
        times: field -> times as the table has them.
        labels: field -> names; unknown where blank.
        rows: number of lines that were read.
        bad_count: number of lines that were skipped.
        bad_lines: the first of these lines.
    """

    numbers: dict[str, Floats]
    times: dict[str, Times]
    labels: dict[str, Labels]
    rows: int
    bad_count: int
    bad_lines: tuple[BadLine, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    column: str
    index: int
    kind: str
    may_be_empty: bool
    marks: bytes

    def reason(self, text: str) -> str:
        """Return what is wrong with ``text`` in this field."""
        where = f"{self.name} (column {self.column!r})"
        if is_blank(text):
            return f"{where} is empty"
        if self.kind == _TIME:
            return f"{where} {time_fault(text)}"
        if self.kind == _NUMBER:
            return f"{where} {number_fault(text)}"
        return f"{where} is not UTF-8 text: {text[:40]!r}; save the table as UTF-8"


def _joined(parts: Sequence[CsvColumns]) -> CsvColumns:
    """Return the rows of all ``parts``, which have the same columns."""
    first = parts[0]
    return CsvColumns(
        numbers={
            name: np.concatenate([part.numbers[name] for part in parts]) for name in first.numbers
        },
        times={name: Times.concat([part.times[name] for part in parts]) for name in first.times},
        labels={
            name: Labels.concat([part.labels[name] for part in parts]) for name in first.labels
        },
        rows=sum(part.rows for part in parts),
        bad_count=sum(part.bad_count for part in parts),
        bad_lines=tuple(bad for part in parts for bad in part.bad_lines)[:BAD_LINES_KEPT],
    )


def read_csv(
    path: Path,
    *,
    numbers: Mapping[str, str],
    labels: Mapping[str, str],
    required: AbstractSet[str],
    times: Mapping[str, str] = MappingProxyType({}),
    may_be_empty: AbstractSet[str] = frozenset(),
    named_by: Mapping[str, str] = MappingProxyType({}),
    strict: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    block_bytes: int = _BLOCK_BYTES,
) -> CsvColumns:
    """Return some columns of a table with a header, plain or gzipped.

    Args:
        path: the file, in UTF-8, or in UTF-16 with a byte order mark; any line ends. Commas,
            semicolons, tabs or bars separate its fields. Decimal commas are allowed unless commas
            separate fields.
        numbers: field -> column that holds numbers.
        times: field -> column that holds times, as numbers or dates.
        labels: field -> column that holds names; space around a name is dropped.
        required: fields whose column must exist. Other columns may be missing.
        may_be_empty: fields that may be blank: a number becomes NaN, a name unknown. If any other
            number, or any other required name, is blank, the line is malformed.
        named_by: field -> the option that names its column, for error messages, such as
            ``--join FILE.csv:KEY``. Fields that are not in it are named by ``--columns``.
        strict: stop at the first malformed line, instead of skipping and counting it.
        on_progress: called with (bytes read, size of the file in bytes) after each block.
        block_bytes: size of a block of text in memory.

    Raises:
        InvalidReadingsError: the file can't be read, is not a table, lacks a column, has no
            readable line, or has a malformed line and ``strict`` is set; says the remedy.
    """
    with opened(path) as (raw, stream):
        total = path.stat().st_size
        blocks = whole_lines(path, stream, block_bytes)
        kinds = {_NUMBER: numbers, _TIME: times, _LABEL: labels}
        wanted = [column for named in kinds.values() for column in named.values()]
        header, rest = read_header(path, blocks, wanted)
        fields = _find_fields(header, kinds, required, may_be_empty, named_by)
        parts: list[CsvColumns] = []
        marks: frozenset[int] = frozenset()
        source = LineBlocks(rest, blocks, header.line, header.separator)
        while (block := source.next_block()) is not None:
            parsed = None
            if b'"' not in block and b"\0" not in block:
                parsed = _parse(block, source.line, header, fields)
            if parsed is None:
                parsed = _parse_records(source.records(block), header, fields)
            else:
                source.line += block.count(b"\n")
            part, used = parsed
            if strict and part.bad_lines:
                bad = part.bad_lines[0]
                raise InvalidReadingsError(
                    f"{path}, line {bad.line}: {bad.reason}; mend the line, or leave strict off "
                    "and such lines are skipped and counted"
                )
            parts.append(part)
            marks |= used
            if len(marks) > 1:  # one of the two may separate thousands
                raise InvalidReadingsError(
                    f"{path} holds numbers with a decimal comma and others with a decimal point; "
                    "write all of them one way, and thousands without a mark"
                )
            if on_progress is not None:
                on_progress(min(raw.tell() if raw.seekable() else 0, total), total)
    if not any(part.rows or part.bad_count for part in parts):
        raise InvalidReadingsError(f"{path} has a header but no line under it")
    table = _joined(parts)
    if not table.rows:
        bad = table.bad_lines[0]
        raise InvalidReadingsError(
            f"{path} has no readable line; malformed lines: {table.bad_count}, "
            f"the first is line {bad.line}: {bad.reason}"
        )
    return table


def _find_fields(
    header: Header,
    kinds: Mapping[str, Mapping[str, str]],
    required: AbstractSet[str],
    may_be_empty: AbstractSet[str],
    named_by: Mapping[str, str],
) -> list[_Field]:
    fields = []
    for kind, columns in kinds.items():
        for name, column in columns.items():
            place = header.place(column)
            if place is not None:
                blank = name in may_be_empty or (kind == _LABEL and name not in required)
                fields.append(_Field(name, column, place, kind, blank, header.marks))
            elif name in required:
                raise header.lacks(name, column, named_by.get(name, ""))
    return fields


# --- blocks to columns -----------------------------------------------------------


@dataclass(slots=True)
class _BadLines:
    """The malformed lines of a block: their number, and the first ones with the reason."""

    count: int = 0
    lines: list[BadLine] = field(default_factory=list)

    def note(self, rows: Ints) -> list[int]:
        """Count ``rows``, and return those whose reason is kept."""
        self.count += len(rows)
        return [int(row) for row in rows[:BAD_LINES_KEPT]]

    def add(self, line: int, reason: str) -> None:
        """Count one line, and keep the reason if it is among the first."""
        self.count += 1
        if len(self.lines) < BAD_LINES_KEPT:
            self.lines.append(BadLine(line, reason))

    def first(self) -> tuple[BadLine, ...]:
        return tuple(sorted(self.lines, key=lambda bad: bad.line)[:BAD_LINES_KEPT])


def _parse(
    block: bytes, line: int, header: Header, fields: Sequence[_Field]
) -> tuple[CsvColumns, frozenset[int]] | None:
    """Return the columns of a block without quotes, and the decimal marks that occur.

    Only if both marks are allowed; None if a name is too long for ``read_names``.
    """
    width = len(header.names)
    text = padded(block)
    buffer = text[: len(block)]
    newline = buffer == _NEWLINE
    separators = np.flatnonzero(newline | (buffer == ord(header.separator)))
    last = np.flatnonzero(newline[separators])  # index of the separator that ends each line
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
    times: dict[str, Times] = {}
    labels: dict[str, Labels] = {}
    marks: frozenset[int] = frozenset()
    for f in fields:
        ends = separators[first + f.index]
        starts = separators[first + f.index - 1] + 1 if f.index else line_starts[rows]
        if f.kind == _NUMBER:
            numbers[f.name], unreadable, empty = read_decimals(text, starts, ends, f.marks)
            if len(f.marks) > 1:
                marks |= marks_used(buffer, starts, ends, f.marks)
        elif f.kind == _TIME:
            times[f.name], unreadable, empty = read_times(text, starts, ends, f.marks)
        else:
            if int((ends - starts).max(initial=0)) > LONGEST_NAME:
                return None
            labels[f.name], unreadable, empty = read_names(text, starts, ends)
        faulty = unreadable if f.may_be_empty else unreadable | empty
        for at in bad.note(np.flatnonzero(good & faulty)):
            field_text = block[starts[at] : ends[at]].decode("utf-8", errors="replace")
            bad.lines.append(BadLine(line + int(rows[at]), f.reason(field_text)))
        good &= ~faulty
    return _kept(numbers, times, labels, good, bad), marks


def _kept(
    numbers: Mapping[str, Floats],
    times: Mapping[str, Times],
    labels: Mapping[str, Labels],
    good: Bools,
    bad: _BadLines,
) -> CsvColumns:
    """Return the ``good`` rows of the columns, and the malformed lines."""
    return CsvColumns(
        numbers={name: column[good] for name, column in numbers.items()},
        times={name: column.take(good) for name, column in times.items()},
        labels={name: column.take(good) for name, column in labels.items()},
        rows=int(good.sum()),
        bad_count=bad.count,
        bad_lines=bad.first(),
    )


def _width_reason(width: int, wanted: int) -> str:
    return f"{width} fields where the header has {wanted}"


def _parse_records(
    records: Iterator[tuple[int, list[str] | str]], header: Header, fields: Sequence[_Field]
) -> tuple[CsvColumns, frozenset[int]]:
    """Return the columns of records that the csv module has split, and the decimal marks."""
    bad = _BadLines()
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, record in records:
        if isinstance(record, str):
            bad.add(line, record)
        elif record and len(record) != len(header.names):
            bad.add(line, _width_reason(len(record), len(header.names)))
        elif record:  # not an empty line
            lines.append(line)
            rows.append(record)
    good = np.ones(len(rows), dtype=np.bool_)
    numbers: dict[str, Floats] = {}
    times: dict[str, Times] = {}
    labels: dict[str, Labels] = {}
    for f in fields:
        texts = [row[f.index] for row in rows]
        faulty = np.array([_is_unreadable(text, f) for text in texts], dtype=np.bool_)
        if f.kind == _NUMBER:
            found = [number(text, b".,") for text in texts]
            faulty |= np.array([value is None for value in found], dtype=np.bool_)
            numbers[f.name] = np.array(found, dtype=np.float64)  # NaN for None
        elif f.kind == _TIME:
            times[f.name], unreadable, _ = times_of_texts(texts, f.marks)
            faulty |= unreadable
        else:
            kept = ["" if fault else text for text, fault in zip(texts, faulty, strict=True)]
            labels[f.name] = Labels.encode(
                ["" if is_blank(text) else text.strip() for text in kept]
            )
        for at in bad.note(np.flatnonzero(good & faulty)):
            shown = texts[at].encode("utf-8", "replace").decode()
            bad.lines.append(BadLine(lines[at], f.reason(shown)))
        good &= ~faulty
    columns = [f.index for f in fields if f.kind == _NUMBER]
    written = "".join(rows[at][column] for at in np.flatnonzero(good) for column in columns)
    marks = frozenset(mark for mark in b".," if chr(mark) in written)
    return _kept(numbers, times, labels, good, bad), marks


def _is_unreadable(text: str, f: _Field) -> bool:
    """Return whether a field is blank without permission, not text, or an ambiguous number."""
    if is_blank(text):
        return not f.may_be_empty
    if f.kind == _NUMBER:
        # A number in quotes may have a decimal comma, even if commas separate fields.
        return f.marks == b"." and "," in text and is_grouped(text)
    # Bytes that aren't UTF-8 were decoded to surrogates.
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)
