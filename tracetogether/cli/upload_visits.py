"""Which visits and trips go with an upload."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tracetogether.cli.console import utc_text
from tracetogether.cli.upload_choice import Choice
from tracetogether.cli.visit_folder import load_trips, opened_visits
from tracetogether.parameters import VISIT_REPORTS
from tracetogether.plain_text import counted
from tracetogether.presence.posters_of_others import can_be_reported
from tracetogether.presence.reporting import newest_trips, newest_visits, visits_body
from tracetogether.presence.visits import settled
from tracetogether.units import SECONDS_PER_DAY

_WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unreadable_poster": "the authority can't read its poster",
        "backwards": "it ends before it begins",
        "too_short": "it was too short to warn anybody",
        "too_long": "it lasted more than a day",
        "too_old": "it was too long ago",
        "in_future": "it is in the future: is your clock right?",
        "before_registration": "it was before your phone registered",
        "outside_window": "the poster does not count at that time",
        "two_places": "another visit has you elsewhere at that time",
        "twice": "it was reported already",
        "too_many": "there are more on that day than a person makes",
        "unreadable_trip": "the authority knows no such train or flight number",
    }
)
"""Why the authority refuses a visit or a trip, for people."""


@dataclass(frozen=True, slots=True)
class ChosenVisits:
    """What is sent.

    Attributes:
        body: the message.
        visits, trips: how many are in it.
        guessable: how many visits stay here because their places can be guessed.
        too_many: how many older visits and trips stay here because a message has no more room.
        names: what is in the message, for people: "visits" and "trips" in its order.
    """

    body: bytes = field(repr=False)
    visits: int
    trips: int
    guessable: int = 0
    too_many: int = 0
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @property
    def some(self) -> bool:
        """Whether there is anything to send."""
        return self.visits + self.trips > 0

    @property
    def words(self) -> str:
        """How many, for people."""
        return f"{counted(self.visits, 'visits')} and {counted(self.trips, 'trips')}"

    @property
    def counts(self) -> dict[str, int]:
        """How many, for programs."""
        return {"visits": self.visits, "trips": self.trips, **self.kept_back}

    @property
    def kept_back(self) -> dict[str, int]:
        """How many stay on the phone though they were chosen, for programs."""
        return {"visits_guessable": self.guessable, "beyond_room": self.too_many}

    def lines(self) -> Iterator[str]:
        """Yield what stays on the phone though it was chosen, for people."""
        if self.guessable:
            yield (
                f"Not sent  {counted(self.guessable, 'visits')} by posters of the NHS or of New "
                "Zealand: their places can be guessed, so the authority takes none. Tell the "
                "tracer of them"
            )
        if self.too_many:
            yield (
                f"Not sent  {self.too_many} of the oldest: a report has room for "
                f"{VISIT_REPORTS.most_sent} visits and as many trips"
            )


def chosen_visits(folder: Path, choice: Choice, leave_places: Collection[str]) -> ChosenVisits:
    """Return the visits and trips in a folder that are sent.

    A visit is left out if a part of it lies in a period that is left out, or if it is still open.
    Visits by posters that the authority refuses are left out and counted.

    Args:
        folder: where they were noted.
        choice: the periods, as for the contact log.
        leave_places: names of places that are left out.

    Raises:
        StoreError: a file is damaged.
    """
    now = time.time()
    with opened_visits(folder, now) as log:
        log.update(partial(settled, now=now), now)
        visits = [
            row
            for row in log.visits()
            if not row.open
            and row.description not in leave_places
            and _whole(choice, row.start, row.end)
        ]
    trips = [
        note
        for note in load_trips(folder).at(now).notes
        if _whole(
            choice, note.trip.day * SECONDS_PER_DAY, (note.trip.day + 1) * SECONDS_PER_DAY - 1
        )
    ]
    sent = [row for row in visits if can_be_reported(row.poster)]
    most = VISIT_REPORTS.most_sent
    counts = min(len(sent), most), min(len(trips), most)
    return ChosenVisits(
        visits_body(sent, trips),
        *counts,
        guessable=len(visits) - len(sent),
        too_many=len(sent) + len(trips) - sum(counts),
        names={
            "visits": tuple(
                f"{row.description}, {utc_text(row.start)} UTC" for row in newest_visits(sent)
            ),
            "trips": tuple(f"{trip.service} on {trip.date}" for trip in newest_trips(trips)),
        },
    )


def taken_json(taken: dict[str, Any] | None) -> dict[str, Any]:
    """Return the authority's receipt for visits, under one name; nothing if none went."""
    return {} if taken is None else {"visits": taken}


def taken_lines(taken: dict[str, Any] | None, sent: ChosenVisits | None) -> Iterator[str]:
    """Yield what became of the visits, for people; ``sent`` says which they were."""
    if taken is None or sent is None:
        return
    if "already_received" in taken:
        yield "Visits    received already"
        return
    yield (
        f"Visits    {counted(taken['visits'], 'visits')} and {counted(taken['trips'], 'trips')} "
        "accepted"
    )
    for what in ("visits", "trips"):
        for refused in taken[f"refused_{what}"]:
            names, at, why = sent.names[what], refused["place"], refused["why"]
            name = names[at] if at < len(names) else f"number {at + 1} of the {what}"
            yield f"Refused   {name}: {_WHY.get(why, why)}"


def _whole(choice: Choice, start: float, end: float) -> bool:
    """Return whether a stay lies within the chosen time, and meets no period left out."""
    return (
        choice.since <= start
        and end <= choice.until
        and not any(first <= end and start <= last for first, last in choice.left_out)
    )
