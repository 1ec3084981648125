"""Columns for data tools: an Arrow stream, a pandas data frame, and a short table in a notebook.

``arro3.core`` makes the stream. It is small, typed, and needs no other package at run time; it is
imported only when a stream is asked for. pandas is imported only by ``to_pandas``.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.errors import MissingExtraError
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.plain_text import visible
from tracetogether.units import Bools, Floats, Ints

if TYPE_CHECKING:
    import arro3.core as arro
    import pandas as pd

_ROWS_A_BATCH: Final = 1 << 18  # Arrow's text holds 2 GiB a batch: enough for 8 kB a name
_ROWS_SHOWN: Final = 10
_NAME_SHOWN: Final = 20
_EARLIEST_S: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LATEST_S: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class UtcSeconds:
    """A column of times, (n,) epoch seconds, which data tools get as UTC timestamps."""

    seconds: Floats

    def __len__(self) -> int:
        return len(self.seconds)

    def microseconds(self) -> Ints:
        """Return (n,) microseconds since 1970; numpy's NaT outside the years 1 to 9999."""
        known = (self.seconds >= _EARLIEST_S) & (self.seconds < _LATEST_S)
        whole = np.rint(1e6 * np.where(known, self.seconds, 0.0)).astype(np.int64)
        return np.where(known, whole, np.iinfo(np.int64).min)


DataColumn = Labels | UtcSeconds | Floats | Ints | Bools
"""A column for data tools: names, times or numbers. NaN and unknown names become nulls."""


class ColumnTable:
    """A table of columns of equal length that pandas, polars and DuckDB read.

    A class that inherits from it gives the columns by ``columns``.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""

    def __arrow_c_schema__(self) -> object:
        """Return the names and types of the columns as a capsule of Arrow's C interface."""
        return _table(self.columns).schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a capsule of Arrow's C interface, which data tools ask for.

        >>> import polars
        >>> from tracetogether import Sightings
        >>> heard = Sightings.from_columns(time=[0.0, 60.0], peer=["ben"] * 2, rssi_dbm=[-60] * 2)
        >>> polars.DataFrame(heard).shape
        (2, 7)
        """
        return _table(self.columns).__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a pandas data frame: text for names, UTC timestamps for times.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - optional package
        except ImportError:
            raise MissingExtraError("a data frame", "pandas") from None
        columns: dict[str, object] = {}
        for name, column in self.columns.items():
            match column:
                case Labels():
                    columns[name] = np.asarray(column)
                case UtcSeconds():
                    moments = column.microseconds().view("datetime64[us]")
                    columns[name] = pd.DatetimeIndex(moments).tz_localize("UTC")
                case _:
                    columns[name] = column
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, for a notebook; long names are cut."""
        columns = self.columns
        count = len(next(iter(columns.values()), ()))
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        cells = [list(_texts(column)) for column in columns.values()]
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(visible(text))}</td>' for text in row)}</tr>"
            for row in zip(*cells, strict=True)
        )
        shown = f"first {_ROWS_SHOWN} of " if count > _ROWS_SHOWN else ""
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{shown}{count:,} row{'' if count == 1 else 's'}, {len(columns)} columns</p>"
        )


@dataclass(frozen=True, slots=True)
class NamedColumns(ColumnTable):
    """Columns by name, of whatever table.

    Raises:
        ValueError: the columns differ in length.
    """

    named: Mapping[str, DataColumn]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.named.items()}
        if len(set(lengths.values())) > 1:
            msg = f"columns differ in length: {lengths}"
            raise ValueError(msg)

    @property
    def columns(self) -> Mapping[str, DataColumn]:
        """Name -> column, as data tools see them."""
        return self.named

    def __len__(self) -> int:
        return len(next(iter(self.named.values()), ()))


class ChosenRows:
    """Rows of a dataclass whose fields are all columns of equal length."""

    __slots__ = ()

    def take(self, rows: Ints | Bools | slice) -> Self:
        """Return the chosen rows: by number, by a mask, or a slice.

        Raises:
            IndexError: there is no such row, or the mask has another length.
        """
        chosen = rows_of(rows)
        taken = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)  # type: ignore[arg-type]  # the classes that inherit from it are dataclasses
        }
        return type(self)(**taken)


def rows_of(rows: object) -> Any:  # noqa: ANN401 - what numpy takes as an index
    """Return what chooses rows of a numpy column: a slice, numbers or a mask.

    Lists and columns of data frames are taken too; an empty list chooses no rows.
    """
    if isinstance(rows, slice):
        return rows
    chosen = np.asarray(rows)
    return chosen.astype(np.int64) if chosen.size == 0 and chosen.dtype != np.bool_ else chosen


def _table(columns: Mapping[str, DataColumn]) -> "arro.Table":
    import arro3.core as arro  # noqa: PLC0415 - only for those who ask for Arrow

    count = len(next(iter(columns.values()), ()))
    schema = arro.Schema([arro.Field(name, _type(column)) for name, column in columns.items()])
    batches = [
        arro.RecordBatch.from_arrays(
            [_array(column, slice(start, start + _ROWS_A_BATCH)) for column in columns.values()],
            schema=schema,
        )
        for start in range(0, count, _ROWS_A_BATCH)
    ]
    return arro.Table.from_batches(batches, schema=schema)


def _type(column: DataColumn) -> "arro.DataType":
    import arro3.core as arro  # noqa: PLC0415

    match column:
        case Labels():
            return arro.DataType.utf8()
        case UtcSeconds():
            return arro.DataType.timestamp("us", tz="UTC")
        case _:
            return arro.Array.from_numpy(column[:0]).type


def _array(column: DataColumn, rows: slice) -> "arro.Array":
    import arro3.core as arro  # noqa: PLC0415

    match column:
        case Labels():
            codes = column.codes[rows]
            names = arro.Array([*column.names, None], type=arro.DataType.utf8())
            places = np.where(codes == UNKNOWN, len(column.names), codes)
            return names.take(arro.Array.from_numpy(places))
        case UtcSeconds():
            whole = column.microseconds()[rows]
            known = _with_nulls(arro.Array.from_numpy(whole), whole == np.iinfo(np.int64).min)
            return known.cast(_type(column))
        case _:
            values = np.ascontiguousarray(column[rows])
            array = arro.Array.from_numpy(values)
            return _with_nulls(array, np.isnan(values)) if values.dtype.kind == "f" else array


def _with_nulls(array: "arro.Array", missing: Bools) -> "arro.Array":
    """Return the values with nulls where they are missing."""
    import arro3.core as arro  # noqa: PLC0415

    if not missing.any():
        return array
    null = arro.Array([None], type=array.type)
    longer = arro.ChunkedArray([array, null]).combine_chunks()
    places = np.where(missing, len(array), np.arange(len(array)))
    return longer.take(arro.Array.from_numpy(places))


def _texts(column: DataColumn) -> Iterator[str]:
    """Yield what a notebook shows of the first rows.

    A token is a secret of two phones for a quarter of an hour, so long names are cut.
    """
    match column:
        case Labels():
            for name in column[:_ROWS_SHOWN]:
                short = f"{name[:6]}…" if name and len(name) > _NAME_SHOWN else name
                yield short or ""
        case UtcSeconds():
            for whole in column.microseconds()[:_ROWS_SHOWN].view("datetime64[us]"):
                yield "" if np.isnat(whole) else f"{whole.astype('datetime64[s]')}Z"
        case _:
            for value in column[:_ROWS_SHOWN].tolist():
                number = f"{value:.4g}" if isinstance(value, float) else str(value)
                yield "" if number == "nan" else number


def columns_of_rows(rows: Sequence[Mapping[str, object]]) -> NamedColumns:
    """Return rows that have the same keys as columns: text as names, all else as numbers.

    None becomes unknown, or NaN.

    >>> len(columns_of_rows([{"name": "a", "size": 1}, {"name": None, "size": 2.5}]))
    2
    """
    names = rows[0] if rows else ()
    return NamedColumns({name: data_column([row[name] for row in rows]) for name in names})


def data_column(values: Sequence[object] | npt.NDArray[Any]) -> DataColumn:
    """Return a list or an array as a column: as names if there is text in it, else as numbers.

    >>> data_column([1, None]).tolist(), data_column(["a", 2]).to_list()
    ([1.0, nan], ['a', '2'])
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values
    listed = list(values)
    if any(isinstance(value, str) for value in listed):
        return Labels.encode([None if value is None else str(value) for value in listed])
    given = np.array([np.nan if value is None else value for value in listed])
    return given if given.dtype.kind in "biu" else given.astype(np.float64)
