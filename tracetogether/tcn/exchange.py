"""One phone's side of TCN: it shows a number of 16 bytes, and nobody connects to it.

A random key serves 6 hours and gives a new number every 15 minutes. No time is bound to a number,
so that a phone believes every number that it hears.

Two iPhones in the background did not hear each other's numbers: they wrote them to a GATT
characteristic instead. That is not built here: every phone that listens hears the number.
"""

import os
from typing import Final

from tracetogether.exchange import Advertisement, BroadcastOnly, Heard
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.tcn.air import PROFILE, RETENTION_S
from tracetogether.tcn.keys import (
    KEY_LIFE_S,
    NUMBER_BYTES,
    new_authorisation_key,
    numbers,
    states,
    verification_key,
)
from tracetogether.tcn.tracing import AuthorisationKey
from tracetogether.units import Entropy

NUMBER_LIFE_S: Final = 900  # as often as a phone changes its address
_NUMBERS_PER_KEY: Final = KEY_LIFE_S // NUMBER_LIFE_S


class TcnExchange(BroadcastOnly):
    """What a phone advertises and takes from what it hears; an ``Exchange``.

    A key begins with a quarter of an hour, at its first use. A clock that is set back finds the
    key of that time again; where there was none, another key begins.

    Args:
        model: this phone's model.
        entropy: where the keys come from.
    """

    def __init__(self, *, model: str = "", entropy: Entropy = os.urandom) -> None:
        super().__init__(model)
        self._entropy = entropy
        self._keys: list[AuthorisationKey] = []  # the newest last; ``used``: highest index shown
        self._shown: tuple[float, tuple[bytes, ...]] | None = None  # start of a key, its numbers
        self._own: dict[bytes, float] = {}  # own number -> start of its key

    @property
    def token_life_s(self) -> float:
        """How long a number is shown, seconds."""
        return NUMBER_LIFE_S

    def own_keys(self) -> tuple[AuthorisationKey, ...]:
        """Return the keys of the last 14 days: what a report is made of."""
        return tuple(self._keys)

    def begin_anew(self) -> None:
        """Forget all keys, for they are reported: a report shows the next numbers too."""
        self._keys.clear()
        self._shown = None

    def advertisement(self, now: float) -> Advertisement:
        """Return the number of the current 15 minutes."""
        slot = int(now // NUMBER_LIFE_S)
        place = self._key_at(now, slot)
        key = self._keys[place]
        index = slot - int(key.start // NUMBER_LIFE_S)
        if index >= key.used:
            self._keys[place] = AuthorisationKey(key.rak, key.start, index + 1)
        return Advertisement(
            service=PROFILE.service,
            manufacturer_data=b"",
            value=None,
            expiry=float((slot + 1) * NUMBER_LIFE_S),
            service_data=self._numbers_of(key)[index],
        )

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a phone whose number came in; bytes after it are left out."""
        said = heard.service_data[:NUMBER_BYTES]
        if len(said) < NUMBER_BYTES:
            return Rejection.MALFORMED
        return self._judged(
            heard, now, peer=said, own=said in self._own, tx_power_dbm=heard.tx_power_dbm
        )

    def _key_at(self, now: float, slot: int) -> int:
        """Return the place of the key that serves ``now``; make one if there is none."""
        for place, key in enumerate(self._keys):
            if key.start <= now < key.start + KEY_LIFE_S:
                return place
        oldest = now - RETENTION_S
        self._keys = [key for key in self._keys if key.start + KEY_LIFE_S > oldest]
        self._own = {own: at for own, at in self._own.items() if at + KEY_LIFE_S > oldest}
        rak = new_authorisation_key(self._entropy)
        self._keys.append(AuthorisationKey(rak, float(slot * NUMBER_LIFE_S), 0))
        return len(self._keys) - 1

    def _numbers_of(self, key: AuthorisationKey) -> tuple[bytes, ...]:
        """Return the 24 numbers of a key."""
        if self._shown is None or self._shown[0] != key.start:
            rvk, first = verification_key(key.rak), states(key.rak, 1)[0]
            made = tuple(row.tobytes() for row in numbers(rvk, first, 1, _NUMBERS_PER_KEY))
            self._shown = key.start, made
            self._own.update(dict.fromkeys(made, key.start))
        return self._shown[1]
