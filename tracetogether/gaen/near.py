"""Published keys against what was heard: which readings were of diagnosed people.

Each key is derived once for all phones of a log, and its 144 identifiers are searched for among
all tokens heard (``token_index``). So a crowd costs as much as one phone.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.diagnosis import HeardTokens, tokens_as_text
from tracetogether.gaen.air import SERVICE_DATA_BYTES
from tracetogether.gaen.keys import (
    INTERVAL_S,
    INTERVALS_PER_KEY,
    KEY_BYTES,
    identifiers_many,
    shown_metadata,
)
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints, is_transmit_power

EARLIEST_INTERVALS: Final = 12
LATEST_INTERVALS: Final = 13
"""An identifier of interval i counts when heard in [i - 12, i + 13): clocks differ by 2 h."""


def accepted_span(interval: int) -> tuple[int, int]:
    """Return when the identifier of ``interval`` counts: [first, end), epoch seconds.

    That is 2 hours before the interval begins to 2 hours 10 minutes after that.
    """
    first = interval - EARLIEST_INTERVALS
    return first * INTERVAL_S, (interval + LATEST_INTERVALS) * INTERVAL_S


def is_accepted(interval: int, time: float) -> bool:
    """Return whether the identifier of ``interval`` counts when heard at ``time``."""
    first, end = accepted_span(interval)
    return first <= time < end


@dataclass(frozen=True, slots=True)
class KeyMatches:
    """Readings of diagnosed people, k of them in the order of the log.

    Attributes:
        row: (k,) row of the log; each once.
        key: (k,) row of the published keys.
        interval: (k,) of the identifier.
        metadata: (k, 4) uint8 as shown by the key.
        derived: how many keys were derived.
        searched: how many identifiers were searched for.
    """

    row: Ints
    key: Ints
    interval: Ints
    metadata: np.typing.NDArray[np.uint8]
    derived: int
    searched: int

    @property
    def tx_power_dbm(self) -> Floats:
        """The transmit power that each metadata claims, dBm."""
        return self.metadata[:, 1].astype(np.int8).astype(np.float64)


def matches(log: Sightings, keys: DiagnosisKeys) -> KeyMatches:
    """Return the readings whose identifiers come from ``keys`` and were heard in time.

    Args:
        log: what one or many phones heard; a peer is 40 hexadecimal digits: identifier and
            hidden metadata.
        keys: published keys.
    """
    heard = HeardTokens.of(log, SERVICE_DATA_BYTES, SERVICE_DATA_BYTES)
    index = HeardTokens(np.ascontiguousarray(heard.tokens[:, :KEY_BYTES]), heard.rows, heard.first)
    known = index.index()
    found: list[tuple[Ints, Ints, Ints]] = []
    done = 0
    for sent in identifiers_many(keys.key, keys.start):
        pairs = known.find(sent)
        candidate, row = index.rows_of(pairs)
        key, offset = np.divmod(candidate, INTERVALS_PER_KEY)
        found.append((row, done + key, offset))
        done += len(sent) // INTERVALS_PER_KEY
    row, key, offset = (
        (np.concatenate([np.empty(0, np.int64), *columns]) for columns in zip(*found, strict=True))
        if found
        else (np.empty(0, np.int64),) * 3
    )
    interval = keys.start[key] + offset
    heard_in = np.floor_divide(log.time[row], INTERVAL_S)
    counts = (offset < keys.period[key]) & (heard_in >= interval - EARLIEST_INTERVALS)
    counts &= heard_in < interval + LATEST_INTERVALS
    # Two published keys can't give one identifier by chance; a copied key can.
    row, first = np.unique(row[counts], return_index=True)
    chosen = np.flatnonzero(counts)[first]
    key, interval = key[chosen], interval[chosen]
    token = np.empty(len(log), dtype=np.int64)
    token[heard.rows] = np.repeat(np.arange(len(heard.tokens)), np.diff(heard.first))
    tokens = heard.tokens[token[row]]
    metadata = shown_metadata(
        [keys.key[each].tobytes() for each in key.tolist()],
        tokens[:, :KEY_BYTES],
        tokens[:, KEY_BYTES:],
    )
    return KeyMatches(row, key, interval, metadata, done, done * INTERVALS_PER_KEY)


def near(log: Sightings, keys: DiagnosisKeys) -> Sightings:
    """Return the readings that count, with the case's key (hexadecimal) as the peer.

    The transmit power is what the metadata claims. A reading whose claim lies outside -50..20 dBm
    is dropped, as phones of today do.
    """
    found = matches(log, keys)
    power = found.tx_power_dbm
    kept = is_transmit_power(power)
    codes, key = np.unique(found.key[kept], return_inverse=True)
    names = tokens_as_text(keys.key[codes])
    reasons = {"power": int((~kept).sum())} if not kept.all() else {}
    return log.take(found.row[kept]).replaced(
        peer=Labels(key.astype(np.int32), tuple(names)),
        tx_power_dbm=power[kept],
        dropped=int((~kept).sum()),
        reasons=reasons,
        notes=(),
    )
