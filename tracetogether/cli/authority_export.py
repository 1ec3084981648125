"""`tracetogether authority export`: contact lists as files for other programs."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.console import note, progress
from tracetogether.cli.options import FILE
from tracetogether.plain_text import counted
from tracetogether.tables.spreadsheets import Cell, csv_text, ndjson_text, write_xlsx
from tracetogether.whole_file import PRIVATE, whole_file

_FORMS: Final = ("csv", "ndjson", "xlsx")
_ROWS_PER_STEP: Final = 500


@click.command("export", cls=FolderCommand)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    help="Format of the file.  [default: by the ending of --output, else csv]",
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="contacts",
    show_default=True,
    help="Columns to write: all of them, only those without names, or those of another program.",
)
@click.option(
    "--output",
    type=FILE,
    help="New file to write, readable only by its owner.  [default: standard output]",
)
@folder_option
def export(form: str | None, layout: str, output: Path | None, folder: Path) -> None:
    """Write the contacts of all cases, under pseudonyms, to a file.

    The audit log records the export. Cells that start like a formula are made harmless.
    """
    ending = output.suffix.removeprefix(".") if output else ""
    if output is not None and form is None and ending not in _FORMS:
        msg = "the ending of the file must be .csv, .ndjson or .xlsx; or give --format"
        raise click.BadParameter(msg, param_hint="--output")
    form = form or ending or "csv"
    if form == "xlsx" and output is None:
        msg = "XLSX can't go to standard output: name a file"
        raise click.BadParameter(msg, param_hint="--output")
    wanted = LAYOUTS[layout]
    with opened_folder(folder) as service, progress("Contacts") as advance:
        _, total = service.store.desk.contacts_page(ContactQuery(limit=1))
        found = service.exports.rows(wanted, form, time.time(), by=CONSOLE)
        count = 0

        def numbered() -> Iterator[Sequence[Cell]]:
            nonlocal count
            for count, row in enumerate(found, 1 - len(wanted.headings(form))):
                if count % _ROWS_PER_STEP == 0:
                    advance(max(count, 0), total)
                yield row

        _write(numbered(), form, output)
    if output is not None:
        note(f"Wrote {counted(count, 'contacts')} to {output}")


def _write(rows: Iterable[Sequence[Cell]], form: str, output: Path | None) -> None:
    if form == "xlsx" and output is not None:
        write_xlsx(rows, output, title="Contacts")
        return
    text = csv_text(rows) if form == "csv" else ndjson_text(rows)
    if output is None:
        sys.stdout.writelines(text)
        return
    with (
        whole_file(output, mode=PRIVATE, new=True) as half,
        half.open("w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(text)
