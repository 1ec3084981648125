"""The top of a table of text: its separator, the names of its columns, where its rows begin."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracetogether.errors import InvalidReadingsError

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
        """The decimal marks: a comma too, where it does not separate fields."""
        return b"." if self.separator == "," else b".,"

    def place(self, column: str) -> int | None:
        """Return where a column is, by its name or else by its name in capitals or small letters.

        Raises:
            InvalidReadingsError: there is more than one.
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

    def lacks(self, field: str, column: str) -> InvalidReadingsError:
        """Return the error that says that a column is not there, and the remedy."""
        if all(_NUMBER.fullmatch(name) or not name for name in self.names[:1] + self.names[-1:]):
            return InvalidReadingsError(
                f"{self.path} has no header: its first line holds values "
                f"({self._shown()}); put a line with the columns' names above it"
            )
        remedy = f"name another with --columns {field}=..."
        if len(self.names) == 1 and len(self.names[0].split()) > 1:
            remedy = "separate its fields by commas, semicolons or tabs"
        return InvalidReadingsError(
            f"{self.path} has no column {column!r} for the {field}; it has: {self._shown()}; "
            f"{remedy}"
        )

    def _shown(self) -> str:
        return ", ".join(self.names)[:_SHOWN]


def read_header(
    path: Path, blocks: Iterator[bytes], wanted: Collection[str]
) -> tuple[Header, bytes]:
    """Return a table's header, and what follows it in its block.

    The separator is the one under which most of ``wanted`` are columns, or as a spreadsheet's
    first line ``sep=;`` says.

    Raises:
        InvalidReadingsError: the file is empty or no table of text.
    """
    line = 1
    separators = _SEPARATORS
    for block in blocks:
        rest = block
        while rest:
            raw, _, rest = rest.partition(b"\n")
            line += 1
            raw = raw.removeprefix(BOM_UTF8)
            if not raw.strip():
                continue
            text = _decoded(path, raw)
            if said := re.fullmatch(r'"?sep=(.)"?', text, re.IGNORECASE):
                separators = said[1]
                continue
            comment = text.startswith("#")
            separator, names, found = _split(path, text.lstrip("# "), separators, wanted)
            if not comment or found:  # numpy writes headers so
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
    """Return the separator of a header, its columns, and how many of them are wanted."""
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
