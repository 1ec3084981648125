"""`tracetogether city report`: one page without network about a sweep of a city."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from simulations.city.outbreak_tree import tree_of
from simulations.city.report_data import CityReport, read_results, report_of, scenario_of
from simulations.city.run import with_people
from simulations.city.scenario import load_city
from simulations.city.sweeps import RESULTS, sweep_city
from simulations.studies.sweep import values_of
from tracetogether.cli.city_options import city_setting, days_option, people_option, vary_option
from tracetogether.cli.console import answer, progress
from tracetogether.cli.options import FILE, as_json, keep_apart, number_option
from tracetogether.cli.simulate_options import seeds_option
from tracetogether.errors import MissingExtraError, StoreError

_USUAL: Final = {"app.adoption": "0,0.16,0.32,0.48,0.64,0.8"}
_OF_NEW_RUNS: Final = ("settings", "vary", "seeds", "workers", "people", "days")


@click.command("report")
@click.argument("source", metavar="SCENARIO|DIR")
@vary_option(required=False, usual="app.adoption=0,0.16,0.32,0.48,0.64,0.8")
@city_setting
@seeds_option(default=5, most=1000)
@number_option("--workers", "Number of processes.", default=2)
@people_option
@days_option
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=Path("city-report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option(
    "--picture",
    type=FILE,
    metavar="FILE",
    help="Also write the picture of infections averted to this SVG file.",
)
@as_json
@click.pass_context
def report_city(
    context: click.Context,
    source: str,
    vary: dict[str, str],
    settings: dict[str, str],
    seeds: int,
    workers: int,
    people: int | None,
    days: int | None,
    output: Path,
    picture: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make one HTML page of a sweep: the answer, pictures with intervals, tables, one outbreak.

    DIR is the folder of a finished `city sweep --out DIR`. A SCENARIO is swept first. The page
    needs no network and no other file. Its sliders show points that were computed.
    """
    keep_apart({"--output": output, "--picture": picture}, [Path(source)])
    _expect_writable(output, picture)  # before runs that take minutes, not after them
    try:
        page: Any = import_module("simulations.city.report_page")
        charts: Any = import_module("simulations.city.report_charts")
    except ModuleNotFoundError as missing:
        if missing.name not in {"jinja2", "markupsafe"}:
            raise
        raise MissingExtraError("The page", "plot") from None
    if Path(source).is_dir():
        _expect_no_runs_asked(context, source)
        results = read_results(Path(source))
        place = str(Path(source) / RESULTS)
    else:
        chosen = with_people(load_city(source, settings), people, days)
        choices = {key: values_of(text) for key, text in (vary or _USUAL).items()}
        with progress("Running cities") as advance:
            results = sweep_city(
                chosen, choices, seeds=seeds, workers=workers, on_progress=advance
            ).to_json()
        place = "the sweep"
    found = report_of(results, source=place)
    tree = tree_of(scenario_of(results, found.chosen, source=place), seed=min(results["seeds"]))
    page.save_report(found, tree, output)
    if picture is not None:
        charts.save_adoption_picture(found, picture)
    answer(_said(found, output, picture), found.headline(), f"Written to {output}", as_json=as_json)


def _expect_writable(output: Path, picture: Path | None) -> None:
    """Refuse files that can't be written.

    Raises:
        StoreError: there is no such folder, or the picture is not to be SVG.
    """
    for path in (output, picture):
        if path is not None and not path.resolve().parent.is_dir():
            raise StoreError(f"can't write {path}: there is no folder {path.parent}")
    if picture is not None and picture.suffix.lower() != ".svg":
        raise StoreError(f"can't write {picture}: end its name in .svg")


def _expect_no_runs_asked(context: click.Context, source: str) -> None:
    """Refuse options of new runs beside a folder of finished ones.

    Raises:
        click.UsageError: one is given.
    """
    for name in _OF_NEW_RUNS:
        if context.get_parameter_source(name) != click.core.ParameterSource.DEFAULT:
            flag = "set" if name == "settings" else name
            raise click.UsageError(
                f"{source} is a folder of finished runs: leave out --{flag}, or name a scenario"
            )


def _said(report: CityReport, output: Path, picture: Path | None) -> Mapping[str, Any]:
    return {
        "answer": report.headline(),
        "threshold": report.threshold or None,
        "scenario": report.scenario,
        "digest": report.digest,
        "page": str(output),
        "picture": None if picture is None else str(picture),
    }
