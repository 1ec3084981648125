"""One phone's side of ROBERT: it shows HELLOs of the server's tuples, and keeps those of others.

A HELLO carries the time, so that it is made again every 3 minutes. Its EBID stays the same for
an epoch of 15 minutes, so that this is the token. A phone keeps a HELLO whose time is its own to
within 3 minutes: a phone with a wrong clock hears nobody, and nobody keeps what it sends.

Deployed phones also answered connections, so that iPhones in the background found each other.
That is not built here: every phone that listens hears the HELLO.
"""

import os
from typing import Final

from tracetogether.exchange import Advertisement, BroadcastOnly, Heard
from tracetogether.rejection import Rejection
from tracetogether.robert.air import HELLO_BYTES, PROFILE, RENEWED_S, VERSION, read_hello
from tracetogether.robert.keys import EPOCH_S, hello, ntp_of
from tracetogether.robert.near import is_fresh
from tracetogether.robert.tuples import HelloTuples
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy, is_transmit_power

_LEAST_BYTES: Final = HELLO_BYTES + 2


class RobertExchange(BroadcastOnly):
    """What a phone advertises and takes from what it hears; an ``Exchange``.

    Args:
        model: this phone's model.
        tx_power_dbm: transmit power that it states beside a HELLO, -128 to 127.
        entropy: not used, for the server makes all that is random.
        batch: tuples to begin with.
    """

    def __init__(
        self,
        *,
        model: str = "",
        tx_power_dbm: int = -15,
        entropy: Entropy = os.urandom,
        batch: HelloTuples | None = None,
    ) -> None:
        del entropy
        super().__init__(model)
        self._beside = bytes([VERSION]) + tx_power_dbm.to_bytes(1, signed=True)
        self._batch = batch
        self._own: set[bytes] = set()  # EBIDs of this phone, of this batch and the one before
        self._newest: set[bytes] = set()
        self._take_for_own(batch)

    @property
    def token_life_s(self) -> float:
        """How long an EBID is shown, seconds."""
        return EPOCH_S

    def own_keys(self) -> None:
        """Return None: a report is made of what the phone heard alone."""

    def advertisement(self, now: float) -> Advertisement | None:
        """Return a HELLO of ``now``; None if there is no tuple of this epoch."""
        said = self._batch.at(now) if self._batch else None
        if self._batch is None or said is None:
            return None
        end = self._batch.epoch_end(now)
        made = hello(said[0], said[1:], ntp_of(now), self._batch.mac_key)
        return Advertisement(
            service=PROFILE.service,
            manufacturer_data=b"",
            value=None,
            expiry=min(now + RENEWED_S, end),
            service_data=made + self._beside,
            part_of=said[1:],
            token_end=end,
        )

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a phone whose HELLO came in."""
        said = heard.service_data
        if len(said) < _LEAST_BYTES:
            return Rejection.MALFORMED
        parts = read_hello(said[:HELLO_BYTES])
        if not is_fresh(parts.time16, now):
            return Rejection.EXPIRED_ID
        power = int.from_bytes(said[HELLO_BYTES + 1 : _LEAST_BYTES], signed=True)
        return self._judged(
            heard,
            now,
            peer=said[:HELLO_BYTES],
            own=parts.ebid in self._own,
            tx_power_dbm=float(power) if is_transmit_power(power) else None,
            version=said[HELLO_BYTES],
        )

    def renewal_due(self, now: float) -> bool:
        """Return whether new tuples should be fetched."""
        return self._batch is None or self._batch.renewal_due(now)

    def renew(self, batch: object) -> None:
        """Take over newly fetched tuples.

        Raises:
            TypeError: they are none.
        """
        if not isinstance(batch, HelloTuples):
            raise TypeError(f"tuples of ROBERT are wanted, not {type(batch).__name__}")
        self._batch = batch
        self._take_for_own(batch)

    def has_token(self, now: float) -> bool:
        """Return whether there is a tuple of this epoch."""
        return self._batch is not None and self._batch.at(now) is not None

    def ahead_s(self, batch: object, now: float) -> tuple[float, float]:
        """Return by how much ``now`` is ahead of the server's clock, least and most, seconds."""
        return batch.ahead_s(now) if isinstance(batch, HelloTuples) else (0.0, 0.0)

    def _take_for_own(self, batch: HelloTuples | None) -> None:
        """Know the EBIDs of this batch and of the one before; older ones are not fresh any more."""
        fresh = {said[1:] for said in batch.by_epoch.values()} if batch else set()
        self._own, self._newest = self._newest | fresh, fresh
