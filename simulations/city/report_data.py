"""What the page of a city says: points of a sweep with intervals, and the sentence on top.

The rows of a sweep are one for each combination of values and seed. All combinations have the same
seeds, so a point is compared with its baseline seed by seed. The baseline of a point has the same
values, but the smallest of the main key: no app, if the sweep varies the app's adoption from 0.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from simulations.city.keys import CityScenario
from simulations.city.measure_figures import MEASURE_FIGURES, ratios_of
from simulations.city.scenario import replaced, value_of
from simulations.city.seed_means import SeedMean, SeedRatio, curve_means
from simulations.city.sweep_points import figure_mean
from simulations.city.sweeps import FORMAT, RESULTS
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.plain_text import counted
from tracetogether.units import Floats

_Row = Mapping[str, Any]

ADOPTION: Final = "app.adoption"
PRESS_ADOPTION: Final = 0.32
"""Share of people with the app in June 2020: 1.8 of 5.6 million."""
FIGURES: Final = (
    "infections",
    "attack_rate",
    "peak_day",
    "severe",
    "deaths",
    "isolation_days",
    "quarantine_days_infected",
    "quarantine_days_not",
    "tests",
    "positives",
    "uploads",
    "warned",
    "warned_falsely",
    "infected_named_by_app",
    "infected_named_by_tracers",
    "calls",
    "learned_person_contacts",
    "cost",
    *MEASURE_FIGURES,
)
"""The figures of a run that the page shows."""
_NEAR: Final = 1e-9
_WEEK: Final = 7

_DAMAGE: Final = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    msgspec.ValidationError,
)


@dataclass(frozen=True, slots=True)
class ReportCurve:
    """A column of days over seeds: (days,) means with bounds, None where there is none."""

    mean: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ReportPoint:
    """One combination of values, over seeds.

    Attributes:
        settings: the varied keys and their values, as text.
        seeds: number of runs.
        figures: means of what was counted; a figure that a run lacks is left out.
        infections: new infections a day, as the mean of seven days.
        r_by_day: the instantaneous R, likewise; see ``outbreak``.
        by_age: a line for each decade of age, as ``sweep_points.point_of`` has it.
        r: people whom an early case infects.
        averted: infections that the baseline has and this has not; None for the baseline itself.
        share: the same as a share of the baseline's infections.
        per_averted: figure -> how much more of it than in the baseline for each infection averted;
            empty unless infections averted are clearly above 0.
        ratios: shares of gates, check-in and places by name; see ``measure_figures``.
        digests: of the runs, in order of seeds.
    """

    settings: Mapping[str, str]
    seeds: int
    figures: Mapping[str, SeedMean]
    infections: ReportCurve
    r_by_day: ReportCurve
    by_age: Sequence[_Row]
    r: SeedRatio
    averted: SeedMean | None
    share: SeedRatio | None
    per_averted: Mapping[str, SeedRatio]
    ratios: Mapping[str, SeedRatio]
    digests: Sequence[str]

    @property
    def is_baseline(self) -> bool:
        """Return whether other points are compared with this one."""
        return self.averted is None


@dataclass(frozen=True)
class CityReport:
    """The data of a page.

    Attributes:
        scenario: name of the scenario.
        title: its title.
        modelled_on: what it stands for.
        people, days: of each run.
        detection: the table of what the app finds.
        digest: of all runs.
        threshold: a sentence about the values from which R is below 1; "" if that is not known.
        own: the scenario's own values of the varied keys, as text.
        points: combinations of values, in the order of the sweep.
    """

    scenario: str
    title: str
    modelled_on: str
    people: int
    days: int
    detection: str
    digest: str
    threshold: str
    own: Mapping[str, str]
    points: Sequence[ReportPoint]

    @cached_property
    def varied(self) -> Mapping[str, Sequence[str]]:
        """Return the keys that were varied, and the values of each in ascending order."""
        names = list(self.points[0].settings)
        return {
            name: sorted({point.settings[name] for point in self.points}, key=_order)
            for name in names
        }

    @cached_property
    def main(self) -> str | None:
        """Return the key along which points are drawn: adoption, else the first with numbers."""
        numbers = [key for key, values in self.varied.items() if all(map(is_number, values))]
        return ADOPTION if ADOPTION in numbers else numbers[0] if numbers else None

    @property
    def by_adoption(self) -> bool:
        """Return whether the page is about the share of people with the app."""
        return self.main == ADOPTION

    @cached_property
    def lines(self) -> Sequence[Sequence[ReportPoint]]:
        """Return the points along the main key, in a line for each combination of other values.

        The line with the scenario's own values comes first, if they were computed.
        """
        lines: dict[tuple[str, ...], list[ReportPoint]] = {}
        for point in self.points:
            lines.setdefault(others_of(point.settings, self.main), []).append(point)
        own = others_of(self.own, self.main)
        return [
            sorted(lines[others], key=lambda point: _order(point.settings.get(self.main or "", "")))
            for others in sorted(lines, key=lambda others: others != own)
        ]

    @cached_property
    def chosen(self) -> ReportPoint:
        """Return the point of the sentence on top: 32 % adoption if computed, else the largest."""
        line = self.lines[0]
        if self.by_adoption:
            for point in line:
                if abs(float(point.settings[ADOPTION]) - PRESS_ADOPTION) < _NEAR:
                    return point
        return line[-1]

    @property
    def baseline(self) -> ReportPoint:
        """Return the point that the chosen one is compared with."""
        return self.lines[0][0]

    @property
    def compared(self) -> Sequence[ReportPoint]:
        """Return the points whose curves are drawn: baseline, chosen and last of the first line."""
        wanted = (self.baseline, self.chosen, self.lines[0][-1])
        return [point for place, point in enumerate(wanted) if point not in wanted[:place]]

    def headline(self) -> str:
        """Return the answer in one sentence."""
        point, seeds = self.chosen, counted(self.chosen.seeds, "seeds")
        others = ", ".join(
            f"{key} = {value}" for key, value in point.settings.items() if key != self.main
        )
        place = f"{self.scenario} with {others}" if others else self.scenario
        if point.averted is None or point.share is None or point.share.ratio is None:
            count = point.figures["infections"]
            people = int(point.settings.get("people.count", self.people))
            days = int(point.settings.get("days", self.days))
            bounds = bounds_text(count.low, count.high, "{:,.0f}")
            return (
                f"In {place}, {count.mean:,.0f} of {people:,} people are infected in "
                f"{counted(days, 'days')} ({bounds}, {seeds})."
            )
        share, more = point.share, point.share.ratio >= 0
        low, high = share.low, share.high
        if not more and low is not None and high is not None:
            low, high = -high, -low
        bounds = bounds_text(low, high, "{:.0%}")
        verb = "avert" if more else "add"
        if self.by_adoption:
            who = f"{self.users(point)} people with the app ({_percent(point)})"
        else:
            who, verb = f"{self.main} = {point.settings[str(self.main)]}", f"{verb}s"
        count = point.averted
        if count.low is not None and count.high is not None and count.low <= 0 <= count.high:
            verb = "may avert" if more else "may add"  # the runs do not tell it from chance
        return (
            f"In {place}, {who} {verb} {spaced(f'{abs(share.ratio or 0):.0%}')} of "
            f"infections ({bounds}, {seeds})."
        )

    def users(self, point: ReportPoint) -> str:
        """Return how many people have the app in words, such as "1.8 M of 5.6 M"."""
        return self.users_at(float(point.settings[ADOPTION]))

    def users_at(self, adoption: float) -> str:
        """Return the same for a share of people with the app."""
        return f"{people_text(adoption * self.people)} of {people_text(self.people)}"


def read_results(folder: Path) -> Mapping[str, Any]:
    """Return what a finished sweep wrote into its folder.

    Raises:
        StoreError: the folder holds no finished sweep, or it can't be read.
    """
    file = folder / RESULTS
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError(
            f"{folder} holds no finished sweep ({RESULTS} is missing); make one: "
            f"tracetogether city sweep SCENARIO --vary app.adoption=0,0.16,0.32 --out {folder}"
        ) from None
    except (OSError, ValueError) as error:
        raise StoreError(f"can't read {file}: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StoreError(f"{file} is no sweep of a city: its format is not {FORMAT!r}")
    return found


def report_of(results: Mapping[str, Any], *, source: str) -> CityReport:
    """Return the data of a page from a sweep.

    Args:
        results: as ``CitySweep.to_json`` returns them.
        source: where they are from, for error messages.

    Raises:
        StoreError: something is missing, or combinations have different seeds.
    """
    try:
        return _report_of(results)
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        msgspec.ValidationError,
    ) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise StoreError(f"{source} is damaged: {reason}; run the sweep again") from None


def scenario_of(results: Mapping[str, Any], point: ReportPoint, *, source: str) -> CityScenario:
    """Return the city of a sweep with the values of one point.

    Raises:
        StoreError: the keys of the sweep are damaged.
    """
    try:
        scenario = msgspec.convert(results["keys"], CityScenario)
        return replaced(scenario, point.settings)
    except (msgspec.ValidationError, ScenarioError) as error:
        raise StoreError(f"{source} is damaged: {error}; run the sweep again") from None


def _report_of(results: Mapping[str, Any]) -> CityReport:
    groups: dict[tuple[tuple[str, str], ...], list[_Row]] = {}
    for row in results["rows"]:
        groups.setdefault(_words(row["settings"]), []).append(row)
    for group in groups.values():
        group.sort(key=lambda row: int(row["seed"]))
    if len({tuple(int(row["seed"]) for row in group) for group in groups.values()}) != 1:
        raise ValueError("combinations of values have different seeds")
    points = {_words(point["settings"]): point for point in results["points"]}
    scenario = msgspec.convert(results["keys"], CityScenario)
    keys = results["rows"][0]["settings"]
    bare = CityReport(
        scenario=str(results["scenario"]),
        title=str(results["title"]),
        modelled_on=scenario.modelled_on,
        people=int(results["people"]),
        days=int(results["days"]),
        detection=str(results["rows"][0]["detection_table"]),
        digest=str(results["digest"]),
        threshold=threshold_text(results["threshold"]),
        own={str(key): value_text(value_of(scenario, key)) for key in keys},
        points=[_point(dict(words), group, None, points[words]) for words, group in groups.items()],
    )
    bases = {others_of(line[0].settings, bare.main): line[0].settings for line in bare.lines}
    compared = []
    for words, group in groups.items():
        base = tuple(bases[others_of(dict(words), bare.main)].items())
        other = None if base == words else groups[base]
        compared.append(_point(dict(words), group, other, points[words]))
    return replace(bare, points=compared)


def threshold_text(found: Mapping[str, Any] | None) -> str:
    """Return from which adoption on R is below 1, in a sentence; "" if that is not known.

    Args:
        found: as ``Threshold.to_json`` returns it; its own sentence serves for other keys.
    """
    if found is None or found["key"] != ADOPTION:
        return "" if found is None else str(found["answer"])
    first, last = found["r"][0], found["r"][-1]
    if found["value"] is not None:
        low, high = (
            words if found[end] is None else _percent_text(found[end])
            for end, words in (("low", "less than was tried"), ("high", "more than was tried"))
        )
        return (
            f"It falls below 1 if {share_of_people(found['value'])} have the app "
            f"(90 % interval {low} to {high})."
        )
    if last["r"] > 1:
        return f"Even if {share_of_people(last['value'])} have the app, it is {_r_bounds(last)}."
    return f"It is below 1 already at {_percent_text(first['value'])}: {_r_bounds(first)}."


def _r_bounds(r: Mapping[str, float | None]) -> str:
    bounds = "" if r["low"] is None else f" ({r['low']:.2f} to {r['high']:.2f})"
    return f"{r['r']:.2f}{bounds}"


def _words(settings: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), value_text(value)) for key, value in settings.items())


def _point(
    settings: Mapping[str, str],
    group: Sequence[_Row],
    base: Sequence[_Row] | None,
    together: _Row,
) -> ReportPoint:
    figures = {
        name: figure_mean(group, name)
        for name in FIGURES
        if all(run.get(name) is not None for run in group)
    }
    averted, share, per_averted = None, None, dict[str, SeedRatio]()
    if base is not None:
        before = _column(base, "infections")
        fewer = before - _column(group, "infections")
        averted = SeedMean.of(fewer.tolist())
        share = SeedRatio.of(fewer.tolist(), before.tolist(), most=1.0)
        if averted.low is not None and averted.low > 0:
            per_averted = {
                name: SeedRatio.of(
                    (_column(group, name) - _column(base, name)).tolist(), fewer.tolist()
                )
                for name in figures
            }
    return ReportPoint(
        settings=settings,
        seeds=len(group),
        figures=figures,
        infections=_weekly_curve(group, "infections"),
        r_by_day=_weekly_curve(group, "r_instant"),
        by_age=together["by_age"],
        r=SeedRatio(*(together["r"][name] for name in ("r", "low", "high"))),
        averted=averted,
        share=share,
        per_averted=per_averted,
        ratios=ratios_of(group),
        digests=[str(run["digest"]) for run in group],
    )


def _weekly_curve(group: Sequence[_Row], name: str) -> ReportCurve:
    curves = np.array([weekly(run["curves"][name]) for run in group], dtype=np.float64)
    return ReportCurve(**curve_means(curves))


def weekly(values: Sequence[float | None]) -> Floats:
    """Return the mean of the seven days around each day; fewer at both ends and without a value.

    Contacts at school and work stop at weekends, so single days go up and down every week.
    """
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    known = ~np.isnan(numbers)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, numbers, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    days = np.arange(len(numbers))
    first = np.maximum(days - _WEEK // 2, 0)
    after = np.minimum(days + _WEEK // 2 + 1, len(numbers))
    number = count[after] - count[first]
    found = np.full(len(numbers), np.nan)
    np.divide(total[after] - total[first], number, out=found, where=number > 0)
    return found


def _column(group: Sequence[_Row], name: str) -> Floats:
    return np.array([row[name] for row in group], dtype=np.float64)


def value_text(value: object) -> str:
    """Return a value of a scenario as its file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def others_of(settings: Mapping[str, str], main: str | None) -> tuple[str, ...]:
    """Return the values of all keys but the main one."""
    return tuple(value for key, value in settings.items() if key != main)


def is_number(text: str) -> bool:
    """Return whether a value is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _order(text: str) -> tuple[int, float, str]:
    """Return the key that sorts values: numbers first, then words."""
    return (0, float(text), "") if is_number(text) else (1, 0.0, text)


def people_text(count: float) -> str:
    """Return a number of people in few digits.

    >>> people_text(1_792_000), people_text(5_600_000), people_text(320)
    ('1.8 M', '5.6 M', '320')
    """
    if count >= 1_000_000:
        return f"{count / 1_000_000:.1f} M".replace(".0 M", " M")
    return f"{count:,.0f}"


def bounds_text(low: float | None, high: float | None, form: str) -> str:
    """Return an interval in words, each bound written by ``form``."""
    if low is None or high is None:
        return "no interval"
    return spaced(f"90 % interval {form.format(low)} to {form.format(high)}")


def spaced(text: str) -> str:
    """Return a text with a space before each per cent sign, as the project writes it."""
    return text.replace(" %", "%").replace("%", " %")


def _percent(point: ReportPoint) -> str:
    return _percent_text(float(point.settings[ADOPTION]))


def share_of_people(share: float) -> str:
    """Return a share of people in words, such as "32 % of people"."""
    return "all people" if share == 1 else f"{_percent_text(share)} of people"


def _percent_text(share: float) -> str:
    return f"{100 * share:.3g} %"
