"""The words of a run's page: the headline, what it rests on, and how figures are written."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from simulations.pages.kept_run import KeptRun
from simulations.phones.protocols import PROTOCOLS, radio_of
from tracetogether.plain_text import counted

SYSTEMS: Final = {"android": "Android", "ios": "iPhone"}
PLACES: Final = {
    "hand": "hand",
    "front_pocket": "front pocket",
    "back_pocket": "back pocket",
    "bag": "bag",
}
_LISTS: Final = {
    "case": "the list made of the case's log is",
    "contact": "what the other phones find in their logs is",
}
LOST: Final = {
    "connections_failed": "connections that failed",
    "links_lost": "links that were lost",
    "fetches_failed": "fetches of TempIDs that failed",
}
"""What phones lost, in words; other names are reasons of rejected records."""


def percent_text(share: float) -> str:
    """Return a share in per cent, with a decimal below 1 %.

    >>> percent_text(0.4012), percent_text(0.0042), percent_text(0.0)
    ('40 %', '0.4 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.0095 else f"{100 * share:.0f} %"


def bounds_text(low: float | None, high: float | None) -> str:
    """Return an interval of shares in words; "" if there is none."""
    if low is None or high is None:
        return ""
    return f"{percent_text(low).removesuffix(' %')} to {percent_text(high)}"


def policy_text(run: KeptRun) -> str:
    """Return what a contact is: "within 2 m for 15 min"."""
    return f"within {run.within_m:g} m for {run.least_minutes:g} min"


def headline(run: KeptRun) -> str:
    """Return the answer of a run in one sentence."""
    found, missed, wrong = _counts(run)
    listed = f"{wrong:,} listed wrongly" if wrong else "nobody listed wrongly"
    if not len(run.app):
        return f"Nobody has the app, so none of {_all(run)} {policy_text(run)} could be found"
    if not found + missed:
        return f"No two people with the app met {policy_text(run)}; {listed}"
    share = percent_text(found / (found + missed))
    return f"Found {found:,} of {_contacts(found + missed)} ({share}) {policy_text(run)}; {listed}"


def about(run: KeptRun) -> str:
    """Return who was simulated, where and for how long."""
    manifest = run.manifest
    people = f"{manifest['people']:,} {'person' if manifest['people'] == 1 else 'people'}"
    return (
        f"{manifest['scenario']}, seed {manifest['seed']}: {people}, {manifest['with_app']:,} with "
        f"the app, {counted(run.duration_s / 60, 'minutes')}"
    )


def lead(run: KeptRun) -> list[str]:
    """Return the sentences below the headline."""
    scores = run.scores
    found, missed, wrong = _counts(run)
    said = []
    if found + missed and scores.get("tif_low") is not None:
        said.append(
            f"The share found is {percent_text(scores['tif'])}, with a 90 % interval from "
            f"{bounds_text(scores['tif_low'], scores['tif_high'])} over the people of this one "
            "run. A sweep over seeds shows how runs differ."
        )
    elif found + missed:
        said.append("The share has no interval: all these contacts are of one person.")
    if wrong and scores.get("falsely_listed") is not None:
        bounds = bounds_text(scores.get("falsely_listed_low"), scores.get("falsely_listed_high"))
        interval = f" (90 % interval {bounds})" if bounds else ""
        said.append(
            f"Of {found + wrong:,} people listed as close contacts, "
            f"{percent_text(scores['falsely_listed'])}{interval} were none."
        )
    number = int(scores["cases"])
    if number:
        who = "Everybody with the app" if number == len(run.app) else f"Each of {number:,} people"
        said.append(
            f"{who} is the index case once, and {_LISTS[judged_by(run)]} compared with where "
            "people were. So a pair counts twice, once from each side. A wall between two people "
            "means no contact."
        )
    return said


def protocol_text(run: KeptRun) -> str:
    """Return the name of the protocol that the phones spoke."""
    return PROTOCOLS["bluetrace" if run.scenario is None else run.scenario.phones.protocol].title


def judged_by(run: KeptRun) -> str:
    """Return whose log tells who was near a case: "case" or "contact"."""
    return str(run.scores.get("judged_by", "case"))


def two_protocols(runs: Sequence[KeptRun]) -> list[str]:
    """Return what two runs of one crowd under two protocols have in common, and what differs.

    Returns:
        Sentences; none if both speak one protocol, or if the crowds are not the same.
    """
    first, second = runs
    names = [protocol_text(run) for run in runs]
    if names[0] == names[1] or None in (first.scenario, second.scenario) or not _one_crowd(runs):
        return []
    radios = [radio_of(run.scenario.phones) for run in runs if run.scenario is not None]
    crowd = "The people, their ways and their models of phones are the same."
    said = [f"One crowd under two protocols: {names[0]} in A, {names[1]} in B. {crowd}"]
    if radios[0] is radios[1]:
        said.append(f"Both use the same radio ({radios[0].name}): tokens and matching differ.")
    else:
        said.append(
            f"Their radios differ as well: {radios[0].name} in A, {radios[1].name} in B. With "
            "phones.radio = same in both, what is found differs by tokens and matching alone."
        )
    if judged_by(first) != judged_by(second):
        said.append(
            f"In A the log of the {judged_by(first)} says who was near, in B that of the "
            f"{judged_by(second)}."
        )
    return said


def _one_crowd(runs: Sequence[KeptRun]) -> bool:
    """Return whether two runs have the same people at the same places, with the same apps."""
    first, second = runs
    return (
        first.people == second.people
        and np.array_equal(first.tracks.xy, second.tracks.xy, equal_nan=True)
        and np.array_equal(first.app, second.app)
    )


def flow_text(run: KeptRun) -> str:
    """Return what the bar of all contacts shows."""
    scores = run.scores
    share, low, high = (scores.get(f"found_of_all{part}") for part in ("", "_low", "_high"))
    if share is None:
        return f"Nobody met anybody {policy_text(run)}."
    bounds = bounds_text(low, high)
    interval = f" (90 % interval {bounds})" if bounds else ""
    return (
        f"With everybody counted, with the app or without, there were {_all(run)} "
        f"{policy_text(run)}. The lists hold {percent_text(share)} of them{interval}."
    )


def compared_headline(runs: list[KeptRun], letters: list[str]) -> str:
    """Return the answer of two runs in one sentence."""
    parts = []
    for letter, run in zip(letters, runs, strict=True):
        found, missed, wrong = _counts(run)
        if found + missed:
            share = percent_text(found / (found + missed))
            parts.append(
                f"{letter} found {found:,} of {_contacts(found + missed)} ({share}) and listed "
                f"{wrong:,} people wrongly"
            )
        else:
            parts.append(f"{letter} had no contact to find and listed {wrong:,} people wrongly")
    return "; ".join(parts)


def person_text(run: KeptRun, person: int) -> str:
    """Return what a person is called: its number, and the group if there is one."""
    if person < 0:
        return "unknown"
    group = run.groups[person]
    return f"{person} ({group})" if group else str(person)


def system_pair_text(name: str) -> str:
    """Return a pair of systems in words: "Android hears iPhone"."""
    observer, _, peer = name.partition("-")
    return f"{SYSTEMS.get(observer, observer)} hears {SYSTEMS.get(peer, peer)}"


def setting_text(value: Any) -> str:  # noqa: ANN401 - any value of a scenario
    """Return a value of a scenario as one line of text."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _counts(run: KeptRun) -> tuple[int, int, int]:
    scores = run.scores
    return int(scores["found"]), int(scores["missed"]), int(scores["false_contacts"])


def _contacts(number: int) -> str:
    return f"{number:,} {'contact' if number == 1 else 'contacts'}"


def _all(run: KeptRun) -> str:
    return _contacts(int(run.scores.get("all_contacts", 0)))
