"""The tokens of a crowd that speaks DESIRE: two for each encounter, which both phones compute."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np

from simulations.phones.token_sources import (
    ClockedEntropy,
    HeardColumns,
    TokenDraws,
    by_pseudonym,
    hexadecimal,
)
from tracetogether.desire.air import SLICE_S, SLICES, slices_of
from tracetogether.desire.exchange import DesireExchange
from tracetogether.desire.keys import (
    EBID_BYTES,
    EPOCH_S,
    ebid_of,
    encounter_tokens_many,
    new_secret,
)
from tracetogether.desire.report import PAIR_BYTES
from tracetogether.desire.tracing import DesireTracing
from tracetogether.exchange import Advertisement
from tracetogether.sightings import Sightings
from tracetogether.units import Bools, Bytes2D, Floats, Ints


class DesireTokens:
    """Key pairs of epochs, and the two tokens of each encounter.

    Args:
        draws: what the tokens depend on.
    """

    version = 1
    tells_power = True
    power_dbm: float | None = None

    def __init__(self, draws: TokenDraws) -> None:
        self.draws = draws
        self.after = DesireTracing()
        self._secret = cache(lambda person, epoch: new_secret(draws.entropy(person, epoch)))
        self._ebid = cache(lambda person, epoch: ebid_of(self._secret(person, epoch)))

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> DesireExchange:
        """Return the exchange of a phone."""
        entropy = ClockedEntropy(self.draws, person, EPOCH_S, clock)
        return DesireExchange(model=model, entropy=entropy)

    def whole(self, shown: Advertisement) -> bytes:
        """Return the EBID, of which an advertisement has room for a slice alone."""
        return shown.part_of

    def heard_as(self, value: bytes) -> Sequence[tuple[str, bytes]]:
        """Return an EBID as two slices of one address."""
        if len(value) != EBID_BYTES:
            return [("", value)]
        return [(value.hex(), bytes([part.number]) + part.data) for part in slices_of(value)[:2]]

    def changes_at(self, now: Floats) -> Floats:
        """Return (n,) the ends of the slices shown at n times, epoch seconds."""
        return np.asarray((np.floor_divide(now, SLICE_S) + 1.0) * SLICE_S)

    def recorded(self, heard: HeardColumns) -> Bools:
        """Return (n,) which slices leave a record: a phone needs two different ones of an EBID."""
        epoch = np.floor_divide(heard.sent, EPOCH_S).astype(np.int64)
        number = np.floor_divide(heard.sent, SLICE_S).astype(np.int64) % SLICES
        order = np.lexsort((heard.time, epoch, heard.peer, heard.observer))
        same = np.ones(len(order), dtype=np.bool_)
        for column in (heard.observer, heard.peer, epoch):
            sorted_column = column[order]
            same &= np.append(False, sorted_column[1:] == sorted_column[:-1])
        # Once a slice differs from the first one of its EBID, that one and all later ones count.
        group = np.cumsum(~same) - 1
        first = np.flatnonzero(~same)[group] if len(order) else order
        differs = number[order] != number[order][first]
        before = np.cumsum(differs) - differs
        kept = np.empty(len(order), dtype=np.bool_)
        kept[order] = differs | (before > before[first])
        return kept

    def logged(self, heard: HeardColumns) -> tuple[Bytes2D, Ints]:
        """Return the texts of the pairs of tokens, each once, and each record's row."""
        own = np.floor_divide(heard.time, EPOCH_S).astype(np.int64)
        theirs = np.floor_divide(heard.sent, EPOCH_S).astype(np.int64)
        columns = np.stack([heard.observer, own, heard.peer, theirs])
        pairs, row = np.unique(columns, axis=1, return_inverse=True)
        made: list[bytes] = []
        rows = pairs.T.tolist()
        begin = 0
        while begin < len(rows):  # a secret is set up once for all EBIDs heard in its epoch
            end = begin
            while end < len(rows) and rows[end][:2] == rows[begin][:2]:
                end += 1
            secret = self._secret(*rows[begin][:2])
            others = [self._ebid(*each[2:]) for each in rows[begin:end]]
            found = encounter_tokens_many(secret, others)
            made += [b"".join(tokens) for tokens in found if tokens is not None]
            begin = end
        tokens = np.frombuffer(b"".join(made), np.uint8).reshape(len(rows), PAIR_BYTES)
        return hexadecimal(tokens), row.reshape(-1)

    def secrets(self, person: int) -> None:
        """Return None: a report is made of the tokens in the log."""

    def people(self, reports: Mapping[int, Bytes2D], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is a reported token."""
        tokens = {
            token.tobytes().hex(): person for person, report in reports.items() for token in report
        }
        return by_pseudonym(tokens, near)
