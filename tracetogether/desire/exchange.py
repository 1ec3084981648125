"""One phone's side of DESIRE: it shows its EBID in slices, and joins the slices of others.

Each epoch of 15 minutes has its own key pair. A sighting wants two of three slices of one phone,
for only then the tokens of the encounter can be computed: the first slice that is heard leaves no
record. A phone's radio address is the same for all slices of an EBID, which tells them together.

A phone keeps no secret beyond its epoch: what it needs later, the two tokens, is in its log. So
nothing that is seized or stolen opens an encounter of the past. A clock that is set back begins
another key pair.
"""

import os
from collections import OrderedDict
from typing import Final

from tracetogether.desire.air import (
    PROFILE,
    SLICE_S,
    SLICES,
    EbidSlice,
    ebid_from,
    slice_at,
    slices_of,
)
from tracetogether.desire.keys import (
    EBID_BYTES,
    EPOCH_S,
    ebid_of,
    encounter_tokens_many,
    new_secret,
)
from tracetogether.exchange import Advertisement, BroadcastOnly, Heard
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy

_HALF: Final = EBID_BYTES // 2
_MOST_PEERS: Final = 4_096  # bounds what made-up addresses can cost


class DesireExchange(BroadcastOnly):
    """What a phone advertises and takes from what it hears; an ``Exchange``.

    Args:
        model: this phone's model.
        entropy: where the secrets come from.
    """

    def __init__(self, *, model: str = "", entropy: Entropy = os.urandom) -> None:
        super().__init__(model)
        self._entropy = entropy
        self._epoch: int | None = None
        self._secret = b""
        self._slices: tuple[EbidSlice, ...] = ()
        self._own: set[EbidSlice] = set()  # of this epoch and the one before
        self._heard: OrderedDict[str, dict[int, bytes]] = OrderedDict()  # address -> its slices
        self._tokens: dict[bytes, bytes | None] = {}  # EBID -> tokens; None: no public key

    @property
    def token_life_s(self) -> float:
        """How long an EBID is shown, seconds."""
        return EPOCH_S

    def own_keys(self) -> None:
        """Return None: a report is made of the tokens in the log."""

    def advertisement(self, now: float) -> Advertisement:
        """Return the slice of the current 20 seconds."""
        self._begin_epoch(now)
        part = self._slices[slice_at(now)]
        end = float((now // EPOCH_S + 1) * EPOCH_S)
        return Advertisement(
            service=PROFILE.service,
            manufacturer_data=b"",
            value=None,
            expiry=min(float((now // SLICE_S + 1) * SLICE_S), end),
            service_data=bytes([part.number]) + part.data,
            part_of=self._slices[0].data + self._slices[1].data,
            token_end=end,
        )

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection | None:
        """Return the sighting of a phone of which two slices came in; None after the first.

        The log's peer is the token to report and the token to ask with, 64 bytes.
        """
        said = heard.service_data
        if len(said) != 1 + _HALF or said[0] >= SLICES:
            return Rejection.MALFORMED
        self._begin_epoch(now)
        part = EbidSlice(said[0], said[1:])
        if part in self._own:
            return self._judged(heard, now, peer=b"", own=True)
        ebid = self._joined(heard.peer, part)
        if ebid is None:
            return None
        tokens = self._tokens_of(ebid)
        if tokens is None:
            return Rejection.MALFORMED
        return self._judged(heard, now, peer=tokens, own=False, tx_power_dbm=heard.tx_power_dbm)

    def _begin_epoch(self, now: float) -> None:
        epoch = int(now // EPOCH_S)
        if epoch == self._epoch:
            return
        self._epoch = epoch
        self._secret = new_secret(self._entropy)
        before, self._slices = self._slices, slices_of(ebid_of(self._secret))
        self._own = {*before, *self._slices}
        self._tokens.clear()  # they were of the secret before; the other phone's EBID may go on

    def _joined(self, address: str, part: EbidSlice) -> bytes | None:
        """Return the EBID of the slices heard of an address, None while there is but one."""
        slices = self._heard.pop(address, {})
        if slices.get(part.number, part.data) != part.data or not _fits(slices, part):
            slices = {}  # another EBID: what was heard of the one before is no use
        slices[part.number] = part.data
        self._heard[address] = slices
        while len(self._heard) > _MOST_PEERS:
            self._heard.popitem(last=False)
        return ebid_from(slices)

    def _tokens_of(self, ebid: bytes) -> bytes | None:
        if ebid not in self._tokens:
            (pair,) = encounter_tokens_many(self._secret, [ebid])
            if len(self._tokens) >= _MOST_PEERS:
                self._tokens.clear()
            self._tokens[ebid] = None if pair is None else pair[0] + pair[1]
        return self._tokens[ebid]


def _fits(slices: dict[int, bytes], part: EbidSlice) -> bool:
    """Return whether a third slice agrees with two: one is the exclusive or of the others."""
    known = ebid_from({number: data for number, data in slices.items() if number != part.number})
    return known is None or slices_of(known)[part.number] == part
