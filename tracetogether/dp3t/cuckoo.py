"""A cuckoo filter in columns: a set of digests that says "no" for certain and "yes" nearly so.

Every item has a fingerprint and two buckets of four places; it lies in one of them. Who knows the
fingerprint and one bucket can compute the other, so that a full bucket can send an occupant to its
other one (Fan and others, 2014). Buckets are i and (h(fingerprint) - i) modulo their number: taking
the other twice gives i again, for any number of buckets. With 46 bits and 8 places to look at, an
item that is not in the set is found with a probability of 2^-43.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.diagnosis import InvalidReportError
from tracetogether.units import Bools, Bytes2D, Ints

SLOTS: Final = 4
FINGERPRINT_BITS: Final = 46
FULLNESS: Final = 0.95  # items per place; four places a bucket fail above .97
MAX_BUCKETS: Final = 2**28
_MIXER: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads close numbers
_LOW32: Final = np.uint64(32)
_MOST_ROUNDS: Final = 2_000
_BLOCK: Final = 2**15  # items at a time; their columns stay in a cache

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class CuckooFilter:
    """A set of digests.

    Attributes:
        places: (4 * buckets,) fingerprints, 0 where a place is empty.
        rounds: how many rounds the build took; 0 if it was read.
    """

    places: Words = field(repr=False)
    rounds: int = 0

    def __len__(self) -> int:
        """Return how many fingerprints it holds."""
        return int(np.count_nonzero(self.places))

    @property
    def buckets(self) -> int:
        """How many buckets."""
        return len(self.places) // SLOTS

    @classmethod
    def build(cls, digests: Bytes2D, fullness: float = FULLNESS) -> "CuckooFilter":
        """Return a filter of n digests, (n, 16 or more) uint8.

        Raises:
            ValueError: no arrangement was found, though fullness was .97 or more.
        """
        count = max(int(np.ceil(len(digests) / (SLOTS * fullness))), 1)
        for _ in range(8):
            found = _filled(*_marks(digests, count), count)
            if found is not None:
                return found
            count += count // 64 + 1  # one in some thousand small sets does not fit
        raise ValueError(f"{len(digests)} items do not fit at a fullness of {fullness}")

    def holds(self, digests: Bytes2D) -> Bools:
        """Return (n,) whether each digest is in the set."""
        if not len(digests):
            return np.zeros(0, dtype=bool)
        blocks = [digests[at : at + _BLOCK] for at in range(0, len(digests), _BLOCK)]
        return np.concatenate([self._holds(block) for block in blocks])

    def _holds(self, digests: Bytes2D) -> Bools:
        mark, bucket = _marks(digests, self.buckets)
        found = self._in_bucket(mark, bucket)
        rest = np.flatnonzero(~found)
        mark = mark[rest]
        found[rest] = self._in_bucket(mark, _other(mark, bucket[rest], self.buckets))
        return found

    def _in_bucket(self, mark: Words, bucket: Ints) -> Bools:
        rows = np.take(self.places.reshape(-1, SLOTS), bucket, axis=0)
        found: Bools = rows[:, 0] == mark
        for slot in range(1, SLOTS):
            found |= rows[:, slot] == mark
        return found

    def to_bytes(self) -> bytes:
        """Return the number of buckets (4 bytes) and all places, 46 bits each."""
        bits = np.unpackbits(self.places.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
        packed = np.packbits(bits[:, -FINGERPRINT_BITS:])
        return self.buckets.to_bytes(4) + packed.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CuckooFilter":
        """Read what ``to_bytes`` wrote.

        Raises:
            InvalidReportError: it has another length, or the last bits are not zero.
        """
        buckets = int.from_bytes(data[:4])
        size = -(-buckets * SLOTS * FINGERPRINT_BITS // 8)
        if not 1 <= buckets <= MAX_BUCKETS or len(data) != 4 + size:
            raise InvalidReportError("a cuckoo filter of another length than its buckets have")
        bits = np.unpackbits(np.frombuffer(data, np.uint8, offset=4))
        used = buckets * SLOTS * FINGERPRINT_BITS
        if bits[used:].any():
            raise InvalidReportError("a cuckoo filter ends with bits that are not zero")
        whole = np.zeros((buckets * SLOTS, 64), dtype=np.uint8)
        whole[:, -FINGERPRINT_BITS:] = bits[:used].reshape(-1, FINGERPRINT_BITS)
        return cls(np.packbits(whole, axis=1).view(">u8").ravel().astype(np.uint64))


def _marks(digests: Bytes2D, buckets: int) -> tuple[Words, Ints]:
    """Return the fingerprint and the first bucket of each digest."""
    words = np.ascontiguousarray(digests[:, :16]).view("<u8").reshape(-1, 2)
    mark = words[:, 0] >> np.uint64(64 - FINGERPRINT_BITS)
    np.maximum(mark, np.uint64(1), out=mark)
    bucket = ((words[:, 1] >> _LOW32) * np.uint64(buckets)) >> _LOW32
    return mark, bucket.view(np.int64)


def _other(mark: Words, bucket: Ints, buckets: int) -> Ints:
    """Return the other bucket of each item."""
    mixed = (((mark * _MIXER) >> _LOW32) * np.uint64(buckets)) >> _LOW32
    other = mixed.view(np.int64) - bucket
    other[other < 0] += buckets
    return other


def _filled(mark: Words, bucket: Ints, buckets: int) -> CuckooFilter | None:
    """Return the filter with all items in it, None if rounds run out.

    All items act at once. Two that write to one place are no harm: the last one wins, and each
    item reads back whether it lies there. First each tries the empty places of its bucket, then of
    its other one. Then those left over push an occupant out, which goes to its other bucket.
    """
    places = np.zeros(buckets * SLOTS, dtype=np.uint64)
    parts = [
        _settled(places, mark[at : at + _BLOCK], bucket[at : at + _BLOCK], buckets)
        for at in range(0, len(mark), _BLOCK)
    ]
    if not parts:
        return CuckooFilter(places)
    mark, bucket = (np.concatenate(column) for column in zip(*parts, strict=True))
    for turn in range(_MOST_ROUNDS):
        if not len(mark):
            return CuckooFilter(places, turn)
        slot = turn + (mark & np.uint64(SLOTS - 1)).view(np.int64)
        place = bucket * SLOTS + slot % SLOTS
        pushed = places[place]
        places[place] = mark
        lies = places[place] == mark
        mark = np.where(lies, pushed, mark)
        # The pushed one and the one that found its place taken both turn to their other bucket.
        bucket = _other(mark, bucket, buckets)
        there = mark != 0
        mark, bucket = _into_empty(places, mark[there], bucket[there])
    return None


def _settled(places: Words, mark: Words, bucket: Ints, buckets: int) -> tuple[Words, Ints]:
    """Put items into empty places of either bucket; return those left over."""
    mark, bucket = _into_empty(places, mark, bucket)
    mark, bucket = _into_empty(places, mark, _other(mark, bucket, buckets))
    return mark, bucket


def _into_empty(places: Words, mark: Words, bucket: Ints) -> tuple[Words, Ints]:
    """Put items into empty places of their bucket; return those left over."""
    for slot in range(SLOTS):
        place = bucket * SLOTS + slot
        empty = np.flatnonzero(places[place] == 0)
        place = place[empty]
        places[place] = mark[empty]
        lies = np.zeros(len(mark), dtype=bool)
        lies[empty] = places[place] == mark[empty]
        left = np.flatnonzero(~lies)
        mark, bucket = mark[left], bucket[left]
    return mark, bucket
