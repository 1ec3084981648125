"""`tracetogether simulate costs`: what each protocol costs a phone and its server, by formula."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import click

from simulations.scores.cost import PROTOCOLS, Use, cost_of
from simulations.scores.work_speeds import SPEEDS, measure_speeds
from tracetogether.cli.console import answer, fixed, right, table
from tracetogether.cli.options import FiniteNumber, as_json, number_option

_DEFAULTS: Final = Use()
_KIB: Final = 1024.0
_LIMITS: Final[dict[str, tuple[str, float, float]]] = {
    "users": ("Phones with the app.", 1, 10_000_000_000),
    "cases_day": ("People who report in a day.", 0, 100_000_000),
    "days": ("Days that a report covers.", 1, 14),
    "contacts_epoch": ("Phones heard in 15 minutes, the mean over a day.", 0, 10_000),
    "readings": ("Records kept of each of them in that time.", 0, 1_000),
    "padding": ("Keys that GAEN's server publishes for each real one.", 1, 1_000),
    "files_day": ("Files that a server publishes in a day.", 1, 1_440),
    "statuses_day": ("How often a phone of ROBERT or DESIRE asks in a day.", 0, 1_440),
    "window_h": ("Windows of DP-3T's hybrid design, hours; they divide a day.", 1, 24),
}
"""Field of ``Use`` -> its help, its least and its greatest value."""


def _use_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, (says, least, most) in reversed(_LIMITS.items()):
        default, flag = getattr(_DEFAULTS, name), f"--{name.replace('_', '-')}"
        if isinstance(default, int):
            option = number_option(flag, says, default=default, least=int(least), most=int(most))
        else:
            kind = FiniteNumber(least, most)
            option = click.option(flag, type=kind, default=default, show_default=True, help=says)
        command = option(command)
    return command


@click.command("costs")
@_use_options
@click.option(
    "--measure", is_flag=True, help="Measure CPU times here; else those kept from one machine."
)
@as_json
def protocol_costs(*, measure: bool, as_json: bool, **given: float) -> None:
    """Say what each protocol costs a phone and its server, by formulas.

    Bytes are those that this library writes. CPU-seconds are counted work times the time of one
    piece on one machine: they compare protocols, and are not a phone's. The charge is that of the
    radio, and of the processor while it scans.
    """
    try:
        use = Use(**given)  # type: ignore[arg-type] # each has the type of its option
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    speeds = measure_speeds() if measure else SPEEDS
    rows = [(name, cost_of(name, use, speeds)) for name in PROTOCOLS]
    answer(
        {
            "use": asdict(use),
            "protocols": [{"protocol": name, **cost.to_json()} for name, cost in rows],
        },
        table(
            rows,
            (fixed("protocol"), lambda row: row[0]),
            (right("KiB down a day"), lambda row: f"{row[1].down_bytes_day / _KIB:,.1f}"),
            (right("KiB up a day"), lambda row: f"{row[1].up_bytes_day / _KIB:,.1f}"),
            (right("KiB up a case"), lambda row: f"{row[1].up_bytes_case / _KIB:,.1f}"),
            (right("server CPU s"), lambda row: f"{row[1].server_cpu_s_day:,.0f}"),
            (right("phone CPU s"), lambda row: f"{row[1].phone_cpu_s_day:.3f}"),
            (right("mAh a day"), lambda row: f"{row[1].battery_mah_day:,.0f}"),
            title=f"A day of {use.users:,} users and {use.cases_day:,g} cases",
        ),
        as_json=as_json,
    )
