"""The tokens of a crowd that speaks GAEN: each day's key is derived once for all records."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from simulations.phones.token_sources import (
    ClockedEntropy,
    TokenDraws,
    TokensByTime,
    by_pseudonym,
)
from tracetogether.gaen.air import ExposureMetadata, write_metadata
from tracetogether.gaen.exchange import GaenExchange
from tracetogether.gaen.keys import (
    INTERVAL_S,
    INTERVALS_PER_KEY,
    identifiers_many,
    new_key,
    shown_metadata,
)
from tracetogether.gaen.report import DiagnosisKeys
from tracetogether.gaen.tracing import GaenTracing
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Ints


class GaenTokens(TokensByTime):
    """Identifiers of ten minutes with their hidden metadata, from keys of days.

    Args:
        draws: what the tokens depend on.
    """

    tells_power = False  # the metadata tell it, once the key is published

    def __init__(self, draws: TokenDraws) -> None:
        super().__init__(draws, INTERVAL_S)
        self.after = GaenTracing()
        self._power = int(draws.advertised_dbm)
        self._key = cache(lambda person, day: new_key(draws.entropy(person, day)))

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> GaenExchange:
        """Return the exchange of a phone that had its first key when the run begins."""
        entropy = ClockedEntropy(self.draws, person, SECONDS_PER_DAY, clock)
        made = GaenExchange(model=model, tx_power_dbm=self._power, entropy=entropy)
        made.advertisement(self.draws.begin_s)
        return made

    def secrets(self, person: int) -> DiagnosisKeys:
        """Return the keys of the run's days."""
        days = self.draws.numbers(SECONDS_PER_DAY)
        starts = [day * INTERVALS_PER_KEY for day in days]
        return DiagnosisKeys.of([self._key(person, day) for day in days], starts)

    def people(self, reports: Mapping[int, DiagnosisKeys], near: Sightings) -> tuple[Ints, Ints]:
        """Return who recorded each reading and whom it heard; a peer is a key of one day."""
        keys = {
            key.tobytes().hex(): person for person, report in reports.items() for key in report.key
        }
        return by_pseudonym(keys, near)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        day, interval = np.divmod(number, INTERVALS_PER_KEY)
        days, key_of = np.unique(np.stack([phone, day]), axis=1, return_inverse=True)
        key_of = key_of.reshape(-1)
        keys = [self._key(*each) for each in days.T.tolist()]
        if not keys:
            return np.empty((0, 20), dtype=np.uint8)
        whole = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)
        sent = np.concatenate(list(identifiers_many(whole, days[1] * INTERVALS_PER_KEY)))
        shown = sent[key_of * INTERVALS_PER_KEY + interval]
        metadata = np.frombuffer(write_metadata(ExposureMetadata(self._power)), np.uint8)
        # What hides the metadata also shows them: an exclusive or with a stream under the key.
        hidden = shown_metadata(
            [keys[each] for each in key_of.tolist()], shown, np.tile(metadata, (len(shown), 1))
        )
        return np.concatenate([shown, hidden], axis=1)
