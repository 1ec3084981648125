"""The authority's work for a whole crowd at once: every log opened and folded, in columns.

Taking everybody as the index case, one upload after the other, costs a hundredth of a second each.
Here all records are opened by the issuer's bulk form together and all encounters are estimated in
one go; what is listed is the same as ``scoring.trace`` lists case by case.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulations.fidelities.record_columns import ContactLogs
from simulations.run import Run
from simulations.scores.pair_truth import PairTruth, pair_truth
from simulations.scores.scored_lines import LinesOfCase, Listing, ScoredLines, pairs_that_are_close
from simulations.scores.scoring import CaseScore, Scores, score, summary_of_columns
from simulations.scores.truth import Truth, ground_truth
from tracetogether.bluetrace.tempid import ACCEPTED, REJECTIONS
from tracetogether.labels import Labels
from tracetogether.parameters import MAX_PEOPLE_A_MINUTE, CloseContactPolicy
from tracetogether.proximity.attenuation import RULES, Bucketed
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.single_log import SingleLogPosterior
from tracetogether.proximity.slots import fold
from tracetogether.proximity.sums import group_sums
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Opened:
    """All records of a crowd, opened.

    Attributes:
        owner: (n,) whose log each believed record is from.
        peer: (n,) whose TempID it held.
        sightings: the believed records; observers and peers are numbers of people as text.
        rejected: how many records were not believed, by reason.
    """

    owner: Ints
    peer: Ints
    sightings: Sightings
    rejected: Counter[Rejection]


def open_all(run: Run) -> Opened:
    """Open every record of every log with the issuer's bulk form.

    Raises:
        ValueError: the run was not played in columns with an issuer of its own.
    """
    logs = run.logs
    if not isinstance(logs, ContactLogs) or run.issuer is None:
        raise ValueError("only vectorized runs are opened in bulk")
    texts = [bytes(one).decode("ascii") for one in logs.tokens]
    time = np.floor(logs.time)  # an upload tells whole seconds
    opened = run.issuer.open_many([texts[one] for one in logs.token.tolist()], time)
    names = {user_id: person for person, user_id in run.user_ids.items()}
    person_of = np.array([names.get(name, -1) for name in opened.user.names] + [-1])
    owner, peer = logs.owner, person_of[opened.user.codes]
    codes = opened.rejection.copy()
    codes[(codes == ACCEPTED) & (peer == owner)] = REJECTIONS.index(Rejection.SELF_TEMPID)
    crowded = (codes == ACCEPTED) & _crowded(owner, peer, time, run.start)
    codes[crowded] = REJECTIONS.index(Rejection.IMPLAUSIBLE)
    kept = codes == ACCEPTED
    people = tuple(str(one) for one in range(len(run.phones)))
    sightings = Sightings.from_log(
        time=time[kept],
        observer=Labels(owner[kept].astype(np.int32), people),
        peer=Labels(peer[kept].astype(np.int32), people),
        rssi_dbm=logs.rssi_dbm[kept],
        tx_power_dbm=logs.tx_power_dbm[kept],
    )
    rejected = Counter(REJECTIONS[code] for code in codes[~kept].tolist())
    return Opened(owner[kept], peer[kept], sightings, rejected)


def _crowded(owner: Ints, peer: Ints, time: Floats, start: float) -> Bools:
    """Return which records are of minutes in which a phone met more people than it can."""
    minute = ((time - start) // SECONDS_PER_MINUTE).astype(np.int64) + 1
    key = owner * (int(minute.max(initial=0)) + 1) + minute
    met = np.unique(np.stack([key, peer], axis=1), axis=0)[:, 0]
    keys, counts = np.unique(met, return_counts=True)
    return np.isin(key, keys[counts > MAX_PEOPLE_A_MINUTE])


def list_all(opened: Opened, policy: CloseContactPolicy) -> Listing:
    """Return every contact list of a run that lasted less than a day.

    As ``authority.contacts.lines`` has it: minutes of a pair's encounters add up, and the nearest
    distance is the least of them.
    """
    slots = fold(opened.sightings, Calibration.prior(transmit=BLUETRACE_TRANSMIT))
    estimator = SingleLogPosterior() if policy.rule is None else Bucketed(RULES[policy.rule])
    share = estimator.per_slot(slots, within_m=policy.within_m)
    nearest = estimator.estimate(slots, within_m=policy.within_m).nearest_m
    count = len(slots.start_s)
    of_encounters = [
        group_sums(credit_s * part / SECONDS_PER_MINUTE, slots.encounter, count)
        for credit_s, part in (
            (slots.credit_low_s, share.low),
            (slots.credit_s, share.median),
            (slots.credit_high_s, share.high),
        )
    ]
    number = np.array([int(one) for one in slots.observer.names], dtype=np.int64)
    heard = np.array([int(one) for one in slots.peer.names], dtype=np.int64)
    case, person = number[slots.observer.codes], heard[slots.peer.codes]
    people = int(max(case.max(initial=0), person.max(initial=0))) + 1
    pairs, pair = np.unique(case * people + person, return_inverse=True)
    pair = pair.reshape(-1)
    minutes = np.stack([group_sums(one, pair, len(pairs)) for one in of_encounters])
    nearest_m = np.full((3, len(pairs)), np.inf)
    for row, column in enumerate((nearest.low, nearest.median, nearest.high)):
        np.minimum.at(nearest_m[row], pair, column)
    return Listing(
        case=pairs // people,
        person=pairs % people,
        minutes=minutes,
        nearest_m=nearest_m,
        close_contact=minutes[1] >= policy.minutes,
    )


def scores_of(run: Run, truth: PairTruth, listing: Listing, policy: CloseContactPolicy) -> Scores:
    """Return the lists beside the truth."""
    lines = ScoredLines(listing, truth, run.user_ids, policy)
    people = len(run.phones)
    one, other = truth.pairs_of(policy.minutes, run.app)
    case, met = np.concatenate([one, other]), np.concatenate([other, one])
    order = np.lexsort((met, case))
    case, met = case[order], met[order]
    missed = ~np.isin(case * people + met, pairs_that_are_close(listing, people))
    cases_then_end = np.append(run.app, people)
    of_true = np.searchsorted(case, cases_then_end)
    of_missed = np.searchsorted(case[missed], cases_then_end).tolist()
    first = np.searchsorted(listing.case, cases_then_end)
    missed_people, bounds = met[missed].tolist(), first.tolist()
    true_contacts = np.diff(of_true).tolist()
    cases = [
        CaseScore(
            person=person,
            listed=LinesOfCase(lines, bounds[place], bounds[place + 1]),
            missed_people=tuple(missed_people[of_missed[place] : of_missed[place + 1]]),
            true_contacts=true_contacts[place],
        )
        for place, person in enumerate(run.app.tolist())
    ]
    true_line = listing.close_contact & lines.true_contact
    found, false = (
        np.diff(np.cumsum(np.append(0, kind))[first]).astype(np.float64)
        for kind in (true_line, listing.close_contact & ~lines.true_contact)
    )
    everybody = np.arange(people)
    pairs = truth.pairs_of(policy.minutes, everybody)
    return summary_of_columns(
        cases,
        policy,
        seed=run.seed,
        found=found,
        false=false,
        contacts=np.bincount(np.concatenate(pairs), minlength=people).astype(np.float64),
        minutes=listing.minutes,
        true_minutes=lines.true_minutes,
    )


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run with its scores.

    Attributes:
        scores: of the chain.
        truth: what they were held against.
        opened: its records, where they were opened in bulk.
    """

    scores: Scores
    truth: Truth | PairTruth
    opened: Opened | None

    def recorded_pairs(self, people: int) -> Ints:
        """Return ``observer * people + peer`` of all who have a believed record of whom."""
        if self.opened is None:
            raise ValueError("these records were not opened in bulk")
        return np.unique(self.opened.owner * people + self.opened.peer)


def judge(
    run: Run,
    *,
    cases: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ScoredRun:
    """Score the whole chain on a run, in bulk where it was played in columns.

    Args:
        run: the run, with its own issuer.
        cases: how many index cases, chosen by chance; by default everybody with the app.
        on_progress: told (cases done, cases in all).
    """
    policy = run.scenario.policy.policy()
    if not isinstance(run.logs, ContactLogs) or (cases is not None and cases < len(run.app)):
        truth = ground_truth(run.tracks, policy.within_m)
        return ScoredRun(score(run, cases=cases, on_progress=on_progress), truth, None)
    opened = open_all(run)
    sparse = pair_truth(run.tracks, policy.within_m)
    scores = scores_of(run, sparse, list_all(opened, policy), policy)
    if on_progress is not None:
        on_progress(len(run.app), len(run.app))
    return ScoredRun(scores, sparse, opened)
