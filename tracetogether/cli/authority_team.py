"""`tracetogether authority team`: who is due, done and overdue per tracer; hand cases over."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.team import TracerDay
from tracetogether.authority.desk.hours import CallingHours
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_argument, folder_option
from tracetogether.cli.console import answer, right, say, table
from tracetogether.cli.options import as_json
from tracetogether.plain_text import counted


@click.group()
def team() -> None:
    """Show the day of each tracer, and hand cases over in bulk."""


team.command_class = FolderCommand


@team.command("show")
@folder_argument
@as_json
def show_team(folder: Path, *, as_json: bool) -> None:
    """Show what each tracer of DIR (./authority) has to do, has done and does now."""
    with opened_folder(folder) as service:
        now, days = time.time(), service.days
        found = service.team.today(now, by=CONSOLE)

    def shift(row: TracerDay) -> str:
        if row.shift_since is None or row.shift_until is None:
            return ""
        return f"{days.text(row.shift_since)} to {days.text(row.shift_until, '%H:%M')}"

    shown = table(
        found.tracers,
        ("tracer", lambda row: row.name or "nobody"),
        (right("cases"), lambda row: str(row.cases)),
        (right("due"), lambda row: str(row.due)),
        (right("overdue"), lambda row: str(row.overdue)),
        (right("done"), lambda row: str(row.done)),
        (right("calling"), lambda row: str(row.reserved)),
        (f"shift ({days.name})", shift),
    )

    from tracetogether.shapes.team import TeamDayShape  # noqa: PLC0415 - optional

    answer(
        lambda: TeamDayShape.of(found, date_of_day(days.day(now)), days.name).json_value(),
        shown,
        f"{counted(found.due, 'people')} due in all",
        as_json=as_json,
    )


@team.command("hand-over")
@click.argument("case_ids", metavar="CASE_ID...", nargs=-1, required=True)
@click.option(
    "--to",
    "operators",
    multiple=True,
    required=True,
    help=f"Tracer who gets the cases; {NOBODY} for nobody. With several, they are spread evenly.",
)
@folder_option
@as_json
def hand_over(
    case_ids: tuple[str, ...], operators: tuple[str, ...], folder: Path, *, as_json: bool
) -> None:
    """Give cases to a tracer, or spread them evenly over several: all of them or none."""
    now, ids = time.time(), list(dict.fromkeys(case_ids))
    with opened_folder(folder) as service:
        if len(operators) == 1:
            plan = dict.fromkeys(ids, operators[0])
        else:
            plan = service.team.spread(ids, operators, now, by=CONSOLE)
        changed = service.team.hand_over(plan, now, by=CONSOLE)
    lines = [f"{case.case_id} is assigned to {case.assigned_to or 'nobody'}" for case in changed]
    assigned = {case.case_id: case.assigned_to for case in changed}
    answer({"assigned": assigned}, *(lines or ["Nothing has changed"]), as_json=as_json)


@team.command("end-shift")
@click.argument("name")
@folder_option
def end_shift(name: str, folder: Path) -> None:
    """End the shift of the tracer NAME; whom NAME calls now is free for others."""
    with opened_folder(folder) as service:
        service.team.end_shift(name, time.time(), by=CONSOLE)
    say(f"The shift of {name} has ended")


@team.command("hours")
@folder_argument
@click.option(
    "--set",
    "wanted",
    metavar="BEGIN-END",
    help="Call people from BEGIN to END only, such as 09:00-20:00; `any` for any hour.",
)
@as_json
def hours(folder: Path, wanted: str | None, *, as_json: bool) -> None:
    """Show or set the hours in which people of DIR (./authority) are called, in its time zone.

    Outside of these hours `follow-up next` warns, and no next call can be agreed on.
    """
    with opened_folder(folder) as service:
        if wanted is not None:
            begin, _, end = wanted.partition("-")
            chosen = None if wanted == "any" else CallingHours.between(begin, end)
            service.team.set_hours(chosen, time.time(), by=CONSOLE)
        found, zone = service.team.hours(by=CONSOLE), service.days.name
    begin_text = None if found is None else found.begin_text
    end_text = None if found is None else found.end_text
    said = "at any hour" if found is None else f"from {begin_text} to {end_text}"
    facts = {"begin": begin_text, "end": end_text, "time_zone": zone}
    answer(facts, f"People are called {said} ({zone})", as_json=as_json)
