"""`tracetogether authority backup` and `restore`."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracetogether.cli.authority_options import (
    clock_is_right_option,
    folder_option,
    other_database_option,
)
from tracetogether.cli.console import note, print_json, say, table, utc_text
from tracetogether.cli.options import FILE, as_json

if TYPE_CHECKING:
    from tracetogether.authority.oversight.restore_plan import RestorePlan


@click.command()
@click.argument("target", metavar="FILE", type=FILE)
@folder_option
@other_database_option
def backup(target: Path, folder: Path, database: str | None) -> None:
    """Write a copy of the database to the new file FILE; the keys are not part of it.

    The database may be in use, on SQLite or PostgreSQL, and of an earlier release.
    """
    from tracetogether.cli.authority_restore import back_up  # noqa: PLC0415 - optional packages

    back_up(folder, target, database)
    say(f"Backed up {folder} to {target}; keys are not in it")


@click.command()
@click.argument("source", metavar="FILE", type=FILE)
@folder_option
@other_database_option
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option("--yes", is_flag=True, help="Don't ask before the present database is replaced.")
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
    """Replace the database by the backup in FILE. No server may run meanwhile.

    The keys are not changed: data sealed under destroyed keys stays closed. A restore never
    reverts withdrawals of users, disabled operators, roles taken away, reset codes or changed
    passwords. Sessions and PINs become invalid. Data whose retention has ended is purged at once. A
    damaged database is kept under another name.
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
        note(f"The damaged database is kept as {aside}")
    done = "Nothing was changed" if dry_run else f"Restored {folder} from {source}"
    say(done)


def _show(plan: "RestorePlan", source: Path) -> None:
    """Print how much a restore changes."""
    made = "an unknown time" if plan.made_at is None else f"{utc_text(plan.made_at)} UTC"
    say(f"{source}: backup of {plan.name}, newest entry of {made}, schema {plan.schema}")
    if plan.damaged:
        note(f"The present database: {plan.damaged}")
    say(
        table(
            ("users", "operators", "cases", "logs", "contacts"),
            ("", str),
            ("now", lambda what: "?" if plan.damaged else str(getattr(plan.before, what))),
            ("after the restore", lambda what: str(getattr(plan.after, what))),
        )
    )
    carried = plan.carried
    for count, text in (
        (carried.withdrawn, "users who withdrew since: they stay deleted"),
        (
            plan.unknown_users,
            "users that the present database lacks, on no list of withdrawals: they come back",
        ),
        (carried.disabled, "operators who were disabled since: they stay disabled"),
        (carried.roles, "operators who lost a role since: it does not come back"),
        (
            carried.passwords,
            "passwords or codes that were changed since: the old ones stay invalid",
        ),
        (carried.sessions, "sessions of operators: they end"),
        (carried.pins, "upload PINs: they become invalid"),
        (carried.audit_entries, "newer entries of the audit log: they stay"),
    ):
        if count:
            say(f"  {count} {text}")
    if not plan.purged:
        note(
            "The clock is not confirmed: data that may be too old is kept. The next purge with a "
            "confirmed clock removes it"
        )
    if plan.closed:
        note(
            "keys.txt is not that of this backup: no server starts, and logs, names and notes "
            "stay closed, until the keys.txt that belongs to it is in the folder. If that is lost: "
            "`tracetogether authority keys replace`"
        )
