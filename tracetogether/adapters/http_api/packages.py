"""Signed packages for everybody: the same bytes for all, and few queries however many ask."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response

from tracetogether.adapters.http_api.refusals import RefusedError
from tracetogether.authority.presence.reported import PackageLine
from tracetogether.authority.presence.store import PresenceStore
from tracetogether.crypto import sha256
from tracetogether.presence.packages import write_bundle
from tracetogether.units import SECONDS_PER_MINUTE

MEDIA_TYPE: Final = "application/cose"
HELD_BYTES: Final = 32_000_000
_TAG_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class _Held:
    body: bytes
    tag: str


class PackageAnswers:
    """Answers with packages of one kind.

    The index is read once a minute. A package is read once while it is held in memory; one that is
    not in the index is not looked for.
    """

    def __init__(
        self, store: PresenceStore, kind: str, cache: str, held_bytes: int = HELD_BYTES
    ) -> None:
        """Make the answers of a kind; ``cache`` is the Cache-Control header of a package."""
        self._store = store
        self._kind = kind
        self._cache = cache
        self._held_bytes = held_bytes
        self._lock = threading.Lock()
        self._index: tuple[float, Mapping[int, PackageLine]] | None = None
        self._held: OrderedDict[tuple[int, int], _Held] = OrderedDict()
        self._bundle: tuple[tuple[tuple[int, int], ...], _Held] | None = None

    def index(self, now: float) -> list[PackageLine]:
        """Return the newest edition of each package by number, as of the last full minute."""
        with self._lock:
            return list(self._lines(now).values())

    def at(self, request: Request, number: int, now: float) -> Response:
        """Return a package, or 304 if the request names its ETag.

        Raises:
            RefusedError: there is none of this number (404).
        """
        with self._lock:
            line = self._lines(now).get(number)
            held = None if line is None else self._read(line)
        if held is None:
            raise RefusedError(404, "not_found", "there is no such package: see the index")
        return _answered(request, held, self._cache)

    def bundle(self, request: Request, number: int, count: int, now: float) -> Response:
        """Return the packages of ``count`` numbers up to ``number`` as one body, empty if none.

        The last body is kept: phones ask for the newest one.
        """
        with self._lock:
            lines = self._lines(now)
            wanted = [lines[at] for at in range(number - count + 1, number + 1) if at in lines]
            key = tuple((line.number, line.edition) for line in wanted)
            if self._bundle is None or self._bundle[0] != key:
                held = [self._read(line) for line in wanted]
                body = write_bundle(part.body for part in held if part is not None)
                self._bundle = key, _Held(body, f'"{sha256(body).hex()[:_TAG_DIGITS]}"')
            made = self._bundle[1]
        return _answered(request, made, self._cache)

    def _lines(self, now: float) -> Mapping[int, PackageLine]:
        minute = now // SECONDS_PER_MINUTE
        if self._index is None or self._index[0] != minute:
            lines = self._store.packages(self._kind)
            self._index = minute, {line.number: line for line in lines}
        return self._index[1]

    def _read(self, line: PackageLine) -> _Held | None:
        key = (line.number, line.edition)
        found = self._held.get(key)
        if found is None:
            body = self._store.package(self._kind, *key)
            if body is None:  # purged within this minute
                return None
            found = self._held[key] = _Held(body, f'"{sha256(body).hex()[:_TAG_DIGITS]}"')
            while len(self._held) > 1 and self._bytes() > self._held_bytes:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return found

    def _bytes(self) -> int:
        return sum(len(held.body) for held in self._held.values())


def _answered(request: Request, held: _Held, cache: str) -> Response:
    """Return a body, or 304 if the request names its ETag."""
    headers = {"ETag": held.tag, "Cache-Control": cache}
    wanted = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if held.tag in wanted or "*" in wanted:
        return Response(status_code=304, headers=headers)
    return Response(held.body, media_type=MEDIA_TYPE, headers=headers)
