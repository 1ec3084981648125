"""`tracetogether authority team`: who is due, done and overdue per tracer; hand cases over."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.casework import NOBODY
from tracetogether.authority.cases.team import TracerDay
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_argument, folder_option
from tracetogether.cli.console import answer, right, table
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
        found, days = service.team.today(time.time(), by=CONSOLE), service.days

    def since(row: TracerDay) -> str:
        return "" if row.shift_since is None else days.text(row.shift_since)

    shown = table(
        found.tracers,
        ("tracer", lambda row: row.name or "nobody"),
        (right("cases"), lambda row: str(row.cases)),
        (right("due"), lambda row: str(row.due)),
        (right("overdue"), lambda row: str(row.overdue)),
        (right("done"), lambda row: str(row.done)),
        (right("calling"), lambda row: str(row.reserved)),
        ("shift since", since),
    )

    from tracetogether.shapes.team import TeamDayShape  # noqa: PLC0415 - optional

    answer(
        lambda: TeamDayShape.of(found).json_value(),
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
