"""A text file, plain or gzipped, as blocks of whole lines."""

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from tracetogether.errors import InvalidReadingsError

_LINE_BYTES: Final = 1_000_000  # nobody's reading is longer; keeps memory bounded on binary files
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GZIP_MAGIC: Final = b"\x1f\x8b"


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open ``path``; give the file itself (for its position) and the stream of its text."""
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
    """Return the stream in UTF-8, where a byte order mark says that it is UTF-16."""
    if begin[:2] in _UTF16_MARKS:
        return cast("BinaryIO", codecs.EncodedFile(cast("BinaryIO", stream), "utf-8", "utf-16"))
    return cast("BinaryIO", stream)


def whole_lines(path: Path, stream: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    """Yield blocks of whole lines, every line ended by one newline, whatever ended it before."""
    carry = b""
    held_return = b""
    while text := stream.read(block_bytes):
        text = held_return + text
        held_return = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # its newline may open the next block
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
    """Hands out blocks in turn; lets a quoted field reach over the end of one."""

    def __init__(
        self, first: bytes, blocks: Iterator[bytes], line: int, separator: str = ","
    ) -> None:
        self._first = first
        self._blocks = blocks
        self._separator = separator
        self.line = line  # number of the next line that nobody has read

    def next_block(self) -> bytes | None:
        """Return the next lines, None at the end."""
        if self._first:
            block, self._first = self._first, b""
            return block
        return next(self._blocks, None)

    def records(self, block: bytes) -> Iterator[tuple[int, list[str] | str]]:
        """Yield (number of its first line, fields or what is wrong) of each record in ``block``."""
        lines = _text_lines(block)
        at = 0
        while at < len(lines):
            taken = 0

            def feed(start: int = at) -> Iterator[str]:
                nonlocal lines, taken
                while True:
                    if start + taken == len(lines):  # within quotes at the end of the block
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
                # An unclosed quote swallows what follows: give up its first line only.
                record, taken = f"quotes don't match: {error}", 1
            yield self.line, record
            at += taken
            self.line += taken


def _text_lines(block: bytes) -> list[str]:
    lines = block.decode("utf-8", errors="surrogateescape").split("\n")
    return [line + "\n" for line in lines[:-1]]
