"""TempIDs: short-lived tokens that only the authority opens; how it seals and opens them.

On the wire (OpenTrace): ciphertext(29) || IV(16) || tag(16), 61 bytes, 84 base64 characters.
The plaintext is the user id (21 bytes), start and expiry (big-endian seconds, 4 bytes
each: signed in OpenTrace, read and written here as unsigned, so that 2038 passes).
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from tracetogether.bluetrace.batch import TempID, TempIDBatch
from tracetogether.bluetrace.token_text import TOKEN_BYTES, TOKEN_TEXT, raw_of_texts, texts_of_raw
from tracetogether.crypto import IV_BYTES, TAG_BYTES, Aead
from tracetogether.errors import InvalidTempIDError
from tracetogether.keyring import KeyRing
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.parameters import BLUETRACE, BlueTraceParameters
from tracetogether.rejection import Rejection
from tracetogether.units import SECONDS_PER_DAY, Bools, Bytes2D, Codes, Entropy, Floats, Ints

__all__ = [
    "OpenedTempID",
    "OpenedTempIDs",
    "TempID",
    "TempIDBatch",
    "TempIDIssuer",
    "new_user_id",
]

USER_BYTES: Final = 21
USER_TEXT: Final = 28
PLAIN_BYTES: Final = USER_BYTES + 8
_IV: Final = slice(PLAIN_BYTES, PLAIN_BYTES + IV_BYTES)
_PURPOSE: Final = "tempid"
_MAX_TIME: Final = 2**32
REJECTIONS: Final = tuple(Rejection)
ACCEPTED: Final = -1


def new_user_id(entropy: Entropy = os.urandom) -> str:
    """Return a random user id: 28 base64 characters, 21 bytes."""
    return b64encode(entropy(USER_BYTES)).decode()


@dataclass(frozen=True, slots=True)
class OpenedTempID:
    """Whose token it was and when it was to be used: [start, expiry], epoch seconds."""

    user_id: str = field(repr=False)
    start: int
    expiry: int


@dataclass(frozen=True, slots=True)
class OpenedTempIDs:
    """What n records turned out to be, in columns.

    Attributes:
        user: who issued the token to whom; unknown where it did not open.
        start, expiry: (n,) int64 epoch seconds; 0 where it did not open.
        rejection: (n,) int32: -1 where believed, else an index into REJECTIONS. A record
            outside the token's window is rejected, yet its user is known.
        decryptions: how many decryptions were tried.
    """

    user: Labels
    start: Ints
    expiry: Ints
    rejection: Codes
    decryptions: int

    @property
    def accepted(self) -> Bools:
        """Which records are believed."""
        return np.equal(self.rejection, ACCEPTED)

    def rejections(self) -> dict[Rejection, int]:
        """Return how many records were rejected for each reason."""
        counts = Counter(self.rejection[~self.accepted].tolist())
        return {REJECTIONS[code]: count for code, count in sorted(counts.items())}


class TempIDIssuer:
    """Seals TempIDs under the day keys of a ring (or its static key) and opens them.

    Args:
        keys: the authority's keys. With a chain, TempIDs are sealed under the key of the UTC day in
            which their window starts, bound to purpose, authority and day; a ring of
            static keys seals as OpenTrace does, with nothing bound.
        authority: organisation code, as in the payloads.
        parameters: length of the windows, size of a batch.
        entropy: where IVs come from.
    """

    def __init__(
        self,
        keys: KeyRing,
        authority: str = "SG_MOH",
        *,
        parameters: BlueTraceParameters = BLUETRACE,
        entropy: Entropy = os.urandom,
    ) -> None:
        self._keys = keys
        self._authority = authority
        self._parameters = parameters
        self._entropy = entropy

    @property
    def authority(self) -> str:
        """Organisation code, as in the payloads."""
        return self._authority

    def issue(
        self, user_id: str, start: float, count: int, *, entropy: Entropy | None = None
    ) -> TempIDBatch:
        """Return ``count`` TempIDs in contiguous windows, the first beginning at ``start``.

        The refresh time counts from the moment that a server would issue this batch
        (``start`` + 60 s, see BlueTraceParameters.early_start_s).

        Args:
            user_id: 28 base64 characters.
            start: epoch seconds.
            count: how many windows.
            entropy: where the IVs come from this time; the issuer's own source if None. Bytes
                that repeat must repeat for the same user, window and key alone.

        Raises:
            InvalidTempIDError: the user id has not 28 base64 characters, or a time has no
                place in 32 bits.
            KeyRingError: the keys of that day were destroyed.
        """
        edges = int(start) + self._parameters.validity_s * np.arange(count + 1, dtype=np.int64)
        return self.issue_windows(user_id, edges, entropy=entropy)

    def issue_windows(
        self, user_id: str, edges: Ints, *, entropy: Entropy | None = None
    ) -> TempIDBatch:
        """Return TempIDs for the n windows between ``edges``; see ``issue``.

        Args:
            user_id: 28 base64 characters.
            edges: (n + 1,) epoch seconds, ascending: where one window ends the next begins.
            entropy: as in ``issue``.

        Raises:
            InvalidTempIDError, KeyRingError: as ``issue``.
        """
        texts = self._sealed([user_id], edges[:-1], edges[1:], entropy)[0]
        times = edges.tolist()
        tempids = tuple(
            TempID(begin, end, text.tobytes().decode("ascii"))
            for begin, end, text in zip(times[:-1], times[1:], texts, strict=True)
        )
        issued_at = times[0] + self._parameters.early_start_s
        return TempIDBatch(tempids, issued_at + self._parameters.refresh_after_s)

    def issue_many(
        self,
        user_ids: Sequence[str],
        start: float,
        count: int,
        *,
        entropy: Entropy | None = None,
    ) -> tuple[Ints, Bytes2D]:
        """Return the same windows for many users at once; arguments as in ``issue``.

        Returns:
            The starts of the windows, (count,) int64, and the texts of the TempIDs,
            (users, count, 84) ASCII.

        Raises:
            InvalidTempIDError, KeyRingError: as ``issue``.
        """
        validity = self._parameters.validity_s
        starts = int(start) + validity * np.arange(count, dtype=np.int64)
        return starts, self._sealed(user_ids, starts, starts + validity, entropy)

    def _sealed(
        self, user_ids: Sequence[str], starts: Ints, expiries: Ints, entropy: Entropy | None
    ) -> Bytes2D:
        """Return the texts of TempIDs, (users, windows, 84) ASCII."""
        count = len(starts)
        if count and not 0 <= starts[0] <= expiries[-1] < _MAX_TIME:
            msg = f"windows from {starts[0]} on do not fit into unsigned 32-bit seconds"
            raise InvalidTempIDError(msg)
        users = _user_bytes(user_ids)
        plain = np.empty((count, len(users), PLAIN_BYTES), dtype=np.uint8)
        plain[:, :, :USER_BYTES] = users
        plain[:, :, USER_BYTES : USER_BYTES + 4] = _big_endian(starts)[:, None]
        plain[:, :, USER_BYTES + 4 :] = _big_endian(expiries)[:, None]
        raw = np.empty((count, len(users), TOKEN_BYTES), dtype=np.uint8)
        days = starts // SECONDS_PER_DAY
        for day in np.unique(days).tolist():  # a batch of 25 hours touches two or three days
            of_day = days == day
            aead, associated = self._sealing(day)
            flat = plain[of_day].reshape(-1, PLAIN_BYTES)
            ivs = (entropy or self._entropy)(IV_BYTES * len(flat))
            raw[of_day] = _seal(aead, associated, flat, ivs).reshape(raw[of_day].shape)
        by_user = np.ascontiguousarray(raw.transpose(1, 0, 2)).reshape(-1, TOKEN_BYTES)
        return texts_of_raw(by_user).reshape(len(users), count, TOKEN_TEXT)

    def open(self, text: str, time: float) -> OpenedTempID | Rejection:
        """Return whose token ``text`` is, or why a record of it at ``time`` is not believed."""
        opened = self.open_many([text], np.array([time], dtype=np.float64))
        rejection = int(opened.rejection[0])
        if rejection != ACCEPTED:
            return REJECTIONS[rejection]
        user = opened.user.names[int(opened.user.codes[0])]
        return OpenedTempID(user, int(opened.start[0]), int(opened.expiry[0]))

    def open_many(self, texts: Sequence[str], times: Floats) -> OpenedTempIDs:
        """Open the tokens of n records, each at its record's time.

        The day key is that of the record's UTC day, then of the nearer neighbouring day,
        never another; where those fail, the static keys in their order.

        Args:
            texts: n tokens as they were heard; anything at all may stand there.
            times: (n,) epoch seconds.
        """
        raw, well_formed = raw_of_texts(texts)
        plain = np.zeros((len(texts), PLAIN_BYTES), dtype=np.uint8)
        datable = np.isfinite(times) & (times >= 0) & (times < _MAX_TIME)
        second, day = np.where(datable, times, 0) % SECONDS_PER_DAY, np.where(datable, times, 0)
        day = (day // SECONDS_PER_DAY).astype(np.int64)
        neighbour = np.where(second < SECONDS_PER_DAY // 2, day - 1, day + 1)
        pending = well_formed & datable
        destroyed = np.zeros(len(texts), dtype=bool)
        decryptions = 0
        if self._keys.oldest_day is not None:
            destroyed = pending & (day < self._keys.oldest_day)
            for days in (day, neighbour):
                for number in np.unique(days[pending]).tolist():
                    if not self._keys.has_day(number):
                        continue
                    rows = np.flatnonzero(pending & (days == number))
                    decryptions += rows.size
                    aead, associated = self._keys.aead(_PURPOSE, number), self._associated(number)
                    pending[rows[_open_rows(aead, associated, raw, rows, plain)]] = False
        for aead in self._keys.static:
            rows = np.flatnonzero(pending)
            decryptions += rows.size
            pending[rows[_open_rows(aead, None, raw, rows, plain)]] = False
        opened = well_formed & datable & ~pending
        return _result(texts, times, plain, opened, destroyed & pending, decryptions)

    def _sealing(self, day: int) -> tuple[Aead, bytes | None]:
        if self._keys.oldest_day is None:
            return self._keys.static[0], None
        return self._keys.aead(_PURPOSE, day), self._associated(day)

    def _associated(self, day: int) -> bytes:
        return f"tracetogether/v1/{_PURPOSE}/{self._authority}/{day}".encode()


def _seal(aead: Aead, associated: bytes | None, plain: Bytes2D, ivs: bytes) -> Bytes2D:
    iv_rows = np.frombuffer(ivs, np.uint8).reshape(-1, IV_BYTES)
    sealed = aead.seal_many(_rows_as_bytes(iv_rows), _rows_as_bytes(plain), associated)
    sealed_rows = np.frombuffer(sealed, dtype=np.uint8).reshape(-1, PLAIN_BYTES + TAG_BYTES)
    raw = np.empty((len(plain), TOKEN_BYTES), dtype=np.uint8)
    raw[:, :PLAIN_BYTES] = sealed_rows[:, :PLAIN_BYTES]
    raw[:, _IV] = iv_rows
    raw[:, _IV.stop :] = sealed_rows[:, PLAIN_BYTES:]
    return raw


def _open_rows(
    aead: Aead, associated: bytes | None, raw: Bytes2D, rows: Ints, plain: Bytes2D
) -> Ints:
    """Decrypt ``raw[rows]`` into ``plain[rows]``; return which of ``rows`` opened."""
    tokens = raw[rows]
    sealed = np.concatenate([tokens[:, :PLAIN_BYTES], tokens[:, _IV.stop :]], axis=1)
    values = aead.open_many(_rows_as_bytes(tokens[:, _IV]), _rows_as_bytes(sealed), associated)
    good = np.array([index for index, value in enumerate(values) if value is not None], np.int64)
    if good.size:
        joined = b"".join(value for value in values if value is not None)
        plain[rows[good]] = np.frombuffer(joined, dtype=np.uint8).reshape(-1, PLAIN_BYTES)
    return good


def _result(
    texts: Sequence[str],
    times: Floats,
    plain: Bytes2D,
    opened: Bools,
    destroyed: Bools,
    decryptions: int,
) -> OpenedTempIDs:
    start = _from_big_endian(plain[:, USER_BYTES : USER_BYTES + 4])
    expiry = _from_big_endian(plain[:, USER_BYTES + 4 :])
    rejection = np.full(len(texts), ACCEPTED, dtype=np.int32)
    rejection[opened & ((times < start) | (times > expiry))] = _code(Rejection.EXPIRED_ID)
    rejection[~opened] = _code(Rejection.FAILED_DECRYPTION)
    rejection[destroyed] = _code(Rejection.KEY_DESTROYED)
    rejection[np.fromiter(map(len, texts), np.int64, len(texts)) == 0] = _code(Rejection.NO_MSG)
    return OpenedTempIDs(_users(plain, opened), start, expiry, rejection, decryptions)


def _users(plain: Bytes2D, opened: Bools) -> Labels:
    """Return who the tokens were issued to, as labels."""
    ids = np.ascontiguousarray(plain[opened, :USER_BYTES])
    # Random ids differ in their first eight bytes: sort those, and check that nothing merged.
    keys = np.ascontiguousarray(ids[:, :8]).view(np.uint64).ravel()
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    if not np.array_equal(ids[first][codes], ids):
        whole = ids.view(np.dtype((np.void, USER_BYTES))).ravel()
        _, first, codes = np.unique(whole, return_index=True, return_inverse=True)
    names = tuple(b64encode(user.tobytes()).decode() for user in ids[first])
    column = np.full(len(plain), UNKNOWN, dtype=np.int32)
    column[opened] = codes.ravel()
    return Labels(column, names)


def _user_bytes(user_ids: Iterable[str]) -> Bytes2D:
    joined = b"".join(_user_id_bytes(user_id) for user_id in user_ids)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, USER_BYTES)


def _user_id_bytes(user_id: str) -> bytes:
    try:
        raw = b64decode(
            user_id, altchars=b"-_" if {"-", "_"} & set(user_id) else None, validate=True
        )
    except (Base64Error, ValueError):
        raw = b""
    if len(user_id) != USER_TEXT or len(raw) != USER_BYTES:
        msg = f"a user id has {USER_TEXT} base64 characters ({USER_BYTES} bytes)"
        raise InvalidTempIDError(msg)
    return raw


def _rows_as_bytes(rows: Bytes2D) -> list[bytes]:
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1])))
    return cast("list[bytes]", whole.ravel().tolist())


def _big_endian(times: Ints) -> Bytes2D:
    return times.astype(">u4").view(np.uint8).reshape(-1, 4)


def _from_big_endian(columns: Bytes2D) -> Ints:
    return np.ascontiguousarray(columns).view(">u4").ravel().astype(np.int64)


def _code(reason: Rejection) -> int:
    return REJECTIONS.index(reason)
