"""`tracetogether authority warnings`: visits and trips of cases, and what is published of them."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.presence.deciding import SeatRow, ShownTrip, ShownVisit
from tracetogether.authority.presence.publishing import TRIPS_KIND, WARNINGS_KIND
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.authority_status import acting, operator_option
from tracetogether.cli.console import answer, fixed, right, say, table
from tracetogether.cli.options import as_json
from tracetogether.local_days import LocalDays
from tracetogether.plain_text import counted, visible
from tracetogether.units import SECONDS_PER_HOUR

_GONE = "the keys of its day are destroyed"
reason_option = click.option(
    "--reason", required=True, help="Reason, kept in the audit log. Don't put names in it."
)
yes_option = click.option("--yes", is_flag=True, help="Don't ask.")


@click.group()
def warnings() -> None:
    """See visits and trips of cases, and decide which warnings are published."""


warnings.command_class = FolderCommand


@warnings.command("list")
@click.option("--case", "case_id", metavar="CASE_ID", help="All of this case.  [default: waiting]")
@folder_option
@as_json
def list_warnings(case_id: str | None, folder: Path, *, as_json: bool) -> None:
    """List visits and trips that wait for a tracer, or all of a case."""
    with opened_folder(folder) as service:
        if case_id is None:
            visits, trips = service.warnings.waiting(by=CONSOLE)
        else:
            found = service.warnings.of_case(case_id, by=CONSOLE)
            visits, trips = found.visits, found.trips
        days = service.days
    shown_visits = table(
        visits,
        (fixed("visit"), lambda row: row.kept.visit_id),
        (fixed("case"), lambda row: row.case_id),
        ("place", place_text),
        (f"from ({days.name})", lambda row: days.text(row.visit.start) if row.visit else ""),
        ("to", lambda row: days.text(row.visit.end) if row.visit else ""),
        ("state", lambda row: row.kept.state.value),
    )
    shown_trips = table(
        trips,
        (fixed("trip"), lambda row: row.kept.trip_id),
        (fixed("case"), lambda row: row.case_id),
        ("service", trip_text),
        (right("aboard"), lambda row: "" if row.kept.aboard is None else str(row.kept.aboard)),
        ("rows", lambda row: f"{row.first_row}-{row.last_row}" if row.first_row else ""),
        ("state", lambda row: row.kept.state.value),
    )

    from tracetogether.shapes.presence import ReportLines  # noqa: PLC0415 - optional

    answer(
        lambda: ReportLines.of({"visits": visits, "trips": trips}).json_value(),
        *([shown_visits] if visits else []),
        *([shown_trips] if trips else []),
        f"{counted(len(visits), 'visits')}, {counted(len(trips), 'trips')}",
        as_json=as_json,
    )


def place_text(row: ShownVisit) -> str:
    """Return what the poster of a visit says, in one line."""
    if row.visit is None:
        return _GONE
    return visible(", ".join(filter(None, (row.visit.description, row.visit.address))))


def trip_text(row: ShownTrip) -> str:
    """Return a trip in one line."""
    if row.trip is None:
        return _GONE
    car = f", car {row.trip.car}" if row.trip.car else ""
    return f"{row.trip.carrier} {row.trip.service} on {row.trip.date}{car}"


def _visit_text(row: ShownVisit, days: LocalDays) -> str:
    when = f", {days.text(row.visit.start)} to {days.text(row.visit.end)}" if row.visit else ""
    return f"{place_text(row)}{when}"


@warnings.command("confirm")
@click.argument("visit_id")
@reason_option
@yes_option
@operator_option
@folder_option
def confirm_visit(
    visit_id: str, reason: str, token_file: Path | None, folder: Path, *, yes: bool
) -> None:
    """Publish the warning of VISIT_ID, a visit that one case alone reported."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            asked = _visit_text(service.warnings.visit(visit_id, by=by), service.days)
            click.confirm(f"Warn everybody who was at {asked}?", abort=True, err=True)
        service.warnings.confirm(visit_id, reason, now, by=by)
    say(f"The warning of {visit_id} is published after the next full hour")


@warnings.command("refuse")
@click.argument("visit_id")
@reason_option
@yes_option
@operator_option
@folder_option
def refuse_visit(
    visit_id: str, reason: str, token_file: Path | None, folder: Path, *, yes: bool
) -> None:
    """Don't publish the warning of VISIT_ID."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            asked = _visit_text(service.warnings.visit(visit_id, by=by), service.days)
            click.confirm(f"Publish no warning of {asked}?", abort=True, err=True)
        service.warnings.refuse(visit_id, reason, now, by=by)
    say(f"The warning of {visit_id} is not published")


@warnings.command("confirm-trip")
@click.argument("trip_id")
@click.option("--aboard", type=int, required=True, help="People in the car, or the aircraft: 20+.")
@click.option("--row", type=int, help="Row in which the case sat; it is not kept.")
@click.option("--rows", type=int, help="How many rows the car or the aircraft has.")
@reason_option
@yes_option
@operator_option
@folder_option
def confirm_trip(
    trip_id: str,
    aboard: int,
    row: int | None,
    rows: int | None,
    reason: str,
    token_file: Path | None,
    folder: Path,
    *,
    yes: bool,
) -> None:
    """Publish TRIP_ID, with at least 20 aboard; say in the reason where the number comes from.

    With --row and --rows passengers see how far from the case they sat: the list gets a band of
    rows in which at least 20 people sat, if all sat evenly.
    """
    if (row is None) != (rows is None):
        raise click.UsageError("give both --row and --rows, or none of them")
    seat = None if row is None or rows is None else SeatRow(row, rows)
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        what = _rows_text(service.warnings.band_of(aboard, seat), asked=seat is not None)
        if not yes:
            asked = trip_text(service.warnings.trip(trip_id, by=by))
            click.confirm(f"Publish {asked}, with {aboard} aboard, {what}?", abort=True, err=True)
        service.warnings.state_aboard(trip_id, aboard, reason, now, seat=seat, by=by)
    say(f"The trip {trip_id} is published after the next full hour, {what}")


def _rows_text(band: tuple[int, int], *, asked: bool) -> str:
    if any(band):
        return f"with rows {band[0]} to {band[1]}"
    return "without rows: too few were aboard for a part of it" if asked else "without rows"


@warnings.command("refuse-trip")
@click.argument("trip_id")
@reason_option
@yes_option
@operator_option
@folder_option
def refuse_trip(
    trip_id: str, reason: str, token_file: Path | None, folder: Path, *, yes: bool
) -> None:
    """Don't publish TRIP_ID."""
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        if not yes:
            asked = trip_text(service.warnings.trip(trip_id, by=by))
            click.confirm(f"Don't publish {asked}?", abort=True, err=True)
        service.warnings.refuse_trip(trip_id, reason, now, by=by)
    say(f"The trip {trip_id} is not published")


@warnings.command("publish")
@folder_option
@as_json
def publish(folder: Path, *, as_json: bool) -> None:
    """Make the packages that are due, as a running server does within a minute of each hour.

    A package has what was confirmed before the hour began. It never changes.
    """
    now = time.time()
    with opened_folder(folder) as service:
        service.purge.check_clock(now)
        made = service.publishing.publish(now)
        packages = service.store.presence.packages(WARNINGS_KIND)
        lists = service.store.presence.packages(TRIPS_KIND)
        days = service.days
    shown = table(
        packages,
        ("hour", lambda row: str(row.number)),
        (f"begins ({days.name})", lambda row: days.text(row.number * SECONDS_PER_HOUR)),
        (right("sealed visits"), lambda row: f"{row.entries:,}"),
        (right("bytes"), lambda row: f"{row.length:,}"),
    )
    answer(
        {
            "made": made,
            "hours": [{"hour": row.number, "bytes": row.length} for row in packages],
            "trip_lists": len(lists),
        },
        *([shown] if packages else []),
        f"{counted(made, 'packages')} made; {counted(len(lists), 'lists')} of trips are out",
        as_json=as_json,
    )
