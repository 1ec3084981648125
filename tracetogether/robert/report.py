"""What a diagnosed phone uploads: the HELLOs that it heard, 21 bytes each.

    HELLO (16) | time of receipt, seconds since 1900 modulo 2^32 (4) | signal strength (1, signed)

A digest at the end finds damage; it is no protection against a forger, the MAC of each HELLO is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from tracetogether.crypto import sha256
from tracetogether.diagnosis import HeardTokens, InvalidReportError
from tracetogether.robert.air import HELLO_BYTES, RETENTION_S
from tracetogether.robert.keys import NTP_OFFSET
from tracetogether.sightings import Sightings
from tracetogether.units import Bytes2D, Floats, Ints

RECORD_BYTES: Final = 21
_KIND: Final = b"RBHL"
_DIGEST_BYTES: Final = 32
_WRAP: Final = 2**32


@dataclass(frozen=True, slots=True)
class HelloRecords:
    """HELLOs heard by diagnosed people, n rows.

    Attributes:
        hello: (n, 16) uint8.
        received: (n,) epoch seconds.
        rssi_dbm: (n,) signal strengths.
        case: (n,) number of the report that the row came with.
    """

    hello: Bytes2D = field(repr=False)
    received: Floats
    rssi_dbm: Floats
    case: Ints

    def __len__(self) -> int:
        return len(self.received)

    @classmethod
    def concat(cls, reports: Sequence["HelloRecords"]) -> Self:
        """Return the rows of all reports, each with the number of its report."""
        empty = np.empty(0)
        sizes = [len(report) for report in reports]
        return cls(
            hello=np.concatenate(
                [np.empty((0, HELLO_BYTES), np.uint8), *(report.hello for report in reports)]
            ),
            received=np.concatenate([empty, *(report.received for report in reports)]),
            rssi_dbm=np.concatenate([empty, *(report.rssi_dbm for report in reports)]),
            case=np.repeat(np.arange(len(reports)), sizes),
        )


def records_of(log: Sightings, since: float, until: float) -> HelloRecords:
    """Return what a diagnosed phone uploads of its log: [since, until), 14 days at most.

    A peer is 32 hexadecimal digits: the HELLO. Rows of another form are left out.
    """
    heard = HeardTokens.of(log, HELLO_BYTES, HELLO_BYTES)
    token = np.repeat(np.arange(len(heard.tokens)), np.diff(heard.first))
    time = log.time[heard.rows]
    kept = (time >= max(since, until - RETENTION_S)) & (time < until)
    row, token = heard.rows[kept], token[kept]
    order = np.argsort(row)
    row, token = row[order], token[order]
    rssi, case = log.rssi_dbm[row], np.zeros(len(row), dtype=np.int64)
    return HelloRecords(heard.tokens[token], log.time[row], rssi, case)


def write_records(records: HelloRecords) -> bytes:
    """Return the upload, 21 bytes a HELLO; times are cut to seconds, signals rounded to 1 dB."""
    table = np.empty((len(records), RECORD_BYTES), dtype=np.uint8)
    table[:, :16] = records.hello
    seconds = ((records.received.astype(np.int64) + NTP_OFFSET) % _WRAP).astype(">u4")
    table[:, 16:20] = seconds.view(np.uint8).reshape(-1, 4)
    table[:, 20] = np.clip(np.rint(records.rssi_dbm), -128, 127).astype(np.int8).view(np.uint8)
    body = _KIND + table.tobytes()
    return body + sha256(body)


def read_records(data: bytes, now: float) -> HelloRecords:
    """Read an upload; times are those nearest to ``now`` (seconds since 1900 begin again in 2036).

    Raises:
        InvalidReportError: it is damaged, cut off, or of another kind.
    """
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not body.startswith(_KIND) or (len(body) - len(_KIND)) % RECORD_BYTES:
        raise InvalidReportError("an upload of HELLOs has another kind or is cut off")
    if sha256(body) != digest:
        raise InvalidReportError("an upload of HELLOs is damaged")
    table = np.frombuffer(body, np.uint8, offset=len(_KIND)).reshape(-1, RECORD_BYTES)
    seconds = np.ascontiguousarray(table[:, 16:20]).view(">u4").ravel().astype(np.int64)
    here = int(now) + NTP_OFFSET
    ago = (here - seconds + _WRAP // 2) % _WRAP - _WRAP // 2
    rssi = np.ascontiguousarray(table[:, 20]).view(np.int8).astype(np.float64)
    received = (here - ago - NTP_OFFSET).astype(np.float64)
    case = np.zeros(len(table), dtype=np.int64)
    return HelloRecords(np.ascontiguousarray(table[:, :16]), received, rssi, case)
