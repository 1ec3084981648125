"""The fourteen days of a case on one page: company, visits, trips, and stays at places."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import Case, date_of_day
from tracetogether.authority.places.stays import CaseStays, Stay
from tracetogether.authority.presence.deciding import CasePlaces, ShownTrip, ShownVisit, Warnings
from tracetogether.authority.tracing.evidence import Logs
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class CompanyHour:
    """How many people the case's phone heard within an hour of a day.

    Attributes:
        begin: epoch seconds; hours count from the day's midnight.
        people: different people.
    """

    begin: float
    people: int


@dataclass(frozen=True, slots=True)
class CaseDay:
    """One day of the authority's zone. What reaches over midnight is on both days.

    Attributes:
        day: its number.
        begin, end: epoch seconds.
        people: different people that the phone heard on this day, in all.
        company: the hours in which it heard any.
        visits: visits that the case reported, by their beginning.
        stays: times at registered places, by the records of the phone.
        trips: trips whose ticket names this date.
    """

    day: int
    begin: float
    end: float
    people: int
    company: tuple[CompanyHour, ...]
    visits: tuple[ShownVisit, ...] = field(repr=False)
    stays: tuple[Stay, ...] = field(repr=False)
    trips: tuple[ShownTrip, ...] = field(repr=False)

    @property
    def date(self) -> str:
        """The day as YYYY-MM-DD."""
        return date_of_day(self.day)


@dataclass(frozen=True, slots=True)
class DaysOfCase:
    """The case's date and the fourteen days before it.

    Attributes:
        case: the case.
        days: the first one first.
        stays: all stays, in order of time.
        reported: the visits and trips that the person reported.
    """

    case: Case
    days: tuple[CaseDay, ...]
    stays: tuple[Stay, ...] = field(repr=False)
    reported: CasePlaces = field(repr=False)


@dataclass(frozen=True, slots=True)
class FourteenDays:
    """Puts together what logs and reports say of a case. Nothing is stored."""

    warnings: Warnings
    logs: Logs
    stays: CaseStays
    days: LocalDays = UTC_DAYS

    def of(self, case_id: str, *, by: Caller) -> DaysOfCase:
        """Return the days of a case, with those of cases that were merged into it.

        Raises:
            AccessDeniedError: ``by`` may not see visits, or not contacts.
            NotFoundError: there is no such case, or ``by`` does not need to know it.
        """
        by.require(Action.LIST_CONTACTS)
        places = self.warnings.of_case(case_id, by=by)
        case = places.case
        heard = self.logs.heard(places.cases)
        company = self._company(case, heard.people)
        stays = self.stays.stays_in(case, heard.places)
        found = []
        for day in range(case.first_day, case.day + 1):
            begin, end = self.days.start(day), self.days.start(day + 1)
            people, hours = company.get(day, (0, ()))
            found.append(
                CaseDay(
                    day,
                    begin,
                    end,
                    people,
                    tuple(hours),
                    tuple(
                        shown
                        for shown in places.visits
                        if shown.visit is not None
                        and shown.visit.start < end
                        and shown.visit.end > begin
                    ),
                    tuple(stay for stay in stays if stay.begin < end and stay.end >= begin),
                    tuple(shown for shown in places.trips if shown.kept.trip_day == day),
                )
            )
        return DaysOfCase(case, tuple(found), tuple(stays), places)

    def _company(
        self, case: Case, heard: Sightings
    ) -> dict[int, tuple[int, Sequence[CompanyHour]]]:
        """Return of each day with company: different people in all, and by the hour."""
        first, end = case.traced_span(self.days)
        inside = (heard.time >= first) & (heard.time < end)
        time, person = heard.time[inside], heard.peer.codes[inside]
        starts = np.array([self.days.start(day) for day in range(case.first_day, case.day + 2)])
        place = np.searchsorted(starts, time, side="right") - 1
        hour = ((time - starts[place]) // SECONDS_PER_HOUR).astype(np.int64)
        # Each (day, hour, person) once, then counted by (day, hour).
        slots = np.unique(np.column_stack([place, hour, person]), axis=0)
        by_hour, counts = np.unique(slots[:, :2], axis=0, return_counts=True)
        on_day = np.unique(slots[:, [0, 2]], axis=0)[:, 0]
        hours: defaultdict[int, list[CompanyHour]] = defaultdict(list)
        for (day, which), people in zip(by_hour.tolist(), counts.tolist(), strict=True):
            hours[day].append(CompanyHour(float(starts[day] + which * SECONDS_PER_HOUR), people))
        return {
            case.first_day + day: (int((on_day == day).sum()), rows) for day, rows in hours.items()
        }
