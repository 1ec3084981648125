"""What later scans of known addresses bring, and what they cost: the same crowds with and without.

    python docs/explanation/write_later_scans.py

Both ways have the same random draws, so the crowds, receptions and connections are equal. What
differs is what phones record (and, where they wait longer, how often they connect).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.one_run import Run, run
from simulations.scores.breakdown import battery_by_system
from simulations.scores.intervals import Measured
from simulations.settings.scenario import load_scenario
from simulations.studies.heard_crowds import HeardCrowd
from simulations.studies.pair_answers import RULES_OF_ONE_LOG, PairAnswers
from simulations.studies.pair_measures import MEASURES, jackknifed, with_intervals
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import DEMO_POLICY, CloseContactPolicy
from tracetogether.proximity.encounters import DEFAULT_ESTIMATOR
from tracetogether.units import SECONDS_PER_HOUR, Floats

WAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "exchanges alone": {},
    "and later scans": {"later_scans": "true"},
    "and later scans, connecting every 5 min": {"later_scans": "true", "reconnect_s": "300"},
}
"""What phones record -> settings."""


@dataclass(frozen=True, slots=True)
class LogCosts:
    """What one phone's log and radio take, on average over the phones with the app.

    Attributes:
        readings_per_pair: records that the authority accepts, per directed pair with a record.
        rejected: share of the records that it rejects.
        records_per_hour: in the log.
        bytes_per_hour: in the upload, before it is compressed.
        connections_per_hour: that it opens or answers.
        android_percent_per_hour: battery use of an Android; NaN if there is none.
    """

    readings_per_pair: float
    rejected: float
    records_per_hour: float
    bytes_per_hour: float
    connections_per_hour: float
    android_percent_per_hour: float

    @classmethod
    def of(cls, played: Run, heard: HeardCrowd) -> "LogCosts":
        """Return the costs of a run."""
        hours = played.scenario.duration_s / SECONDS_PER_HOUR * len(played.app)
        records = played.counts["records"]
        busiest = max(played.app.tolist(), key=lambda person: len(played.logs[person]))
        rows = played.logs[busiest].rows()
        links = played.counts.get("connections_tried", 0) + played.counts.get("served", 0)
        return cls(
            readings_per_pair=len(heard.time) / max(len(heard.pair), 1),
            rejected=1 - len(heard.time) / max(records, 1),
            records_per_hour=records / hours,
            bytes_per_hour=records / hours * len(write_upload(rows)) / max(len(rows), 1),
            connections_per_hour=links / hours,
            android_percent_per_hour=battery_by_system(played).get("android", np.nan),
        )


@dataclass(frozen=True, slots=True)
class WayFigures:
    """One way of recording in one scenario.

    Attributes:
        scenario, way: of what.
        crowds, pairs: how many.
        costs: field of LogCosts -> mean over the crowds.
        figures: name among MEASURES -> figure.
        change: the same -> this way less the first way, over the crowds played both ways.
    """

    scenario: str
    way: str
    crowds: int
    pairs: int
    costs: Mapping[str, float]
    figures: Mapping[str, Measured]
    change: Mapping[str, Measured]


def compare_ways(
    name: str,
    seeds: Sequence[int],
    *,
    settings: Mapping[str, str],
    ways: Mapping[str, Mapping[str, str]] = WAYS,
    policy: CloseContactPolicy = DEMO_POLICY,
) -> list[WayFigures]:
    """Play a scenario in all ways, and compare the answers of each phone's own log with the truth.

    Args:
        name: of the scenario.
        seeds: of the crowds.
        settings: keys set in place of the scenario's, in all ways.
        ways: name -> settings; the first is the one to compare with.
        policy: the radius and the minutes of a contact.

    Raises:
        ScenarioError: there is no such scenario or key.
    """
    rule = RULES_OF_ONE_LOG[DEFAULT_ESTIMATOR]
    rows: list[WayFigures] = []
    first: list[Mapping[str, float]] = []
    for way, chosen in ways.items():
        scenario = load_scenario(name, {**settings, **chosen})
        answers: list[PairAnswers] = []
        true: list[Floats] = []
        costs: list[LogCosts] = []
        for seed in seeds:
            played = run(scenario, seed=seed, fidelity="vectorized")
            heard = HeardCrowd.of(played, policy.within_m)
            answers.append(rule(heard, policy))
            true.append(heard.true_minutes)
            costs.append(LogCosts.of(played, heard))
        least = policy.minutes
        alone: list[Mapping[str, float]] = [
            {
                name: figure.median
                for name, figure in with_intervals([said], [minutes], least, others=None).items()
            }
            for said, minutes in zip(answers, true, strict=True)
        ]
        first = first or alone
        rows.append(
            WayFigures(
                scenario=name,
                way=way,
                crowds=len(seeds),
                pairs=sum(map(len, true)),
                costs={
                    column: float(np.mean([getattr(cost, column) for cost in costs]))
                    for column in LogCosts.__slots__
                },
                figures=with_intervals(answers, true, least, others=None),
                change={measure: _change(alone, first, measure) for measure in MEASURES},
            )
        )
    return rows


def _change(
    here: Sequence[Mapping[str, float]], first: Sequence[Mapping[str, float]], measure: str
) -> Measured:
    """Return the mean of the differences of single crowds, with its central 90 %."""
    less = np.array([mine[measure] - its[measure] for mine, its in zip(here, first, strict=True)])
    without = np.array([np.delete(less, place).mean() for place in range(len(less))])
    return jackknifed(float(less.mean()), without, share=False)
