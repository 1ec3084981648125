"""`tracetogether node`: use this machine as a phone, with a real Bluetooth adapter."""

import asyncio
import sys
import time
from pathlib import Path

import click

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.bluetrace.spoken_id import spoken_user_id
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.console import answer, note, right, table, utc_text
from tracetogether.cli.node_folder import (
    CREDENTIAL,
    DEFAULT_FOLDER,
    LOG,
    NodeSettings,
    create_node,
)
from tracetogether.cli.node_live import live
from tracetogether.cli.node_radio import opener_of
from tracetogether.cli.options import (
    EXISTING_FILE,
    FILE,
    FOLDER,
    FiniteNumber,
    allow_plain_http,
    as_json,
)
from tracetogether.cli.upload import upload as upload_log
from tracetogether.cli.visit_folder import note_trust
from tracetogether.exchange import RadioProfile
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_HOUR
from tracetogether.whole_file import PRIVATE, whole_file

folder_argument = click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)


@click.group()
def node() -> None:
    """Use this machine as a phone: advertise, scan, exchange TempIDs, keep a contact log."""


@node.command()
@folder_argument
@click.option("--server", required=True, metavar="URL", help="Address of the authority's server.")
@click.option(
    "--organisation",
    default="SG_MOH",
    show_default=True,
    help="Organisation code of the authority.",
)
@click.option(
    "--model",
    default=NodeSettings("", "").model,
    show_default="this machine's",
    help="Phone model, as other phones record it.",
)
@click.option(
    "--service", default=SERVICE_UUID, show_default=True, help="UUID of the service to advertise."
)
@click.option(
    "--characteristic",
    default=CHARACTERISTIC_UUID,
    show_default=True,
    help="UUID of the characteristic that phones read and write.",
)
@click.option(
    "--place",
    type=EXISTING_FILE,
    help="File that `authority place add` wrote: this machine becomes the device of that place.",
)
@allow_plain_http
@as_json
def init(
    folder: Path,
    server: str,
    organisation: str,
    model: str,
    service: str,
    characteristic: str,
    place: Path | None,
    *,
    allow_plain_http: bool,
    as_json: bool,
) -> None:
    """Register with an authority, fetch the first TempIDs, and store them in DIR (./node)."""
    settings = NodeSettings(
        server,
        organisation,
        model,
        service,
        characteristic,
        allow_plain_http,
        place=place is not None,
    )
    given = None if place is None else PhoneRegistration.load(place)
    registered = create_node(folder, settings, now=time.time(), place=given)
    if place is None:
        with settings.client() as client:
            note_trust(folder, client)
        said = [
            f"Node made in {folder}; your user id is {registered.user_id}",
            f"To read out: {spoken_user_id(registered.user_id)}",
            f"Next: tracetogether node run {folder}",
        ]
    else:
        said = [
            f"Device of a place made in {folder}; delete {place}",
            f"Next: tracetogether node run {folder} --peripheral-only",
        ]
    answer(
        {"dir": str(folder), "user_id": registered.user_id},
        *said,
        as_json=as_json,
    )


@node.command()
@folder_argument
@click.option(
    "--radio",
    metavar="TRANSPORT",
    default="hci0",
    show_default=True,
    help="Bluetooth adapter: one of BlueZ, such as hci0, or one for bumble alone, such as usb:0 or "
    "serial:/dev/ttyACM0.",
)
@click.option(
    "--central-only",
    is_flag=True,
    help="Don't advertise: this node hears others and writes to them, but no phone hears it.",
)
@click.option(
    "--peripheral-only",
    is_flag=True,
    help="Only speak: phones hear this node, and it hears nobody. It keeps nothing of theirs.",
)
@click.option(
    "--later-scans",
    is_flag=True,
    help="Also record later scans of an address whose TempID is known, once a minute at most.",
)
@click.option(
    "--for",
    "seconds",
    type=FiniteNumber(min=0),
    metavar="SECONDS",
    help="Stop after this time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print events, one JSON object per line.")
def run(
    folder: Path,
    radio: str,
    seconds: float | None,
    *,
    central_only: bool,
    peripheral_only: bool,
    later_scans: bool,
    as_json: bool,
) -> None:
    """Run the phone in DIR (./node) until Ctrl-C or SIGTERM, and show the peers nearby.

    It needs the server only to fetch new TempIDs, and continues with stored ones while the server
    is away. It reopens an adapter that fails. Without an adapter at the start it ends.
    """
    settings = NodeSettings.load(folder)
    if peripheral_only and (central_only or later_scans):
        msg = "--peripheral-only hears nobody: leave out --central-only and --later-scans"
        raise click.UsageError(msg)
    if settings.place and not peripheral_only:
        raise click.UsageError(f"{folder} is a place's, which only speaks: add --peripheral-only")
    profile = RadioProfile(settings.service, settings.characteristic, COMPANY_ID)
    if central_only:
        note("Central only: nothing is advertised, so no phone hears this node")
    opener = opener_of(radio, profile, central_only=central_only)
    done = asyncio.run(
        live(
            folder,
            opener,
            as_json=as_json,
            seconds=seconds,
            note_later_scans=later_scans,
            peripheral_only=peripheral_only,
        )
    )
    if not (as_json or peripheral_only):
        note(f"Stopped after {counted(done.counts['connections'], 'exchanges')}")


@node.group()
def log() -> None:
    """Show, export or shorten the contact log."""


@log.command()
@folder_argument
@click.option(
    "--hours",
    type=FiniteNumber(min=0),
    default=24.0,
    show_default=True,
    help="Show the sightings of this many hours.",
)
@as_json
def show(folder: Path, hours: float, *, as_json: bool) -> None:
    """Show what the node in DIR (./node) heard recently, the newest first."""
    NodeSettings.load(folder)
    with SqliteContactLog.open(folder / LOG, read_only=True) as held:
        rows = held.rows(time.time() - hours * SECONDS_PER_HOUR)[::-1]
    facts = [
        {
            "time": row.time,
            "token": row.peer,
            "rssi_dbm": row.rssi_dbm,
            "tx_power_dbm": row.tx_power_dbm,
            "peer_model": row.peer_model,
            "organisation": row.organisation,
            "as_central": row.as_central,
        }
        for row in rows
    ]
    shown = table(
        rows,
        ("time (UTC)", lambda row: utc_text(row.time)),
        ("token", lambda row: f"{row.peer[:10]}…"),
        ("model", lambda row: row.peer_model or ""),
        (right("RSSI"), lambda row: f"{row.rssi_dbm:.0f}"),
        ("as", lambda row: "central" if row.as_central else "peripheral"),
        title=LOG,
    )
    answer(facts, shown, as_json=as_json)


@log.command("export")
@folder_argument
@click.option(
    "--output",
    type=FILE,
    help="New file to write.  [default: standard output]",
)
def export_log(folder: Path, output: Path | None) -> None:
    """Write the whole contact log of DIR (./node) in OpenTrace's JSON."""
    NodeSettings.load(folder)
    with SqliteContactLog.open(folder / LOG, read_only=True) as held:
        body = write_upload(held.rows())
    if output is None:
        sys.stdout.buffer.write(body + b"\n")
        return
    with whole_file(output, mode=PRIVATE, new=True) as half:
        half.write_bytes(body)


@log.command()
@folder_argument
@as_json
def purge(folder: Path, *, as_json: bool) -> None:
    """Delete sightings older than 21 days from the log in DIR (./node); `run` does so daily.

    After a jump of the clock nothing is deleted until `run` has confirmed the clock with the
    authority.
    """
    NodeSettings.load(folder)
    with SqliteContactLog.open(folder / LOG, read_only=True) as held:
        before = len(held)
    with SqliteContactLog.open(folder / LOG) as held:  # which purges
        left, aside = len(held), held.set_aside()
    answer(
        {"dropped": before - left, "left": left, "set_aside": aside},
        f"Dropped {counted(before - left, 'sightings')}, {left:,} left",
        as_json=as_json,
    )
    if aside and not as_json:
        note(
            f"{aside:,} of them are older than 21 days by this machine's clock, which jumped since "
            "the log was last written. They stay until `tracetogether node run` has confirmed the "
            "time with the authority, or 21 days at most."
        )


@node.command()
@folder_argument
@click.option("--pin", required=True, help="Upload PIN from the health authority.")
@click.option(
    "--visits",
    is_flag=True,
    help="Send the noted visits and trips too; `tracetogether upload` can leave some out.",
)
@as_json
@click.pass_context
def upload(context: click.Context, folder: Path, pin: str, *, visits: bool, as_json: bool) -> None:
    """Send the contact log of DIR (./node) to the node's authority."""
    settings = NodeSettings.load(folder)
    context.invoke(
        upload_log,
        log=folder / LOG,
        pin=pin,
        server=settings.server,
        credential=folder / CREDENTIAL,
        allow_plain_http=settings.allow_plain_http,
        visits=folder if visits else None,
        as_json=as_json,
    )
