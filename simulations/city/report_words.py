"""The words of a city's page: figures, what a point is called, and what follows from R."""

from typing import Final

from simulations.city.report_data import (
    ADOPTION,
    CityReport,
    ReportPoint,
    bounds_text,
    spaced,
)
from simulations.city.seed_means import SeedMean, SeedRatio
from simulations.city.sweep_points import LEAST_EARLY

COUNTED: Final = {
    "infections": "infections",
    "severe": "severe cases (need a hospital)",
    "deaths": "deaths",
    "isolation_days": "days at home of cases",
    "quarantine_days_infected": "days at home of contacts who were infected",
    "quarantine_days_not": "days at home of contacts who were not infected",
    "tests": "tests",
    "positives": "positive tests",
    "uploads": "contact logs uploaded",
    "warned": "people warned by the app",
    "warned_falsely": "of these, people without any contact",
    "infected_named_by_app": "infected people whom the app named",
    "infected_named_by_tracers": "infected people whom tracers named",
    "calls": "calls to cases and contacts",
    "learned_person_contacts": "pairs of a case and a contact that the authority learned",
    "cost": "money, by the scenario's prices",
}
"""Figures in the table of costs, in words."""
NO_R: Final = f"there are fewer than {LEAST_EARLY} early cases"
"""Why R of a point is not known, in words."""


def count_text(value: float) -> str:
    """Return a count with thousands separators."""
    return f"{value:,.0f}"


def percent_text(value: float) -> str:
    """Return a share in per cent."""
    return spaced(f"{value:.0%}")


def tenth_text(value: float) -> str:
    """Return a number with one decimal, or with none from ten."""
    return f"{value:,.1f}" if abs(value) < 9.95 else f"{value:,.0f}"


def ratio_text(value: float) -> str:
    """Return a ratio in two digits below 10, else as a count.

    >>> ratio_text(-0.00463), ratio_text(6.44), ratio_text(20.7)
    ('−0.0046', '6.4', '21')
    """
    shown = f"{value:,.0f}" if abs(value) >= 9.95 else f"{value:.2g}"
    return shown.replace("-", "\N{MINUS SIGN}")


def r_text(value: float) -> str:
    """Return R with two decimals."""
    return f"{value:.2f}"


def short_count(value: float) -> str:
    """Return a count in few characters, such as "2 M"."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if abs(value) >= 1e3 else f"{value:g}"


def with_bounds(value: SeedMean) -> str:
    """Return a mean with its interval."""
    if value.low is None or value.high is None:
        return count_text(value.mean)
    return f"{count_text(value.mean)} ({count_text(value.low)} to {count_text(value.high)})"


def point_name(report: CityReport, point: ReportPoint) -> str:
    """Return a point in words: the main key, then the others."""
    parts = (main_text(report, point), others_text(report, point))
    return ", ".join(part for part in parts if part) or "as it comes"


def main_text(report: CityReport, point: ReportPoint) -> str:
    """Return a point's value of the main key in words; "" without a main key."""
    if report.by_adoption:
        share = float(point.settings[ADOPTION])
        return f"{100 * share:.3g} % with the app" if share else "no app"
    return "" if report.main is None else f"{report.main} = {point.settings[report.main]}"


def others_text(report: CityReport, point: ReportPoint) -> str:
    """Return the values of all keys but the main one."""
    return ", ".join(
        f"{key} = {value}" for key, value in point.settings.items() if key != report.main
    )


def lead(report: CityReport) -> list[str]:
    """Return what follows the headline: is it enough, and what does it cost."""
    point = report.chosen
    said = [words for words in (is_enough(report),) if words]
    if point.averted is None:
        return said
    count, base = point.averted, report.baseline.figures["infections"]
    words = (
        f"It averts {count.mean:,.0f} of {base.mean:,.0f} infections in {report.days} days "
        f"({bounds_text(count.low, count.high, '{:,.0f}')})."
    )
    if count.low is not None and count.low <= 0 <= (count.high or 0):
        words += " The interval includes 0: this may be chance."
    false = point.per_averted.get("quarantine_days_not")
    if false and false.ratio is not None:
        words += (
            " For each infection averted, people who were not infected stay at home for "
            f"{tenth_text(false.ratio)} days more"
            f" ({bounds_text(false.low, false.high, '{:,.0f}')})."
        )
    return [*said, words]


def is_enough(report: CityReport) -> str:
    """Return whether the chosen point stops the epidemic; "" if its R is not known."""
    point, base = report.chosen, report.baseline
    if point.r.ratio is None or point is base:
        return ""
    against = main_text(report, base)
    if base.r.ratio is None:
        against = f". With {against} it is not known: {NO_R}"
    else:
        against = f", and {_r_text(base.r)} with {against}"
    return (
        f"Is it enough? {_verdict(point.r)}: an early case infects {_r_text(point.r)} others"
        f"{against}. Infections fall from the start only below 1. {report.threshold}"
    ).strip()


def _verdict(r: SeedRatio) -> str:
    """Return whether R is below 1, in a word."""
    low, high = r.low, r.high
    if low is None or high is None:
        return "One seed can't say"
    return "No" if low > 1 else "Yes" if high < 1 else "It is not clear"


def _r_text(value: SeedRatio) -> str:
    if value.ratio is None:
        return "not known"
    if value.low is None or value.high is None:
        return f"{value.ratio:.2f}"
    return f"{value.ratio:.2f} ({value.low:.2f} to {value.high:.2f})"


def basis(report: CityReport) -> list[str]:
    """Return what the page rests on, a sentence or two for each paragraph."""
    said = [
        " ".join(report.modelled_on.split()),
        (
            f"Each point is the mean of {report.chosen.seeds} runs with seeds 1 and up. All points "
            "have the same people, contacts and random numbers, and are compared seed by seed."
        ),
        (
            "Intervals are central 90 % intervals of means over seeds. They include the "
            "uncertainty of what the app finds, and not that of the scenario's assumptions."
        ),
        (
            f"What the app finds: table {report.detection}. It was computed by playing crowds with "
            "this library on every phone."
        ),
        f"Digest of all runs: {report.digest}.",
    ]
    return [words for words in said if words]
