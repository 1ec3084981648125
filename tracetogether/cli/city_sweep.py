"""`tracetogether city sweep`: a city over values of keys and seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from simulations.city.run import with_people
from simulations.city.scenario import city_key, load_city
from simulations.city.sweeps import sweep_city
from simulations.studies.sweep import values_of
from tracetogether.cli.city_options import (
    city_setting,
    days_option,
    out_folder,
    people_option,
    vary_option,
)
from tracetogether.cli.console import answer, fixed, progress, right, table
from tracetogether.cli.options import as_json, number_option
from tracetogether.cli.simulate_options import seeds_option


@click.command("sweep")
@click.argument("scenario")
@vary_option(required=True)
@city_setting
@seeds_option(default=5, most=1000)
@number_option("--workers", "Number of processes.", default=2)
@click.option("--cluster", metavar="ADDRESS", help="Use the Dask scheduler at this address.")
@people_option
@days_option
@click.option(
    "--threshold",
    metavar="KEY",
    help="Say from which value of this varied key R is below 1.  [default: app.adoption]",
)
@out_folder("Keep each finished run and results.json in this folder; the same command resumes it.")
@as_json
def sweep_cities(
    scenario: str,
    vary: dict[str, str],
    settings: dict[str, str],
    seeds: int,
    workers: int,
    cluster: str | None,
    people: int | None,
    days: int | None,
    threshold: str | None,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Run SCENARIO for every combination of values and seeds.

    All combinations have the same seeds: the same people, contacts and random numbers. The result
    does not depend on the number of workers. A kept run is used again only if every key, the
    version and the code are equal.
    """
    chosen = with_people(load_city(scenario, settings), people, days)
    choices = {key: values_of(text) for key, text in vary.items()}
    if threshold is not None and city_key(threshold).name not in choices:
        raise click.UsageError(f"--threshold needs --vary {city_key(threshold).name}=VALUES")
    with progress("Running cities") as advance:
        found = sweep_city(
            chosen,
            choices,
            seeds=seeds,
            workers=workers,
            cluster=cluster,
            folder=folder,
            threshold=threshold,
            on_progress=advance,
        )
    answer(
        found.to_json(),
        table(
            found.points,
            (fixed("setting"), _setting),
            (right("infected"), lambda point: _mean(point, "infections")),
            (right("R"), lambda point: "-" if (r := point["r"]["r"]) is None else f"{r:.2f}"),
            (right("deaths"), lambda point: _mean(point, "deaths")),
            (right("quarantine days, not infected"), _days),
            (right("calls"), lambda point: f"{point['figures']['calls']['mean']:,.0f}"),
        ),
        *found.answers(),
        f"Digest {found.digest}",
        as_json=as_json,
    )


def _setting(point: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in point["settings"].items())


def _mean(point: Mapping[str, Any], name: str) -> str:
    figure = point["figures"][name]
    if figure["low"] is None:
        return f"{figure['mean']:,.0f}"
    return f"{figure['mean']:,.0f} ({figure['low']:,.0f} - {figure['high']:,.0f})"


def _days(point: Mapping[str, Any]) -> str:
    return f"{point['figures']['quarantine_days_not']['mean']:,.0f}"
