"""Cases: a user who tested positive, and the day from which contacts are counted back."""

import os
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - `date` is the name of a property here
from typing import Final, Protocol

from tracetogether.authority.access import UserStore
from tracetogether.authority.audit import Audit
from tracetogether.authority.operators import CONSOLE, Caller
from tracetogether.errors import ConflictError, NotFoundError
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY, Entropy, utc_day

_EPOCH: Final = Date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Case:
    """One diagnosed user.

    Attributes:
        case_id: random, ten characters.
        user_id: who was diagnosed.
        day: UTC day number of the case's date (diagnosis or first symptoms).
        opened_at: epoch seconds.
        active_at: when it was opened or last given an upload PIN; retention counts from here.
    """

    case_id: str
    user_id: str = field(repr=False)
    day: int
    opened_at: float
    active_at: float

    @property
    def traced_from(self) -> float:
        """Start of the traced span: 14 whole days before the case's date."""
        return float((self.day - RETENTION.traced_days) * SECONDS_PER_DAY)

    @property
    def traced_until(self) -> float:
        """End of the traced span (exclusive): the end of the case's date itself."""
        return float((self.day + 1) * SECONDS_PER_DAY)

    @property
    def date(self) -> str:
        """The case's date as YYYY-MM-DD."""
        return Date.fromordinal(_EPOCH + self.day).isoformat()


class CaseStore(Protocol):
    """Where cases are kept."""

    def add_case(self, case: Case) -> bool:
        """Write down a new case; False if its id is taken."""
        ...

    def case(self, case_id: str) -> Case | None:
        """Return a case."""
        ...

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        ...

    def touch_case(self, case_id: str, now: float) -> bool:
        """Note that the case is being worked on; False if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Casework:
    """What an operator does with cases."""

    store: CaseStore
    users: UserStore
    audit: Audit
    entropy: Entropy = os.urandom

    def open_case(
        self, user_id: str, now: float, day: int | None = None, *, by: Caller = CONSOLE
    ) -> Case:
        """Open a case for a registered user.

        Args:
            user_id: who was diagnosed.
            now: epoch seconds.
            day: UTC day number of the case's date; today if None.
            by: on whose behalf.

        Raises:
            NotFoundError: there is no such user.
            ConflictError: the date lies in the future, or so far back that no log reaches it.
        """
        today = utc_day(now)
        day = today if day is None else day
        if day > today + 1:  # east of Greenwich tomorrow has begun
            msg = "the case's date lies in the future: give the day of diagnosis"
            raise ConflictError(msg)
        if day < today - RETENTION.log_s // SECONDS_PER_DAY:
            msg = "the case's date lies more than 21 days back: no phone's log reaches it"
            raise ConflictError(msg)
        if not user_id.isascii() or not self.users.has_user(user_id):
            msg = "there is no such user: check the id on the phone"
            raise NotFoundError(msg)
        case = Case(new_case_id(self.entropy), user_id, day, now, now)
        with self.audit.atomic():
            if not self.store.add_case(case):
                msg = "the new case's id is already taken: try again"
                raise ConflictError(msg)
            self.audit.record("case.opened", now, by=by.name, subject=case.case_id, date=case.date)
        return case

    def case(self, case_id: str) -> Case:
        """Return a case.

        Raises:
            NotFoundError: there is none.
        """
        found = self.store.case(case_id) if case_id.isascii() else None
        if found is None:
            msg = "there is no such case: `authority case list` shows those there are"
            raise NotFoundError(msg)
        return found

    def cases(self) -> Sequence[Case]:
        """Return all cases, the newest first."""
        return self.store.cases()


def new_case_id(entropy: Entropy = os.urandom) -> str:
    """Return a random case id: ten characters that can be read out."""
    return b32encode(entropy(7)).decode()[:10]


def day_of(date: Date) -> int:
    """Return the number of a calendar day, as ``units.utc_day`` counts them."""
    return date.toordinal() - _EPOCH
