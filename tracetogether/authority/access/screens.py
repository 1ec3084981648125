"""Screens that show the wall unattended: let in by a code once, and nothing but the wall."""

import os
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import Limits
from tracetogether.authority.access.operators import OPERATOR_NAME, Operator
from tracetogether.authority.access.permissions import Action, Caller, Role
from tracetogether.authority.access.sign_in import SIGN_INS_FROM, new_token
from tracetogether.authority.access.store import AccessStore
from tracetogether.crypto import equal, sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tracetogether.parameters import SCREEN_CODE_S, SCREEN_IDLE_S, SCREEN_LONGEST_S
from tracetogether.units import SECONDS_PER_HOUR, Entropy

_CODE: Final = b"tracetogether/v1/screen-code/"
_SESSION: Final = b"tracetogether/v1/screen-session/"
_CODE_BYTES: Final = 10  # 16 characters
_MOST: Final = 50
_LONGEST_TOKEN: Final = 256  # bounds the work that a stranger can cause
_SEEN_EVERY_S: Final = SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen, or one to be.

    Attributes:
        name: unique, such as "lobby".
        added_at: when its code was made, epoch seconds.
        added_by: who let it in.
        code_digest: of the code; b"" once it was used.
        session_digest: of the token that the screen shows; b"" before its code was used.
        begun_at: when its code was used; 0 before.
        seen_at: when it last showed the wall, to the hour; 0 before.
    """

    name: str
    added_at: float
    added_by: str
    code_digest: bytes = field(repr=False)
    session_digest: bytes = field(default=b"", repr=False)
    begun_at: float = 0.0
    seen_at: float = 0.0

    def over(self, now: float) -> bool:
        """Return whether neither its code nor its session can be used at ``now``."""
        if not self.session_digest:
            return now - self.added_at >= SCREEN_CODE_S
        return now - self.begun_at >= SCREEN_LONGEST_S or now - self.seen_at >= SCREEN_IDLE_S


@dataclass(frozen=True, slots=True)
class Screens:
    """Lets screens in and out. A screen is no operator: it has no name to sign in with."""

    store: AccessStore
    audit: Audit
    limits: Limits
    entropy: Entropy = os.urandom

    def add(self, name: str, now: float, *, by: Caller) -> str:
        """Return a code that lets one screen in, within a quarter of an hour.

        Raises:
            InvalidRequestError: the name has other characters than an operator's.
            ConflictError: a screen of that name is in use, or there are too many.
        """
        by.require(Action.CHANGE_SCREENS)
        if not OPERATOR_NAME.fullmatch(name):
            msg = "a screen's name has up to 32 of a-z, 0-9, dot, dash and underscore"
            raise InvalidRequestError(msg, "screen-name")
        code = b32encode(self.entropy(_CODE_BYTES)).decode()
        with self.audit.atomic():
            self.store.last_audit()  # nobody else changes a screen until the transaction ends
            known = {screen.name: screen for screen in self.store.screens()}
            if name in known and not known[name].over(now):
                msg = "a screen of that name is in use: end it first, or choose another name"
                raise ConflictError(msg, "screen-name-taken")
            if len(known) >= _MOST and name not in known:
                msg = f"there are {_MOST} screens: end one first"
                raise ConflictError(msg, "screens-too-many")
            self.store.put_screen(Screen(name, now, by.name, _digest(_CODE, code)))
            self.audit.record("screen.added", now, by=by.name, subject=name)
        return "-".join(code[place : place + 4] for place in range(0, len(code), 4))

    def enter(self, code: str, now: float, *, address: str = "") -> str:
        """Return the token of a screen that shows its code; the code is used up.

        Raises:
            RateLimitedError: too many wrong codes from this address.
            AccessDeniedError: the code is wrong, used or too old.
        """
        self.limits.take(SIGN_INS_FROM, address, now)
        typed = _digest(_CODE, code[:64].replace("-", "").replace(" ", "").upper())
        with self.audit.atomic():
            # Nobody else changes a screen from here on: one that is ended must not come back.
            self.store.last_audit()
            # Every digest is compared: the time must not show which one was similar.
            found = [screen for screen in self.store.screens() if equal(typed, screen.code_digest)]
            if not found or found[0].over(now):
                msg = "the code is wrong, used or too old: `authority wall add` makes another"
                raise AccessDeniedError(msg, "screen-code")
            token = new_token(self.entropy)
            self.store.put_screen(
                replace(
                    found[0],
                    code_digest=b"",
                    session_digest=_digest(_SESSION, token),
                    begun_at=now,
                    seen_at=now,
                )
            )
            self.audit.record("screen.entered", now, by="screen", subject=found[0].name)
        self.limits.give_back(SIGN_INS_FROM, address, now)
        return token

    def who(self, token: str, now: float) -> Operator | None:
        """Return what a screen may do: an operator who may see the wall and nothing else.

        None if the token is unknown, over or ended.
        """
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        shown = _digest(_SESSION, token)
        found = [screen for screen in self.store.screens() if equal(shown, screen.session_digest)]
        if not found or found[0].over(now):
            return None
        if now - found[0].seen_at >= _SEEN_EVERY_S:
            self.store.see_screen(found[0].name, now)
        return Operator(found[0].name, frozenset({Role.VIEWER}), found[0].added_at, b"")

    def end(self, name: str, now: float, *, by: Caller) -> None:
        """End a screen: from its next refresh on it shows nothing.

        Raises:
            NotFoundError: there is no such screen.
        """
        by.require(Action.CHANGE_SCREENS)
        with self.audit.atomic():
            self.store.last_audit()
            if not self.store.drop_screen(name):
                msg = "there is no screen of that name: `authority wall list` shows all"
                raise NotFoundError(msg, "no-such-screen")
            self.audit.record("screen.ended", now, by=by.name, subject=name)

    def all(self, *, by: Caller) -> Sequence[Screen]:
        """Return all screens by name."""
        by.require(Action.CHANGE_SCREENS)
        return self.store.screens()


def _digest(purpose: bytes, secret: str) -> bytes:
    return sha256(purpose + secret.encode("utf-8", "replace"))
