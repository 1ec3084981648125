"""`tracetogether upload`: send a phone's contact log to the authority."""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.upload import parse_upload
from tracetogether.cli.console import answer, note, right, table
from tracetogether.cli.options import EXISTING_FOLDER, FILE, allow_plain_http, as_json, pin_digits
from tracetogether.cli.upload_attempt import ENDING, Attempt, begin_or_resume
from tracetogether.cli.upload_choice import (
    Choice,
    DayOfLog,
    Preview,
    moment,
    preview,
    span,
    upload_body,
)
from tracetogether.cli.upload_visits import (
    ChosenVisits,
    chosen_visits,
    taken_json,
    taken_lines,
)
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    NotFoundError,
    StoreError,
)
from tracetogether.parameters import MAX_UPLOAD_BYTES, MAX_UPLOAD_RECORDS
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.plain_text import counted


@click.command()
@click.argument("log", type=FILE)
@click.option("--pin", help="Upload PIN from the health authority.")
@click.option("--server", metavar="URL", help="Address of the authority's server.")
@click.option(
    "--credential",
    type=FILE,
    help="The phone's credential: the server's answer to its registration (JSON).  [default: LOG "
    "with the ending .credential]",
)
@allow_plain_http
@click.option("--since", metavar="TIME", help="Send no records before this UTC date or time.")
@click.option(
    "--until",
    metavar="TIME",
    help="Send no records after this UTC time; a date includes the whole day.",
)
@click.option(
    "--leave-out",
    metavar="FROM..TO",
    multiple=True,
    help="Send no records of this period (UTC). Repeatable.",
)
@click.option(
    "--visits",
    type=EXISTING_FOLDER,
    metavar="DIR",
    help="Send the visits and trips too that were noted in the folder DIR; --since, --until and "
    "--leave-out count for them as well.",
)
@click.option(
    "--leave-place",
    metavar="NAME",
    multiple=True,
    help="Send no visits of the place with this name. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent on each day; send nothing.")
@as_json
def upload(
    log: Path,
    pin: str | None,
    server: str | None,
    credential: Path | None,
    since: str | None,
    until: str | None,
    leave_out: tuple[str, ...],
    visits: Path | None = None,
    leave_place: tuple[str, ...] = (),
    *,
    allow_plain_http: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send LOG, a phone's contact log, to the health authority.

    LOG is the phone's database (SQLite) or a file in OpenTrace's JSON. Unless records are left out,
    the JSON file is sent unchanged. If a database has more than the authority takes, fewer records
    of the same TempID are sent, the oldest left out first. After an interruption, the same command
    continues and the PIN stays valid.
    """
    choice = Choice(
        since=-inf if since is None else moment(since),
        until=inf if until is None else moment(until, end=True),
        left_out=tuple(map(span, leave_out)),
    )
    reported = None if visits is None else chosen_visits(visits, choice, leave_place)
    if dry_run:
        seen = preview(log, choice)
        lines = [] if reported is None else [f"Would send  {reported.words}", *reported.lines()]
        facts = seen.to_json() | ({} if reported is None else reported.counts)
        answer(facts, *_shown(seen), *lines, as_json=as_json)
        return
    if pin is None or server is None:
        missing = "--pin" if pin is None else "--server"
        msg = f"Missing option {missing!r}; without it, use --dry-run."
        raise click.UsageError(msg)
    digits = pin_digits(pin)
    beside = credential or log.with_suffix(".credential")
    if not beside.exists():
        msg = f"there is no {beside}: give the phone's credential with --credential"
        if not log.exists():
            msg = f"there is no contact log {log}: give the phone's database (.db)"
        raise StoreError(msg)
    registered = PhoneRegistration.load(beside)
    # Everything that decides what is sent. If any of it changes, a new attempt starts.
    inputs = (digits, server, str(log.resolve()), repr(choice))
    with AuthorityClient(
        server, credential=registered.credential, allow_plain_http=allow_plain_http
    ) as client:
        attempt = begin_or_resume(
            beside.with_suffix(ENDING),
            inputs,
            lambda: upload_body(log, choice, alone=reported is None or not reported.some),
        )
        if attempt.resumed:
            note("Continuing the upload that was started before")
        receipt, taken = _sent(client, digits, attempt, reported)
    count = len(parse_upload(attempt.body).records)
    lines = [
        f"Sent      {counted(count, 'records')} ({len(attempt.body):,} bytes before compression)"
    ]
    if "already_received" in receipt:
        lines.append("Received  already: nothing is left to do")
    else:
        lines.append(f"Accepted  {receipt['accepted']} of {receipt['records']}")
        rejected = sorted(receipt["rejected"].items())
        lines += [f"Rejected  {refused}: {reason}" for reason, refused in rejected]
    answer(
        {
            "sent": count,
            "bytes": len(attempt.body),
            **receipt,
            **taken_json(taken),
            **({} if reported is None else reported.kept_back),
        },
        *lines,
        *taken_lines(taken, reported),
        *(() if reported is None else reported.lines()),
        as_json=as_json,
    )


def _sent(
    client: AuthorityClient, pin: str, attempt: Attempt, reported: ChosenVisits | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the authority's receipts for the log and for visits; None for visits if none go.

    The attempt ends when all is received, or refused.
    """
    try:
        token = client.redeem_pin(pin, attempt.body, attempt=attempt.name)
    except (AccessDeniedError, ConflictError, InvalidRequestError, InvalidUploadError):
        attempt.end()
        raise
    try:
        receipt = client.upload(attempt.body, token)
    except NotFoundError:  # the case was closed: nobody needs the log
        attempt.end()
        raise
    except ConflictError:
        if not attempt.resumed:
            raise
        receipt = {"already_received": True}  # the earlier run did not get the receipt
    taken: dict[str, Any] | None = None
    if reported is not None:
        try:
            taken = client.report_visits(reported.body, token)
        except ConflictError:  # an earlier run did not get the answer
            taken = {"already_received": True}
    attempt.end()
    return receipt, taken


def _shown(seen: Preview) -> Iterator[Table | str]:
    yield table(
        seen.days,
        ("day (UTC)", lambda day: _dim(day, day.date)),
        (right("records"), lambda day: _dim(day, f"{day.records:,}")),
        (right("would send"), lambda day: _dim(day, f"{day.would_send:,}")),
        (right("bytes"), lambda day: _dim(day, f"{day.bytes:,}")),
    )
    yield (
        f"Would send  {seen.sent:,} of {seen.records:,} records, {seen.bytes_sent:,} bytes before "
        "compression. Nothing was sent."
    )
    if not seen.fits:
        yield (
            f"Too large   the authority takes {MAX_UPLOAD_BYTES:,} bytes and "
            f"{MAX_UPLOAD_RECORDS:,} records: leave days out with --since, --until or --leave-out"
        )


def _dim(day: DayOfLog, text: str) -> Text:
    """Return a cell, dimmed if records of the day are left out."""
    return Text(text, "" if day.would_send == day.records else "dim")
