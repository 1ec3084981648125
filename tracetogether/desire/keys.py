"""Key pairs of an epoch, and the private encounter tokens (PETs) that two phones share.

    s = X25519(own secret, other's EBID), PET1 = H(01 || s), PET2 = H(02 || s)

The phone with the greater EBID reports PET1 and asks with PET2, the other one the other way round.
So what one reports is what the other asks with, and each direction has its own token.
"""

import os
from collections.abc import Sequence
from typing import Final

from tracetogether.crypto import sha256, x25519_public, x25519_shared
from tracetogether.errors import RemoteProtocolError
from tracetogether.units import Entropy

EBID_BYTES: Final = 32
PET_BYTES: Final = 32
EPOCH_S: Final = 900


def new_secret(entropy: Entropy = os.urandom) -> bytes:
    """Return a random secret (32 bytes) for one epoch."""
    return entropy(EBID_BYTES)


def ebid_of(secret: bytes) -> bytes:
    """Return the EBID of a secret: its public key, 32 bytes."""
    return x25519_public(secret)


def encounter_tokens(secret: bytes, other: bytes) -> tuple[bytes, bytes]:
    """Return the token that a phone reports if it falls ill, and the one that it asks with.

    Args:
        secret: the phone's own secret of the epoch.
        other: the EBID that it heard.

    Raises:
        RemoteProtocolError: the EBID is no public key of 32 bytes that others can't foretell.
    """
    (tokens,) = encounter_tokens_many(secret, [other])
    if tokens is None:
        raise RemoteProtocolError("an EBID that is no public key")
    return tokens


def encounter_tokens_many(
    secret: bytes, others: Sequence[bytes]
) -> list[tuple[bytes, bytes] | None]:
    """Return ``encounter_tokens`` of each EBID heard in an epoch, None where it is no public key.

    The own key is set up once.
    """
    own, found = ebid_of(secret), list[tuple[bytes, bytes] | None]()
    for other, shared in zip(others, x25519_shared(secret, others), strict=True):
        if shared is None:
            found.append(None)
            continue
        first, second = sha256(b"\x01" + shared), sha256(b"\x02" + shared)
        found.append((first, second) if own > other else (second, first))
    return found
