"""What every phone asks for: to be registered once, and a batch of TempIDs now and then."""

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.credentials import (
    SECRET_BYTES,
    UserStore,
    credential_digest,
    withdrawal_digest,
)
from tracetogether.authority.access.limits import ALL_REGISTRATIONS, REGISTRATIONS, Limit, Limits
from tracetogether.authority.cases.followed import FollowStore, person_tags
from tracetogether.bluetrace.tempid import TempIDBatch, TempIDIssuer, new_user_id
from tracetogether.crypto import keyed_stream, sha256
from tracetogether.errors import ConflictError, NotFoundError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, BlueTraceParameters
from tracetogether.units import Entropy, utc_day

_PURPOSE: Final = "tempid-iv"
_GRID: Final = b"tracetogether/v1/window-grid/"


def new_secret(entropy: Entropy = os.urandom) -> str:
    """Return a random credential or token: 43 URL-safe characters, 256 bits."""
    return urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Registration:
    """What a phone keeps: who it is, and the credential that proves it. Shown once."""

    user_id: str = field(repr=False)
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issuance:
    """Registers users and issues their TempIDs. Nothing about a person is asked or kept."""

    issuer: TempIDIssuer
    users: UserStore
    follow: FollowStore
    keys: KeyRing
    audit: Audit
    limits: Limits
    parameters: BlueTraceParameters = BLUETRACE
    entropy: Entropy = os.urandom
    of_all: Limit = ALL_REGISTRATIONS

    def register(self, now: float | None = None, address: str = "") -> Registration:
        """Enrol a new user.

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
        if not self.users.add_user(registration.user_id, digest):
            msg = "the new user's id or credential is already taken: try again"
            raise ConflictError(msg)
        return registration

    def withdraw(self, user_id: str, now: float) -> None:
        """Forget a user: the credential, PINs, cases and uploads, and the lists he is followed in.

        A digest of the id is kept, so that no restored backup brings the user back. What others
        uploaded still holds the user's TempIDs; nobody is named by them any more.

        Raises:
            NotFoundError: there is no such user.
        """
        with self.audit.atomic():
            self.follow.drop_tagged(person_tags(user_id, now, self.keys))
            if not self.users.remove_user(user_id):
                msg = "there is no such user: the withdrawal is done already"
                raise NotFoundError(msg)
            self.users.add_withdrawal(withdrawal_digest(user_id), now)
            self.audit.record("user.withdrawn", now, by="phone")

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return a day's TempIDs for a user, the first window already begun.

        A user's windows lie on a grid of quarters of an hour, shifted by an amount of his
        own so that phones don't change their TempIDs in step. Calls within one window give the very
        same batch: asking more often gains nothing. Nothing is written down: TempIDs
        are opened by key, not looked up.
        """
        validity = self.parameters.validity_s
        shift = int.from_bytes(sha256(_GRID + user_id.encode())[:4], "big") % validity
        latest = int(now) - self.parameters.early_start_s
        start = (latest - shift) // validity * validity + shift
        return self.issuer.issue(
            user_id, start, self.parameters.batch_size, entropy=self._ivs(user_id, start)
        )

    def _ivs(self, user_id: str, start: int) -> Entropy:
        """Return a source of IVs that is a keyed function of the user and the batch's start.

        The same IV then always meets the same TempID: AES-GCM is never asked to seal two values
        under one IV, however often a batch is asked for.
        """
        key = self.keys.day_key(_PURPOSE, utc_day(start))
        draws = 0

        def draw(size: int) -> bytes:
            nonlocal draws
            draws += 1
            return keyed_stream(key, f"{user_id}/{start}/{draws}".encode(), size)

        return draw
