"""`authority case import` and `authority user import`: many at once from CSV, or none."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from tracetogether.authority.desk.imports import BadCell
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import as_json, folder_option
from tracetogether.cli.authority_staff import tell_tokens
from tracetogether.cli.console import out, print_json
from tracetogether.errors import ConflictError, StoreError

_FILE = click.Path(dir_okay=False, path_type=Path)
_dry = click.option("--dry-run", is_flag=True, help="Check every line; bring nothing in.")


@click.command("import")
@click.argument("file", type=_FILE)
@_dry
@folder_option
@as_json
def import_cases(file: Path, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Open cases from FILE, a CSV with the columns user_id, date and assigned_to.

    All of them are opened or none: every line that is wrong is named with its remedy.
    """
    now, body = time.time(), _read(file)
    with opened_folder(folder) as service:
        wanted, bad = service.case_import.check(body, now)
        _refuse(bad, as_json=as_json)
        opened = [] if dry_run else service.case_import.run(wanted, now)
    if as_json:
        cases = [
            {"line": one.line, "case_id": case.case_id, "date": case.date}
            for one, case in zip(wanted, opened, strict=False)
        ]
        print_json({"lines": len(wanted), "dry_run": dry_run, "cases": cases})
        return
    if dry_run:
        out().print(f"{len(wanted)} lines are right. Nothing was imported.")
        return
    table = Table("line", "case", "date", "assigned to")
    for one, case in zip(wanted, opened, strict=True):
        table.add_row(str(one.line), case.case_id, case.date, case.assigned_to)
    out().print(table)


@click.command("import")
@click.argument("file", type=_FILE)
@_dry
@folder_option
@as_json
def import_operators(file: Path, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Add operators from FILE, a CSV with the columns name and roles.

    Their tokens are printed, and shown this once. All of them are added or none: every line that
    is wrong is named with its remedy.
    """
    body = _read(file)
    with opened_folder(folder) as service:
        wanted, bad = service.operator_import.check(body)
        _refuse(bad, as_json=as_json)
        added = [] if dry_run else service.operator_import.run(wanted, time.time())
    if as_json:
        operators = [{"name": one.name, "operator_token": token} for one, token in added]
        print_json({"lines": len(wanted), "dry_run": dry_run, "operators": operators})
        return
    if dry_run:
        out().print(f"{len(wanted)} lines are right. Nothing was imported.")
        return
    if added:
        tell_tokens([(one.name, token) for one, token in added], folder)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        msg = f"can't read {file}: {error.strerror}"
        raise StoreError(msg) from None


def _refuse(bad: Sequence[BadCell], *, as_json: bool) -> None:
    """Say what is wrong, line by line, and import nothing.

    Raises:
        ConflictError: something is.
    """
    if not bad:
        return
    if as_json:
        print_json({"bad": [asdict(cell) for cell in bad]})
    else:
        table = Table("line", "column", "what to do")
        for one in bad:
            table.add_row(str(one.line), one.column, one.remedy)
        out().print(table)
    lines = len({one.line for one in bad})
    wrong = "1 line is wrong: mend it" if lines == 1 else f"{lines} lines are wrong: mend them"
    msg = f"{wrong} and import the file again; nothing was imported"
    raise ConflictError(msg)
