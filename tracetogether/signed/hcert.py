"""HCERT (EU, electronic health certificates 1.0.8): a COSE message as the text of a QR code.

The text is ``HC1:`` and Base45 of a zlib stream. The reader bounds what comes out of the stream,
and refuses bytes behind it: readers that ignore them accept a certificate with anything appended.
"""

import zlib
from typing import Final

from tracetogether import base45
from tracetogether.errors import UnreadableMessageError

PREFIX: Final = "HC1:"
MOST_CHARACTERS: Final = 4_296  # a QR code of version 40 at level L holds no more
MOST_BYTES: Final = 4_096


def to_text(cose: bytes) -> str:
    """Return a COSE message as the text of a QR code.

    Raises:
        ValueError: the message is longer than readers take.
    """
    if len(cose) > MOST_BYTES:
        msg = f"a message of {len(cose)} bytes; readers take {MOST_BYTES}"
        raise ValueError(msg)
    return PREFIX + base45.encode(zlib.compress(cose, 9))


def from_text(text: str) -> bytes:
    """Return the COSE message of a QR code's text.

    Raises:
        UnreadableMessageError: the text breaks a rule; the code says which: "prefix",
            "text-too-long", "base45-...", "zlib-damaged", "zlib-cut-short", "zlib-too-long",
            "zlib-left-over".
    """
    if not text.startswith(PREFIX):
        raise UnreadableMessageError("the text does not begin with HC1:", "prefix")
    if len(text) > MOST_CHARACTERS:
        raise UnreadableMessageError("the text is longer than a QR code", "text-too-long")
    packed = base45.decode(text[len(PREFIX) :])
    stream = zlib.decompressobj()
    try:
        message = stream.decompress(packed, MOST_BYTES + 1)
    except zlib.error:
        raise UnreadableMessageError("the zlib stream is damaged", "zlib-damaged") from None
    if len(message) > MOST_BYTES:
        raise UnreadableMessageError(
            "more than {most} bytes come out of the zlib stream", "zlib-too-long", most=MOST_BYTES
        )
    if not stream.eof:
        raise UnreadableMessageError("the zlib stream ends too early", "zlib-cut-short")
    if stream.unused_data:
        raise UnreadableMessageError("bytes are left over behind the zlib stream", "zlib-left-over")
    return message
