"""One phone's side of DP-3T: it shows an EphID of 16 bytes, and nobody connects to it.

The three designs differ in where the EphIDs come from, what a phone keeps, and for how long a
report gives away what it will show. After a report each begins with secrets that nobody knows.

A phone deletes its own secrets after 14 days of its clock. A clock that is set back finds the
secrets of that time again, where there were any. A clock that leaps ahead deletes them.
"""

import os

from tracetogether.dp3t.air import PROFILE, RETENTION_S
from tracetogether.dp3t.keys import (
    DAY_KEY_BYTES,
    EPHID_BYTES,
    EPOCH_S,
    SEED_BYTES,
    WINDOW_S,
    WINDOW_SEED_BYTES,
    day_ephids,
    day_keys,
    epoch_ephid,
    epoch_of,
    sending_order,
    window_ephids,
)
from tracetogether.dp3t.report import NumberedSecrets
from tracetogether.exchange import Advertisement, BroadcastOnly, Heard
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy


class _EphidExchange(BroadcastOnly):
    """What the designs share: an EphID for each epoch, and the length of what is heard.

    Args:
        model: this phone's model.
        entropy: where keys, seeds and the order of EphIDs come from.
        length_s: how long one secret serves, seconds.
    """

    def __init__(self, model: str, entropy: Entropy, length_s: int) -> None:
        super().__init__(model)
        self._entropy = entropy
        self._length_s = length_s
        self._own: dict[bytes, int] = {}  # own EphID -> number of its secret
        self._shown: tuple[int, list[bytes]] | None = None  # of the current secret, as it is sent

    @property
    def token_life_s(self) -> float:
        """How long an EphID is shown, seconds."""
        return EPOCH_S

    def advertisement(self, now: float) -> Advertisement:
        """Return the EphID of the current 15 minutes."""
        epoch = epoch_of(now)
        number = int(now // self._length_s)
        if self._shown is None or self._shown[0] != number:
            oldest = number - RETENTION_S // self._length_s
            ephids = self._ephids(number, oldest)
            self._own = {own: of for own, of in self._own.items() if of >= oldest}
            self._own.update(dict.fromkeys(ephids, number))
            order = sending_order(len(ephids), self._entropy).tolist()
            self._shown = number, [ephids[place] for place in order]
        ephids = self._shown[1]
        return Advertisement(
            service=PROFILE.service,
            manufacturer_data=b"",
            value=None,
            expiry=float((epoch + 1) * EPOCH_S),
            service_data=ephids[epoch % len(ephids)],
        )

    def overheard(self, heard: Heard, *, now: float) -> Sighting | Rejection:
        """Return the sighting of a phone whose EphID came in."""
        said = heard.service_data
        if len(said) != EPHID_BYTES:
            return Rejection.MALFORMED
        return self._judged(
            heard, now, peer=said, own=said in self._own, tx_power_dbm=heard.tx_power_dbm
        )

    def _ephids(self, number: int, oldest: int) -> list[bytes]:
        """Return all EphIDs of a secret, and forget the secrets before ``oldest``."""
        raise NotImplementedError


class _SeedExchange(_EphidExchange):
    """The two designs with a random seed for each time."""

    _seed_bytes: int

    def __init__(self, model: str, entropy: Entropy, length_s: int) -> None:
        super().__init__(model, entropy, length_s)
        self._seeds: dict[int, bytes] = {}  # number of an epoch or a window -> its seed

    def own_keys(self) -> NumberedSecrets:
        """Return the seeds of the last 14 days: what a report is made of."""
        numbers = sorted(self._seeds)
        return NumberedSecrets.of(
            [self._seeds[number] for number in numbers], numbers, self._seed_bytes
        )

    def begin_anew(self) -> None:
        """Forget all seeds, for they are reported: from now on others are used."""
        self._seeds.clear()
        self._shown = None

    def _seed(self, number: int, oldest: int) -> bytes:
        self._seeds = {of: seed for of, seed in self._seeds.items() if of >= oldest}
        return self._seeds.setdefault(number, self._entropy(self._seed_bytes))


class UnlinkableExchange(_SeedExchange):
    """The unlinkable design: a random seed every 15 minutes; an ``Exchange``.

    Args:
        model: this phone's model.
        entropy: where the seeds come from.
    """

    _seed_bytes = SEED_BYTES

    def __init__(self, *, model: str = "", entropy: Entropy = os.urandom) -> None:
        super().__init__(model, entropy, EPOCH_S)

    def _ephids(self, number: int, oldest: int) -> list[bytes]:
        return [epoch_ephid(self._seed(number, oldest))]


class HybridExchange(_SeedExchange):
    """The hybrid design: a random seed for each window; an ``Exchange``.

    Args:
        model: this phone's model.
        entropy: where the seeds and the order of EphIDs come from.
        window_s: length of a window, a multiple of 900 seconds that divides a day.

    Raises:
        ValueError: the window has another length.
    """

    _seed_bytes = WINDOW_SEED_BYTES

    def __init__(
        self, *, model: str = "", entropy: Entropy = os.urandom, window_s: int = WINDOW_S
    ) -> None:
        if window_s < EPOCH_S or window_s % EPOCH_S or SECONDS_PER_DAY % window_s:
            raise ValueError(f"a window of {window_s} s: use a multiple of 900 that divides a day")
        super().__init__(model, entropy, window_s)

    def _ephids(self, number: int, oldest: int) -> list[bytes]:
        (ephids,) = window_ephids([self._seed(number, oldest)], self._length_s)
        return [ephid.tobytes() for ephid in ephids]


class LowCostExchange(_EphidExchange):
    """The low-cost design: a chain of day keys; an ``Exchange``.

    A chain runs forwards only. A clock that is set back to before its first day begins another
    chain there, and the first one serves again from its own first day on.

    Args:
        model: this phone's model.
        entropy: where a chain's first key and the order of EphIDs come from.
    """

    def __init__(self, *, model: str = "", entropy: Entropy = os.urandom) -> None:
        super().__init__(model, entropy, SECONDS_PER_DAY)
        self._chains: dict[int, bytes] = {}  # oldest day that is kept -> its key
        self._day = 0  # of the phone's clock

    def own_keys(self) -> NumberedSecrets:
        """Return the oldest day key that is kept of each chain in use: all later ones follow."""
        days = sorted(day for day in self._chains if day <= self._day)
        return NumberedSecrets.of([self._chains[day] for day in days], days, DAY_KEY_BYTES)

    def begin_anew(self) -> None:
        """Forget the chain, for a report gave it away: from now on a random key begins another."""
        self._chains.clear()
        self._shown = None

    def _ephids(self, number: int, oldest: int) -> list[bytes]:
        self._day = number
        past = {day: self._chains.pop(day) for day in list(self._chains) if day < oldest}
        if past:  # what is kept begins with the oldest day: nobody can go back from there
            last = max(past)
            self._chains.setdefault(oldest, day_keys(past[last], oldest - last + 1)[-1])
        if all(day > number for day in self._chains):
            self._chains[number] = self._entropy(DAY_KEY_BYTES)
        first = max(day for day in self._chains if day <= number)
        (ephids,) = day_ephids([day_keys(self._chains[first], number - first + 1)[-1]])
        return [ephid.tobytes() for ephid in ephids]
