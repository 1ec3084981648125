"""What a phone sends of visits and trips after a positive test: those that the owner chose."""

import json
from collections.abc import Iterable
from typing import Final

from tracetogether.parameters import VISIT_REPORTS
from tracetogether.presence.trip_notes import TripNote
from tracetogether.presence.visits import Visit

BUCKET_BYTES: Final = 65_536


def visits_body(visits: Iterable[Visit], trips: Iterable[TripNote]) -> bytes:
    """Return a message with visits and trips, without notes and seats.

    Blanks fill it up to a multiple of 64 KiB: its length says little of how many there are.

    Args:
        visits: that have ended; the newest 300 go.
        trips: the newest 300 go.
    """
    most = VISIT_REPORTS.most_sent
    newest = sorted(visits, key=lambda visit: visit.start)[-most:]
    rows = [{"poster": row.poster, "start": row.start, "end": row.end} for row in newest]
    taken = sorted((note.trip for note in trips), key=lambda trip: trip.date)[-most:]
    lines = [
        {"service": trip.service, "date": trip.date, "car": trip.car, "carrier": trip.carrier}
        for trip in taken
    ]
    body = json.dumps({"visits": rows, "trips": lines}).encode()
    return body + b" " * (-len(body) % BUCKET_BYTES)
