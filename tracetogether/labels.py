"""A column of repeated names held as integer codes."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, overload

import numpy as np
import numpy.typing as npt

from tracetogether.errors import InvalidReadingsError
from tracetogether.units import Bools, Codes, Ints

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One name per row: ``names[codes[i]]``, or unknown where ``codes[i] == -1``.

    It is used like an array of text. ``==`` and ``!=`` compare row by row and return a mask; an
    unknown name equals no name.

    >>> peers = Labels.encode(["ben", "cem", None, "ben"])
    >>> (peers == "ben").tolist()
    [True, False, False, True]
    >>> peers[1], list(peers[:2]), peers[peers == "ben"].to_list()
    ('cem', ['ben', 'cem'], ['ben', 'ben'])

    Attributes:
        codes: (n,) int32, each -1 or an index into ``names``.
        names: the distinct names; their order carries no meaning.
    """

    codes: Codes
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.codes.ndim != 1:
            msg = f"codes are one column, got shape {self.codes.shape}"
            raise ValueError(msg)
        if self.codes.size and not (
            self.codes.min() >= UNKNOWN and self.codes.max() < len(self.names)
        ):
            msg = f"a code lies outside the {len(self.names)} names"
            raise ValueError(msg)

    @classmethod
    def encode(cls, values: Iterable[object]) -> Self:
        """Return the column of ``values``: text or whole numbers, from a list or a data frame.

        None, NaN, a data frame's own words for "missing", and "" are unknown.

        Raises:
            InvalidReadingsError: a value can't be a name.
        """
        if isinstance(values, np.ndarray) and values.dtype.kind == "U":
            uniques, codes = np.unique(values, return_inverse=True)
            return cls._of(uniques.tolist(), codes.reshape(-1))
        if not isinstance(values, (list, tuple)):
            values = np.asarray(values).tolist() if hasattr(values, "__array__") else list(values)
        try:
            index = {value: code for code, value in enumerate(dict.fromkeys(values))}
        except TypeError:
            odd = next(value for value in values if not isinstance(value, Hashable))
            raise InvalidReadingsError(f"{odd!r:.60} is no name: it must be text") from None
        codes = np.fromiter(map(index.__getitem__, values), np.int64, len(values))
        return cls._of(list(index), codes)

    @classmethod
    def _of(cls, distinct: Sequence[object], codes: Ints) -> Self:
        """Return rows of ``distinct[codes[i]]``."""
        names: dict[str, int] = {}
        table = np.empty(len(distinct), dtype=np.int32)
        for row, value in enumerate(distinct):
            name = _name(value)
            table[row] = names.setdefault(name, len(names)) if name else UNKNOWN
        return cls(table[codes], tuple(names))

    @classmethod
    def constant(cls, value: str | None, count: int) -> Self:
        """Return ``count`` rows of the same name (None: unknown)."""
        if not value:
            return cls(np.full(count, UNKNOWN, dtype=np.int32), ())
        return cls(np.zeros(count, dtype=np.int32), (value,))

    @classmethod
    def concat(cls, parts: Sequence["Labels"]) -> Self:
        """Return the rows of all ``parts`` in order, over one table of names."""
        index: dict[str, int] = {}
        columns = []
        for part in parts:
            table = np.array(
                [*(index.setdefault(name, len(index)) for name in part.names), UNKNOWN],
                dtype=np.int32,
            )
            columns.append(table[part.codes])  # code -1 picks the last entry: unknown
        codes = np.concatenate(columns) if columns else np.empty(0, dtype=np.int32)
        return cls(codes, tuple(index))

    def take(self, rows: Ints | Bools | slice) -> "Labels":
        """Return the chosen rows over the same table of names."""
        return Labels(self.codes[rows], self.names)

    @overload
    def __getitem__(self, rows: int) -> str | None: ...
    @overload
    def __getitem__(self, rows: Ints | Bools | slice) -> "Labels": ...
    def __getitem__(self, rows: int | Ints | Bools | slice) -> "str | Labels | None":
        chosen = self.codes[rows]
        if chosen.ndim:
            return Labels(chosen, self.names)
        return None if chosen == UNKNOWN else self.names[chosen]

    def __eq__(self, other: object) -> Bools:  # type: ignore[override]  # row by row, as numpy does
        if isinstance(other, Labels):
            here = {name: code for code, name in enumerate(self.names)}
            theirs = np.array([*(here.get(name, -2) for name in other.names), -2])
            return np.asarray(self.codes == theirs[other.codes])
        if not isinstance(other, str | None):
            return NotImplemented  # numpy compares its own arrays with ``__array__``
        code = self.names.index(other) if other in self.names else -2
        return np.asarray(self.codes == code)

    def __ne__(self, other: object) -> Bools:  # type: ignore[override]  # row by row
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else ~equal

    __hash__ = None  # type: ignore[assignment]  # like an array's

    def __iter__(self) -> Iterator[str | None]:
        return iter(self.to_list())

    def __array__(
        self,
        dtype: npt.DTypeLike | None = None,
        copy: bool | None = None,  # noqa: FBT001 - numpy's signature
    ) -> npt.NDArray[Any]:
        """Return (n,) the names as Python objects, None where unknown."""
        del copy  # there is no array of names to share
        table = np.empty(len(self.names) + 1, dtype=object)
        table[:-1] = self.names
        return table[self.codes] if dtype is None else table[self.codes].astype(dtype)

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        """Show sizes alone: names may be tokens or people."""
        return f"Labels({len(self.codes)} rows, {len(self.names)} names)"

    def numbers(self, number_of: Mapping[str, int]) -> Ints:
        """Return (n,) the number of each row's name; -1 where the name is unknown or has none."""
        numbers = [number_of.get(name, -1) for name in self.names]
        return np.array([*numbers, -1], dtype=np.int64)[self.codes]  # code -1 picks the last

    def to_list(self) -> list[str | None]:
        """Return the names row by row, None where unknown."""
        table = [*self.names, None]
        return [table[code] for code in self.codes.tolist()]


def is_missing(value: object) -> bool:
    """Return whether a value says that there is none: None, NaN, NaT, pandas' NA."""
    if value is None:
        return True
    if isinstance(value, str):
        return False
    try:
        return bool(value != value)  # noqa: PLR0124 - NaN and NaT differ from themselves
    except (TypeError, ValueError):  # NA is neither equal nor different
        return True


def _name(value: object) -> str:
    """Return a value as a name, "" where it is missing."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if is_missing(value):
        return ""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):  # pandas turns whole numbers into these where some are missing
        return str(int(value)) if value.is_integer() else str(value)
    raise InvalidReadingsError(f"{value!r:.60} is no name: it must be text")
