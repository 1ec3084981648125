"""`tracetogether pass`: the phone's side of passes. The module's name avoids a keyword."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tracetogether.cli.charge_folder import charge_named
from tracetogether.cli.console import answer, note, say
from tracetogether.cli.node_folder import DEFAULT_FOLDER
from tracetogether.cli.notice_language import SYSTEM_DAYS, language_option
from tracetogether.cli.options import FOLDER, as_json
from tracetogether.cli.pass_appeal import appeal
from tracetogether.cli.pass_charge import charge
from tracetogether.cli.pass_folder import (
    PASSES,
    fetch_into,
    load_wallet,
    opened_phone,
    take_pass,
)
from tracetogether.cli.qr_output import checked_ending, out_option, show_qr
from tracetogether.errors import InvalidRequestError, UnreachableError
from tracetogether.healthcode.notices import text as notice_text

phone_argument = click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)


@click.group("pass")
def pass_() -> None:
    """Show a pass at a gate, declare symptoms, and appeal, as the owner of a phone."""


pass_.add_command(appeal)
pass_.add_command(charge)


@pass_.command()
@phone_argument
@click.option(
    "--for",
    "name",
    metavar="NAME",
    help="Show a pass of a person without a phone, as `pass charge add` named the person.",
)
@click.option(
    "--renew",
    is_flag=True,
    help="Ask the authority for new passes first, and why there are none: for instance after a "
    'gate said "not now".',
)
@language_option
@out_option
@as_json
def show(
    folder: Path, name: str | None, language: str, out: Path | None, *, renew: bool, as_json: bool
) -> None:
    """Show a pass of the phone in DIR (./node) as a QR code for a gate.

    Each showing takes a random pass that was not shown yet. New ones are fetched twice a day. If
    the server is away, the passes of the day still work. If there are none, a notice says why.
    """
    checked_ending(out)
    now = time.time()
    charge = None if name is None else charge_named(folder, name)
    path = folder / (PASSES if charge is None else charge.wallet)
    with opened_phone(folder) as client:
        wallet = load_wallet(path)
        if renew or wallet.renewal_due(now):
            try:
                wallet = fetch_into(path, client, now, None if charge is None else charge.charge_id)
            except UnreachableError as error:
                note(str(error))
    held = take_pass(path, now)
    shown = _notice(wallet.notice, language)
    if held is None:
        withheld = str(wallet.notice.get("notice", "")).startswith("pass.withheld")
        notice = wallet.notice if withheld else {"notice": "pass.none", "parameters": {}}
        said = [_notice(notice, language)]
        if withheld:
            command = "tracetogether pass appeal" + (f" --for {name!r}" if name else "")
            said.append(notice_text("appeal.how", language, command=command))
        answer({"pass": None, **notice}, *said, as_json=as_json)
        raise click.exceptions.Exit(1)
    if as_json:
        facts = {"pass": held.text, "not_before": held.not_before, "expires": held.expires}
        answer({**facts, **wallet.notice}, as_json=True)
        if out is not None:
            show_qr(held.text, out)
        return
    show_qr(held.text, out)
    counts = notice_text("pass.shown", language, days=SYSTEM_DAYS, until=held.expires)
    say(counts, shown)


@pass_.command()
@phone_argument
@click.option(
    "--symptoms/--no-symptoms",
    default=None,
    help="Whether you have symptoms of the illness.  [required]",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Day on which the symptoms began.  [default: today]",
)
@language_option
@as_json
def declare(
    folder: Path, since: datetime | None, language: str, *, symptoms: bool | None, as_json: bool
) -> None:
    """Tell the authority whether the owner of the phone in DIR (./node) has symptoms.

    Nothing else is asked. The answer is sealed, replaces the one before, and is deleted after 21
    days. Symptoms alone withhold no pass: they bring advice. But two people who restrict somebody
    by an order may use the answer as evidence.
    """
    if symptoms is None:
        raise click.UsageError("say which: --symptoms or --no-symptoms")
    day = None if since is None else since.date().isoformat()
    with opened_phone(folder) as client:
        kept_until = client.declare(symptoms=symptoms, since=day)
    answer(
        {"symptoms": symptoms, "since": day, "kept_until": kept_until},
        notice_text("declaration.noted", language, days=SYSTEM_DAYS, until=kept_until),
        as_json=as_json,
    )


def _notice(notice: Any, language: str) -> str:  # noqa: ANN401 - whatever the file holds
    """Return the notice in a language; its code where this version has no text for it."""
    if not notice:
        return ""
    code, parameters = str(notice["notice"]), dict(notice["parameters"])
    try:
        return notice_text(code, language, days=SYSTEM_DAYS, **parameters)
    except InvalidRequestError:
        return code
