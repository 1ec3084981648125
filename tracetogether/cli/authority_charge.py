"""`tracetogether authority charge`: codes for people without a phone, and the end of a charge."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.console import answer, say
from tracetogether.cli.notice_language import language_option
from tracetogether.cli.options import as_json
from tracetogether.healthcode import notices


@click.group()
def charge() -> None:
    """People without a phone, for whom a relative's phone keeps passes."""


charge.command_class = FolderCommand


@charge.command()
@language_option
@folder_option
@as_json
def code(language: str, folder: Path, *, as_json: bool) -> None:
    """Print a code for a person without a phone, in the person's language.

    The person gives it to a relative, who types `tracetogether pass charge add`. It works once,
    within three days. The number on the paper ends the charge at the desk.
    """
    with opened_folder(folder) as service:
        given = service.charges.consent(time.time(), by=CONSOLE)
        said = notices.text(
            "charge.code",
            language,
            days=service.days,
            code=given.code,
            until=given.expiry,
            number=given.charge_id,
        )
    facts = {"charge_id": given.charge_id, "code": given.code, "expires_at": given.expiry}
    answer(facts, said, as_json=as_json)


@charge.command("end")
@click.argument("number")
@click.option("--reason", required=True, help="Why it ends; it is recorded in the audit log.")
@folder_option
def end_charge(number: str, reason: str, folder: Path) -> None:
    """End the charge with this NUMBER for the person without a phone.

    A code that nobody has used becomes void. Passes that the relative's phone has already last a
    day at most.
    """
    with opened_folder(folder) as service:
        service.charges.end_at_desk(number, reason, time.time(), by=CONSOLE)
    say(f"The charge {number} has ended")
