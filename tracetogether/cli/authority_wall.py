"""`tracetogether authority wall` and `bulletin`: screens of the wall, and a line for the desk."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.access.screens import Screen
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_argument, folder_option
from tracetogether.cli.console import answer, fixed, local_text, table
from tracetogether.cli.options import as_json, moment_of


@click.group()
def wall() -> None:
    """Let unattended screens show the wall at /desk/wall, list and end them."""


wall.command_class = FolderCommand


@wall.command("add")
@click.argument("name")
@folder_option
@as_json
def add_screen(name: str, folder: Path, *, as_json: bool) -> None:
    """Print a code that lets one screen in: NAME says where it hangs, such as lobby.

    The code works once, within 15 minutes. The screen sees the wall and nothing else.
    """
    with opened_folder(folder) as service:
        code = service.screens.add(name, time.time(), by=CONSOLE)
    answer(
        {"name": name, "code": code, "path": f"/desk/wall/enter?code={code}"},
        f"Code of the screen {name}: {code}",
        "Type it on the screen at /desk/wall/enter within 15 minutes. It works once.",
        as_json=as_json,
    )


@wall.command("list")
@folder_argument
@as_json
def list_screens(folder: Path, *, as_json: bool) -> None:
    """List the screens of DIR (./authority)."""
    now = time.time()
    with opened_folder(folder) as service:
        screens, days = service.screens.all(by=CONSOLE), service.days

    def state(screen: Screen) -> str:
        if screen.over(now):
            return "over"
        return "in use" if screen.session_digest else "waits for its code"

    answer(
        {
            "screens": [
                {
                    "name": screen.name,
                    "state": state(screen),
                    "added_at": screen.added_at,
                    "added_by": screen.added_by,
                    "seen_at": screen.seen_at or None,
                }
                for screen in screens
            ]
        },
        table(
            screens,
            (fixed("screen"), lambda screen: screen.name),
            ("state", state),
            (f"added ({days.name})", lambda screen: local_text(screen.added_at, days)),
            ("added by", lambda screen: screen.added_by),
            (
                f"seen ({days.name})",
                lambda s: local_text(s.seen_at, days) if s.seen_at else "never",
            ),
        ),
        as_json=as_json,
    )


@wall.command("end")
@click.argument("name")
@folder_option
@as_json
def end_screen(name: str, folder: Path, *, as_json: bool) -> None:
    """End the screen NAME: at its next refresh, within a minute, it shows nothing."""
    with opened_folder(folder) as service:
        service.screens.end(name, time.time(), by=CONSOLE)
    facts = {"name": name, "state": "over"}
    answer(facts, f"The screen {name} shows the wall no more", as_json=as_json)


@click.group()
def bulletin() -> None:
    """Put one line on top of every page of the desk, show and end it."""


bulletin.command_class = FolderCommand


@bulletin.command("put")
@click.argument("text")
@click.option("--until", required=True, metavar="TIME", help="When it ends, within seven days.")
@folder_option
@as_json
def put_bulletin(text: str, until: str, folder: Path, *, as_json: bool) -> None:
    """Put the line TEXT on top of all pages. The audit log keeps it: name nobody in it."""
    with opened_folder(folder) as service:
        days = service.days
        end = moment_of(until, "--until", days)
        made = service.bulletins.put(text, end, time.time(), by=CONSOLE)
    answer(
        {"text": made.text, "until": made.until},
        f"On top of all pages until {local_text(made.until, days)} {days.name}",
        as_json=as_json,
    )


@bulletin.command("show")
@folder_argument
@as_json
def show_bulletin(folder: Path, *, as_json: bool) -> None:
    """Show the line that is on top of all pages of DIR (./authority)."""
    with opened_folder(folder) as service:
        found, days = service.bulletins.current(time.time()), service.days
    if found is None:
        answer({"text": None}, "There is no bulletin", as_json=as_json)
        return
    facts = {"text": found.text, "until": found.until, "by": found.by, "at": found.at}
    said = f"By {found.by}, until {local_text(found.until, days)} {days.name}:"
    answer(facts, said, found.text, as_json=as_json)


@bulletin.command("end")
@folder_argument
@as_json
def end_bulletin(folder: Path, *, as_json: bool) -> None:
    """Take the line away from all pages of DIR (./authority)."""
    with opened_folder(folder) as service:
        service.bulletins.end(time.time(), by=CONSOLE)
    answer({"text": None}, "There is no bulletin now", as_json=as_json)
