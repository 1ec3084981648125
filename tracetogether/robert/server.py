"""The server of ROBERT in memory: registrations, tuples, status requests, uploads of HELLOs.

Values in, values out: no clock, no network. It knows ids and keys, and whose an EBID is; it does
not know whose an id is. Who judges the readings of an upload says whom to tell (``expose``): a
score or a policy, not this room.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tracetogether.crypto import AgreementKey
from tracetogether.diagnosis import InvalidReportError
from tracetogether.robert.keys import (
    ID_BYTES,
    NTP_OFFSET,
    Registrations,
    ServerKeys,
    phone_keys,
)
from tracetogether.robert.near import TOLERANCE_S, near
from tracetogether.robert.registration import EXPOSED, NOT_EXPOSED, START_BYTES
from tracetogether.robert.report import read_records
from tracetogether.robert.skinny import decrypt_blocks
from tracetogether.robert.status import RequestKind, StatusRequest, checked_request, read_request
from tracetogether.robert.tuples import seal_tuples
from tracetogether.sightings import Sightings
from tracetogether.units import Entropy

_WRAP: Final = 2**32


@dataclass(slots=True)
class _Registered:
    """One phone.

    Attributes:
        mac_key, tuples_key: shared with it.
        asked: NTP time of its last request, seconds; it answers no older one.
        exposed: whether it was exposed since it last asked.
    """

    mac_key: bytes = field(repr=False)
    tuples_key: bytes = field(repr=False)
    asked: int = -1
    exposed: bool = False


class RobertServer:
    """What a server of ROBERT does.

    Args:
        keys: keys of the days, federation and country.
        agreement: the key pair by which phones register; a new one if None.
        entropy: where ids and IVs come from.
    """

    def __init__(
        self,
        keys: ServerKeys,
        agreement: AgreementKey | None = None,
        entropy: Entropy = os.urandom,
    ) -> None:
        self._keys = keys
        self._agreement = agreement or AgreementKey.from_entropy(entropy)
        self._entropy = entropy
        self._phones: dict[int, _Registered] = {}

    def __repr__(self) -> str:
        return f"RobertServer({len(self._phones)} phones)"

    @property
    def public(self) -> bytes:
        """The public key that every app carries, 65 bytes."""
        return self._agreement.public

    @property
    def registered(self) -> Registrations:
        """The phones as ``near`` wants them."""
        ids = [number.to_bytes(ID_BYTES) for number in self._phones]
        return Registrations.of(ids, [phone.mac_key for phone in self._phones.values()])

    def register(self, phone_public: bytes, now: float) -> bytes:
        """Take a new phone; return the answer for it.

        Raises:
            InvalidReportError: the public key is no point of P-256.
        """
        shared = self._agreement.shared(phone_public)
        if shared is None:
            raise InvalidReportError("a phone's public key is no point of P-256")
        number = int.from_bytes(self._entropy(ID_BYTES))
        while number in self._phones:
            number = int.from_bytes(self._entropy(ID_BYTES))
        self._phones[number] = _Registered(*phone_keys(shared))
        return self._keys.start.to_bytes(START_BYTES) + self._tuples(number, now)

    def status(self, request: bytes, now: float) -> bytes:
        """Answer a status request: whether the phone was exposed since it last asked, and tuples.

        Raises:
            InvalidReportError: no known phone wrote it, its time is off by more than 180 seconds,
                or it was answered before.
        """
        number = self._asking(request, RequestKind.STATUS, now)
        phone = self._phones[number]
        said = EXPOSED if phone.exposed else NOT_EXPOSED
        phone.exposed = False  # what comes later counts again
        return said + self._tuples(number, now)

    def unregister(self, request: bytes, now: float) -> None:
        """Forget a phone that asks for it; its EBIDs are those of nobody from now on.

        Raises:
            InvalidReportError: as ``status``.
        """
        del self._phones[self._asking(request, RequestKind.UNREGISTER, now)]

    def delete_history(self, request: bytes, now: float) -> None:
        """Forget the exposures of a phone that asks for it.

        Raises:
            InvalidReportError: as ``status``.
        """
        self._phones[self._asking(request, RequestKind.DELETE_HISTORY, now)].exposed = False

    def take(self, upload: bytes, now: float) -> Sightings:
        """Open what a case uploads; a peer is the id of a phone, 10 hexadecimal digits.

        Raises:
            InvalidReportError: the upload is damaged or cut off.
        """
        return near(read_records(upload, now), self._keys, self.registered)

    def expose(self, peers: Iterable[str]) -> None:
        """Note that phones were exposed: peers of ``take`` that somebody judged to be so."""
        for peer in peers:
            phone = self._phones.get(int(peer, 16))
            if phone is not None:
                phone.exposed = True

    def _tuples(self, number: int, now: float) -> bytes:
        key = self._phones[number].tuples_key
        return seal_tuples(self._keys, number, key, now, entropy=self._entropy)

    def _asking(self, request: bytes, kind: RequestKind, now: float) -> int:
        """Return the id of the phone that wrote a request."""
        said = read_request(request)
        number = self._opened(said)
        phone = self._phones.get(number)
        if phone is None:
            raise InvalidReportError("a request of a phone that is not registered")
        checked_request(request, kind, phone.mac_key)
        here = (int(now) + NTP_OFFSET) % _WRAP
        apart = (here - said.ntp_s + _WRAP // 2) % _WRAP - _WRAP // 2
        if abs(apart) > TOLERANCE_S:
            raise InvalidReportError(f"a request whose time is off by {abs(apart)} seconds")
        time = int(now) - apart
        if time <= phone.asked:
            raise InvalidReportError("a request that was answered before")
        phone.asked = time
        return number

    def _opened(self, said: StatusRequest) -> int:
        """Return the id that an EBID holds, -1 where none is in it."""
        epoch = said.epoch or 0
        day = int(self._keys.day_of(np.array([epoch]))[0])
        if day not in self._keys.day_keys:
            return -1
        block = np.frombuffer(said.ebid, np.uint8).reshape(1, -1)
        word = int.from_bytes(decrypt_blocks(self._keys.day_keys[day], block).tobytes())
        held, number = divmod(word, 1 << 8 * ID_BYTES)
        return number if held == epoch else -1
