"""Lists of tokens, 32 bytes each, sorted: exposure tokens to report, request tokens to ask with.

A digest at the end finds damage; it is no protection against a forger.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from tracetogether.crypto import sha256
from tracetogether.desire.keys import PET_BYTES
from tracetogether.diagnosis import HeardTokens, InvalidReportError
from tracetogether.sightings import Sightings
from tracetogether.units import Bytes2D

PAIR_BYTES: Final = 2 * PET_BYTES  # a peer in a log: exposure token and request token
EXPOSURES: Final = b"DSEX"
REQUESTS: Final = b"DSRQ"
_DIGEST_BYTES: Final = 32


def distinct(tokens: Bytes2D) -> Bytes2D:
    """Return tokens in the order of their bytes, each once: no order of meetings is left."""
    whole = np.ascontiguousarray(tokens).view(np.dtype((np.void, PET_BYTES))).ravel()
    return np.unique(whole).view(np.uint8).reshape(-1, PET_BYTES)


def exposure_tokens(log: Sightings, since: float, until: float) -> Bytes2D:
    """Return what a diagnosed phone reports of its log in [since, until), epoch seconds."""
    heard = HeardTokens.of(_within(log, since, until), PAIR_BYTES, PET_BYTES)
    return distinct(heard.tokens[np.diff(heard.first) > 0])


def request_tokens(log: Sightings, since: float, until: float) -> Bytes2D:
    """Return what a phone asks the server with."""
    heard = HeardTokens.of(_within(log, since, until), PAIR_BYTES, PAIR_BYTES)
    return distinct(heard.tokens[np.diff(heard.first) > 0, PET_BYTES:])


def joined(reports: Sequence[Bytes2D]) -> Bytes2D:
    """Return the tokens of all reports, each once: which came together is lost."""
    return distinct(np.concatenate([np.empty((0, PET_BYTES), np.uint8), *reports]))


def write_tokens(kind: bytes, tokens: Bytes2D) -> bytes:
    """Return a list of tokens in bytes; ``kind`` is EXPOSURES or REQUESTS."""
    body = kind + tokens.tobytes()
    return body + sha256(body)


def read_tokens(kind: bytes, data: bytes) -> Bytes2D:
    """Read a list of tokens of this kind, (n, 32) uint8.

    Raises:
        InvalidReportError: it is damaged, cut off, of another kind or out of order.
    """
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not body.startswith(kind) or (len(body) - len(kind)) % PET_BYTES:
        raise InvalidReportError("a list of tokens has another kind or is cut off")
    if sha256(body) != digest:
        raise InvalidReportError("a list of tokens is damaged")
    tokens = np.frombuffer(body, np.uint8, offset=len(kind)).reshape(-1, PET_BYTES)
    if not np.array_equal(distinct(tokens), tokens):
        raise InvalidReportError("a list of tokens is out of order or names one twice")
    return tokens


def _within(log: Sightings, since: float, until: float) -> Sightings:
    return log.take((log.time >= since) & (log.time < until))
