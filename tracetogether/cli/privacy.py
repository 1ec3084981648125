"""`tracetogether privacy`: what each feature tells each actor, measured by playing attackers."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from rich.table import Table

from simulations.streams import Streams
from simulations.studies.leaks_of_contacts import START
from simulations.studies.ledger_rows import LedgerRow
from simulations.studies.minimum_data import Ledger, measure_privacy
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.packed_log import packed_log
from tracetogether.cli.console import answer, fixed, out, progress, right, say, table
from tracetogether.cli.options import as_json
from tracetogether.cli.simulate_options import seed_option
from tracetogether.keyring import KeyRing
from tracetogether.plain_text import counted
from tracetogether.units import SECONDS_PER_DAY

_ORGANISATION: Final = "SG_MOH"
_TABLE_WIDTH: Final = 180


@click.group()
def privacy() -> None:
    """Measure what each feature tells gates, authorities, partners and thieves."""


@privacy.command()
@seed_option
@as_json
@click.pass_context
def measure(context: click.Context, seed: int, *, as_json: bool) -> None:
    """Play every feature with an attacker for each actor, and print what they learn in bits.

    Each row has a budget: the most that is accepted. Exit code 1 means that a row is above it.
    docs/explanation/minimum-data.md explains the rows.
    """
    with progress("Playing attackers"):
        ledger = measured_ledger(seed)
    over = ledger.over_budget
    if as_json:
        answer(ledger.to_json(), as_json=True)
    else:
        console = out()
        if not console.is_terminal:  # a file has room; a terminal wraps the words
            console.width = max(console.width, _TABLE_WIDTH)
        console.print(_table(ledger))
        say(f"{counted(len(over), 'rows')} of {len(ledger.rows)} are above their budgets.")
    if over:
        context.exit(1)


def _table(ledger: Ledger) -> Table:
    return table(
        ledger.rows,
        ("feature", lambda row: row.feature),
        ("actor", lambda row: row.actor),
        ("learns", lambda row: row.learns),
        (right("bits"), lambda row: f"{row.bits:.3f}"),
        (right("budget"), lambda row: f"{row.budget:.2f}"),
        (right("guesses right"), _score),
        (fixed("within"), lambda row: "yes" if row.within_budget else "NO"),
    )


def measured_ledger(seed: int) -> Ledger:
    """Return the rows, played with a service in a folder that is deleted afterwards."""
    entropy = Streams(seed).entropy("ledger", "keys")
    keys = KeyRing.generate(START - SECONDS_PER_DAY, entropy=entropy)
    with (
        TemporaryDirectory(prefix="tracetogether-ledger-") as folder,
        SqlStore.create(Path(folder) / "authority.db", name=_ORGANISATION) as store,
    ):
        authority = Authority.assemble(
            keys, name=_ORGANISATION, store=store, save_keys=_keep_nothing, entropy=entropy
        )
        return measure_privacy(authority, packed_log, seed=seed)


def _keep_nothing(_keys: KeyRing) -> None:
    """Keep no key: they live as long as the call."""


def _score(row: LedgerRow) -> str:
    if row.score is None:
        return "-"
    bounds = "" if row.low is None or row.high is None else f" ({row.low:.3f} - {row.high:.3f})"
    return f"{row.score:.3f}{bounds}"
