"""`tracetogether city run`, and the commands that list, check and prepare a scenario."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from simulations.city.detection import SETTINGS
from simulations.city.detection_study import play_all, table_of, table_text
from simulations.city.keys import CityScenario
from simulations.city.outbreak import Outbreak
from simulations.city.results import TREES, infections_by_layer, save, summary
from simulations.city.run import run_city, with_people
from simulations.city.scenario import city_keys, city_names, city_schema, load_city
from simulations.pages.recording import prepare_folder
from simulations.phones.protocols import PROTOCOLS
from tracetogether.cli.city_options import (
    city_setting,
    cluster_option,
    days_option,
    out_folder,
    people_option,
    processes_option,
)
from tracetogether.cli.console import answer, fixed, progress, right, say, table
from tracetogether.cli.options import FILE, as_json
from tracetogether.cli.simulate_options import (
    keys_table,
    seed_option,
    seeds_option,
    workers_option,
)
from tracetogether.plain_text import counted
from tracetogether.whole_file import write_whole


@click.command("list")
@as_json
def list_cities(*, as_json: bool) -> None:
    """List the cities that come with the library."""
    scenarios = [load_city(name) for name in city_names()]
    listed = [
        {
            "scenario": scenario.name,
            "title": scenario.title,
            "modelled_on": " ".join(scenario.modelled_on.split()),
            "people": scenario.people.count,
            "days": scenario.days,
        }
        for scenario in scenarios
    ]
    shown = table(
        scenarios,
        (fixed("scenario"), lambda scenario: scenario.name),
        (right("people"), lambda scenario: f"{scenario.people.count:,}"),
        (right("days"), lambda scenario: str(scenario.days)),
        ("what it is", lambda scenario: scenario.title),
    )
    answer(listed, shown, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the JSON schema of a scenario file.")
def keys(*, as_json: bool) -> None:
    """List the keys of a city's scenario file with their limits, defaults and meanings."""
    answer(city_schema(), keys_table(city_keys()), as_json=as_json)


@click.command()
@click.argument("scenario")
@city_setting
@as_json
def check(scenario: str, settings: dict[str, str], *, as_json: bool) -> None:
    """Check SCENARIO, a TOML file or a name from `city list`, without running it."""
    chosen = load_city(scenario, settings)
    answer(
        {"scenario": chosen.name, "ok": True, "keys": asdict(chosen)},
        f"{chosen.name} is a valid scenario: {chosen.title} "
        f"({counted(chosen.people.count, 'people')}, {counted(chosen.days, 'days')}).",
        as_json=as_json,
    )


@click.command("detection")
@click.option(
    "--protocol",
    type=click.Choice(list(PROTOCOLS)),
    default="bluetrace",
    show_default=True,
    help="What the phones run.",
)
@click.option(
    "--setting",
    "chosen",
    multiple=True,
    type=click.Choice(SETTINGS),
    help="Setting to play. Repeatable.  [default: all]",
)
@seeds_option(default=3, most=100)
@workers_option
@click.option(
    "-o", "--output", type=FILE, metavar="FILE", help="Write the table to this JSON file."
)
@as_json
def detect(
    protocol: str,
    chosen: tuple[str, ...],
    seeds: int,
    workers: int,
    output: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compute what the app finds, by playing crowds with the app on every phone.

    The table has the share of contacts on a list and in a log, by setting, by the systems of the
    two phones and by true minutes, and the people listed falsely per case and hour. The tables
    that come with the library are in `simulations/city/tables/`; cities use these. With -o such a
    table is written to a file.
    """
    with progress("Playing crowds") as advance:
        played = play_all(
            protocol, seeds=seeds, settings=chosen or SETTINGS, workers=workers, on_done=advance
        )
    found = table_of(protocol, played)
    if output is not None:
        write_whole(output, table_text(found))
    shares = [row for row in found["shares"] if row["pairs"]]
    answer(
        found,
        table(
            shares,
            (fixed("setting"), lambda row: row["setting"]),
            (fixed("systems"), lambda row: row["systems"]),
            (right("from minutes"), lambda row: f"{row['from_minutes']:g}"),
            (right("pairs"), lambda row: f"{row['pairs']:,}"),
            (right("listed (5 % to 95 %)"), lambda row: _share(row, "listed")),
            (right("kept (5 % to 95 %)"), lambda row: _share(row, "kept")),
        ),
        table(
            [row for row in found["false"] if row["hours"]],
            (fixed("setting"), lambda row: row["setting"]),
            (right("hours of cases"), lambda row: f"{row['hours']:.0f}"),
            (right("listed falsely per hour (5 % to 95 %)"), lambda row: _share(row, "per_hour")),
        ),
        f"Digest {found['digest']}",
        as_json=as_json,
    )


def _share(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "no interval" if low is None else f"{low:.2f} - {high:.2f}"
    return f"{row[name]:.2f} ({bounds})"


@click.command("run")
@click.argument("scenario")
@city_setting
@seed_option
@people_option
@days_option
@processes_option
@cluster_option
@out_folder("Folder for the figures, the curves, the layers and the ages of the run.")
@click.option(
    "--tree",
    type=click.Choice(tuple(TREES)),
    help="Also write who infected whom into the folder, a line for everybody who was infected.",
)
@as_json
def run_scenario(
    scenario: str,
    settings: dict[str, str],
    seed: int,
    people: int | None,
    days: int | None,
    processes: int,
    cluster: str | None,
    folder: Path | None,
    tree: str | None,
    *,
    as_json: bool,
) -> None:
    """Run SCENARIO, a TOML file or a name from `city list`, day by day.

    Contacts are computed when they are needed and never stored. The same seed gives the same
    digest on every machine, and under any number of processes.
    """
    chosen = chosen_city(scenario, settings, people, days)
    if folder is not None:
        prepare_folder(folder)  # fails before the work, not after it
    elif tree is not None:
        raise click.UsageError("--tree needs --out DIR")
    with progress(f"{counted(chosen.people.count, 'people')}, {counted(chosen.days, 'days')}"):
        played = run_city(chosen, seed=seed, processes=processes, cluster=cluster)
    outbreak = Outbreak.of(played)
    found = summary(played, outbreak)
    if folder is not None:
        save(played, folder, outbreak, tree=tree)
    answer(found, *_shown(found, infections_by_layer(played)), as_json=as_json)
    if folder is not None and not as_json:
        say(f"Kept in {folder}")


def chosen_city(
    name: str, settings: dict[str, str], people: int | None, days: int | None
) -> CityScenario:
    """Return the scenario with what the command line replaces."""
    return with_people(load_city(name, settings), people, days)


def _shown(found: dict[str, Any], by_layer: dict[str, int]) -> list[Any]:
    spread = ", ".join(f"{name} {count:,}" for name, count in by_layer.items())
    return [
        (
            f"{found['scenario']}, seed {found['seed']}: {counted(found['people'], 'people')}, "
            f"{counted(found['days'], 'days')} ({found['cpu_s']:.1f} CPU seconds)"
        ),
        (
            f"{found['infections']:,} infected, {found['attack_rate']:.1%} of all; most around day "
            f"{found['peak_day']}."
        ),
        f"Infected by layer of contacts: {spread}.",
        _cases_shown(found),
        (
            f"{counted(found['positives'], 'positive tests')}. At home: "
            f"{counted(found['isolation_days'], 'days')} of "
            f"cases, {found['quarantine_days_infected']:,} of contacts who were infected, "
            f"{found['quarantine_days_not']:,} of contacts who were not."
        ),
        (
            f"The app warned {counted(found['warned'], 'people')}, {found['warned_falsely']:,} of "
            f"them without a contact. Tracers made {counted(found['calls'], 'calls')}. The "
            f"authority learned {counted(found['learned_person_contacts'], 'pairs')} of a case and "
            "a contact."
        ),
        (
            f"Named while infected: {found['infected_named_by_app']:,} by the app, "
            f"{found['infected_named_by_tracers']:,} by tracers. Of transmissions, the app found "
            f"{found['transmissions_named_by_app']:,}, and tracers "
            f"{found['transmissions_named_by_tracers']:,}."
        ),
        *_gates_shown(found),
        *_presence_shown(found),
        *([f"All this costs {found['cost']:,.0f}."] if found["cost"] else []),
        f"What the app finds: table {found['detection_table']}",
        f"Digest {found['digest']}",
    ]


def _gates_shown(found: dict[str, Any]) -> list[str]:
    if not found["gate_showings"]:
        return []
    contacts, showings = found["kept_out_contacts"], found["gate_showings"]
    said = [f"Gates kept out {counted(found['kept_out_cases'], 'people')} with a positive test."]
    if contacts:
        healthy = 1 - found["kept_out_contacts_infected"] / contacts
        said.append(
            f"They kept out {counted(contacts, 'contacts')}; {healthy:.0%} of these were not "
            f"infected, and {found['kept_out_contacts_falsely'] / contacts:.0%} met no case. "
            f"Wrong: {counted(found['kept_out_days_not'], 'days')} without a pass."
        )
    said.append(
        f"They asked for a pass {showings:,.0f} times and learned at most "
        f"{found['gate_bits']:,.0f} bits about health, {found['gate_bits'] / showings:.3f} a time."
    )
    return [" ".join(said)]


def _presence_shown(found: dict[str, Any]) -> list[str]:
    if not found["reports"]:
        return []
    pairs = found["pairs_warned"]
    infected = found["pairs_warned_infected"] / pairs if pairs else 0.0
    return [
        (
            f"{found['reports']:,} cases reported visits. For each, "
            f"{pairs / found['reports']:,.0f} people who were in the same place were warned; "
            f"{infected:.1%} of these were infected."
        ),
        *(
            f"Of {found[kind]:,} {words}, Bluetooth found {_found(found, kind, 'bluetooth')}, "
            f"check-in {_found(found, kind, 'check_in')}, places {_found(found, kind, 'places')}, "
            f"all together {_found(found, kind, 'any')}."
            for kind, words in (
                ("contacts", "contacts of cases outside home"),
                ("air", "people who shared the air of a place with a case"),
            )
        ),
    ]


def _found(found: dict[str, Any], kind: str, way: str) -> str:
    return f"{found[f'{kind}_by_{way}'] / max(found[kind], 1):.0%}"


def _cases_shown(found: dict[str, Any]) -> str:
    early = "not known" if found["r"] is None else f"{found['r']:.2f}"
    spread = "" if found["k"] is None else f" (dispersion k {found['k']:.2f})"
    return (
        f"An early case infects {early} others{spread}. {found['severe']:,} need a hospital, "
        f"{found['deaths']:,} die."
    )
