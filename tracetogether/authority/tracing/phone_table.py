"""The table of phone models by which an authority's lists are computed, if it has chosen one."""

import csv
from typing import Final

from tracetogether.authority.access.store import AccessStore
from tracetogether.errors import CalibrationError
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration

PHONES: Final = "phone-models"
"""Under which name the store keeps the table, a CSV text; "" or nothing: none is used."""


def phones_in(text: str) -> Calibration:
    """Return the table that a CSV text holds.

    Raises:
        CalibrationError: it holds none.
    """
    try:
        return Calibration.of_lines(text.splitlines(), "the table", BLUETRACE_TRANSMIT)
    except csv.Error:
        raise CalibrationError("the table is no CSV table") from None


def phones_used(store: AccessStore) -> Calibration | None:
    """Return the table that the lists use; None if they use none."""
    text = store.setting(PHONES)
    return phones_in(text) if text else None
