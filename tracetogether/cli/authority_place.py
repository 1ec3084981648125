"""`tracetogether authority place`: places, which speak by Bluetooth and keep nothing."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.places.place import PlaceState
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.authority_status import Moment, acting, moment_option, operator_option
from tracetogether.cli.console import answer, fixed, right, table
from tracetogether.cli.options import FILE, as_json
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.plain_text import counted, visible
from tracetogether.units import SECONDS_PER_HOUR


@click.group()
def place() -> None:
    """Register places, which phones hear at a fixed spot, list and retire them."""


place.command_class = FolderCommand


@place.command("add")
@click.argument("name")
@click.option(
    "--site", default="", help="Building or grounds; places of two sites are never heard at once."
)
@click.option(
    "--out",
    type=FILE,
    help="New file for the credential, which only its owner may read.  [default: print it]",
)
@folder_option
@as_json
def add_place(name: str, site: str, out: Path | None, folder: Path, *, as_json: bool) -> None:
    """Register the place NAME, and print the credential for its device, once.

    On the device: tracetogether node init --place FILE --server URL, and then
    tracetogether node run --peripheral-only
    """
    with opened_folder(folder) as service:
        added, credential = service.places.add(name, site, time.time(), by=CONSOLE)
    facts = {
        "place_id": added.place_id,
        "name": added.name,
        "site": added.site,
        "user_id": added.user_id,
    }
    if out is None:
        facts["credential"] = credential
        where = f"  credential: {credential} (shown only now)"
    else:
        PhoneRegistration(added.user_id, credential).save(out)
        facts["credential_file"] = str(out)
        where = f"  credential: {out} (take it to the device, and delete it here)"
    answer(facts, f"Place {added.place_id}: {added.name}", where, as_json=as_json)


@place.command("list")
@folder_option
@as_json
def list_places(folder: Path, *, as_json: bool) -> None:
    """List all places, with when their devices fetched TempIDs last."""
    with opened_folder(folder) as service:
        found, days = service.places.all(time.time(), by=CONSOLE), service.days
    shown = table(
        found,
        (fixed("place"), lambda row: row.place.place_id),
        ("name", lambda row: row.place.name),
        ("site", lambda row: row.place.site),
        ("state", lambda row: row.state.value),
        (f"last seen ({days.name})", lambda row: days.text(row.place.seen_at or 0.0)
            if row.place.seen_at else "never"),
        (right("hours in 14 days"), lambda row: f"{row.hours}"),
    )  # fmt: skip

    from tracetogether.shapes.places import PlaceLine  # noqa: PLC0415 - pydantic is optional

    in_service = sum(row.state is not PlaceState.RETIRED for row in found)
    count = f"{counted(in_service, 'places')} in service"
    answer(lambda: [PlaceLine.of(row).json_value() for row in found], shown, count, as_json=as_json)


@place.command()
@click.argument("place_id")
@moment_option("--since", "Beginning of the time concerned.", required=True)
@moment_option("--until", "End of that time.", required=True)
@click.option("--reason", required=True, help="Reason, kept in the audit log.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@operator_option
@folder_option
@as_json
def warn(
    place_id: str,
    since: Moment,
    until: Moment,
    reason: str,
    token_file: Path | None,
    folder: Path,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Warn everybody whose phone heard PLACE_ID then; phones look in their own logs.

    The next package of warnings has SHA-256 of the TempIDs that the place had for that time. A
    tracer does this, by name, and it can't be taken back.
    """
    now = time.time()
    with opened_folder(folder) as service, acting(service, token_file, now) as by:
        begin, end = since(service.days), until(service.days)
        heard = service.places.heard_digests(place_id, begin, end, by=by)
        service.warnings.check_place(begin, end, now, heard=heard, reason=reason)
        if not yes:
            name, days = service.places.found(place_id).name, service.days
            hours = f"{(end - begin) / SECONDS_PER_HOUR:.3g} hours"
            asked = f"{visible(name)}, {days.text(begin)} to {days.text(end)} ({hours})"
            click.confirm(f"Warn everybody who was at {asked}?", abort=True, err=True)
        new = service.warnings.warn_place(
            place_id, begin, end, now, heard=heard, reason=reason, by=by
        )
    answer(
        {"place_id": place_id, "tempids": len(heard), "new": new},
        f"{counted(new, 'TempIDs')} of the place are in the package of the next full hour",
        as_json=as_json,
    )


@place.command()
@click.argument("place_id")
@folder_option
@as_json
def retire(place_id: str, folder: Path, *, as_json: bool) -> None:
    """End the credential of PLACE_ID at once; its stays until now remain."""
    with opened_folder(folder) as service:
        retired = service.places.retire(place_id, time.time(), by=CONSOLE)
    facts = {
        "place_id": retired.place_id,
        "name": retired.name,
        "state": PlaceState.RETIRED.value,
        "retired_at": retired.retired_at,
    }
    said = f"{retired.place_id} ({retired.name}) has retired: its device gets no TempIDs any more"
    answer(facts, said, as_json=as_json)
