"""One phone's side of Exposure Notification: it only broadcasts, and nobody connects to it.

A new random key each UTC day gives 144 identifiers. The phone shows the one of the current
interval, with four bytes of metadata that only this key can read.
"""

import os

from tracetogether.exchange import Advertisement, BroadcastOnly, Heard
from tracetogether.gaen.air import (
    PROFILE,
    RETENTION_S,
    SERVICE_DATA_BYTES,
    ExposureMetadata,
    write_metadata,
)
from tracetogether.gaen.keys import (
    INTERVAL_S,
    INTERVALS_PER_KEY,
    METADATA_BYTES,
    day_start,
    hide_metadata,
    identifiers,
    interval_of,
    new_key,
)
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy


class GaenExchange(BroadcastOnly):
    """What a phone advertises and takes from what it hears; an ``Exchange``.

    Args:
        model: this phone's model.
        tx_power_dbm: transmit power that the hidden metadata claim.
        entropy: where the keys of the days come from.
    """

    def __init__(
        self, *, model: str = "", tx_power_dbm: int = -15, entropy: Entropy = os.urandom
    ) -> None:
        super().__init__(model)
        self._metadata = write_metadata(ExposureMetadata(tx_power_dbm))
        self._entropy = entropy
        self._keys: dict[int, bytes] = {}  # first interval of a day -> its key
        self._today: tuple[int, tuple[bytes, ...]] | None = None  # that day's identifiers
        self._own: dict[bytes, int] = {}  # own identifier -> first interval of its day

    @property
    def token_life_s(self) -> float:
        """How long an identifier is shown, seconds."""
        return INTERVAL_S

    def own_keys(self) -> DiagnosisKeys:
        """Return the keys of the last 14 days: what this phone hands over after a diagnosis."""
        starts = sorted(self._keys)
        return DiagnosisKeys.of([self._keys[start] for start in starts], starts)

    def advertisement(self, now: float) -> Advertisement:
        """Return the identifier of the current ten minutes, and its hidden metadata."""
        interval = interval_of(now)
        start = day_start(interval)
        shown = self._identifiers_of(start)[interval - start]
        hidden = hide_metadata(self._keys[start], shown, self._metadata)
        return Advertisement(
            service=PROFILE.service,
            manufacturer_data=b"",
            value=None,
            expiry=float((interval + 1) * INTERVAL_S),
            service_data=shown + hidden,
        )

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a phone whose advertisement came in."""
        said = heard.service_data
        if len(said) != SERVICE_DATA_BYTES:
            return Rejection.MALFORMED
        own = said[:-METADATA_BYTES] in self._own
        return self._judged(heard, now, peer=said, own=own)

    def _identifiers_of(self, start: int) -> tuple[bytes, ...]:
        """Return the identifiers of the day that begins at interval ``start``."""
        if self._today is None or self._today[0] != start:
            oldest = start - RETENTION_S // INTERVAL_S
            self._keys = {day: key for day, key in self._keys.items() if day >= oldest}
            key = self._keys.setdefault(start, new_key(self._entropy))
            shown = tuple(row.tobytes() for row in identifiers(key, start, INTERVALS_PER_KEY))
            self._own = {own: day for own, day in self._own.items() if day >= oldest}
            self._own.update(dict.fromkeys(shown, start))
            self._today = start, shown
        return self._today[1]
