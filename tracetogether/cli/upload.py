"""`tracetogether upload`: send a phone's contact log to the authority."""

import re
from pathlib import Path
from typing import Any, Final

import click

from tracetogether.adapters.http_client import AuthorityClient, Registered
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.cli.console import err, out, print_json
from tracetogether.cli.upload_attempt import ENDING, Attempt, begun
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidUploadError,
    NotFoundError,
    StoreError,
)
from tracetogether.parameters import MAX_UPLOAD_BYTES, UPLOAD_PIN_DIGITS

_SQLITE: Final = b"SQLite format 3\x00"


@click.command()
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--pin", required=True, help="The upload PIN that the health authority gave you.")
@click.option("--server", required=True, metavar="URL", help="The authority's address.")
@click.option(
    "--credential",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What the server answered when the phone registered (JSON).  "
    "[default: LOG with the ending .credential]",
)
@click.option(
    "--allow-plain-http", is_flag=True, help="Send to another machine without encryption."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def upload(
    log: Path,
    pin: str,
    server: str,
    credential: Path | None,
    *,
    allow_plain_http: bool,
    as_json: bool,
) -> None:
    """Send LOG, a phone's contact log, to the health authority.

    LOG is the phone's database (SQLite), or a file in OpenTrace's JSON, which is sent as it is.
    If it is interrupted, the same command goes on where it stopped, and the PIN is still good.
    """
    digits = re.sub(r"[\s-]", "", pin)  # as people write numbers down
    if not re.fullmatch(rf"[0-9]{{{UPLOAD_PIN_DIGITS}}}", digits):
        msg = f"an upload PIN has {UPLOAD_PIN_DIGITS} digits"
        raise click.BadParameter(msg, param_hint="--pin")
    beside = credential or log.with_suffix(".credential")
    registered = Registered.load(beside)
    # Everything that decides what is sent: with other wishes a new attempt begins.
    asked = (digits, server, str(log.resolve()))
    with AuthorityClient(
        server, credential=registered.credential, allow_plain_http=allow_plain_http
    ) as client:
        attempt = begun(beside.with_suffix(ENDING), asked, lambda: _body(log))
        if attempt.resumed:
            err().print("Going on with the upload that was begun before", markup=False)
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
        console.print(f"Rejected  {refused}: {reason}", markup=False)


def _sent(client: AuthorityClient, pin: str, attempt: Attempt) -> dict[str, Any]:
    """Return what the authority said; the attempt is over when it has the log or wants none."""
    try:
        token = client.redeem_pin(pin, attempt.body, attempt=attempt.name)
    except (AccessDeniedError, InvalidUploadError):
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


def _body(log: Path) -> bytes:
    """Return the JSON to send, read once: a log that can't be read shall not cost a PIN."""
    try:
        with log.open("rb") as file:
            body = file.read(MAX_UPLOAD_BYTES + 1)  # one more than is accepted
    except OSError as error:
        msg = f"can't read the contact log {log}: {error.strerror}"
        raise StoreError(msg) from None
    if body.startswith(_SQLITE):
        with SqliteContactLog.open(log, read_only=True) as phone:
            body = write_upload(phone.rows())
    if len(body) > MAX_UPLOAD_BYTES:
        msg = f"the log is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB: it can't be uploaded"
        raise InvalidUploadError(msg)
    if not parse_upload(body).records:
        msg = f"{log} holds no sightings: there is nothing to upload, and the PIN is still good"
        raise InvalidUploadError(msg)
    return body
