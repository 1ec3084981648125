"""`authority case import` and `authority user import`: all lines of a CSV file, or none."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.desk.imports import BadCell
from tracetogether.authority.service import Authority
from tracetogether.cli.authority_folder import opened_folder
from tracetogether.cli.authority_options import folder_option
from tracetogether.cli.authority_staff import print_tokens
from tracetogether.cli.console import answer, table
from tracetogether.cli.options import FILE, as_json
from tracetogether.errors import ConflictError, StoreError
from tracetogether.plain_text import counted

_dry = click.option("--dry-run", is_flag=True, help="Check every line; import nothing.")


@click.command("import")
@click.argument("file", type=FILE)
@_dry
@folder_option
@as_json
def import_cases(file: Path, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Open cases from FILE, a CSV with the columns user_id, date and assigned_to.

    If any line is wrong, no case is opened, and each error is listed with its remedy.
    """
    now, body = time.time(), _read(file)
    with opened_folder(folder) as service:
        wanted, bad = service.case_import.check(body, now, by=CONSOLE)
        _refuse(bad, service, now, as_json=as_json)
        opened = [] if dry_run else service.case_import.run(wanted, now, by=CONSOLE)
    both = list(zip(wanted, opened, strict=False))
    cases = [{"line": line.line, "case_id": case.case_id, "date": case.date} for line, case in both]
    shown = table(
        both,
        ("line", lambda row: str(row[0].line)),
        ("case", lambda row: row[1].case_id),
        ("date", lambda row: row[1].date),
        ("assigned to", lambda row: row[1].assigned_to),
    )
    answer(
        {"lines": len(wanted), "dry_run": dry_run, "cases": cases},
        _checked(len(wanted)) if dry_run else shown,
        as_json=as_json,
    )


@click.command("import")
@click.argument("file", type=FILE)
@_dry
@folder_option
@as_json
def import_operators(file: Path, folder: Path, *, dry_run: bool, as_json: bool) -> None:
    """Add operators from FILE, a CSV with the columns name and roles.

    Their tokens are printed once and never shown again. If any line is wrong, no operator is added,
    and each error is listed with its remedy.
    """
    now, body = time.time(), _read(file)
    with opened_folder(folder) as service:
        wanted, bad = service.operator_import.check(body, by=CONSOLE)
        _refuse(bad, service, now, as_json=as_json)
        added = [] if dry_run else service.operator_import.run(wanted, now, by=CONSOLE)
    operators = [{"name": operator.name, "operator_token": token} for operator, token in added]
    answer(
        {"lines": len(wanted), "dry_run": dry_run, "operators": operators},
        *([_checked(len(wanted))] if dry_run else []),
        as_json=as_json,
    )
    if added and not as_json:
        print_tokens([(operator.name, token) for operator, token in added], folder)


def _checked(lines: int) -> str:
    return f"{counted(lines, 'lines')} without a fault. Nothing was imported."


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        msg = f"can't read {file}: {error.strerror}"
        raise StoreError(msg) from None


def _refuse(bad: Sequence[BadCell], service: Authority, now: float, *, as_json: bool) -> None:
    """Print each error with its remedy, and import nothing. The audit log has the attempt.

    Raises:
        ConflictError: there is an error.
    """
    if not bad:
        return
    shown = table(
        bad,
        ("line", lambda cell: str(cell.line)),
        ("column", lambda cell: cell.column),
        ("what to do", lambda cell: cell.remedy),
    )
    answer({"bad": [asdict(cell) for cell in bad]}, shown, as_json=as_json)
    lines = len({cell.line for cell in bad})
    service.audit.record("import.refused", now, by=CONSOLE.name, count=lines)
    wrong = (
        "1 line is wrong: correct it" if lines == 1 else f"{lines} lines are wrong: correct them"
    )
    msg = f"{wrong} and import the file again; nothing was imported"
    raise ConflictError(msg)
