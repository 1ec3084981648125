"""What the real chain says of a run, beside what really happened.

Every person with the app is taken as the index case in turn: the authority's own code opens the
phone's log and makes a contact list of it (``tracing``). Each line is then compared with the ground
truth. Scores are columns of lines; a ``ContactScore`` is one row of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Final

import numpy as np

from simulations.one_run import Run
from simulations.scores.intervals import Measured, flat, share_of_groups
from simulations.scores.places import PlaceScores, score_places
from simulations.scores.published import OpenedRun
from simulations.scores.tracing import Listing, list_run, open_run
from simulations.scores.truth import GroundTruth, ground_truth
from simulations.streams import Streams
from tracetogether.authority.contacts.lines import UNKEYED, pseudonym
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Bools, Floats, Interval, Ints

_RESAMPLES: Final = 2000
_FEW: Final = 20
_DRAWN_AT_ONCE: Final = 4_000_000  # bounds the memory of a large crowd's intervals


@dataclass(frozen=True, slots=True)
class ListedContact:
    """One line of a contact list as the authority gives it.

    Attributes:
        pseudonym: the person's pseudonym.
        probability: P(the policy's minutes or more).
        minutes: minutes within the policy's distance.
        nearest_m: smallest distance, metres.
        close_contact: whether the policy is met.
    """

    pseudonym: str
    probability: float
    minutes: Interval
    nearest_m: Interval
    close_contact: bool


@dataclass(frozen=True, slots=True)
class ContactScore(ListedContact):
    """One line of a contact list beside the truth.

    Attributes:
        person: person of the run; None if the line names nobody of this run.
        true_minutes, true_nearest_m: the truth; 0 and infinite if ``person`` is None.
        true_contact: whether the two really met the policy.
    """

    person: int | None
    true_minutes: float
    true_nearest_m: float
    true_contact: bool


@dataclass(frozen=True)
class CaseScore:
    """One index case.

    Attributes:
        person: whose log it was.
        found: true contacts that are listed as close contacts.
        false_contacts: how many are listed as close contacts, yet were none in truth.
        missed_people: true contacts with the app who are not listed as close contacts.
        read_lines: returns the contact list beside the truth, in the list's order.
    """

    person: int
    found: int
    false_contacts: int
    missed_people: tuple[int, ...]
    read_lines: Callable[[], Sequence[ContactScore]] = field(repr=False, compare=False)

    @cached_property
    def listed(self) -> tuple[ContactScore, ...]:
        """The contact list beside the truth, in the list's order."""
        return tuple(self.read_lines())

    @property
    def missed(self) -> int:
        """True contacts with the app that the list does not hold as close contacts."""
        return len(self.missed_people)

    @property
    def true_contacts(self) -> int:
        """True contacts with the app."""
        return self.found + self.missed


@dataclass(frozen=True)
class ScoredLines:
    """All contact lists of a run beside the truth, in columns of length l.

    Attributes:
        listing: what the authority lists.
        truth: what happened.
        run: the run.
        policy: what counts as a close contact.
    """

    listing: Listing
    truth: GroundTruth = field(repr=False)
    run: Run = field(repr=False)
    policy: CloseContactPolicy

    @cached_property
    def chance(self) -> Floats:
        """(l,) P(the policy's minutes or more), as the authority gives it."""
        return self.listing.lines.chance(self.policy)

    @cached_property
    def close_contact(self) -> Bools:
        """(l,) whether the authority lists the person as a close contact."""
        return np.greater_equal(self.chance, self.policy.least_chance)

    @cached_property
    def true_minutes(self) -> Floats:
        """(l,) minutes that the two were within the policy's distance."""
        return self.truth.minutes_of(self.listing.case, self.listing.person)

    @cached_property
    def true_contact(self) -> Bools:
        """(l,) whether the two met the policy in truth."""
        return np.greater_equal(self.true_minutes, self.policy.minutes)

    @cached_property
    def true_nearest_m(self) -> Floats:
        """(l,) smallest true distance, metres."""
        return self.truth.nearest_m_of(self.listing.case, self.listing.person)

    def between(self, begin: int, end: int) -> list[ContactScore]:
        """Return rows ``begin`` to ``end``, which are one case's, in its list's order."""
        found = [(self._concern(row), self._line(row)) for row in range(begin, end)]
        return [line for _, line in sorted(found, key=lambda row: (*row[0], row[1].pseudonym))]

    def _concern(self, row: int) -> tuple[float, float, float]:
        return self.listing.lines.concern(row, self.policy)

    def _line(self, row: int) -> ContactScore:
        person, lines = int(self.listing.person[row]), self.listing.lines
        (minutes,), (nearest_m,) = (
            column.take(np.array([row])) for column in (lines.minutes, lines.nearest_m)
        )
        return ContactScore(
            person=person,
            pseudonym=pseudonym(self.run.user_ids[person], UNKEYED),
            probability=float(self.chance[row]),
            minutes=minutes,
            nearest_m=nearest_m,
            close_contact=bool(self.close_contact[row]),
            true_minutes=float(self.true_minutes[row]),
            true_nearest_m=float(self.true_nearest_m[row]),
            true_contact=bool(self.true_contact[row]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of all cases together; a pair counts once in each direction.

    Attributes:
        lines: every line of every list, in columns.
        cases: one score per index case.
        missed_pairs: case and person of each true contact with the app that was not listed as a
            close contact, each (m,).
        found: true contacts that were listed.
        false_contacts: how many were listed, yet were no contacts.
        tif: traceable interaction fraction: share found of true contacts who both have the app,
            with its central 90 % by cases; None if there was none.
        all_contacts: true contacts of everybody, with the app or without.
        found_of_all: share of those that the cases' lists hold, with its central 90 % by people;
            None if there were none.
        falsely_listed: share of those listed as close contacts who were none, with its central
            90 % by cases; None if none was listed.
        precision: share of those listed as close contacts who were; None if none was listed.
        minutes_mae: mean absolute error of the median minutes of everybody listed; None if nobody.
        minutes_mae_constant: the same of the best constant, for comparison.
        coverage: how often the interval of minutes held the true minutes (it should: 0.9).
        places: what the places of the run add; None if it has none.
    """

    lines: ScoredLines = field(repr=False)
    cases: tuple[CaseScore, ...] = field(repr=False)
    missed_pairs: tuple[Ints, Ints] = field(repr=False)
    found: int
    false_contacts: int
    tif: Measured | None
    all_contacts: int
    found_of_all: Measured | None
    falsely_listed: Measured | None
    precision: float | None
    minutes_mae: float | None
    minutes_mae_constant: float | None
    coverage: float | None
    places: PlaceScores | None = None

    @property
    def policy(self) -> CloseContactPolicy:
        """What counts as a close contact."""
        return self.lines.policy

    @property
    def missed(self) -> int:
        """True contacts with the app that were not listed."""
        return len(self.missed_pairs[0])

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        return {
            "policy": self.policy.name,
            "within_m": self.policy.within_m,
            "minutes": self.policy.minutes,
            "judged_by": self.lines.run.protocol.judged_by,
            "cases": len(self.cases),
            "found": self.found,
            "missed": self.missed,
            "false_contacts": self.false_contacts,
            **flat("tif", self.tif),
            "all_contacts": self.all_contacts,
            **flat("found_of_all", self.found_of_all),
            **flat("falsely_listed", self.falsely_listed),
            "precision": self.precision,
            "minutes_mae": self.minutes_mae,
            "minutes_mae_constant": self.minutes_mae_constant,
            "coverage": self.coverage,
            **({} if self.places is None else {"places": self.places.to_json()}),
        }


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run's scores, and what they were computed from.

    Attributes:
        scores: of the chain.
        truth: what happened, within the policy's radius.
        opened: the records that count after a diagnosis, of all logs.
    """

    scores: Scores
    truth: GroundTruth
    opened: OpenedRun


def score_run(
    run: Run,
    *,
    policy: CloseContactPolicy | None = None,
    cases: int | None = None,
    truth: GroundTruth | None = None,
) -> ScoredRun:
    """Score the whole chain on a run.

    Args:
        run: the run, with its own issuer.
        policy: what counts as a close contact; by default the scenario's.
        cases: how many index cases, chosen by chance; by default everybody with the app.
        truth: of the same tracks and policy, if it is known already.

    Raises:
        ValueError: the TempIDs came from an authority elsewhere.
    """
    rule = policy or run.scenario.policy.policy()
    opened = open_run(run)
    if truth is None:
        truth = ground_truth(run.tracks, rule.within_m, walls=run.venue.walls)
    people, logs = run.app, opened
    if cases is not None and cases < len(people):
        people = np.sort(Streams(run.seed).generator("cases").choice(people, cases, replace=False))
        logs = opened.take(np.isin(opened.case, people))
    lines = ScoredLines(list_run(run, logs, rule), truth, run, rule)
    scores = scores_of(lines, people)
    if opened.places is not None:
        scores = replace(scores, places=score_places(run, opened.places))
    return ScoredRun(scores, truth, opened)


def scores_of(lines: ScoredLines, people: Ints) -> Scores:
    """Return the scores of all cases together.

    Args:
        lines: the lists of ``people`` beside the truth.
        people: (c,) the index cases, ascending.
    """
    listing, run, policy = lines.listing, lines.run, lines.policy
    missed = _missed(lines, people)
    found_line = lines.close_contact & lines.true_contact
    false_line = lines.close_contact & ~lines.true_contact
    bounds = np.searchsorted(listing.case, people), np.searchsorted(listing.case, people, "right")
    found, false = (
        sums[bounds[1]] - sums[bounds[0]]
        for sums in (np.cumsum(np.append(0, kind)) for kind in (found_line, false_line))
    )
    missed_bounds = np.searchsorted(missed[0], np.append(people, run.tracks.people)).tolist()
    missed_people = missed[1].tolist()
    cases = [
        CaseScore(
            person=person,
            found=hits,
            false_contacts=wrong,
            missed_people=tuple(missed_people[missed_bounds[place] : missed_bounds[place + 1]]),
            read_lines=partial(lines.between, begin, end),
        )
        for place, (person, hits, wrong, begin, end) in enumerate(
            zip(*(column.tolist() for column in (people, found, false, *bounds)), strict=True)
        )
    ]
    found, false = found.astype(np.float64), false.astype(np.float64)
    true = found + np.diff(missed_bounds)
    everybody = np.concatenate(lines.truth.pairs_of(policy.minutes))
    contacts = np.bincount(everybody, minlength=run.tracks.people).astype(np.float64)
    found_by = np.zeros(len(contacts))  # people without the app find none of their contacts
    found_by[people] = found
    listed = float(found.sum() + false.sum())
    minutes, true_minutes = listing.lines.minutes, lines.true_minutes
    held = (minutes.low <= true_minutes) & (true_minutes <= minutes.high)
    some = len(true_minutes) > 0
    constant = np.median(true_minutes) if some else 0.0
    return Scores(
        lines=lines,
        cases=tuple(cases),
        missed_pairs=missed,
        found=int(found.sum()),
        false_contacts=int(false.sum()),
        tif=fraction(found, true, Streams(run.seed).generator("scores", "tif")),
        all_contacts=int(contacts.sum()),
        found_of_all=share_of_groups(found_by, contacts),
        falsely_listed=share_of_groups(false, found + false),
        precision=float(found.sum() / listed) if listed else None,
        minutes_mae=float(np.abs(minutes.median - true_minutes).mean()) if some else None,
        minutes_mae_constant=float(np.abs(constant - true_minutes).mean()) if some else None,
        coverage=float(held.mean()) if some else None,
    )


def _missed(lines: ScoredLines, cases: Ints) -> tuple[Ints, Ints]:
    """Return case and person of each true contact with the app that no list of ``cases`` holds."""
    first, second = lines.truth.pairs_of(lines.policy.minutes, lines.run.app)
    people = lines.run.tracks.people
    pair = np.sort(np.concatenate([first * people + second, second * people + first]))
    pair = pair[np.isin(pair // people, cases)]
    listing, close = lines.listing, lines.close_contact
    listed = listing.case[close] * people + listing.person[close]
    case, person = np.divmod(pair[~np.isin(pair, listed)], people)
    return case, person


def score_case(
    run: Run,
    truth: GroundTruth,
    person: int,
    contacts: Iterable[ListedContact],
    policy: CloseContactPolicy,
    *,
    naming_key: bytes = UNKEYED,
) -> CaseScore:
    """Return a contact list that an authority elsewhere made of ``person``'s log, beside the truth.

    Args:
        run: the run.
        truth: what happened in it.
        person: the index case.
        contacts: the list.
        policy: what counts as a close contact.
        naming_key: what the list's pseudonyms were made with; an authority's is
            ``KeyRing.naming_key``.
    """
    people = {pseudonym(user_id, naming_key): other for other, user_id in run.user_ids.items()}
    lines = []
    for contact in contacts:
        other = people.get(contact.pseudonym)
        pair = np.array([person]), np.array([person if other is None else other])
        true_minutes = float(truth.minutes_of(*pair)[0])
        lines.append(
            ContactScore(
                person=other,
                pseudonym=contact.pseudonym,
                probability=contact.probability,
                minutes=contact.minutes,
                nearest_m=contact.nearest_m,
                close_contact=contact.close_contact,
                true_minutes=true_minutes,
                true_nearest_m=np.inf if other is None else float(truth.nearest_m_of(*pair)[0]),
                true_contact=true_minutes >= policy.minutes,
            )
        )
    minutes = truth.minutes_of(np.full(len(run.app), person), run.app)
    close = [line for line in lines if line.close_contact]
    found = {line.person for line in close if line.true_contact}
    true_people = run.app[minutes >= policy.minutes].tolist()
    return CaseScore(
        person=person,
        found=len(found),
        false_contacts=len(close) - len(found),
        missed_people=tuple(other for other in true_people if other not in found),
        read_lines=lambda: lines,
    )


def fraction(found: Floats, true: Floats, chance: np.random.Generator) -> Measured | None:
    """Return found / true over (c,) cases with its central 90 %, by a bootstrap over cases.

    A case's contacts are not independent (one pocket, one phone), so the bootstrap draws whole
    cases. With fewer than _FEW cases its interval would be too narrow; ``share_of_groups`` then
    gives it. None if there is nothing to find.
    """
    if (true > 0).sum() < _FEW:
        return share_of_groups(found, true)
    share = float(found.sum() / true.sum())
    at_once = max(1, _DRAWN_AT_ONCE // len(true))
    shares = []
    for first in range(0, _RESAMPLES, at_once):
        rows = chance.integers(len(true), size=(min(at_once, _RESAMPLES - first), len(true)))
        totals = true[rows].sum(axis=1)
        shares.append(found[rows].sum(axis=1)[totals > 0] / totals[totals > 0])
    low, high = np.quantile(np.concatenate(shares), [0.05, 0.95])
    return Interval(min(float(low), share), share, max(float(high), share))
