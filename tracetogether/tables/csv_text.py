"""The text of a table: decoded, in blocks of whole lines, and its header."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from tracetogether.errors import InvalidReadingsError

_LINE_BYTES: Final = 1_000_000  # no real line is longer; limits memory on binary files
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP_MAGIC: Final = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open ``path``; yield the file itself (for its position) and the stream of its UTF-8 text.

    Raises:
        InvalidReadingsError: the file is missing, damaged or unreadable; says what to do.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == _GZIP_MAGIC  # a pipe can't be rewound
            if path.suffix.lower() == ".gz" and not zipped and path.stat().st_size:
                raise InvalidReadingsError(
                    f"{path} is named .gz but is not gzip; if it is plain text, drop the .gz"
                )
            if zipped:
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield raw, _as_utf8(stream, stream.peek(2))
            else:
                yield raw, _as_utf8(raw, raw.peek(2))
    except FileNotFoundError:
        raise InvalidReadingsError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise InvalidReadingsError(f"{path} is a directory; name a .csv or .csv.gz file") from None
    except EOFError:
        raise InvalidReadingsError(
            f"{path} is cut short: its gzip stream ends early; fetch or make it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InvalidReadingsError(f"{path} is damaged: {error}; fetch or make it again") from None
    except UnicodeError:
        raise InvalidReadingsError(f"{path} is damaged UTF-16; save it as UTF-8") from None
    except OSError as error:
        raise InvalidReadingsError(f"can't read {path}: {error.strerror or error}") from None


def _as_utf8(stream: BinaryIO | gzip.GzipFile, begin: bytes) -> BinaryIO:
    """Return the stream as UTF-8; a byte order mark shows that it is UTF-16."""
    if begin[:2] in _UTF16_MARKS:
        return cast("BinaryIO", codecs.EncodedFile(cast("BinaryIO", stream), "utf-8", "utf-16"))
    return cast("BinaryIO", stream)


def whole_lines(path: Path, stream: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    """Yield blocks of whole lines; each line ends with one newline, whatever its line end was.

    Raises:
        InvalidReadingsError: a line is too long for a table.
    """
    carry = b""
    held_return = b""
    while text := stream.read(block_bytes):
        text = held_return + text
        held_return = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # its newline may begin the next block
                held_return, text = b"\r", text[:-1]
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        cut = text.rfind(b"\n") + 1
        if cut:
            yield carry + text[:cut]
            carry = text[cut:]
        else:
            carry += text
        if len(carry) > max(block_bytes, _LINE_BYTES):
            raise InvalidReadingsError(f"{path} has a line of over {len(carry)} bytes: no table")
    if carry or held_return:
        yield carry + b"\n"


class LineBlocks:
    """Blocks in order; a quoted field may continue in the next block.

    Attributes:
        line: number of the next unread line.
    """

    def __init__(
        self, first: bytes, blocks: Iterator[bytes], line: int, separator: str = ","
    ) -> None:
        self._first = first
        self._blocks = blocks
        self._separator = separator
        self.line = line

    def next_block(self) -> bytes | None:
        """Return the next block, None at the end."""
        if self._first:
            block, self._first = self._first, b""
            return block
        return next(self._blocks, None)

    def records(self, block: bytes) -> Iterator[tuple[int, list[str] | str]]:
        """Yield (number of the first line, fields or an error text) of each record in ``block``."""
        lines = _text_lines(block)
        at = 0
        while at < len(lines):
            taken = 0

            def feed(start: int = at) -> Iterator[str]:
                nonlocal lines, taken
                while True:
                    if start + taken == len(lines):  # the block ends within quotes
                        more = self.next_block()
                        if more is None:
                            return
                        lines = lines + _text_lines(more)
                    taken += 1
                    yield lines[start + taken - 1]

            record: list[str] | str
            try:
                record = next(csv.reader(feed(), delimiter=self._separator, strict=True))
            except csv.Error as error:
                # An unclosed quote takes in all that follows: skip only its first line.
                record, taken = f"quotes don't match: {error}", 1
            yield self.line, record
            at += taken
            self.line += taken


def _text_lines(block: bytes) -> list[str]:
    lines = block.decode("utf-8", errors="surrogateescape").split("\n")
    return [line + "\n" for line in lines[:-1]]


# --- the header ---

_SEPARATORS: Final = ",;\t|"
_WORKBOOK: Final = b"PK\x03\x04"
_NUMBER: Final = re.compile(r"[+-]?\d[\d.,:TZ +-]*")
_SHOWN: Final = 400


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a table.

    Attributes:
        path: the file.
        separator: the character between two fields.
        names: the columns, without the space around them.
        line: the number of the line under it.
    """

    path: Path
    separator: str
    names: tuple[str, ...]
    line: int

    @property
    def marks(self) -> bytes:
        """The decimal marks: a point, and a comma unless it separates fields."""
        return b"." if self.separator == "," else b".,"

    def place(self, column: str) -> int | None:
        """Return the index of a column, by its exact name, else ignoring case; None if missing.

        Raises:
            InvalidReadingsError: several columns have this name.
        """
        for same in (column.__eq__, lambda name: name.casefold() == column.casefold()):
            places = [place for place, name in enumerate(self.names) if same(name)]
            if len(places) > 1:
                raise InvalidReadingsError(
                    f"{self.path} has more than one column {column!r}; rename one"
                )
            if places:
                return places[0]
        return None

    def lacks(self, field: str, column: str, named_by: str = "") -> InvalidReadingsError:
        """Return the error for a missing column; ``named_by`` is the option that names it."""
        if all(_NUMBER.fullmatch(name) or not name for name in self.names[:1] + self.names[-1:]):
            return InvalidReadingsError(
                f"{self.path} has no header: its first line holds values "
                f"({self._shown()}); put a line with the columns' names above it"
            )
        what = f"column {column!r}"
        if not named_by and field != column:
            what += f" for the {field}"
        remedy = f"name another with {named_by or f'--columns {field}=...'}"
        if len(self.names) == 1 and len(self.names[0].split()) > 1:
            remedy = "separate its fields by commas, semicolons or tabs"
        return InvalidReadingsError(f"{self.path} has no {what}; it has: {self._shown()}; {remedy}")

    def _shown(self) -> str:
        return ", ".join(self.names)[:_SHOWN]


def read_header(
    path: Path, blocks: Iterator[bytes], wanted: Collection[str]
) -> tuple[Header, bytes]:
    """Return a table's header, and the rest of its block.

    The separator is the one that gives most of the ``wanted`` columns, unless a first line
    ``sep=;``, as spreadsheets write it, names one.

    Raises:
        InvalidReadingsError: the file is empty, or not a table of text.
    """
    line = 1
    separators = _SEPARATORS
    for block in blocks:
        rest = block
        while rest:
            raw, _, rest = rest.partition(b"\n")
            line += 1
            raw = raw.removeprefix(codecs.BOM_UTF8)
            if not raw.strip():
                continue
            text = _decoded(path, raw)
            if said := re.fullmatch(r'"?sep=(.)"?', text, re.IGNORECASE):
                separators = said[1]
                continue
            comment = text.startswith("#")
            separator, names, found = _split(path, text.lstrip("# "), separators, wanted)
            if not comment or found:  # numpy writes headers as comments
                return Header(path, separator, names, line), rest
    raise InvalidReadingsError(f"{path} is empty; it should be a table with a header line")


def _decoded(path: Path, raw: bytes) -> str:
    if raw.startswith(_WORKBOOK):
        raise InvalidReadingsError(
            f"{path} is a workbook or another archive; save its sheet as CSV (UTF-8)"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        msg = f"{path} is not a table of text in UTF-8; save it as CSV in UTF-8"
        raise InvalidReadingsError(msg) from None


def _split(
    path: Path, text: str, separators: str, wanted: Collection[str]
) -> tuple[str, tuple[str, ...], int]:
    """Return the separator of a header, its columns, and the number of wanted ones among them."""
    folded = {name.casefold() for name in wanted}
    best: tuple[tuple[int, int], str, tuple[str, ...]] | None = None
    for separator in separators:
        try:
            fields = next(csv.reader([text], delimiter=separator, strict=True))
        except csv.Error:
            continue
        names = tuple(name.strip() for name in fields)
        rank = (sum(name.casefold() in folded for name in names), len(names))
        if best is None or rank > best[0]:
            best = rank, separator, names
    if best is None or any(c < " " and c != "\t" for name in best[2] for c in name):
        raise InvalidReadingsError(
            f"{path} is not a table of text: it has no header line in UTF-8 (or UTF-16 with its "
            "mark); save it as CSV in UTF-8"
        )
    return best[1], best[2], best[0][0]
