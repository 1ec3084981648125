"""The page of one kept run, or of two side by side: one HTML file without network.

Everything on it is there without JavaScript. The script replays the crowd and shows other cases.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from simulations.pages.adoption_curve import adoption_curve, sweep_text
from simulations.pages.kept_run import KeptRun, read_kept_run
from simulations.pages.outcome_charts import (
    adoption_chart,
    device_mark,
    flow_bar,
    link_mark,
    outcome_chart,
    outcome_mark,
    person_mark,
)
from simulations.pages.outcomes import KINDS, WORDS, ContactOutcome, OutcomeColumns, outcomes_of
from simulations.pages.page_parts import page_environment, style_and_script
from simulations.pages.plan_drawing import (
    LINKED,
    CaseMoment,
    case_verdicts,
    drawn_plan,
    moment_of,
    plan_scale,
)
from simulations.pages.replay_data import replay_json
from simulations.pages.report_tables import (
    FIRST_ROWS,
    battery_rows,
    carry_rows,
    case_rows,
    distance_rows,
    flow_parts,
    list_rows,
    lost_rows,
    place_rows,
    settings_of,
    share_cell,
    stay_rows,
    system_rows,
    trust_rows,
)
from simulations.pages.report_words import (
    about,
    compared_headline,
    flow_text,
    headline,
    lead,
    percent_text,
    person_text,
    policy_text,
    two_protocols,
)
from tracetogether.units import SECONDS_PER_MINUTE
from tracetogether.version import __version__
from tracetogether.whole_file import write_whole

_LETTERS: Final = "AB"
_PACKAGE: Final = "simulations.pages"
_DIGEST_SHOWN: Final = 16
_MOST_IN_NAME: Final = 2
_SECTIONS: Final = {
    "lost-where": "Where contacts were lost",
    "place": "The place, and one index case",
    "likely": "How likely, against what happened",
    "by-what": "By phone, pocket and place",
    "adoption": "By how many people have the app",
    "cases": "Each index case",
    "basis": "What this rests on",
}
_SECTIONS_WITHOUT_SWEEP: Final = {
    name: words for name, words in _SECTIONS.items() if name != "adoption"
}
_IN_CHART: Final = (
    ContactOutcome.FOUND,
    ContactOutcome.TOO_LOW,
    ContactOutcome.NOT_HEARD,
    ContactOutcome.NO_APP,
    ContactOutcome.WRONG,
    ContactOutcome.LEFT_OUT,
)


def save_page(
    folder: Path, path: Path, *, other: Path | None = None, sweep: Path | None = None
) -> None:
    """Write the page of the run in ``folder``.

    Args:
        folder: of the run.
        path: the page.
        other: folder of a second run, shown beside the first.
        sweep: folder of a sweep over adoption, whose curve is shown.

    Raises:
        StoreError: a folder holds no complete run, ``sweep`` is no finished sweep over adoption of
            the first run's scenario, or the page can't be written.
    """
    curve = None if sweep is None else adoption_curve(sweep)
    runs = [read_kept_run(place) for place in (folder, other) if place is not None]
    adoption = None
    if sweep is not None and curve is not None:
        words = sweep_text(sweep, folder, str(runs[0].manifest["scenario"]))
        said = "Share of all contacts in the other's log by adoption, beside its square"
        adoption = {"words": words, "picture": adoption_chart(curve, said), "rows": curve}
    write_whole(path, page_of(runs, adoption))


def page_of(runs: Sequence[KeptRun], adoption: dict[str, Any] | None = None) -> str:
    """Return the page of one run or two as HTML."""
    two = len(runs) > 1
    letters = list(_LETTERS[: len(runs)])
    outcomes = [outcomes_of(run) for run in runs]
    longest = max(float(lines.true_minutes.max(initial=0)) for lines in outcomes)
    shown = [_run(run, lines, longest) for run, lines in zip(runs, outcomes, strict=True)]
    compared = _compared(runs) if two else None
    if compared is not None:
        for place, run in enumerate(shown):
            run |= {"letter": letters[place], "key": letters[place].lower()}
            run["name"] += _told_apart(compared["differ"], place)
    names = dict.fromkeys(str(run.manifest["scenario"]) for run in runs)
    template = page_environment(_PACKAGE).get_template("report_page.html")
    return template.render(
        **style_and_script(_PACKAGE, "report_page.css", "report_page.js"),
        runs=shown,
        two=two,
        title=f"{' and '.join(names)}: {'two runs' if two else 'a simulated run'}",
        headline=compared_headline(list(runs), letters) if two else headline(runs[0]),
        compared=compared,
        adoption=adoption,
        sections=_SECTIONS if adoption else _SECTIONS_WITHOUT_SWEEP,
        words=WORDS,
        kinds=KINDS,
        first_rows=FIRST_ROWS,
        version=__version__,
        percent=percent_text,
    )


def _run(run: KeptRun, lines: OutcomeColumns, longest: float) -> dict[str, Any]:
    """Return everything that the template shows of a run; ``longest`` as in its chart."""
    moment, scale = moment_of(run, lines), plan_scale(run)
    manifest = run.manifest
    cases = case_rows(run, lines)
    chart = outcome_chart(run, lines, longest)
    flow = flow_parts(run, lines)
    return {
        "letter": "",
        "key": "run",
        "name": run.name,
        "about": about(run),
        "scenario": manifest["scenario"],
        "title": manifest["title"],
        "modelled_on": manifest.get("keys", {}).get("modelled_on", ""),
        "headline": headline(run),
        "lead": lead(run),
        "policy": policy_text(run),
        "within_m": run.within_m,
        "minutes": run.least_minutes,
        "least_chance": None if run.least_chance is None else percent_text(run.least_chance),
        "figures": _figures(run),
        "flow": {
            "bar": flow_bar([(part.outcome, part.count) for part in flow]) if flow else "",
            "parts": flow,
            "words": flow_text(run),
        },
        "case": None if moment is None else _case(run, lines, moment),
        "plan": drawn_plan(run, lines, moment, scale, f"{manifest['scenario']} from above"),
        "plan_keys": _keys(run, lines, moment),
        "cases": cases,
        "data": replay_json(run, lines, moment, scale),
        "duration_s": run.duration_s,
        "chart": chart,
        "has_chances": bool((lines.chance >= 0).any()),
        "chart_key": [
            (outcome_mark(kind), f"{WORDS[kind]}: {lines.count(kind):,}")
            for kind in _IN_CHART
            if lines.count(kind)
        ],
        "trust": trust_rows(lines),
        "carry": carry_rows(run, lines),
        "systems": system_rows(run),
        "distance": distance_rows(run),
        "places": place_rows(run, lines),
        "stays": stay_rows(run),
        "battery": battery_rows(run),
        "lost": lost_rows(run),
        "settings": settings_of(manifest),
        "seed": manifest["seed"],
        "digest": manifest["digest"],
        "digest_shown": str(manifest["digest"])[:_DIGEST_SHOWN],
        "version": manifest.get("versions", {}).get("tracetogether", "unknown"),
        "recorded_tracks": manifest.get("recorded_tracks"),
        "folder": run.folder.name,
    }


def _case(run: KeptRun, lines: OutcomeColumns, moment: CaseMoment) -> dict[str, Any]:
    verdicts = list(case_verdicts(lines, moment.case).values())
    counts = [(WORDS[kind], verdicts.count(kind)) for kind in ContactOutcome if kind in verdicts]
    words = "; ".join(f"{name} {number}" for name, number in counts)
    return {
        "person": moment.case,
        "name": person_text(run, moment.case),
        "minutes": moment.tick * run.tracks.tick_s / SECONDS_PER_MINUTE,
        "now_s": moment.tick * run.tracks.tick_s,
        "words": f"{words or 'no contact, nobody listed'}.",
        "rows": [
            {
                "name": "unknown" if row[0] is None else person_text(run, row[0]),
                "kind": KINDS[row[1]],
                "words": WORDS[row[1]],
                "cells": _line_cells(row),
            }
            for row in list_rows(lines, moment.case)
        ],
    }


def _line_cells(row: list[Any]) -> list[str]:
    """Return P, estimated minutes, estimated and true distance and true minutes as texts."""
    chance, low, middle, high, near, true_minutes, true_near = row[2:]
    return [
        "–" if chance is None else f"{100 * chance:.0f} %",
        "–" if middle is None else f"{middle:.0f} ({low:.0f} to {high:.0f})",
        "–" if near is None else f"{near:.1f}",
        "–" if true_minutes is None else f"{true_minutes:.0f}",
        "–" if true_near is None else f"{true_near:.1f}",
    ]


def _keys(
    run: KeptRun, lines: OutcomeColumns, moment: CaseMoment | None
) -> list[tuple[Markup, str]]:
    """Return the marks of the plan and what they mean, of those that occur."""
    keys = [(person_mark("app"), "has the app")]
    if len(run.app) < run.people:
        keys.append((person_mark(""), "has no app"))
    if run.scenario is not None and run.scenario.places:
        keys.append((device_mark(), "device of a place"))
    if moment is None:
        return keys[len(run.app) == 0 :]
    keys.insert(0, (person_mark("app case"), "index case"))
    keys.append((person_mark("app left"), "has left, or is not there yet: nearest known place"))
    return keys + [(link_mark(kind), WORDS[kind]) for kind in reversed(LINKED) if lines.count(kind)]


def _figures(run: KeptRun) -> list[tuple[str, str, str]]:
    """Return name, value and what stands below it, of each figure on top."""
    scores = run.scores
    found = []
    for name, key, under in (
        (
            "contacts found, both with the app",
            "tif",
            f"{scores['found']:,} of {scores['found'] + scores['missed']:,}",
        ),
        (
            "contacts found, app or not",
            "found_of_all",
            f"{scores['found']:,} of {scores.get('all_contacts', 0):,}",
        ),
        (
            "listed, but no contact",
            "falsely_listed",
            f"{scores['false_contacts']:,} of {scores['found'] + scores['false_contacts']:,}",
        ),
    ):
        cell = share_cell(
            scores.get(key), scores.get(f"{key}_low"), scores.get(f"{key}_high"), under
        )
        value, _, bounds = cell.words.partition(" (")
        bounds = bounds.removesuffix(")")
        found.append((name, value, f"{under}; 90 %: {bounds}" if bounds else under))
    if scores.get("minutes_mae") is not None:
        found.append(
            (
                "mean error of minutes near",
                f"{scores['minutes_mae']:.1f} min",
                f"one guess for all: {scores['minutes_mae_constant']:.1f} min",
            )
        )
    if scores.get("coverage") is not None:
        found.append(
            (
                "true minutes inside the 90 % interval",
                percent_text(scores["coverage"]),
                "should be 90 %; above it, intervals are too wide",
            )
        )
    return found


def _compared(runs: Sequence[KeptRun]) -> dict[str, Any]:
    """Return the figures of two runs side by side, and the settings that differ."""
    figures = [_figures(run) for run in runs]
    names = list(dict.fromkeys(name for part in figures for name, _, _ in part))
    rows = []
    for name in names:
        cells = []
        for part in figures:
            (cell,) = [row[1:] for row in part if row[0] == name] or [("–", "")]
            cells.append(cell)
        rows.append((name, cells))
    every = [settings_of(run.manifest) for run in runs]
    keys = list(dict.fromkeys(key for part in every for key in part))
    differ = [
        (key, [part.get(key, "–") for part in every])
        for key in keys
        if len({part.get(key) for part in every}) > 1
    ]
    same_seed = len({run.manifest["seed"] for run in runs}) == 1
    return {
        "rows": rows,
        "differ": differ,
        "same_seed": same_seed,
        "protocols": two_protocols(runs),
    }


def _told_apart(differ: list[tuple[str, list[str]]], place: int) -> str:
    """Return the settings that tell a run from the other, if they are few: ", app = 0.4"."""
    if len(differ) > _MOST_IN_NAME:
        return ""
    return "".join(f", {key} = {values[place]}" for key, values in differ)
