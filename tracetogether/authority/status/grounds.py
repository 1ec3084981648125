"""Checks whether a ground and its evidence carry a restriction."""

from dataclasses import dataclass

from tracetogether.authority.access.permissions import Caller
from tracetogether.authority.cases.case import OPEN_STATES, CaseState
from tracetogether.authority.cases.followed import person_tags
from tracetogether.authority.status.declarations import Declarations
from tracetogether.authority.status.order import Order, OrderKind
from tracetogether.authority.status.ordering import found_order
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionEvidence
from tracetogether.authority.status.store import RestrictingStore
from tracetogether.errors import AccessDeniedError, ConflictError, InvalidRequestError
from tracetogether.keyring import KeyRing

_NOT_OF_ORDERS = frozenset({RestrictionEvidence.DIAGNOSIS})


@dataclass(frozen=True, slots=True)
class Grounds:
    """Checks the reference and the evidence of a restriction, and changes nothing."""

    store: RestrictingStore
    keys: KeyRing
    declarations: Declarations

    def check(self, restriction: Restriction, now: float, *, by: Caller) -> Order | None:
        """Return the order that a restriction rests on, None for a case, if it carries it now.

        Raises:
            NotFoundError: there is no such order.
            ConflictError: there is no such case of this person, it is closed or unconfirmed, or
                the order is over.
            InvalidRequestError: the evidence does not fit the ground.
            AccessDeniedError: ``by`` registered the order.
        """
        if restriction.ground is Ground.CASE:
            self._check_case(restriction)
            return None
        order = found_order(self.store, restriction.reference)
        if not order.in_force(now):
            raise ConflictError("the order is over: nobody is restricted by it", "order-over")
        if restriction.until > order.ends_at:
            msg = "the restriction would end after the order: give an earlier end"
            raise InvalidRequestError(msg, "longer-than-order")
        if order.registered_by == by.name:
            msg = "you registered this order: other people restrict by it"
            raise AccessDeniedError(msg, "own-order")
        self._check_evidence(restriction, order, now)
        return order

    def closed(self, restriction: Restriction, now: float) -> bool:
        """Return whether the case that a restriction rests on was closed at ``now``."""
        if restriction.ground is not Ground.CASE:
            return False
        case = self.store.case(restriction.reference)
        if case is None or case.state is not CaseState.CLOSED:
            return False
        return case.closed_at is None or case.closed_at <= now

    def _check_case(self, restriction: Restriction) -> None:
        reference = restriction.reference
        case = self.store.case(reference) if reference.isascii() else None
        # One answer for all three: nobody learns here who has which case.
        if case is None or case.user_id != restriction.user_id or case.state not in OPEN_STATES:
            msg = (
                "the reference is no open case of this person: a contact of a case is restricted "
                "by an order only"
            )
            raise ConflictError(msg, "no-open-case-of-person")
        if case.unconfirmed:
            msg = "nobody has confirmed this case yet: an issuer can"
            raise ConflictError(msg, "case-not-confirmed")
        if restriction.evidence is RestrictionEvidence.NONE:
            raise _needs_evidence()

    def _check_evidence(self, restriction: Restriction, order: Order, now: float) -> None:
        evidence = restriction.evidence
        if evidence is RestrictionEvidence.NONE and order.kind is not OrderKind.BORDER:
            raise _needs_evidence()
        if evidence in _NOT_OF_ORDERS:
            msg = "a diagnosis is the ground of the person's own case, and not of an order"
            raise InvalidRequestError(msg, "evidence-of-case")
        if evidence is RestrictionEvidence.CONTACT_LINE and not self._spoken_to(restriction, now):
            # A contact list is a computer's guess from signal strength. In the simulator a rule
            # "close contact, so restricted" is wrong for 30 to 88 % of those whom it restricts.
            msg = (
                "Bluetooth contact alone restricts nobody: no tracer has spoken to this person as "
                "a contact. Call first, or test"
            )
            raise InvalidRequestError(msg, "bluetooth-alone")

        if evidence is RestrictionEvidence.OWN_DECLARATION:
            declared = self.declarations.latest(restriction.user_id, now)
            if declared is None or not declared.symptoms:
                msg = "this person declared no symptoms in the last 21 days: give other evidence"
                raise InvalidRequestError(msg, "not-declared")

    def _spoken_to(self, restriction: Restriction, now: float) -> bool:
        tags = person_tags(restriction.user_id, now, self.keys)
        return any(
            contact.close_contact and contact.traced_at is not None
            for contact in self.store.desk.tagged(tags)
        )


def _needs_evidence() -> InvalidRequestError:
    msg = "give the evidence: only an order of kind border restricts without any"
    return InvalidRequestError(msg, "evidence-needed")
