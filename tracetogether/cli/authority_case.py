"""`tracetogether authority case`: open cases, issue upload PINs, list contacts."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case, day_of
from tracetogether.authority.cases.followed import ALL_ROWS
from tracetogether.authority.handover.sending import HandedOver
from tracetogether.authority.intake.pins import PinLifetime, PinState
from tracetogether.authority.tracing.one_case import TracedCase
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.cli.authority_case_person import describe, person
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_graph import graph, onward, policy_option
from tracetogether.cli.authority_options import (
    FolderCommand,
    count_text,
    date_option,
    folder_option,
    limit_option,
    offset_option,
)
from tracetogether.cli.authority_warnings import place_text, trip_text
from tracetogether.cli.console import (
    answer,
    fixed,
    interval_text,
    local_text,
    percent,
    right,
    say,
    table,
)
from tracetogether.cli.options import as_json
from tracetogether.local_days import LocalDays
from tracetogether.plain_text import counted

_short_option = click.option(
    "--short/--long",
    default=False,
    help="Lifetime of the PIN: 15 minutes, to read it out now, or 24 hours.  [default: long]",
)


@click.group()
def case() -> None:
    """Open cases, issue upload PINs, list contacts."""


case.command_class = FolderCommand
case.add_command(graph)
case.add_command(onward)
case.add_command(person)
case.add_command(describe)


@case.command("open")
@click.argument("user_id")
@date_option("Date of diagnosis or first symptoms, in the authority's time zone.")
@_short_option
@folder_option
@as_json
def open_case(
    user_id: str, date: datetime | None, folder: Path, *, short: bool, as_json: bool
) -> None:
    """Open a case for USER_ID, and print the case id and an upload PIN."""
    now = time.time()
    day = None if date is None else day_of(date.date())
    with opened_folder(folder) as service:
        days = service.days
        opened = service.casework.open_case(user_id, now, day, by=CONSOLE)
        pin = service.pins.issue(opened, now, lifetime=_lifetime(short=short), by=CONSOLE)
    _print_pin(opened, pin, now + _lifetime(short=short).seconds, days, as_json=as_json)


@case.command("pin")
@click.argument("case_id")
@_short_option
@click.option(
    "--after",
    metavar="MARK",
    help="Mark of the last PIN, as `case pin-state` shows it: if another one was issued since, "
    "none is issued now.",
)
@folder_option
@as_json
def new_pin(case_id: str, after: str | None, folder: Path, *, short: bool, as_json: bool) -> None:
    """Print a new upload PIN for CASE_ID; the earlier PIN becomes invalid."""
    now, lifetime = time.time(), _lifetime(short=short)
    with opened_folder(folder) as service:
        days = service.days
        opened = service.casework.case(case_id, by=CONSOLE)
        pin = service.pins.issue(opened, now, lifetime=lifetime, after=after, by=CONSOLE)
    _print_pin(opened, pin, now + lifetime.seconds, days, as_json=as_json)


@case.command("pin-state")
@click.argument("case_id")
@folder_option
@as_json
def pin_state(case_id: str, folder: Path, *, as_json: bool) -> None:
    """Show what became of the last upload PIN of CASE_ID: out, used, expired or void.

    The mark names that PIN without showing it; `case pin --after MARK` issues no PIN beside it.
    """
    now = time.time()
    with opened_folder(folder) as service:
        last = service.pins.last(service.casework.case(case_id, by=CONSOLE), now, by=CONSOLE)
        days = service.days
    out = last.state is PinState.OUT
    until = f" until {local_text(last.expiry, days)} {days.name}" if out else ""
    answer(
        {"state": last.state.value, "expires_at": last.expires_at, "mark": last.mark},
        f"The last PIN is {last.state.value}{until}; mark {last.mark}"
        if last.state is not PinState.NONE
        else "The case has no PIN; mark none",
        as_json=as_json,
    )


@case.command()
@click.argument("case_id")
@folder_option
def confirm(case_id: str, folder: Path) -> None:
    """Confirm CASE_ID, which a tracer opened for a contact.

    From then on the case's list also uses what the logs of other cases say about this person.
    """
    with opened_folder(folder) as service:
        confirmed = service.casework.confirm(case_id, time.time(), by=CONSOLE)
        service.finder.refresh(confirmed, time.time())
    say(f"{confirmed.case_id} is confirmed")


def _lifetime(*, short: bool) -> PinLifetime:
    return PinLifetime.SHORT if short else PinLifetime.LONG


def _print_pin(opened: Case, pin: str, expiry: float, days: LocalDays, *, as_json: bool) -> None:
    until = f"{local_text(expiry, days)} {days.name}"
    answer(
        {
            "case_id": opened.case_id,
            "date": opened.date,
            "upload_pin": pin,
            "expires_at": expiry,
        },
        f"Case        {opened.case_id}   (date {opened.date})",
        f"Upload PIN  {pin}     (once, until {until}; shown only now)",
        as_json=as_json,
    )


@case.command("list")
@offset_option
@limit_option
@folder_option
@as_json
def list_cases(offset: int, limit: int | None, folder: Path, *, as_json: bool) -> None:
    """List all cases, the newest first."""
    with opened_folder(folder) as service:
        everything, days = service.casework.cases(by=CONSOLE), service.days
        cases = everything[offset : offset + (limit or ALL_ROWS)]
        named = [(entry, service.desk.name_of(entry.user_id)) for entry in cases]
    listed = [
        {
            "case_id": entry.case_id,
            "pseudonym": name,
            "date": entry.date,
            "opened_at": entry.opened_at,
            "state": entry.state.value,
            "confirmed": not entry.unconfirmed,
            "origin": entry.origin,
        }
        for entry, name in named
    ]
    shown = table(
        named,
        ("case", lambda row: row[0].case_id),
        ("person", lambda row: row[1]),
        ("date", lambda row: row[0].date),
        (f"opened ({days.name})", lambda row: days.text(row[0].opened_at)),
        ("state", lambda row: row[0].state.value + ", not confirmed" * row[0].unconfirmed),
        ("from", lambda row: row[0].origin),
    )
    count = count_text(len(cases), offset, len(everything), "cases")
    answer(listed, shown, count, as_json=as_json)


@case.command()
@click.argument("case_id")
@policy_option
@click.option(
    "--quarantined", is_flag=True, help="Also use records of days whose keys are quarantined."
)
@folder_option
@as_json
def contacts(case_id: str, policy: str, folder: Path, *, quarantined: bool, as_json: bool) -> None:
    """List the contacts of CASE_ID in the 14 days before the case's date."""
    with opened_folder(folder) as service:
        found = service.casework.case(case_id, by=CONSOLE)
        traced = service.tracing.contacts(
            found, service.tracing.policy(policy), believe_quarantined=quarantined, by=CONSOLE
        )
        handed = service.record_sending.of_case(found, by=CONSOLE)
        service.audit.record("contacts.listed", time.time(), by=CONSOLE.name, subject=case_id)

    from tracetogether.shapes.contacts import Contacts  # noqa: PLC0415 - pydantic is optional

    answer(
        lambda: Contacts.of(traced).with_handed_over(handed).json_value(),
        *_shown(traced),
        *map(_handed_text, handed),
        as_json=as_json,
    )


_STATES = {
    "waits": "waits to be handed over",
    "sent": "handed over",
    "exported": "written to a file for it",
}


def _handed_text(handed: HandedOver) -> str:
    more = f"{counted(handed.tempids, 'TempIDs')}, {counted(handed.records, 'records')}"
    said = f"{counted(handed.people, 'people')} of {handed.organisation}: {_STATES[handed.state]}"
    return f"{said} (at least; {more})"


def _shown(traced: TracedCase) -> Iterator[Table | str]:
    policy = traced.policy
    if traced.case.origin:
        yield f"Records that {traced.case.origin} handed over on {traced.case.date}"
    yield table(
        traced.contacts,
        (fixed("person"), lambda contact: contact.pseudonym),
        (right("likely"), lambda contact: percent(contact.probability)),
        (right("minutes near"), lambda contact: interval_text(contact.minutes)),
        (right("nearest, m"), lambda contact: interval_text(contact.nearest_m, 1)),
        ("close", lambda contact: "YES" if contact.close_contact else "no"),
        (right("days"), lambda contact: str(len(contact.days))),
        (fixed("last"), lambda contact: contact.days[-1].date[5:]),
        ("seen by", lambda contact: contact.seen_by),
        title=f"Contacts of case {traced.case.case_id} ({traced.case.date} and 14 days before)",
        caption=f"likely: {policy.near} for {policy.minutes:g} min or more in 24 hours; a close "
        f"contact from {percent(policy.least_chance)} on; in brackets 5 % to 95 %",
    )
    yield (
        f"{counted(traced.uploads, 'uploads')}, {counted(traced.records, 'records')}, "
        f"{traced.accepted} accepted, {traced.in_span} of them in these days"
    )
    if traced.rejected:
        reasons = sorted(traced.rejected.items(), key=lambda entry: -entry[1])
        yield "rejected: " + ", ".join(f"{count} {reason.value}" for reason, count in reasons)
    if traced.unreadable_uploads:
        lost = counted(traced.unreadable_uploads, "uploads")
        yield f"{lost} can't be opened: the keys are gone"


@case.command()
@click.argument("case_id")
@folder_option
@as_json
def stays(case_id: str, folder: Path, *, as_json: bool) -> None:
    """List at which places the phone of CASE_ID was, in the 14 days before the case's date."""
    with opened_folder(folder) as service:
        found = service.stays.of(service.casework.case(case_id, by=CONSOLE), by=CONSOLE)
        service.audit.record("stays.listed", time.time(), by=CONSOLE.name, subject=case_id)
        days = service.days
    shown = table(
        found,
        ("place", lambda stay: stay.place.name),
        ("site", lambda stay: stay.place.site),
        (f"from ({days.name})", lambda stay: days.text(stay.begin)),
        ("to", lambda stay: days.text(stay.end)),
        (right("records"), lambda stay: f"{stay.readings:,}"),
        ("fault", lambda stay: stay.fault),
        title=f"Places of case {case_id}",
    )

    from tracetogether.shapes.places import StayLine  # noqa: PLC0415 - pydantic is optional

    answer(
        lambda: [StayLine.of(stay).model_dump(mode="json", by_alias=True) for stay in found],
        shown,
        counted(len(found), "stays"),
        as_json=as_json,
    )


@case.command("days")
@click.argument("case_id")
@folder_option
@as_json
def fourteen_days(case_id: str, folder: Path, *, as_json: bool) -> None:
    """List what CASE_ID did on its date and the 14 days before: company, visits, stays, trips."""
    with opened_folder(folder) as service:
        found = service.fourteen_days.of(case_id, by=CONSOLE)
        service.audit.record("days.listed", time.time(), by=CONSOLE.name, subject=case_id)
        days = service.days
    shown = table(
        found.days,
        (fixed("day"), lambda day: day.date),
        (right("people near"), lambda day: str(day.people)),
        (right("hours with company"), lambda day: str(len(day.company))),
        ("visits", lambda day: "; ".join(map(place_text, day.visits))),
        ("stays at places", lambda day: "; ".join(stay.place.name for stay in day.stays)),
        ("trips", lambda day: "; ".join(map(trip_text, day.trips))),
        title=f"The days of case {case_id} ({days.name})",
    )

    from tracetogether.shapes.case_days import CaseDaysShape  # noqa: PLC0415 - optional

    answer(lambda: CaseDaysShape.of(found).json_value(), shown, as_json=as_json)


@case.command()
@click.argument("case_id")
@click.argument("person")
@click.option(
    "--reason", required=True, help="Reason, kept in the audit log. Don't put names in it."
)
@folder_option
@as_json
def reveal(case_id: str, person: str, reason: str, folder: Path, *, as_json: bool) -> None:
    """Print the user id of PERSON, a pseudonym in the contact list of CASE_ID."""
    with opened_folder(folder) as service:
        user_id = service.tracing.reveal(
            service.casework.case(case_id, by=CONSOLE), person, reason, time.time(), by=CONSOLE
        )
    facts = {"pseudonym": person, "user_id": user_id, "spoken": spoken_user_id(user_id)}
    answer(facts, user_id, f"To read out: {spoken_user_id(user_id)}", as_json=as_json)
