"""The source of TempIDs for simulated phones: an interface, and the real issuer in this process.

People of several authorities have an issuer each, with keys of its own.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final, Protocol

import numpy as np

from simulations.phones.link_steps import ORGANISATION
from simulations.streams import Streams
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.bluetrace.token_text import TOKEN_TEXT
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Floats, Ints

_IV_BYTES: Final = 16
_BATCHES_AT_ONCE: Final = 4096  # bounds memory


class TempIDSource(Protocol):
    """The authority, as the phones use it."""

    def enrol(self, person: int) -> str:
        """Register the phone of ``person``; return its user id (28 characters)."""
        ...

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return TempIDs for ``user_id`` that begin at ``now`` (epoch seconds).

        Raises:
            UnreachableError: the authority doesn't answer; the phone tries again later.
        """
        ...


class LocalTempIDs:
    """The real issuer, with a key ring for this run.

    Keys and IVs come from the seed, so they are no secrets.

    Attributes:
        keys: its key ring.
        issuer: the issuer; it also opens these TempIDs.

    Args:
        start: epoch seconds of the beginning.
        streams: the run's random draws.
        authority: code of the authority.
        among: whether it is one of several, which draw different keys.
    """

    def __init__(
        self, start: float, streams: Streams, *, authority: str = ORGANISATION, among: bool = False
    ) -> None:
        names = ("authority", authority) if among else ("authority",)
        # The first window of a batch begins before ``start``, perhaps on the day before.
        self.keys = KeyRing.generate(
            start - SECONDS_PER_DAY, entropy=streams.entropy(*names, "keys")
        )
        self._iv_entropy = streams.entropy(*names, "iv")
        self.issuer = TempIDIssuer(self.keys, authority, entropy=self._iv_entropy)
        self._user_entropy = streams.entropy(*names, "users")

    def enrol(self, person: int) -> str:  # noqa: ARG002 - a user id says nothing about a person
        """Return a new user id."""
        return new_user_id(self._user_entropy)

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return the same batch as the service: 100 windows, the first a minute old."""
        return self.issuer.issue(user_id, now - BLUETRACE.early_start_s, BLUETRACE.batch_size)

    def some(self, user_ids: list[str], fetched_at_s: Floats, batch: Ints, window: Ints) -> Bytes2D:
        """Return n chosen TempIDs, equal to those that ``batch`` returns.

        A run uses few TempIDs of a batch, so only these are sealed. IVs are drawn for whole
        batches. So the TempIDs are the same as after f calls of ``batch`` in this order.

        Args:
            user_ids: f users, in the order of their fetches.
            fetched_at_s: (f,) times of the fetches, epoch seconds.
            batch: (n,) index of each TempID's batch, ascending.
            window: (n,) index of its window in that batch.

        Returns:
            (n, 84) ASCII codes of the tokens.
        """
        ivs = np.empty((len(batch), _IV_BYTES), dtype=np.uint8)
        size = BLUETRACE.batch_size * _IV_BYTES
        for begin in range(0, len(user_ids), _BATCHES_AT_ONCE):
            end = min(begin + _BATCHES_AT_ONCE, len(user_ids))
            drawn = np.frombuffer(self._iv_entropy(size * (end - begin)), dtype=np.uint8)
            drawn = drawn.reshape(end - begin, BLUETRACE.batch_size, _IV_BYTES)
            mine = slice(*np.searchsorted(batch, [begin, end]).tolist())
            ivs[mine] = drawn[batch[mine] - begin, window[mine]]
        start = (fetched_at_s[batch] - BLUETRACE.early_start_s).astype(np.int64)
        start = start + window * BLUETRACE.validity_s
        texts = np.empty((len(batch), TOKEN_TEXT), dtype=np.uint8)
        order = np.argsort(start, kind="stable")
        cuts = np.flatnonzero(np.diff(start[order])) + 1
        for rows in np.split(order, cuts) if len(order) else []:
            users = [user_ids[index] for index in batch[rows].tolist()]
            drawn_before = BytesIO(ivs[rows].tobytes())
            _, issued = self.issuer.issue_many(
                users, int(start[rows[0]]), 1, entropy=drawn_before.read
            )
            texts[rows] = issued[:, 0]
        return texts


class HomeTempIDs:
    """The issuers of several authorities; each phone fetches from that of its home.

    Args:
        start: epoch seconds of the beginning.
        streams: the run's random draws.
        homes: each person's authority; a place has that of the first.

    Attributes:
        sources: code -> issuer, in order of the codes.
    """

    def __init__(self, start: float, streams: Streams, homes: Sequence[str]) -> None:
        self._homes = homes
        self._home_of: dict[str, str] = {}
        self.sources: Mapping[str, LocalTempIDs] = {
            code: LocalTempIDs(start, streams, authority=code, among=True)
            for code in sorted(set(homes))
        }

    def enrol(self, person: int) -> str:
        """Return a new user id of the person's authority."""
        code = self._homes[person]
        user_id = self.sources[code].enrol(person)
        self._home_of[user_id] = code
        return user_id

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return a batch of the user's authority; see ``LocalTempIDs.batch``."""
        return self.sources[self._home_of[user_id]].batch(user_id, now)

    def some(self, user_ids: list[str], fetched_at_s: Floats, batch: Ints, window: Ints) -> Bytes2D:
        """Return chosen TempIDs, each of its user's authority; see ``LocalTempIDs.some``."""
        texts = np.empty((len(batch), TOKEN_TEXT), dtype=np.uint8)
        home = np.array([self._home_of[user_id] for user_id in user_ids], dtype=np.str_)
        for code, source in self.sources.items():
            fetches = np.flatnonzero(home == code)
            rows = np.flatnonzero(np.isin(batch, fetches))
            texts[rows] = source.some(
                [user_ids[fetch] for fetch in fetches.tolist()],
                fetched_at_s[fetches],
                np.searchsorted(fetches, batch[rows]),
                window[rows],
            )
        return texts
