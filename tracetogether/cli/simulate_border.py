"""`tracetogether simulate border`: who is found across the border between authorities."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
from rich.table import Table

from simulations.studies.border import DELAYS_H, SHARES_ABROAD, BorderRow, study_border
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.authority.service import Authority
from tracetogether.cli.console import answer, fixed, progress, right, say, say_wide, table
from tracetogether.cli.options import FiniteNumber, as_json
from tracetogether.cli.simulate_options import seeds_option, setting, shown, workers_option
from tracetogether.keyring import KeyRing
from tracetogether.plain_text import counted
from tracetogether.units import Entropy

_TABLE_WIDTH: Final = 190
_MOST_HOURS: Final = 1_000
_CAPTION: Final = (
    "Each person is the case once. Found: share of the contacts with the app. Across: those of "
    "another authority; one authority: if one opened everything. Hours: from the upload to the "
    "partner. Brackets: central 90 % by crowds."
)


@click.command("border")
@click.argument("scenarios", nargs=-1, required=True)
@click.option(
    "--abroad",
    "shares",
    type=FiniteNumber(0, 1),
    multiple=True,
    default=SHARES_ABROAD,
    show_default=True,
    metavar="SHARE",
    help="Share of people of a second authority, if SCENARIO has no people.home. Repeatable.",
)
@click.option(
    "--delay",
    "delays",
    type=FiniteNumber(0, _MOST_HOURS),
    multiple=True,
    default=DELAYS_H,
    show_default=True,
    metavar="HOURS",
    help="Hours from the end of the hour of an upload to the partner. Repeatable.",
)
@click.option(
    "--service/--no-service",
    default=True,
    show_default=True,
    help="Also hand one case of each authority and crowd over by the service itself.",
)
@seeds_option(default=3, most=1000)
@setting
@workers_option
@as_json
def study_two_authorities(
    scenarios: tuple[str, ...],
    shares: tuple[float, ...],
    delays: tuple[float, ...],
    seeds: int,
    settings: dict[str, str],
    workers: int,
    *,
    service: bool,
    as_json: bool,
) -> None:
    """Say who is found in each SCENARIO across the border between two authorities, and how late.

    Without an exchange of records an authority can't read the TempIDs of another one's people.
    With it, each authority opens its own people's TempIDs in the records that it gets.
    """
    with progress("Playing crowds") as advance:
        rows = study_border(
            scenarios,
            range(1, seeds + 1),
            shares=shares,
            delays_h=delays,
            settings=settings,
            services=service_of if service else None,
            workers=workers,
            on_progress=advance,
        )
    if as_json:
        answer([row.to_json() for row in rows], as_json=True)
        return
    say_wide(_table(rows), _TABLE_WIDTH)
    if service:
        played, same = sum(row.played for row in rows), sum(row.same for row in rows)
        say(
            f"The service itself listed {counted(played, 'people')} of records handed over; "
            f"{same} of them are judged alike here."
        )


@contextmanager
def service_of(code: str, keys: KeyRing, entropy: Entropy) -> Iterator[Authority]:
    """Return an authority with these keys, in a folder that is deleted afterwards."""
    with (
        TemporaryDirectory(prefix="tracetogether-border-") as folder,
        SqlStore.create(Path(folder) / "authority.db", name=code) as store,
    ):
        yield Authority.assemble(
            keys, name=code, store=store, save_keys=lambda _keys: None, entropy=entropy
        )


def _table(rows: list[BorderRow]) -> Table:
    def cell(name: str, digits: int = 2) -> Callable[[BorderRow], str]:
        return lambda row: shown(row.figures[name], digits)

    return table(
        rows,
        (fixed("scenario"), lambda row: row.scenario),
        (
            fixed("people"),
            lambda row: ", ".join(f"{code} {share:g}" for code, share in row.home.items()),
        ),
        (right("delay h"), lambda row: f"{row.delay_h:g}"),
        (right("at home"), cell("found_home")),
        (right("across, without"), cell("found_across_without")),
        (right("across, with"), cell("found_across")),
        (right("across, one authority"), cell("found_across_by_one")),
        (right("all, without"), cell("found_without")),
        (right("all, with"), cell("found")),
        (right("wrong a case"), cell("false_per_case")),
        (right("wrong, one authority"), cell("false_per_case_by_one")),
        (right("hours"), cell("hours", 1)),
        caption=_CAPTION,
    )
