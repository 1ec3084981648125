"""A protocol that only broadcasts, put on BlueTrace's radio: its token is read and written.

Phones then advertise, change addresses, connect and rest exactly as BlueTrace's phones do. What
they exchange is the protocol's own service data, made at the moment of the exchange.
"""

from dataclasses import replace

from simulations.phones.token_sources import TokenSource
from tracetogether.exchange import Advertisement, Conversation, Exchange, Heard, Transitions
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting


class OverConnections:
    """One phone's side of a protocol over BlueTrace's connections; an ``Exchange``.

    Args:
        rhythm: BlueTrace's exchange; it says when to advertise and when to fetch.
        said: the protocol's exchange; it says what is exchanged, and judges it.
        tokens: turns advertisements into values and back.
    """

    def __init__(self, rhythm: Exchange, said: Exchange, tokens: TokenSource) -> None:
        conversation = rhythm.conversation
        if conversation is None:
            raise ValueError("a rhythm of connections comes from a protocol that connects")
        self._rhythm = rhythm
        self._transitions = conversation.transitions
        self._said = said
        self._tokens = tokens

    @property
    def conversation(self) -> Conversation:
        """What is said in connections: this object is both halves."""
        return self

    @property
    def transitions(self) -> Transitions:
        """The central's transition table: BlueTrace's."""
        return self._transitions

    @property
    def token_life_s(self) -> float:
        """How long a token is valid, seconds."""
        return self._said.token_life_s

    def value(self, now: float) -> bytes | None:
        """Return what a central reads at ``now``; None if this phone has no token."""
        shown = self._said.advertisement(now)
        return None if shown is None else self._tokens.whole(shown)

    def advertisement(self, now: float) -> Advertisement | None:
        """Return what BlueTrace would show now, with this protocol's value to read."""
        shown = self._rhythm.advertisement(now)
        return None if shown is None else replace(shown, value=self.value(now))

    def overheard(self, heard: Heard, *, now: float) -> None:
        """Return None: the token is not in the advertisement here."""

    def message(self, now: float, rssi_dbm: float) -> bytes | None:
        """Return what to write to a peripheral: its level in dBm (1 byte, signed) and the token."""
        value = self.value(now) if self._rhythm.has_token(now) else None
        return None if value is None else round(rssi_dbm).to_bytes(1, signed=True) + value

    def read(
        self, value: bytes, *, now: float, rssi_dbm: float, tx_power_dbm: float | None
    ) -> Sighting | Rejection:
        """Return the sighting of a peripheral whose token was read."""
        return self._judged(value, now, rssi_dbm, tx_power_dbm)

    def written(self, value: bytes, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a central that wrote its token; the level is the central's."""
        if not value:
            return Rejection.MALFORMED
        level_dbm = float(int.from_bytes(value[:1], signed=True))
        said = self._judged(value[1:], now, level_dbm, None)
        return replace(said, as_central=False) if isinstance(said, Sighting) else said

    def renewal_due(self, now: float) -> bool:
        """Return whether BlueTrace would fetch now."""
        return self._rhythm.renewal_due(now)

    def renew(self, batch: object) -> None:
        """Take over a batch, which gives the rhythm alone."""
        self._rhythm.renew(batch)

    def has_token(self, now: float) -> bool:
        """Return whether BlueTrace would have a token."""
        return self._rhythm.has_token(now)

    def ahead_s(self, batch: object, now: float) -> tuple[float, float]:
        """Return what BlueTrace learns of the clock from a batch."""
        return self._rhythm.ahead_s(batch, now)

    def _judged(
        self, value: bytes, now: float, rssi_dbm: float, tx_power_dbm: float | None
    ) -> Sighting | Rejection:
        """Return what the protocol says of a value; of several parts, the last one tells."""
        said: Sighting | Rejection | None = None
        for address, part in self._tokens.heard_as(value):
            heard = Heard(address, rssi_dbm, tx_power_dbm, service_data=part)
            said = self._said.overheard(heard, now=now)
        return Rejection.MALFORMED if said is None else said
