"""Who may do what: phones by their registration credential, operators by a token; else nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tracetogether.crypto import equal, sha256
from tracetogether.errors import AccessDeniedError

SECRET_BYTES: Final = 32
_MAX_SECRET_TEXT: Final = 512  # bounds the work that a stranger can cause
_PHONE: Final = b"tracetogether/v1/registration-credential/"
_OPERATOR: Final = b"tracetogether/v1/operator-token/"


class UserStore(Protocol):
    """Where the digests of credentials are kept; the credentials themselves are nowhere."""

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        ...

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        ...

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        ...

    def operator_digests(self) -> Sequence[bytes]:
        """Return the digests of all operator tokens."""
        ...


class MemoryUsers:
    """Users and operator tokens that live as long as the process."""

    def __init__(self, operators: Sequence[bytes] = ()) -> None:
        self._users: dict[str, bytes] = {}
        self._by_digest: dict[bytes, str] = {}
        self._operators = list(operators)

    def add_user(self, user_id: str, credential_digest: bytes) -> bool:
        """Write down a new user; False if the id or the digest is already there."""
        if user_id in self._users or credential_digest in self._by_digest:
            return False
        self._users[user_id] = credential_digest
        self._by_digest[credential_digest] = user_id
        return True

    def user_of(self, credential_digest: bytes) -> str | None:
        """Return whose credential this is."""
        return self._by_digest.get(credential_digest)

    def has_user(self, user_id: str) -> bool:
        """Return whether there is such a user."""
        return user_id in self._users

    def operator_digests(self) -> Sequence[bytes]:
        """Return the digests of all operator tokens."""
        return tuple(self._operators)


def credential_digest(credential: str) -> bytes:
    """Return what the store keeps of a phone's registration credential.

    A credential has 256 random bits, so a plain hash of it can't be guessed back, and the time
    that a look-up by the hash takes says nothing about the credential.
    """
    return sha256(_PHONE + credential.encode())


def operator_digest(token: str) -> bytes:
    """Return what the store keeps of an operator token."""
    return sha256(_OPERATOR + token.encode())


@dataclass(frozen=True, slots=True)
class Access:
    """Tells phones and operators from strangers."""

    users: UserStore

    def phone(self, credential: str | None) -> str:
        """Return the user id of the phone that shows ``credential``.

        Raises:
            AccessDeniedError: there is none, or it is nobody's.
        """
        secret = _bounded(credential)
        user_id = self.users.user_of(credential_digest(secret))
        if user_id is None or not secret:
            msg = "a registration credential is needed: register first"
            raise AccessDeniedError(msg)
        return user_id

    def operator(self, token: str | None) -> None:
        """Return if ``token`` is an operator's.

        Raises:
            AccessDeniedError: there is none, or it is nobody's.
        """
        secret = _bounded(token)
        digest = operator_digest(secret)
        # Every digest is compared, so that the time does not tell which one came near.
        known = [equal(digest, one) for one in self.users.operator_digests()]
        if not any(known) or not secret:
            msg = "an operator token is needed: `authority init` wrote it to operator.token"
            raise AccessDeniedError(msg)


def _bounded(secret: str | None) -> str:
    return secret if secret is not None and len(secret) <= _MAX_SECRET_TEXT else ""
