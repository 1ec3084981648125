"""From an uploaded log to who was heard when: every record opened, or rejected with a reason."""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Final

import numpy as np

from tracetogether.bluetrace.tempid import ACCEPTED, REJECTIONS, OpenedTempIDs, TempIDIssuer
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.bluetrace.upload import UploadRecords
from tracetogether.keyring import KeyRing
from tracetogether.labels import UNKNOWN, Labels
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
class OpenedRecords:
    """What n records of any number of logs turned out to be.

    Attributes:
        person: (n,) user id of the person heard; unknown where the TempID did not open.
        codes: (n,) ACCEPTED, or an index into REJECTIONS: the first reason that applies.
        of_place: (n,) which TempIDs belong to a place, and so to nobody.
        decryptions: how many decryptions were tried.
    """

    person: Labels
    codes: Codes
    of_place: Bools
    decryptions: int

    @property
    def accepted(self) -> Bools:
        """(n,) which records of people are accepted."""
        return np.equal(self.codes, ACCEPTED) & ~self.of_place

    @property
    def at_places(self) -> Bools:
        """(n,) which records of places are accepted."""
        return np.equal(self.codes, ACCEPTED) & self.of_place

    @property
    def rejected(self) -> Counter[Rejection]:
        """How many records were rejected, by reason."""
        return Counter(REJECTIONS[code] for code in self.codes[self.codes != ACCEPTED].tolist())


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """What the records of one upload turned out to be.

    Attributes:
        sightings: the believed records; ``peer`` is the user id of the person heard, the models
            are those that measured (``observer_model``) and sent (``peer_model``).
        at_places: the believed records of places; ``peer`` is the user id of the place heard.
        rejected: how many records were not believed, by the first reason that applies.
        decryptions: how many decryptions were tried.
        heard: the TempIDs of people in the believed records, each once, and when it was
            heard last (epoch seconds).
        foreign: partner's code -> which records (rows of the file's well-formed ones) are its.
    """

    sightings: Sightings
    at_places: Sightings
    rejected: Mapping[Rejection, int]
    decryptions: int
    heard: Mapping[str, float]
    foreign: Mapping[str, Ints] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many records the upload holds."""
        return self.believed + sum(self.rejected.values())

    @property
    def believed(self) -> int:
        """How many records are believed, those of places included."""
        return len(self.sightings) + len(self.at_places)


def open_log(
    records: UploadRecords,
    issuer: TempIDIssuer,
    *,
    uploader: str,
    received_at: float,
    keys: KeyRing | None = None,
    registered: Callable[[Sequence[str]], set[str]] | None = None,
    partners: Container[str] = (),
    several_phones: bool = False,
    places: Callable[[Sequence[str]], set[str]] | None = None,
) -> OpenedLog:
    """Open all TempIDs of one uploaded log; see ``open_logs`` for the reasons of rejections.

    Args:
        records: the upload's records.
        issuer: opens TempIDs.
        uploader: user id of the phone that sent the log.
        received_at: epoch seconds; the same log gives the same answer whenever it is opened.
        keys: knows which days are quarantined; None if none is, or if they shall be believed.
        registered: returns which of some user ids are users; None if all are.
        partners: codes of the authorities that records are handed over to.
        several_phones: the records are of several phones, with rounded times, as a partner's.
        places: returns which of some user ids are places; None if none are.
    """
    opened = open_logs(
        Labels.encode(records.token),
        records.time,
        records.rssi_dbm,
        organisation=records.organisation,
        uploader=Labels.constant(uploader, len(records)),
        issuer=issuer,
        received_at=received_at,
        keys=keys,
        registered=registered,
        partners=partners,
        several_phones=several_phones,
        places=places,
    )
    rejected = opened.rejected
    if records.malformed:
        rejected[Rejection.MALFORMED] = records.malformed
    accepted = opened.accepted.tolist()
    heard = zip(
        compress(records.token, accepted), compress(records.time.tolist(), accepted), strict=True
    )
    return OpenedLog(
        sightings=records.sightings(peer=opened.person, rows=opened.accepted, by_radio=True),
        at_places=records.sightings(peer=opened.person, rows=opened.at_places, by_radio=True),
        heard=dict(heard),
        rejected=dict(rejected),
        decryptions=opened.decryptions,
        foreign=_by_partner(records.organisation, opened.codes),
    )


def open_logs(
    token: Labels,
    time: Floats,
    rssi_dbm: Floats,
    *,
    organisation: Labels,
    uploader: Labels,
    issuer: TempIDIssuer,
    received_at: float,
    keys: KeyRing | None = None,
    registered: Callable[[Sequence[str]], set[str]] | None = None,
    partners: Container[str] = (),
    several_phones: bool = False,
    places: Callable[[Sequence[str]], set[str]] | None = None,
) -> OpenedRecords:
    """Open the TempIDs of n records of any number of logs, each at its record's time.

    A record is rejected if its TempID does not open or was out of its window (one that says that it
    is another authority's is foreign: a TempID has no mark of who issued it; of an authority that
    is no partner it is unknown and goes nowhere), if the keys of that
    day are quarantined, if it is the uploader's own (a phone that heard itself, or a relay), if
    its RSSI is none, if it lies further back than a phone keeps records or after the upload
    was received, if it is one of too many of that person in a second or one of too many
    people in a minute, or if that person has withdrawn.

    Args:
        token: (n,) what the phones heard; unknown where a record holds no token.
        time: (n,) epoch seconds.
        rssi_dbm: (n,) signal strength, NaN where none was given.
        organisation: (n,) the authority that the token is said to belong to.
        uploader: (n,) user id of the phone that sent the log.
        issuer: opens TempIDs.
        received_at: epoch seconds.
        keys: knows which days are quarantined; None if none is, or if they shall be believed.
        registered: returns which of some user ids are users; None if all are.
        partners: codes of the authorities that records are handed over to.
        several_phones: a log is of several phones, with rounded times: how many records there are
            in a second says nothing.
        places: returns which of some user ids are places; None if none are.
    """
    opened = _open_each_token_once(token, time, issuer)
    codes = opened.rejection.copy()
    foreign = _foreign(token, organisation, codes, issuer.authority)
    if foreign.any():  # else the partners need not be read
        handed = np.array([name.strip() in partners for name in organisation.names] + [False])
        codes[foreign] = REJECTIONS.index(Rejection.FOREIGN_UNKNOWN)
        codes[foreign & handed[organisation.codes]] = REJECTIONS.index(Rejection.FOREIGN)
    of_place = _among(opened.user, places)
    # Where several reasons apply, OpenTrace's own come first.
    for reason, applies in (
        (Rejection.SELF_TEMPID, _same(opened.user, uploader)),
        (Rejection.INVALID_RSSI, ~is_rssi(rssi_dbm)),
        (
            Rejection.IMPLAUSIBLE,
            (time < received_at - RETENTION.log_s) | (time > received_at + UPLOAD_CLOCK_AHEAD_S),
        ),
        (Rejection.QUARANTINED, _quarantined(opened.start, keys)),
        (Rejection.WITHDRAWN, _withdrawn(opened.user, registered) & ~of_place),
    ):
        codes[(codes == ACCEPTED) & applies] = REJECTIONS.index(reason)
    believed = np.flatnonzero((codes == ACCEPTED) & (not several_phones))
    crowded = _too_many(time[believed], uploader.take(believed), opened.user.take(believed))
    codes[believed[crowded]] = REJECTIONS.index(Rejection.IMPLAUSIBLE)
    return OpenedRecords(opened.user, codes, of_place, opened.decryptions)


def _by_partner(organisation: Labels, codes: Codes) -> dict[str, Ints]:
    """Return partner's code -> the rows of its records."""
    rows = np.flatnonzero(codes == REJECTIONS.index(Rejection.FOREIGN))
    found: dict[str, list[Ints]] = {}
    for code in np.unique(organisation.codes[rows]).tolist():
        of_code = rows[organisation.codes[rows] == code]
        found.setdefault(organisation.names[code].strip(), []).append(of_code)
    return {name: np.sort(np.concatenate(parts)) for name, parts in found.items()}


def _open_each_token_once(token: Labels, times: Floats, issuer: TempIDIssuer) -> OpenedTempIDs:
    """Open n records; a token that was heard many times within half a day is decrypted once."""
    texts = [*token.names, ""]  # code -1, of a record without a token, picks the last
    dated = np.isfinite(times) & (times >= 0) & (times < 2**32)
    half_day = np.where(dated, np.where(dated, times, 0) // _HALF_DAY, -1).astype(np.int64)
    keys = token.codes.astype(np.int64) << 32 | (half_day + 1)
    _, first, row = np.unique(keys, return_index=True, return_inverse=True)
    row = row.ravel()
    each = issuer.open_many([texts[code] for code in token.codes[first].tolist()], times[first])
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


def _foreign(token: Labels, organisation: Labels, codes: Codes, own: str) -> Bools:
    """Return which records did not open and name another authority, with a token like a TempID."""
    closed = (Rejection.FAILED_DECRYPTION, Rejection.KEY_DESTROYED)
    rows = np.flatnonzero(np.isin(codes, [REJECTIONS.index(reason) for reason in closed]))
    others = [name.strip() not in {"", own} for name in organisation.names]
    # Code -1, of a record that names none, picks the last.
    rows = rows[np.array([*others, False], dtype=bool)[organisation.codes[rows]]]
    _, well_formed = raw_of_texts([text or "" for text in token.take(rows).to_list()])
    foreign = np.zeros(len(codes), dtype=bool)
    foreign[rows[well_formed]] = True
    return foreign


def _quarantined(start: Ints, keys: KeyRing | None) -> Bools:
    if keys is None:
        return np.zeros(len(start), dtype=bool)
    days, row = np.unique(start // SECONDS_PER_DAY, return_inverse=True)
    return np.array(keys.quarantined(days.tolist()), dtype=bool)[row.ravel()]


def _withdrawn(user: Labels, registered: Callable[[Sequence[str]], set[str]] | None) -> Bools:
    if registered is None:
        return np.zeros(len(user), dtype=bool)
    return np.asarray((user.codes != UNKNOWN) & ~_among(user, registered), dtype=bool)


def _among(user: Labels, chosen: Callable[[Sequence[str]], set[str]] | None) -> Bools:
    """Return (n,) which rows' users are among those that ``chosen`` returns; None: no row."""
    if chosen is None or not user.names:
        return np.zeros(len(user), dtype=bool)
    those = chosen(user.names)
    among = np.array([name in those for name in user.names] + [False])
    return among[user.codes]  # code -1, which did not open, picks the last


def _too_many(times: Floats, owner: Labels, person: Labels) -> Bools:
    """Return which of n records are more than a radio can have heard, log by log.

    Of one person's records within a second, those beyond MAX_RECORDS_A_SECOND; and all records of
    minutes in which there were more than MAX_PEOPLE_A_MINUTE people.
    """
    second = times.astype(np.int64)
    people = len(person.names) + 1
    # One number for several columns sorts faster than the columns do.
    log, heard = owner.codes.astype(np.int64) + 1, person.codes.astype(np.int64) + 1
    pair = log * people + heard
    of_second = (second - second.min(initial=0)) * ((len(owner.names) + 1) * people) + pair
    order = np.argsort(of_second, kind="stable")
    same = np.zeros(len(times), dtype=bool)
    step = MAX_RECORDS_A_SECOND
    if len(times) > step:
        same[order[step:]] = of_second[order[step:]] == of_second[order[:-step]]
    minute = second // SECONDS_PER_MINUTE * (len(owner.names) + 1) + log
    met = np.unique(minute * people + heard)
    minutes, counts = np.unique(met // people, return_counts=True)
    crowded = np.isin(minute, minutes[counts > MAX_PEOPLE_A_MINUTE])
    return np.asarray(same | crowded)


def _same(column: Labels, other: Labels) -> Bools:
    """Return (n,) where two columns hold the same name."""
    code = other.numbers({name: code for code, name in enumerate(column.names)})
    return np.asarray((column.codes == code) & (code != UNKNOWN), dtype=np.bool_)
