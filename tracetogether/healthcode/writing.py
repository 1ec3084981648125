"""Writing many passes of one authority: what all have in common is encoded once.

A pass has 126 bytes that differ in times, number and signature alone. So most of its CBOR is the
same for all, and encoding all of it for each of 48 passes would cost more than the signatures.
What comes out is what ``signed.cose.sign`` and ``signed.hcert.to_text`` make, up to the zlib level:
random numbers and signatures don't get shorter, so they are stored, and all passes are equally
long.
"""

import zlib
from typing import Final

from tracetogether import base45
from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey
from tracetogether.healthcode.passes import NUMBER_BYTES, Pass
from tracetogether.signed import cose
from tracetogether.signed.hcert import PREFIX
from tracetogether.units import SECONDS_PER_HOUR

_STORED: Final = 0  # zlib's level
_BEGIN: Final = 0x7A7A7A7A // SECONDS_PER_HOUR * SECONDS_PER_HOUR  # as long in CBOR as a real time
_END: Final = _BEGIN + SECONDS_PER_HOUR
_NUMBER: Final = b"\xa5" * NUMBER_BYTES


class PassWriter:
    """Writes and signs passes for screens of one issuer with one key.

    Args:
        issuer: organisation code.
        key: the key that signs.

    Example:
        >>> writer = PassWriter("SG_MOH", SigningKey.from_secret(bytes(31) + b"x"))
        >>> len(writer.text(1_588_593_600, 1_588_597_200, b"8 bytes."))
        210
    """

    def __init__(self, issuer: str, key: SigningKey) -> None:
        payload = Pass(issuer, _BEGIN, _END, _NUMBER).write()
        message = cose.sign(payload, key, key.public.kid)
        protected = cose.read(message).protected
        self._key = key
        # Text of the issuer comes first, and could hold anything: so the parts are sought from
        # the end.
        front, self._behind_number = _parted(payload, _NUMBER)
        front, self._before_number = _parted(front, write_cbor(_BEGIN))
        self._before_end, self._before_begin = _parted(front, write_cbor(_END))
        signed = write_cbor(["Signature1", protected, b"", payload])  # RFC 9052, section 4.4
        self._before_signed = _parted(signed, payload)[0]
        self._before_payload, behind = _parted(message, payload)
        self._before_signature = behind[: -len(cose.read(message).signature)]

    def text(self, not_before: int, expires: int, number: bytes) -> str:
        """Return a signed pass as the text of a QR code.

        Args:
            not_before: a whole hour, epoch seconds.
            expires: a whole hour, epoch seconds.
            number: 8 bytes.
        """
        payload = b"".join(
            (
                self._before_end,
                write_cbor(expires),
                self._before_begin,
                write_cbor(not_before),
                self._before_number,
                number,
                self._behind_number,
            )
        )
        signature = self._key.sign(self._before_signed + payload)
        message = b"".join((self._before_payload, payload, self._before_signature, signature))
        return PREFIX + base45.encode(zlib.compress(message, _STORED))


def _parted(whole: bytes, part: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the last ``part`` of ``whole``, and what stands behind it."""
    before, found, behind = whole.rpartition(part)
    if not found:
        raise AssertionError(part)
    return before, behind
