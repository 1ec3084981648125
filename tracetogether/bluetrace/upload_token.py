"""Leave to upload: the PIN that an official reads out, and the token it becomes."""

import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import Final

from tracetogether.crypto import IV_BYTES, TAG_BYTES
from tracetogether.errors import InvalidUploadError, KeyRingError, SealError
from tracetogether.keyring import KeyRing
from tracetogether.parameters import UPLOAD_PIN_DIGITS, UPLOAD_TOKEN_LIFETIME_S
from tracetogether.units import Entropy, utc_day

_PURPOSE: Final = "upload-token"
_DAY_BYTES: Final = 4
_ID_BYTES: Final = 16
_PIN_SPACE: Final = 10**UPLOAD_PIN_DIGITS
_FAIR: Final = 2**32 // _PIN_SPACE * _PIN_SPACE  # draws from here on would favour low PINs


def new_pin(entropy: Entropy = os.urandom) -> str:
    """Return a random upload PIN of 8 digits; every PIN is equally likely."""
    while True:
        draw = int.from_bytes(entropy(4), "big")
        if draw < _FAIR:
            return f"{draw % _PIN_SPACE:0{UPLOAD_PIN_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Leave for one user to upload one log, once, until ``expiry`` (epoch seconds).

    Attributes:
        token_id: names this token, so that its use can be remembered.
        log_sha256: digest of the one body that may be uploaded with it.
    """

    user_id: str = field(repr=False)
    case_id: str
    log_sha256: bytes
    expiry: float
    token_id: str


class UploadTokens:
    """Seals and opens upload tokens under the day keys of a ring.

    Args:
        keys: a ring with a chain of day keys.
        authority: organisation code; bound into every token.
        entropy: where IVs and token ids come from.
    """

    def __init__(self, keys: KeyRing, authority: str, *, entropy: Entropy = os.urandom) -> None:
        self._keys = keys
        self._authority = authority
        self._entropy = entropy

    def seal(
        self,
        user_id: str,
        case_id: str,
        log_sha256: bytes,
        now: float,
        *,
        token_id: str | None = None,
    ) -> str:
        """Return the token's text, valid for two hours from ``now``.

        Tokens of one ``token_id`` (random if None) are one leave: one log comes in, once.
        """
        said = {
            "user": user_id,
            "case": case_id,
            "log": log_sha256.hex(),
            "expiry": now + UPLOAD_TOKEN_LIFETIME_S,
            "id": token_id or self._entropy(_ID_BYTES).hex(),
        }
        day, iv = utc_day(now), self._entropy(IV_BYTES)
        sealed = self._keys.aead(_PURPOSE, day).seal(
            iv, json.dumps(said).encode(), self._associated(day)
        )
        return urlsafe_b64encode(day.to_bytes(_DAY_BYTES, "big") + iv + sealed).decode()

    def open(self, text: str, now: float) -> UploadToken:
        """Return what a token allows.

        Raises:
            InvalidUploadError: it was not issued here, was changed, or is no longer valid.
        """
        msg = "the upload token is not valid or has expired: redeem a new upload PIN"
        try:
            raw = urlsafe_b64decode(text.encode("ascii"))
            day = int.from_bytes(raw[:_DAY_BYTES], "big")
            if len(raw) < _DAY_BYTES + IV_BYTES + TAG_BYTES or not 0 <= utc_day(now) - day <= 1:
                raise InvalidUploadError(msg)
            iv, sealed = raw[_DAY_BYTES : _DAY_BYTES + IV_BYTES], raw[_DAY_BYTES + IV_BYTES :]
            said = json.loads(
                self._keys.aead(_PURPOSE, day).open(iv, sealed, self._associated(day))
            )
        except (Base64Error, UnicodeEncodeError, SealError, KeyRingError):
            raise InvalidUploadError(msg) from None
        if now >= said["expiry"]:
            raise InvalidUploadError(msg)
        return UploadToken(
            user_id=said["user"],
            case_id=said["case"],
            log_sha256=bytes.fromhex(said["log"]),
            expiry=said["expiry"],
            token_id=said["id"],
        )

    def _associated(self, day: int) -> bytes:
        return f"tracetogether/v1/{_PURPOSE}/{self._authority}/{day}".encode()
