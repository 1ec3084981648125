"""`tracetogether conformance`: known answers and checks for other apps and servers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.cli.console import answer, fixed, note, table
from tracetogether.cli.options import (
    FILE,
    FOLDER,
    FiniteNumber,
    allow_plain_http,
    as_json,
    pin_digits,
)
from tracetogether.conformance import known_answers
from tracetogether.conformance.checklist import Verdict
from tracetogether.conformance.server_bench import ServerBench
from tracetogether.conformance.server_checks import run_checks
from tracetogether.conformance.upload_checks import SERVER_CHECKS
from tracetogether.errors import MissingExtraError
from tracetogether.exchange import RadioProfile
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.plain_text import counted
from tracetogether.whole_file import read_secret


@click.group()
def conformance() -> None:
    """Test other apps and servers: known answers, a server's answers, a phone's radio."""


@conformance.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
def vectors(folder: Path, *, as_json: bool) -> None:
    """Write the known answers for phone apps to DIR, as JSON with a README.

    They hold payloads, advertisements, the order of an exchange, a batch of TempIDs, a log to
    upload, and the server's refusals. Files of the same names are replaced.
    """
    written = known_answers.write(folder)
    answer(
        {"files": [str(path) for path in written]},
        f"Wrote {counted(len(written), 'files')} to {folder}; its README.md explains them",
        as_json=as_json,
    )


@conformance.command()
@click.argument("url")
@click.option(
    "--phone",
    type=FILE,
    help="Credential of the phone that uploads (JSON). If there is no such file, it is made, and "
    "the phone stays registered, so that a case can be opened for it.",
)
@click.option("--pin", help="Upload PIN of that phone: one test log comes in with it.")
@click.option(
    "--operator-token",
    type=FILE,
    help="File with an operator's token, to open a case for the phone and to issue the PIN.",
)
@click.option(
    "--withdraw",
    is_flag=True,
    help="Delete the phone of --phone at the end, with its case and its upload.",
)
@allow_plain_http
@as_json
@click.pass_context
def server(
    ctx: click.Context,
    url: str,
    phone: Path | None,
    pin: str | None,
    operator_token: Path | None,
    *,
    withdraw: bool,
    allow_plain_http: bool,
    as_json: bool,
) -> None:
    """Check what the server at URL answers to phones; exit with 1 if a check fails.

    It registers two phones and deletes them at the end. It uploads logs that the server forgets
    (X-Chaff). Only with --pin or --operator-token one log of made-up records comes in, under a case
    of the test phone. It reads, changes and deletes nothing else.

    With a PIN: run it with --phone FILE, let an operator open a case for the user id that it
    prints, and run it again with --phone FILE and --pin.
    """
    uploader = PhoneRegistration.load(phone) if phone is not None and phone.exists() else None
    if pin is not None and uploader is None:
        msg = "--pin belongs to a phone: give the file of its credential with --phone"
        raise click.UsageError(msg)
    with AuthorityClient(
        url,
        operator_token=None if operator_token is None else read_secret(operator_token).strip(),
        allow_plain_http=allow_plain_http,
    ) as operator:
        bench = ServerBench(
            url,
            uploader=uploader,
            pin_for=_pin_source(operator, pin, by_operator=operator_token is not None),
            allow_plain_http=allow_plain_http,
        )
        stays = uploader is not None and not withdraw
        try:
            verdict = run_checks(SERVER_CHECKS, bench)
            if phone is not None and uploader is None and bench.uploader is not None:
                bench.uploader.save(phone)
                stays = not withdraw
        finally:
            bench.withdraw(uploader=not stays)
            bench.close()
    show(verdict, as_json=as_json)
    if stays and bench.uploader is not None:
        note(f"The phone of {phone} stays registered; its user id is {bench.uploader.user_id}")
    ctx.exit(1 if verdict.failed else 0)


def _pin_source(
    operator: AuthorityClient, pin: str | None, *, by_operator: bool
) -> Callable[[str], str] | None:
    """Return what gives an upload PIN for a user id: the one given, or an operator; or None."""
    if pin is None:
        if not by_operator:
            return None
        return lambda user_id: operator.issue_pin(operator.open_case(user_id))
    digits = pin_digits(pin)
    if by_operator:
        msg = "give --pin or --operator-token, not both"
        raise click.UsageError(msg)
    return lambda _: digits


@conformance.command()
@click.option(
    "--attach",
    metavar="TRANSPORT",
    help="Offer the phone under test a virtual Bluetooth controller here (HCI), such as "
    "tcp-server:127.0.0.1:6402.",
)
@click.option(
    "--radio",
    metavar="TRANSPORT",
    help="Adapter of the scripted phone, such as usb:0 or serial:/dev/ttyACM0, to meet a real "
    "phone within reach.",
)
@click.option("--service", default=SERVICE_UUID, show_default=True, help="UUID of the service.")
@click.option(
    "--characteristic",
    default=CHARACTERISTIC_UUID,
    show_default=True,
    help="UUID of the characteristic.",
)
@click.option(
    "--wait",
    "wait_s",
    type=FiniteNumber(min=0, min_open=True),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long the phone may take to be heard, or to connect.",
)
@as_json
@click.pass_context
def peer(
    ctx: click.Context,
    attach: str | None,
    radio: str | None,
    service: str,
    characteristic: str,
    wait_s: float,
    *,
    as_json: bool,
) -> None:
    """Meet a phone as a scripted phone and check what it does; exit with 1 if a check fails.

    The phone under test attaches its own Bluetooth host to a virtual controller (--attach), or is a
    real one within reach of an adapter (--radio). Without both, this library's own node is checked
    on a virtual link. A phone that scans every 51 seconds needs some eight minutes.

    The scripted phone stays in the other's log as the model "Scripted phone", with a TempID that
    every authority rejects.
    """
    if attach is not None and radio is not None:
        msg = "give --attach or --radio, not both"
        raise click.UsageError(msg)
    try:
        from tracetogether.conformance import (  # noqa: PLC0415 - an optional package
            peer_run,
        )
    except ImportError:
        raise MissingExtraError("Bluetooth", "radio") from None
    profile = RadioProfile(service, characteristic, COMPANY_ID)
    verdict = asyncio.run(
        peer_run.checked_peer(profile, attach=attach, radio=radio, wait_s=wait_s, tell=note)
    )
    show(verdict, as_json=as_json)
    ctx.exit(1 if verdict.failed else 0)


def show(verdict: Verdict, *, as_json: bool) -> None:
    """Print the checklist: each check with what was seen, and the remedy of those that failed."""
    counts = ", ".join(f"{count} {name}" for name, count in verdict.counts().items())
    lines = table(
        verdict.findings,
        (fixed("result"), lambda found: found.outcome.value),
        (fixed("check"), lambda found: found.check),
        ("what was seen", lambda found: found.saw),
    )
    remedies = [f"{found.check}: {found.title}. Remedy: {found.remedy}" for found in verdict.failed]
    answer(verdict.to_json, lines, counts, *remedies, as_json=as_json)
