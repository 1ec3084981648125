"""What every phone asks for: to be registered once, and a batch of TempIDs now and then."""

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from tracetogether.authority.access import SECRET_BYTES, UserStore, credential_digest
from tracetogether.bluetrace.tempid import TempIDBatch, TempIDIssuer, new_user_id
from tracetogether.errors import ConflictError
from tracetogether.parameters import BLUETRACE, BlueTraceParameters
from tracetogether.units import Entropy


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
    parameters: BlueTraceParameters = BLUETRACE
    entropy: Entropy = os.urandom

    def register(self) -> Registration:
        """Enrol a new user.

        Raises:
            ConflictError: the source of randomness repeated itself.
        """
        registration = Registration(new_user_id(self.entropy), new_secret(self.entropy))
        digest = credential_digest(registration.credential)
        if not self.users.add_user(registration.user_id, digest):
            msg = "the new user's id or credential is already taken: try again"
            raise ConflictError(msg)
        return registration

    def batch(self, user_id: str, now: float) -> TempIDBatch:
        """Return a day's TempIDs for a user, the first window already begun.

        Nothing is written down: TempIDs are opened by key, not looked up. A second call in the
        same window gives other TempIDs of equal worth.
        """
        return self.issuer.issue(
            user_id, start=now - self.parameters.early_start_s, count=self.parameters.batch_size
        )
