"""`tracetogether trip`: note trips by train and flight, and look whether a case was aboard."""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.cli.console import answer, table
from tracetogether.cli.options import allow_plain_http, as_json
from tracetogether.cli.visit_folder import (
    change_trips,
    in_folder,
    opened_authority,
    read_by_trust,
)
from tracetogether.crypto import sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.plain_text import counted
from tracetogether.presence.seats import row_of, rule_of
from tracetogether.presence.trip_notes import SameTrip, TripNote, same_trips
from tracetogether.presence.trips import Trip, TripWarning, read_trips

_car = click.option("--car", metavar="CAR", default="", help="The car of a train, such as 5.")
_seat = click.option(
    "--seat", metavar="SEAT", default="", help="Your seat, such as 12A; it stays on this phone."
)
_carrier = click.option(
    "--carrier",
    metavar="CODE",
    default="",
    help="Who runs the train or flight.  [default: the airline's two characters; CR for a letter "
    "and up to four digits]",
)


@click.group()
def trip() -> None:
    """Note trips by train and flight on this phone, and see whether a case was aboard."""


@trip.command()
@click.argument("service")
@click.argument("date")
@_car
@_seat
@_carrier
@in_folder
@as_json
def add(
    service: str, date: str, car: str, seat: str, carrier: str, folder: Path, *, as_json: bool
) -> None:
    """Note the trip by SERVICE, such as G1234 or SQ322, that left on DATE (YYYY-MM-DD).

    DATE is the day on which the train or flight left its first stop. Nothing is sent. The trip is
    deleted after 21 days.
    """
    noted = _noted(service, date, car, seat, carrier)
    kept = change_trips(folder, lambda notes: notes.added(noted, time.time())).notes
    word = "Noted" if noted in kept else "Too old"
    more = [] if noted in kept else ["It was more than 21 days ago: nothing is kept"]
    answer(
        _as_json(noted) | {"kept": noted in kept},
        f"{word:<10}{_words(noted)}",
        *more,
        as_json=as_json,
    )


@trip.command("list")
@in_folder
@as_json
def list_trips(folder: Path, *, as_json: bool) -> None:
    """List the trips of the last 21 days."""
    notes = change_trips(folder, lambda notes: notes.at(time.time())).notes
    shown = table(
        notes,
        ("date", lambda row: row.trip.date),
        ("carrier", lambda row: row.trip.carrier),
        ("service", lambda row: row.trip.service),
        ("car", lambda row: row.trip.car),
        ("seat", lambda row: row.seat),
    )
    answer(
        {"trips": list(map(_as_json, notes))},
        shown if notes else "No trips are noted",
        as_json=as_json,
    )


@trip.command()
@click.argument("service")
@click.argument("date")
@_car
@_carrier
@in_folder
@as_json
def forget(service: str, date: str, car: str, carrier: str, folder: Path, *, as_json: bool) -> None:
    """Delete the trip by SERVICE on DATE from this phone, for good."""
    which = Trip.of(service, date, car, carrier)
    held = change_trips(folder, lambda notes: notes.at(time.time())).notes
    change_trips(folder, lambda notes: notes.without(which, time.time()))
    gone = [note for note in held if note.trip == which]
    answer({"forgotten": len(gone)}, f"Deleted   {counted(len(gone), 'trips')}", as_json=as_json)


@trip.command()
@click.argument("service", required=False)
@click.argument("date", required=False)
@_car
@_seat
@_carrier
@in_folder
@click.option(
    "--server", metavar="URL", help="Address of the authority.  [default: that of the node in DIR]"
)
@allow_plain_http
@as_json
def check(
    service: str | None,
    date: str | None,
    car: str,
    seat: str,
    carrier: str,
    folder: Path,
    server: str | None,
    *,
    allow_plain_http: bool,
    as_json: bool,
) -> None:
    """Look whether a case was aboard the trip by SERVICE on DATE, or any trip that you noted.

    Downloads the list of the whole day, the same for everybody, and compares it here. Of a day with
    very many trips it downloads one of 256 parts. How many rows lie between you and the case is
    reckoned here too.
    """
    if (service is None) != (date is None):
        raise click.UsageError("give both SERVICE and DATE, or none to check all noted trips")
    if service is not None and date is not None:
        notes: tuple[TripNote, ...] = (_noted(service, date, car, seat, carrier),)
    else:
        notes = change_trips(folder, lambda held: held.at(time.time())).notes
    with opened_authority(folder, server, allow_plain_http=allow_plain_http) as client:
        found = [
            same
            for day in sorted({note.trip.date for note in notes})
            for same in _of_day(client, folder, [note for note in notes if note.trip.date == day])
        ]
    answer(
        {
            "checked": list(map(_as_json, notes)),
            "found": [
                {
                    **_as_json(same.note),
                    "rows_apart": None
                    if same.apart is None
                    else {"least": same.apart.least, "most": same.apart.most},
                    "near": "unknown" if same.apart is None else same.apart.near,
                }
                for same in found
            ],
        },
        *([_line(same) for same in found] or ["No case is known aboard"]),
        as_json=as_json,
    )


def _of_day(client: AuthorityClient, folder: Path, notes: Iterable[TripNote]) -> list[SameTrip]:
    """Return which trips of one day were a case's too."""
    noted = list(notes)
    day = noted[0].trip

    def part(prefix: int | None) -> tuple[tuple[TripWarning, ...], bool]:
        data = client.fetch_trips(day.date, prefix)
        if data is None:
            return (), False
        trips = read_by_trust(folder, client, partial(read_trips, data))
        if trips.day != day.day or trips.prefix != prefix:
            raise UnreadableMessageError("a list of other trips than was asked for", "trips-form")
        return trips.trips, trips.divided

    warnings, divided = part(None)
    if divided:
        prefixes = sorted({sha256(note.trip.location_id)[0] for note in noted})
        warnings = tuple(row for prefix in prefixes for row in part(prefix)[0])
    return same_trips(noted, warnings)


def _noted(service: str, date: str, car: str, seat: str, carrier: str) -> TripNote:
    if seat:
        row_of(seat)
    return TripNote(Trip.of(service, date, car, carrier), seat.strip().upper())


def _as_json(noted: TripNote) -> dict[str, object]:
    trip = noted.trip
    return {
        "carrier": trip.carrier,
        "service": trip.service,
        "date": trip.date,
        "car": trip.car,
        "seat": noted.seat,
        "location_id": trip.location_id.hex(),
    }


def _words(noted: TripNote) -> str:
    trip = noted.trip
    car = f", car {trip.car}" if trip.car else ""
    seat = f", seat {noted.seat}" if noted.seat else ""
    return f"{trip.carrier} {trip.service} on {trip.date}{car}{seat}"


def _line(same: SameTrip) -> str:
    what = "the same car" if same.note.trip.car else "the same flight"
    line = f"A person who tested positive was on {what}: {_words(same.note)}"
    apart = same.apart
    if apart is None:
        return line
    near = {
        "yes": "near you",
        "maybe": "perhaps near you",
        "no": "not near you",
    }[apart.near]
    rule = rule_of(same.note.trip)
    return (
        f"{line}; {apart.least} to {apart.most} rows from you, {near} (near: at most "
        f"{rule.near_rows} rows)"
    )
