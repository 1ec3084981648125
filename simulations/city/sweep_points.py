"""What all seeds of one setting say together: means, curves and R, each with its central 90 %."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from simulations.city.outbreak import dispersion, most_infectious_share
from simulations.city.seed_means import SeedMean, curve_means
from simulations.scores.intervals import Measured, rate_of_groups
from tracetogether.units import Floats, Ints

Findings = Mapping[str, Any]
"""What ``results.findings`` returns of a run."""

LEAST_EARLY: Final = 10
"""Early cases of all runs from which R is computed."""
NOT_AVERAGED: Final = ("seed", "people", "days", "r", "k", "cpu_s", "peak_mb")
"""Numbers of a run that have no mean over seeds here."""
_OF_PEOPLE: Final = (
    "infections",
    "severe",
    "deaths",
    "infected_named_by_app",
    "infected_named_by_tracers",
)  # figures that count each person once


def point_of(settings: Mapping[str, Any], rows: Sequence[Findings]) -> dict[str, Any]:
    """Return what the runs of one setting say together, for JSON.

    Args:
        settings: the values of the keys that were varied.
        rows: the findings of the runs, at least one.

    Returns:
        settings: as given.
        seeds: the seeds.
        figures: figure -> mean, low, high.
        r: R of early cases over all seeds: r, low, high; see ``outbreak``.
        k: dispersion of the offspring of all seeds together, with an interval between seeds.
        most_infectious_share: smallest share of cases who infected 80 % of all.
        offspring: number of cases who infected 0, 1, 2 and so on others, all seeds together.
        generations: a line for each generation: cases (all seeds), and r, low, high.
        by_layer: layer -> mean, low, high of infections.
        by_age: a line for each decade of age: from_age, people, and means.
        curves: column -> mean, low, high, (days,) each.
    """
    offspring = sum_of([np.array(row["offspring"], dtype=np.int64) for row in rows])
    return {
        "settings": dict(settings),
        "seeds": [row["seed"] for row in rows],
        "figures": {name: figure_mean(rows, name).to_json() for name in averaged(rows[0])},
        "r": early_r(rows),
        "k": _dispersion(rows, offspring),
        "most_infectious_share": most_infectious_share(offspring),
        "offspring": offspring.tolist(),
        "generations": _generations(rows),
        "by_layer": {
            layer: _mean([row["by_layer"] for row in rows], layer, most=rows[0]["people"])
            for layer in rows[0]["by_layer"]
        },
        "by_age": _by_age(rows),
        "curves": curves_of(rows),
    }


def curves_of(
    rows: Sequence[Findings], names: Iterable[str] | None = None
) -> dict[str, dict[str, list[Any]]]:
    """Return the (days,) columns with these names, or all, as mean, low and high over runs."""
    return {
        name: curve_means(np.array([row["curves"][name] for row in rows], dtype=np.float64))
        for name in names or rows[0]["curves"]
    }


def early_r(rows: Sequence[Findings]) -> dict[str, float | None]:
    """Return R of the early cases of some runs with its central 90 % between seeds.

    It is None with fewer than LEAST_EARLY early cases in all runs: they would say too little.
    """
    cases = np.array([row["early"]["cases"] for row in rows], dtype=np.float64)
    infected = np.array([row["early"]["infected"] for row in rows], dtype=np.float64)
    return _r_of(rate_of_groups(infected, cases) if cases.sum() >= LEAST_EARLY else None)


def r_text(r: Mapping[str, float | None]) -> str:
    """Return R with its interval, as sentences write it."""
    if r["r"] is None:
        return "not known"
    if r["low"] is None or r["high"] is None:
        return f"{r['r']:.2f}"
    return f"{r['r']:.2f} ({r['low']:.2f} to {r['high']:.2f})"


def averaged(row: Findings) -> list[str]:
    """Return the names of the figures of a run that have a mean over seeds."""
    return [
        name
        for name, value in row.items()
        if isinstance(value, int | float) and name not in NOT_AVERAGED
    ]


def figure_mean(rows: Sequence[Findings], name: str) -> SeedMean:
    """Return the mean of a figure of some runs of one setting.

    Its interval stays within what is possible: no more than all people are infected, for example.
    """
    row = rows[0]
    most = {
        "attack_rate": 1.0,
        "peak_day": row["days"] - 1.0,
        **dict.fromkeys(_OF_PEOPLE, float(row["people"])),
    }
    values = [float(row[name]) for row in rows]
    return SeedMean.of(values, least=0.0, most=most.get(name, np.inf))


def sum_of(columns: Sequence[Ints]) -> Ints:
    """Return the sum of columns of different lengths."""
    total = np.zeros(max(len(column) for column in columns), dtype=np.int64)
    for column in columns:
        total[: len(column)] += column
    return total


def _mean(rows: Sequence[Findings], name: str, *, most: float) -> dict[str, float | None]:
    return SeedMean.of([row[name] for row in rows], least=0.0, most=most).to_json()


def _r_of(value: Measured | None) -> dict[str, float | None]:
    if value is None:
        return {"r": None, "low": None, "high": None}
    return {"r": value.median, "low": value.low, "high": value.high}


def _dispersion(rows: Sequence[Findings], offspring: Ints) -> dict[str, float | None]:
    """Return k of all cases together; the interval is that of the logarithm of k over seeds."""
    logs = [float(np.log(row["k"])) for row in rows if row["k"]]
    spread = SeedMean.of(logs) if logs else SeedMean(0.0, None, None)
    bounds = {
        name: None if value is None else float(np.exp(value))
        for name, value in (("low", spread.low), ("high", spread.high))
    }
    return {"k": dispersion(offspring), **bounds}


def _generations(rows: Sequence[Findings]) -> list[dict[str, Any]]:
    number = max(len(row["generations"]["cases"]) for row in rows)
    cases, infected = (
        np.array([_filled(row["generations"][name], number) for row in rows])
        for name in ("cases", "infected")
    )
    return [
        {
            "generation": generation,
            "cases": int(cases[:, generation].sum()),
            **_r_of(rate_of_groups(infected[:, generation], cases[:, generation])),
        }
        for generation in range(number)
    ]


def _filled(numbers: Sequence[int], length: int) -> Floats:
    column = np.zeros(length)
    column[: len(numbers)] = numbers
    return column


def _by_age(rows: Sequence[Findings]) -> list[dict[str, Any]]:
    names = ("infections", "severe", "deaths")
    return [
        {"from_age": lines[0]["from_age"], "people": lines[0]["people"]}
        | {name: _mean(lines, name, most=max(line["people"] for line in lines)) for name in names}
        for lines in zip(*(row["by_age"] for row in rows), strict=True)
    ]
