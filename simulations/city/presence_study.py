"""What check-in and places add to the app in a city: `tracetogether city presence`.

For each adoption, the city is run with Bluetooth alone, with check-in too, with devices at places
too, and with both; all with the same seeds. Infections averted are compared seed by seed with
Bluetooth alone at the same adoption. To count what Bluetooth alone finds, that run has check-in as
well, but nobody does anything when warned: so its epidemic is that of Bluetooth alone.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from simulations.city.charts import HEIGHT, WIDTH, Chart, ChartLine, chart_parts
from simulations.city.keys import CityScenario
from simulations.city.many_runs import run_tasks, tasks_of
from simulations.city.scenario import replaced
from simulations.city.seed_means import SeedMean, SeedRatio
from simulations.pages.page_parts import light_colours, source_text
from simulations.progress_line import OnProgress
from tracetogether.errors import ScenarioError
from tracetogether.svg import text
from tracetogether.version import __version__

ADOPTIONS: Final = (0.2, 0.4, 0.6, 0.8)
CHECK_IN: Final = 0.6
PLACES: Final = 1.0
BLUETOOTH: Final = "Bluetooth"
WAYS: Final = (BLUETOOTH, "and check-in", "and places", "and both")
_KINDS: Final = ("first", "second", "third", "fourth")
_TITLE_H: Final = 40
_GAP: Final = 40
_RATIOS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "found_of_contacts": ("contacts_by_any", "contacts"),
        "found_of_air": ("air_by_any", "air"),
        "warned_per_case": ("pairs_warned", "reports"),
        "infected_of_warned": ("pairs_warned_infected", "pairs_warned"),
        "no_contact": ("pairs_warned_no_contact", "pairs_warned_counted"),
        "published_per_case": ("published", "reports"),
        "stays_per_case": ("stays_learned", "reports"),
    }
)
"""Figure -> the counts of a run whose ratio it is, with check-in or places."""
_OF_BLUETOOTH: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "found_of_contacts": ("contacts_by_bluetooth", "contacts"),
        "found_of_air": ("air_by_bluetooth", "air"),
        "warned_per_case": ("warned", "uploads"),
    }
)
_SHARES: Final = ("found_of_contacts", "found_of_air", "infected_of_warned", "no_contact")
_MORE: Final = ("tests", "quarantine_days_not", "alerted")
_NONE: Final = SeedRatio(None, None, None)


@dataclass(frozen=True, slots=True)
class CityPresenceRow:
    """One way of finding people, at one adoption.

    Attributes:
        adoption: share of people with the app.
        way: among ``WAYS``.
        seeds: number of runs.
        infections: people infected.
        averted: share of the infections with Bluetooth alone that this averts; of Bluetooth, none.
        ratios: name -> figure over seeds: ``found_of_contacts`` (of all outside home), and
            ``found_of_air``, by Bluetooth and the way together; ``warned_per_case``,
            ``infected_of_warned``, ``no_contact``, ``published_per_case`` and ``stays_per_case``
            of the way alone, and for Bluetooth the people whom the app lists for a case.
        more: ``tests``, ``quarantine_days_not`` and ``alerted``, more than with Bluetooth alone.
    """

    adoption: float
    way: str
    seeds: int
    infections: SeedMean
    averted: SeedRatio
    ratios: Mapping[str, SeedRatio]
    more: Mapping[str, SeedMean]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as the command line prints them."""
        return {
            "adoption": self.adoption,
            "way": self.way,
            "seeds": self.seeds,
            "infections": self.infections.to_json(),
            "averted": self.averted.to_json(),
            **{name: value.to_json() for name, value in self.ratios.items()},
            **{f"more_{name}": value.to_json() for name, value in self.more.items()},
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "CityPresenceRow":
        """Return the row that ``to_json`` wrote."""
        return cls(
            row["adoption"],
            row["way"],
            row["seeds"],
            SeedMean(**row["infections"]),
            SeedRatio(**row["averted"]),
            {name: SeedRatio(**row[name]) for name in _RATIOS if name in row},
            {name: SeedMean(**row[f"more_{name}"]) for name in _MORE if f"more_{name}" in row},
        )


def study_city_presence(
    scenario: CityScenario,
    *,
    seeds: int,
    adoptions: Sequence[float] = ADOPTIONS,
    check_in: float = CHECK_IN,
    places: float = PLACES,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> list[CityPresenceRow]:
    """Run a city at each adoption in four ways.

    Args:
        scenario: the city; it must test people with symptoms, as tracing begins with a test.
        seeds: number of seeds.
        adoptions: shares of people with the app.
        check_in: share of them who check in.
        places: share of places and vehicles with a device.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (runs done, runs in all).

    Raises:
        ScenarioError: nobody is tested, or a share is out of range.
    """
    if not scenario.tests.share:
        raise ScenarioError(
            "nobody is tested in this city, so nobody is traced: --set tests.share=0.7"
        )
    adoptions = list(dict.fromkeys(adoptions))
    cities = [
        city for adoption in adoptions for city in _cities(scenario, adoption, check_in, places)
    ]
    tasks = tasks_of(cities, range(1, seeds + 1))
    found: list[Mapping[str, Any]] = [{}] * len(tasks)
    done = itertools.count(1)

    def keep(index: int, findings: Mapping[str, Any]) -> None:
        found[index] = findings
        if on_progress is not None:
            on_progress(next(done), len(tasks))

    run_tasks(tasks, workers=workers, on_found=keep)
    rows = []
    for number, adoption in enumerate(adoptions):
        base = found[number * len(WAYS) :: len(cities)]
        for turn, way in enumerate(WAYS):
            rows.append(_row(adoption, way, found[number * len(WAYS) + turn :: len(cities)], base))
    return rows


def _cities(
    scenario: CityScenario, adoption: float, check_in: float, places: float
) -> list[CityScenario]:
    by_poster: dict[str, object] = {"presence.check_in": check_in}
    by_device: dict[str, object] = {
        f"presence.places_{kind}": places for kind in ("shops", "halls", "vehicles")
    }
    idle: dict[str, object] = {"presence.tested": 0, "presence.stay_home": 0}
    no_device: dict[str, object] = dict.fromkeys(by_device, 0)
    settings: list[Mapping[str, object]] = [
        by_poster | by_device | idle,
        by_poster | no_device,
        {"presence.check_in": 0} | by_device,
        by_poster | by_device,
    ]
    return [replaced(scenario, {"app.adoption": adoption} | dict(keys)) for keys in settings]


def _row(
    adoption: float,
    way: str,
    runs: Sequence[Mapping[str, Any]],
    base: Sequence[Mapping[str, Any]],
) -> CityPresenceRow:
    ratios = {
        name: _ratio(runs, *counts, share=name in _SHARES)
        for name, counts in (_OF_BLUETOOTH if way == BLUETOOTH else _RATIOS).items()
    }
    before, after = ([float(run["infections"]) for run in side] for side in (base, runs))
    fewer = [first - then for first, then in zip(before, after, strict=True)]
    alone = way == BLUETOOTH
    return CityPresenceRow(
        adoption,
        way,
        len(runs),
        SeedMean.of(after, least=0.0),
        _NONE if alone else SeedRatio.of(fewer, before, most=1.0),
        ratios,
        {}
        if alone
        else {
            name: SeedMean.of(
                [
                    float(run[name]) - (0.0 if name == "alerted" else float(other[name]))
                    for run, other in zip(runs, base, strict=True)
                ]
            )
            for name in _MORE
        },
    )


def _ratio(runs: Sequence[Mapping[str, Any]], over: str, under: str, *, share: bool) -> SeedRatio:
    top, bottom = ([float(run[name]) for run in runs] for name in (over, under))
    if not sum(bottom):
        return _NONE
    found = SeedRatio.of(top, bottom, most=1.0 if share else float("inf"))
    low = None if found.low is None else max(found.low, 0.0)
    return SeedRatio(found.ratio, low, found.high)


def presence_picture(rows: Sequence[CityPresenceRow], title: str, digest: str) -> str:
    """Return a picture of contacts found and of infections averted by adoption, as one SVG file.

    Args:
        rows: of the study.
        title: above both charts.
        digest: of the runs, in the corner.
    """
    charts = (
        Chart(
            about="Share of contacts outside home that are found, by adoption",
            x_label="share of people with the app",
            y_label="contacts found",
            lines=[
                _line(rows, way, kind, "found_of_contacts")
                for way, kind in zip(WAYS, _KINDS, strict=True)
            ],
            show_x=_percent,
            show_y=_percent,
        ),
        Chart(
            about="Infections averted beside Bluetooth alone, by adoption",
            x_label="share of people with the app",
            y_label="infections averted, beside Bluetooth alone",
            lines=[
                _line(rows, way, kind, "averted")
                for way, kind in zip(WAYS[1:], _KINDS[1:], strict=True)
            ],
            show_x=_percent,
            show_y=_percent,
        ),
    )
    width, height = 2 * WIDTH + _GAP, HEIGHT + _TITLE_H + 30
    style = f":root {{ {light_colours()} }} {source_text('charts.css')}"
    parts = [
        f"<title>{title}</title><style>{style}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        str(text(0, 20, title, "title")),
    ]
    for turn, chart in enumerate(charts):
        place = f'<g transform="translate({turn * (WIDTH + _GAP)} {_TITLE_H})">'
        parts.append(place + "".join(map(str, chart_parts(chart))) + "</g>")
    for turn, (way, kind) in enumerate(zip(WAYS, _KINDS, strict=True)):
        x, y = turn * 170, HEIGHT + _TITLE_H + 16
        parts.append(
            f'<path class="line {kind}" d="M{x} {y - 4}h26"/>' + str(text(x + 32, y, way, "small"))
        )
    parts.append(
        str(text(width, height + 6, f"tracetogether {__version__}  {digest[:12]}", "number tiny"))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" '
        f'viewBox="-12 -8 {width + 24} {height + 20}" width="{width + 24}" '
        f'height="{height + 20}">{"".join(parts)}</svg>\n'
    )


def _line(rows: Sequence[CityPresenceRow], way: str, kind: str, name: str) -> ChartLine:
    there = [
        (row.adoption, value)
        for row in rows
        if row.way == way
        and (value := row.averted if name == "averted" else row.ratios[name]).ratio is not None
    ]
    places = [adoption for adoption, _ in there]
    return ChartLine(
        kind,
        places,
        [float(value.ratio or 0.0) for _, value in there],
        [value.low for _, value in there],
        [value.high for _, value in there],
        [f"{way}, {_percent(place)}: {_percent(value.ratio or 0.0)}" for place, value in there],
    )


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"
