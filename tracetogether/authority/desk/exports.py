"""Export of contact lists: rows in a layout, read in batches, so that memory stays small."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.followed import (
    ContactState,
    KeptContact,
    name_in_lists,
    with_times,
)
from tracetogether.authority.cases.store import DeskStore
from tracetogether.errors import InvalidRequestError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.tables.spreadsheets import Cell
from tracetogether.units import SECONDS_PER_DAY

_ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ExportedContact:
    """The data of a contact that a layout can use.

    Attributes:
        number: 1, 2, 3, ... within the export.
        case_number: the same for cases.
        case_date: the case's date.
        pseudonym: "" if the key of the day is destroyed.
        kept: the rest.
        days: the authority's time zone, for dates.
    """

    number: int
    case_number: int
    case_date: str
    pseudonym: str
    kept: KeptContact
    days: LocalDays = UTC_DAYS

    def date(self, time: float, form: str = "%Y-%m-%d") -> str:
        """Return the local date of a time (epoch seconds)."""
        return self.days.text(time, form)

    def moment(self, time: float | None) -> Cell:
        """Return a time (epoch seconds) as ISO 8601 with the zone's offset; Z for UTC."""
        if time is None:
            return None
        return self.days.moment(time).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns in their order, each with the function that computes its cells.

    Attributes:
        name: the name that callers use.
        columns: heading -> cell.
        above: text of every cell in a row above the headings in CSV, which one program requires;
            "" for no such row.
    """

    name: str
    columns: Mapping[str, Callable[[ExportedContact], Cell]]
    above: str = ""

    @property
    def heading(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.columns)

    def headings(self, form: str) -> tuple[tuple[str, ...], ...]:
        """Return the rows before the first contact's; ``form`` is csv, ndjson or xlsx."""
        above = ((self.above,) * len(self.columns),) if self.above and form == "csv" else ()
        return (*above, self.heading)

    def row(self, contact: ExportedContact) -> tuple[Cell, ...]:
        """Return a contact's cells."""
        return tuple(cell(contact) for cell in self.columns.values())


def _day(day: int, form: str = "%Y-%m-%d") -> str:
    return UTC_DAYS.text(day * SECONDS_PER_DAY, form)


def _layout(
    name: str, columns: dict[str, Callable[[ExportedContact], Cell]], above: str = ""
) -> Layout:
    return Layout(name, MappingProxyType(columns), above)


CONTACTS: Final = _layout(
    "contacts",
    {
        "contact_id": lambda row: row.kept.contact_id,
        "case_id": lambda row: row.kept.case_id,
        "case_date": lambda row: row.case_date,
        "pseudonym": lambda row: row.pseudonym,
        "state": lambda row: row.kept.state.value,
        "priority": lambda row: row.kept.priority.word,
        "reasons": lambda row: " ".join(row.kept.reasons),
        "probability": lambda row: round(row.kept.probability, 4),
        "close_contact": lambda row: row.kept.close_contact,
        "days": lambda row: row.kept.days,
        "minutes": lambda row: round(row.kept.minutes, 2),
        "minutes_low": lambda row: round(row.kept.minutes_low, 2),
        "minutes_high": lambda row: round(row.kept.minutes_high, 2),
        "minutes_24h": lambda row: round(row.kept.minutes_24h, 2),
        "nearest_m": lambda row: round(row.kept.nearest_m, 2),
        "seen_by": lambda row: row.kept.seen_by,
        "first": lambda row: row.moment(row.kept.first_s),
        "last": lambda row: row.moment(row.kept.last_s),
        "found_at": lambda row: row.moment(row.kept.found_at),
        "traced_at": lambda row: row.moment(row.kept.traced_at),
        "follow_up_until": lambda row: _day(row.kept.until_day),
        "symptoms": lambda row: row.kept.symptoms,
        "missed": lambda row: row.kept.missed,
        "ended_at": lambda row: row.moment(row.kept.ended_at),
        "became_case": lambda row: row.kept.became_case or None,
        "merged_into": lambda row: row.kept.merged_into or None,
    },
)
"""Everything but who it is."""

ANONYMOUS: Final = _layout(
    "anonymous",
    {
        "number": lambda row: row.number,
        "case_number": lambda row: row.case_number,
        "state": lambda row: row.kept.state.value,
        "priority": lambda row: row.kept.priority.word,
        "probability": lambda row: round(row.kept.probability, 1),
        "close_contact": lambda row: row.kept.close_contact,
        "days": lambda row: row.kept.days,
        "minutes": lambda row: 5 * round(row.kept.minutes / 5),
        "nearest_m": lambda row: round(2 * row.kept.nearest_m) / 2,
        "days_to_trace": lambda row: _days_between(row.kept.found_at, row.kept.traced_at),
        "symptoms": lambda row: row.kept.symptoms,
    },
)
"""No name that anything else bears, no date; probability to tenths, minutes to five, metres
to half a metre."""

_SORMAS_STATUS: Final = {
    ContactState.CASUAL: "NO_FOLLOW_UP",
    ContactState.TO_TRACE: "FOLLOW_UP",
    ContactState.REACHED: "FOLLOW_UP",
    ContactState.IN_FOLLOW_UP: "FOLLOW_UP",
    ContactState.LOST: "LOST",
    ContactState.ENDED: "CANCELED",
    ContactState.COMPLETED: "COMPLETED",
    ContactState.BECAME_CASE: "CANCELED",
    ContactState.MERGED: "CANCELED",
}
_AMERICAN: Final = "%m/%d/%Y"

SORMAS: Final = _layout(
    "sormas",
    {
        "caseIdExternalSystem": lambda row: row.kept.case_id,
        "externalID": lambda row: row.kept.contact_id,
        "disease": lambda _: "CORONAVIRUS",
        "reportDateTime": lambda row: row.date(row.kept.found_at, _AMERICAN),
        "multiDayContact": lambda row: row.kept.days > 1,
        "firstContactDate": lambda row: row.date(row.kept.first_s, _AMERICAN),
        "lastContactDate": lambda row: row.date(row.kept.last_s, _AMERICAN),
        "contactClassification": lambda row: (
            "CONFIRMED" if row.kept.traced_at is not None else "UNCONFIRMED"
        ),
        "followUpStatus": lambda row: _SORMAS_STATUS[row.kept.state],
        "followUpUntil": lambda row: _day(row.kept.until_day, _AMERICAN),
        "highPriority": lambda row: row.kept.priority.word == "high",
        "description": lambda row: _said(row.kept),
        "person.firstName": lambda _: "TraceTogether",
        "person.lastName": lambda row: row.pseudonym or row.kept.contact_id,
        "person.sex": lambda _: "UNKNOWN",  # SORMAS requires it
    },
    above="Contact",
)
"""SORMAS's import of contacts (CSV: a row of entities, a row of properties; English dates)."""

_CATEGORY: Final = "LNG_REFERENCE_DATA_CATEGORY"
_STATUS: Final = "LNG_REFERENCE_DATA_CONTACT_FINAL_FOLLOW_UP_STATUS_TYPE"
_GODATA_STATUS: Final = {
    **dict.fromkeys(ContactState, "UNDER_FOLLOW_UP"),
    ContactState.LOST: "LOST_TO_FOLLOW_UP",
    ContactState.ENDED: "FOLLOW_UP_COMPLETED",
    ContactState.COMPLETED: "FOLLOW_UP_COMPLETED",
    ContactState.BECAME_CASE: "FOLLOW_UP_COMPLETED",
}
_GODATA_LEVELS: Final = {"low": "1_LOW", "medium": "2_MEDIUM", "high": "3_HIGH"}
_GODATA_DURATIONS: Final = (  # (exclusive upper bound in minutes, code)
    (1, "VERY_SHORT_SECONDS"),
    (60, "SHORT_MINUTES"),
    (1_440, "MEDIUM_HOURS"),
    (inf, "LONG_DAYS"),
)
_GODATA_CERTAINTIES: Final = (
    (0.9, "3_HIGH"),
    (0.5, "2_MEDIUM"),
    (0, "1_LOW"),
)  # least probability, code

GODATA: Final = _layout(
    "godata",
    {
        "visualId": lambda row: row.kept.contact_id,
        "firstName": lambda row: row.pseudonym or row.kept.contact_id,
        "lastName": lambda _: "TraceTogether",
        "dateOfReporting": lambda row: row.date(row.kept.found_at),
        "riskLevel": lambda row: f"{_CATEGORY}_RISK_LEVEL_{_GODATA_LEVELS[row.kept.priority.word]}",
        "riskReason": lambda row: _said(row.kept),
        "followUp.startDate": lambda row: _day(row.days.day(row.kept.last_s) + 1),
        "followUp.endDate": lambda row: _day(row.kept.until_day),
        "followUp.status": lambda row: f"{_STATUS}_{_GODATA_STATUS[row.kept.state]}",
        "relationship.persons[].id": lambda row: row.kept.case_id,
        "relationship.dateOfFirstContact": lambda row: row.date(row.kept.first_s),
        "relationship.contactDate": lambda row: row.date(row.kept.last_s),
        "relationship.certaintyLevelId": lambda row: _godata_certainty(row.kept.probability),
        "relationship.exposureDurationId": lambda row: _godata_duration(row.kept.minutes),
    },
)
"""Go.Data's import of contacts: columns as its fields, choices as the ids of its reference data."""

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {layout.name: layout for layout in (CONTACTS, ANONYMOUS, SORMAS, GODATA)}
)
"""The layouts that can be asked for by name."""


def _godata_certainty(probability: float) -> str:
    level = next(word for least, word in _GODATA_CERTAINTIES if probability >= least)
    return f"{_CATEGORY}_CERTAINTY_LEVEL_{level}"


def _godata_duration(minutes: float) -> str:
    word = next(word for most, word in _GODATA_DURATIONS if minutes < most)
    return f"{_CATEGORY}_EXPOSURE_DURATION_{word}"


def _said(kept: KeptContact) -> str:
    return (
        f"{100 * kept.probability:.0f} % likely a close contact, {kept.minutes:.0f} min "
        f"({kept.minutes_low:.0f} to {kept.minutes_high:.0f}) near, "
        f"nearest {kept.nearest_m:.1f} m, on {kept.days} days"
    )


def _days_between(start: float, end: float | None) -> Cell:
    return None if end is None else int((end - start) // SECONDS_PER_DAY)


def layout_named(name: str) -> Layout:
    """Return a layout by its name.

    Raises:
        InvalidRequestError: there is no such layout; the message lists them.
    """
    if name not in LAYOUTS:
        msg = f"there is no such layout: choose one of {', '.join(LAYOUTS)}"
        raise InvalidRequestError(msg, "no-such-layout")
    return LAYOUTS[name]


@dataclass(frozen=True, slots=True)
class Exports:
    """Exports contact lists to exporters; the audit log records every export."""

    keys: KeyRing
    store: DeskStore
    audit: Audit
    days: LocalDays = UTC_DAYS

    def rows(
        self, layout: Layout, form: str, now: float, *, by: Caller
    ) -> Iterator[tuple[Cell, ...]]:
        """Return an iterator over the headings and every contact, by id.

        The layout defines the number of heading rows. The audit entry is written before this
        returns; rows are read a thousand at a time. Merged contacts are left out.

        Args:
            layout: which columns.
            form: csv, ndjson or xlsx, for the audit log.
            now: epoch seconds.
            by: the caller.

        Raises:
            AccessDeniedError: ``by`` may not export.
        """
        by.require(Action.EXPORT)
        self.audit.record("contacts.exported", now, by=by.name, layout=layout.name, form=form)
        return self._rows(layout, form)

    def _rows(self, layout: Layout, form: str) -> Iterator[tuple[Cell, ...]]:
        yield from layout.headings(form)
        number, after = 0, ""
        cases: dict[str, int] = {}
        while batch := self.store.contacts_after(after, _ROWS_AT_ONCE):
            for kept, case_date in batch:
                after = kept.contact_id
                if kept.state is ContactState.MERGED:
                    continue
                number += 1
                case_number = cases.setdefault(kept.case_id, len(cases) + 1)
                name, timed = name_in_lists(kept, self.keys), with_times(kept, self.keys)
                yield layout.row(
                    ExportedContact(number, case_number, case_date, name, timed, self.days)
                )
