"""What was exchanged with each partner in the last 25 days, as numbers."""

from dataclasses import dataclass

from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.handover.rows import AnswerCount, BatchState, OutgoingBatch, TakenBatch
from tracetogether.authority.handover.store import HandingStore
from tracetogether.authority.partners.partner import Partner
from tracetogether.authority.partners.recognition import Partners


@dataclass(frozen=True, slots=True)
class PartnerOverview:
    """A partner, and what went there and came from it.

    Attributes:
        partner: the partner.
        outgoing: batches that went or wait, the oldest first; their messages are left out.
        taken: batches that came.
        answers: what each side answered, by day and reason.
    """

    partner: Partner
    outgoing: tuple[OutgoingBatch, ...]
    taken: tuple[TakenBatch, ...]
    answers: tuple[AnswerCount, ...]

    @property
    def organisation(self) -> str:
        """Its code."""
        return self.partner.organisation

    @property
    def purposes(self) -> list[str]:
        """What is recognised of it."""
        return sorted(self.partner.purposes)

    @property
    def confirmed(self) -> bool:
        """Whether a second person compared its fingerprint."""
        return bool(self.partner.confirmed_by)

    @property
    def address(self) -> str:
        """Where records are sent."""
        return self.partner.address

    @property
    def until(self) -> float:
        """How long it is recognised, epoch seconds."""
        return self.partner.until

    @property
    def _waits(self) -> list[OutgoingBatch]:
        return [batch for batch in self.outgoing if batch.state is BatchState.WAITS]

    @property
    def waiting(self) -> int:
        """How many batches it does not have yet."""
        return len(self._waits)

    @property
    def tries(self) -> int:
        """Most tries in vain of a batch that waits."""
        return max((batch.tries for batch in self._waits), default=0)

    @property
    def fault(self) -> str:
        """Code of the last fault of a batch that waits; "" without one."""
        return next((batch.fault for batch in reversed(self._waits) if batch.fault), "")

    @property
    def sent_records(self) -> int:
        """How many records went there, over the network or as files."""
        gone = [batch for batch in self.outgoing if batch.state is not BatchState.WAITS]
        return sum(batch.records for batch in gone)

    @property
    def taken_batches(self) -> int:
        """How many batches came."""
        return len(self.taken)

    @property
    def taken_records(self) -> int:
        """How many records came."""
        return sum(batch.records for batch in self.taken)


@dataclass(frozen=True, slots=True)
class PartnersOverview:
    """Shows all partners with what was exchanged."""

    partners: Partners
    store: HandingStore

    def all(self, *, by: Caller) -> list[PartnerOverview]:
        """Return all partners by code."""
        by.require(Action.LIST_PARTNERS)
        keeps = self.store.handing
        return [
            PartnerOverview(
                partner,
                tuple(keeps.outgoing(partner.organisation)),
                tuple(keeps.taken(partner.organisation)),
                tuple(keeps.answers(partner.organisation)),
            )
            for partner in self.partners.all(by=by)
        ]
