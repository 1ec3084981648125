"""How a phone registers, and asks the server for its status: the phone's half of both.

The app knows the server's public key. A phone draws a P-256 key pair and sends its public key. Both
sides derive the phone's keys from what they share (ECDH): one for MACs, one for tuples. The server
gives the phone an id, which the phone never sees.

    answer to a registration = when epoch 0 began, epoch seconds (8) | sealed tuples
    answer to a status request = 1 if the phone was exposed since it last asked, else 0 | tuples
"""

import os
from dataclasses import dataclass, field
from typing import Final

from tracetogether.crypto import AgreementKey
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import LocalProtocolError
from tracetogether.robert.keys import ntp_of, phone_keys
from tracetogether.robert.status import RequestKind, write_request
from tracetogether.robert.tuples import HelloTuples
from tracetogether.units import Entropy

START_BYTES: Final = 8
EXPOSED: Final = b"\x01"
NOT_EXPOSED: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class RobertRegistration:
    """What a phone keeps of its registration.

    Attributes:
        mac_key, tuples_key: shared with the server, 32 bytes each.
        start: epoch seconds at which epoch 0 began.
    """

    mac_key: bytes = field(repr=False)
    tuples_key: bytes = field(repr=False)
    start: int

    def tuples(self, sealed: bytes, issued_at: float | None = None) -> HelloTuples:
        """Open tuples that the server sent.

        Raises:
            InvalidReportError: they are damaged, or of another phone.
        """
        return HelloTuples.opened(
            sealed,
            mac_key=self.mac_key,
            tuples_key=self.tuples_key,
            start=self.start,
            issued_at=issued_at,
        )

    def request(self, kind: RequestKind, batch: HelloTuples, now: float) -> bytes:
        """Return the 48 bytes of a request, which one of the phone's own EBIDs names.

        Raises:
            LocalProtocolError: the phone has no tuple of this epoch.
        """
        said = batch.at(now)
        if said is None:
            raise LocalProtocolError("a phone without a tuple of this epoch can't ask: register")
        return write_request(self.mac_key, kind, said[1:], batch.epoch_of(now), ntp_of(now))

    def status(self, answer: bytes, issued_at: float | None = None) -> tuple[bool, HelloTuples]:
        """Read the answer to a status request: whether the phone was exposed, and new tuples.

        Raises:
            InvalidReportError: it is damaged, or of another phone.
        """
        if answer[:1] not in {EXPOSED, NOT_EXPOSED}:
            raise InvalidReportError("a status that is neither 0 nor 1")
        return answer[:1] == EXPOSED, self.tuples(answer[1:], issued_at)


class PhoneEnrolment:
    """A phone that registers: the pair of keys it does that with.

    Args:
        server_public: the server's public key, 65 bytes, as the app carries it.
        entropy: where the secret key comes from.

    Raises:
        InvalidReportError: the server's key is no point of P-256.
    """

    __slots__ = ("_shared", "public")

    def __init__(self, server_public: bytes, entropy: Entropy = os.urandom) -> None:
        own = AgreementKey.from_entropy(entropy)
        shared = own.shared(server_public)
        if shared is None:
            raise InvalidReportError("the server's public key is no point of P-256")
        self._shared = shared
        self.public = own.public
        """What the phone sends, 65 bytes."""

    def finished(
        self, answer: bytes, issued_at: float | None = None
    ) -> tuple[RobertRegistration, HelloTuples]:
        """Read the server's answer: what to keep, and the first tuples.

        Raises:
            InvalidReportError: it is damaged, or meant for another phone.
        """
        mac_key, tuples_key = phone_keys(self._shared)
        start = int.from_bytes(answer[:START_BYTES])
        registered = RobertRegistration(mac_key, tuples_key, start)
        return registered, registered.tuples(answer[START_BYTES:], issued_at)
