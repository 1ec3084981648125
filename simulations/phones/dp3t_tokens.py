"""The tokens of a crowd that speaks one of DP-3T's three designs."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from simulations.phones.token_sources import (
    ClockedEntropy,
    TokenDraws,
    TokensByTime,
    by_pseudonym,
)
from tracetogether.dp3t.exchange import HybridExchange, LowCostExchange, UnlinkableExchange
from tracetogether.dp3t.keys import (
    DAY_KEY_BYTES,
    EPHID_BYTES,
    EPOCH_S,
    EPOCHS_PER_DAY,
    SEED_BYTES,
    WINDOW_S,
    WINDOW_SEED_BYTES,
    day_ephids,
    day_keys,
    epoch_ephid,
    sending_order,
    window_ephids,
)
from tracetogether.dp3t.report import NumberedSecrets
from tracetogether.dp3t.tracing import HybridTracing, LowCostTracing, UnlinkableTracing
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Ints

_PER_WINDOW = WINDOW_S // EPOCH_S


class LowCostTokens(TokensByTime):
    """EphIDs from a chain of day keys, each day's in the phone's own order.

    Args:
        draws: what the tokens depend on.
    """

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, EPOCH_S)
        self.after = LowCostTracing()
        self._day = int(draws.begin_s // SECONDS_PER_DAY)  # of each chain's first key
        self._drawn = cache(self._draw)

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> LowCostExchange:
        """Return the exchange of a phone that had its first key when the run begins."""
        entropy = ClockedEntropy(self.draws, person, SECONDS_PER_DAY, clock)
        made = LowCostExchange(model=model, entropy=entropy)
        made.advertisement(self.draws.begin_s)
        return made

    def secrets(self, person: int) -> NumberedSecrets:
        """Return the chain's first key."""
        key, _ = self._drawn(person, self._day)
        return NumberedSecrets.of([key], [self._day], DAY_KEY_BYTES)

    def people(self, reports: Mapping[int, NumberedSecrets], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is a first reported key."""
        return by_pseudonym(_of_secrets(reports), near)

    def _draw(self, person: int, day: int) -> tuple[bytes, Ints]:
        """Return the first key of a chain, on its day, and the order of a day's EphIDs."""
        entropy = self.draws.entropy(person, day)
        key = entropy(DAY_KEY_BYTES) if day == self._day else b""
        return key, sending_order(EPOCHS_PER_DAY, entropy)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        day, epoch = np.divmod(number, EPOCHS_PER_DAY)
        days, place = _distinct(phone, day)
        keys = [
            day_keys(self._drawn(person, self._day)[0], each - self._day + 1)[-1]
            for person, each in days
        ]
        orders = np.array([self._drawn(*each)[1] for each in days], dtype=np.int64)
        return _chosen(list(day_ephids(keys)), orders, place, epoch)


class HybridTokens(TokensByTime):
    """EphIDs from a seed for each window of 4 hours, in the phone's own order.

    Args:
        draws: what the tokens depend on.
    """

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, EPOCH_S)
        self.after = HybridTracing()
        self._drawn = cache(self._draw)

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> HybridExchange:
        """Return the exchange of a phone that had its first seed when the run begins."""
        entropy = ClockedEntropy(self.draws, person, WINDOW_S, clock)
        made = HybridExchange(model=model, entropy=entropy)
        made.advertisement(self.draws.begin_s)
        return made

    def secrets(self, person: int) -> NumberedSecrets:
        """Return the seeds of the run's windows."""
        windows = self.draws.numbers(WINDOW_S)
        seeds = [self._drawn(person, window)[0] for window in windows]
        return NumberedSecrets.of(seeds, list(windows), WINDOW_SEED_BYTES)

    def people(self, reports: Mapping[int, NumberedSecrets], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is a window's seed."""
        return by_pseudonym(_of_secrets(reports), near)

    def _draw(self, person: int, window: int) -> tuple[bytes, Ints]:
        entropy = self.draws.entropy(person, window)
        return entropy(WINDOW_SEED_BYTES), sending_order(_PER_WINDOW, entropy)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        window, epoch = np.divmod(number, _PER_WINDOW)
        windows, place = _distinct(phone, window)
        drawn = [self._drawn(*each) for each in windows]
        sent = list(window_ephids([seed for seed, _ in drawn]))
        orders = np.array([order for _, order in drawn], dtype=np.int64)
        return _chosen(sent, orders, place, epoch)


class UnlinkableTokens(TokensByTime):
    """EphIDs from a seed for each epoch of 15 minutes.

    Args:
        draws: what the tokens depend on.
    """

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, EPOCH_S)
        self.after = UnlinkableTracing()
        self._seed = cache(lambda person, epoch: draws.entropy(person, epoch)(SEED_BYTES))

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> UnlinkableExchange:
        """Return the exchange of a phone that had its first seed when the run begins."""
        entropy = ClockedEntropy(self.draws, person, EPOCH_S, clock)
        made = UnlinkableExchange(model=model, entropy=entropy)
        made.advertisement(self.draws.begin_s)
        return made

    def secrets(self, person: int) -> NumberedSecrets:
        """Return the seeds of the run's epochs."""
        epochs = self.draws.numbers(EPOCH_S)
        seeds = [self._seed(person, epoch) for epoch in epochs]
        return NumberedSecrets.of(seeds, list(epochs), SEED_BYTES)

    def people(self, reports: Mapping[int, NumberedSecrets], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is an EphID."""
        ephids = {
            epoch_ephid(seed).hex(): person
            for person, report in reports.items()
            for seed in report.listed()
        }
        return by_pseudonym(ephids, near)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        pairs = zip(phone.tolist(), number.tolist(), strict=True)
        sent = b"".join(epoch_ephid(self._seed(person, epoch)) for person, epoch in pairs)
        return np.frombuffer(sent, np.uint8).reshape(-1, EPHID_BYTES)


def _of_secrets(reports: Mapping[int, NumberedSecrets]) -> dict[str, int]:
    return {
        secret.hex(): person for person, report in reports.items() for secret in report.listed()
    }


def _distinct(phone: Ints, number: Ints) -> tuple[list[tuple[int, int]], Ints]:
    """Return the distinct pairs of phone and number, and (n,) the place of each pair."""
    pairs, place = np.unique(np.stack([phone, number]), axis=1, return_inverse=True)
    return list(zip(*pairs.tolist(), strict=True)), place.reshape(-1)


def _chosen(sent: list[Bytes2D], orders: Ints, place: Ints, epoch: Ints) -> Bytes2D:
    """Return the EphIDs that phones send in an epoch.

    Args:
        sent: the EphIDs of m secrets, in order, in chunks.
        orders: (m, each) the order in which each secret's EphIDs are sent.
        place: (n,) which secret.
        epoch: (n,) number of the epoch within the secret's time.
    """
    if not len(place):
        return np.empty((0, EPHID_BYTES), dtype=np.uint8)
    found: Bytes2D = np.concatenate(sent)[place * orders.shape[1] + orders[place, epoch]]
    return found
