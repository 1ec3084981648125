"""What an infection does in a person: hashes of the person and the seed, never stored.

Times are whole days. Distributions are tables of quantiles of whole numbers, so they are the same
on every processor.
"""

from typing import Final

import numpy as np
from scipy.special import gammainc, gammaincinv, ndtri

from simulations.city.hashes import ONE, chances, happens, hashed, high_bits, key_of
from simulations.city.keys import DiseaseKeys
from simulations.city.neighbourhoods import ADULT_DECADE, OLD_DECADE
from simulations.city.network import Network
from tracetogether.units import Bools, Floats, Ints

INFECTIOUS_DAYS: Final = 14
"""Infections are caused from the first to this day after one's own infection."""
MEAN_INFECTIOUSNESS: Final = 1024
"""The whole number that stands for the mean infectiousness with symptoms."""
_QUANTILES: Final = 256
_QUANTILE_SHIFT: Final = np.uint64(56)
_LONGEST_INCUBATION_DAYS: Final = 21

# Shares of all infections by decade of age: Verity et al., Lancet Infectious Diseases 20 (2020),
# tables 1 and 3: https://doi.org/10.1016/S1473-3099(20)30243-7
SEVERE: Final = (0.0, 0.000408, 0.0104, 0.0343, 0.0425, 0.0816, 0.118, 0.166, 0.184)
"""Share of infections that need a hospital."""
DEADLY: Final = (
    0.0000161,
    0.0000695,
    0.000309,
    0.000844,
    0.00161,
    0.00595,
    0.0193,
    0.0428,
    0.0780,
)
"""Share of infections that end in death."""


def generation_shares(keys: DiseaseKeys) -> Floats:
    """Return which share of its infections a person causes on each day from 1 to 14."""
    shape = (keys.generation_mean_days / keys.generation_sd_days) ** 2
    scale = keys.generation_mean_days / shape
    # Whole days: what happens from half a day before to half a day after counts for a day.
    ends = np.arange(INFECTIOUS_DAYS + 1) + 0.5
    ends[0] = 0.0
    shares = np.diff(gammainc(shape, ends / scale))
    return np.asarray(shares / shares.sum(), dtype=np.float64)


class Disease:
    """The infection in the people of a city.

    Args:
        keys: of the scenario.
        network: gives everybody's age.
        seed: of the run.
    """

    def __init__(self, keys: DiseaseKeys, network: Network, seed: int) -> None:
        self._network = network
        self._seed = seed
        middles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
        drawn: Floats = np.ones(_QUANTILES)
        if keys.spread:
            shape = 1 / keys.spread**2
            drawn = np.asarray(gammaincinv(shape, middles) / shape, dtype=np.float64)
        whole = np.rint(drawn / drawn.mean() * MEAN_INFECTIOUSNESS)
        self._infectiousness = whole.astype(np.int64)
        self._silent_infectiousness = np.rint(whole * keys.silent_infectiousness).astype(np.int64)
        days = keys.incubation_median_days * np.exp(keys.incubation_spread * ndtri(middles))
        self._incubation = np.clip(np.rint(days), 1, _LONGEST_INCUBATION_DAYS).astype(np.int64)
        silent = np.full(len(SEVERE), keys.silent_adult)
        silent[:ADULT_DECADE] = keys.silent_young
        silent[OLD_DECADE:] = keys.silent_old
        self._silent = chances(silent)
        self._severe, self._deadly = chances(SEVERE), chances(DEADLY)

    def decade(self, people: Ints) -> Ints:
        """Return the decade of each person's age; 8 from 80 years."""
        age = self._network.tables.age[self._network.place(people)].astype(np.int64)
        return np.minimum(age // 10, len(SEVERE) - 1)

    def is_silent(self, people: Ints) -> Bools:
        """Return whether each person has no symptoms when infected."""
        hashes = hashed(key_of(self._seed, "symptoms"), people)
        return happens(hashes, self._silent[self.decade(people)])

    def silent_share(self, people: Ints) -> Floats:
        """Return the chance of each person to have no symptoms when infected."""
        return np.asarray(self._silent[self.decade(people)] / ONE, dtype=np.float64)

    def infectiousness(self, people: Ints) -> Ints:
        """Return how infectious each person is when infected, in 1/1024 of the mean."""
        row = (hashed(key_of(self._seed, "infectiousness"), people) >> _QUANTILE_SHIFT).view(
            np.int64
        )
        silent = self.is_silent(people)
        factors = np.where(silent, self._silent_infectiousness[row], self._infectiousness[row])
        return np.asarray(factors, dtype=np.int64)

    def levels(self) -> tuple[Floats, Floats]:
        """Return infectiousnesses, where 1 is the mean with symptoms, and the share of each."""
        age = self._network.tables.age
        decades = np.bincount(np.minimum(age // 10, len(SEVERE) - 1), minlength=len(SEVERE))
        silent = float(decades @ self._silent) / len(age) / ONE
        both = np.concatenate([self._infectiousness, self._silent_infectiousness])
        shares = np.repeat([1 - silent, silent], _QUANTILES) / _QUANTILES
        return both / MEAN_INFECTIOUSNESS, shares

    def incubation_days(self, people: Ints) -> Ints:
        """Return how many days after infection each person would have symptoms."""
        row = (hashed(key_of(self._seed, "incubation"), people) >> _QUANTILE_SHIFT).view(np.int64)
        return np.asarray(self._incubation[row], dtype=np.int64)

    def is_severe(self, people: Ints) -> Bools:
        """Return whether each person needs a hospital when infected."""
        return self._below(people, self._severe)

    def is_deadly(self, people: Ints) -> Bools:
        """Return whether each person dies when infected; all of them are severe as well."""
        return self._below(people, np.minimum(self._deadly, self._severe))

    def _below(self, people: Ints, by_decade: Ints) -> Bools:
        hashes = hashed(key_of(self._seed, "severity"), people)
        return np.asarray(high_bits(hashes) < by_decade[self.decade(people)])
