"""Sign-in to the pages: password, one-time code (TOTP), session."""

import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from typing import Final, Protocol
from unicodedata import normalize

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import Limit, Limits
from tracetogether.authority.access.operators import Operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.authority.access.tallies import SIGN_INS_REFUSED, Tallies
from tracetogether.crypto import IV_BYTES, Aead, derive, equal, sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    SealError,
)
from tracetogether.parameters import (
    PASSWORD_CHARACTERS,
    SESSION_IDLE_S,
    SESSION_LONGEST_S,
    SIGN_INS_A_QUARTER_HOUR,
    SIGN_INS_FROM_ONE_ADDRESS,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_MINUTE, Entropy

_SESSION: Final = b"tracetogether/v1/session/"
_FORM: Final = b"tracetogether/v1/form/"
_VERIFIER: Final = b"tracetogether/v1/password-verifier"
_SECRET_KEY: Final = b"tracetogether/v1/code-secret"
_ENROLLING: Final = b"tracetogether/v1/enrolling"
_SALT_BYTES: Final = 16
_SECRET_BYTES: Final = 20  # RFC 4226, section 4: 160 bits
_TOKEN_BYTES: Final = 32
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none looks like another
_EVEN: Final = 256 - 256 % len(_LETTERS)
_GROUPS: Final = 5
_IN_GROUP: Final = 4
ONE_TIME_S: Final = 3 * SECONDS_PER_DAY
"""How long a password that somebody else chose lets the operator choose another one."""
_MOST_CHARACTERS: Final = 256  # bounds the work that a stranger can cause
_MOST_TYPED: Final = 16 * _MOST_CHARACTERS  # before it is normalised: accents typed apart
_QUARTER_S: Final = 15 * SECONDS_PER_MINUTE
_SEEN_EVERY_S: Final = SECONDS_PER_MINUTE  # not every look at a page is a write
_REFUSED: Final = "name, password or code is wrong, or the code was used: wait for the next code"
_ENROLLED: Final = "codes are set up already: `authority user password` lets you start again"

SIGN_INS: Final = Limit("sign-ins", SIGN_INS_A_QUARTER_HOUR, _QUARTER_S)
SIGN_INS_FROM: Final = Limit("sign-ins-from", SIGN_INS_FROM_ONE_ADDRESS, _QUARTER_S, by_source=True)


@dataclass(frozen=True, slots=True)
class KeptPassword:
    """A stored password: a salted verifier, and the TOTP secret sealed under the password.

    Attributes:
        name: the operator's.
        salt: random, of this password.
        cost: how hard the hash is to compute, as the hashing wrote it.
        verifier: derived from the hash.
        sealed_secret: IV, then the secret of the codes, sealed under another key derived from
            the hash: who has the database alone can compute no code. b"" before enrolment.
        last_step: the latest time step whose code was used.
        one_time_until: for a password that somebody else chose: until when it lets the operator
            choose another one, epoch seconds; 0 for the operator's own.
    """

    name: str
    salt: bytes = field(repr=False)
    cost: str
    verifier: bytes = field(repr=False)
    sealed_secret: bytes = field(default=b"", repr=False)
    last_step: int = 0
    one_time_until: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in operator's session; its token is not stored.

    Attributes:
        digest: of the token.
        name: the operator's.
        begun_at, seen_at: epoch seconds.
        enrolling: while no code was ever given: the secret to be, sealed under the token.
    """

    digest: bytes = field(repr=False)
    name: str
    begun_at: float
    seen_at: float
    enrolling: bytes = field(default=b"", repr=False)

    def over(self, now: float) -> bool:
        """Return whether it has ended because it was idle or is too old."""
        return now - self.seen_at >= SESSION_IDLE_S or now - self.begun_at >= SESSION_LONGEST_S


class Hashing(Protocol):
    """A hash that is slow on purpose."""

    @property
    def cost(self) -> str:
        """How hard new ones are."""
        ...

    def __call__(self, password: str, salt: bytes, cost: str) -> bytes:
        """Return 32 bytes."""
        ...


class Codes(Protocol):
    """Codes that an app on another device computes from a shared secret and the time."""

    def step(self, secret: bytes, code: str, now: float) -> int | None:
        """Return the time step of a code; None if it belongs to no step near ``now``."""
        ...


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signs operators in by password and code, and recognises their sessions."""

    store: AccessStore
    audit: Audit
    limits: Limits
    tallies: Tallies
    hashing: Hashing
    codes: Codes
    entropy: Entropy = os.urandom

    def set_password(self, name: str, password: str, now: float, *, by: Caller) -> None:
        """Set an operator's password; codes must then be set up again, and sessions end.

        Raises:
            AccessDeniedError: ``by`` may not set passwords.
            InvalidRequestError: it is too short or too long, or has the operator's name in it.
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.SET_PASSWORD)
        if self._operator(name) is None:
            msg = "there is no such operator: `authority user list` shows all"
            raise NotFoundError(msg, "no-such-operator")
        self._keep(name, password, now, 0.0, by)

    def give_password(self, name: str, now: float, *, by: Caller) -> str:
        """Set a random password that works once, and return it: it is shown this once.

        Within three days the operator signs in with it, sets up codes, and chooses another one.

        Raises:
            AccessDeniedError: ``by`` may not set passwords.
            NotFoundError: no enabled operator has that name.
        """
        by.require(Action.SET_PASSWORD)
        if self._operator(name) is None:
            msg = "there is no such operator: `authority user list` shows all"
            raise NotFoundError(msg, "no-such-operator")
        password = self._random_password()
        while name in password:  # a password may not contain the operator's name
            password = self._random_password()
        self._keep(name, password, now, now + ONE_TIME_S, by)
        return password

    def _random_password(self) -> str:
        """Return 20 random letters and digits (99 bits) in groups that people can read out."""
        signs: list[str] = []
        while len(signs) < _GROUPS * _IN_GROUP:
            # Larger bytes are left out, so that no sign is more likely than another.
            drawn = (byte for byte in self.entropy(_SECRET_BYTES) if byte < _EVEN)
            signs += [_LETTERS[byte % len(_LETTERS)] for byte in drawn]
        return "-".join(
            "".join(signs[first : first + _IN_GROUP])
            for first in range(0, _GROUPS * _IN_GROUP, _IN_GROUP)
        )

    def _keep(
        self, name: str, password: str, now: float, one_time_until: float, by: Caller
    ) -> None:
        kept = self._verified(name, password)[0]
        with self.audit.atomic():
            self.store.sign_ins.put_password(replace(kept, one_time_until=one_time_until))
            self.store.sign_ins.end_sessions(name)
            self.audit.record("operator.password-set", now, by=by.name, subject=name)

    def _verified(self, name: str, password: str) -> tuple[KeptPassword, bytes]:
        """Return what is stored of a new password, and the key that seals codes under it.

        Raises:
            InvalidRequestError: it is too short or too long, or has the operator's name in it.
        """
        text = _normalised(password)
        if len(password) > _MOST_TYPED or any(map(_is_surrogate, text)):
            text = ""
        if not PASSWORD_CHARACTERS <= len(text) <= _MOST_CHARACTERS or name in text.lower():
            msg = (
                "a password has {least} to {most} characters and does not contain the operator's "
                "name"
            )
            raise InvalidRequestError(
                msg, "weak-password", least=PASSWORD_CHARACTERS, most=_MOST_CHARACTERS
            )
        salt = self.entropy(_SALT_BYTES)
        root = self.hashing(text, salt, self.hashing.cost)
        kept = KeptPassword(name, salt, self.hashing.cost, derive(root, _VERIFIER))
        return kept, derive(root, _SECRET_KEY)

    def enter(self, name: str, password: str, code: str, now: float, *, address: str = "") -> str:
        """Return the token of a new session.

        Every failure gets the same answer after the same work. Operators without codes get
        a session that allows only to set them up.

        Args:
            name: as it was typed.
            password: as it was typed.
            code: six digits; not asked before enrolment.
            now: epoch seconds.
            address: where the request comes from.

        Raises:
            RateLimitedError: too many wrong tries for this name, or from this address.
            AccessDeniedError: something is wrong.
        """
        self.limits.take(SIGN_INS_FROM, address, now)
        self.limits.take(SIGN_INS, name[:64], now)
        kept = self.store.sign_ins.password(name)
        operator = self._operator(name)
        nobody = KeptPassword("", bytes(_SALT_BYTES), self.hashing.cost, bytes(_TOKEN_BYTES))
        tried = kept or nobody
        typed = _normalised(password).encode("utf-8", "replace").decode()
        root = self.hashing(typed, tried.salt, tried.cost)
        right = equal(derive(root, _VERIFIER), tried.verifier)
        key = derive(root, _SECRET_KEY)
        secret = _opened(key, tried.sealed_secret, name)
        step = self.codes.step(secret or bytes(_SECRET_BYTES), code, now)
        allowed = right and kept is not None and operator is not None
        if tried.one_time_until and now >= tried.one_time_until:
            allowed = False
        with self.audit.atomic():  # a refusal is raised outside, so that its entry stays
            if allowed and tried.sealed_secret:
                allowed = (
                    secret is not None
                    and step is not None
                    and self.store.sign_ins.use_step(name, step)
                )
            token = self._begun(name, key, now, enrolled=bool(secret)) if allowed else ""
            known = name if operator is not None else ""  # what a stranger typed is not written
            act = "operator.signed-in" if allowed else "operator.refused"
            if known:
                self.audit.record(act, now, by=known, subject=known)
            else:
                self.audit.rehearse(act, now, by="nobody")
                self.tallies.add(SIGN_INS_REFUSED, now)
        if not token:
            raise AccessDeniedError(_REFUSED, "sign-in-refused")
        self.limits.give_back(SIGN_INS_FROM, address, now)
        self.limits.give_back(SIGN_INS, name[:64], now)
        return token

    def secret_of(self, token: str) -> bytes:
        """Return the secret that is to be enrolled in this session (20 bytes).

        Raises:
            ConflictError: it was enrolled.
        """
        session = self.store.sign_ins.session(session_digest(token))
        if session is None or not session.enrolling:
            raise ConflictError(_ENROLLED, "codes-set-up-already")
        return _pending(token, session)[1]

    def must_choose_password(self, name: str) -> bool:
        """Return whether an operator has a password that somebody else chose."""
        kept = self.store.sign_ins.password(name)
        return kept is not None and bool(kept.one_time_until)

    def enrol(self, token: str, code: str, now: float, *, password: str = "") -> str:
        """Keep the secret, once a code shows that the app has it; return a new session's token.

        Args:
            token: of the session.
            code: six digits.
            now: epoch seconds.
            password: the operator's own from now on; needed after one that works once.

        Raises:
            RateLimitedError: too many tries.
            AccessDeniedError: the code is not of this secret and time.
            ConflictError: it was enrolled meanwhile.
            InvalidRequestError: the password is needed, and too short, too long, the one that
                works once, or has the operator's name in it.
        """
        self.secret_of(token)
        session = self.store.sign_ins.session(session_digest(token))
        kept = None if session is None else self.store.sign_ins.password(session.name)
        assert session is not None  # noqa: S101 - secret_of has looked
        assert kept is not None  # noqa: S101 - a session begins with a password
        self.limits.take(SIGN_INS, session.name, now)
        key, secret = _pending(token, session)
        step = self.codes.step(secret, code, now)
        if step is None:
            msg = "the code is wrong or expired: compare the clocks of the two devices"
            raise AccessDeniedError(msg, "code-wrong")
        own = kept
        if kept.one_time_until:
            root = self.hashing(_normalised(password), kept.salt, kept.cost)
            if equal(derive(root, _VERIFIER), kept.verifier):
                msg = "choose another password than the one that you were given"
                raise InvalidRequestError(msg, "given-password")
            own, key = self._verified(session.name, password)
        iv = self.entropy(IV_BYTES)
        sealed = iv + Aead(key).seal(iv, secret, session.name.encode())
        with self.audit.atomic():
            if not self.store.sign_ins.enrol(session.name, sealed, step):
                raise ConflictError(_ENROLLED, "codes-set-up-already")
            if own is not kept:
                chosen = replace(own, sealed_secret=sealed, last_step=step)
                self.store.sign_ins.put_password(chosen)
            self.store.sign_ins.end_sessions(session.name)
            self.audit.record("operator.enrolled", now, by=session.name, subject=session.name)
            self.limits.give_back(SIGN_INS, session.name, now)
            return self._begun(session.name, key, now, enrolled=True)

    def who(self, token: str, now: float) -> tuple[Operator, Session] | None:
        """Return operator and session of a token; None if it is unknown, over or disabled."""
        if not token or len(token) > _MOST_CHARACTERS:
            return None
        digest = session_digest(token)
        session = self.store.sign_ins.session(digest)
        if session is None or session.over(now):
            return None
        operator = self._operator(session.name)
        if operator is None:
            return None
        if now - session.seen_at >= _SEEN_EVERY_S:
            self.store.sign_ins.see_session(digest, now)
        return operator, session

    def leave(self, token: str, now: float) -> None:
        """End a session."""
        digest = session_digest(token)
        session = self.store.sign_ins.session(digest)
        if session is not None:
            with self.audit.atomic():
                self.store.sign_ins.end_session(digest)
                self.audit.record("operator.signed-out", now, by=session.name, subject=session.name)

    def _operator(self, name: str) -> Operator | None:
        return next(
            (
                operator
                for operator in self.store.operators()
                if operator.name == name and not operator.disabled
            ),
            None,
        )

    def _begun(self, name: str, key: bytes, now: float, *, enrolled: bool) -> str:
        token = new_token(self.entropy)
        enrolling = b""
        if not enrolled:
            iv, secret = self.entropy(IV_BYTES), self.entropy(_SECRET_BYTES)
            sealing = Aead(derive(sha256(token.encode()), _ENROLLING))
            enrolling = iv + sealing.seal(iv, key + secret, name.encode())
        self.store.sign_ins.drop_sessions(now - SESSION_LONGEST_S, now - SESSION_IDLE_S)
        self.store.sign_ins.add_session(Session(session_digest(token), name, now, now, enrolling))
        return token


def _normalised(password: str) -> str:
    """Return a password as it is compared: however its accents were typed (NFKC, RFC 8265).

    It is normalised first, and cut off one character after the longest one that is allowed.
    """
    return normalize("NFKC", password[:_MOST_TYPED])[: _MOST_CHARACTERS + 1]


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def new_token(entropy: Entropy = os.urandom) -> str:
    """Return 256 random bits as text."""
    return urlsafe_b64encode(entropy(_TOKEN_BYTES)).decode().rstrip("=")


def session_digest(token: str) -> bytes:
    """Return what the store keeps of a session's token."""
    return sha256(_SESSION + token.encode())


def form_token(token: str) -> str:
    """Return the token in every form of a session: it cannot be computed without the cookie."""
    return sha256(_FORM + token.encode()).hex()


def _opened(key: bytes, sealed: bytes, name: str) -> bytes | None:
    try:
        return Aead(key).open(sealed[:IV_BYTES], sealed[IV_BYTES:], name.encode())
    except (SealError, ValueError):
        return None


def _pending(token: str, session: Session) -> tuple[bytes, bytes]:
    sealing = Aead(derive(sha256(token.encode()), _ENROLLING))
    iv, sealed = session.enrolling[:IV_BYTES], session.enrolling[IV_BYTES:]
    opened = sealing.open(iv, sealed, session.name.encode())
    return opened[:-_SECRET_BYTES], opened[-_SECRET_BYTES:]
