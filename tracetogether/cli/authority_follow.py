"""`tracetogether authority follow-up`: whom to call today, what the calls found, how it goes."""

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
from rich.table import Column, Table

from tracetogether.authority.access.operators import CONSOLE
from tracetogether.authority.cases.casework import NOBODY, date_of_day, day_of
from tracetogether.authority.cases.followed import ALL_ROWS, ContactQuery, ContactState, Outcome
from tracetogether.authority.desk.views import ContactPage, Followed
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    as_json,
    folder_option,
    limit_option,
    offset_option,
    print_shown,
)
from tracetogether.cli.console import out, print_json, progress

_EXPLAINED = {
    "traced_within_a_day": "contacts reached within a day of the log that named them",
    "followed_all_days": "contacts reached on every day of follow-up",
    "new_cases_known": "new cases who were known contacts",
    "started_within_a_day": "cases with a first call within 24 hours",
    "lost": "contacts lost",
}


@click.group("follow-up")
def follow_up() -> None:
    """Call contacts day by day: who is due, what was found, how well it goes."""


follow_up.command_class = FolderCommand


@follow_up.command("list")
@click.option("--case", "case_id", help="Of this case only.")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.value for state in ContactState]),
    multiple=True,
    help="In this state only; may be given several times.",
)
@click.option("--due", is_flag=True, help="Only those to be called today.")
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
    """List contacts under follow-up, the most urgent first: all, unless --limit is given."""
    query = ContactQuery(
        case_id=case_id,
        states=frozenset(map(ContactState, states)),
        offset=offset,
        limit=limit or ALL_ROWS,
    )
    with opened_folder(folder) as service:
        if due:
            query = replace(query, due_on=service.desk.today(time.time()))
        page = service.desk.page(query)
    if as_json:
        contacts = [_facts(one) for one in page.contacts]
        print_json({"total": page.total, "offset": page.offset, "contacts": contacts})
    else:
        _print(page)
        print_shown(len(page.contacts), page.offset, page.total, "contacts")


def _facts(one: Followed) -> dict[str, object]:
    kept = one.kept
    return {
        "contact_id": kept.contact_id,
        "case_id": kept.case_id,
        "pseudonym": one.pseudonym,
        "state": kept.state.value,
        "priority": kept.priority.word,
        "reasons": list(kept.reasons),
        "minutes": kept.minutes,
        "probability": kept.probability,
        "last_s": kept.last_s,
        "until": date_of_day(kept.until_day),
        "missed": kept.missed,
        "symptoms": kept.symptoms,
        "version": kept.version,
    }


def _print(page: ContactPage) -> None:
    near = Column("minutes", justify="right")
    table = Table("contact", "case", "person", "priority", "state", near)
    for one in page.contacts:
        kept = one.kept
        table.add_row(
            kept.contact_id,
            kept.case_id,
            one.pseudonym,
            kept.priority.word,
            kept.state.value.replace("_", " "),
            f"{kept.minutes:.0f}",
        )
    out().print(table)


@follow_up.command()
@click.argument("contact_id")
@click.argument("outcome", type=click.Choice([one.value for one in Outcome]))
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day of the call, in the authority's time zone; today if left out.",
)
@click.option(
    "--version",
    type=click.IntRange(0),
    help="Of the contact, as `show` printed it: needed to replace what somebody else found.",
)
@folder_option
def call(
    contact_id: str, outcome: str, date: datetime | None, version: int | None, folder: Path
) -> None:
    """Write down what a day's call to CONTACT_ID found: OUTCOME."""
    now = time.time()
    with opened_folder(folder) as service:
        day = service.desk.today(now) if date is None else day_of(date.date())
        followed = service.follow_up.record(
            contact_id, day, Outcome(outcome), now, version=version, by=CONSOLE
        )
    out().print(f"{contact_id} is {followed.kept.state.value.replace('_', ' ')}")


@follow_up.command()
@click.argument("contact_id")
@folder_option
@as_json
def show(contact_id: str, folder: Path, *, as_json: bool) -> None:
    """Show CONTACT_ID day by day."""
    with opened_folder(folder) as service:
        followed = service.desk.contact(contact_id)
        days, local = service.desk.calendar(contact_id), service.days
    calendar = [
        {
            "date": date_of_day(one.day),
            "outcome": None if one.outcome is None else one.outcome.value,
            "by": one.by,
        }
        for one in days
    ]
    if as_json:
        print_json({**_facts(followed), "calendar": calendar})
        return
    _print(ContactPage((followed,), 1, 0))
    table = Table("day", "outcome", "written by", f"at ({local.name})")
    for one in days:
        found = "" if one.outcome is None else one.outcome.value.replace("_", " ")
        at = "" if one.at is None else local.text(one.at)
        table.add_row(date_of_day(one.day), found, one.by, at)
    out().print(table)
    out().print(f"version {followed.kept.version}")


@follow_up.command()
@click.argument("case_id")
@click.argument("operator")
@folder_option
def assign(case_id: str, operator: str, folder: Path) -> None:
    """Give CASE_ID to OPERATOR, who traces; `-` takes it from everybody."""
    with opened_folder(folder) as service:
        service.casework.assign(case_id, operator, time.time())
    out().print(f"{case_id} is {'nobody' if operator == NOBODY else operator}'s")


@follow_up.command()
@folder_option
@as_json
def refresh(folder: Path, *, as_json: bool) -> None:
    """Put contacts on the lists whom a log names and nobody follows up.

    They are of logs that came in before there was a follow-up. `authority migrate` does the same.
    """
    with opened_folder(folder) as service, progress("Cases") as told:
        cases, contacts = service.follow_up.take_over(time.time(), told)
    if as_json:
        print_json({"cases": cases, "contacts": contacts})
    else:
        out().print(f"New under follow-up: {contacts} contacts, in {cases} cases")


@follow_up.command()
@folder_option
@as_json
def indicators(folder: Path, *, as_json: bool) -> None:
    """Show WHO's indicators over everything that is kept, at most 25 days."""
    with opened_folder(folder) as service:
        found = service.desk.dashboard(time.time()).indicators
    if as_json:
        from tracetogether.shapes.follow_up import RatioLine  # noqa: PLC0415 - pydantic is optional

        ratios = {name: RatioLine.of(getattr(found, name)).json_value() for name in _EXPLAINED}
        print_json(ratios)
        return
    table = Table("share", "of", "")
    for name, explained in _EXPLAINED.items():
        ratio = getattr(found, name)
        share = "-" if ratio.share is None else f"{ratio.share:.0%}"
        table.add_row(share, f"{ratio.numerator} of {ratio.denominator}", explained)
    out().print(table)
