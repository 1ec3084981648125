"""One crowd under every protocol: what each finds, costs and gives away.

Protocols whose phones hear the same packets share one play of the radio. Their tokens are made,
logged and matched by each protocol's own code, so that the logs are those of a run of its own.

Figures over seeds have intervals over seeds, as people of one run share a room and its radio. What
a protocol finds is also compared with BlueTrace, seed by seed: the mean difference with Student's
central 90 %.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from simulations.attacks.rows import AttackRow
from simulations.attacks.summary import rows_of
from simulations.one_run import Run, run, spoken_in
from simulations.phones.protocols import PROTOCOLS, hear_the_same, radio_of
from simulations.scores.cost import Cost, Use, cost_of
from simulations.scores.intervals import (
    Measured,
    flat,
    mean_of_seeds,
    rate_of_groups,
    share_of_groups,
)
from simulations.scores.scoring import Scores, score_run
from simulations.scores.truth import GroundTruth, ground_truth
from simulations.settings.scenario import Scenario
from tracetogether.units import Floats

REFERENCE: Final = "bluetrace"


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One protocol in a crowd, over s seeds.

    Attributes:
        protocol: its name.
        radio: name of the radio that its phones have.
        judged_by: whose log tells who was near: "case" or "contact".
        digests: of the s runs.
        found, true, false, cases: (s,) contacts found, all contacts with the app, people listed
            wrongly, and index cases.
        beside: (s,) share found minus BlueTrace's in the same run; NaN without contacts.
        cost: bytes, processor and battery.
        attacks: what attacks on it yield, by metric.
    """

    protocol: str
    radio: str
    judged_by: str
    digests: tuple[str, ...]
    found: Floats
    true: Floats
    false: Floats
    cases: Floats
    beside: Floats
    cost: Cost
    attacks: Mapping[str, AttackRow]

    @property
    def tif(self) -> Measured | None:
        """Share found of true contacts who both have the app; None if there are none."""
        return share_of_groups(self.found, self.true)

    @property
    def false_per_case(self) -> Measured | None:
        """People listed wrongly for each index case."""
        return rate_of_groups(self.false, self.cases)

    @property
    def beside_reference(self) -> Measured | None:
        """Mean difference of the share found to BlueTrace; None without contacts."""
        known = self.beside[~np.isnan(self.beside)]
        return mean_of_seeds(known) if len(known) else None

    def to_json(self) -> dict[str, Any]:
        """Return the row for a file."""
        return {
            "protocol": self.protocol,
            "radio": self.radio,
            "judged_by": self.judged_by,
            "seeds": len(self.digests),
            "found": int(self.found.sum()),
            "true_contacts": int(self.true.sum()),
            **flat("tif", self.tif),
            **flat("tif_beside_bluetrace", self.beside_reference),
            "false_contacts": int(self.false.sum()),
            **flat("false_per_case", self.false_per_case),
            **self.cost.to_json(),
            **{name: row.value for name, row in self.attacks.items()},
            "attacks": [row.to_json() for row in self.attacks.values()],
            "digests": list(self.digests),
        }


def compare_protocols(
    scenario: Scenario,
    *,
    seeds: Sequence[int],
    radio: str = "own",
    names: Sequence[str] = tuple(PROTOCOLS),
    use: Use | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ProtocolRow]:
    """Play a crowd under each protocol.

    Args:
        scenario: the crowd.
        seeds: of the runs.
        radio: "own" for each protocol's radio as deployed, "same" for BlueTrace's.
        names: the protocols.
        use: how costs are counted; by default as ``Use`` has it.
        on_progress: called with the number of runs done and of all, a run under each protocol.
    """
    scored: dict[tuple[str, int], tuple[str, Scores]] = {}
    wanted = list(dict.fromkeys([REFERENCE, *names]))
    for seed in seeds:
        for name, played, truth in _played(scenario, seed, radio, wanted):
            scored[name, seed] = played.digest, score_run(played, truth=truth).scores
            if on_progress is not None:
                on_progress(len(scored), len(wanted) * len(seeds))
    return [_row(name, scenario, radio, seeds, scored, use) for name in names]


def _played(
    scenario: Scenario, seed: int, radio: str, names: Sequence[str]
) -> Sequence[tuple[str, Run, GroundTruth]]:
    """Return a run and the truth for each protocol; BlueTrace is the first of ``names``."""
    heard: list[Run] = []
    found: list[tuple[str, Run, GroundTruth]] = []
    truth: GroundTruth | None = None
    for name in names:
        crowd = scenario.with_({"phones.protocol": name, "phones.radio": radio})
        played = next(
            (
                spoken_in(earlier, name)
                for earlier in heard
                if hear_the_same(earlier.scenario.phones, crowd.phones)
            ),
            None,
        )
        if played is None:
            tracks = heard[0].tracks if heard else None
            played = run(crowd, seed=seed, fidelity="vectorized", tracks=tracks)
            heard.append(played)
        if truth is None:
            within_m = scenario.policy.within_m
            truth = ground_truth(played.tracks, within_m, walls=played.venue.walls)
        found.append((name, played, truth))
    return found


def _row(
    name: str,
    scenario: Scenario,
    radio: str,
    seeds: Sequence[int],
    scored: Mapping[tuple[str, int], tuple[str, Scores]],
    use: Use | None,
) -> ProtocolRow:
    digests, scores = zip(*(scored[name, seed] for seed in seeds), strict=True)
    found, missed, false = (
        np.array([getattr(each, kind) for each in scores], dtype=np.float64)
        for kind in ("found", "missed", "false_contacts")
    )
    reference = [scored[REFERENCE, seed][1] for seed in seeds]
    theirs = np.array([each.found for each in reference], dtype=np.float64)
    true = found + missed
    share = np.divide(found - theirs, true, out=np.full(len(true), np.nan), where=true > 0)
    keys = scenario.with_({"phones.protocol": name, "phones.radio": radio}).phones
    return ProtocolRow(
        protocol=name,
        radio=radio_of(keys).name,
        judged_by=PROTOCOLS[name].judged_by,
        digests=digests,
        found=found,
        true=true,
        false=false,
        cases=np.array([len(each.cases) for each in scores], dtype=np.float64),
        beside=share,
        cost=cost_of(name, use),
        attacks={row.metric: row for row in rows_of(name)},
    )
