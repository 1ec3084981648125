"""`tracetogether simulate attack`: attacks on protocols, measured beside exact expectations."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from simulations.attacks.deployments import PROTOCOLS
from simulations.attacks.library import ATTACKS
from simulations.attacks.published import PUBLISHED
from simulations.attacks.rows import Attack, AttackRow, AttackSettings
from tracetogether.cli.console import answer, fixed, progress, right, table
from tracetogether.cli.options import FiniteNumber, as_json, number_option

_ALL = "all"
_LIST = "list"
_DEFAULTS: Final = AttackSettings()
_LIMITS: Final[dict[str, tuple[str, float, float]]] = {
    "repeats": ("How many victims, crowds or towns.", 2, 10_000),
    "sightings": ("Sightings of each victim.", 2, 100_000),
    "people": ("People of a town or crowd.", 20, 5_000),
    "uploads": ("Share of the people who fall ill and report.", 0, 1),
    "sniffers": ("Receivers in a town.", 1, 1_000),
    "gain_db": ("How much louder than a phone the attacker sends, dB.", 0, 40),
    "stay_min": ("How long the attacker stays, minutes.", 1, 600),
    "latency_s": ("How long a relay takes, seconds.", 0, 100_000),
    "devices": ("Phones that share the secrets of one.", 1, 1_000),
    "photos": ("Share of passers-by whose token a camera's receiver hears.", 0, 1),
    "accounts": ("Accounts with which a curious user takes part.", 1, 1_344),
    "archive_days": ("Days for which a receiver writes down what it hears.", 14, 200),
    "padding": ("Least number of keys that a GAEN server publishes.", 0, 1_000_000),
}
"""Setting -> its help, its least and its greatest value."""


def _setting_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, (says, least, most) in reversed(_LIMITS.items()):
        default = getattr(_DEFAULTS, name)
        flag = f"--{name.replace('_', '-')}"
        if isinstance(default, int):
            option = number_option(flag, says, default=default, least=int(least), most=int(most))
        else:
            option = click.option(
                flag,
                type=FiniteNumber(least, most),
                default=default,
                show_default=True,
                help=says,
            )
        command = option(command)
    return command


@click.command("attack")
@click.argument("attack", type=click.Choice([_LIST, *ATTACKS]), default=_LIST)
@click.option(
    "--protocol",
    type=click.Choice([_ALL, *PROTOCOLS]),
    default=_ALL,
    show_default=True,
    help="Which protocol to attack.",
)
@number_option("--seed", "Seed of all random numbers.", default=1, least=0)
@_setting_options
@as_json
def attack_protocols(
    attack: str, protocol: str, seed: int, *, as_json: bool, **settings: float
) -> None:
    """Play an attack against the code of each protocol and print what it yields.

    Without a name it lists all attacks. The settings that an attack does not use change nothing
    in it; the list says which it uses.

    An exact expectation is beside each figure that has one; low and high are the middle 90 % of
    the mean's error over the repeats.
    """
    chosen = _DEFAULTS.changed(seed=seed, **settings)
    if attack == _LIST:
        _show_all(chosen, as_json=as_json)
        return
    played = ATTACKS[attack]
    names = PROTOCOLS if protocol == _ALL else [protocol]
    rows: list[AttackRow] = []
    with progress("Attacking") as advance:
        for done, name in enumerate(names):
            rows += played.play(name, chosen)
            advance(done + 1, len(names))

    def shown_table(metric: str) -> Table:
        return table(
            [row for row in rows if row.metric == metric],
            (fixed("protocol"), lambda row: row.protocol),
            (right("measured"), lambda row: _shown(row.value)),
            (right("low to high"), lambda row: f"{_shown(row.low)} to {_shown(row.high)}"),
            (right("expected"), _expected),
            ("because", lambda row: row.source.removeprefix("exact: ")),
            title=f"{metric}: {played.metrics[metric]}",
        )

    metrics = dict.fromkeys(row.metric for row in rows)
    published = PUBLISHED.get(attack, ())
    said = {
        "rows": [row.to_json() for row in rows],
        "cost": asdict(played.cost(chosen)),
        "published": [asdict(finding) for finding in published],
    }
    others = [f"Published, not measured here: {each.says} ({each.source})" for each in published]
    answer(said, *map(shown_table, metrics), *map(Text, others), as_json=as_json)


def _show_all(settings: AttackSettings, *, as_json: bool) -> None:
    shown = table(
        list(ATTACKS.values()),
        (fixed("attack"), lambda attack: attack.name),
        ("what the attacker does", lambda attack: attack.summary),
        ("needs", lambda attack: _needs(attack, settings)),
        ("options", _flags),
    )
    answer(
        {
            "attacks": [
                {
                    "name": attack.name,
                    "summary": attack.summary,
                    "metrics": dict(attack.metrics),
                    "cost": asdict(attack.cost(settings)),
                    "options": list(attack.takes),
                }
                for attack in ATTACKS.values()
            ]
        },
        shown,
        as_json=as_json,
    )


def _flags(attack: Attack) -> str:
    return " ".join(f"--{name.replace('_', '-')}" for name in attack.takes)


def _needs(attack: Attack, settings: AttackSettings) -> str:
    cost = attack.cost(settings)
    parts = [
        f"{count:g} {each.name if count != 1 else each.name.removesuffix('s')}"
        for each in fields(cost)
        if each.name != "access" and (count := getattr(cost, each.name))
    ]
    return ", ".join([*parts, *filter(None, [cost.access])])


def _expected(row: AttackRow) -> str:
    if row.expected is None and row.value is not None:
        return ""
    return _shown(row.expected)


def _shown(value: float | None) -> str:
    if value is None:
        return "no limit"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"
