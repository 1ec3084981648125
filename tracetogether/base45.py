"""Base45 (RFC 9285): bytes as the 45 characters that a QR code stores in 5.5 bits each."""

import struct
from typing import Final

from tracetogether.errors import UnreadableMessageError

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_CODES: Final = ALPHABET.encode()
_NONE: Final = 255
_VALUES: Final = bytes(_CODES.find(code) if code in _CODES else _NONE for code in range(256))
_PAIRS: Final = tuple(f"{low}{high}" for high in ALPHABET for low in ALPHABET)


def encode(data: bytes) -> str:
    """Return ``data`` as Base45: three characters for two bytes, two for a last odd byte.

    Example:
        >>> encode(b"base-45")
        'UJCLQE7W581'
    """
    pairs = struct.unpack_from(f">{len(data) // 2}H", data)
    text = "".join([_PAIRS[pair % 2025] + ALPHABET[pair // 2025] for pair in pairs])
    return text + _PAIRS[data[-1]] if len(data) % 2 else text


def decode(text: str) -> bytes:
    """Return the bytes that ``text`` holds; blanks count.

    Raises:
        UnreadableMessageError: a character is none of the 45 ("base45-character"), or a
            group stands for more than its bytes hold, or is incomplete ("base45-group").

    Example:
        >>> decode("QED8WEX0")
        b'ietf!'
    """
    try:
        values = text.encode("ascii").translate(_VALUES)
    except UnicodeEncodeError:
        values = bytes((_NONE,))
    if _NONE in values:
        raise UnreadableMessageError("a character is none of the 45 of Base45", "base45-character")
    whole, rest = divmod(len(values), 3)
    try:
        if rest == 1:
            raise struct.error  # noqa: TRY301 - the same fault as a group that is too large
        data = struct.pack(
            f">{whole}H",
            *[
                low + 45 * middle + 2025 * high
                for low, middle, high in zip(values[::3], values[1::3], values[2::3], strict=False)
            ],
        )
        return data + bytes((values[-2] + 45 * values[-1],)) if rest else data
    except (struct.error, ValueError):
        raise UnreadableMessageError(
            "three characters stand for more than two bytes, or are incomplete", "base45-group"
        ) from None
