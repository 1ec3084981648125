"""Seats on trains and aircraft: how many rows apart, reckoned on the phone.

A warning names a band of rows, not a seat: enough rows that at least 20 people sat in them, if all
sat evenly. So the distance has a least and a most.
"""

import re
from dataclasses import dataclass
from typing import Final

from tracetogether.errors import InvalidRequestError
from tracetogether.parameters import VISITS
from tracetogether.presence.trips import Trip, TripWarning

_SEAT: Final = re.compile(r"0*([1-9][0-9]{0,2})([A-HJ-L]?)")


@dataclass(frozen=True, slots=True)
class SeatRule:
    """How seats stand in a kind of vehicle, and how near counts as near.

    Attributes:
        name: of the kind.
        near_rows: passengers at most this many rows away count as near.
        source: where ``near_rows`` comes from.
    """

    name: str
    near_rows: int
    source: str


TRAIN: Final = SeatRule(
    "train",
    near_rows=3,
    source="Hu et al., Clinical Infectious Diseases 72 (2021) 604, doi 10.1093/cid/ciaa1057: "
    "its contacts are passengers within three rows and five columns of a case. Read in the "
    "summary of the University of Southampton, not in the paper.",
)
FLIGHT: Final = SeatRule(
    "flight",
    near_rows=2,
    source="WHO, Tuberculosis and air travel, 3rd edition 2008, WHO/HTM/TB/2008.399: the same row, "
    "two in front and two behind. Read in a summary of its criteria, not in the guide. For "
    "influenza, most of those infected sat so near (BMC Infectious Diseases 11 (2011) 355). For "
    "measles, two rows were too few.",
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


def published_band(row: int, rows: int, aboard: int) -> tuple[int, int]:
    """Return the first and last row of the band that is published of a case's row.

    The rows are divided into equal bands, whatever row is asked about: where a case sat within its
    band can't be seen. If all sit evenly, at least 20 people sit in each band.

    Args:
        row: the case's, from 1.
        rows: how many the car or the aircraft has.
        aboard: how many people were in it.

    Returns:
        (0, 0), which is no band, where the whole car or aircraft would be one.

    Example:
        >>> published_band(12, rows=18, aboard=85)
        (7, 12)
        >>> published_band(12, rows=18, aboard=39)
        (0, 0)
    """
    least = -(-VISITS.least_aboard * rows // aboard)  # rounded up
    count = rows // least
    if count < 2:
        return 0, 0
    band = (row - 1) * count // rows
    return -(-band * rows // count) + 1, -(-(band + 1) * rows // count)


def rows_apart(trip: Trip, row: int, warning: TripWarning) -> RowsApart | None:
    """Return how far a passenger sat from a case; None if the warning names no rows."""
    if not warning.first_row:
        return None
    least = max(warning.first_row - row, row - warning.last_row, 0)
    most = max(abs(row - warning.first_row), abs(row - warning.last_row))
    near_rows = rule_of(trip).near_rows
    near = "yes" if most <= near_rows else "no" if least > near_rows else "maybe"
    return RowsApart(least, most, near)
