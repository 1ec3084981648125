"""The server opens the HELLOs that diagnosed people heard, and judges each."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.crypto import equal, hmac_sha256
from tracetogether.labels import Labels
from tracetogether.rejection import Rejection
from tracetogether.robert.air import RENEWED_S
from tracetogether.robert.keys import (
    EPOCH_S,
    NTP_OFFSET,
    Registrations,
    ServerKeys,
    country_codes,
)
from tracetogether.robert.report import HelloRecords
from tracetogether.robert.skinny import decrypt_blocks
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints

TOLERANCE_S: Final = RENEWED_S
ACCEPTED: Final = -1
REJECTIONS: Final = (
    Rejection.EXPIRED_ID,
    Rejection.FOREIGN,
    Rejection.FAILED_DECRYPTION,
    Rejection.MALFORMED,
)
_EXPIRED, _FOREIGN, _UNKNOWN, _FORGED = range(4)
_ID_BITS: Final = np.uint64(40)
_WRAP: Final = 2**16


def seconds_apart(time16: int, received: float) -> int:
    """Return how many seconds after its sending a HELLO was received, -32768 to 32767.

    A HELLO carries the lowest 16 bits of its time, so that 18 hours look like none.
    """
    return (int(received) + NTP_OFFSET - time16 + _WRAP // 2) % _WRAP - _WRAP // 2


def is_fresh(time16: int, received: float) -> bool:
    """Return whether a HELLO counts: at most 180 seconds lie between sending and receipt."""
    return abs(seconds_apart(time16, received)) <= TOLERANCE_S


@dataclass(frozen=True, slots=True)
class OpenedHellos:
    """What n HELLOs turned out to be.

    Attributes:
        phone: (n,) row of the registrations, -1 where the HELLO is not believed.
        epoch: (n,) of the EBID, -1 likewise.
        rejection: (n,) -1 where believed, else an index into REJECTIONS.
        opened: how many EBIDs were decrypted.
    """

    phone: Ints
    epoch: Ints
    rejection: Ints
    opened: int


def open_hellos(records: HelloRecords, keys: ServerKeys, registered: Registrations) -> OpenedHellos:
    """Open HELLOs and check each: time, country, epoch, known phone, MAC.

    An EBID is tried under the key of the day in which it was received, and at midnight under that
    of the next epoch's or the one before's day.
    """
    count = len(records)
    phone, epoch = np.full(count, -1), np.full(count, -1)
    rejection = np.full(count, _UNKNOWN)
    time16 = records.hello[:, 9].astype(np.int64) << 8 | records.hello[:, 10]
    received = np.floor(records.received).astype(np.int64)
    apart = (received + NTP_OFFSET - time16 + _WRAP // 2) % _WRAP - _WRAP // 2
    late = np.abs(apart) > TOLERANCE_S
    ebid = np.ascontiguousarray(records.hello[:, 1:9])
    opened_country = country_codes(keys.federation, ebid, 0)[:, 0] ^ records.hello[:, 0]
    abroad = opened_country != keys.country
    rejection[abroad] = _FOREIGN
    rejection[late] = _EXPIRED
    here = np.floor_divide(received - keys.start, EPOCH_S)
    opened = 0
    for step in (0, -1, 1):
        day = keys.day_of(here + step)
        pending = (phone < 0) & ~late & ~abroad
        if step:
            pending &= day != keys.day_of(here)
        for number in np.unique(day[pending]).tolist():
            if number not in keys.day_keys:
                continue
            rows = np.flatnonzero(pending & (day == number))
            words = decrypt_blocks(keys.day_keys[number], ebid[rows])
            opened += len(rows)
            word = words.view(">u8").ravel().astype(np.uint64)
            said = (word >> _ID_BITS).astype(np.int64)
            owner = registered.row_of(word & np.uint64(2**40 - 1))
            good = (owner >= 0) & (np.abs(said - here[rows]) <= 1) & (keys.day_of(said) == number)
            rows = rows[good]
            phone[rows], epoch[rows], rejection[rows] = owner[good], said[good], ACCEPTED
    known = np.flatnonzero(phone >= 0)
    signed = [
        equal(hmac_sha256(registered.mac_keys[owner], b"\x01" + row[:11])[:5], row[11:])
        for owner, row in zip(
            phone[known].tolist(),
            (each.tobytes() for each in records.hello[known]),
            strict=True,
        )
    ]
    forged = known[~np.array(signed, dtype=bool)]
    phone[forged], epoch[forged], rejection[forged] = -1, -1, _FORGED
    return OpenedHellos(phone, epoch, rejection, opened)


def near(records: HelloRecords, keys: ServerKeys, registered: Registrations) -> Sightings:
    """Return the readings that count: the observer is a case, the peer the id of a phone heard.

    The direction is that of the case's log: it heard the others.
    """
    found = open_hellos(records, keys, registered)
    rows = np.flatnonzero(found.rejection == ACCEPTED)
    phones, peer = np.unique(found.phone[rows], return_inverse=True)
    names = tuple(f"{int(registered.id[phone]):010x}" for phone in phones)
    cases, observer = np.unique(records.case[rows], return_inverse=True)
    reasons = {
        reason.value: int((found.rejection == code).sum())
        for code, reason in enumerate(REJECTIONS)
        if (found.rejection == code).any()
    }
    unknown: Floats = np.full(len(rows), np.nan)
    kept = Sightings.from_log(
        time=records.received[rows],
        observer=Labels(observer.astype(np.int32), tuple(f"case {case}" for case in cases)),
        peer=Labels(peer.astype(np.int32), names),
        rssi_dbm=records.rssi_dbm[rows],
        tx_power_dbm=unknown,
    )
    refused = len(records) - len(rows)
    return kept.replaced(dropped=kept.dropped + refused, reasons={**kept.reasons, **reasons})
