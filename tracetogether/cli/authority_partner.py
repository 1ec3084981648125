"""`tracetogether authority partner`: other authorities that are recognised."""

import json
import time
from base64 import b64decode
from pathlib import Path
from typing import Final

import click

from tracetogether.adapters.http_client import checked_address
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.partners.partner import Partner
from tracetogether.authority.partners.recognition import GRANTABLE
from tracetogether.authority.partners.removed import MOST_DAYS
from tracetogether.cli.authority_exchange import exchange
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import (
    FolderCommand,
    folder_option,
    operator_of,
    token_option,
)
from tracetogether.cli.console import answer, fixed, note, table, utc_text
from tracetogether.cli.options import EXISTING_FILE, as_json, number_option
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_HOUR

_MOST_HOURS: Final = 24 * 7


@click.group()
def partner() -> None:
    """Other authorities: gates here accept their passes, and records are exchanged."""


partner.command_class = FolderCommand
partner.add_command(exchange)


@partner.command()
@click.argument("file", type=EXISTING_FILE)
@click.option(
    "--purpose",
    "purposes",
    type=click.Choice(sorted(GRANTABLE)),
    multiple=True,
    default=("pass",),
    show_default=True,
    help="What is recognised of it. Can be given several times.",
)
@number_option("--days", "How long it is recognised.", default=90, most=MOST_DAYS)
@number_option(
    "--oldest-hours", "Refuse its passes that began longer ago than this.", most=_MOST_HOURS
)
@click.option("--organisation", help="Its code, if FILE does not name it.")
@click.option("--address", metavar="URL", default="", help="Its service; records are sent there.")
@token_option
@folder_option
@as_json
def add(
    file: Path,
    purposes: tuple[str, ...],
    days: int,
    oldest_hours: int | None,
    organisation: str | None,
    address: str,
    token: Path | None,
    folder: Path,
    *,
    as_json: bool,
) -> None:
    """Add the authority whose keys are in FILE; another person must confirm it.

    FILE is its trust list (GET /v1/trust), a PEM certificate, a JWK set or a DID document. Nothing
    of it counts before `authority partner confirm`.
    """
    with opened_folder(folder) as service:
        added = service.partners.add(
            file.read_bytes(),
            time.time(),
            days=days,
            purposes=frozenset(purposes),
            recognised_s=None if oldest_hours is None else oldest_hours * SECONDS_PER_HOUR,
            organisation=organisation,
            address=checked_address(address, allow_plain_http=False) if address else "",
            by=operator_of(service, token),
        )
    answer(
        _as_json(added),
        f"Added {added.organisation} with {counted(len(added.keys), 'keys')}; nothing counts yet. "
        "Now call its people by telephone. They read their fingerprint to a second person here, "
        f"who runs: tracetogether authority partner confirm {added.organisation} FINGERPRINT",
        as_json=as_json,
    )


@partner.command()
@click.argument("organisation")
@click.argument("heard", metavar="FINGERPRINT", nargs=-1, required=True)
@token_option
@folder_option
@as_json
def confirm(
    organisation: str, heard: tuple[str, ...], token: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Confirm the partner ORGANISATION by the FINGERPRINT that its people read out.

    Another operator than the one who added it does this, with the words that were heard.
    """
    with opened_folder(folder) as service:
        confirmed = service.partners.confirm(
            organisation, " ".join(heard), time.time(), by=operator_of(service, token)
        )
    said = f"Confirmed {organisation}: the next trust list has its keys"
    answer(_as_json(confirmed), said, as_json=as_json)


@partner.command()
@click.argument("organisation")
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@token_option
@folder_option
@as_json
def update(
    organisation: str, files: tuple[Path, ...], token: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Take newer lists of the partner ORGANISATION: what its /v1/trust and /v1/revocations answer.

    The key that was confirmed must have signed them. A list of keys holds for a day: fetch both
    each hour.
    """
    said: list[str] = []
    facts: dict[str, object] = {"organisation": organisation}
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        for file in files:
            data = file.read_bytes()
            revoked = _revocations_in(data)
            if revoked is None:
                changed = service.partners.update(organisation, data, time.time(), by=by)
                said.append(counted(len(changed.keys), "keys"))
                facts["keys"] = len(changed.keys)
            else:
                count = service.partners.take_revocations(organisation, revoked, by=by)
                said.append(f"revoked passes: {count}")
                facts["revoked_passes"] = count
    answer(facts, f"{organisation}: {', '.join(said)}", as_json=as_json)


@partner.command("address")
@click.argument("organisation")
@click.argument("url", default="")
@token_option
@folder_option
@as_json
def set_address(
    organisation: str, url: str, token: Path | None, folder: Path, *, as_json: bool
) -> None:
    """Send records to the partner ORGANISATION at URL; without URL, files are carried."""
    checked = checked_address(url, allow_plain_http=False) if url else ""
    with opened_folder(folder) as service:
        by = operator_of(service, token)
        service.partners.address_is(organisation, checked, time.time(), by=by)
    facts = {"organisation": organisation, "address": checked}
    answer(facts, f"{organisation}: {checked or 'files are carried'}", as_json=as_json)


@partner.command()
@folder_option
@as_json
def fingerprint(folder: Path, *, as_json: bool) -> None:
    """Print what your people read out to a partner that adds you."""
    with opened_folder(folder) as service:
        key = service.passes.list_key(by=CONSOLE)
        words = service.partners.own_fingerprint(key)
    answer({"fingerprint": words}, words, as_json=as_json)


@partner.command("list")
@folder_option
@as_json
def list_partners(folder: Path, *, as_json: bool) -> None:
    """List the partners, what is recognised of them, and who added and confirmed them."""
    with opened_folder(folder) as service:
        found = service.partners.all(by=CONSOLE)
        now = time.time()
    if not found and not as_json:
        note("There are no partners")
        return
    answer(
        [_as_json(shown) for shown in found],
        table(
            found,
            (fixed("organisation"), lambda shown: shown.organisation),
            ("state", lambda shown: _state(shown, now)),
            ("for", lambda shown: ", ".join(sorted(shown.purposes))),
            (fixed("until"), lambda shown: utc_text(shown.until).split()[0]),
            ("by", lambda shown: f"{shown.proposed_by}, {shown.confirmed_by or 'nobody'}"),
        ),
        as_json=as_json,
    )


@partner.command()
@click.argument("organisation")
@token_option
@folder_option
@as_json
def remove(organisation: str, token: Path | None, folder: Path, *, as_json: bool) -> None:
    """Remove the partner ORGANISATION: gates refuse its passes from their next list on."""
    with opened_folder(folder) as service:
        service.partners.remove(organisation, time.time(), by=operator_of(service, token))
    said = f"Removed {organisation}: the next trust list has none of its keys"
    answer({"organisation": organisation, "removed": True}, said, as_json=as_json)


def _revocations_in(data: bytes) -> bytes | None:
    """Return the signed list in what /v1/revocations answered; None if it is something else."""
    try:
        answered = json.loads(data)
        return b64decode(answered["revocations"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _state(shown: Partner, now: float) -> str:
    if not shown.confirmed_by:
        return "waits"
    if next(shown.recognised(now), None) is not None:
        return "recognised"
    return "list is over" if now < shown.until else "over"


def _as_json(shown: Partner) -> dict[str, object]:
    return {
        "organisation": shown.organisation,
        "keys": len(shown.keys),
        "purposes": sorted(shown.purposes),
        "recognised_s": shown.recognised_s,
        "until": shown.until,
        "added_by": shown.proposed_by,
        "confirmed_by": shown.confirmed_by or None,
        "list_until": shown.listed_until,
        "address": shown.address,
    }
