"""Trips that a phone's owner noted: kept on the phone for 21 days, and seen warnings of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from tracetogether.contactlog import LogClock
from tracetogether.crypto import sha256
from tracetogether.errors import InvalidRequestError, StoreError
from tracetogether.parameters import VISITS
from tracetogether.presence.seats import RowsApart, row_of, rows_apart
from tracetogether.presence.trips import Trip, TripWarning
from tracetogether.units import SECONDS_PER_DAY

_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class TripNote:
    """A trip that the owner made.

    Attributes:
        trip: which one.
        seat: the owner's, such as "12A"; "" if not noted.
    """

    trip: Trip
    seat: str = ""

    @property
    def row(self) -> int | None:
        """The row of the seat; None if no seat was noted."""
        return row_of(self.seat) if self.seat else None


@dataclass(frozen=True, slots=True)
class SameTrip:
    """The owner was on the same trip as a case: the same car of a train, or the same flight.

    Attributes:
        note: the owner's trip.
        apart: how far from the case the owner sat; None if that is not known.
    """

    note: TripNote
    apart: RowsApart | None


@dataclass(frozen=True, slots=True)
class TripNotes:
    """The noted trips, by date.

    Attributes:
        notes: the trips.
        clock: what the phone believes of the time; while it is doubted nothing is dropped.
    """

    notes: tuple[TripNote, ...] = ()
    clock: LogClock = field(default=LogClock(), repr=False)

    def added(self, note: TripNote, now: float) -> "TripNotes":
        """Return these with one more trip, in place of an earlier note of the same trip."""
        rest = [kept for kept in self.notes if kept.trip != note.trip]
        ordered = sorted([*rest, note], key=lambda kept: (kept.trip.date, kept.trip.service))
        return replace(self, notes=tuple(ordered)).at(now)

    def without(self, trip: Trip, now: float) -> "TripNotes":
        """Return these without a trip."""
        rest = tuple(kept for kept in self.notes if kept.trip != trip)
        return replace(self, notes=rest).at(now)

    def at(self, now: float) -> "TripNotes":
        """Return these without trips whose day ended more than 21 days before ``now``."""
        clock = self.clock.after(now, VISITS.kept_s)
        cutoff = clock.cutoff(VISITS.kept_s)
        kept = (note for note in self.notes if (note.trip.day + 1) * SECONDS_PER_DAY >= cutoff)
        return TripNotes(tuple(kept), clock)

    def to_json(self) -> dict[str, object]:
        """Return what ``from_json`` reads."""
        return {
            "trips": [
                {
                    "carrier": note.trip.carrier,
                    "service": note.trip.service,
                    "date": note.trip.date,
                    "car": note.trip.car,
                    "seat": note.seat,
                }
                for note in self.notes
            ],
            "clock": [self.clock.believed, self.clock.latest, self.clock.doubted_s],
        }

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            StoreError: it is damaged.
        """
        try:
            match given:
                case {"trips": list() as trips, "clock": [believed, latest, doubted_s]}:
                    clock = LogClock(
                        None if believed is None else float(believed),
                        float(latest),
                        float(doubted_s),
                    )
                    return cls(tuple(map(_note_of, trips[:_MOST])), clock)
                case _:
                    pass
        except (InvalidRequestError, TypeError, ValueError, KeyError):
            pass
        raise StoreError("the noted trips are damaged: remove the file phone.trips")


def same_trips(notes: Iterable[TripNote], warnings: Iterable[TripWarning]) -> list[SameTrip]:
    """Return which of the noted trips were cases' trips too, in order of the notes."""
    published: dict[bytes, list[TripWarning]] = {}
    for warning in warnings:
        published.setdefault(warning.place, []).append(warning)
    found = []
    for note in notes:
        for warning in published.get(sha256(note.trip.location_id), ()):
            row = note.row
            found.append(
                SameTrip(note, None if row is None else rows_apart(note.trip, row, warning))
            )
    return found


def _note_of(given: Mapping[str, object]) -> TripNote:
    words = {name: str(given[name]) for name in ("service", "date", "car", "carrier", "seat")}
    trip = Trip.of(words["service"], words["date"], words["car"], words["carrier"])
    note = TripNote(trip, words["seat"])
    _ = note.row
    return note
