"""What the real chain says of a run, against what really happened.

Every person with the app is taken as the index case in turn: the phone's log is written as an
upload file, read back, its TempIDs are opened by the issuer, and the authority's own code folds
it into a contact list. Nothing of the simulation's knowledge enters before the comparison.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from simulations.run import Run
from simulations.scores.intervals import Measured, flat, share_of_groups
from simulations.scores.truth import Truth, ground_truth
from simulations.streams import Streams
from tracetogether.authority.contacts.lines import UNKEYED, Contact, contacts_of, pseudonym
from tracetogether.authority.intake.opening import open_log
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Floats, Interval

_RESAMPLES: Final = 2000
_FEW: Final = 20
_DRAWN_AT_ONCE: Final = 4_000_000  # bounds the memory of a large crowd's intervals


class ListedContact(Protocol):
    """One line of a contact list: the authority's own ``Contact``, or what a client made of it."""

    @property
    def pseudonym(self) -> str:
        """How the person is called."""
        ...

    @property
    def minutes(self) -> Interval:
        """Minutes near."""
        ...

    @property
    def nearest_m(self) -> Interval:
        """Nearest distance."""
        ...

    @property
    def close_contact(self) -> bool:
        """Whether the policy is met."""
        ...


@dataclass(frozen=True, slots=True)
class ContactScore:
    """One line of a contact list beside the truth.

    Attributes:
        person: who it is; None if the line is about nobody of this run.
        pseudonym, minutes, nearest_m, close_contact: as listed.
        true_minutes, true_nearest_m: what happened (0 and infinite for nobody of this run).
        true_contact: whether the two met the policy in truth.
    """

    person: int | None
    pseudonym: str
    minutes: Interval
    nearest_m: Interval
    close_contact: bool
    true_minutes: float
    true_nearest_m: float
    true_contact: bool


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One index case.

    Attributes:
        person: whose log it was.
        listed: the contact list beside the truth, in the list's order.
        missed_people: true contacts with the app who are not listed as close contacts.
        true_contacts: how many true contacts with the app there were.
    """

    person: int
    listed: Sequence[ContactScore]
    missed_people: tuple[int, ...]
    true_contacts: int

    @property
    def found(self) -> int:
        """True contacts that are listed as close contacts."""
        return sum(line.close_contact and line.true_contact for line in self.listed)

    @property
    def missed(self) -> int:
        """True contacts that are not."""
        return len(self.missed_people)

    @property
    def false_contacts(self) -> int:
        """ListedContact as close contacts, yet none in truth."""
        return sum(line.close_contact and not line.true_contact for line in self.listed)


@dataclass(frozen=True, slots=True)
class Scores:
    """All cases together; a pair counts once for each of its two directions.

    Attributes:
        policy: what counts as a close contact.
        cases: one score per index case.
        tif: traceable interaction fraction: share found of true contacts who both have the app,
            with its central 90 % by cases; None if there was none.
        all_contacts: true contacts of everybody, with the app or without; 0 where not counted.
        found_of_all: share of those that the lists hold, with its central 90 % by people; None
            where they were not counted, there were none, or not everybody was a case.
        falsely_listed: share of those listed as close contacts who were none, with its central
            90 % by cases; None if none was listed.
        precision: share of those listed as close contacts who were; None if none was listed.
        minutes_mae: mean absolute error of the median minutes of everybody listed; None if nobody.
        minutes_mae_constant: the same of the best constant, for comparison.
        coverage: how often the interval of minutes held the true minutes (it should: 0.9).
    """

    policy: CloseContactPolicy
    cases: tuple[CaseScore, ...] = field(repr=False)
    tif: Measured | None
    all_contacts: int
    found_of_all: Measured | None
    falsely_listed: Measured | None
    precision: float | None
    minutes_mae: float | None
    minutes_mae_constant: float | None
    coverage: float | None

    @property
    def found(self) -> int:
        """True contacts that were listed."""
        return sum(case.found for case in self.cases)

    @property
    def missed(self) -> int:
        """True contacts that were not."""
        return sum(case.missed for case in self.cases)

    @property
    def false_contacts(self) -> int:
        """ListedContact, yet no contacts."""
        return sum(case.false_contacts for case in self.cases)

    def to_json(self) -> dict[str, object]:
        """Return the numbers for a machine to read."""
        return {
            "policy": self.policy.name,
            "within_m": self.policy.within_m,
            "minutes": self.policy.minutes,
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
        }


def trace(
    run: Run, person: int, policy: CloseContactPolicy, *, issuer: TempIDIssuer | None = None
) -> tuple[Contact, ...]:
    """Return the contact list that the authority makes of ``person``'s log.

    Args:
        run: the run.
        person: the index case, with the app.
        policy: what counts as a close contact.
        issuer: opens TempIDs; by default the run's own.

    Raises:
        ValueError: the TempIDs came from elsewhere and no issuer was given.
    """
    opener = issuer or run.issuer
    if opener is None:
        raise ValueError("this run's TempIDs came from an authority elsewhere; give its issuer")
    body = write_upload(run.logs[person].rows())
    opened = open_log(
        parse_upload(body).records,
        opener,
        uploader=run.user_ids[person],
        received_at=run.start + run.scenario.duration_s,
    )
    return contacts_of(opened.sightings, policy)


def score_case(
    run: Run,
    truth: Truth,
    person: int,
    contacts: Iterable[ListedContact],
    policy: CloseContactPolicy,
    *,
    naming_key: bytes = UNKEYED,
) -> CaseScore:
    """Return ``person``'s contact list beside the truth.

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
        true_minutes = 0.0 if other is None else float(truth.minutes[person, other])
        lines.append(
            ContactScore(
                person=other,
                pseudonym=contact.pseudonym,
                minutes=contact.minutes,
                nearest_m=contact.nearest_m,
                close_contact=contact.close_contact,
                true_minutes=true_minutes,
                true_nearest_m=np.inf if other is None else float(truth.nearest_m[person, other]),
                true_contact=other is not None and true_minutes >= policy.minutes,
            )
        )
    app = run.app
    true_people = app[(truth.minutes[person, app] >= policy.minutes) & (app != person)]
    found = {line.person for line in lines if line.close_contact}
    return CaseScore(
        person=person,
        listed=tuple(lines),
        missed_people=tuple(other for other in true_people.tolist() if other not in found),
        true_contacts=len(true_people),
    )


def score(
    run: Run,
    *,
    policy: CloseContactPolicy | None = None,
    cases: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Score the whole chain on a run.

    Args:
        run: the run, with its own issuer.
        policy: what counts as a close contact; by default the scenario's.
        cases: how many index cases, chosen by chance; by default everybody with the app.
        on_progress: told (cases done, cases in all).
    """
    rule = policy or run.scenario.policy.policy()
    truth = ground_truth(run.tracks, rule.within_m)
    people = run.app
    if cases is not None and cases < len(people):
        people = np.sort(Streams(run.seed).generator("cases").choice(people, cases, replace=False))
    scores = []
    for done, person in enumerate(people.tolist(), start=1):
        scores.append(score_case(run, truth, person, trace(run, person, rule), rule))
        if on_progress is not None:
            on_progress(done, len(people))
    met = truth.minutes >= rule.minutes
    np.fill_diagonal(met, val=False)
    return summary(scores, rule, seed=run.seed, contacts=met.sum(axis=1).astype(np.float64))


def summary(
    cases: Sequence[CaseScore],
    policy: CloseContactPolicy,
    *,
    seed: int,
    contacts: Floats | None = None,
) -> Scores:
    """Return all cases together, as their lines have it; see ``summary_of_columns``."""
    lines = [line for case in cases for line in case.listed]
    minutes = [(line.minutes.low, line.minutes.median, line.minutes.high) for line in lines]
    return summary_of_columns(
        cases,
        policy,
        seed=seed,
        found=np.array([case.found for case in cases], dtype=np.float64),
        false=np.array([case.false_contacts for case in cases], dtype=np.float64),
        contacts=contacts,
        minutes=np.array(minutes, dtype=np.float64).reshape(-1, 3).T,
        true_minutes=np.array([line.true_minutes for line in lines], dtype=np.float64),
    )


def summary_of_columns(
    cases: Sequence[CaseScore],
    policy: CloseContactPolicy,
    *,
    seed: int,
    found: Floats,
    false: Floats,
    contacts: Floats | None,
    minutes: Floats,
    true_minutes: Floats,
) -> Scores:
    """Return all cases together.

    Args:
        cases: c of them.
        policy: what counts as a close contact.
        seed: of the resampling.
        found: (c,) true contacts that each lists.
        false: (c,) how many each lists that are none.
        contacts: (P,) true contacts of every person, with the app or without; None if not known.
        minutes: (3, l) minutes of all lines: low, median, high.
        true_minutes: (l,) what happened.
    """
    true = np.array([case.true_contacts for case in cases], dtype=np.float64)
    low, median, high = minutes
    some = len(true_minutes) > 0
    listed = float(found.sum() + false.sum())
    constant = np.abs(np.median(true_minutes) - true_minutes).mean() if some else 0.0
    return Scores(
        policy=policy,
        cases=tuple(cases),
        tif=fraction(found, true, Streams(seed).generator("scores", "tif")),
        all_contacts=0 if contacts is None else int(contacts.sum()),
        found_of_all=_found_of_all(cases, found, contacts),
        falsely_listed=share_of_groups(false, found + false),
        precision=float(found.sum() / listed) if listed else None,
        minutes_mae=float(np.abs(median - true_minutes).mean()) if some else None,
        minutes_mae_constant=float(constant) if some else None,
        coverage=float(((low <= true_minutes) & (true_minutes <= high)).mean()) if some else None,
    )


def _found_of_all(
    cases: Sequence[CaseScore], found: Floats, contacts: Floats | None
) -> Measured | None:
    """Return the share found of all contacts; whoever lacks the app found none of theirs."""
    if contacts is None:
        return None
    found_by = np.zeros(len(contacts))
    people = [case.person for case in cases]
    found_by[people] = found
    return share_of_groups(found_by, contacts)


def fraction(found: Floats, true: Floats, chance: np.random.Generator) -> Measured | None:
    """Return found / true over cases with its central 90 %, by resampling whole cases.

    A case's contacts stand or fall together (one pocket, one phone), so contacts are not
    resampled one by one. Resampling few cases gives too narrow an interval: those go to
    ``share_of_groups``. None if there is nothing to find.
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
