"""`tracetogether simulate protocols`: one crowd under every protocol."""

from pathlib import Path

import click

from simulations.pages.protocol_picture import save_protocol_picture
from simulations.phones.protocols import PROTOCOLS
from simulations.settings.scenario import load_scenario
from simulations.studies.protocol_table import ProtocolRow, compare_protocols
from tracetogether.cli.console import answer, fixed, note, progress, right, table
from tracetogether.cli.options import FILE, as_json
from tracetogether.cli.simulate_options import caution, seeds_option, setting, shown
from tracetogether.plain_text import counted

_KIB = 1024.0


@click.command("protocols")
@click.argument("scenario")
@setting
@click.option(
    "--radio",
    type=click.Choice(["own", "same"]),
    default="own",
    show_default=True,
    help="own: each protocol with its radio as deployed; same: all with BlueTrace's.",
)
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice(list(PROTOCOLS)),
    multiple=True,
    help="Only this protocol. Repeatable.  [default: all]",
)
@seeds_option(default=3, most=1000)
@click.option(
    "--plot",
    type=FILE,
    metavar="FILE",
    help="Also draw the table: a file in .png, .svg or .pdf.",
)
@as_json
def compare(
    scenario: str,
    settings: dict[str, str],
    radio: str,
    protocols: tuple[str, ...],
    seeds: int,
    plot: Path | None,
    *,
    as_json: bool,
) -> None:
    """Play SCENARIO under every protocol: who is found, what it costs, what attacks yield.

    The people, their phones and their ways are the same under each. With one radio for all, phones
    hear the same, and only tokens and matching differ.

    Intervals are over seeds. Costs and attacks don't depend on the crowd: costs are those of a
    million users and 1,000 cases a day, and `simulate attack` plays attacks at length.
    """
    crowd = load_scenario(scenario, settings)
    caution(crowd)
    names = protocols or tuple(PROTOCOLS)
    with progress(f"{counted(seeds, 'seeds')} of {crowd.name}") as advance:
        rows = compare_protocols(
            crowd, seeds=range(1, seeds + 1), radio=radio, names=names, on_progress=advance
        )
    about = f"{crowd.name}, {counted(seeds, 'seeds')}, radio: {radio}"
    if plot is not None:
        note(f"Wrote {save_protocol_picture(rows, plot, about)}")
    answer(
        {
            "scenario": crowd.name,
            "radio": radio,
            "seeds": seeds,
            "policy": crowd.policy.name,
            "protocols": [row.to_json() for row in rows],
        },
        table(
            rows,
            (fixed("protocol"), lambda row: row.protocol),
            (right("found"), lambda row: shown(row.tif)),
            (right("beside BlueTrace"), lambda row: shown(row.beside_reference)),
            (right("wrong a case"), lambda row: shown(row.false_per_case)),
            ("log of the", lambda row: row.judged_by),
            title=f"Who is found: {about}",
            caption="in brackets 5 % to 95 % over seeds",
        ),
        table(
            rows,
            (fixed("protocol"), lambda row: row.protocol),
            (right("KiB down a day"), lambda row: f"{row.cost.down_bytes_day / _KIB:,.1f}"),
            (right("KiB up a day"), lambda row: f"{row.cost.up_bytes_day / _KIB:,.1f}"),
            (right("KiB up a case"), lambda row: f"{row.cost.up_bytes_case / _KIB:,.1f}"),
            (right("mAh a day"), lambda row: f"{row.cost.battery_mah_day:,.0f}"),
            (right("linked"), lambda row: _attack(row, "linked_share", 4)),
            (right("replay s"), lambda row: _attack(row, "last_accepted_s", 0)),
            (right("edges known"), lambda row: _attack(row, "edges_known", 2)),
            title="What it costs, and what attackers get",
            caption="linked: share of pairs of a case's sightings that the public joins; replay: "
            "longest delay that still counts; edges: contacts that the authority learns",
        ),
        as_json=as_json,
    )


def _attack(row: ProtocolRow, metric: str, digits: int) -> str:
    value = row.attacks[metric].value
    return "no limit" if value is None else f"{value:,.{digits}f}"
