"""`tracetogether pass appeal`: a restricted person asks that somebody else decides."""

from pathlib import Path

import click

from tracetogether.cli.charge_folder import charge_named
from tracetogether.cli.console import answer
from tracetogether.cli.node_folder import DEFAULT_FOLDER
from tracetogether.cli.notice_language import SYSTEM_DAYS, language_option
from tracetogether.cli.options import FOLDER, as_json
from tracetogether.cli.pass_folder import opened_phone
from tracetogether.healthcode import notices
from tracetogether.parameters import RESTRICTIONS


@click.command()
@click.argument("folder", metavar="[DIR]", type=FOLDER, default=DEFAULT_FOLDER)
@click.option(
    "--for",
    "name",
    metavar="NAME",
    help="Appeal for a person without a phone, as `pass charge add` named the person.",
)
@language_option
@as_json
def appeal(folder: Path, name: str | None, language: str, *, as_json: bool) -> None:
    """Appeal against what withholds the passes of the phone in DIR (./node).

    It takes no reasons. Somebody decides who took no part in the restriction. If nobody does within
    48 hours, passes come again. Asked again, it says until when.
    """
    charge_id = None if name is None else charge_named(folder, name).charge_id
    with opened_phone(folder) as client:
        appeals = client.appeal(charge_id)
    since = int(min(float(found["opened_at"]) for found in appeals))
    due_at = since + RESTRICTIONS.appeal_s
    answer(
        {"appeals": appeals, "due_at": due_at},
        notices.text("appeal.open", language, days=SYSTEM_DAYS, since=since, decide_by=due_at),
        as_json=as_json,
    )
