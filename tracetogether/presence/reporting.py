"""What a phone sends of visits and trips after a positive test: those that the owner chose."""

import json
from collections.abc import Iterable
from typing import Final

from tracetogether.parameters import VISIT_REPORTS
from tracetogether.presence.trip_notes import TripNote
from tracetogether.presence.trips import Trip
from tracetogether.presence.visits import Visit

BUCKET_BYTES: Final = 65_536


def newest_visits(visits: Iterable[Visit]) -> list[Visit]:
    """Return the visits for which a message has room, in its order."""
    return sorted(visits, key=lambda visit: visit.start)[-VISIT_REPORTS.most_sent :]


def newest_trips(trips: Iterable[TripNote]) -> list[Trip]:
    """Return the trips for which a message has room, in its order."""
    taken = sorted((note.trip for note in trips), key=lambda trip: trip.date)
    return taken[-VISIT_REPORTS.most_sent :]


def visits_body(visits: Iterable[Visit], trips: Iterable[TripNote]) -> bytes:
    """Return a message with visits and trips, without notes and seats.

    Blanks fill it up to a multiple of 64 KiB: its length says little of how many there are.

    Args:
        visits: that have ended; the newest 300 go.
        trips: the newest 300 go.
    """
    rows = [
        {"poster": row.poster, "start": row.start, "end": row.end} for row in newest_visits(visits)
    ]
    lines = [
        {"service": trip.service, "date": trip.date, "car": trip.car, "carrier": trip.carrier}
        for trip in newest_trips(trips)
    ]
    body = json.dumps({"visits": rows, "trips": lines}).encode()
    return body + b" " * (-len(body) % BUCKET_BYTES)
