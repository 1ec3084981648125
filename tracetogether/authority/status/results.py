"""Negative tests: one lifts every restriction by an order of kind contact, at once."""

from dataclasses import dataclass, replace

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import date_of_day
from tracetogether.authority.status.attempts import Attempting
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import Ending, Ground, Restriction
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.errors import InvalidRequestError, NotFoundError
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.plain_text import hidden_in

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class LaboratoryResult:
    """The result of a test. It is not stored: what it lifts says so.

    Attributes:
        negative: a positive test is a case, and not reported here.
        day: number of the day on which the sample was taken, of the authority's zone.
        laboratory: name of the laboratory.
    """

    negative: bool
    day: int
    laboratory: str


@dataclass(frozen=True, slots=True)
class LaboratoryResults:
    """Takes reports of tests; raises AccessDeniedError if the roles of ``by`` do not allow it."""

    store: RestrictingStore
    attempts: Attempting
    days: LocalDays = UTC_DAYS

    def check(self, user_id: str, result: LaboratoryResult, now: float, *, by: Caller) -> str:
        """Return the user id if a report would be taken, to ask before it is made.

        A refusal is recorded, as for ``report``, which also says what is raised.
        """
        by.require(Action.REPORT_TEST)
        with self.attempts.attempt("test.refused", now, by=by, subject=""):
            return self._checked(user_id, result, now)

    def report(
        self, user_id: str, result: LaboratoryResult, now: float, *, by: Caller
    ) -> list[Restriction]:
        """Lift a person's restrictions by orders of kind contact; return those lifted.

        A restriction that was set after the day of the test stays.

        Raises:
            NotFoundError: there is no such user.
            InvalidRequestError: the test is positive, of a later day, or of a nameless laboratory.
        """
        by.require(Action.REPORT_TEST)
        with self.attempts.attempt("test.refused", now, by=by, subject=""):
            user_id = self._checked(user_id, result, now)
            lifted = []
            for restriction in self.store.status.restrictions_of(user_id):
                if self._is_lifted(restriction, result, now):
                    over = replace(
                        restriction, ended_at=now, ended_by=by.name, ending=Ending.NEGATIVE_TEST
                    )
                    self.store.status.change_restriction(over)
                    lifted.append(over)
                    self.attempts.audit.record(
                        "restriction.lifted",
                        now,
                        by=by.name,
                        subject=over.restriction_id,
                        ground=over.ground.value,
                        reference=over.reference,
                        evidence="negative-test",
                    )
            self.attempts.audit.record(
                "test.reported",
                now,
                by=by.name,
                date=date_of_day(result.day),
                laboratory=result.laboratory.strip(),
                restrictions=len(lifted),
            )
        return lifted

    def _checked(self, user_id: str, result: LaboratoryResult, now: float) -> str:
        self._check(result, now)
        read = read_user_id(user_id)
        if not read.isascii() or not self.store.has_user(read):
            raise NotFoundError("there is no such user: check the id on the phone", "no-such-user")
        return read

    def _check(self, result: LaboratoryResult, now: float) -> None:
        name = result.laboratory.strip()
        if not result.negative:
            msg = "a positive test lifts nothing: `authority case open` opens a case"
            raise InvalidRequestError(msg, "positive-test")
        if result.day > self.days.day(now):
            raise InvalidRequestError("the day of the test is in the future", "test-in-future")
        if not 0 < len(name) <= _LONGEST_NAME or hidden_in(name):
            msg = "name the laboratory in one line of plain text of 1 to {most} characters"
            raise InvalidRequestError(msg, "laboratory-name", most=_LONGEST_NAME)

    def _is_lifted(self, restriction: Restriction, result: LaboratoryResult, now: float) -> bool:
        if restriction.ground is not Ground.ORDER or restriction.ended_at is not None:
            return False
        order = self.store.status.order(restriction.reference)
        return (
            order is not None
            and order.kind is OrderKind.CONTACT
            and now < restriction.until
            and result.day >= self.days.day(restriction.set_at)
        )
