"""`tracetogether authority keys`: the day keys, never shown: listed, rotated, destroyed."""

import time
from pathlib import Path

import click
from rich.table import Table

from tracetogether.cli.authority_folder import KEYS, new_keys, opened_folder, place_of
from tracetogether.cli.authority_options import as_json, date_of, day_named, folder_option
from tracetogether.cli.console import out, print_json


@click.group()
def keys() -> None:
    """List, rotate, quarantine and destroy day keys. No command shows a key."""


@keys.command("list")
@folder_option
@as_json
def list_keys(folder: Path, *, as_json: bool) -> None:
    """List the UTC days whose keys exist, up to tomorrow."""
    with opened_folder(folder) as service:
        days = service.custody.known_days(time.time())
    if as_json:
        print_json(
            [
                {
                    "date": date_of(one.day),
                    "day": one.day,
                    "chain": one.chain,
                    "quarantined": one.quarantined,
                }
                for one in days
            ]
        )
        return
    table = Table("date", "day", "chain", "quarantined")
    for one in days:
        marked = "YES" if one.quarantined else "no"
        table.add_row(date_of(one.day), str(one.day), str(one.chain), marked)
    out().print(table)


@keys.command()
@folder_option
@as_json
def rotate(folder: Path, *, as_json: bool) -> None:
    """Begin a new chain of keys, of which no older key tells anything.

    It begins on the first day that no phone holds TempIDs of yet. Running servers take it over
    within a minute.
    """
    with opened_folder(folder) as service:
        first = service.custody.rotate(time.time())
    if as_json:
        print_json({"first_day": first, "first_date": date_of(first)})
    else:
        out().print(f"A new chain begins on {date_of(first)} (UTC)")


@keys.command()
@click.option("--yes", is_flag=True, help="Don't ask. What was sealed before stays closed.")
@folder_option
def replace(folder: Path, *, yes: bool) -> None:
    """Take the keys in DIR for the database's, whose own are lost; make new ones if there are none.

    Nothing that was sealed under the lost keys is ever opened again: logs, contacts, names, notes.
    Phones go on with new TempIDs; those that others have heard so far name nobody.
    """
    now = time.time()
    if not yes:
        question = f"Give up everything that was sealed under the lost keys of {folder}?"
        click.confirm(question, abort=True, err=True)
    place_of(folder)  # there is an authority
    if not (folder / KEYS).exists():
        new_keys(now).save(folder / KEYS)
    with opened_folder(folder, any_keys=True) as service:
        service.custody.replace(now)
    out().print(f"The keys of {folder} are its database's now; copy keys.txt to other machines")


@keys.command()
@click.argument("first")
@click.argument("last", required=False)
@folder_option
@as_json
def quarantine(first: str, last: str | None, folder: Path, *, as_json: bool) -> None:
    """Stop believing TempIDs of the days FIRST to LAST (YYYY-MM-DD), whose keys others may know.

    `case contacts --quarantined` believes them all the same.
    """
    begin = day_named(first)
    end = begin if last is None else day_named(last)
    with opened_folder(folder) as service:
        service.custody.quarantine(begin, end, time.time())
    if as_json:
        print_json({"first_day": begin, "last_day": end})
    else:
        out().print(f"Quarantined: {date_of(begin)} to {date_of(end)} (UTC)")


@keys.command()
@click.argument("before")
@click.option("--yes", is_flag=True, help="Don't ask. What is destroyed is gone.")
@folder_option
@as_json
def destroy(before: str, folder: Path, *, yes: bool, as_json: bool) -> None:
    """Destroy the keys of all days before BEFORE (YYYY-MM-DD), ahead of their time.

    TempIDs and logs of those days can't be opened by anybody any more.
    """
    day = day_named(before)
    if not yes:
        click.confirm(f"Destroy the keys of all days before {date_of(day)}?", abort=True, err=True)
    with opened_folder(folder) as service:
        gone = service.custody.destroy(day, time.time())
    if as_json:
        print_json({"days": gone})
    else:
        out().print(f"Gone: the keys of {gone} days")
