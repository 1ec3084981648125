"""How right minutes and P(contact) are in simulated crowds, scenario by scenario.

Each crowd is played, all logs are opened, every directed pair with a record is estimated, and the
answers are compared with the true positions. To run it:

    tracetogether simulate nearness --seeds 8 --workers 2 --keep crowds

``--keep`` keeps the played crowds (not the answers), so that a changed estimator is measured again
in seconds. Nothing is fitted on the scenario that is scored: what a baseline has to know, such
as a constant, comes from the other scenarios that have contacts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from simulations.scores.intervals import Measured
from simulations.settings.scenario import scenario_text
from simulations.studies.executors import run_all
from simulations.studies.heard_crowds import CrowdPlan, play_crowd
from simulations.studies.pair_answers import (
    BOTH,
    LOGS,
    NOBODY,
    OWN,
    RULES_OF_BOTH_LOGS,
    RULES_OF_ONE_LOG,
    PairAnswers,
)
from simulations.studies.pair_bounds import (
    BOUNDS,
    KNOWN_OFFSETS,
    MOST_PAIRS,
    TREE_HERE,
    TREE_OTHERS,
    LearningPairs,
    expect_learners,
    learned_answers,
    with_known_offsets,
)
from simulations.studies.pair_features import features
from simulations.studies.pair_measures import SameAnswer, with_intervals
from simulations.studies.pair_thresholds import (
    TUNED,
    GroupedRecords,
    ThresholdAnswers,
    answer_by_thresholds,
    mean_errors,
)
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.names import unknown_name
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Floats

SAME: Final = "constant"
"""The rule that gives every pair the same answer, taken from the other scenarios."""

_RULES: Final = {
    OWN: {**RULES_OF_ONE_LOG, KNOWN_OFFSETS: with_known_offsets},
    BOTH: RULES_OF_BOTH_LOGS,
}
NAMES: Final = (*dict.fromkeys(("none", SAME, *RULES_OF_ONE_LOG, *TUNED)),)
"""Estimators and baselines. The bounds come beside them."""
_FOLDS: Final = 4  # of a scenario's crowds, for the learner that has seen the scenario

_Key = tuple[str, str]  # estimator, logs


@dataclass(frozen=True, slots=True)
class NearnessQuestion:
    """What is asked of each pair.

    Attributes:
        policy: the radius and the minutes of a contact.
        estimators: names among NAMES and BOUNDS.
        logs: among LOGS.
    """

    policy: CloseContactPolicy
    estimators: tuple[str, ...] = NAMES
    logs: tuple[str, ...] = (OWN,)

    def __post_init__(self) -> None:
        for name in self.estimators:
            if name not in (*NAMES, *BOUNDS):
                raise ScenarioError(unknown_name(name, (*NAMES, *BOUNDS), "estimator"))
        for logs in self.logs:
            if logs not in LOGS:
                raise ScenarioError(unknown_name(logs, LOGS, "choice of logs"))

    @property
    def learns(self) -> bool:
        """Whether it asks for learned bounds."""
        return not {TREE_HERE, TREE_OTHERS}.isdisjoint(self.estimators)

    def asked(self) -> list[_Key]:
        """Return each (estimator, logs) to ask; some can't use both logs."""
        return [
            (name, logs)
            for logs in self.logs
            for name in self.estimators
            if name in _RULES[logs] or name in TUNED or name in (SAME, TREE_HERE, TREE_OTHERS)
        ]


@dataclass(frozen=True, slots=True)
class AnsweredCrowd:
    """The answers about one crowd.

    Attributes:
        true_minutes: (p,) of its directed pairs.
        answers: (estimator, logs) -> answers.
        thresholds: (rule, logs) -> answers at each threshold.
        features: logs -> (p, f) what learners see; empty without learners.
    """

    true_minutes: Floats
    answers: Mapping[_Key, PairAnswers]
    thresholds: Mapping[_Key, ThresholdAnswers]
    features: Mapping[str, Floats]


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
    texts = {name: scenario_text(name) for name in dict.fromkeys(scenarios)}
    for text in texts.values():
        text.read(settings)  # before the work, not in the middle of it
    if question.learns:
        expect_learners()
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"can't keep crowds in {keep}: {error.strerror or error}") from None
    chosen = tuple(sorted(settings.items()))
    tasks = [
        (CrowdPlan(text, chosen, seed, question.policy.within_m), question, keep)
        for text in texts.values()
        for seed in seeds
    ]
    answered = run_all(_answer_crowd, tasks, workers, on_progress)
    by_scenario: dict[str, list[AnsweredCrowd]] = {}
    for (plan, *_), crowd in zip(tasks, answered, strict=True):
        by_scenario.setdefault(plan.scenario.name, []).append(crowd)
    return _rows(by_scenario, question, workers)


def _answer_crowd(task: tuple[CrowdPlan, NearnessQuestion, Path | None]) -> AnsweredCrowd:
    """Play a crowd and ask all rules about its pairs."""
    plan, question, keep = task
    crowd = play_crowd(plan, keep)
    records = {logs: GroupedRecords.of(crowd, logs) for logs in question.logs}
    return AnsweredCrowd(
        crowd.true_minutes,
        answers={
            (name, logs): _RULES[logs][name](crowd, question.policy)
            for name, logs in question.asked()
            if name in _RULES[logs]
        },
        thresholds={
            (name, logs): answer_by_thresholds(TUNED[name], crowd, records[logs])
            for name, logs in question.asked()
            if name in TUNED
        },
        features={logs: features(crowd, logs) for logs in question.logs if question.learns},
    )


_Scenarios = Mapping[str, Sequence[AnsweredCrowd]]


def _others(by_scenario: _Scenarios, scenario: str, least_minutes: float) -> list[str]:
    """Return the other scenarios that have a contact: from these a scenario's baselines learn."""
    return [
        name
        for name, crowds in by_scenario.items()
        if name != scenario and any((crowd.true_minutes >= least_minutes).any() for crowd in crowds)
    ]


def _rows(by_scenario: _Scenarios, question: NearnessQuestion, workers: int) -> list[NearnessRow]:
    """Return a row for each scenario and estimator, in the order of the question."""
    least = question.policy.minutes
    true = {name: [crowd.true_minutes for crowd in held] for name, held in by_scenario.items()}
    tuned, learned = _tuned(by_scenario, question), _learned(by_scenario, question, workers)
    rows = []
    for scenario, crowds in by_scenario.items():
        everything = np.concatenate(true[scenario])
        others = SameAnswer.of(
            [np.concatenate(true[name]) for name in _others(by_scenario, scenario, least)], least
        )
        for key in question.asked():
            name, logs = key
            if name == SAME and others is not None:
                answers = [others.answers(len(minutes)) for minutes in true[scenario]]
            elif (scenario, key) in tuned:
                answers = tuned[scenario, key]
            elif (scenario, key) in learned:
                answers = learned[scenario, key]
            elif key in crowds[0].answers:
                answers = [crowd.answers[key] for crowd in crowds]
            else:  # there is no other scenario or crowd to learn from
                continue
            rows.append(
                NearnessRow(
                    scenario=scenario,
                    estimator=name,
                    logs=logs,
                    crowds=len(crowds),
                    pairs=len(everything),
                    contacts=int((everything >= least).sum()),
                    figures=with_intervals(answers, true[scenario], least, others=others),
                )
            )
    return rows


def _tuned(
    by_scenario: _Scenarios, question: NearnessQuestion
) -> dict[tuple[str, _Key], list[PairAnswers]]:
    """Return answers of the simple rules, each with its best threshold of the other scenarios."""
    found = {}
    for key in (key for key in question.asked() if key[0] in TUNED):
        errors = {
            scenario: mean_errors(
                [crowd.thresholds[key] for crowd in crowds],
                [crowd.true_minutes for crowd in crowds],
            )
            for scenario, crowds in by_scenario.items()
        }
        for scenario, crowds in by_scenario.items():
            names = _others(by_scenario, scenario, question.policy.minutes)
            others = [error for name in names if (error := errors[name]) is not None]
            best = int(np.argmin(np.mean(others, axis=0))) if others else None
            found[scenario, key] = [crowd.thresholds[key].at(best) for crowd in crowds]
    return found


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What trees learn from, and the crowds of one scenario that they then answer about.

    Attributes:
        scenario, key: whose answers.
        crowds: which crowds of the scenario.
        features: (p, f) of the pairs of each of these crowds.
        training: pairs of other crowds.
        least_minutes: minutes of a contact.
    """

    scenario: str
    key: _Key
    crowds: tuple[int, ...]
    features: tuple[Floats, ...]
    training: LearningPairs
    least_minutes: float

    def answers(self) -> list[PairAnswers]:
        """Return the trees' answers about each crowd."""
        return learned_answers(self.training, self.features, self.least_minutes)


def _learned(
    by_scenario: _Scenarios, question: NearnessQuestion, workers: int
) -> dict[tuple[str, _Key], list[PairAnswers]]:
    """Return answers of trees that learned from other crowds of the scenario, or from the others.

    No tree answers about a crowd that it has learned from.
    """
    lessons = [
        lesson
        for key in question.asked()
        if key[0] in {TREE_HERE, TREE_OTHERS}
        for scenario in by_scenario
        for lesson in _lessons(by_scenario, scenario, key, question.policy.minutes)
    ]
    found: dict[tuple[str, _Key], list[PairAnswers]] = {}
    for lesson, said in zip(lessons, run_all(_Lesson.answers, lessons, workers), strict=True):
        everybody = [NOBODY] * len(by_scenario[lesson.scenario])
        mine = found.setdefault((lesson.scenario, lesson.key), everybody)
        for place, answers in zip(lesson.crowds, said, strict=True):
            mine[place] = answers
    return found


def _lessons(
    by_scenario: _Scenarios, scenario: str, key: _Key, least_minutes: float
) -> list[_Lesson]:
    """Return the lessons of one scenario; none where there is nothing else to learn from."""
    name, logs = key
    pairs = {
        other: [(crowd.features[logs], crowd.true_minutes) for crowd in by_scenario[other]]
        for other in (scenario, *_others(by_scenario, scenario, least_minutes))
    }
    here = pairs.pop(scenario)
    everywhere = range(len(here))
    if name == TREE_OTHERS:
        most = MOST_PAIRS // max(len(pairs), 1)
        parts = [(everywhere, LearningPairs.of(list(pairs.values()), most))]
    else:
        parts = [
            (
                everywhere[fold::_FOLDS],
                LearningPairs.of(
                    [[here[place] for place in everywhere if place % _FOLDS != fold]], MOST_PAIRS
                ),
            )
            for fold in range(min(_FOLDS, len(here)))
        ]
    return [
        _Lesson(
            scenario,
            key,
            tuple(places),
            tuple(here[place][0] for place in places),
            training,
            least_minutes,
        )
        for places, training in parts
        if training is not None
    ]
