"""`tracetogether authority follow-up people|next`: people in place of rows, and the next call."""

import sys
import time
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.calls import PeopleQuery, ShiftReason
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.cases.followed import ALL_ROWS, ContactState
from tracetogether.authority.desk.calling import CallSheet
from tracetogether.authority.desk.people import PersonToCall
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    count_text,
    folder_option,
    limit_option,
    offset_option,
)
from tracetogether.cli.authority_status import acting, own_work_option
from tracetogether.cli.console import answer, percent, right, table
from tracetogether.cli.options import as_json
from tracetogether.local_days import LocalDays


@click.command()
@click.option("--all", "everybody", is_flag=True, help="Show everybody, not only who is due today.")
@click.option("--case", "case_id", help="Show only people near this case.")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in ContactState]),
    multiple=True,
    help="Show only people with a contact in this state. Repeatable.",
)
@click.option("--without-number", is_flag=True, help="Show only people without a number.")
@click.option(
    "--language",
    metavar="CODE",
    help="Show only people who speak this language, such as ms; und: whose language is not known.",
)
@click.option("--mine", is_flag=True, help="Show only people near cases assigned to you.")
@own_work_option
@offset_option
@limit_option
@folder_option
@as_json
def people(
    case_id: str | None,
    states: tuple[str, ...],
    language: str | None,
    token_file: Path | None,
    offset: int,
    limit: int | None,
    folder: Path,
    *,
    everybody: bool,
    without_number: bool,
    mine: bool,
    as_json: bool,
) -> None:
    """List people to call today, the most urgent first; near several cases is one line."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now, console=True) as by:
        query = PeopleQuery(
            due_on=None if everybody or states else service.desk.today(now),
            case_id=case_id,
            states=frozenset(map(ContactState, states)),
            without_number=without_number,
            language=language,
            assigned_to=by.name if mine else None,
            offset=offset,
            limit=limit or ALL_ROWS,
        )
        page, days = service.people.page(query, now, by=by), service.days
    count = count_text(len(page.people), page.offset, page.total, "people")
    facts = {
        "total": page.total,
        "offset": page.offset,
        "people": [_facts(person) for person in page.people],
    }
    answer(facts, _table(page.people, days), count, as_json=as_json)


@click.command("next")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in ShiftReason]),
    default=ShiftReason.DAILY_CALLS.value,
    show_default=True,
    help="Why you see the name; recorded in the audit log.",
)
@click.option("--skip", default="", metavar="CONTACT_ID", help="Take the next person but this one.")
@own_work_option
@folder_option
@as_json
def call_next(
    reason: str, skip: str, token_file: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Take the most urgent person of your cases, or of one that nobody has, and show whom to call.

    Record what the call found with `follow-up call`. For 20 minutes nobody else gets this person.
    Your cases are those of the operator whose token is given.
    """
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now, console=True) as by:
        shift = service.calling.shift(now, by=by)
        if shift is None or shift.reason.value != reason:
            service.calling.begin_shift(ShiftReason(reason), now, by=by)
        sheet, days = service.calling.next(now, skip=skip, by=by), service.days
        ready, more = service.calling.ready(now, by=by)
    left = {"ready": ready, "more": more}
    if sheet is None:
        answer({"call": None, **left}, "Nobody is left to call now.", as_json=as_json)
        return
    count = f"{ready} people to call now{', or more' if more else ''}, this one included"
    answer({"call": _sheet_facts(sheet), **left}, *_said(sheet, days), count, as_json=as_json)


@click.command("find")
@click.argument("text")
@folder_option
@as_json
def find_person(text: str, folder: Path, *, as_json: bool) -> None:
    """Find the one who rings back, by TEXT: number, name, pseudonym or user id.

    Of a telephone number the last eight digits count; a name must be complete. With `-`, TEXT is
    the first line of the standard input, and stays out of the history of the shell.
    """
    if text == "-":
        text = sys.stdin.readline().strip()
    with opened_folder(folder) as service:
        found, days = service.search.find(text, time.time(), by=CONSOLE), service.days
    count = count_text(len(found.people), 0, len(found.people), "people")
    facts = {
        "people": [_facts(person) for person in found.people],
        "cases": [
            {
                "case_id": each.case.case_id,
                "pseudonym": each.pseudonym,
                "state": each.case.state.value,
                "assigned_to": each.case.assigned_to,
            }
            for each in found.cases
        ],
        "with_colleagues": found.with_colleagues,
        "more": found.more,
    }
    if found.more:
        count += "; more fit: search by telephone number"
    cases = table(
        found.cases,
        ("case", lambda each: each.case.case_id),
        ("person", lambda each: each.pseudonym),
        ("state", lambda each: each.case.state.value),
        ("tracer", lambda each: each.case.assigned_to or "nobody"),
        title="Cases of these people",
    )
    shown = [cases] if found.cases else []
    answer(facts, _table(found.people, days), *shown, count, as_json=as_json)


def _facts(person: PersonToCall) -> dict[str, object]:
    return {
        "contact_id": person.contact_id,
        "pseudonym": person.pseudonym,
        "priority": person.priority.word,
        "reasons": list(person.reasons),
        "probability": person.probability,
        "cases": [shown.kept.case_id for shown in person.lines],
        "states": [state.value for state in person.states],
        "missed": person.missed,
        "until": date_of_day(person.until_day),
        "call_at": person.call_at,
        "reserved_by": person.reserved_by,
        "version": person.version,
    }


def _table(found: tuple[PersonToCall, ...], days: LocalDays) -> Table:
    return table(
        found,
        ("contact", lambda person: person.contact_id),
        ("person", lambda person: person.pseudonym),
        (right("likely"), lambda person: percent(person.probability)),
        ("priority", lambda person: person.priority.word),
        ("cases", lambda person: " ".join(shown.kept.case_id for shown in person.lines)),
        ("state", lambda person: ", ".join(_words(state) for state in person.states)),
        ("call at", lambda person: "" if person.call_at is None else days.text(person.call_at)),
        ("with", lambda person: person.reserved_by),
    )


def _words(state: ContactState) -> str:
    return state.value.replace("_", " ")


def _sheet_facts(sheet: CallSheet) -> dict[str, object]:
    return {
        **_facts(sheet.line),
        "name": sheet.person.name,
        "phone": sheet.person.phone,
        "wrong_number": sheet.person.wrong_number,
        "language": sheet.person.language,
        "notes": [note.text for note in sheet.notes],
        "reserved_until": sheet.reserved_until,
        "outside_hours": sheet.outside_hours,
    }


def _said(sheet: CallSheet, days: LocalDays) -> list[str]:
    line, person = sheet.line, sheet.person
    cases = " ".join(shown.kept.case_id for shown in line.lines)
    wrong = ", a wrong number: ask for another one" if person.wrong_number else ""
    return [
        f"{person.name or 'No name is stored'}, {person.phone or 'no number is stored'}{wrong}",
        f"Language: {person.language or 'not known'}",
        f"Contact {line.contact_id} ({line.pseudonym}), near {cases}; don't name a case",
        (
            f"Likely {percent(line.probability)}, priority {line.priority.word}, "
            f"follow-up until {date_of_day(line.until_day)}"
        ),
        *(f"Note of {note.by}, {days.text(note.at)}: {note.text}" for note in sheet.notes),
        *(["It is outside of the calling hours: don't call now"] if sheet.outside_hours else []),
        f"Kept for you until {days.text(sheet.reserved_until)}",
    ]
