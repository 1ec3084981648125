"""What follows a diagnosis, the same for every protocol: report, publish, near.

A diagnosed phone reports, a server publishes, and what comes out is always ``Sightings``: the
readings that count, each with the pseudonym of a case (or, where a server judges, of a person) as
the peer. Estimators, policies and scores take that shape from every protocol.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

import numpy as np

from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import TraceTogetherError
from tracetogether.sightings import Sightings
from tracetogether.token_index import TokenIndex, TokenPairs, expanded
from tracetogether.units import Bytes2D, Ints

Secrets_contra = TypeVar("Secrets_contra", contravariant=True)
Report = TypeVar("Report")
Published = TypeVar("Published")

_SIGNATURE_BYTES: Final = 64
_NO_DIGIT: Final = 255
_DIGITS: Final = np.full(256, _NO_DIGIT, dtype=np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


class InvalidReportError(TraceTogetherError):
    """A report or a published file of another protocol can't be believed; says why."""


class AfterDiagnosis(Protocol[Secrets_contra, Report, Published]):
    """The steps after a diagnosis; values in, values out, no clock and no network."""

    def report(self, secrets: Secrets_contra, log: Sightings, since: float, until: float) -> Report:
        """Return what a diagnosed phone hands over about [since, until), epoch seconds.

        Args:
            secrets: what the phone kept of its own.
            log: what it heard; peers are tokens as hexadecimal text.
            since: when the person became contagious.
            until: when the report is made.
        """
        ...

    def publish(self, reports: Sequence[Report], now: float) -> Published:
        """Return what the server makes public at ``now``, or keeps for its own judgement."""
        ...

    def near(self, log: Sightings, published: Published, now: float) -> Sightings:
        """Return the readings that count; ``peer`` is the case, or the person heard by one.

        Args:
            log: one phone's log, or a crowd's with all observers: the cost is the same.
            published: what ``publish`` returned.
            now: when the phone (or the server) looks, epoch seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class HeardTokens:
    """The distinct tokens of a log, and in which of its rows each was heard.

    Attributes:
        tokens: (m, width) uint8: the first ``width`` bytes of each.
        rows: (n,) rows of the log, those of the same token side by side.
        first: (m + 1,) where the rows of each token begin in ``rows``.
    """

    tokens: Bytes2D
    rows: Ints
    first: Ints

    @classmethod
    def of(cls, log: Sightings, text_bytes: int, width: int) -> Self:
        """Read the peers of a log; a text of another form is left out.

        Args:
            log: what was heard.
            text_bytes: how many bytes the hexadecimal text of a peer holds.
            width: how many of them to keep.
        """
        names = log.peer.names
        fits = np.array([len(name) == 2 * text_bytes and name.isascii() for name in names], bool)
        joined = "".join(name for name, fit in zip(names, fits.tolist(), strict=True) if fit)
        digits = _DIGITS[np.frombuffer(joined.encode(), np.uint8)].reshape(-1, 2 * text_bytes)
        good = (digits != _NO_DIGIT).all(axis=1)
        digits = digits[good]
        code = np.flatnonzero(fits)[good]
        order = np.argsort(log.peer.codes, kind="stable")
        sorted_codes = log.peer.codes[order]
        begin = np.searchsorted(sorted_codes, code, side="left")
        end = np.searchsorted(sorted_codes, code, side="right")
        _, place = expanded(begin, end)
        first = np.concatenate([[0], np.cumsum(end - begin)])
        tokens = (digits[:, ::2] << 4 | digits[:, 1::2])[:, :width]
        return cls(np.ascontiguousarray(tokens), order[place], first)

    def index(self) -> TokenIndex:
        """Return the tokens ready to be searched."""
        return TokenIndex(self.tokens)

    def rows_of(self, pairs: TokenPairs) -> tuple[Ints, Ints]:
        """Return the candidates of ``pairs`` and the rows of the log, one pair for each row."""
        which, place = expanded(self.first[pairs.known], self.first[pairs.known + 1])
        return pairs.candidate[which], self.rows[place]


def tokens_as_text(tokens: Bytes2D) -> list[str]:
    """Return the hexadecimal text of each row."""
    text = tokens.tobytes().hex()
    size = 2 * tokens.shape[1]
    return [text[at : at + size] for at in range(0, len(text), size)] if size else []


def signed_file(kind: bytes, body: bytes, key: SigningKey) -> bytes:
    """Return a published file: what it is, its content, and an ES256 signature of both."""
    return kind + body + key.sign(kind + body)


def opened_file(kind: bytes, data: bytes, key: VerifyingKey) -> bytes:
    """Return the content of a file that ``signed_file`` wrote.

    Raises:
        InvalidReportError: it is of another kind, or not signed by this key, or damaged.
    """
    if len(data) < len(kind) + _SIGNATURE_BYTES or not data.startswith(kind):
        raise InvalidReportError(f"the file is no {kind.decode('ascii', 'replace')} file")
    if not key.verify(data[-_SIGNATURE_BYTES:], data[:-_SIGNATURE_BYTES]):
        raise InvalidReportError("the file is damaged or not signed by this key")
    return data[len(kind) : -_SIGNATURE_BYTES]
