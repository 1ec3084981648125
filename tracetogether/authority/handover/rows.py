"""What a store keeps of records that go to partners and come from them."""

from dataclasses import dataclass, field
from enum import Enum


class BatchState(Enum):
    """How far a batch to a partner has come."""

    WAITS = "waits"
    SENT = "sent"  # the partner has it
    EXPORTED = "exported"  # written to a file that somebody carries


@dataclass(frozen=True, slots=True)
class Handover:
    """The records of one log that are one partner's; the numbers are shown with the case.

    Attributes:
        token_id, case_id: the upload.
        organisation: the partner.
        hour: hours since 1970-01-01 in which the log came.
        tempids: how many TempIDs of the partner it holds.
        people: how many people they are of, at least.
        records: how many records.
        packed_at: when they were put into a batch, epoch seconds; None before.
    """

    token_id: str = field(repr=False)
    organisation: str
    case_id: str
    hour: int
    tempids: int
    people: int
    records: int
    packed_at: float | None = None


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """A batch for a partner, sealed to it: we can't read it any more.

    Attributes:
        digest: its name, 64 hexadecimal digits.
        organisation: the partner.
        hour: of the logs.
        records: how many records.
        message: what is sent.
        made_at: epoch seconds.
        state: how far it has come.
        tries: how often it was sent in vain.
        next_try_at: epoch seconds before which it is not sent again.
        sent_at: when the partner got it, or it was written to a file; None before.
        fault: code of the last fault; "" if there is none.
    """

    digest: str
    organisation: str
    hour: int
    records: int
    message: bytes = field(repr=False)
    made_at: float
    state: BatchState = BatchState.WAITS
    tries: int = 0
    next_try_at: float = 0.0
    sent_at: float | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class TakenBatch:
    """A batch that came from a partner; its digest is kept so that it counts once.

    Attributes:
        digest: its name, 64 hexadecimal digits.
        organisation: the partner.
        hour: of the logs there.
        records, accepted: how many records it had, and how many were of our people.
        received_at: epoch seconds.
    """

    digest: str
    organisation: str
    hour: int
    records: int
    accepted: int
    received_at: float


@dataclass(frozen=True, slots=True)
class AnswerCount:
    """How many TempIDs of a day met one fate.

    Attributes:
        organisation: the partner.
        day: UTC day of receipt.
        ours: whether they are the partner's records that we judged; else it judged ours.
        reason: "accepted", or why not.
        count: how many; as the partner answered, if it judged.
    """

    organisation: str
    day: int
    ours: bool
    reason: str
    count: int
