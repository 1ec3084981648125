"""The page of a city: one HTML file without network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.city.charts import drawn
from simulations.city.outbreak_tree import FOUND, MOST_CASES, PLACES, OutbreakTree
from simulations.city.report_charts import (
    KINDS,
    MOST_LINES,
    along_charts,
    infections_chart,
    r_chart,
)
from simulations.city.report_data import (
    ADOPTION,
    PRESS_ADOPTION,
    CityReport,
    ReportPoint,
    bounds_text,
    is_number,
)
from simulations.city.report_measures import measure_tables
from simulations.city.report_words import (
    COUNTED,
    NO_R,
    basis,
    count_text,
    lead,
    main_text,
    others_text,
    percent_text,
    point_name,
    r_text,
    ratio_text,
    with_bounds,
)
from simulations.city.seed_means import SeedMean
from simulations.city.tree_chart import LINK_KINDS, drawn_tree, found_mark
from simulations.pages.page_parts import page_environment, style_and_script
from tracetogether.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    value: str
    under: str


@dataclass(frozen=True, slots=True)
class _Control:
    """A slider, or a list of words to choose from."""

    name: str
    values: Sequence[str]
    start: str

    @property
    def label(self) -> str:
        return f"share of people with the app ({ADOPTION})" if self.name == ADOPTION else self.name

    @property
    def numbers(self) -> bool:
        return all(map(is_number, self.values))

    @property
    def low(self) -> str:
        return self.values[0]

    @property
    def high(self) -> str:
        return self.values[-1]

    @property
    def step(self) -> str:
        span = float(self.high) - float(self.low)
        if all(float(value).is_integer() for value in self.values) and span <= 200:
            return "1"
        return f"{10.0 ** (len(str(int(span))) - 3):g}" if span >= 1 else "0.01"


def save_report(report: CityReport, tree: OutbreakTree | None, path: Path) -> None:
    """Write the page.

    Raises:
        StoreError: it can't be written.
    """
    write_whole(path, page_of(report, tree))


def page_of(report: CityReport, tree: OutbreakTree | None) -> str:
    """Return the page as HTML."""
    template = page_environment("simulations.city").get_template("report_page.html")
    return template.render(
        report=report,
        **style_and_script("simulations.city", "", "report_page.js"),
        lead=lead(report),
        figures=_figures(report),
        along=_along(report),
        by_day=_by_day(report),
        by_age=_by_age(report),
        controls=_controls(report),
        cards=[_card(report, point) for point in report.points],
        names=[main_text(report, point) or point_name(report, point) for point in report.compared],
        counted=[
            (key, words)
            for key, words in COUNTED.items()
            if all(key in point.figures for point in report.compared)
            and (key != "cost" or report.chosen.figures[key].mean)
        ],
        measures=measure_tables(report),
        outbreak=None if tree is None else _outbreak(tree),
        basis=basis(report),
        no_r=NO_R if any(point.r.ratio is None for point in report.points) else "",
        count=count_text,
        percent=percent_text,
        two_digits=ratio_text,
        r_form=r_text,
        chosen_name=main_text(report, report.chosen),
    )


def _figures(report: CityReport) -> list[_Figure]:
    base, point = report.baseline, report.chosen
    found = [
        _figure(
            f"infections: {main_text(report, base)}".removesuffix(": "), base.figures["infections"]
        )
    ]
    if point is base:
        return found
    found.append(_figure(f"infections: {main_text(report, point)}", point.figures["infections"]))
    if point.averted is not None:
        found.append(_figure("infections averted", point.averted))
    shown = {
        "severe": "severe cases",
        "deaths": "deaths",
        "quarantine_days_not": "days at home of people not infected",
    }
    return found + [
        _figure(f"{words}: {main_text(report, point)}", point.figures[name])
        for name, words in shown.items()
        if name in point.figures
    ]


def _figure(name: str, value: SeedMean) -> _Figure:
    return _Figure(name, count_text(value.mean), bounds_text(value.low, value.high, "{:,.0f}"))


def _along(report: CityReport) -> dict[str, Any] | None:
    """Return the pictures along the main key; None if there is none with several values."""
    if report.main is None or len(report.lines[0]) < 2:
        return None
    averted, falsely = along_charts(report)
    lines = report.lines[:MOST_LINES]
    keys = []
    if len(report.lines) > 1:
        keys = [(KINDS[place], others_text(report, line[0])) for place, line in enumerate(lines)]
    hidden = len(report.lines) - len(lines)
    note = "Dots are computed points with their 90 % intervals; lines only join them."
    if hidden:
        note += f" {hidden} more lines are in the table of all points."
    if averted.marks:
        note += (
            f" Dotted line: {percent_text(PRESS_ADOPTION)}, the share in Singapore in June 2020."
        )
    heading = "How many people need the app?" if report.by_adoption else f"Along {report.main}"
    return {
        "heading": heading,
        "averted": drawn(averted),
        "falsely": drawn(falsely),
        "legend": keys,
        "note": note,
    }


def _by_day(report: CityReport) -> dict[str, Any]:
    points = report.compared
    return {
        "picture": drawn(infections_chart(points)),
        "r": drawn(r_chart(points)),
        "legend": [
            (KINDS[place], main_text(report, point) or point_name(report, point))
            for place, point in enumerate(points)
        ],
    }


def _by_age(report: CityReport) -> dict[str, Any] | None:
    """Return the table of severe cases and deaths by age; None if no run has them."""
    points = [report.baseline, report.chosen]
    if report.baseline is report.chosen or not all(point.by_age for point in points):
        return None
    rows = []
    for line in zip(*(point.by_age for point in points), strict=True):
        start = int(line[0]["from_age"])
        last = start == points[0].by_age[-1]["from_age"]
        ages = f"from {start}" if last else f"{start} to {start + 9}"
        cells = [
            _mean_text(SeedMean(**part[name]))
            for name in ("infections", "severe", "deaths")
            for part in line
        ]
        rows.append((ages, cells))
    return {"lines": rows, "names": [main_text(report, point) for point in points]}


def _mean_text(value: SeedMean) -> str:
    return f"{value.mean:,.1f}" if value.mean < 10 else count_text(value.mean)


def _controls(report: CityReport) -> list[_Control]:
    return [
        _Control(name, values, report.chosen.settings[name])
        for name, values in report.varied.items()
        if len(values) > 1
    ]


def _card(report: CityReport, point: ReportPoint) -> dict[str, Any]:
    """Return one computed point for the sliders."""
    base = next(line[0] for line in report.lines if point in line)
    against = None if point is base else base
    shown = [point] if against is None else [against, point]
    picture = drawn(infections_chart(shown, KINDS[2 - len(shown) :]))
    rows = [("infections", with_bounds(point.figures["infections"]))]
    if point.averted is not None and point.share is not None and point.share.ratio is not None:
        rows += [
            ("infections averted", with_bounds(point.averted)),
            ("share averted", percent_text(point.share.ratio)),
        ]
    rows += [
        (COUNTED[name], with_bounds(point.figures[name]))
        for name in ("severe", "deaths", "quarantine_days_infected", "quarantine_days_not", "calls")
        if name in point.figures
    ]
    return {
        "settings": dict(point.settings),
        "name": point_name(report, point),
        "against": None if against is None else point_name(report, against),
        "rows": rows,
        "picture": picture,
    }


def _outbreak(tree: OutbreakTree) -> Mapping[str, Any]:
    cut = "" if tree.size == len(tree.cases) else f" Its first {len(tree.cases)} people are shown."
    rows = []
    for place, words in enumerate(PLACES):
        there = [case.found for case in tree.cases if case.place == place]
        if there:
            rows.append((words, [there.count(found) for found in range(len(FOUND))]))
    used = {case.place for case in tree.cases}
    return {
        "about": (
            f"{tree.first_cases:,} people were infected on day 0, and {tree.alone:,} of them "
            f"infected nobody. This is the largest outbreak of at most {MOST_CASES} people: "
            f"{tree.size:,} people from one of day 0.{cut} Each row is a person."
        ),
        "picture": drawn_tree(tree),
        "legend": [
            (LINK_KINDS[place], f"infected {words}")
            for place, words in enumerate(PLACES)
            if place in used
        ],
        "marks": [(found_mark(found), words) for found, words in enumerate(FOUND)],
        "heads": FOUND,
        "rows": rows,
    }
