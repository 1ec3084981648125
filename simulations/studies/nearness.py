"""How right minutes and P(contact) are in simulated crowds, scenario by scenario.

Each crowd is played, all logs are opened, every directed pair with a record is estimated, and the
answers are compared with the true positions. To run it:

    tracetogether simulate nearness --seeds 8 --workers 2 --keep crowds

``--keep`` keeps the played crowds (not the answers), so that a changed estimator is measured again
in seconds. Nothing is fitted on the scenario that is scored: what a baseline has to know, such
as a constant, comes from the other scenarios.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from simulations.scores.intervals import Measured
from simulations.settings.scenario import scenario_text
from simulations.studies.executors import executor_of
from simulations.studies.heard_crowds import CrowdPlan, play_crowd
from simulations.studies.pair_answers import (
    BOTH,
    LOGS,
    OWN,
    RULES_OF_BOTH_LOGS,
    RULES_OF_ONE_LOG,
    PairAnswers,
)
from simulations.studies.pair_measures import SameAnswer, with_intervals
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.names import unknown_name
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Floats

SAME: Final = "constant"
"""The rule that gives every pair the same answer, taken from the other scenarios."""

RULES_OF: Final = {OWN: RULES_OF_ONE_LOG, BOTH: RULES_OF_BOTH_LOGS}
NAMES: Final = (*dict.fromkeys(("none", SAME, *RULES_OF_ONE_LOG, *RULES_OF_BOTH_LOGS)),)


@dataclass(frozen=True, slots=True)
class NearnessQuestion:
    """What is asked of each pair.

    Attributes:
        policy: the radius and the minutes of a contact.
        estimators: names among NAMES.
        logs: among LOGS.
    """

    policy: CloseContactPolicy
    estimators: tuple[str, ...] = NAMES
    logs: tuple[str, ...] = (OWN,)

    def __post_init__(self) -> None:
        for name in self.estimators:
            if name not in NAMES:
                raise ScenarioError(unknown_name(name, NAMES, "estimator"))
        for logs in self.logs:
            if logs not in LOGS:
                raise ScenarioError(unknown_name(logs, LOGS, "choice of logs"))

    def rules(self) -> Iterator[tuple[str, str]]:
        """Yield each (estimator, logs) that there is, except SAME."""
        for logs in self.logs:
            for name in self.estimators:
                if name in RULES_OF[logs]:
                    yield name, logs


@dataclass(frozen=True, slots=True)
class AnsweredCrowd:
    """The answers about one crowd.

    Attributes:
        true_minutes: (p,) of its directed pairs.
        answers: (estimator, logs) -> answers.
    """

    true_minutes: Floats
    answers: Mapping[tuple[str, str], PairAnswers]


@dataclass(frozen=True, slots=True)
class NearnessRow:
    """One line of the table.

    Attributes:
        scenario, estimator, logs: of what.
        crowds: number of runs.
        pairs: directed pairs with a record.
        contacts: how many of them were contacts.
        figures: name among ``pair_measures.MEASURES`` -> figure.
    """

    scenario: str
    estimator: str
    logs: str
    crowds: int
    pairs: int
    contacts: int
    figures: Mapping[str, Measured]

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them; None where one does not apply."""
        row: dict[str, object] = {
            "scenario": self.scenario,
            "estimator": self.estimator,
            "logs": self.logs,
            "crowds": self.crowds,
            "pairs": self.pairs,
            "contacts": self.contacts,
        }
        for name, figure in self.figures.items():
            known = not np.isnan(figure.median)
            row[name] = figure.median if known else None
            row[f"{name}_low"] = figure.low if known else None
            row[f"{name}_high"] = figure.high if known else None
        return row


def measure_nearness(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    question: NearnessQuestion,
    *,
    settings: Mapping[str, str],
    keep: Path | None = None,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[NearnessRow]:
    """Play every scenario with every seed, and compare all answers with the truth.

    The rows are the same for any number of processes.

    Args:
        scenarios: names or files.
        seeds: of the crowds; the same for every scenario.
        question: what to ask of the pairs.
        settings: keys set in place of the scenarios'.
        keep: folder of played crowds, made if it is missing.
        workers: number of processes; 1 runs in this process.
        on_progress: called with (crowds done, crowds in all).

    Raises:
        ScenarioError: there is no such scenario or key.
        StoreError: ``keep`` can't be written, or holds a damaged crowd.
    """
    chosen = tuple(sorted(settings.items()))
    texts = {name: scenario_text(name) for name in dict.fromkeys(scenarios)}
    plans = [
        CrowdPlan(text, chosen, seed, question.policy.within_m)
        for text in texts.values()
        for seed in seeds
    ]
    for text in texts.values():
        text.read(settings)  # before the work, not in the middle of it
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"can't keep crowds in {keep}: {error.strerror or error}") from None
    answered: dict[int, AnsweredCrowd] = {}
    for place, crowd in _answered(plans, question, keep, workers):
        answered[place] = crowd
        if on_progress is not None:
            on_progress(len(answered), len(plans))
    by_scenario: dict[str, list[AnsweredCrowd]] = {}
    for place, plan in enumerate(plans):
        by_scenario.setdefault(plan.scenario.name, []).append(answered[place])
    return _rows(by_scenario, question)


def _answered(
    plans: Sequence[CrowdPlan], question: NearnessQuestion, keep: Path | None, workers: int
) -> Iterator[tuple[int, AnsweredCrowd]]:
    """Yield the place of each plan and its answers, as they come."""
    if workers == 1:
        for place, plan in enumerate(plans):
            yield place, answer_crowd(plan, question, keep)
        return
    with executor_of(workers, None) as executor:
        waiting = {
            executor.submit(answer_crowd, plan, question, keep): place
            for place, plan in enumerate(plans)
        }
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def answer_crowd(
    plan: CrowdPlan, question: NearnessQuestion, keep: Path | None = None
) -> AnsweredCrowd:
    """Play a crowd and ask all estimators about its pairs."""
    crowd = play_crowd(plan, keep)
    return AnsweredCrowd(
        crowd.true_minutes,
        {
            (name, logs): RULES_OF[logs][name](crowd, question.policy)
            for name, logs in question.rules()
        },
    )


def _rows(
    by_scenario: Mapping[str, Sequence[AnsweredCrowd]], question: NearnessQuestion
) -> list[NearnessRow]:
    """Return a row for each scenario and estimator, in the order of the question."""
    least = question.policy.minutes
    true = {name: [crowd.true_minutes for crowd in held] for name, held in by_scenario.items()}
    rows = []
    for scenario, crowds in by_scenario.items():
        others = SameAnswer.of(
            [np.concatenate(held) for name, held in true.items() if name != scenario], least
        )
        answers = {rule: [crowd.answers[rule] for crowd in crowds] for rule in question.rules()}
        if SAME in question.estimators and others is not None:
            same = [others.answers(len(minutes)) for minutes in true[scenario]]
            answers = {(SAME, OWN): same, **answers}
        everything = np.concatenate(true[scenario])
        rows += [
            NearnessRow(
                scenario=scenario,
                estimator=name,
                logs=logs,
                crowds=len(crowds),
                pairs=len(everything),
                contacts=int((everything >= least).sum()),
                figures=with_intervals(said, true[scenario], least, others=others),
            )
            for (name, logs), said in answers.items()
        ]
    return rows
