"""The list of revoked passes: numbers, sorted and signed; exact, and nobody's name in it.

A list holds the numbers of all passes that a restricted person could still show. Sorting hides
which numbers belong together. An exact list refuses no pass wrongly, as a Bloom filter would.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from tracetogether.cbor import write_cbor
from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode.passes import NUMBER_BYTES
from tracetogether.signed import cose
from tracetogether.signed.claims import (
    HCERT,
    ISSUED,
    ISSUER,
    OWN_REVOCATIONS,
    map_of,
    needed_time_of,
    read_claims,
    text_of,
)

MOST_LIST_BYTES: Final = 64_000_000
"""Room for 8 million numbers: 150,000 restricted people."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class RevocationList:
    """Numbers of passes that are refused though nothing else is wrong with them.

    Attributes:
        issuer: organisation code of the authority.
        issued_at: epoch seconds.
        numbers: (n,) uint64, ascending.
    """

    issuer: str
    issued_at: int
    numbers: npt.NDArray[np.uint64] = field(repr=False)

    @classmethod
    def of(cls, issuer: str, numbers: Iterable[bytes], issued_at: int) -> Self:
        """Return the list of these numbers (8 bytes each), sorted, each once."""
        joined = np.frombuffer(b"".join(numbers), dtype=">u8").astype(np.uint64)
        return cls(issuer, issued_at, np.unique(joined))

    def __contains__(self, number: object) -> bool:
        """Return whether a pass's number (8 bytes) is in the list."""
        if not isinstance(number, bytes) or len(number) != NUMBER_BYTES:
            return False
        wanted = np.uint64(int.from_bytes(number))
        place = int(np.searchsorted(self.numbers, wanted))
        return place < len(self.numbers) and bool(self.numbers[place] == wanted)

    def __len__(self) -> int:
        return len(self.numbers)

    def signed(self, key: SigningKey) -> bytes:
        """Return the list as a COSE_Sign1 message by ``key``."""
        numbers = self.numbers.astype(">u8").tobytes()
        payload = {
            ISSUER: self.issuer,
            ISSUED: self.issued_at,
            HCERT: {OWN_REVOCATIONS: {1: _VERSION, 2: numbers}},
        }
        return cose.sign(write_cbor(payload), key, key.public.kid)

    @classmethod
    def read(cls, data: bytes, key: VerifyingKey) -> Self:
        """Read a signed list.

        Args:
            data: a COSE_Sign1 message.
            key: the key of the authority's lists.

        Raises:
            UnreadableMessageError: it is no such list, or another key signed it.
        """
        message = cose.read(data, most_bytes=MOST_LIST_BYTES)
        if not message.signed_by(key):
            msg = "another key than the authority's signed this list of revoked passes"
            raise UnreadableMessageError(msg, "list-signature")
        claims = read_claims(message.payload, most_bytes=MOST_LIST_BYTES)
        content = map_of(claims, HCERT, OWN_REVOCATIONS) or {}
        numbers = content.get(2)
        known = content.get(1) == _VERSION
        if not known or not isinstance(numbers, bytes) or len(numbers) % NUMBER_BYTES:
            raise UnreadableMessageError("this is no list of revoked passes", "list-form")
        found = np.frombuffer(numbers, dtype=">u8").astype(np.uint64)
        if len(found) > 1 and not bool(np.all(found[:-1] < found[1:])):
            raise UnreadableMessageError(
                "the numbers of revoked passes are not sorted", "list-form"
            )
        return cls(text_of(claims, ISSUER), int(needed_time_of(claims, ISSUED)), found)
