"""From an uploaded log to who was heard when: every record opened, or rejected with a reason."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np

from tracetogether.bluetrace.tempid import ACCEPTED, REJECTIONS, OpenedTempIDs, TempIDIssuer
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.bluetrace.upload import UploadRecords
from tracetogether.keyring import KeyRing
from tracetogether.labels import Labels
from tracetogether.parameters import (
    MAX_PEOPLE_A_MINUTE,
    MAX_RECORDS_A_SECOND,
    RETENTION,
    UPLOAD_CLOCK_AHEAD_S,
)
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sightings
from tracetogether.units import (
    SECONDS_PER_DAY,
    SECONDS_PER_MINUTE,
    Bools,
    Codes,
    Floats,
    Ints,
    is_rssi,
)

_HALF_DAY: Final = SECONDS_PER_DAY // 2  # within one, the same keys are tried in the same order


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """What the records of one upload turned out to be.

    Attributes:
        sightings: the believed records; ``peer`` is the user id of the person heard.
        rejected: how many records were not believed, by the first reason that applies.
        decryptions: how many decryptions were tried.
        heard: the TempIDs of the believed records, each once, and when it was
            heard last (epoch seconds).
    """

    sightings: Sightings
    rejected: Mapping[Rejection, int]
    decryptions: int
    heard: Mapping[str, float]

    @property
    def records(self) -> int:
        """How many records the upload holds."""
        return len(self.sightings) + sum(self.rejected.values())


def open_log(
    records: UploadRecords,
    issuer: TempIDIssuer,
    *,
    uploader: str,
    received_at: float,
    keys: KeyRing | None = None,
    registered: Callable[[Sequence[str]], set[str]] | None = None,
) -> OpenedLog:
    """Open all TempIDs of an uploaded log at their records' times.

    A record is rejected if its TempID does not open or was out of its window (one that says that it
    is another authority's is foreign: a TempID has no mark of who issued it), if the keys of that
    day are quarantined, if it is the uploader's own (a phone that heard itself, or a relay), if
    its RSSI is none, if it lies further back than a phone keeps records or after the upload
    was received, if it is one of too many of that person in a second or one of too many
    people in a minute, or if that person has withdrawn.

    Args:
        records: the upload's records.
        issuer: opens TempIDs.
        uploader: user id of the phone that sent the log.
        received_at: epoch seconds; the same log gives the same answer whenever it is opened.
        keys: knows which days are quarantined; None if none is, or if they shall be believed.
        registered: returns which of some user ids are users; None if all are.
    """
    opened = _open_each_token_once(records.token, records.time, issuer)
    codes = opened.rejection.copy()
    codes[_foreign(records, codes, issuer.authority)] = REJECTIONS.index(Rejection.FOREIGN)
    # Where several reasons apply, OpenTrace's own come first.
    for reason, applies in (
        (Rejection.SELF_TEMPID, _is(opened.user, uploader)),
        (Rejection.INVALID_RSSI, ~is_rssi(records.rssi_dbm)),
        (
            Rejection.IMPLAUSIBLE,
            (records.time < received_at - RETENTION.log_s)
            | (records.time > received_at + UPLOAD_CLOCK_AHEAD_S),
        ),
        (Rejection.QUARANTINED, _quarantined(opened.start, keys)),
        (Rejection.WITHDRAWN, _withdrawn(opened.user, registered)),
    ):
        codes[(codes == ACCEPTED) & applies] = REJECTIONS.index(reason)
    believed = np.flatnonzero(codes == ACCEPTED)
    crowded = _too_many(records.time[believed], opened.user.codes[believed])
    codes[believed[crowded]] = REJECTIONS.index(Rejection.IMPLAUSIBLE)
    rejected = Counter(REJECTIONS[code] for code in codes[codes != ACCEPTED].tolist())
    if records.malformed:
        rejected[Rejection.MALFORMED] = records.malformed
    there = (codes == ACCEPTED).tolist()
    heard = zip(compress(records.token, there), compress(records.time.tolist(), there), strict=True)
    return OpenedLog(
        sightings=records.sightings(peer=opened.user, rows=codes == ACCEPTED),
        heard=dict(heard),
        rejected=dict(rejected),
        decryptions=opened.decryptions,
    )


def _open_each_token_once(
    tokens: Sequence[str], times: Floats, issuer: TempIDIssuer
) -> OpenedTempIDs:
    """Open n records; a token that was heard many times within half a day is decrypted once."""
    distinct = dict.fromkeys(tokens)
    number = dict(zip(distinct, range(len(distinct)), strict=True))
    token = np.fromiter(map(number.__getitem__, tokens), np.int64, len(tokens))
    dated = np.isfinite(times) & (times >= 0) & (times < 2**32)
    half_day = np.where(dated, np.where(dated, times, 0) // _HALF_DAY, -1).astype(np.int64)
    keys = token << 32 | (half_day + 1)
    _, first, row = np.unique(keys, return_index=True, return_inverse=True)
    row = row.ravel()
    each = issuer.open_many([tokens[one] for one in first.tolist()], times[first])
    start, expiry, codes = each.start[row], each.expiry[row], each.rejection[row].copy()
    expired = REJECTIONS.index(Rejection.EXPIRED_ID)
    # Whether a record lies in its token's window is its own affair.
    sealed_here = (codes == ACCEPTED) | (codes == expired)
    codes[sealed_here] = np.where(
        (times[sealed_here] < start[sealed_here]) | (times[sealed_here] > expiry[sealed_here]),
        expired,
        ACCEPTED,
    )
    return replace(each, user=each.user.take(row), start=start, expiry=expiry, rejection=codes)


def _foreign(records: UploadRecords, codes: Codes, own: str) -> Bools:
    """Return which records did not open and name another authority, with a token like a TempID."""
    closed = (Rejection.FAILED_DECRYPTION, Rejection.KEY_DESTROYED)
    rows = np.flatnonzero(np.isin(codes, [REJECTIONS.index(reason) for reason in closed]))
    others = [name.strip() not in {"", own} for name in records.organisation.names]
    # Code -1, of a record that names none, picks the last.
    rows = rows[np.array([*others, False], dtype=bool)[records.organisation.codes[rows]]]
    _, well_formed = raw_of_texts([records.token[row] for row in rows.tolist()])
    foreign = np.zeros(len(codes), dtype=bool)
    foreign[rows[well_formed]] = True
    return foreign


def _quarantined(start: Ints, keys: KeyRing | None) -> Bools:
    if keys is None:
        return np.zeros(len(start), dtype=bool)
    days, row = np.unique(start // SECONDS_PER_DAY, return_inverse=True)
    return np.array(keys.quarantined(days.tolist()), dtype=bool)[row.ravel()]


def _withdrawn(user: Labels, registered: Callable[[Sequence[str]], set[str]] | None) -> Bools:
    if registered is None or not user.names:
        return np.zeros(len(user), dtype=bool)
    there = registered(user.names)
    gone = np.array([name not in there for name in user.names] + [False])
    return gone[user.codes]  # code -1, which did not open, picks the last


def _too_many(times: Floats, people: Codes) -> Bools:
    """Return which records are more than a radio can have heard.

    Of one person's records within a second, those beyond MAX_RECORDS_A_SECOND; and all records of
    minutes in which there were more than MAX_PEOPLE_A_MINUTE people.
    """
    second = times.astype(np.int64)
    order = np.argsort(second << 32 | people, kind="stable")
    same = np.zeros(len(times), dtype=bool)
    step = MAX_RECORDS_A_SECOND
    if len(times) > step:
        later, earlier = order[step:], order[:-step]
        same[later] = (second[later] == second[earlier]) & (people[later] == people[earlier])
    minute = second // SECONDS_PER_MINUTE
    met = np.unique(minute << 32 | people)  # one number sorts faster than a pair
    minutes, counts = np.unique(met >> 32, return_counts=True)
    return same | np.isin(minute, minutes[counts > MAX_PEOPLE_A_MINUTE])


def _is(column: Labels, name: str) -> Bools:
    wanted = column.names.index(name) if name in column.names else len(column.names)
    return np.equal(column.codes, wanted)
