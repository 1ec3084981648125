"""The tables of a city's page about gates, and about check-in and places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simulations.city.measure_figures import GATES, PRESENCE, SHARES_OF_GATES, SHARES_OF_PRESENCE
from simulations.city.report_data import CityReport, ReportPoint, spaced
from simulations.city.report_words import count_text

_GATES_SAID: Final = (
    "A gate lets in those who show a pass. A positive test takes the passes away; under a strict "
    "policy, so does a listing by the app. Bits are an upper bound: the entropy of the answer yes "
    "or no."
)
_PRESENCE_SAID: Final = (
    "Cases who upload report their visits too, and phones tell who was in the same place. "
    "Infections are made by contacts alone here, so warnings of those who only shared the air find "
    "nobody. Contacts and air are those of all positive cases, with the app or without."
)


@dataclass(frozen=True, slots=True)
class MeasureTable:
    """One table of the page.

    Attributes:
        name: of its heading, for links.
        heading: words.
        said: sentences below the heading.
        rows: words of a figure, and for each point its value and its interval ("" if none).
    """

    name: str
    heading: str
    said: str
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def measure_tables(report: CityReport) -> list[MeasureTable]:
    """Return the tables of measures that act in a point of the page; none if none does."""
    points = report.compared
    kinds = (
        ("gates", "What gates do", _GATES_SAID, "gate_showings", GATES, SHARES_OF_GATES),
        (
            "presence",
            "What check-in and places add",
            _PRESENCE_SAID,
            "reports",
            PRESENCE,
            SHARES_OF_PRESENCE,
        ),
    )
    return [
        MeasureTable(name, heading, said, _rows(points, counts, shares))
        for name, heading, said, acts, counts, shares in kinds
        if any(acts in point.figures and point.figures[acts].mean for point in points)
    ]


def _rows(
    points: Sequence[ReportPoint],
    counts: Mapping[str, str],
    shares: Mapping[str, tuple[str, str, str]],
) -> list[tuple[str, list[tuple[str, str]]]]:
    rows = [(words, [_count(point, name) for point in points]) for name, words in counts.items()]
    rows += [
        (words, [_share(point, name) for point in points]) for name, (*_, words) in shares.items()
    ]
    return [row for row in rows if any(value != _NOTHING for value in row[1])]


_NOTHING: Final = ("–", "")


def _count(point: ReportPoint, name: str) -> tuple[str, str]:
    value = point.figures.get(name)
    if value is None:
        return _NOTHING
    if value.low is None or value.high is None:
        return count_text(value.mean), ""
    return count_text(value.mean), f"{count_text(value.low)} to {count_text(value.high)}"


def _share(point: ReportPoint, name: str) -> tuple[str, str]:
    value = point.ratios.get(name)
    if value is None or value.ratio is None:
        return _NOTHING
    if value.low is None or value.high is None:
        return _percent(value.ratio), ""
    return _percent(value.ratio), f"{_percent(max(value.low, 0.0))} to {_percent(value.high)}"


def _percent(value: float) -> str:
    return spaced(f"{value:.1%}")
