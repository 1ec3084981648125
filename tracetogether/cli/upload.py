"""`tracetogether upload`: send a phone's contact log to the authority."""

import re
from math import inf
from pathlib import Path
from typing import Any

import click
from rich.table import Column, Table

from tracetogether.adapters.http_client import AuthorityClient, PhoneRegistration
from tracetogether.bluetrace.upload import parse_upload
from tracetogether.cli.console import err, out, print_json
from tracetogether.cli.upload_attempt import ENDING, Attempt, begun
from tracetogether.cli.upload_choice import Choice, Preview, body_of, moment, preview, span
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidUploadError,
    NotFoundError,
)
from tracetogether.parameters import MAX_UPLOAD_BYTES, MAX_UPLOAD_RECORDS, UPLOAD_PIN_DIGITS


@click.command()
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--pin", help="The upload PIN that the health authority gave you.")
@click.option("--server", metavar="URL", help="The authority's address.")
@click.option(
    "--credential",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the server answered when the phone registered (JSON).  "
    "[default: LOG with the ending .credential]",
)
@click.option(
    "--allow-plain-http", is_flag=True, help="Send to another machine without encryption."
)
@click.option("--since", metavar="TIME", help="Send nothing from before (UTC date or time).")
@click.option("--until", metavar="TIME", help="Send nothing from after; a date is that whole day.")
@click.option(
    "--leave-out",
    metavar="FROM..TO",
    multiple=True,
    help="Send nothing of this period; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent, day by day; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def upload(
    log: Path,
    pin: str | None,
    server: str | None,
    credential: Path | None,
    since: str | None,
    until: str | None,
    leave_out: tuple[str, ...],
    *,
    allow_plain_http: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send LOG, a phone's contact log, to the health authority.

    LOG is the phone's database (SQLite), or a file in OpenTrace's JSON, which is sent as it is
    if nothing is left out.
    If it is interrupted, the same command goes on where it stopped, and the PIN is still good.
    """
    choice = Choice(
        since=-inf if since is None else moment(since),
        until=inf if until is None else moment(until, end=True),
        left_out=tuple(span(one) for one in leave_out),
    )
    if dry_run:
        seen = preview(log, choice)
        if as_json:
            print_json(seen.to_json())
        else:
            _print_preview(seen)
        return
    if pin is None or server is None:
        missing = "--pin" if pin is None else "--server"
        msg = f"Missing option {missing!r}; without it there is only --dry-run."
        raise click.UsageError(msg)
    digits = re.sub(r"[\s-]", "", pin)  # as people write numbers down
    if not re.fullmatch(rf"[0-9]{{{UPLOAD_PIN_DIGITS}}}", digits):
        msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
        raise click.BadParameter(msg, param_hint="--pin")
    beside = credential or log.with_suffix(".credential")
    registered = PhoneRegistration.load(beside)
    # Everything that decides what is sent: with other wishes a new attempt begins.
    asked = (digits, server, str(log.resolve()), repr(choice))
    with AuthorityClient(
        server, credential=registered.credential, allow_plain_http=allow_plain_http
    ) as client:
        attempt = begun(beside.with_suffix(ENDING), asked, lambda: body_of(log, choice))
        if attempt.resumed:
            err().print("Going on with the upload that was begun before")
        receipt = _sent(client, digits, attempt)
    count = len(parse_upload(attempt.body).records)
    if as_json:
        print_json({"sent": count, "bytes": len(attempt.body), **receipt})
        return
    console = out()
    console.print(f"Sent      {count} records ({len(attempt.body):,} bytes before compression)")
    if "already_received" in receipt:
        console.print("Received  already: nothing is left to do")
        return
    console.print(f"Accepted  {receipt['accepted']} of {receipt['records']}")
    for reason, refused in sorted(receipt["rejected"].items()):
        console.print(f"Rejected  {refused}: {reason}")


def _sent(client: AuthorityClient, pin: str, attempt: Attempt) -> dict[str, Any]:
    """Return what the authority said; the attempt is over when it has the log or wants none."""
    try:
        token = client.redeem_pin(pin, attempt.body, attempt=attempt.name)
    except (AccessDeniedError, ConflictError, InvalidUploadError):
        attempt.end()
        raise
    try:
        receipt = client.upload(attempt.body, token)
    except NotFoundError:  # the case was closed: nobody wants the log any more
        attempt.end()
        raise
    except ConflictError:
        if not attempt.resumed:
            raise
        receipt = {"already_received": True}  # the earlier run did not hear of it
    attempt.end()
    return receipt


def _print_preview(seen: Preview) -> None:
    table = Table(
        "day (UTC)", *[Column(one, justify="right") for one in ("records", "would send", "bytes")]
    )
    for day in seen.days:
        kept = day.sent == day.records
        table.add_row(
            day.date,
            f"{day.records:,}",
            f"{day.sent:,}",
            f"{day.bytes_sent:,}",
            style=None if kept else "dim",
        )
    console = out()
    console.print(table)
    console.print(
        f"Would send  {seen.sent:,} of {seen.records:,} records, {seen.bytes_sent:,} bytes before "
        "compression. Nothing was sent."
    )
    if not seen.fits:
        console.print(
            f"Too large   the authority takes {MAX_UPLOAD_BYTES:,} bytes and "
            f"{MAX_UPLOAD_RECORDS:,} records: leave days out with --since, --until or --leave-out"
        )
