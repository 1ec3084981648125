"""`tracetogether authority`: set up, serve, work on cases, forget on time."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.table import Column, Table

from tracetogether.authority.casework import Case, day_of
from tracetogether.authority.contacts import Contact, pseudonym
from tracetogether.authority.service import Authority
from tracetogether.authority.tracing import POLICIES, TracedCase
from tracetogether.cli.authority_folder import (
    DEFAULT_FOLDER,
    DEFAULT_NAME,
    KEYS,
    OPERATOR_TOKEN,
    create_folder,
    opened_folder,
)
from tracetogether.cli.console import err, out, print_json, utc_text
from tracetogether.errors import MissingExtraError, TraceTogetherError
from tracetogether.parameters import UPLOAD_PIN_LIFETIME_S
from tracetogether.units import Interval

_PURGE_EVERY_S: Final = 3_600.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
_Command = TypeVar("_Command", bound=Callable[..., Any])

folder_argument = click.argument("folder", metavar="[DIR]", type=_FOLDER, default=DEFAULT_FOLDER)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def folder_option(command: _Command) -> _Command:
    """Add --dir to a command whose arguments name something else."""
    return click.option(
        "--dir",
        "folder",
        metavar="DIR",
        type=_FOLDER,
        default=DEFAULT_FOLDER,
        show_default=True,
        help="The authority's folder.",
    )(command)


def _moment(text: str) -> float:
    """Return epoch seconds from themselves, or from a date with or without a time, in UTC."""
    try:
        if text.isdecimal():
            return float(int(text))  # OverflowError where float alone would say "infinite"
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        msg = f"{text!r} is no time: give 2020-05-04T08:00:00 (UTC) or epoch seconds"
        raise click.BadParameter(msg, param_hint="--now") from None


@click.group()
def authority() -> None:
    """Run a health authority: issue TempIDs, take contact logs in, list contacts."""


@authority.command()
@folder_argument
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="Organisation code.")
@as_json
def init(folder: Path, name: str, *, as_json: bool) -> None:
    """Make a new authority in DIR (./authority): its database, keys and operator token."""
    create_folder(folder, now=time.time(), name=name)
    token_file = folder / OPERATOR_TOKEN
    if as_json:
        print_json({"dir": str(folder), "name": name, "operator_token_file": str(token_file)})
        return
    console = out()
    console.print(f"Authority {name} made in {folder}", markup=False, soft_wrap=True)
    console.print(
        f"  operator token: {token_file} (needed for the case routes; only you can read it)\n"
        f"  keys:           {folder / KEYS} (they open TempIDs; keep them out of backups)\n"
        f"Next: tracetogether authority serve {folder}",
        markup=False,
        soft_wrap=True,
    )


@authority.command()
@folder_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one and says which.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def serve(folder: Path, port: int, host: str) -> None:
    """Serve the authority in DIR (./authority) over HTTP until interrupted.

    Every hour, and at the start, what has outlived its time is purged.
    """
    try:
        from tracetogether.adapters import http_api  # noqa: PLC0415 - optional packages
    except ImportError:
        raise MissingExtraError("The authority's server", "server") from None
    with opened_folder(folder) as service, http_api.listening(host, port) as listener:
        stop = threading.Event()
        purging = threading.Thread(target=_purge_hourly, args=(service, stop), daemon=True)
        purging.start()
        url = f"http://{host}:{listener.getsockname()[1]}"
        _tell(f"Serving {folder} on {url} (described at /openapi.json); Ctrl-C ends it")
        if host not in _LOOPBACK:
            _tell("This is plain http: let a proxy with a certificate stand before it.")
        try:
            with suppress(KeyboardInterrupt):  # which is how one ends it
                http_api.serve(http_api.create_app(service), listener)
        finally:
            stop.set()
            purging.join()


def _tell(text: str) -> None:
    err().print(text, markup=False, soft_wrap=True)


def _purge_hourly(service: Authority, stop: threading.Event) -> None:
    while True:
        try:
            service.purge(time.time())
        except TraceTogetherError as error:  # the next hour tries again
            _tell(f"Purge failed: {error}")
        if stop.wait(_PURGE_EVERY_S):
            return


@authority.group()
def case() -> None:
    """Open cases, give out upload PINs, list contacts."""


@case.command("open")
@click.argument("user_id")
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Date of diagnosis or first symptoms (UTC); today if left out.",
)
@folder_option
@as_json
def open_case(user_id: str, date: datetime | None, folder: Path, *, as_json: bool) -> None:
    """Open a case for USER_ID, and print its id and an upload PIN."""
    now = time.time()
    day = None if date is None else day_of(date.date())
    with opened_folder(folder) as service:
        opened = service.casework.open_case(user_id, now, day)
        pin = service.pins.issue(opened, now)
    _print_pin(opened, pin, now, as_json=as_json)


@case.command("pin")
@click.argument("case_id")
@folder_option
@as_json
def new_pin(case_id: str, folder: Path, *, as_json: bool) -> None:
    """Print a new upload PIN for CASE_ID; the earlier one is void."""
    now = time.time()
    with opened_folder(folder) as service:
        opened = service.casework.case(case_id)
        pin = service.pins.issue(opened, now)
    _print_pin(opened, pin, now, as_json=as_json)


def _print_pin(opened: Case, pin: str, now: float, *, as_json: bool) -> None:
    expiry = now + UPLOAD_PIN_LIFETIME_S
    if as_json:
        said = {"case_id": opened.case_id, "date": opened.date, "upload_pin": pin}
        print_json({**said, "expires_at": expiry})
        return
    console = out()
    console.print(f"Case        {opened.case_id}   (date {opened.date})")
    console.print(f"Upload PIN  {pin}     (once, until {utc_text(expiry)} UTC; shown only now)")


@case.command("list")
@folder_option
@as_json
def list_cases(folder: Path, *, as_json: bool) -> None:
    """List all cases, the newest first."""
    with opened_folder(folder) as service:
        cases = service.casework.cases()
    if as_json:
        print_json(
            [
                {
                    "case_id": one.case_id,
                    "pseudonym": pseudonym(one.user_id),
                    "date": one.date,
                    "opened_at": one.opened_at,
                }
                for one in cases
            ]
        )
        return
    table = Table("case", "person", "date", "opened (UTC)")
    for one in cases:
        table.add_row(one.case_id, pseudonym(one.user_id), one.date, utc_text(one.opened_at))
    out().print(table)


@case.command()
@click.argument("case_id")
@click.option(
    "--policy",
    type=click.Choice(list(POLICIES)),
    default="singapore",
    show_default=True,
    help="When a contact counts as close.",
)
@folder_option
@as_json
def contacts(case_id: str, policy: str, folder: Path, *, as_json: bool) -> None:
    """List who was near CASE_ID's person in the 14 days before the case's date."""
    with opened_folder(folder) as service:
        traced = service.tracing.contacts(service.casework.case(case_id), POLICIES[policy])
    if as_json:
        print_json(traced.to_json())
    else:
        _print_contacts(traced)


def _print_contacts(traced: TracedCase) -> None:
    policy = traced.policy
    table = Table(
        "person",
        *[
            Column(one, justify="right")
            for one in ("days", "encounters", "minutes near", "nearest, m")
        ],
        "close contact",
        title=f"Contacts of case {traced.case.case_id} ({traced.case.date} and 14 days before)",
        caption=(
            f"near: within {policy.within_m:g} m; close contact: {policy.minutes:g} min or more "
            "in 24 hours; in brackets 5 % to 95 %"
        ),
    )
    for contact in traced.contacts:
        table.add_row(*_cells(contact))
    console = out()
    console.print(table)
    console.print(
        f"{traced.uploads} uploads, {traced.records} records, {traced.accepted} believed, "
        f"{traced.in_span} of them in these days"
    )
    if traced.rejected:
        reasons = sorted(traced.rejected.items(), key=lambda one: -one[1])
        console.print(
            "not believed: " + ", ".join(f"{count} {reason.value}" for reason, count in reasons)
        )
    if traced.unreadable_uploads:
        console.print(f"{traced.unreadable_uploads} uploads can't be opened: their keys are gone")


def _cells(contact: Contact) -> tuple[str, ...]:
    return (
        contact.pseudonym,
        str(contact.days),
        str(contact.encounters),
        _shown(contact.minutes, ".0f"),
        _shown(contact.nearest_m, ".1f"),
        "YES" if contact.close_contact else "no",
    )


def _shown(value: Interval, form: str) -> str:
    return f"{value.median:{form}} ({value.low:{form}} - {value.high:{form}})"


@authority.command()
@folder_argument
@click.option(
    "--now",
    metavar="TIME",
    help="Purge as of this time (UTC or epoch seconds). What a later time destroys is gone.",
)
@as_json
def purge(folder: Path, now: str | None, *, as_json: bool) -> None:
    """Destroy what has outlived its time in DIR (./authority): day keys, uploads, PINs, cases."""
    moment = time.time() if now is None else _moment(now)
    with opened_folder(folder) as service:
        purged = service.purge(moment)
    said = {
        "day_keys": purged.day_keys,
        "uploads": purged.uploads,
        "pins": purged.pins,
        "cases": purged.cases,
    }
    if as_json:
        print_json(said)
    else:
        out().print(
            "Gone: " + ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in said.items())
        )
