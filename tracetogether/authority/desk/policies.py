"""Whom tracers call: the policies, their least chance, and what calls are expected to find."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.case import OPEN_STATES
from tracetogether.authority.cases.casework import Casework
from tracetogether.authority.contacts.costs import CostCurve, checked_chance
from tracetogether.authority.desk.finding import ContactFinder
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.authority.tracing.one_case import LEAST_CHANCE, POLICIES, Tracing
from tracetogether.parameters import CloseContactPolicy


@dataclass(frozen=True, slots=True)
class Costs:
    """Calls against contacts found, of one case or of all open cases of a caller.

    Attributes:
        policy: what counts as a contact, and the least chance that is set.
        case_id: the only case that is counted; "" for all open cases.
        cases: how many cases with contacts are counted.
        curve: the curve.
    """

    policy: CloseContactPolicy
    case_id: str
    cases: int
    curve: CostCurve = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallPolicies:
    """Shows and sets how likely a contact must be to be called.

    A method checks ``by``, and raises AccessDeniedError if that caller's roles do not allow it.
    """

    tracing: Tracing
    finder: ContactFinder
    casework: Casework
    store: IntakeStore
    audit: Audit

    def all(self, *, by: Caller) -> Mapping[str, CloseContactPolicy]:
        """Return all policies by name, with the least chance that is set."""
        by.require(Action.SHOW_COSTS)
        return {name: self.tracing.policy(name) for name in POLICIES}

    def costs(self, name: str = "singapore", case_id: str = "", *, by: Caller) -> Costs:
        """Return calls against expected contacts, of the cases that ``by`` needs to know.

        A person on the lists of two cases counts twice.

        Args:
            name: of the policy.
            case_id: the only case to count; "" for all open ones.
            by: the caller.

        Raises:
            InvalidRequestError: there is no such policy.
            NotFoundError: there is no such case that ``by`` needs to know.
        """
        by.require(Action.SHOW_COSTS)
        policy = self.tracing.policy(name)
        if case_id:
            cases = [self.casework.case(case_id, by=by)]
        else:
            with_logs = {kept_id for kept_id, _ in self.store.all_upload_ids()}
            cases = [
                case
                for case in self.store.cases()
                if case.state in OPEN_STATES
                and case.case_id in with_logs
                and by.needs_to_know(case.assigned_to)
            ]
        lists = [self.tracing.found(case, policy).contacts for case in cases]
        chances = np.array([contact.probability for contacts in lists for contact in contacts])
        counted = sum(len(contacts) > 0 for contacts in lists)
        return Costs(policy, case_id, counted, CostCurve.of(chances))

    def set_least_chance(self, least_chance: float, now: float, *, by: Caller) -> int:
        """Set how likely a contact must be to be close, under every policy.

        The contacts of open cases are judged again: who is close now and was not is to be called.
        Who is on the call list stays there. The audit log records the old and the new value.

        Args:
            least_chance: 0.01 to 0.99; 0.3 is the default.
            now: epoch seconds.
            by: the caller.

        Returns:
            The number of open cases that were judged again.

        Raises:
            InvalidRequestError: it is no such number; nothing was changed.
        """
        by.require(Action.SET_LEAST_CHANCE)
        chosen, before = checked_chance(least_chance), self.tracing.policy().least_chance
        with self.audit.atomic():
            self.store.put_setting(LEAST_CHANCE, repr(float(chosen)))
            self.audit.record(
                "policy.least-chance-set",
                now,
                by=by.name,
                least_chance=f"{chosen:g}",
                before=f"{before:g}",
            )
        cases = [case for case in self.store.cases() if case.state in OPEN_STATES]
        for case in cases:
            self.finder.judge_again(case, now)
        return len(cases)
