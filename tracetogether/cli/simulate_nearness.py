"""`tracetogether simulate nearness`: minutes and P(contact) in crowds, beside the truth."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import numpy as np
from rich.table import Table

from simulations.scores.intervals import Measured
from simulations.settings.scenario import scenario_names
from simulations.studies.nearness import (
    NAMES,
    NearnessQuestion,
    NearnessRow,
    measure_nearness,
)
from simulations.studies.pair_answers import LOGS, OWN
from simulations.studies.pair_bounds import BOUNDS
from tracetogether.cli.console import answer, fixed, progress, right, say_wide, table
from tracetogether.cli.options import FOLDER, FiniteNumber, WholeNumber, as_json
from tracetogether.cli.simulate_options import seeds_option, setting, workers_option
from tracetogether.parameters import CloseContactPolicy

_TABLE_WIDTH: Final = 220
_CAPTION: Final = (
    "none: the guess that nobody was near; same: one answer for all pairs, from the other "
    "scenarios; here: one interval for all, from this scenario. ± is half of the central 90 %, by "
    "crowds."
)


@click.command("nearness")
@click.argument("scenarios", nargs=-1)
@seeds_option(default=3, most=1000)
@click.option(
    "--seed",
    "chosen_seeds",
    type=WholeNumber(0),
    multiple=True,
    metavar="NUMBER",
    help="Play this seed in place of 1 to --seeds. Repeatable.",
)
@click.option(
    "--within",
    "within_m",
    type=FiniteNumber(0.1),
    default=2.0,
    show_default=True,
    metavar="METRES",
    help="Greatest distance that counts as near, in metres.",
)
@click.option(
    "--minutes",
    type=FiniteNumber(0, min_open=True),
    default=15.0,
    show_default=True,
    metavar="MINUTES",
    help="Minutes near that make a contact.",
)
@click.option(
    "--estimator",
    "estimators",
    type=click.Choice(NAMES),
    multiple=True,
    metavar="NAME",
    help=f"Estimator to measure, of {', '.join(NAMES)}. Repeatable.  [default: all]",
)
@click.option(
    "--logs",
    type=click.Choice(LOGS),
    multiple=True,
    default=(OWN,),
    show_default=True,
    help="Whose logs are known: own, of the observer alone; both, of everybody, as the authority "
    "combines them. Repeatable.",
)
@click.option(
    "--bounds",
    is_flag=True,
    help="Also measure what can be had at most: the default estimator with known phones and path "
    "loss, and boosted trees that learned from the other seeds of the same scenario, or from the "
    "other scenarios (needs the extra study).",
)
@setting
@click.option(
    "--keep",
    type=FOLDER,
    metavar="DIR",
    help="Keep the played crowds in this folder; later commands use them if nothing of the "
    "simulation has changed.",
)
@workers_option
@as_json
def measure(
    scenarios: tuple[str, ...],
    seeds: int,
    chosen_seeds: tuple[int, ...],
    within_m: float,
    minutes: float,
    estimators: tuple[str, ...],
    logs: tuple[str, ...],
    settings: dict[str, str],
    keep: Path | None,
    workers: int,
    *,
    bounds: bool,
    as_json: bool,
) -> None:
    """Measure estimators of minutes and of P(contact) in each SCENARIO, by default in all.

    Each crowd is played, all logs are opened, and every directed pair with a record is estimated
    and compared with the true positions. What a baseline has to know comes from the other
    scenarios that have contacts. Intervals are the central 90 % by crowds; with few seeds they are
    wide, and with one there is none.
    """
    question = NearnessQuestion(
        CloseContactPolicy(f"{within_m:g}m-{minutes:g}min", within_m, minutes),
        (*(tuple(dict.fromkeys(estimators)) or NAMES), *(BOUNDS if bounds else ())),
        tuple(dict.fromkeys(logs)),
    )
    with progress("Playing crowds") as advance:
        rows = measure_nearness(
            scenarios or scenario_names(),
            tuple(dict.fromkeys(chosen_seeds)) or range(1, seeds + 1),
            question,
            settings=settings,
            keep=keep,
            workers=workers,
            on_progress=advance,
        )
    if as_json:
        answer([row.to_json() for row in rows], as_json=True)
        return
    say_wide(_table(rows), _TABLE_WIDTH)


def _table(rows: list[NearnessRow]) -> Table:
    """Return the table; four figures have half of their interval's width behind them."""

    def cell(
        name: str, digits: int = 2, scale: float = 1.0, *, width: bool = False
    ) -> Callable[[NearnessRow], str]:
        return lambda row: _shown(row.figures[name], digits, scale, width=width)

    return table(
        rows,
        (fixed("scenario"), lambda row: row.scenario),
        (fixed("estimator"), lambda row: row.estimator),
        (fixed("logs"), lambda row: row.logs),
        (right("pairs"), lambda row: f"{row.pairs:,}"),
        (right("near %"), cell("near", 1, 100)),
        (right("P %"), cell("mean_chance", 1, 100)),
        (right("MAE"), cell("mae", width=True)),
        (right("of none"), cell("mae_none")),
        (right("of same"), cell("mae_same")),
        (right("bias"), cell("bias")),
        (right("ECE"), cell("ece", 3, width=True)),
        (right("in 90 %"), cell("coverage90", 3)),
        (right("Winkler"), cell("winkler", 1)),
        (right("of same"), cell("winkler_others", 1)),
        (right("of here"), cell("winkler_here", 1)),
        (right("AUC"), cell("auc", 3, width=True)),
        (right("AP"), cell("average_precision", 3, width=True)),
        (right("P at k"), cell("precision_at_k", 3)),
        (right("precision"), cell("precision")),
        (right("recall"), cell("recall")),
        caption=_CAPTION,
    )


def _shown(figure: Measured, digits: int, scale: float, *, width: bool) -> str:
    value = figure.median
    if np.isnan(value):
        return "-"
    text = f"{scale * value:.{digits}f}"
    if not width or figure.low is None or figure.high is None:
        return text
    return f"{text} ±{scale * (figure.high - figure.low) / 2:.{digits}f}"
