"""Authentication: phones show a registration credential, operators a token."""

from dataclasses import dataclass, field
from typing import Final

from tracetogether.authority.access.operators import Operator, operator_digest
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import equal, sha256
from tracetogether.errors import AccessDeniedError

SECRET_BYTES: Final = 32
_MAX_SECRET_TEXT: Final = 512  # bounds the work that a stranger can cause
_WITHDRAWAL: Final = b"tracetogether/v1/withdrawal/"
_PHONE: Final = b"tracetogether/v1/registration-credential/"


def credential_digest(credential: str) -> bytes:
    """Return what the store keeps of a phone's registration credential.

    A credential has 256 random bits, so a plain hash of it can't be guessed back, and the time
    that a look-up by the hash takes says nothing about the credential.
    """
    return sha256(_PHONE + credential.encode())


def withdrawal_digest(user_id: str) -> bytes:
    """Return what the list of withdrawals keeps of a user id.

    An id has 168 random bits, so a plain hash of it can't be guessed back. A backup that still
    holds the id is compared by it.
    """
    return sha256(_WITHDRAWAL + user_id.encode())


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who fetches TempIDs: a phone, or the device of a place.

    Attributes:
        user_id: whom the TempIDs name.
        is_place: a place may do nothing but fetch them.
    """

    user_id: str = field(repr=False)
    is_place: bool


@dataclass(frozen=True, slots=True)
class Access:
    """Authenticates phones, places and operators."""

    store: AccessStore

    def phone(self, credential: str | None) -> str:
        """Return the user id of the phone that shows ``credential``.

        Raises:
            AccessDeniedError: it is missing or unknown, or the credential of a place.
        """
        speaker = self.speaker(credential)
        if speaker.is_place:
            msg = "this is the credential of a place: it fetches TempIDs and does nothing else"
            raise AccessDeniedError(msg, "credential-of-place")
        return speaker.user_id

    def speaker(self, credential: str | None) -> Speaker:
        """Return the phone or the place that shows ``credential``.

        Raises:
            AccessDeniedError: it is missing or unknown, or its place has retired.
        """
        secret = _bounded(credential)
        digest = credential_digest(secret)
        person = self.store.user_of(digest) if secret else None
        if person is not None:
            return Speaker(person, is_place=False)
        place = self.store.place_of(digest) if secret else None
        if place is None:
            msg = "a registration credential is needed: register first"
            raise AccessDeniedError(msg, "credential-needed")
        return Speaker(place, is_place=True)

    def operator(self, token: str | None) -> Operator:
        """Return the operator who shows ``token``.

        Raises:
            AccessDeniedError: it is missing or unknown, or its operator is disabled.
        """
        secret = _bounded(token)
        digest = operator_digest(secret)
        # Every digest is compared: the time must not show which one was similar.
        known = [
            operator for operator in self.store.operators() if equal(digest, operator.token_digest)
        ]
        if not known or not secret or known[0].disabled:
            msg = (
                "an operator token is needed: `authority init` or `authority user add` printed one"
            )
            raise AccessDeniedError(msg, "operator-token-needed")
        return known[0]


def _bounded(secret: str | None) -> str:
    return secret if secret is not None and len(secret) <= _MAX_SECRET_TEXT else ""
