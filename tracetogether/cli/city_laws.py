"""`tracetogether city laws`: the law of adoption, and three publications beside a city."""

import os
from collections.abc import Sequence
from typing import Any

import click

from simulations.city.adoption_law import FOLLOWED, SEEDS, LawFit, fits, law_points, point_json
from simulations.city.detection import detection_table
from simulations.city.published_studies import StudyLine, compare_study
from simulations.city.seed_means import SeedMean
from simulations.city.study_settings import STUDIES
from tracetogether.cli.console import answer, fixed, progress, right, table
from tracetogether.cli.options import as_json, number_option

_LAW = "adoption"
_RADIOS = ("bluetrace", "gaen")  # what phones run in the law and in the publications
_PARTS = (_LAW, *(study.name.split()[0].lower() for study in STUDIES))


@click.command("laws")
@click.option(
    "--part",
    "chosen",
    multiple=True,
    type=click.Choice(_PARTS),
    help="The law of adoption, or a publication. Repeatable.  [default: all]",
)
@number_option("--seeds", f"Runs of each adoption.  [default: {SEEDS}, or those of the study]")
@number_option("--people", "People of a publication's city, not 30,000.", least=50)
@number_option("--workers", "Number of processes.  [default: one for each processor]")
@as_json
def compare_laws(
    chosen: tuple[str, ...],
    seeds: int | None,
    people: int | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    """Compare what the app does in a city with the law of adoption and with publications.

    The share of transmissions that the app traces must go with the square of adoption. It is
    measured at eight adoptions, each with seeds of its own, and tested by chi-square. Cities with
    the settings of Hinch et al. 2020, Abueg et al. 2021 and Wymant et al. 2021 show ours beside
    theirs. Settings were written down before the first run, and nothing is fitted. The exit code is
    1 if the law of adoption does not hold; publications may disagree.
    """
    processes = workers or os.cpu_count() or 1
    found: dict[str, Any] = {
        "detection_tables": {name: detection_table(name).digest for name in _RADIOS}
    }
    shown: list[Any] = []
    holds = True
    if not chosen or _LAW in chosen:
        for name, settings in (("ignored", {}), ("followed", FOLLOWED)):
            with progress(f"Running cities, advice {name}") as advance:
                points = law_points(
                    dict(settings), seeds=seeds or SEEDS, workers=processes, on_done=advance
                )
            both, traced = fits(points)
            rows = [point_json(point) for point in points]
            found[f"advice_{name}"] = {
                "points": rows,
                "both": fit_json(both),
                "traced": fit_json(traced),
            }
            shown += [f"Advice of the app is {name}", *_law(rows, both, traced)]
            holds = holds and (name == "followed" or min(both.p, traced.p) >= _LEAST_P)
    lines: list[StudyLine] = []
    for study, part in zip(STUDIES, _PARTS[1:], strict=True):
        if not chosen or part in chosen:
            with progress(study.name) as advance:
                lines += compare_study(
                    study, seeds=seeds, people=people, workers=processes, on_done=advance
                )
    if lines:
        found["studies"] = [line.to_json() for line in lines]
        shown.append(_studies(lines))
    answer(found, *shown, as_json=as_json)
    if not holds:
        raise click.exceptions.Exit(1)


_LEAST_P = 0.001


def fit_json(fit: LawFit) -> dict[str, float]:
    """Return the figures of a fit by name."""
    return {name: getattr(fit, name) for name in LawFit.__slots__}


def _law(rows: Sequence[dict[str, Any]], both: LawFit, traced: LawFit) -> list[Any]:
    return [
        table(
            rows,
            (right("adoption"), lambda row: f"{row['adoption']:g}"),
            (right("transmissions"), lambda row: f"{row['transmissions']:,}"),
            (right("both have it (90 %)"), lambda row: _percent(row, "both")),
            (right("of the law"), lambda row: _of_law(row, "both", both)),
            (right("traced (90 %)"), lambda row: _percent(row, "traced")),
            (right("of the law"), lambda row: _of_law(row, "traced", traced)),
        ),
        *(
            f"{name}: share = {fit.constant:.4f} u², p {fit.p:.2g}; exponent {fit.exponent:.3f} "
            f"(95 %: {fit.exponent_low:.3f} to {fit.exponent_high:.3f}); a departure of "
            f"{fit.admitted:.0%} at one adoption is not excluded"
            for name, fit in (("Both", both), ("Traced", traced))
        ),
    ]


def _percent(row: dict[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    bounds = "no interval" if low is None else f"{100 * low:.2f} - {100 * high:.2f}"
    return f"{100 * row[name]:.2f} % ({bounds})"


def _of_law(row: dict[str, Any], name: str, fit: LawFit) -> str:
    return f"{row[name] / (fit.constant * row['adoption'] ** 2):.2f}"


def _studies(lines: Sequence[StudyLine]) -> Any:  # noqa: ANN401 - a table of rich
    return table(
        lines,
        (fixed("study"), lambda line: line.study),
        ("result", lambda line: line.result.name),
        ("published", lambda line: line.result.figure),
        (fixed("app finds"), lambda line: line.finds),
        (right("ours (90 %)"), lambda line: _mean(line.ours)),
        ("agrees", lambda line: "yes" if line.agrees else "no"),
    )


def _mean(value: SeedMean) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.3f} (no interval)"
    return f"{value.mean:.3f} ({value.low:.3f} - {value.high:.3f})"
