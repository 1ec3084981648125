"""From an uploaded log to who was heard when: every record opened, or rejected with a reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.bluetrace.tempid import ACCEPTED, REJECTIONS, TempIDIssuer
from tracetogether.bluetrace.upload import UploadRecords
from tracetogether.labels import Labels
from tracetogether.parameters import RETENTION, UPLOAD_CLOCK_AHEAD_S
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import Bools

MIN_RSSI_DBM: Final = -127.0  # Bluetooth Core: the lowest that a controller reports


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """What the records of one upload turned out to be.

    Attributes:
        sightings: the believed records; ``peer`` is the user id of the person heard.
        rejected: how many records were not believed, by the first reason that applies.
    """

    sightings: Sightings
    rejected: Mapping[Rejection, int]

    @property
    def records(self) -> int:
        """How many records the upload holds."""
        return len(self.sightings) + sum(self.rejected.values())


def open_log(
    records: UploadRecords, issuer: TempIDIssuer, *, uploader: str, received_at: float
) -> OpenedLog:
    """Open all TempIDs of an uploaded log at their records' times.

    A record is rejected if its TempID does not open or was out of its window, if it is the
    uploader's own (a phone that heard itself, or a relay), if its RSSI is none, or if it
    lies further back than a phone keeps records, or after the upload was received.

    Args:
        records: the upload's records.
        issuer: holds the keys.
        uploader: user id of the phone that sent the log.
        received_at: epoch seconds; the same log gives the same answer whenever it is opened.
    """
    opened = issuer.open_many(records.token, records.time)
    codes = opened.rejection.copy()
    # Where several reasons apply, OpenTrace's own come first.
    for reason, applies in (
        (Rejection.SELF_TEMPID, _is(opened.user, uploader)),
        (Rejection.INVALID_RSSI, ~((records.rssi_dbm >= MIN_RSSI_DBM) & (records.rssi_dbm < 0))),
        (
            Rejection.IMPLAUSIBLE,
            (records.time < received_at - RETENTION.log_s)
            | (records.time > received_at + UPLOAD_CLOCK_AHEAD_S),
        ),
    ):
        codes[(codes == ACCEPTED) & applies] = REJECTIONS.index(reason)
    rejected = Counter(REJECTIONS[code] for code in codes[codes != ACCEPTED].tolist())
    if records.malformed:
        rejected[Rejection.MALFORMED] = records.malformed
    return OpenedLog(records.sightings(peer=opened.user, rows=codes == ACCEPTED), dict(rejected))


def _is(column: Labels, name: str) -> Bools:
    wanted = column.names.index(name) if name in column.names else len(column.names)
    return np.equal(column.codes, wanted)
