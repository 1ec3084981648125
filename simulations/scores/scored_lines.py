"""All lines of all contact lists beside the truth, in columns; a line when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

import numpy as np

from simulations.scores.pair_truth import PairTruth
from simulations.scores.scoring import ContactScore
from tracetogether.authority.contacts.lines import UNKEYED, pseudonym
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Bools, Floats, Interval, Ints


@dataclass(frozen=True, slots=True)
class Listing:
    """Every line of every contact list: l pairs (case, person), ordered.

    Attributes:
        case, person: (l,) whose list, and who is on it.
        minutes: (3, l) minutes within the radius: 5 %, median, 95 %.
        nearest_m: (3, l) nearest distance, likewise.
        close_contact: (l,) whether the median reaches the policy's minutes.
    """

    case: Ints
    person: Ints
    minutes: Floats
    nearest_m: Floats
    close_contact: Bools


@dataclass(frozen=True)
class ScoredLines:
    """A listing beside the truth.

    Attributes:
        listing: what the authority lists.
        truth: what happened.
        user_ids: person -> user id, of those with the app.
        policy: what counts as a close contact.
    """

    listing: Listing
    truth: PairTruth = field(repr=False)
    user_ids: Mapping[int, str] = field(repr=False)
    policy: CloseContactPolicy

    @cached_property
    def true_minutes(self) -> Floats:
        """Return (l,) minutes that the two were within the policy's distance."""
        return self.truth.minutes_of(self.listing.case, self.listing.person)

    @cached_property
    def true_contact(self) -> Bools:
        """Return (l,) whether the two met the policy in truth."""
        return self.true_minutes >= self.policy.minutes

    @cached_property
    def true_nearest_m(self) -> Floats:
        """Return (l,) how near the two came."""
        return self.truth.nearest_m_of(self.listing.case, self.listing.person)

    def line(self, row: int) -> ContactScore:
        """Return one line."""
        listing = self.listing
        person = int(listing.person[row])
        return ContactScore(
            person=person,
            pseudonym=pseudonym(self.user_ids[person], UNKEYED),
            minutes=Interval(*listing.minutes[:, row].tolist()),
            nearest_m=Interval(*listing.nearest_m[:, row].tolist()),
            close_contact=bool(listing.close_contact[row]),
            true_minutes=float(self.true_minutes[row]),
            true_nearest_m=float(self.true_nearest_m[row]),
            true_contact=bool(self.true_contact[row]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class LinesOfCase(Sequence[ContactScore]):
    """One case's lines: rows ``begin`` to ``end`` of all; equal to any that hold the same."""

    lines: ScoredLines
    begin: int
    end: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __len__(self) -> int:
        return self.end - self.begin

    def __iter__(self) -> Iterator[ContactScore]:
        return map(self.lines.line, range(self.begin, self.end))

    @overload
    def __getitem__(self, index: int) -> ContactScore: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ContactScore]: ...

    def __getitem__(self, index: int | slice) -> ContactScore | Sequence[ContactScore]:
        rows = range(self.begin, self.end)[index]
        return self.lines.line(rows) if isinstance(rows, int) else [*map(self.lines.line, rows)]


def pairs_that_are_close(listing: Listing, people: int) -> Ints:
    """Return ``case * people + person`` of all lines of close contacts, ascending."""
    close = np.flatnonzero(listing.close_contact)
    return np.asarray(listing.case[close] * people + listing.person[close], dtype=np.int64)
