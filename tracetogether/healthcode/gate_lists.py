"""What a gate holds: trust list and list of revoked passes, and whether they are too old."""

from dataclasses import dataclass
from typing import Self

from tracetogether.crypto import VerifyingKey
from tracetogether.errors import ClockError
from tracetogether.healthcode.checking import check
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.healthcode.verdicts import Admitted, Refused
from tracetogether.parameters import PASSES
from tracetogether.signed.trust import TrustList
from tracetogether.units import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class GateLists:
    """The lists that a gate judges by.

    Attributes:
        trust: who may sign passes.
        revoked: which passes are refused though they are signed.
    """

    trust: TrustList
    revoked: RevocationList

    @classmethod
    def read(cls, trust: bytes, revoked: bytes, key: VerifyingKey) -> Self:
        """Read both lists, which the authority's key for lists has signed.

        Raises:
            UnreadableMessageError, TrustError: a list is damaged, or signed by another key.
        """
        return cls(TrustList.read(trust, key), RevocationList.read(revoked, key))

    @property
    def issued_at(self) -> float:
        """When the older of the two lists was made, epoch seconds."""
        return min(self.trust.issued, self.revoked.issued_at)

    def check_age(self, now: float) -> None:
        """Return if a gate may judge by these lists at ``now`` (epoch seconds).

        Raises:
            ClockError: a list is older than 24 hours, or the clock lies more than two minutes
                before a list. Either the lists or the clock are wrong.
        """
        newest = max(self.trust.issued, self.revoked.issued_at)
        if now < newest - PASSES.clock_skew_s:
            msg = (
                "this gate's clock lies {minutes} min before its list of revoked passes: set "
                "the clock"
            )
            raise ClockError(msg, "gate-clock-behind", minutes=round((newest - now) / 60))
        age = now - self.issued_at
        if age > PASSES.list_valid_s:
            msg = (
                "this gate's lists are {hours} hours old, and count for {most}: connect the gate "
                "to a network, or check its clock"
            )
            raise ClockError(
                msg,
                "gate-lists-old",
                hours=int(age // SECONDS_PER_HOUR),
                most=PASSES.list_valid_s // SECONDS_PER_HOUR,
            )

    def judge(self, text: str, now: float) -> Admitted | Refused:
        """Return the verdict on a code's text; no text raises."""
        return check(text, self.trust, self.revoked, now)
