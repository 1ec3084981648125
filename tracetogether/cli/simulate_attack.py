"""`tracetogether simulate attack`: attacks on protocols, measured beside exact expectations."""

import click
from rich.table import Table

from simulations.attacks.measured import ATTACKS
from simulations.attacks.victims import VICTIMS
from tracetogether.cli.console import answer, fixed, progress, right, table
from tracetogether.cli.options import as_json, number_option

_ALL = "all"
_MEANINGS = {
    "linked_share": "pairs of a case's sightings that an outsider joins",
    "last_accepted_s": "greatest delay of a replayed token that counts, seconds",
    "edges_known": "share of all contacts that the authority learns",
    "bits_per_case": "what it learns of who met whom, bits for each case",
}


@click.command("attack")
@click.argument("attack", type=click.Choice(list(ATTACKS)))
@click.option(
    "--protocol",
    type=click.Choice([_ALL, *VICTIMS]),
    default=_ALL,
    show_default=True,
    help="Which protocol to attack.",
)
@number_option("--seed", "Seed of all random numbers.", default=1, least=0)
@number_option("--repeats", "How many victims or crowds.", default=20, least=2, most=10_000)
@number_option("--sightings", "Sightings of each victim.", default=300, least=2, most=100_000)
@as_json
def attack_protocols(
    attack: str, protocol: str, seed: int, repeats: int, sightings: int, *, as_json: bool
) -> None:
    """Play an attack against the code of each protocol and print what it yields.

    linkability: the share of pairs of a diagnosed person's sightings in 14 days that an outsider
    joins with what is published. replay: the greatest delay in seconds at which a recorded token
    still counts. graph: the share of contacts that the authority learns, and bits per case.

    An exact expectation is beside each figure that has one; low and high are the middle 90 % of
    the mean's error.
    """
    names = list(VICTIMS) if protocol == _ALL else [protocol]
    rows = []
    with progress("Attacking") as advance:
        for done, name in enumerate(names):
            rows += ATTACKS[attack]([name], seed, repeats, sightings)
            advance(done + 1, len(names))

    def shown(value: float | None) -> str:
        if value is None:
            return "no limit"
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"

    def shown_table(metric: str) -> Table:
        return table(
            [row for row in rows if row.metric == metric],
            (fixed("protocol"), lambda row: row.protocol),
            (right("measured"), lambda row: shown(row.value)),
            (right("low to high"), lambda row: f"{shown(row.low)} to {shown(row.high)}"),
            (
                right("expected"),
                lambda row: "" if row.metric == "bits_per_case" else shown(row.expected),
            ),
            ("because", lambda row: row.source.removeprefix("exact: ")),
            title=f"{metric}: {_MEANINGS[metric]}",
        )

    metrics = dict.fromkeys(row.metric for row in rows)
    answer({"rows": [row.to_json() for row in rows]}, *map(shown_table, metrics), as_json=as_json)
