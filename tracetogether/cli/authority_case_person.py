"""`authority follow-up convert`, `authority case person|describe`: a contact becomes a case."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day, day_of
from tracetogether.authority.desk.case_people import AboutCase
from tracetogether.authority.desk.followup import Person
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, date_option, folder_option
from tracetogether.cli.console import answer, say
from tracetogether.cli.options import as_json, number_option


@click.command(cls=FolderCommand)
@click.argument("contact_id")
@date_option("Date of diagnosis, in the authority's time zone.")
@folder_option
def convert(contact_id: str, date: datetime | None, folder: Path) -> None:
    """Open a case for CONTACT_ID, who tested positive; name and number come along.

    Nobody calls the person as a contact any more. The next step is `authority case pin`.
    """
    day = None if date is None else day_of(date.date())
    with opened_folder(folder) as service:
        opened = service.merging.convert(contact_id, time.time(), day, by=CONSOLE)
    say(f"{contact_id} became case {opened.case_id} ({opened.date})")


@click.command(cls=FolderCommand)
@click.argument("case_id")
@click.option(
    "--reason",
    default="",
    help="Show name and number too, for this reason, which the audit log keeps.",
)
@folder_option
@as_json
def person(case_id: str, reason: str, folder: Path, *, as_json: bool) -> None:
    """Show from which contacts CASE_ID came, and who it is if there is a --reason."""
    with opened_folder(folder) as service:
        case = service.casework.case(case_id, by=CONSOLE)
        merged = service.merging.cases_into(case_id, by=CONSOLE)
        about = service.case_people.about(case, merged, by=CONSOLE)
        people = service.case_people
        who = people.reveal(case_id, reason, time.time(), by=CONSOLE) if reason else None

    def document() -> dict[str, object]:
        from tracetogether.shapes.follow_up import (  # noqa: PLC0415 - pydantic is optional
            AboutCaseShape,
            PersonLine,
        )

        found = AboutCaseShape.of_case(case, about).json_value()
        return found if who is None else {**found, "person": PersonLine.of(who).json_value()}

    answer(document, *_said(about, who), f"version {case.version}", as_json=as_json)


def _said(about: AboutCase, who: Person | None) -> Iterator[str]:
    for shown in about.contacts:
        kept = shown.kept
        yield f"was contact {kept.contact_id} ({shown.pseudonym}) of case {kept.case_id}"
    if about.symptoms_day is not None:
        yield f"symptoms when called on {date_of_day(about.symptoms_day)}"
    if who is None:
        yield f"stored: {' and '.join(sorted(about.described)) or 'no name, no number'}"
        return
    yield f"name       {who.name or '-'}"
    yield f"telephone  {who.phone or '-'}"
    yield from (f"also       {name or '-'}, {phone or '-'}" for name, phone in who.also)
    yield f"language   {who.language or '-'}"
    yield f"user id    {who.user_id}"


@click.command(cls=FolderCommand)
@click.argument("case_id")
@click.option("--name", default="", help="Name of the case's person.")
@click.option("--phone", default="", help="Telephone number.")
@click.option(
    "--language", default="", metavar="CODE", help="Language, such as ms; und deletes it."
)
@click.option(
    "--clear", type=click.Choice(["name", "phone"]), multiple=True, help="Delete it. Repeatable."
)
@number_option(
    "--version", "Version that `person` printed; needed to replace what is stored.", least=0
)
@folder_option
def describe(
    case_id: str,
    name: str,
    phone: str,
    language: str,
    clear: tuple[Literal["name", "phone"], ...],
    version: int | None,
    folder: Path,
) -> None:
    """Store name, telephone number and language of CASE_ID, sealed.

    They hold for the person: contacts that are the same person get them too.
    """
    with opened_folder(folder) as service:
        after = service.case_people.describe(
            case_id,
            name,
            phone,
            time.time(),
            language=language,
            clear=clear,
            version=version,
            by=CONSOLE,
        )
    say(f"{case_id} has version {after.version}")
