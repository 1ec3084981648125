"""People of several authorities in one crowd: who is found across the border, and how late.

Each person has the app of one authority, which issues the TempIDs and opens the logs of its own
people. Without an exchange of records, a case's authority can't read the TempIDs of the others.
With one, it hands these records over, and the authority of each contact opens them and judges by
the same policy.

An estimate learns the offset of the log's owner from everybody in the log. Each authority reads its
part of a log alone, so it knows the offset less well than one authority that opens everything.
That authority is played too, for comparison.

What is handed over are TempIDs with times to 10 seconds and whole levels, each record once, and no
uploader. Each person with the app is the case once, and each case is handed over alone. Intervals
are over seeds, as people of one run share a room and its radio.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from simulations.one_run import Run, run
from simulations.scores.intervals import (
    Measured,
    flat,
    mean_of_seeds,
    rate_of_groups,
    share_of_groups,
)
from simulations.scores.published import OpenedRun
from simulations.scores.scoring import ScoredLines
from simulations.scores.tracing import (
    RunRecords,
    join_opened,
    list_run,
    open_run,
    records_of,
)
from simulations.scores.truth import GroundTruth, ground_truth
from simulations.settings.scenario import Scenario, ScenarioText, scenario_text
from simulations.streams import Streams
from simulations.studies.border_service import MakeAuthority, hand_over
from simulations.studies.executors import run_all
from tracetogether.authority.intake.opening import open_logs
from tracetogether.labels import Labels
from tracetogether.parameters import RECORDS_STEP_S, CloseContactPolicy
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_HOUR, Bools, Floats, Ints, is_rssi

HOME: Final = "SG_MOH"
ABROAD: Final = "AU_DTA"
SHARES_ABROAD: Final = (0.1, 0.3)
DELAYS_H: Final = (1.0,)


@dataclass(frozen=True, slots=True)
class BorderPlan:
    """One crowd to play.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's.
        home: shares of people by authority, if the scenario names none.
        seed: of all random draws.
        delays_h: hours between the end of the hour of an upload and the arrival at the partner.
        services: makes an authority, through which one case of each is handed over; None: no case.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    home: Mapping[str, float]
    seed: int
    delays_h: tuple[float, ...]
    services: MakeAuthority | None = None

    def read(self) -> Scenario:
        """Return the scenario."""
        scenario = self.scenario.read(dict(self.settings))
        if len(scenario.people.home) > 1:
            return scenario
        return scenario.with_({"people.home": dict(self.home)})


@dataclass(frozen=True, slots=True)
class BorderCounts:
    """What is found in one crowd with one delay, added up over all people as cases.

    Attributes:
        cases: people with the app, each taken as the case once.
        home, home_found, home_false: contacts of the case's own authority, those listed, and
            people listed wrongly.
        across, across_unaided, across_found, across_false: contacts of other authorities, those
            listed without and with the exchange, and people listed wrongly with it.
        across_by_one, false_by_one: the same two if one authority opened everything.
        records: records handed over.
        hours: mean time from the upload to the arrival at the partner.
        played, same: people on lists that authorities made of records handed over by the service's
            own code, and those of them that are judged alike here.
    """

    cases: float
    home: float
    home_found: float
    home_false: float
    across: float
    across_unaided: float
    across_found: float
    across_false: float
    across_by_one: float
    false_by_one: float
    records: float
    hours: float
    played: float
    same: float


@dataclass(frozen=True, slots=True)
class BorderRow:
    """One line of the table: a crowd with its authorities and one delay.

    Attributes:
        scenario: its name.
        home: shares of people by authority.
        delay_h: see ``BorderPlan``.
        crowds: number of runs.
        figures: name -> figure with its central 90 % by crowds, None where there is nobody.
            ``found_home``, ``found_across_without``, ``found_across``, ``found_without``,
            ``found``: shares of contacts with the app; the last two are of all contacts.
            ``found_across_by_one``: the share if one authority opened everything.
            ``false_per_case`` and ``false_per_case_by_one``: people of other authorities who are
            listed wrongly. ``records_per_case``, ``hours``.
        played, same: sums over runs; see ``BorderCounts``.
    """

    scenario: str
    home: Mapping[str, float]
    delay_h: float
    crowds: int
    figures: Mapping[str, Measured | None]
    played: int
    same: int

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them; None where one does not apply."""
        row: dict[str, object] = {
            "scenario": self.scenario,
            "home": dict(self.home),
            "delay_h": self.delay_h,
            "crowds": self.crowds,
            "played_by_service": self.played,
            "judged_alike": self.same,
        }
        for name, figure in self.figures.items():
            row |= flat(name, figure)
        return row


def study_border(
    scenarios: Sequence[str],
    seeds: Sequence[int],
    *,
    shares: Sequence[float] = SHARES_ABROAD,
    delays_h: Sequence[float] = DELAYS_H,
    settings: Mapping[str, str],
    services: MakeAuthority | None = None,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[BorderRow]:
    """Play every scenario with every share and seed, and say who is found across the border.

    Args:
        scenarios: names or files.
        seeds: of the crowds; the same for every scenario.
        shares: shares of people of a second authority, where a scenario has no ``people.home``.
        delays_h: see ``BorderPlan``.
        settings: keys set in place of the scenarios'.
        services: makes an authority; see ``BorderPlan``.
        workers: number of processes; the result does not depend on it.
        on_progress: called with (crowds done, crowds in all).

    Raises:
        ScenarioError: there is no such scenario or key.
    """
    plans: list[BorderPlan] = []
    groups: list[tuple[str, tuple[tuple[str, float], ...]]] = []
    for text in {name: scenario_text(name) for name in dict.fromkeys(scenarios)}.values():
        for share in dict.fromkeys(shares):
            plan = BorderPlan(
                text,
                tuple(sorted(settings.items())),
                {HOME: 1.0 - share, ABROAD: share},
                0,
                tuple(dict.fromkeys(delays_h)),
                services,
            )
            group = (text.name, tuple(plan.read().people.home.items()))  # fails before the work
            if group in groups:
                continue  # the scenario has homes of its own, whatever the share
            for seed in seeds:
                plans.append(replace(plan, seed=seed))
                groups.append(group)
    found = run_all(border_of, plans, workers, on_progress)
    rows = []
    for group in dict.fromkeys(groups):
        crowds = [counts for where, counts in zip(groups, found, strict=True) if where == group]
        rows += [
            _row(group[0], dict(group[1]), delay, [crowd[delay] for crowd in crowds])
            for delay in crowds[0]
        ]
    return rows


def border_of(plan: BorderPlan) -> dict[float, BorderCounts]:
    """Play a crowd, and count who is found on both sides of the border, by delay."""
    played = run(plan.read(), seed=plan.seed, fidelity="vectorized")
    return count_border(played, plan.delays_h, services=plan.services)


def count_border(
    played: Run, delays_h: Sequence[float], *, services: MakeAuthority | None = None
) -> dict[float, BorderCounts]:
    """Count who is found in a run with people of several authorities; see ``border_of``."""
    policy = played.scenario.policy.policy()
    truth = ground_truth(played.tracks, policy.within_m, walls=played.venue.walls)
    home = np.array(played.homes)
    first, second = truth.pairs_of(policy.minutes, played.app)
    apart = home[first] != home[second]
    opened = open_run(played)
    at_home, unaided = _counts(played, opened, truth, policy)
    everything = join_opened([opened, open_across(played, _end_of(played))])
    _, by_one = _counts(played, everything, truth, policy)
    found: dict[float, BorderCounts] = {}
    uploaded = Streams(played.seed).generator("border", "uploads").random(len(played.app))
    ends = np.ceil(_end_of(played) / SECONDS_PER_HOUR + uploaded)
    hours = ends - _end_of(played) / SECONDS_PER_HOUR - uploaded
    for delay in delays_h:
        arrives_at = (float(ends.max()) + delay) * SECONDS_PER_HOUR
        across = open_across(played, arrives_at)
        lines = _lines(played, across, truth, policy)
        _, hits = _split(played, lines, lines.true_contact)
        _, wrong = _split(played, lines, ~lines.true_contact)
        tried = same = 0
        if services is not None and delay == min(delays_h):
            tried, same = hand_over(played, lines, services, delay)
        found[delay] = BorderCounts(
            cases=float(len(played.app)),
            home=2.0 * float((~apart).sum()),
            home_found=at_home[0],
            home_false=at_home[1],
            across=2.0 * float(apart.sum()),
            across_unaided=unaided[0],
            across_found=hits,
            across_false=wrong,
            across_by_one=by_one[0],
            false_by_one=by_one[1],
            records=float(len(across.owner)),
            hours=float(hours.mean()) + delay,
            played=float(tried),
            same=float(same),
        )
    return found


def open_across(played: Run, arrives_at: float) -> OpenedRun:
    """Open at each authority what the others hand over of their cases' logs.

    Args:
        played: a run with people of several authorities.
        arrives_at: when the records come, epoch seconds; too old ones are rejected then.
    """
    records = records_of(played)
    home = np.array(played.homes)[records.owner]
    parts = []
    for sender in played.sources:
        for receiver in played.sources:
            theirs = (home == sender) & (records.organisation == receiver)
            if sender != receiver:
                rows = np.flatnonzero(theirs & is_rssi(records.rssi_dbm))
                parts.append(_opened_at(played, receiver, records.take(rows), arrives_at))
    return join_opened(parts)


def _opened_at(played: Run, receiver: str, records: RunRecords, arrives_at: float) -> OpenedRun:
    records = as_handed(records)
    nobody = Labels.constant(None, len(records.time))
    opened = open_logs(
        records.token,
        records.time,
        records.rssi_dbm,
        organisation=nobody,
        uploader=nobody,
        issuer=played.sources[receiver].issuer,
        received_at=arrives_at,
        several_phones=True,
    )
    rows = np.flatnonzero(opened.accepted)
    names = tuple(played.user_ids[person] for person in played.app.tolist())
    case = Labels(np.searchsorted(played.app, records.owner).astype(np.int32), names)
    number = {user_id: person for person, user_id in played.user_ids.items()}
    return OpenedRun(
        owner=records.owner[rows],
        peer=opened.person.take(rows).numbers(number),
        sightings=Sightings.from_log(
            time=records.time[rows],
            observer=case.take(rows),
            peer=opened.person.take(rows),
            rssi_dbm=records.rssi_dbm[rows],
            tx_power_dbm=records.tx_power_dbm[rows],
        ),
        rejected=opened.rejected,
    )


def as_handed(records: RunRecords) -> RunRecords:
    """Return records as a batch holds them: times to 10 s, whole levels, each once for a case."""
    rounded = RunRecords(
        records.owner,
        records.token,
        np.round(records.time / RECORDS_STEP_S) * RECORDS_STEP_S,
        np.round(records.rssi_dbm),
        np.round(records.tx_power_dbm),
        records.organisation,
    )
    columns = (rounded.owner, rounded.token.codes, rounded.time, rounded.rssi_dbm)
    _, first = np.unique(np.stack(columns, axis=1), axis=0, return_index=True)
    return rounded.take(np.sort(first))


def _end_of(played: Run) -> float:
    return played.start + played.scenario.duration_s


def _lines(
    played: Run, opened: OpenedRun, truth: GroundTruth, policy: CloseContactPolicy
) -> ScoredLines:
    return ScoredLines(list_run(played, opened, policy), truth, played, policy)


def _counts(
    played: Run, opened: OpenedRun, truth: GroundTruth, policy: CloseContactPolicy
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return (found, wrong) of the case's own authority, and of the others."""
    lines = _lines(played, opened, truth, policy)
    right = _split(played, lines, lines.true_contact)
    wrong = _split(played, lines, ~lines.true_contact)
    return (right[0], wrong[0]), (right[1], wrong[1])


def _split(played: Run, lines: ScoredLines, chosen: Bools) -> tuple[float, float]:
    """Return how many chosen close contacts have the case's authority, and another one."""
    home = np.array(played.homes)
    listing: tuple[Ints, Ints] = lines.listing.case, lines.listing.person
    apart = home[listing[0]] != home[listing[1]]
    listed = lines.close_contact & chosen
    return float((listed & ~apart).sum()), float((listed & apart).sum())


def _row(
    scenario: str, home: Mapping[str, float], delay_h: float, crowds: Sequence[BorderCounts]
) -> BorderRow:
    of: dict[str, Floats] = {
        each.name: np.array([getattr(crowd, each.name) for crowd in crowds])
        for each in fields(BorderCounts)
    }
    true = of["home"] + of["across"]
    figures = {
        "found_home": share_of_groups(of["home_found"], of["home"]),
        "found_across_without": share_of_groups(of["across_unaided"], of["across"]),
        "found_across": share_of_groups(of["across_found"], of["across"]),
        "found_without": share_of_groups(of["home_found"] + of["across_unaided"], true),
        "found": share_of_groups(of["home_found"] + of["across_found"], true),
        "found_across_by_one": share_of_groups(of["across_by_one"], of["across"]),
        "false_per_case": rate_of_groups(of["across_false"], of["cases"]),
        "false_per_case_by_one": rate_of_groups(of["false_by_one"], of["cases"]),
        "records_per_case": rate_of_groups(of["records"], of["cases"]),
        "hours": mean_of_seeds(of["hours"]),
    }
    return BorderRow(
        scenario,
        home,
        delay_h,
        len(crowds),
        figures,
        int(of["played"].sum()),
        int(of["same"].sum()),
    )
