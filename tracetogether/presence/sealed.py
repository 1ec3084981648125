"""Sealed visits: what a case publishes of a visit, readable only with the place's id.

The form is the Corona-Warn-App's ``CheckInProtectedReport``. A digest of the place's id lets a
phone look for its own places. The time is encrypted (AES-CBC, then HMAC-SHA-256) under keys out of
the id, so that nobody reads it who has not seen the poster.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Self

from tracetogether.crypto import (
    aes_cbc_open,
    aes_cbc_seal,
    equal,
    hmac_sha256,
    sha256,
)
from tracetogether.errors import SealError, UnreadableMessageError
from tracetogether.parameters import VISITS
from tracetogether.protobuf import (
    BYTES,
    VARINT,
    bytes_field,
    last_bytes,
    last_number,
    number_field,
    read_fields,
)
from tracetogether.units import Entropy

ID_BYTES: Final = 32
IV_BYTES: Final = 16
CIPHERTEXT_BYTES: Final = 16
MAC_BYTES: Final = 32
COLUMNS_BYTES: Final = ID_BYTES + IV_BYTES + CIPHERTEXT_BYTES + MAC_BYTES
MOST_LEVEL: Final = 8
_SIZES: Final = (ID_BYTES, IV_BYTES, CIPHERTEXT_BYTES, MAC_BYTES)
_REPORT: Final = dict.fromkeys(range(1, 5), BYTES)
_RECORD: Final = dict.fromkeys(range(1, 4), VARINT)
_MOST_INTERVAL: Final = 253_402_300_800 // VISITS.interval_s  # year 10000


@dataclass(frozen=True, slots=True)
class WarnedTime:
    """When a case was at a place, in intervals of 10 minutes.

    Attributes:
        start: number of the first interval since 1970 (epoch seconds / 600).
        period: how many intervals.
        level: 1 to 8, how much the case's test and symptoms say (Corona-Warn-App); 0 if unknown.
    """

    start: int
    period: int
    level: int = 0

    @property
    def start_s(self) -> int:
        """When it begins, epoch seconds."""
        return self.start * VISITS.interval_s

    @property
    def end_s(self) -> int:
        """When it ends, epoch seconds."""
        return (self.start + self.period) * VISITS.interval_s

    @classmethod
    def of_stay(cls, start: float, end: float, level: int = 0) -> Self | None:
        """Return what is warned of a stay [start, end), epoch seconds; None if it was too short.

        The rule is the Corona-Warn-App's. A stay of less than 10 minutes counts for nothing. The
        air stays infectious after the case has left: as long again as the stay, at most 30
        minutes. The whole is rounded to intervals, and moved to that side on which it covers more.
        """
        if end - start < VISITS.least_s:
            return None
        step = VISITS.interval_s
        until = end + min(end - start, VISITS.air_s)
        periods = max(int((until - start) / step + 0.5), 1)
        first, last = int(start // step), int(until // step)
        covered_first, covered_last = (first + 1) * step - start, until - last * step
        if covered_last > covered_first:
            first = last + 1 - periods
        return cls(first, periods, level)


@dataclass(frozen=True, slots=True)
class SealedVisit:
    """A visit of a case as everybody may download it.

    Attributes:
        place: SHA-256 of the place's id, 32 bytes.
        iv: 16 bytes.
        ciphertext: the time, 16 bytes.
        mac: HMAC-SHA-256 over iv and ciphertext, 32 bytes.
    """

    place: bytes
    iv: bytes
    ciphertext: bytes = field(repr=False)
    mac: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if tuple(map(len, self._parts())) != _SIZES:
            raise UnreadableMessageError("a sealed visit has values of a wrong size", "sealed-form")

    @classmethod
    def seal(cls, location_id: bytes, time: WarnedTime, entropy: Entropy) -> Self:
        """Return a visit sealed under its place's id.

        Args:
            location_id: 32 bytes, as of ``Poster.location_id``.
            time: when the case was there.
            entropy: a source of secret bytes, for the IV.
        """
        record = number_field(1, time.start) + number_field(2, time.period)
        record += number_field(3, time.level) if time.level else b""
        iv = entropy(IV_BYTES)
        ciphertext = aes_cbc_seal(encryption_key(location_id), iv, record)
        mac = hmac_sha256(mac_key(location_id), iv + ciphertext)
        return cls(sha256(location_id), iv, ciphertext, mac)

    @classmethod
    def fake(cls, entropy: Entropy) -> Self:
        """Return random bytes of the same form: hides how many visits are real ones."""
        return cls.from_columns(entropy(COLUMNS_BYTES))

    def open(self, location_id: bytes) -> WarnedTime:
        """Return when the case was at the place.

        Raises:
            SealError: the visit was changed, or is of another place.
            UnreadableMessageError: what was sealed is no time.
        """
        mac = hmac_sha256(mac_key(location_id), self.iv + self.ciphertext)
        if sha256(location_id) != self.place or not equal(mac, self.mac):
            raise SealError("the visit was changed, or is of another place")
        record = aes_cbc_open(encryption_key(location_id), self.iv, self.ciphertext)
        fields = read_fields(record, _RECORD, "a sealed visit")
        start, period, level = (last_number(fields, number) for number in (1, 2, 3))
        most = VISITS.longest_s // VISITS.interval_s
        if start > _MOST_INTERVAL or not 0 < period <= most or level > MOST_LEVEL:
            raise UnreadableMessageError("a sealed visit holds no time", "sealed-time")
        return WarnedTime(start, period, level)

    def to_bytes(self) -> bytes:
        """Return the visit as the Corona-Warn-App sends it: 104 bytes."""
        return b"".join(bytes_field(at, part) for at, part in enumerate(self._parts(), 1))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote.

        Raises:
            UnreadableMessageError: it is none.
        """
        fields = read_fields(data, _REPORT, "a sealed visit")
        return cls(*(last_bytes(fields, number) for number in (1, 2, 3, 4)))

    def to_columns(self) -> bytes:
        """Return the four values one after the other: 96 bytes."""
        return b"".join(self._parts())

    @classmethod
    def from_columns(cls, data: bytes) -> Self:
        """Read what ``to_columns`` wrote.

        Raises:
            UnreadableMessageError: the bytes are not 96.
        """
        return cls(*(data[at:end] for at, end in pairwise((0, 32, 48, 64, len(data)))))

    def _parts(self) -> tuple[bytes, bytes, bytes, bytes]:
        return self.place, self.iv, self.ciphertext, self.mac


def encryption_key(location_id: bytes) -> bytes:
    """Return the key under which a place's times are encrypted."""
    return sha256(b"CWA-ENCRYPTION-KEY" + location_id)


def mac_key(location_id: bytes) -> bytes:
    """Return the key by which a place's times are authenticated."""
    return sha256(b"CWA-MAC-KEY" + location_id)


def shuffled(visits: Iterable[SealedVisit]) -> list[SealedVisit]:
    """Return the visits by their bytes: an order that says nothing of who sent them."""
    return sorted(visits, key=SealedVisit.to_columns)
