"""`tracetogether authority phones`: learn phone models' offsets from all logs, and use them."""

import time
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.phone_models import (
    FEWEST_PEOPLE,
    LEAST_LOGS,
    LEAST_PEOPLE,
    LearnedPhoneModels,
)
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.console import answer, note
from tracetogether.cli.options import EXISTING_FILE, as_json
from tracetogether.errors import CalibrationError
from tracetogether.plain_text import counted, visible
from tracetogether.proximity.calibration import table_text
from tracetogether.whole_file import write_whole


@click.group()
def phones() -> None:
    """Learn how phone models hear and send from all logs, and use that for the lists."""


@phones.command(cls=FolderCommand)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PHONES.csv",
    help="File for the table, which `authority phones use` and `--calibration` read.",
)
@click.option(
    "--least-people",
    type=click.IntRange(min=FEWEST_PEOPLE),
    default=LEAST_PEOPLE,
    show_default=True,
    help=f"Leave out models of fewer users, or in fewer than {LEAST_LOGS} logs.",
)
@folder_option
@as_json
def learn(output: Path | None, least_people: int, folder: Path, *, as_json: bool) -> None:
    """Learn the offset of each phone model from the newest 1,000 logs; the lists stay as they are.

    A model that few people have would say who they are, so it gets no line.
    """
    from tracetogether.cli.calibrate import (  # noqa: PLC0415 - it loads what fits models
        phone_json,
        phone_lines,
    )

    with opened_folder(folder) as service:
        found = service.phone_models.learn(time.time(), by=CONSOLE, least_people=least_people)
    if output is not None:
        write_whole(output, table_text(found.rows))
    answer(
        {
            "logs": found.logs,
            "left_out": found.left_out,
            "least_people": found.least_people,
            "phones": phone_json(found.rows),
        },
        *((phone_lines(found.rows),) if found.rows else ()),
        _said(found),
        *(() if output is None else (f"Written: {output}",)),
        as_json=as_json,
    )


def _said(found: LearnedPhoneModels) -> str:
    return (
        f"From {counted(found.logs, 'logs')}. Left out: "
        f"{counted(found.left_out, 'models')} of fewer than {found.least_people} people, or in "
        f"fewer than {LEAST_LOGS} logs."
    )


@phones.command(cls=FolderCommand)
@click.argument("table", type=EXISTING_FILE, metavar="PHONES.csv")
@folder_option
@as_json
def use(table: Path, folder: Path, *, as_json: bool) -> None:
    """Compute the contact lists by the table PHONES.csv from now on."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CalibrationError(f"{table} is no CSV table of UTF-8 text") from None
    with opened_folder(folder) as service:
        models = service.phone_models.use(text, time.time(), by=CONSOLE)
    answer(
        {"models": models},
        f"The lists use {counted(models, 'phone models')} of {table} from now on.",
        as_json=as_json,
    )


@phones.command(cls=FolderCommand)
@folder_option
def show(folder: Path) -> None:
    """Print the table that the contact lists use, as CSV."""
    with opened_folder(folder) as service:
        text = service.phone_models.used(by=CONSOLE)
    if text:
        click.echo(visible(text, lines=True), nl=False)
    else:
        note("The lists use no table of phone models.")


@phones.command(cls=FolderCommand)
@folder_option
@as_json
def stop(folder: Path, *, as_json: bool) -> None:
    """Compute the contact lists without a table of phone models from now on."""
    with opened_folder(folder) as service:
        service.phone_models.stop(time.time(), by=CONSOLE)
    answer({"models": 0}, "The lists use no table of phone models from now on.", as_json=as_json)
