"""`tracetogether pass charge`: people without a phone, for whom this phone keeps passes."""

import time
from pathlib import Path

import click

from tracetogether.cli.charge_folder import (
    NamedCharge,
    charge_named,
    load_charges,
    new_name,
    save_charges,
)
from tracetogether.cli.console import answer, fixed, note, say, table
from tracetogether.cli.folder_locks import locked
from tracetogether.cli.node_folder import DEFAULT_FOLDER
from tracetogether.cli.notice_language import language_option
from tracetogether.cli.options import FOLDER, as_json
from tracetogether.cli.pass_folder import fetch_into, opened_phone
from tracetogether.errors import NotFoundError, UnreachableError
from tracetogether.healthcode import notices

_phone = click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)


@click.group()
def charge() -> None:
    """Keep passes for people without a phone, who agreed with a code from the desk."""


@charge.command()
@click.argument("name")
@click.argument("code")
@_phone
@language_option
@as_json
def add(name: str, code: str, folder: Path, language: str, *, as_json: bool) -> None:
    """Keep passes for a person whom you call NAME, who gave you CODE from the desk.

    The name stays on this phone. A phone keeps passes for at most 6 people.
    """
    with opened_phone(folder) as client, locked(folder):
        called = new_name(folder, name)
        added = client.add_charge(code)
        kept = NamedCharge(called, str(added["charge_id"]), str(added["user_id"]))
        save_charges(folder, [*load_charges(folder), kept])
    _fetch_now(folder, kept)
    answer(
        {"name": called, "charge_id": kept.charge_id, "user_id": kept.user_id},
        notices.text("charge.added", language, name=called),
        f"Next: tracetogether pass show --for {called!r}",
        as_json=as_json,
    )


def _fetch_now(folder: Path, kept: NamedCharge) -> None:
    """Fetch the first passes; `pass show` does it later if the server is away."""
    try:
        with opened_phone(folder) as client:
            fetch_into(folder / kept.wallet, client, time.time(), kept.charge_id)
    except UnreachableError as error:
        note(str(error))


@charge.command("list")
@_phone
@language_option
@as_json
def list_charges(folder: Path, language: str, *, as_json: bool) -> None:
    """List the people for whom the phone in DIR (./node) keeps passes.

    Show the user id at a test, so that the result is this person's. Whom the desk has ended in the
    meantime leaves the list, and the passes are deleted.
    """
    with opened_phone(folder) as client, locked(folder):
        charges, ended = load_charges(folder), list[NamedCharge]()
        try:
            there = {str(row["charge_id"]) for row in client.charges()}
        except UnreachableError as error:
            note(str(error))
        else:
            ended = [kept for kept in charges if kept.charge_id not in there]
            charges = [kept for kept in charges if kept.charge_id in there]
            if ended:
                save_charges(folder, charges)
    for gone in ended:
        note(notices.text("charge.ended", language, name=gone.name))
    rows = [
        {"name": kept.name, "charge_id": kept.charge_id, "user_id": kept.user_id}
        for kept in charges
    ]
    shown = table(
        charges,
        ("name", lambda kept: kept.name),
        (fixed("number"), lambda kept: kept.charge_id),
        (fixed("user id"), lambda kept: kept.user_id),
    )
    empty = "This phone keeps passes for nobody else. Next: tracetogether pass charge add NAME CODE"
    answer(rows, shown if charges else empty, as_json=as_json)


@charge.command()
@click.argument("name")
@_phone
@language_option
def end(name: str, folder: Path, language: str) -> None:
    """Keep passes for NAME no more, and delete those that are on the phone in DIR (./node)."""
    with opened_phone(folder) as client, locked(folder):
        gone = charge_named(folder, name)
        try:
            client.end_charge(gone.charge_id)
        except NotFoundError:
            note("It had ended at the desk already")
        save_charges(folder, [kept for kept in load_charges(folder) if kept != gone])
    say(notices.text("charge.ended", language, name=gone.name))
