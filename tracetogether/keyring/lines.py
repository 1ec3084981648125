"""Lines of a key ring's file: each has a key or a span of days, and a check value at its end."""

import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from tracetogether.crypto import KEY_BYTES, derive, sha256
from tracetogether.errors import KeyRingError

_CHECK: Final = b"tracetogether/v1/key-check/"
_CHECK_DIGITS: Final = 16  # hexadecimal: 64 bits tell a slip from a key; they open nothing
_DAY: Final = re.compile("[0-9]{1,7}")


class KeyLines:
    """The lines of a key ring's file, taken in one by one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.chains: list[tuple[int, bytes]] = []
        self.static_keys: list[bytes] = []
        self.quarantine: list[tuple[int, int]] = []
        self.own_key: bytes | None = None
        self.checked = True

    def take(self, number: int, words: list[str]) -> None:
        """Take in a line, given by its words.

        Raises:
            KeyRingError: it has another form, or its check value says that it was changed.
        """
        match words:
            case []:
                return
            case ["chain", day, value, *check] if _DAY.fullmatch(day) and (
                not self.chains or int(day) > self.chains[-1][0]
            ):
                key = self._key(number, value)
                self._compare(number, check, check_of(key, f"chain {int(day)}"))
                self.chains.append((int(day), key))
            case ["authority", value, *check] if self.own_key is None:
                self.own_key = self._key(number, value)
                self._compare(number, check, check_of(self.own_key, "authority"))
            case ["quarantine", first, last, *check] if _DAY.fullmatch(first) and _DAY.fullmatch(
                last
            ):
                self._compare(number, check, span_line(int(first), int(last)).split()[-1])
                self.quarantine.append((int(first), int(last)))
            case ["static", value, *check]:
                key = self._key(number, value)
                self._compare(number, check, check_of(key, "static"))
                self.static_keys.append(key)
            case _:
                msg = (
                    f"{self._path}, line {number}: expected `chain DAY VALUE` (days ascending), "
                    "`authority VALUE` (once), `static VALUE` or `quarantine DAY DAY`, each with "
                    "its check value"
                )
                raise KeyRingError(msg)

    def _compare(self, number: int, found: list[str], wanted: str) -> None:
        """Return if a line ends in its check value, or (as earlier releases wrote it) in none."""
        if not found:
            self.checked = False
        elif found != [wanted]:
            msg = (
                f"{self._path}, line {number}: the check value at its end does not fit: the line "
                "was changed or cut. Copy the file again from where it is whole"
            )
            raise KeyRingError(msg)

    def _key(self, number: int, value: str) -> bytes:
        try:
            key = b64decode(value, validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            msg = f"{self._path}, line {number}: not a key of {KEY_BYTES} bytes in base64"
            raise KeyRingError(msg)
        return key


def check_of(key: bytes, about: str) -> str:
    """Return the check value of a key: derived one way, so that it tells nothing of the key."""
    return derive(key, _CHECK + about.encode()).hex()[:_CHECK_DIGITS]


def key_line(what: str, key: bytes) -> str:
    """Return the line of a key; ``what`` is all that stands before it."""
    return f"{what} {b64encode(key).decode()} {check_of(key, what)}\n"


def span_line(first: int, last: int) -> str:
    """Return the line of a span of quarantined days."""
    what = f"quarantine {first} {last}"
    return f"{what} {sha256(_CHECK + what.encode()).hex()[:_CHECK_DIGITS]}\n"
