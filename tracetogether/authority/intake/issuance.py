"""Registration of phones, and their batches of TempIDs."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.credentials import (
    SECRET_BYTES,
    credential_digest,
    withdrawal_digest,
)
from tracetogether.authority.access.limits import ALL_REGISTRATIONS, REGISTRATIONS, Limit, Limits
from tracetogether.authority.access.tallies import WITHDRAWALS, Tallies
from tracetogether.authority.cases.followed import person_tags
from tracetogether.authority.intake.store import IntakeStore
from tracetogether.bluetrace.tempid import TempIDBatch, TempIDIssuer, new_user_id
from tracetogether.crypto import keyed_stream, sha256
from tracetogether.errors import ConflictError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, BlueTraceParameters
from tracetogether.units import SECONDS_PER_DAY, Entropy, Ints, utc_day

_PURPOSE: Final = "tempid-iv"
_SHIFT_BYTES: Final = 8
_GRID: Final = "window-grid"


def new_secret(entropy: Entropy = os.urandom) -> str:
    """Return a random credential or token: 43 URL-safe characters, 256 bits."""
    return urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Registration:
    """A phone's user id and credential; the credential is shown once."""

    user_id: str = field(repr=False)
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issuance:
    """Registers users and issues their TempIDs. It stores nothing about a person.

    ``on_register`` gets the id of a new user and the UTC day, in the transaction.
    """

    issuer: TempIDIssuer
    store: IntakeStore
    keys: KeyRing
    audit: Audit
    limits: Limits
    tallies: Tallies
    parameters: BlueTraceParameters = BLUETRACE
    entropy: Entropy = os.urandom
    of_all: Limit = ALL_REGISTRATIONS
    on_register: Callable[[str, int], None] | None = None

    def register(self, now: float | None = None, address: str = "") -> Registration:
        """Register a new user.

        Args:
            now: epoch seconds; without it registrations are not counted.
            address: where the request comes from, for the limit.

        Raises:
            RateLimitedError: too many from this address, or from all together.
            ConflictError: the source of randomness repeated itself.
        """
        if now is not None:
            self.limits.take(REGISTRATIONS, address, now)
            self.limits.take(self.of_all, "", now)
        registration = Registration(new_user_id(self.entropy), new_secret(self.entropy))
        digest = credential_digest(registration.credential)
        with self.store.atomic():
            if not self.store.add_user(registration.user_id, digest):
                msg = "the new user's id or credential is already taken: try again"
                raise ConflictError(msg, "id-taken")
            if now is not None and self.on_register is not None:
                self.on_register(registration.user_id, utc_day(now))
        return registration

    def withdraw(self, user_id: str, now: float) -> None:
        """Delete a user: credential, PINs, cases, uploads, and rows in follow-up lists.

        A digest of the id stays, so that no restored backup brings the user back. Logs of others
        still hold the user's TempIDs, but these name nobody any more.

        Raises:
            NotFoundError: there is no such user.
        """
        with self.audit.atomic():
            self.store.desk.drop_tagged(person_tags(user_id, now, self.keys))
            if not self.store.remove_user(user_id):
                msg = "there is no such user: the withdrawal is done already"
                raise NotFoundError(msg, "withdrawn-already")
            self.store.add_withdrawal(withdrawal_digest(user_id), now)
            self.tallies.add(WITHDRAWALS, now)

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return a day's TempIDs for a user, the first window already begun.

        A user's windows lie on a grid of quarters of an hour, shifted by an amount that a key
        draws for the user and the UTC day: phones don't change their TempIDs in step, and the
        shift of one day says nothing about another day. Calls within one window return the same
        batch. Nothing is stored: TempIDs are decrypted, not looked up.
        """
        edges = self._edges(user_id, int(now) - self.parameters.early_start_s)
        return self.issuer.issue_windows(user_id, edges, entropy=self._ivs(user_id, edges))

    def _edges(self, user_id: str, latest: int) -> Ints:
        """Return where windows begin and end, from the one that holds ``latest`` on.

        A day's windows begin at its shift after midnight and reach to the next day's; the last
        is cut there, so that none is longer than the others and none is missing.
        """
        validity, count = self.parameters.validity_s, self.parameters.batch_size
        today = utc_day(latest)
        days = range(today - self.keys.has_day(today - 1), utc_day(latest + count * validity) + 2)
        firsts = [day * SECONDS_PER_DAY + self._shift(user_id, day) for day in (*days, days.stop)]
        grids = [np.arange(first, end, validity) for first, end in pairwise(firsts)]
        if days.start == today:  # before the first day with keys there are no windows
            grids.insert(0, np.arange(today * SECONDS_PER_DAY, firsts[0], validity))
        edges = np.concatenate(grids).astype(np.int64)
        begin = int(np.searchsorted(edges, latest, side="right")) - 1
        return edges[begin : begin + count + 1]

    def _shift(self, user_id: str, day: int) -> int:
        """Return the shift of a user's grid on a UTC day, in seconds."""
        drawn = keyed_stream(self.keys.day_key(_GRID, day), user_id.encode(), _SHIFT_BYTES)
        return int.from_bytes(drawn, "big") % self.parameters.validity_s

    def _ivs(self, user_id: str, edges: Ints) -> Entropy:
        """Return a source of IVs that is a keyed function of the user and the batch's windows.

        The same IV then always meets the same TempID: AES-GCM is never asked to seal two values
        under one IV, however often a batch is asked for, and whatever keys are rotated meanwhile.
        """
        key = self.keys.day_key(_PURPOSE, utc_day(int(edges[0])))
        windows = sha256(edges.astype(">i8").tobytes()).hex()
        draws = 0

        def draw(size: int) -> bytes:
            nonlocal draws
            draws += 1
            return keyed_stream(key, f"{user_id}/{windows}/{draws}".encode(), size)

        return draw
