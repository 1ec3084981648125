"""`tracetogether authority demo-data`: a made-up authority, to look at the pages and to teach."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.intake.issuance import Registration
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.cli.authority_folder import FIRST_OPERATOR, KEYS, create_folder, opened_folder
from tracetogether.cli.authority_options import folder_argument
from tracetogether.cli.console import answer, progress
from tracetogether.cli.options import as_json, number_option
from tracetogether.errors import StoreError
from tracetogether.plain_text import counted
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, utc_day

PHONE: Final = "phone"
LOG: Final = "phone.db"


@click.command("demo-data")
@folder_argument
@number_option("--people", "Number of people with the app.", default=500, least=24, most=5_000)
@number_option("--days", "Number of days to make up, until now.", default=21, least=3, most=21)
@number_option("--seed", "Random seed.", default=1, least=0)
@as_json
def demo_data(folder: Path, people: int, days: int, seed: int, *, as_json: bool) -> None:
    """Make an authority in DIR (./authority) full of made-up people, cases and calls.

    People meet in simulated rooms, some test positive and upload, and invented operators call the
    contacts each day. DIR/phone holds a phone whose owner has no case yet, with a log to upload.
    DIR must not exist, or must hold an authority without users.
    """
    # Imported here: the other commands start faster without the crowd.
    from tracetogether.cli.demo_days import Town, meetings  # noqa: PLC0415
    from tracetogether.cli.demo_work import MadeUpWork  # noqa: PLC0415

    now = time.time()
    start = (utc_day(now) - days) * SECONDS_PER_DAY
    if (folder / KEYS).exists():
        with opened_folder(folder) as service:
            _check_unused(service, folder, start)
    with progress("Simulated meetings") as advance:
        town = Town(people, seed, meetings(seed, advance))
    if not (folder / KEYS).exists():
        create_folder(folder, now=start)
    with opened_folder(folder) as service:
        with progress(f"{counted(days, 'days')} of {counted(people, 'people')}") as advance:
            work = MadeUpWork(service, town, now, days)
            work(advance)
        service.purge(now, clock_is_right=True)  # it is: the days before were made up
        counts, seen = service.store.counts(now), service.desk.dashboard(now, by=CONSOLE)
        phone, log = work.untested()
    _leave_phone(folder / PHONE, phone, log)
    said = {
        "folder": str(folder),
        "people": people,
        "days": days,
        "cases": counts.cases,
        "uploads": counts.uploads,
        "contacts": sum(seen.contacts.values()),
        "due_today": seen.due_today,
        "operators": counts.operators,
        "phone": str(folder / PHONE / LOG),
        "phone_user_id": phone.user_id,
    }
    answer(
        said,
        (
            f"Made up     {counted(people, 'people')}, {counted(counts.cases, 'cases')}, "
            f"{counted(counts.uploads, 'uploads')}"
        ),
        f"Contacts    {said['contacts']}, {counted(seen.due_today, 'people')} to be called today",
        f"A phone     {folder / PHONE / LOG}, of a person without a case",
        f"  user id   {phone.user_id}",
        f"  read out  {spoken_user_id(phone.user_id)}",
        f"You are     the operator `{FIRST_OPERATOR}`, with all roles; a password for the pages:",
        f"  tracetogether authority user password {FIRST_OPERATOR} --dir {folder}",
        f"Next        tracetogether authority serve {folder}",
        as_json=as_json,
    )


def _leave_phone(place: Path, phone: Registration, log: Sequence[Sighting]) -> None:
    """Write a phone's log and its credential into a folder, as a phone has them."""
    from tracetogether.adapters.sqlite_log import SqliteContactLog  # noqa: PLC0415
    from tracetogether.phone_registration import PhoneRegistration  # noqa: PLC0415 - as above

    place.mkdir(mode=0o700, exist_ok=True)
    PhoneRegistration(phone.user_id, phone.credential).save(place / "phone.credential")
    with SqliteContactLog.open(place / LOG) as kept:
        kept.append(log)


def _check_unused(service: Authority, folder: Path, start: float) -> None:
    """Return if made-up data may go into the existing authority.

    Raises:
        StoreError: it has users, or no keys for the first of the days.
    """
    if service.store.counts(start).users:
        msg = (
            f"the authority in {folder} has users: made-up people are never mixed with real ones; "
            "choose a new folder"
        )
        raise StoreError(msg)
    if not service.custody.keys.has_day(utc_day(start)):
        msg = (
            f"the keys of the authority in {folder} are younger than the days to make up: choose a "
            "new folder"
        )
        raise StoreError(msg)
