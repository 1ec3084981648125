"""Seats on trains and aircraft: how many rows apart, reckoned on the phone.

A warning names a band of rows, not a seat: rows in blocks with about as many seats as people must
be aboard at least. So the distance has a least and a most.
"""

import re
from dataclasses import dataclass
from math import ceil
from typing import Final

from tracetogether.errors import InvalidRequestError
from tracetogether.parameters import VISITS
from tracetogether.presence.trips import MOST_ROW, Trip, TripWarning

_SEAT: Final = re.compile(r"0*([1-9][0-9]{0,2})([A-HJ-L]?)")


@dataclass(frozen=True, slots=True)
class SeatRule:
    """How seats stand in a kind of vehicle, and how near counts as near.

    Attributes:
        name: of the kind.
        abreast: seats in a row.
        near_rows: passengers at most this many rows away count as near.
        source: where ``near_rows`` comes from.
    """

    name: str
    abreast: int
    near_rows: int
    source: str

    @property
    def band_rows(self) -> int:
        """How many rows a published band has: as many seats as people aboard at least."""
        return ceil(VISITS.least_aboard / self.abreast)


TRAIN: Final = SeatRule(
    "train",
    abreast=5,  # assumed: second class of Chinese high-speed trains, three and two seats
    near_rows=3,
    source="Hu et al. 2020, doi 10.1093/cid/ciaa1057: passengers within three rows and five "
    "columns were followed up; from memory",
)
FLIGHT: Final = SeatRule(
    "flight",
    abreast=6,  # assumed: one aisle, three seats on each side
    near_rows=2,
    source="WHO, Tuberculosis and air travel, 3rd edition 2008: the same row, two in front and "
    "two behind; from memory",
)


@dataclass(frozen=True, slots=True)
class RowsApart:
    """How far a passenger sat from a case: at least and at most this many rows.

    Attributes:
        least: rows to the nearest row of the band; 0 within it.
        most: rows to its farthest row.
        near: "yes" if even ``most`` counts as near, "no" if not even ``least`` does, else "maybe".
    """

    least: int
    most: int
    near: str


def rule_of(trip: Trip) -> SeatRule:
    """Return the rule for a trip: a car, or China Railway, is a train; all else a flight."""
    return TRAIN if trip.is_train else FLIGHT


def row_of(seat: str) -> int:
    """Return the row of a seat such as "12A".

    Raises:
        InvalidRequestError: it is no seat.

    Example:
        >>> row_of("05F")
        5
    """
    found = _SEAT.fullmatch(re.sub(r"\s", "", seat).upper())
    if found is None:
        raise InvalidRequestError(
            "{seat!r} is no seat: write row and letter, such as 12A", "trip-seat", seat=seat
        )
    return int(found[1])


def published_band(trip: Trip, row: int) -> tuple[int, int]:
    """Return the first and last row of the band that is published of a case's row.

    Bands are fixed blocks: where a case sat within its band can't be seen.

    Example:
        >>> published_band(Trip.of("G1234", "2020-01-25", "5"), 12)
        (9, 12)
    """
    size = rule_of(trip).band_rows
    first = (row - 1) // size * size + 1
    return first, min(first + size - 1, MOST_ROW)


def rows_apart(trip: Trip, row: int, warning: TripWarning) -> RowsApart | None:
    """Return how far a passenger sat from a case; None if the warning names no rows."""
    if not warning.first_row:
        return None
    least = max(warning.first_row - row, row - warning.last_row, 0)
    most = max(abs(row - warning.first_row), abs(row - warning.last_row))
    near_rows = rule_of(trip).near_rows
    near = "yes" if most <= near_rows else "no" if least > near_rows else "maybe"
    return RowsApart(least, most, near)
