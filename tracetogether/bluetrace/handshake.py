"""One phone's side of a BlueTrace exchange, and the order of its steps as a table.

The central connects, reads, writes (even if the read failed: the other side may still
profit) and hangs up, so that one connection leaves a record on both phones. The
peripheral is passive. The table ``CENTRAL`` alone decides the central's next step.
"""

import os
from types import MappingProxyType
from typing import Final

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.payload import (
    CentralPayload,
    PeripheralPayload,
    encode_read,
    encode_write,
    parse_read,
    parse_write,
)
from tracetogether.errors import LocalProtocolError, RemoteProtocolError
from tracetogether.exchange import (
    Advertisement,
    Conversation,
    Heard,
    LinkEvent,
    LinkState,
    RadioProfile,
    Step,
    Transitions,
)
from tracetogether.parameters import BLUETRACE
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy, is_rssi, is_transmit_power

SERVICE_UUID: Final = "B82AB3FC-1595-4F6A-80F0-FE094CC218F9"  # OpenTrace Android README
CHARACTERISTIC_UUID: Final = "117BDD58-57CE-4E7A-8E87-7CCCDDA2A804"  # V2, the same README
COMPANY_ID: Final = 0x03FF  # of the manufacturer data; OpenTrace Android
PROFILE: Final = RadioProfile(SERVICE_UUID, CHARACTERISTIC_UUID, COMPANY_ID)
"""OpenTrace's sample app for Android; other builds have other UUIDs."""
NO_TOKENS: Final = frozenset({"", "Missing TempID", "not_found", "<unknown>"})
"""What OpenTrace's phones send while they have no TempID."""
MAX_TOKEN: Final = 128  # TempIDs have 84 characters, the longest known dialect 120

CENTRAL: Final[Transitions] = MappingProxyType(
    {
        (LinkState.CONNECTING, LinkEvent.CONNECTED): (LinkState.READING, Step.READ),
        (LinkState.CONNECTING, LinkEvent.TIMED_OUT): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.CONNECTING, LinkEvent.DISCONNECTED): (LinkState.CLOSED, Step.FINISH),
        (LinkState.READING, LinkEvent.VALUE_READ): (LinkState.WRITING, Step.WRITE),
        (LinkState.READING, LinkEvent.READ_FAILED): (LinkState.WRITING, Step.WRITE),
        (LinkState.READING, LinkEvent.TIMED_OUT): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.READING, LinkEvent.DISCONNECTED): (LinkState.CLOSED, Step.FINISH),
        (LinkState.WRITING, LinkEvent.WRITE_DONE): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.WRITING, LinkEvent.WRITE_FAILED): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.WRITING, LinkEvent.TIMED_OUT): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.WRITING, LinkEvent.DISCONNECTED): (LinkState.CLOSED, Step.FINISH),
        # After a time-out the stack may still report what it had under way.
        (LinkState.CLOSING, LinkEvent.CONNECTED): (LinkState.CLOSING, Step.HANG_UP),
        (LinkState.CLOSING, LinkEvent.VALUE_READ): (LinkState.CLOSING, Step.WAIT),
        (LinkState.CLOSING, LinkEvent.READ_FAILED): (LinkState.CLOSING, Step.WAIT),
        (LinkState.CLOSING, LinkEvent.WRITE_DONE): (LinkState.CLOSING, Step.WAIT),
        (LinkState.CLOSING, LinkEvent.WRITE_FAILED): (LinkState.CLOSING, Step.WAIT),
        (LinkState.CLOSING, LinkEvent.TIMED_OUT): (LinkState.CLOSED, Step.FINISH),
        (LinkState.CLOSING, LinkEvent.DISCONNECTED): (LinkState.CLOSED, Step.FINISH),
    }
)


class BlueTraceExchange:
    """What a phone advertises, sends and accepts; an ``Exchange``.

    Args:
        model: this phone's model, as the other side writes it down.
        organisation: code of the authority that issued the TempIDs.
        batch: TempIDs to begin with.
        service: UUID to advertise; builds of OpenTrace differ in theirs.
        token_life_s: how long the authority's TempIDs are valid, seconds.
        entropy: where the three bytes of manufacturer data come from.
    """

    def __init__(
        self,
        *,
        model: str,
        organisation: str,
        batch: TempIDBatch | None = None,
        service: str = SERVICE_UUID,
        token_life_s: float = BLUETRACE.validity_s,
        entropy: Entropy = os.urandom,
    ) -> None:
        self._model = model
        self._organisation = organisation
        self._batch = batch
        self._service = service
        self._token_life_s = token_life_s
        self._entropy = entropy
        self._own: dict[str, int] = {}  # expiry of this phone's tokens, recent ones too
        self._take_for_own(batch)

    @property
    def conversation(self) -> Conversation:
        """What is said in connections: this object is both halves."""
        return self

    @property
    def transitions(self) -> Transitions:
        """The central's transition table."""
        return CENTRAL

    @property
    def token_life_s(self) -> float:
        """How long a TempID is valid, seconds."""
        return self._token_life_s

    def advertisement(self, now: float) -> Advertisement | None:
        """Return what to advertise from ``now`` on; None if no TempID is valid."""
        tempid = self._batch.at(now) if self._batch else None
        if tempid is None:
            return None
        return Advertisement(
            service=self._service,
            # Fresh at each start: iPhones tell Android phones apart by it (three hex digits).
            manufacturer_data=self._entropy(2).hex()[:3].encode(),
            value=encode_read(PeripheralPayload(tempid.text, self._model, self._organisation)),
            expiry=tempid.expiry,
        )

    def overheard(self, heard: Heard, *, now: float) -> None:
        """Return None: an advertisement of BlueTrace holds no TempID."""

    def message(self, now: float, rssi_dbm: float) -> bytes | None:
        """Return what to write to a peripheral heard at ``rssi_dbm``."""
        tempid = self._batch.at(now) if self._batch else None
        if tempid is None:
            return None
        said = CentralPayload(tempid.text, self._model, self._organisation, rssi_dbm)
        return encode_write(said)

    def read(
        self, value: bytes, *, now: float, rssi_dbm: float, tx_power_dbm: float | None
    ) -> Sighting | Rejection:
        """Return the sighting of a peripheral whose value was read."""
        try:
            said = parse_read(value)
        except RemoteProtocolError:
            return Rejection.MALFORMED
        return self._sighting(said, now, rssi_dbm, tx_power_dbm)

    def written(self, value: bytes, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a central that wrote its value; its RSSI is the central's."""
        try:
            said = parse_write(value)
        except RemoteProtocolError:
            return Rejection.MALFORMED
        return self._sighting(said, now, said.rssi_dbm, said.tx_power_dbm)

    def renewal_due(self, now: float) -> bool:
        """Return whether a new batch should be fetched."""
        return self._batch is None or self._batch.renewal_due(now)

    def renew(self, batch: object) -> None:
        """Take over a new batch.

        Raises:
            LocalProtocolError: it is no batch of TempIDs.
        """
        self._batch = _checked(batch)
        self._take_for_own(self._batch)

    def has_token(self, now: float) -> bool:
        """Return whether a TempID is valid at ``now``."""
        return self._batch is not None and self._batch.at(now) is not None

    def ahead_s(self, batch: object, now: float) -> tuple[float, float]:
        """Return by how much ``now`` is ahead of the authority's clock, least and most, seconds.

        Raises:
            LocalProtocolError: ``batch`` is no batch of TempIDs.
        """
        return _checked(batch).ahead_s(now)

    def _take_for_own(self, batch: TempIDBatch | None) -> None:
        """Remember this phone's own TempIDs, also old ones that others may still play back."""
        if not batch:
            return
        since = batch.tempids[0].start - SECONDS_PER_DAY
        self._own = {text: expiry for text, expiry in self._own.items() if expiry > since}
        self._own.update((tempid.text, tempid.expiry) for tempid in batch)

    def _sighting(
        self,
        said: PeripheralPayload | CentralPayload,
        now: float,
        rssi_dbm: float,
        tx_power_dbm: float | None,
    ) -> Sighting | Rejection:
        """Return the sighting that a payload stands for, or why it is not accepted."""
        if said.token in NO_TOKENS:
            return Rejection.NO_MSG
        if len(said.token) > MAX_TOKEN:
            return Rejection.MALFORMED
        if not is_rssi(rssi_dbm):
            return Rejection.INVALID_RSSI
        if said.token in self._own:
            return Rejection.SELF_TEMPID  # this phone's own payload, played back
        known = tx_power_dbm is not None and is_transmit_power(tx_power_dbm)
        return Sighting(
            time=now,
            peer=said.token,
            rssi_dbm=rssi_dbm,
            tx_power_dbm=tx_power_dbm if known else None,
            peer_model=said.model or None,
            observer_model=self._model,
            organisation=said.organisation,
            version=said.version,
            as_central=isinstance(said, PeripheralPayload),
        )


def _checked(batch: object) -> TempIDBatch:
    if not isinstance(batch, TempIDBatch):
        msg = f"expected a TempIDBatch, got {type(batch).__name__}"
        raise LocalProtocolError(msg)
    return batch
