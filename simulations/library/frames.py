"""Columns as a data frame of pandas, which is an optional package."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracetogether.errors import MissingExtraError

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
