"""Request tokens against reported exposure tokens; the server does it, on what a phone sends."""

import numpy as np

from tracetogether.desire.keys import PET_BYTES
from tracetogether.desire.report import PAIR_BYTES
from tracetogether.diagnosis import HeardTokens, tokens_as_text
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Bytes2D


def near(log: Sightings, reported: Bytes2D) -> Sightings:
    """Return the readings whose request token was reported; the peer is that token.

    Args:
        log: one phone's log, or a crowd's; a peer is 128 hexadecimal digits: exposure token and
            request token.
        reported: (n, 32) uint8 exposure tokens of diagnosed people.
    """
    heard = HeardTokens.of(log, PAIR_BYTES, PAIR_BYTES)
    asked = np.ascontiguousarray(heard.tokens[:, PET_BYTES:])
    requests = HeardTokens(asked, heard.rows, heard.first)
    candidate, row = requests.rows_of(requests.index().find(reported))
    row, first = np.unique(row, return_index=True)
    tokens, peer = np.unique(candidate[first], return_inverse=True)
    names = tuple(tokens_as_text(reported[tokens]))
    return log.take(row).replaced(peer=Labels(peer.astype(np.int32), names), notes=())
