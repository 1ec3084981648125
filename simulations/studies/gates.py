"""Whom an automatic rule would keep out after a crowd, and how often it would be wrong.

Each person with the app is taken as the case in turn, and the authority's own code makes the list.
Under the policy "strict-2020" everybody who is listed as a close contact loses the passes for
some days. Under "advice" only the case does. The truth says how many of those kept out met the
case for the policy's minutes, and how many were infected.

Nobody is infected in a crowd, so infection is a chance: the longer two people are near, the greater
it is. Ferretti and others 2023 (Nature, doi 10.1038/s41586-023-06952-2) found 1.1 % for each hour,
at first in proportion; here it is 1 - exp(-0.011 hours). What an infected person kept out would
have passed on is for the city to say, see ``simulations.city.gates``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.one_run import run
from simulations.scores.intervals import (
    Measured,
    NoInterval,
    flat,
    mean_of_seeds,
    rate_of_groups,
    share_of_groups,
)
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.scenario import ScenarioText, scenario_text
from simulations.studies.executors import run_all
from simulations.studies.gate_policies import POLICIES, entropy_bits
from tracetogether.units import Floats

RISK_PER_HOUR: Final = 0.011
"""Chance of an infection for each hour near a case (Ferretti and others 2023)."""
CHANCES: Final = (0.9,)
"""Chances of a contact from which on a list restricts, beside the one of the policy."""
_MINUTES_PER_HOUR: Final = 60.0


@dataclass(frozen=True, slots=True)
class KeptOutPlan:
    """One crowd to play.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's.
        seed: of all random draws.
        chances: chances of a contact from which on a list restricts.
        risk_per_hour: chance of an infection for each hour near a case.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    seed: int
    chances: tuple[float, ...]
    risk_per_hour: float


@dataclass(frozen=True, slots=True)
class KeptOutCounts:
    """Whom a rule keeps out in one crowd, added up over all its cases.

    Attributes:
        cases: people with the app, each taken as the case once.
        contacts: people whom it keeps out, each once for each case.
        no_contact: those of them who did not meet the case for the policy's minutes.
        infected: how many of them were infected, expected.
        infected_all: how many people were infected by the cases, expected, kept out or not.
        comers: people of the crowd, once for each case.
        bits: what a gate learns about the health of the comers, added up over cases.
    """

    cases: float
    contacts: float
    no_contact: float
    infected: float
    infected_all: float
    comers: float
    bits: float


@dataclass(frozen=True, slots=True)
class KeptOutRow:
    """One line of the table: whom a policy keeps out after the crowds of a scenario.

    Attributes:
        scenario: its name.
        policy: among ``POLICIES``.
        least_chance: chance of a contact from which on the list restricts; None for "advice".
        crowds: number of runs.
        figures: name -> figure with its central 90 % by crowds, None where there is nobody.
            ``kept_out`` contacts per case; ``no_contact`` and ``not_infected``, shares of them;
            ``wrong_days``, person-days per case of those not infected; ``infected_kept_out``, share
            of all whom the case infected; ``bits``, what a gate learns of each who comes.
    """

    scenario: str
    policy: str
    least_chance: float | None
    crowds: int
    figures: Mapping[str, Measured | None]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them; None where one does not apply."""
        row: dict[str, object] = {
            "scenario": self.scenario,
            "policy": self.policy,
            "least_chance": self.least_chance,
            "crowds": self.crowds,
        }
        for name, figure in self.figures.items():
            row |= flat(name, figure)
        return row


def study_gates(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    *,
    settings: Mapping[str, str],
    chances: Sequence[float] = CHANCES,
    risk_per_hour: float = RISK_PER_HOUR,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[KeptOutRow]:
    """Play every scenario with every seed, and say whom each policy would keep out.

    Args:
        scenarios: names or files.
        seeds: of the crowds; the same for every scenario.
        settings: keys set in place of the scenarios'.
        chances: chances of a contact from which on a list restricts, beside the scenario's own.
        risk_per_hour: chance of an infection for each hour near a case.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (crowds done, crowds in all).

    Raises:
        ScenarioError: there is no such scenario or key.
    """
    texts = {name: scenario_text(name) for name in dict.fromkeys(scenarios)}
    plans = []
    for text in texts.values():
        own = text.read(settings).policy.policy().least_chance  # fails before the work
        asked = tuple(sorted({own, *chances}))
        chosen = tuple(sorted(settings.items()))
        plans += [KeptOutPlan(text, chosen, seed, asked, risk_per_hour) for seed in seeds]
    found = run_all(kept_out_of, plans, workers, on_progress)
    rows = []
    for text in texts.values():
        of = [row for plan, row in zip(plans, found, strict=True) if plan.scenario == text]
        rows += [
            _row(text.name, policy, least, [crowd[least] for crowd in of])
            for policy, rule in POLICIES.items()
            for least in of[0]
            if (least is None) == (rule.contact_days == 0)
        ]
    return rows


def kept_out_of(plan: KeptOutPlan) -> dict[float | None, KeptOutCounts]:
    """Play a crowd, and count whom a list keeps out, by the chance from which on it restricts.

    Returns:
        None -> the counts if no contact is kept out, and each chance -> its counts.
    """
    scenario = plan.scenario.read(dict(plan.settings))
    return count_kept_out(
        score_run(run(scenario, seed=plan.seed, fidelity="vectorized")),
        plan.chances,
        plan.risk_per_hour,
    )


def count_kept_out(
    scored: ScoredRun, chances: Sequence[float], risk_per_hour: float = RISK_PER_HOUR
) -> dict[float | None, KeptOutCounts]:
    """Count whom the lists of a scored run keep out; see ``kept_out_of``."""
    lines, truth = scored.scores.lines, scored.truth
    cases, people = lines.run.app, lines.run.tracks.people
    infected = _risk(lines.true_minutes, risk_per_hour)
    first, second = truth.pairs_of(0.0)
    risks = _risk(truth.minutes, risk_per_hour)
    everybody = sum(float(risks[np.isin(side, cases)].sum()) for side in (first, second))
    found: dict[float | None, KeptOutCounts] = {}
    for least in (None, *chances):
        kept = np.zeros(len(infected), bool) if least is None else lines.chance >= least
        of_case = np.bincount(lines.listing.case[kept], minlength=people)[cases]
        refused = (of_case + 1.0) / people  # the case has no pass either
        found[least] = KeptOutCounts(
            cases=float(len(cases)),
            contacts=float(kept.sum()),
            no_contact=float((kept & ~lines.true_contact).sum()),
            infected=float(infected[kept].sum()),
            infected_all=everybody,
            comers=float(len(cases) * people),
            bits=float(entropy_bits(refused).sum() * people),
        )
    return found


def _risk(minutes: Floats, risk_per_hour: float) -> Floats:
    return np.asarray(-np.expm1(-risk_per_hour * minutes / _MINUTES_PER_HOUR))


def _row(
    scenario: str, policy: str, least: float | None, crowds: Sequence[KeptOutCounts]
) -> KeptOutRow:
    def column(name: str) -> Floats:
        return np.array([getattr(crowd, name) for crowd in crowds])

    contacts, cases = column("contacts"), column("cases")
    healthy = contacts - column("infected")
    figures: dict[str, Measured | None] = {
        "kept_out": rate_of_groups(contacts, cases),
        "no_contact": share_of_groups(column("no_contact"), contacts),
        "not_infected": share_of_groups(healthy, contacts),
        "wrong_days": rate_of_groups(healthy * POLICIES[policy].contact_days, cases),
        "infected_kept_out": share_of_groups(column("infected"), column("infected_all")),
    }
    if least is None:  # by the rule, not by measurement
        nobody = dict.fromkeys(("kept_out", "wrong_days", "infected_kept_out"), NoInterval(0.0))
        figures |= nobody
    figures["bits"] = mean_of_seeds(column("bits") / np.maximum(column("comers"), 1.0))
    return KeptOutRow(scenario, policy, least, len(crowds), figures)
