"""Contact lists on their way out: rows in a layout, one after the other, however many."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Protocol

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.operators import CONSOLE, Caller, Role
from tracetogether.authority.cases.followed import ContactState, KeptContact, name_in_lists
from tracetogether.errors import AccessDeniedError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.spreadsheets import Cell
from tracetogether.units import SECONDS_PER_DAY

_ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class ExportedContact:
    """What a layout is given of a contact.

    Attributes:
        number: 1, 2, 3, ... within the export.
        case_number: the same of cases.
        case_date: the case's date.
        pseudonym: "" once nobody can open it any more.
        kept: the rest.
    """

    number: int
    case_number: int
    case_date: str
    pseudonym: str
    kept: KeptContact


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns in their order, each with how it is made of a contact.

    Attributes:
        name: by which it is asked for.
        columns: heading -> cell.
    """

    name: str
    columns: Mapping[str, Callable[[ExportedContact], Cell]]

    @property
    def heading(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.columns)

    def row(self, contact: ExportedContact) -> tuple[Cell, ...]:
        """Return a contact's cells."""
        return tuple(cell(contact) for cell in self.columns.values())


def _date(time: float, form: str = "%Y-%m-%d") -> str:
    return datetime.fromtimestamp(time, UTC).strftime(form)


def _day(day: int, form: str = "%Y-%m-%d") -> str:
    return _date(day * SECONDS_PER_DAY, form)


def _moment(time: float | None) -> Cell:
    return None if time is None else _date(time, "%Y-%m-%dT%H:%M:%SZ")


def _layout(name: str, columns: dict[str, Callable[[ExportedContact], Cell]]) -> Layout:
    return Layout(name, MappingProxyType(columns))


CONTACTS: Final = _layout(
    "contacts",
    {
        "contact_id": lambda one: one.kept.contact_id,
        "case_id": lambda one: one.kept.case_id,
        "case_date": lambda one: one.case_date,
        "pseudonym": lambda one: one.pseudonym,
        "state": lambda one: one.kept.state.value,
        "priority": lambda one: one.kept.priority.word,
        "reasons": lambda one: " ".join(one.kept.reasons),
        "close_contact": lambda one: one.kept.close_contact,
        "probability": lambda one: round(one.kept.probability, 4),
        "days": lambda one: one.kept.days,
        "minutes": lambda one: round(one.kept.minutes, 2),
        "minutes_low": lambda one: round(one.kept.minutes_low, 2),
        "minutes_high": lambda one: round(one.kept.minutes_high, 2),
        "minutes_24h": lambda one: round(one.kept.minutes_24h, 2),
        "nearest_m": lambda one: round(one.kept.nearest_m, 2),
        "seen_by": lambda one: one.kept.seen_by,
        "first": lambda one: _moment(one.kept.first_s),
        "last": lambda one: _moment(one.kept.last_s),
        "found_at": lambda one: _moment(one.kept.found_at),
        "traced_at": lambda one: _moment(one.kept.traced_at),
        "follow_up_until": lambda one: _day(one.kept.until_day),
        "symptoms": lambda one: one.kept.symptoms,
        "missed": lambda one: one.kept.missed,
        "ended_at": lambda one: _moment(one.kept.ended_at),
        "became_case": lambda one: one.kept.became_case or None,
        "merged_into": lambda one: one.kept.merged_into or None,
    },
)
"""Everything but who it is."""

ANONYMOUS: Final = _layout(
    "anonymous",
    {
        "number": lambda one: one.number,
        "case_number": lambda one: one.case_number,
        "state": lambda one: one.kept.state.value,
        "priority": lambda one: one.kept.priority.word,
        "close_contact": lambda one: one.kept.close_contact,
        "days": lambda one: one.kept.days,
        "minutes": lambda one: 5 * round(one.kept.minutes / 5),
        "nearest_m": lambda one: round(2 * one.kept.nearest_m) / 2,
        "days_to_trace": lambda one: _days_between(one.kept.found_at, one.kept.traced_at),
        "symptoms": lambda one: one.kept.symptoms,
    },
)
"""No name that anything else bears, no date; minutes to five, metres to half a metre."""

_SORMAS_STATUS: Final = {
    ContactState.CASUAL: "NO_FOLLOW_UP",
    ContactState.TO_TRACE: "FOLLOW_UP",
    ContactState.REACHED: "FOLLOW_UP",
    ContactState.IN_FOLLOW_UP: "FOLLOW_UP",
    ContactState.LOST: "LOST",
    ContactState.COMPLETED: "COMPLETED",
    ContactState.BECAME_CASE: "CANCELED",
    ContactState.MERGED: "CANCELED",
}
_AMERICAN: Final = "%m/%d/%Y"

SORMAS: Final = _layout(
    "sormas",
    {
        "caseIdExternalSystem": lambda one: one.kept.case_id,
        "externalID": lambda one: one.kept.contact_id,
        "disease": lambda _: "CORONAVIRUS",
        "reportDateTime": lambda one: _date(one.kept.found_at, _AMERICAN),
        "firstContactDate": lambda one: _date(one.kept.first_s, _AMERICAN),
        "lastContactDate": lambda one: _date(one.kept.last_s, _AMERICAN),
        "contactClassification": lambda one: (
            "CONFIRMED" if one.kept.traced_at is not None else "UNCONFIRMED"
        ),
        "followUpStatus": lambda one: _SORMAS_STATUS[one.kept.state],
        "followUpUntil": lambda one: _day(one.kept.until_day, _AMERICAN),
        "highPriority": lambda one: one.kept.priority.word == "high",
        "description": lambda one: _said(one.kept),
        "person.firstName": lambda _: "TraceTogether",
        "person.lastName": lambda one: one.pseudonym or one.kept.contact_id,
    },
)
"""SORMAS's import of contacts (CSV, property names in the first row, dates as in English)."""

_GODATA_STATUS: Final = {
    **dict.fromkeys(ContactState, "Under follow-up"),
    ContactState.LOST: "Lost to follow-up",
    ContactState.COMPLETED: "Follow-up completed",
    ContactState.BECAME_CASE: "Became a case",
}

GODATA: Final = _layout(
    "godata",
    {
        "visualId": lambda one: one.kept.contact_id,
        "firstName": lambda one: one.pseudonym or one.kept.contact_id,
        "lastName": lambda _: "TraceTogether",
        "dateOfReporting": lambda one: _date(one.kept.found_at),
        "riskLevel": lambda one: one.kept.priority.word.capitalize(),
        "riskReason": lambda one: _said(one.kept),
        "followUp.startDate": lambda one: _date(one.kept.last_s + SECONDS_PER_DAY),
        "followUp.endDate": lambda one: _day(one.kept.until_day),
        "followUp.status": lambda one: _GODATA_STATUS[one.kept.state],
        "relationship.sourcePerson": lambda one: one.kept.case_id,
        "relationship.dateOfFirstContact": lambda one: _date(one.kept.first_s),
        "relationship.contactDate": lambda one: _date(one.kept.last_s),
        "relationship.certaintyLevelId": lambda one: (
            "High" if one.kept.probability >= 0.9 else "Medium"
        ),
        "relationship.exposureDurationId": lambda one: f"{one.kept.minutes:.0f} min",
    },
)
"""Go.Data's import of contacts (columns by the names of the fields; matched when importing)."""

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {one.name: one for one in (CONTACTS, ANONYMOUS, SORMAS, GODATA)}
)
"""The layouts that can be asked for by name."""


def _said(kept: KeptContact) -> str:
    return (
        f"{kept.minutes:.0f} min ({kept.minutes_low:.0f} to {kept.minutes_high:.0f}) near, "
        f"nearest {kept.nearest_m:.1f} m, on {kept.days} days"
    )


def _days_between(start: float, end: float | None) -> Cell:
    return None if end is None else int((end - start) // SECONDS_PER_DAY)


def layout_named(name: str) -> Layout:
    """Return a layout by its name.

    Raises:
        NotFoundError: there is none of that name; the message lists those there are.
    """
    if name not in LAYOUTS:
        msg = f"there is no such layout; there are {', '.join(LAYOUTS)}"
        raise NotFoundError(msg)
    return LAYOUTS[name]


class ExportStore(Protocol):
    """Where contacts can be read through from end to end."""

    def contacts_after(self, contact_id: str, limit: int) -> Sequence[tuple[KeptContact, str]]:
        """Return contacts by id beyond one ("" for the first), each with the case's date."""
        ...


@dataclass(frozen=True, slots=True)
class Exports:
    """Lets contact lists out, to exporters alone; every export stands in the audit log."""

    keys: KeyRing
    store: ExportStore
    audit: Audit

    def rows(
        self, layout: Layout, form: str, now: float, *, by: Caller = CONSOLE
    ) -> Iterator[tuple[Cell, ...]]:
        """Return an iterator over the heading and every contact, by id.

        The audit log is written before this returns; rows are read a thousand at a time. Merged
        contacts are left out.

        Args:
            layout: which columns.
            form: csv, ndjson or xlsx, for the audit log.
            now: epoch seconds.
            by: on whose behalf.

        Raises:
            AccessDeniedError: ``by`` is no exporter.
        """
        if Role.EXPORTER not in by.roles:
            msg = "lists are let out to exporters alone: ask for the role, or an exporter"
            raise AccessDeniedError(msg)
        self.audit.record("contacts.exported", now, by=by.name, layout=layout.name, form=form)
        return self._rows(layout)

    def _rows(self, layout: Layout) -> Iterator[tuple[Cell, ...]]:
        yield layout.heading
        number, after = 0, ""
        cases: dict[str, int] = {}
        while batch := self.store.contacts_after(after, _ROWS_AT_ONCE):
            for kept, case_date in batch:
                after = kept.contact_id
                if kept.state is ContactState.MERGED:
                    continue
                number += 1
                case_number = cases.setdefault(kept.case_id, len(cases) + 1)
                name = name_in_lists(kept, self.keys)
                yield layout.row(ExportedContact(number, case_number, case_date, name, kept))
