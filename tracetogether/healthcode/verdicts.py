"""What a gate says of a text: four words for the guard, a reason for the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

Word = Literal["pass", "not now", "not ours", "unreadable"]

_NOT_NOW: Final[Word] = "not now"
_NOT_OURS: Final[Word] = "not ours"
REASONS: Final[Mapping[str, tuple[Word, str]]] = MappingProxyType(
    {
        "expired": (_NOT_NOW, "its time is over"),
        "not-yet-valid": (_NOT_NOW, "its time has not begun"),
        "not-in-force": (_NOT_NOW, "the recovery that it certifies is not in force at this time"),
        "test-positive": (_NOT_NOW, "it certifies a test that found the virus"),
        "revoked": (_NOT_NOW, "it is on the list of revoked passes"),
        "too-old": (_NOT_NOW, "it is older than passes of this issuer are recognised here"),
        "key-out-of-time": (_NOT_OURS, "the key that signed it is not believed at this time"),
        "list-over": (_NOT_NOW, "the trust list of this gate is over: fetch the next one"),
        "unknown-key": (_NOT_OURS, "no trusted key has the name that it gives"),
        "algorithm": (_NOT_OURS, "it is not signed by ES256 or PS256"),
        "bad-signature": (_NOT_OURS, "no trusted key of that name made its signature"),
        "wrong-issuer": (_NOT_OURS, "the key that signed it belongs to another organisation"),
        "not-supported": (_NOT_OURS, "it is of a kind that is not read here"),
        "wrong-purpose": (_NOT_OURS, "the key that signed it may not sign passes of this kind"),
    }
)
"""Code -> the guard's word and a sentence for the operator. Others are faults of the text."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A pass that counts now.

    Attributes:
        kind: "pass", "dcc-vaccination", "dcc-test", "dcc-recovery" or "nz-pass".
        issuer: the organisation that issued it.
        not_before: epoch seconds.
        expires: epoch seconds.
        hint: what the pass says of its holder, or None; text of a stranger.
    """

    kind: str
    issuer: str
    not_before: float
    expires: float
    hint: str | None = None
    reason: str = "valid"
    for_guard: Word = "pass"
    for_log: str = "it is signed by a trusted key and counts now"


@dataclass(frozen=True, slots=True)
class Refused:
    """A text that is no pass, or that does not count now.

    Attributes:
        for_guard: "not now", "not ours" or "unreadable"; expired and revoked are the same word.
        for_log: one sentence for the operator, without text of the stranger.
        reason: the same as a code.
        kind: what it claims to be; None if it could not be read so far.
        issuer: the issuer that it claims; text of a stranger.
        not_before: epoch seconds as it claims.
        expires: epoch seconds as it claims.
    """

    for_guard: Word
    for_log: str
    reason: str
    kind: str | None = None
    issuer: str | None = None
    not_before: float | None = None
    expires: float | None = None
