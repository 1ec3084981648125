"""Columns for data tools: an Arrow stream, and a data frame of pandas, an optional package."""

from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracetogether.errors import MissingExtraError
from tracetogether.tables.arrow_columns import NamedColumns, data_column

if TYPE_CHECKING:
    import pandas as pd


def frame_of(columns: Mapping[str, Any]) -> "pd.DataFrame":
    """Return a data frame of columns.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise MissingExtraError("A data frame", "pandas") from None
    frame: pd.DataFrame = pandas.DataFrame(columns)
    return frame


class FrameColumns:
    """A result that polars, DuckDB and pyarrow read as a table, and a notebook shows as one."""

    @abstractmethod
    def _frame(self) -> Mapping[str, Any]:
        """Return name -> list or array, as in the data frame."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the rows as a capsule of Arrow's C interface, which data tools ask for."""
        return self._named().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        """Return the first rows as an HTML table, for a notebook."""
        return self._named()._repr_html_()

    def _named(self) -> NamedColumns:
        return NamedColumns({name: data_column(column) for name, column in self._frame().items()})
