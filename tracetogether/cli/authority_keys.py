"""`tracetogether authority keys`: list, rotate and destroy day keys; no command shows one."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day
from tracetogether.cli.authority_folder import KEYS, database_address, new_keys, opened_folder
from tracetogether.cli.authority_options import day_named, folder_option
from tracetogether.cli.console import answer, say, table
from tracetogether.cli.options import as_json
from tracetogether.plain_text import counted


@click.group()
def keys() -> None:
    """List, rotate, quarantine and destroy day keys. No command shows a key."""


@keys.command("list")
@folder_option
@as_json
def list_keys(folder: Path, *, as_json: bool) -> None:
    """List the UTC days that have a key, up to tomorrow."""
    with opened_folder(folder) as service:
        days = service.custody.known_days(time.time(), by=CONSOLE)
    facts = [{"date": date_of_day(key.day), **asdict(key)} for key in days]
    shown = table(
        days,
        ("date", lambda key: date_of_day(key.day)),
        ("day", lambda key: str(key.day)),
        ("chain", lambda key: str(key.chain)),
        ("quarantined", lambda key: "YES" if key.quarantined else "no"),
    )
    answer(facts, shown, as_json=as_json)


@keys.command()
@folder_option
@as_json
def rotate(folder: Path, *, as_json: bool) -> None:
    """Start a new chain of keys, which can't be computed from older keys.

    The chain starts on the first day for which no phone has TempIDs yet. Running servers use it
    within a minute.
    """
    with opened_folder(folder) as service:
        first = service.custody.rotate(time.time(), by=CONSOLE)
    answer(
        {"first_day": first, "first_date": date_of_day(first)},
        f"A new chain begins on {date_of_day(first)} (UTC)",
        as_json=as_json,
    )


@keys.command()
@click.option(
    "--yes", is_flag=True, help="Don't ask. Data sealed under the lost keys can never be opened."
)
@folder_option
def replace(folder: Path, *, yes: bool) -> None:
    """Replace the lost keys of the database by the keys in DIR; make new keys if DIR has none.

    Logs, contacts, names and notes that were sealed under the lost keys can never be opened again.
    Phones continue with new TempIDs. Their earlier TempIDs can't be assigned to anybody.
    """
    now = time.time()
    if not yes:
        question = f"Give up all data that was sealed under the lost keys of {folder}?"
        click.confirm(question, abort=True, err=True)
    database_address(folder)  # fails if there is no authority
    if not (folder / KEYS).exists():
        new_keys(now).save(folder / KEYS)
    with opened_folder(folder, any_keys=True) as service:
        service.custody.replace(now, by=CONSOLE)
    say(f"The database now uses the keys of {folder}; copy keys.txt to other machines")


@keys.command()
@click.argument("first")
@click.argument("last", required=False)
@folder_option
@as_json
def quarantine(first: str, last: str | None, folder: Path, *, as_json: bool) -> None:
    """Ignore TempIDs of the UTC days FIRST to LAST (YYYY-MM-DD), because others may know the keys.

    `case contacts --quarantined` uses them anyway.
    """
    begin = day_named(first)
    end = begin if last is None else day_named(last)
    with opened_folder(folder) as service:
        service.custody.quarantine(begin, end, time.time(), by=CONSOLE)
    answer(
        {"first_day": begin, "last_day": end},
        f"Quarantined: {date_of_day(begin)} to {date_of_day(end)} (UTC)",
        as_json=as_json,
    )


@keys.command()
@click.argument("before")
@click.option("--yes", is_flag=True, help="Don't ask. This can't be undone.")
@folder_option
@as_json
def destroy(before: str, folder: Path, *, yes: bool, as_json: bool) -> None:
    """Destroy the keys of all UTC days before BEFORE (YYYY-MM-DD), before their retention ends.

    Afterwards nobody can open the TempIDs and logs of those days.
    """
    day = day_named(before)
    if not yes:
        click.confirm(
            f"Destroy the keys of all days before {date_of_day(day)}?", abort=True, err=True
        )
    with opened_folder(folder) as service:
        gone = service.custody.destroy(day, time.time(), by=CONSOLE)
    answer({"days": gone}, f"Destroyed: the keys of {counted(gone, 'days')}", as_json=as_json)
