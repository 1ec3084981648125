"""`tracetogether authority follow-up`: who to call today, results of calls, WHO indicators."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day, day_of
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.followed import ALL_ROWS, ContactQuery, ContactState, Outcome
from tracetogether.authority.desk.views import Followed
from tracetogether.cli.authority_calling import call_next, find_person, people
from tracetogether.cli.authority_case_person import convert
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    count_text,
    date_option,
    folder_option,
    limit_option,
    offset_option,
)
from tracetogether.cli.authority_status import acting, own_work_option
from tracetogether.cli.console import answer, percent, progress, right, say, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.plain_text import counted

_EXPLAINED = {
    "traced_within_a_day": "contacts reached within a day of the log that named them",
    "followed_all_days": "contacts reached on every day of follow-up",
    "new_cases_known": "new cases who were known contacts",
    "started_within_a_day": "cases with a first call within 24 hours",
    "lost": "contacts lost",
}


@click.group("follow-up")
def follow_up() -> None:
    """Call contacts each day: list who is due, record results, show indicators."""


follow_up.command_class = FolderCommand
follow_up.add_command(people)
follow_up.add_command(call_next)
follow_up.add_command(find_person)
follow_up.add_command(convert)


@follow_up.command("list")
@click.option("--case", "case_id", help="Show only contacts of this case.")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in ContactState]),
    multiple=True,
    help="Show only contacts in this state. Repeatable.",
)
@click.option("--due", is_flag=True, help="Show only contacts to call today.")
@offset_option
@limit_option
@folder_option
@as_json
def list_followed(
    case_id: str | None,
    states: tuple[str, ...],
    offset: int,
    limit: int | None,
    folder: Path,
    *,
    due: bool,
    as_json: bool,
) -> None:
    """List all contacts under follow-up, the most urgent first."""
    query = ContactQuery(
        case_id=case_id,
        states=frozenset(map(ContactState, states)),
        offset=offset,
        limit=limit or ALL_ROWS,
    )
    with opened_folder(folder) as service:
        if due:
            query = replace(query, due_on=service.desk.today(time.time()))
        page = service.desk.page(query, by=CONSOLE)
    contacts = [_facts(followed) for followed in page.contacts]
    count = count_text(len(page.contacts), page.offset, page.total, "contacts")
    facts = {"total": page.total, "offset": page.offset, "contacts": contacts}
    answer(facts, _table(page.contacts), count, as_json=as_json)


def _facts(followed: Followed) -> dict[str, object]:
    kept = followed.kept
    return {
        "contact_id": kept.contact_id,
        "case_id": kept.case_id,
        "pseudonym": followed.pseudonym,
        "state": kept.state.value,
        "priority": kept.priority.word,
        "reasons": list(kept.reasons),
        "probability": kept.probability,
        "minutes": kept.minutes,
        "last_s": kept.last_s,
        "until": date_of_day(kept.until_day),
        "missed": kept.missed,
        "symptoms": kept.symptoms,
        "version": kept.version,
    }


def _table(contacts: Sequence[Followed]) -> Table:
    return table(
        contacts,
        ("contact", lambda followed: followed.kept.contact_id),
        ("case", lambda followed: followed.kept.case_id),
        ("person", lambda followed: followed.pseudonym),
        (right("likely"), lambda followed: percent(followed.kept.probability)),
        (right("minutes"), lambda followed: f"{followed.kept.minutes:.0f}"),
        ("priority", lambda followed: followed.kept.priority.word),
        ("state", lambda followed: followed.kept.state.value.replace("_", " ")),
    )


@follow_up.command()
@click.argument("contact_id")
@click.argument("outcome", type=click.Choice([outcome.value for outcome in Outcome]))
@date_option("Day of the call, in the authority's time zone.")
@click.option(
    "--call-at",
    type=click.DateTime(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]),
    metavar="YYYY-MM-DDTHH:MM",
    help="When to call again, in the authority's time zone.  [default: any time tomorrow]",
)
@number_option(
    "--version",
    "Version that `show` printed; needed to replace another operator's result.",
    least=0,
)
@click.option(
    "--note", default="", help="Note for the next caller; with `-`, the standard input is the note."
)
@click.option("--name", default="", help="Name of the person, stored encrypted.")
@click.option("--phone", default="", help="Telephone number of the person, stored encrypted.")
@click.option(
    "--language",
    default="",
    metavar="CODE",
    help="Language of the person, such as ms, stored encrypted; und deletes it.",
)
@own_work_option
@folder_option
def call(
    contact_id: str,
    outcome: str,
    date: datetime | None,
    call_at: datetime | None,
    version: int | None,
    note: str,
    name: str,
    phone: str,
    language: str,
    token_file: Path | None,
    folder: Path,
) -> None:
    """Record the result of a day's call to CONTACT_ID, for all cases of the person.

    All that you give is stored, or nothing. Whom `follow-up next` gave you is free again.
    """
    now = time.time()
    text = sys.stdin.read() if note == "-" else note
    with (
        opened_folder(folder) as service,
        acting(service, token_file, now, console=True) as by,
        service.audit.atomic(),
    ):
        day = service.desk.today(now) if date is None else day_of(date.date())
        again = None if call_at is None else call_at.replace(tzinfo=service.days.zone).timestamp()
        followed = service.follow_up.record(
            contact_id, day, Outcome(outcome), now, call_at=again, version=version, by=by
        )
        kept = followed.kept
        if name.strip() or phone.strip() or language.strip():
            seen = None if version is None else kept.version
            service.follow_up.describe(
                contact_id, name, phone, now, language=language, version=seen, by=by
            )
        if text.strip():
            service.follow_up.note(kept.case_id, text, now, contact_id=contact_id, by=by)
        service.calling.release(by=by)
    say(f"{contact_id} is {followed.kept.state.value.replace('_', ' ')}")


@follow_up.command()
@click.argument("contact_id")
@folder_option
@as_json
def show(contact_id: str, folder: Path, *, as_json: bool) -> None:
    """Show the contact CONTACT_ID and the result of each day of follow-up."""
    with opened_folder(folder) as service:
        followed = service.desk.contact(contact_id, by=CONSOLE)
        days, local = service.desk.calendar(contact_id, by=CONSOLE), service.days
    calendar = [
        {
            "date": date_of_day(day.day),
            "outcome": None if day.outcome is None else day.outcome.value,
            "by": day.by,
        }
        for day in days
    ]
    shown = table(
        days,
        ("day", lambda day: date_of_day(day.day)),
        ("outcome", lambda day: "" if day.outcome is None else day.outcome.value.replace("_", " ")),
        ("recorded by", lambda day: day.by),
        (f"at ({local.name})", lambda day: "" if day.at is None else local.text(day.at)),
    )
    facts = {**_facts(followed), "calendar": calendar}
    version = f"version {followed.kept.version}"
    answer(facts, _table([followed]), shown, version, as_json=as_json)


@follow_up.command()
@click.argument("case_id")
@click.argument("operator")
@folder_option
def assign(case_id: str, operator: str, folder: Path) -> None:
    """Assign CASE_ID to the tracer OPERATOR; `-` assigns it to nobody."""
    with opened_folder(folder) as service:
        service.casework.assign(case_id, operator, time.time(), by=CONSOLE)
    say(f"{case_id} is assigned to {'nobody' if operator == NOBODY else operator}")


@follow_up.command()
@folder_option
@as_json
def refresh(folder: Path, *, as_json: bool) -> None:
    """Add contacts of uploaded logs that are not under follow-up yet.

    They come from logs that an earlier release received. `authority migrate` does the same.
    """
    with opened_folder(folder) as service, progress("Cases") as advance:
        cases, contacts = service.finder.take_over(time.time(), advance)
    answer(
        {"cases": cases, "contacts": contacts},
        f"New under follow-up: {counted(contacts, 'contacts')}, in {counted(cases, 'cases')}",
        as_json=as_json,
    )


@follow_up.command()
@folder_option
@as_json
def indicators(folder: Path, *, as_json: bool) -> None:
    """Show the WHO indicators over all stored data, at most 25 days."""
    with opened_folder(folder) as service:
        found = service.desk.dashboard(time.time(), by=CONSOLE).indicators
    ratios = [(getattr(found, name), explained) for name, explained in _EXPLAINED.items()]
    shown = table(
        ratios,
        ("share", lambda row: "-" if row[0].share is None else f"{row[0].share:.0%}"),
        ("of", lambda row: f"{row[0].numerator} of {row[0].denominator}"),
        ("", lambda row: row[1]),
    )

    from tracetogether.shapes.follow_up import RatioLine  # noqa: PLC0415 - pydantic is optional

    answer(
        lambda: {name: RatioLine.of(getattr(found, name)).json_value() for name in _EXPLAINED},
        shown,
        as_json=as_json,
    )
