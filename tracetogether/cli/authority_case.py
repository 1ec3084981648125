"""`tracetogether authority case`: open cases, give out upload PINs, list contacts."""

import time
from datetime import datetime
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from tracetogether.authority.access.operators import CONSOLE
from tracetogether.authority.cases.casework import Case, day_of
from tracetogether.authority.cases.followed import ALL_ROWS
from tracetogether.authority.contacts.lines import Contact
from tracetogether.authority.intake.pins import PinLifetime
from tracetogether.authority.tracing.one_case import POLICIES, TracedCase
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_graph import graph, onward, percent, policy_option
from tracetogether.cli.authority_options import (
    FolderCommand,
    as_json,
    folder_option,
    limit_option,
    offset_option,
    print_shown,
)
from tracetogether.cli.console import out, print_json, utc_text
from tracetogether.units import Interval

_short_option = click.option(
    "--short/--long",
    default=False,
    help="How long the PIN is good: 15 minutes, to be read out, or (as without) 24 hours.",
)


@click.group()
def case() -> None:
    """Open cases, give out upload PINs, list contacts."""


case.command_class = FolderCommand
case.add_command(graph)
case.add_command(onward)


@case.command("open")
@click.argument("user_id")
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Date of diagnosis or first symptoms, in the authority's time zone; today if left out.",
)
@_short_option
@folder_option
@as_json
def open_case(
    user_id: str, date: datetime | None, folder: Path, *, short: bool, as_json: bool
) -> None:
    """Open a case for USER_ID, and print its id and an upload PIN."""
    now = time.time()
    day = None if date is None else day_of(date.date())
    with opened_folder(folder) as service:
        opened = service.casework.open_case(user_id, now, day)
        pin = service.pins.issue(opened, now, lifetime=_lifetime(short=short))
    _print_pin(opened, pin, now + _lifetime(short=short).seconds, as_json=as_json)


@case.command("pin")
@click.argument("case_id")
@_short_option
@folder_option
@as_json
def new_pin(case_id: str, folder: Path, *, short: bool, as_json: bool) -> None:
    """Print a new upload PIN for CASE_ID; the earlier one is void."""
    now = time.time()
    with opened_folder(folder) as service:
        opened = service.casework.case(case_id)
        pin = service.pins.issue(opened, now, lifetime=_lifetime(short=short))
    _print_pin(opened, pin, now + _lifetime(short=short).seconds, as_json=as_json)


@case.command()
@click.argument("case_id")
@folder_option
def confirm(case_id: str, folder: Path) -> None:
    """Confirm CASE_ID, which a tracer opened for a contact; others' logs are used from then on."""
    with opened_folder(folder) as service:
        confirmed = service.casework.confirm(case_id, time.time())
        service.follow_up.refresh(confirmed, time.time())
    out().print(f"{confirmed.case_id} is confirmed")


def _lifetime(*, short: bool) -> PinLifetime:
    return PinLifetime.SHORT if short else PinLifetime.LONG


def _print_pin(opened: Case, pin: str, expiry: float, *, as_json: bool) -> None:
    if as_json:
        said = {"case_id": opened.case_id, "date": opened.date, "upload_pin": pin}
        print_json({**said, "expires_at": expiry})
        return
    console = out()
    console.print(f"Case        {opened.case_id}   (date {opened.date})")
    console.print(f"Upload PIN  {pin}     (once, until {utc_text(expiry)} UTC; shown only now)")


@case.command("list")
@offset_option
@limit_option
@folder_option
@as_json
def list_cases(offset: int, limit: int | None, folder: Path, *, as_json: bool) -> None:
    """List cases, the newest first: all, unless --limit is given."""
    with opened_folder(folder) as service:
        everything, days = service.casework.cases(), service.days
        cases = everything[offset : offset + (limit or ALL_ROWS)]
        names = [service.desk.name_of(one.user_id) for one in cases]
    if as_json:
        print_json(
            [
                {
                    "case_id": one.case_id,
                    "pseudonym": name,
                    "date": one.date,
                    "opened_at": one.opened_at,
                    "state": one.state.value,
                    "confirmed": not one.unconfirmed,
                }
                for one, name in zip(cases, names, strict=True)
            ]
        )
        return
    table = Table("case", "person", "date", f"opened ({days.name})", "state")
    for one, name in zip(cases, names, strict=True):
        state = one.state.value + (", not confirmed" if one.unconfirmed else "")
        table.add_row(one.case_id, name, one.date, days.text(one.opened_at), state)
    out().print(table)
    print_shown(len(cases), offset, len(everything), "cases")


@case.command()
@click.argument("case_id")
@policy_option
@click.option(
    "--quarantined", is_flag=True, help="Believe records of days whose keys are quarantined too."
)
@folder_option
@as_json
def contacts(case_id: str, policy: str, folder: Path, *, quarantined: bool, as_json: bool) -> None:
    """List who was near CASE_ID's person in the 14 days before the case's date."""
    with opened_folder(folder) as service:
        found = service.casework.case(case_id)
        traced = service.tracing.contacts(found, POLICIES[policy], believe_quarantined=quarantined)
        service.audit.record("contacts.listed", time.time(), by=CONSOLE.name, subject=case_id)
    if as_json:
        from tracetogether.shapes.contacts import Contacts  # noqa: PLC0415 - pydantic is optional

        print_json(Contacts.of(traced).json_value())
    else:
        _print_contacts(traced)


def _print_contacts(traced: TracedCase) -> None:
    policy = traced.policy
    table = Table(
        Column("person", no_wrap=True),
        "close",
        Column("likely", justify="right"),
        Column("minutes near", justify="right"),
        Column("nearest, m", justify="right"),
        Column("days", justify="right"),
        Column("last", no_wrap=True),
        "seen by",
        title=f"Contacts of case {traced.case.case_id} ({traced.case.date} and 14 days before)",
        caption=(
            f"near: {policy.near}; close contact: {policy.minutes:g} min or more in 24 hours; "
            "likely: that it is one; in brackets 5 % to 95 %"
        ),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for contact in traced.contacts:
        table.add_row(*_cells(contact))
    console = out()
    console.print(table)
    console.print(
        f"{traced.uploads} uploads, {traced.records} records, {traced.accepted} believed, "
        f"{traced.in_span} of them in these days"
    )
    if traced.rejected:
        reasons = sorted(traced.rejected.items(), key=lambda one: -one[1])
        console.print(
            "not believed: " + ", ".join(f"{count} {reason.value}" for reason, count in reasons)
        )
    if traced.unreadable_uploads:
        console.print(f"{traced.unreadable_uploads} uploads can't be opened: their keys are gone")


def _cells(contact: Contact) -> tuple[str, ...]:
    return (
        contact.pseudonym,
        "YES" if contact.close_contact else "no",
        percent(contact.probability),
        _shown(contact.minutes, ".0f"),
        _shown(contact.nearest_m, ".1f"),
        str(len(contact.days)),
        contact.days[-1].date[5:],
        contact.seen_by,
    )


def _shown(value: Interval, form: str) -> str:
    return f"{value.median:{form}} ({value.low:{form}}-{value.high:{form}})"


@case.command()
@click.argument("case_id")
@click.argument("person")
@click.option("--reason", required=True, help="Why; stands in the audit log. Name nobody in it.")
@folder_option
@as_json
def reveal(case_id: str, person: str, reason: str, folder: Path, *, as_json: bool) -> None:
    """Print the user id behind PERSON, a pseudonym in CASE_ID's list of contacts."""
    with opened_folder(folder) as service:
        user_id = service.tracing.reveal(
            service.casework.case(case_id), person, reason, time.time(), by=CONSOLE
        )
    if as_json:
        print_json({"pseudonym": person, "user_id": user_id})
    else:
        out().print(user_id)
