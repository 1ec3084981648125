"""`tracetogether authority backup` and `restore`."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table

from tracetogether.cli.authority_options import (
    clock_is_right_option,
    folder_option,
    other_database_option,
)
from tracetogether.cli.console import err, out, print_json, utc_text
from tracetogether.cli.options import as_json

if TYPE_CHECKING:
    from tracetogether.cli.authority_restore import Plan

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", metavar="FILE", type=_FILE)
@folder_option
@other_database_option
def backup(target: Path, folder: Path, database: str | None) -> None:
    """Write a copy of the database to FILE while it is in use; the keys are not part of it.

    On SQLite and PostgreSQL alike, and from databases of earlier releases too. FILE is new.
    """
    from tracetogether.cli.authority_restore import back_up  # noqa: PLC0415 - optional packages

    back_up(folder, target, database)
    out().print(f"Backed up {folder} to {target}; keys are not in it")


@click.command()
@click.argument("source", metavar="FILE", type=_FILE)
@folder_option
@other_database_option
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask. What the present database holds is replaced.")
@clock_is_right_option
@as_json
def restore(
    source: Path,
    folder: Path,
    database: str | None,
    *,
    dry_run: bool,
    yes: bool,
    clock_is_right: bool,
    as_json: bool,
) -> None:
    """Put the backup in FILE in the place of the database. No server may run meanwhile.

    The keys stay as they are: what was sealed under destroyed ones stays closed. Users who
    withdrew stay gone, disabled operators stay disabled, old passwords stay dead, sessions end,
    PINs are void. What is too old is purged at once. A damaged database is kept under another
    name.
    """
    from tracetogether.cli.authority_restore import (  # noqa: PLC0415 - optional packages
        prepared_restore,
        purge_after_restore,
    )

    now = time.time()
    aside = None
    with prepared_restore(folder, source, now, database, clock_is_right=clock_is_right) as prepared:
        plan = prepared.plan
        if not as_json:
            _show(plan, source)
        if not dry_run:
            if plan.loses and not yes:
                question = f"Replace the database of {folder} by this?"
                click.confirm(question, abort=True, err=True)
            aside = prepared.commit()
    if not dry_run and plan.purged and not plan.closed:
        purge_after_restore(folder, now, database)
    if as_json:
        kept = None if aside is None else str(aside)
        print_json(asdict(plan) | {"done": not dry_run, "damaged_kept_as": kept})
        return
    if aside is not None:
        err().print(f"The damaged database is kept as {aside}", soft_wrap=True)
    done = "Nothing was changed" if dry_run else f"Restored {folder} from {source}"
    out().print(done, soft_wrap=True)


def _show(plan: "Plan", source: Path) -> None:
    """Print what a restore changes, in numbers."""
    made = "an unknown time" if plan.made_at is None else f"{utc_text(plan.made_at)} UTC"
    console, warn = out(), err()
    line = f"{source}: backup of {plan.name}, newest entry of {made}, schema {plan.schema}"
    console.print(line, soft_wrap=True)
    if plan.damaged:
        warn.print(f"The present database: {plan.damaged}", soft_wrap=True)
    table = Table("", "now", "after the restore")
    for what in ("users", "operators", "cases", "logs", "contacts"):
        now = "?" if plan.damaged else str(getattr(plan.before, what))
        table.add_row(what, now, str(getattr(plan.after, what)))
    console.print(table)
    carried = plan.carried
    for count, text in (
        (carried.withdrawn, "users who withdrew since: they stay gone"),
        (
            plan.unknown_users,
            "users that the present database lacks, on no list of withdrawals: they come back",
        ),
        (carried.disabled, "operators who were disabled since: they stay disabled"),
        (carried.passwords, "passwords that were changed since: the old ones stay dead"),
        (carried.sessions, "sessions of operators: they end"),
        (carried.pins, "upload PINs: void"),
        (carried.audit_entries, "newer entries of the audit log: they stay"),
    ):
        if count:
            console.print(f"  {count} {text}", soft_wrap=True)
    if not plan.purged:
        warn.print(
            "The clock is not confirmed: what may be too old is kept. The next purge under a "
            "right clock takes it away",
            soft_wrap=True,
        )
    if plan.closed:
        warn.print(
            "keys.txt is not that of this backup: no server starts, and logs, names and notes "
            "stay closed, until the keys.txt that belongs to it is in the folder. If that is lost: "
            "`tracetogether authority keys replace`",
            soft_wrap=True,
        )
