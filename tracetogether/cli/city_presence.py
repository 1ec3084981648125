"""`tracetogether city presence`: what check-in and places add to the app in a city."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from simulations.city.presence_study import (
    ADOPTIONS,
    CHECK_IN,
    PLACES,
    CityPresenceRow,
    presence_picture,
    study_city_presence,
)
from simulations.city.run import with_people
from simulations.city.scenario import load_city
from simulations.city.seed_means import SeedRatio
from simulations.provenance import digest_of
from tracetogether.cli.city_options import city_setting, days_option, people_option
from tracetogether.cli.console import answer, fixed, progress, right, say, table
from tracetogether.cli.options import FILE, FiniteNumber, as_json, number_option
from tracetogether.cli.simulate_options import seeds_option
from tracetogether.errors import StoreError
from tracetogether.whole_file import write_whole

_SHARE = FiniteNumber(0, 1)


@click.command("presence")
@click.argument("scenario")
@city_setting
@click.option(
    "--adoption",
    "adoptions",
    type=_SHARE,
    multiple=True,
    default=ADOPTIONS,
    show_default=True,
    metavar="SHARE",
    help="Share of people with the app. Repeatable.",
)
@click.option(
    "--check-in",
    type=_SHARE,
    default=CHECK_IN,
    show_default=True,
    metavar="SHARE",
    help="Share of people with the app who check in.",
)
@click.option(
    "--places",
    type=_SHARE,
    default=PLACES,
    show_default=True,
    metavar="SHARE",
    help="Share of places and vehicles with a device.",
)
@seeds_option(default=5, most=1000)
@people_option
@days_option
@number_option("--workers", "Number of processes.  [default: one for each processor]")
@click.option(
    "--picture",
    type=FILE,
    metavar="FILE",
    help="Write the picture of contacts found and infections averted as SVG.",
)
@as_json
def presence_in_city(
    scenario: str,
    settings: dict[str, str],
    adoptions: tuple[float, ...],
    check_in: float,
    places: float,
    seeds: int,
    people: int | None,
    days: int | None,
    workers: int | None,
    picture: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say what check-in and places add to Bluetooth in SCENARIO, at each adoption.

    Each seed is run with Bluetooth alone, with check-in too, with devices at places too, and with
    both: the same people, contacts and random numbers. Intervals are the central 90 % over seeds.
    """
    if picture is not None and picture.suffix.lower() != ".svg":
        raise StoreError(f"can't write {picture}: end its name in .svg")
    chosen = with_people(load_city(scenario, settings), people, days)
    total = 4 * len(dict.fromkeys(adoptions)) * seeds
    with progress(f"{total} runs") as advance:
        rows = study_city_presence(
            chosen,
            seeds=seeds,
            adoptions=adoptions,
            check_in=check_in,
            places=places,
            workers=workers or os.cpu_count() or 1,
            on_progress=advance,
        )
    found: dict[str, Any] = {
        "scenario": chosen.name,
        "people": chosen.people.count,
        "days": chosen.days,
        "seeds": seeds,
        "check_in": check_in,
        "places": places,
        "rows": [row.to_json() for row in rows],
    }
    found["digest"] = digest_of(found)
    if picture is not None:
        title = (
            f"{chosen.name}, {chosen.people.count:,} people, {seeds} seeds: what check-in and "
            "places add"
        )
        write_whole(picture, presence_picture(rows, title, found["digest"]))
    answer(found, *_tables(rows), f"Digest {found['digest']}", as_json=as_json)
    if picture is not None and not as_json:
        say(f"Written to {picture}")


def _tables(rows: list[CityPresenceRow]) -> list[Any]:
    return [
        table(
            rows,
            (right("app"), lambda row: f"{row.adoption:g}"),
            (fixed("found by"), lambda row: row.way),
            (right("contacts found"), _cell("found_of_contacts", "{:.2f}")),
            (right("air found"), _cell("found_of_air", "{:.2f}")),
            (right("warned"), _cell("warned_per_case", "{:.0f}")),
            caption="Found: of contacts outside home and of those who shared the air of a place "
            "with a positive case. Warned: people for a case who reported.",
        ),
        table(
            rows,
            (right("app"), lambda row: f"{row.adoption:g}"),
            (fixed("found by"), lambda row: row.way),
            (right("infected of warned"), _cell("infected_of_warned", "{:.3f}")),
            (right("averted"), lambda row: _bounded(row.averted, "{:.2f}")),
            (right("more tests"), lambda row: _more(row, "tests")),
            (right("more days at home"), lambda row: _more(row, "quarantine_days_not")),
            caption="Averted: share of infections beside Bluetooth alone. Days at home of people "
            "who were not infected.",
        ),
    ]


def _cell(name: str, form: str) -> Callable[[CityPresenceRow], str]:
    return lambda row: _bounded(row.ratios.get(name, SeedRatio(None, None, None)), form)


def _bounded(value: SeedRatio, form: str) -> str:
    if value.ratio is None:
        return "-"
    if value.low is None or value.high is None:
        return form.format(value.ratio)
    low, high = form.format(value.low), form.format(value.high)
    return f"{form.format(value.ratio)} ({low} to {high})"


def _more(row: CityPresenceRow, name: str) -> str:
    return f"{row.more[name].mean:,.0f}" if name in row.more else "-"
