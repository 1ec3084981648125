"""A column of repeated names held as integer codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Codes, Ints

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Labels:
    """One name per row: ``names[codes[i]]``, or unknown where ``codes[i] == -1``.

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
    def encode(cls, values: Sequence[str | None] | npt.NDArray[np.str_]) -> Self:
        """Return the column of ``values``; None and "" are unknown."""
        if isinstance(values, np.ndarray):
            uniques, inverse = np.unique(values, return_inverse=True)
            names = [str(name) for name in uniques]
            codes = inverse.reshape(-1).astype(np.int32)
            if "" in names:
                empty = names.index("")
                names.pop(empty)
                codes = np.where(codes == empty, UNKNOWN, codes - (codes > empty)).astype(np.int32)
            return cls(codes, tuple(names))
        index: dict[str | None, int] = dict.fromkeys(filter(None, values), UNKNOWN)
        distinct = tuple(name for name in index if name)
        index.update(zip(distinct, range(len(distinct)), strict=True))
        index[None] = index[""] = UNKNOWN
        codes = np.fromiter(map(index.__getitem__, values), np.int32, len(values))
        return cls(codes, distinct)

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

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        """Show sizes alone: names may be tokens or people."""
        return f"Labels({len(self.codes)} rows, {len(self.names)} names)"

    def to_list(self) -> list[str | None]:
        """Return the names row by row, None where unknown."""
        table = [*self.names, None]
        return [table[code] for code in self.codes.tolist()]
