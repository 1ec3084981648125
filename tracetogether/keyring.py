"""The authority's keys: a forward-secret chain of day keys, and OpenTrace's static keys.

Each UTC day has a chain value; the next day's follows from it one way, and so do
the day's keys, one for each purpose. Destroying a day means forgetting its chain value:
nothing that remains, on disk or in memory, leads back to it.
"""

import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tracetogether.crypto import KEY_BYTES, Aead, derive
from tracetogether.errors import KeyRingError
from tracetogether.parameters import RETENTION
from tracetogether.units import Entropy, utc_day

_NEXT_DAY: Final = b"tracetogether/v1/chain/next-day"
_DAY_KEY: Final = b"tracetogether/v1/chain/day-key/"
_OTHERS: Final = 0o077  # permission bits of group and others
_MAX_DAYS_AHEAD: Final = 4_000  # bounds the work that a forged time can cause

_HEADER: Final = """\
# tracetogether key ring. Whoever reads this file can open TempIDs: keep it secret, mode 0600,
# and out of backups (a restored copy would revive destroyed keys).
# chain DAY VALUE   the oldest day (days since 1970-01-01 UTC) whose keys still exist
# static VALUE      an OpenTrace server's key; the first is tried first
"""


class KeyRing:
    """Keys by day and purpose; made by ``generate``, ``of_static`` or ``load``."""

    def __init__(
        self, chain: tuple[int, bytes] | None = None, static_keys: Sequence[bytes] = ()
    ) -> None:
        for key in (*static_keys, *(chain[1:] if chain else ())):
            if len(key) != KEY_BYTES:
                msg = f"a key has {KEY_BYTES} bytes, not {len(key)}"
                raise KeyRingError(msg)
        if chain is None and not static_keys:
            msg = "a key ring needs a chain of day keys or a static key"
            raise KeyRingError(msg)
        self._oldest_day = chain[0] if chain else 0
        self._chain = [chain[1]] if chain else []  # value of day _oldest_day + i
        self._static_keys = tuple(static_keys)
        self._static = tuple(Aead(key) for key in static_keys)
        self._aeads: dict[tuple[str, int, str], Aead] = {}

    @classmethod
    def generate(
        cls, now: float, *, entropy: Entropy = os.urandom, static_keys: Sequence[bytes] = ()
    ) -> Self:
        """Return a new chain that begins on the UTC day of ``now``, with optional static keys."""
        return cls((utc_day(now), entropy(KEY_BYTES)), static_keys)

    @classmethod
    def of_static(cls, *keys: bytes) -> Self:
        """Return a ring without a chain, as an OpenTrace server has it; the first is the default.

        Its TempIDs never become unreadable: use it to read what such a server issued.
        """
        return cls(None, keys)

    @property
    def oldest_day(self) -> int | None:
        """Number of the oldest UTC day whose keys still exist; None without a chain."""
        return self._oldest_day if self._chain else None

    @property
    def static(self) -> tuple[Aead, ...]:
        """The static keys, the default first."""
        return self._static

    def day_key(self, purpose: str, day: int, context: str = "") -> bytes:
        """Return the 32-byte key of a UTC day for one purpose.

        Raises:
            KeyRingError: that day's keys were destroyed, or lie absurdly far ahead.
        """
        info = _DAY_KEY + f"{purpose}/{day}/{context}".encode()
        return derive(self._chain_value(day), info)

    def aead(self, purpose: str, day: int, context: str = "") -> Aead:
        """Return the day key ready for sealing; the same object until the day is destroyed.

        Raises:
            KeyRingError: that day's keys were destroyed, or lie absurdly far ahead.
        """
        name = (purpose, day, context)
        found = self._aeads.get(name)
        if found is None:
            found = self._aeads[name] = Aead(self.day_key(purpose, day, context))
        return found

    def has_day(self, day: int) -> bool:
        """Return whether the keys of a UTC day exist."""
        return bool(self._chain) and 0 <= day - self._oldest_day < _MAX_DAYS_AHEAD

    def purge(self, now: float) -> int:
        """Destroy the keys of days beyond the retention; return how many days went."""
        return self.destroy_before(utc_day(now) - RETENTION.day_keys_days)

    def destroy_before(self, day: int) -> int:
        """Destroy the keys of all days before ``day``; return how many days went.

        In memory at once; on disk when the ring is saved.
        """
        if not self._chain or day <= self._oldest_day:
            return 0
        gone = day - self._oldest_day
        self._chain = [self._chain_value(day)]
        self._oldest_day = day
        self._aeads = {name: aead for name, aead in self._aeads.items() if name[1] >= day}
        return gone

    def _chain_value(self, day: int) -> bytes:
        if not self._chain:
            msg = "this key ring has static keys only: it has no day keys"
            raise KeyRingError(msg)
        ahead = day - self._oldest_day
        if ahead < 0:
            msg = f"the keys of day {day} were destroyed; the oldest left are of {self._oldest_day}"
            raise KeyRingError(msg)
        if ahead >= _MAX_DAYS_AHEAD:
            msg = f"day {day} lies {ahead} days after the oldest key: check the clock"
            raise KeyRingError(msg)
        while len(self._chain) <= ahead:
            self._chain.append(derive(self._chain[-1], _NEXT_DAY))
        return self._chain[ahead]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key ring from its file.

        Raises:
            KeyRingError: the file is missing, damaged, or readable by group or others.
        """
        try:
            mode = path.stat().st_mode
            if os.name == "posix" and mode & _OTHERS:
                msg = f"{path} can be read by others (mode {mode & 0o777:o}): chmod 600 {path}"
                raise KeyRingError(msg)
            lines = path.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"can't read the keys in {path}: {_reason(error)}"
            raise KeyRingError(msg) from None
        chain: tuple[int, bytes] | None = None
        static_keys = []
        for number, line in enumerate(lines, start=1):
            match line.split("#", 1)[0].split():
                case []:
                    pass
                case ["chain", day, value] if chain is None and day.isdecimal():
                    chain = (int(day), _key(value, path, number))
                case ["static", value]:
                    static_keys.append(_key(value, path, number))
                case _:
                    msg = f"{path}, line {number}: expected `chain DAY VALUE` or `static VALUE`"
                    raise KeyRingError(msg)
        if chain is None and not static_keys:
            msg = f"{path} holds no key: restore it, or make a new one with `authority init`"
            raise KeyRingError(msg)
        return cls(chain, static_keys)

    def save(self, path: Path) -> None:
        """Write the ring to ``path`` (mode 0600), whole or not at all, and wipe what stood there.

        Raises:
            KeyRingError: the file can't be written; what stood there still stands.
        """
        lines = [f"static {b64encode(key).decode()}\n" for key in self._static_keys]
        if self._chain:
            lines.insert(0, f"chain {self._oldest_day} {b64encode(self._chain[0]).decode()}\n")
        text = (_HEADER + "".join(lines)).encode("ascii")
        fresh = path.with_name(f".{path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            _replace_and_wipe(fresh, path)
        except OSError as error:
            msg = f"can't write the keys to {path}: {_reason(error)}"
            raise KeyRingError(msg) from None

    def __repr__(self) -> str:
        return f"KeyRing(oldest_day={self.oldest_day}, static_keys={len(self._static)})"


def _key(value: str, path: Path, number: int) -> bytes:
    try:
        key = b64decode(value, validate=True)
    except Base64Error:
        key = b""
    if len(key) != KEY_BYTES:
        msg = f"{path}, line {number}: not a key of {KEY_BYTES} bytes in base64"
        raise KeyRingError(msg)
    return key


def _replace_and_wipe(fresh: Path, path: Path) -> None:
    """Put ``fresh`` in the place of ``path``, then overwrite the old file's bytes.

    A journal or a flash disk may still hold them: docs/explanation/threat-model.md says so.
    """
    old = path.open("r+b") if path.exists() else None
    fresh.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    if old is not None:
        with old:
            size = old.seek(0, os.SEEK_END)
            old.seek(0)
            old.write(bytes(size))
            old.flush()
            os.fsync(old.fileno())


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text"
