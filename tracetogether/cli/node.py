"""`tracetogether node`: this machine as a phone, on a real Bluetooth adapter."""

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import Final

import click
from rich.table import Column, Table

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli.console import err, out, print_json, utc_text
from tracetogether.cli.node_folder import (
    CREDENTIAL,
    DEFAULT_FOLDER,
    LOG,
    NodeSettings,
    create_node,
)
from tracetogether.cli.node_live import live
from tracetogether.cli.upload import upload as upload_log
from tracetogether.errors import MissingExtraError
from tracetogether.exchange import GattProfile
from tracetogether.node.radio import OpenRadio, Radio, Report
from tracetogether.units import SECONDS_PER_HOUR
from tracetogether.whole_file import PRIVATE, whole_file

_BLUEZ_NAME: Final = re.compile(r"hci\d+")
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)

folder_argument = click.argument("folder", metavar="[DIR]", type=_FOLDER, default=DEFAULT_FOLDER)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group()
def node() -> None:
    """Be a phone: advertise, scan, exchange TempIDs and keep a contact log."""


@node.command()
@folder_argument
@click.option("--server", required=True, metavar="URL", help="The authority's address.")
@click.option("--organisation", default="SG_MOH", show_default=True, help="The authority's code.")
@click.option(
    "--model", default=NodeSettings("", "").model, help="Model that other phones write down."
)
@click.option("--service", default=SERVICE_UUID, show_default=True, help="UUID to advertise.")
@click.option(
    "--characteristic",
    default=CHARACTERISTIC_UUID,
    show_default=True,
    help="UUID of the value that phones read and write.",
)
@click.option(
    "--allow-plain-http", is_flag=True, help="Send to another machine without encryption."
)
@as_json_option
def init(
    folder: Path,
    server: str,
    organisation: str,
    model: str,
    service: str,
    characteristic: str,
    *,
    allow_plain_http: bool,
    as_json: bool,
) -> None:
    """Register with an authority, fetch the first TempIDs, and keep all in DIR (./node)."""
    settings = NodeSettings(server, organisation, model, service, characteristic, allow_plain_http)
    registered = create_node(folder, settings, now=time.time())
    if as_json:
        print_json({"dir": str(folder), "user_id": registered.user_id})
        return
    out().print(
        f"Node made in {folder}; your user id is {registered.user_id}\n"
        f"Next: tracetogether node run {folder}",
        soft_wrap=True,
    )


@node.command()
@folder_argument
@click.option(
    "--radio",
    metavar="TRANSPORT",
    default="hci0",
    show_default=True,
    help="BlueZ's adapter (hci0), or one that bumble shall own: usb:0, serial:/dev/ttyACM0.",
)
@click.option(
    "--central-only",
    is_flag=True,
    help="Advertise nothing: this node hears others and writes to them; nobody hears it.",
)
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after so long."
)
@click.option("--json", "as_json", is_flag=True, help="Print what happens, one JSON object a line.")
def run(
    folder: Path, radio: str, seconds: float | None, *, central_only: bool, as_json: bool
) -> None:
    """Be the phone in DIR (./node) until interrupted or told to end (SIGTERM).

    Shows who is near. Works without the server as long as TempIDs last, and fetches new ones
    when it is back. An adapter that fails is opened again; without one at the start it ends.
    """
    settings = NodeSettings.load(folder)
    profile = GattProfile(settings.service, settings.characteristic, COMPANY_ID)
    if central_only:
        err().print("Central only: nothing is advertised, so nobody hears this node")
    opener = _opener(radio, profile, central_only=central_only)
    done = asyncio.run(live(folder, opener, as_json=as_json, seconds=seconds))
    if not as_json:
        err().print(f"Stopped after {done.counts['connections']:,} exchanges")


def _opener(name: str, profile: GattProfile, *, central_only: bool) -> OpenRadio:
    """Return what opens the adapter called ``name``: BlueZ's, or one of bumble's transports."""
    try:
        from tracetogether.adapters import (  # noqa: PLC0415 - optional packages
            bleak_radio,
            bumble_radio,
        )
    except ImportError:
        raise MissingExtraError("Bluetooth", "radio") from None
    if _BLUEZ_NAME.fullmatch(name):

        async def open_radio(report: Report) -> Radio:
            return await bleak_radio.open_bluez(name, profile, report, central_only=central_only)

    else:
        pause = name.startswith(("usb", "serial", "hci-socket"))  # some chips need it
        habits = bumble_radio.BumbleHabits(pause_advertising=pause, central_only=central_only)

        async def open_radio(report: Report) -> Radio:
            return await bumble_radio.open_adapter(name, profile, report, habits=habits)

    return open_radio


@node.group()
def log() -> None:
    """Look at the contact log, hand it out, shorten it."""


@log.command()
@folder_argument
@click.option(
    "--hours", type=click.FloatRange(min=0), default=24.0, show_default=True, help="How far back."
)
@as_json_option
def show(folder: Path, hours: float, *, as_json: bool) -> None:
    """Show what the node in DIR (./node) heard lately, the last first."""
    NodeSettings.load(folder)
    with SqliteContactLog.open(folder / LOG, read_only=True) as held:
        rows = held.rows(time.time() - hours * SECONDS_PER_HOUR)[::-1]
    if as_json:
        print_json(
            [
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
        )
        return
    table = Table(
        "time (UTC)", "token", "model", Column("RSSI", justify="right"), "as", title=f"{LOG}"
    )
    for row in rows:
        role = "central" if row.as_central else "peripheral"
        token = f"{row.peer[:10]}…"
        table.add_row(utc_text(row.time), token, row.peer_model, f"{row.rssi_dbm:.0f}", role)
    out().print(table)


@log.command("export")
@folder_argument
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file to write; stdout if left out.",
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
@as_json_option
def purge(folder: Path, *, as_json: bool) -> None:
    """Drop what is older than 21 days from the log in DIR (./node); `run` does so daily.

    A clock that leapt is doubted, and drops nothing until the authority confirms it (`run` asks).
    """
    NodeSettings.load(folder)
    with SqliteContactLog.open(folder / LOG, read_only=True) as held:
        before = len(held)
    with SqliteContactLog.open(folder / LOG) as held:  # which purges
        left, aside = len(held), held.set_aside()
    if as_json:
        print_json({"dropped": before - left, "left": left, "set_aside": aside})
        return
    out().print(f"Dropped {before - left:,} sightings, {left:,} left")
    if aside:
        err().print(
            f"{aside:,} of them are older than 21 days by this machine's clock, which leapt since "
            "the log was last written. They stay until `tracetogether node run` has the time "
            "confirmed by the authority, or 21 days at most.",
            soft_wrap=True,
        )


@node.command()
@folder_argument
@click.option("--pin", required=True, help="The upload PIN that the health authority gave you.")
@as_json_option
@click.pass_context
def upload(context: click.Context, folder: Path, pin: str, *, as_json: bool) -> None:
    """Send the contact log of DIR (./node) to the authority that the node is registered with."""
    settings = NodeSettings.load(folder)
    context.invoke(
        upload_log,
        log=folder / LOG,
        pin=pin,
        server=settings.server,
        credential=folder / CREDENTIAL,
        allow_plain_http=settings.allow_plain_http,
        as_json=as_json,
    )
