"""What the commands about scenarios share: options, warnings, and how figures are printed."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import click
from rich.table import Table

from simulations.one_run import FIDELITIES
from simulations.scores.intervals import Measured
from simulations.settings.scenario import Scenario, cautions, full_key
from simulations.settings.strict_tables import ScenarioKey
from tracetogether.cli.console import fixed, table, warn
from tracetogether.cli.options import FOLDER, number_option
from tracetogether.cli.recording_options import parsed
from tracetogether.errors import ScenarioError
from tracetogether.names import columns_of_fields

_Command = TypeVar("_Command", bound=Callable[..., Any])


def settings_reader(
    full_name: Callable[[str], ScenarioKey],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], dict[str, str]]:
    """Return a callback that returns key -> value from ``key=value`` words."""

    def read(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> dict[str, str]:
        settings = {}
        for word in words:
            key, equals, value = word.partition("=")
            if not (key and equals):
                raise click.BadParameter(f"write key=value, not {word!r}")
            name = key.strip()
            with suppress(ScenarioError):  # reading the scenario refuses an unknown key
                name = full_name(name).name
            if name in settings:
                raise click.BadParameter(f"{name} is given twice: name each key once")
            settings[name] = value.strip()
        return settings

    return read


read_settings = settings_reader(full_key)


def settings_option(
    full_name: Callable[[str], ScenarioKey], such_as: str, flag: str = "--set"
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option to replace values of a scenario."""
    return click.option(
        flag,
        "settings" if flag == "--set" else flag.removeprefix("--"),
        multiple=True,
        callback=settings_reader(full_name),
        metavar="KEY=VALUE",
        help=f"Replace a value of the scenario, such as {such_as}. Repeatable.",
    )


setting = settings_option(full_key, "adoption=0.32 or phones.ios=0.6")
seed_option = number_option("--seed", "Random seed.", default=1, least=0)
workers_option = number_option("--workers", "Number of processes.", default=1)
cases_option = number_option(
    "--cases", "Number of index cases in each run.  [default: everybody with the app]"
)
fidelity_option = click.option(
    "--fidelity",
    type=click.Choice(FIDELITIES),
    default="auto",
    show_default=True,
    help="How phones are simulated: one object for each phone, or vectorized in columns. Both give "
    "the same logs and digest; auto chooses by the size of the crowd.",
)


def seeds_option(default: int, most: int | None = None) -> Callable[[_Command], _Command]:
    """Return a decorator that adds --seeds: the number of runs to play."""
    return number_option(
        "--seeds",
        "Number of runs of each setting, with different seeds.",
        default=default,
        most=most,
    )


def out_option(about: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds --out DIR."""
    return click.option("--out", "folder", type=FOLDER, metavar="DIR", help=about)


def columns_option(
    known: Collection[str], table: str, flag: str = "--columns"
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option for the column names of ``table``."""
    return click.option(
        flag,
        callback=parsed(partial(columns_of_fields, known=known)),
        metavar="FIELD=COLUMN,...",
        help=f"Column names of the {table}, where they differ from {', '.join(known)}.",
    )


def keys_table(keys: Iterable[ScenarioKey]) -> Table:
    """Return the table of a scenario file's keys."""
    return table(
        keys,
        (fixed("key"), lambda key: key.name),
        ("values", lambda key: key.span),
        ("default", lambda key: key.default_text),
        ("meaning", lambda key: key.doc),
    )


def caution(*scenarios: Scenario) -> None:
    """Warn about scenarios that can't find anybody, each warning once."""
    for warning in dict.fromkeys(text for scenario in scenarios for text in cautions(scenario)):
        warn(f"Warning: {warning}")


def shown(value: Measured | None, digits: int = 2, *, none: str = "-") -> str:
    """Return a figure with its central 90 % interval, or ``none`` without a figure."""
    if value is None:
        return none
    if value.low is None or value.high is None:
        return f"{value.median:.{digits}f} (no interval)"
    return f"{value.median:.{digits}f} ({value.low:.{digits}f} - {value.high:.{digits}f})"
