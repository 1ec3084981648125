"""Our own pass: who issued it, for which hours, and its number. Nothing else is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from tracetogether.cbor import write_cbor
from tracetogether.crypto import sha256
from tracetogether.errors import UnreadableMessageError
from tracetogether.signed.claims import (
    EXPIRES,
    HCERT,
    ISSUED,
    ISSUER,
    NUMBER,
    OWN_PASS,
    map_of,
    needed_time_of,
    text_of,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

NUMBER_BYTES: Final = 8
LONGEST_S: Final = 7 * SECONDS_PER_DAY  # a pass on paper
MOST_HINT: Final = 16  # characters
SCREEN: Final = "screen"
PAPER: Final = "paper"
EARLY_S: Final = 240
"""A gate takes a pass from this long before its hour, and never after its hour.

A phone shows the next hour's pass from 120 s before that hour. So the clocks of phone and gate may
differ by two minutes in either direction, and a pass of the last hour is refused exactly.
"""
_VERSION: Final = 1
_FORMS: Final = (SCREEN, PAPER)


def number_abroad(issuer: str, number: bytes) -> bytes:
    """Return what our list of revoked passes has for a partner's number (8 bytes).

    It depends on the issuer, so a partner can revoke its own passes only: it may have seen numbers
    of ours at its gates.
    """
    return sha256(issuer.encode() + b"\x00" + number)[:NUMBER_BYTES]


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass (健康码) without its signature.

    Attributes:
        issuer: the organisation, as in BlueTrace's ``o``, such as "SG_MOH".
        not_before: a whole hour, epoch seconds.
        expires: a whole hour, epoch seconds.
        number: 8 bytes, for the list of revoked passes; says nothing of the holder.
        hint: a few characters that tell holders apart, such as initials, or None.
        form: "screen" or "paper".
    """

    issuer: str
    not_before: int
    expires: int
    number: bytes
    hint: str | None = None
    form: str = SCREEN

    def __post_init__(self) -> None:
        fault = (
            (not self.issuer and "no issuer")
            or (len(self.number) != NUMBER_BYTES and "a number that has not 8 bytes")
            or ((self.not_before % SECONDS_PER_HOUR or self.expires % SECONDS_PER_HOUR)
                and "times that are no whole hours")
            or (not 0 < self.expires - self.not_before <= LONGEST_S and "a span over seven days")
            or (self.hint is not None and not 0 < len(self.hint) <= MOST_HINT
                and "a hint of another length")
            or (self.form not in _FORMS and "an unknown form")
        )  # fmt: skip
        if fault:
            msg = f"a pass with {fault}"
            raise ValueError(msg)

    def write(self) -> bytes:
        """Return the claims of a CBOR Web Token, which ``signed.cose.sign`` signs."""
        content: dict[int, object] = {1: _VERSION, 3: _FORMS.index(self.form)}
        if self.hint is not None:
            content[2] = self.hint
        return write_cbor(
            {
                ISSUER: self.issuer,
                EXPIRES: self.expires,
                ISSUED: self.not_before,
                NUMBER: self.number,
                HCERT: {OWN_PASS: content},
            }
        )

    @classmethod
    def from_claims(cls, claims: Mapping[object, object]) -> Self | None:
        """Read the claims of a token; None if they are those of something else.

        Raises:
            UnreadableMessageError: it is a pass of a later version, or a value is wrong.
        """
        content = map_of(claims, HCERT, OWN_PASS)
        if content is None:
            return None
        if content.get(1) != _VERSION:
            raise UnreadableMessageError(
                "a pass of a version that is not known here", "pass-version"
            )
        number, hint, form = claims.get(NUMBER), content.get(2), content.get(3)
        times = needed_time_of(claims, ISSUED), needed_time_of(claims, EXPIRES)
        try:
            if (
                isinstance(number, bytes)
                and isinstance(hint, str | None)
                and type(form) is int
                and 0 <= form < len(_FORMS)
                and all(type(time) is int for time in times)
            ):
                return cls(
                    text_of(claims, ISSUER),
                    int(times[0]),
                    int(times[1]),
                    number,
                    hint,
                    _FORMS[form],
                )
        except ValueError as error:
            raise UnreadableMessageError(str(error), "pass-form") from None
        raise UnreadableMessageError("a pass with a value of another type", "pass-form")
