"""`tracetogether authority export`: contact lists as files for other programs."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.authority.desk.exports import LAYOUTS
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import FolderCommand, folder_option
from tracetogether.cli.console import err, progress
from tracetogether.tables.spreadsheets import Cell, csv_text, ndjson_text, write_xlsx
from tracetogether.whole_file import PRIVATE, whole_file

_FORMS: Final = ("csv", "ndjson", "xlsx")
_TOLD_EVERY: Final = 500


class _Counted:
    """Rows that tell how far they have come; ``count`` leaves the headings out."""

    def __init__(
        self,
        rows: Iterable[Sequence[Cell]],
        headings: int,
        total: int,
        told: Callable[[int, int], None],
    ) -> None:
        self.count = -headings
        self._rows, self._total, self._told = rows, total, told

    def __iter__(self) -> Iterator[Sequence[Cell]]:
        for row in self._rows:
            self.count += 1
            if self.count % _TOLD_EVERY == 0:
                self._told(max(self.count, 0), self._total)
            yield row


@click.command("export", cls=FolderCommand)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    help="Of the file.  [default: by the ending of --output, else csv]",
)
@click.option(
    "--layout",
    type=click.Choice(list(LAYOUTS)),
    default="contacts",
    show_default=True,
    help="Which columns: all, without anything that names anybody, or another program's.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, readable by its owner alone; standard output if left out.",
)
@folder_option
def export(form: str | None, layout: str, output: Path | None, folder: Path) -> None:
    """Write the contacts of all cases, under pseudonyms, to a file.

    The export stands in the audit log. Cells that begin like a formula are made harmless.
    """
    ending = output.suffix.removeprefix(".") if output else ""
    if output is not None and form is None and ending not in _FORMS:
        msg = "what the file is to be, does not follow from its ending: .csv, .ndjson or .xlsx"
        raise click.BadParameter(f"{msg}; or give --format", param_hint="--output")
    form = form or ending or "csv"
    if form == "xlsx" and output is None:
        msg = "an XLSX file is not for the terminal: name one"
        raise click.BadParameter(msg, param_hint="--output")
    wanted = LAYOUTS[layout]
    with opened_folder(folder) as service, progress("Contacts") as told:
        _, total = service.store.desk.contacts_page(ContactQuery(limit=1))
        found = service.exports.rows(wanted, form, time.time(), by=CONSOLE)
        rows = _Counted(found, len(wanted.headings(form)), total, told)
        _write(rows, form, output)
    if output is not None:
        err().print(f"Wrote {rows.count} contacts to {output}", soft_wrap=True)


def _write(rows: Iterable[Sequence[Cell]], form: str, output: Path | None) -> None:
    if form == "xlsx" and output is not None:
        write_xlsx(rows, output, title="Contacts")
        return
    text = csv_text(rows) if form == "csv" else ndjson_text(rows)
    if output is None:
        for some in text:
            sys.stdout.write(some)
        return
    with (
        whole_file(output, mode=PRIVATE, new=True) as half,
        half.open("w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(text)
