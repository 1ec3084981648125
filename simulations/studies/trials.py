"""Published field trials simulated as scenarios, and their results beside the simulated ones.

Settings come from the trials, or are assumed and named, and were fixed before the first run. A
result outside the published range is reported as such; nothing is tuned to it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from simulations.one_run import Run, run
from simulations.phones.phones import draw_phones
from simulations.phones.radios import BROADCASTING, System
from simulations.places.venue import Posture
from simulations.scores.breakdown import near_windows, recorded_codes
from simulations.scores.intervals import Measured, share_of_groups
from simulations.scores.scoring import fraction
from simulations.scores.tracing import open_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from simulations.studies.validation import ComparedStatistic
from tracetogether.proximity.attenuation import CWA, IMMUNI, BucketRule
from tracetogether.units import SECONDS_PER_MINUTE, Bools, Floats, Ints

Progress = Callable[[int, int], None]


def _published(
    statistic: str, share: Measured | None, figure: float, low: float, high: float, source: str
) -> ComparedStatistic:
    return ComparedStatistic(statistic, share, figure, low, high, source, "published")


class _Tally:
    """Hits among counted pairs or windows, by observer, run after run."""

    def __init__(self) -> None:
        self._hits: list[Floats] = []
        self._all: list[Floats] = []

    def add(self, hits: Floats, counted: Floats) -> None:
        """Add, for each observer of one run, how much counts and how much of it was a hit."""
        self._hits.append(hits)
        self._all.append(counted)

    def add_table(self, hit: Bools, counted: Bools) -> None:
        """Add (observers, peers) tables: what counts, and what of it was a hit."""
        self.add((hit & counted).sum(axis=1).astype(float), counted.sum(axis=1).astype(float))

    def share(self) -> Measured | None:
        """Return the share of hits with its central 90 %.

        Runs are the groups, since observers of one run share its random draws; a single run is
        resampled by observers.
        """
        if len(self._all) > 1:
            hits, counted = ([float(run.sum()) for run in runs] for runs in (self._hits, self._all))
            return share_of_groups(np.array(hits), np.array(counted))
        return fraction(self._hits[0], self._all[0], Streams(0).generator("trials"))


def _play(name: str, settings: Mapping[str, str], seed: int) -> Run:
    return run(load_scenario(name, settings), seed=seed)


_LOCKED: Final = "COVIDSafe and others 2020: 7 % at worst, 25-40 % later"


def office(seeds: Sequence[int], on_progress: Progress) -> list[ComparedStatistic]:
    """Simulate an hour of an office with all phones locked: iPhones, Androids, and a mixture.

    The figure is the share of quarters of an hour near each other that left a record.
    """
    kinds = {"ios_alone": "1.0", "android_alone": "0.0", "ios_beside_androids": "0.8"}
    tallies = {kind: _Tally() for kind in kinds}
    for done, (kind, ios, seed) in enumerate(
        ((kind, ios, seed) for kind, ios in kinds.items() for seed in seeds), start=1
    ):
        settings = {"phones.ios": ios, "locked": "1", "background": "0", "duration_s": "3600"}
        played = _play("office-day", settings, seed)
        kin = played.phones.system == (System.ANDROID if kind == "android_alone" else System.IOS)
        near = near_windows(played, open_run(played), played.scenario.policy.within_m)
        counted = near.take(kin[near.observer] & kin[near.peer])
        tallies[kind].add(*counted.counts(played.app))
        on_progress(done, len(kinds) * len(seeds))
    alone, android, beside = (tally.share() for tally in tallies.values())
    least = 1.0 if alone is None else alone.high or alone.median
    return [
        _published("office_locked_iphone_pairs", alone, 0.25, 0.07, 0.40, _LOCKED),
        _published("office_android_pairs", android, 0.75, 0.75, 1.0, "NHSX prototype 2020: 75 %"),
        _published(
            "office_locked_iphone_pairs_beside_androids",
            beside,
            least,
            least,
            1.0,
            "an Android nearby helps: more than iPhones alone",
        ),
    ]


_WARD: Final = "Huang and others 2020, TraceTogether v1.6"


def ward(seeds: Sequence[int], on_progress: Progress) -> list[ComparedStatistic]:
    """Simulate the ward; return the share of staff's contacts that staff's phones recorded.

    What was recorded in the first quarter of an hour is left out. Simulated phones fetch their
    TempIDs as the run begins, so iPhones that keep the first of a batch are believed then; of the
    12 hours that a batch serves, that is one quarter of an hour in 48.
    """
    tallies = {"overall": _Tally(), "android": _Tally(), "iphone": _Tally()}
    for done, seed in enumerate(seeds, start=1):
        played = _play("hospital-ward", {}, seed)
        policy = played.scenario.policy
        app = played.app
        truth = ground_truth(played.tracks, policy.within_m, walls=played.venue.walls)
        contact = truth.table()[app] >= policy.minutes
        patient = (played.tracks.posture == Posture.SEATED).mean(axis=1) > 0.5
        contact &= patient[None, :] & ~patient[app][:, None]
        people = len(patient)
        window, pair = np.divmod(recorded_codes(played, open_run(played)), people**2)
        observer, peer = np.divmod(pair[window > 0], people)
        recorded = np.zeros_like(contact)
        recorded[np.searchsorted(app, observer), peer] = True
        system = played.phones.system[app]
        tallies["overall"].add_table(recorded, contact)
        for name, kind in (("android", System.ANDROID), ("iphone", System.IOS)):
            tallies[name].add_table(recorded, contact & (system == kind)[:, None])
        on_progress(done, len(seeds))
    published = {"overall": 0.065, "android": 0.097, "iphone": 0.027}
    # The trial gives no interval; agreement is taken as within a factor of two.
    return [
        _published(
            f"ward_{name}",
            tally.share(),
            published[name],
            published[name] / 2,
            published[name] * 2,
            _WARD,
        )
        for name, tally in tallies.items()
    ]


_TRAM: Final = "Leith and Farrell 2020, a tram in Dublin"
_SWISS_JUNE: Final = BucketRule(
    "bucket-swisscovid-june",
    (50.0, 55.0),
    (1.0, 0.5, 0.0),
    "SwissCovid at the time of the trial, June 2020",
)
_RULES: Final = {"swiss": _SWISS_JUNE, "german": CWA, "italian": IMMUNI}
# SwissCovid's configuration server has 50 dB below and 60 above in one published version and 53 and
# 60 in another (July 2020); that the app asked for 55 above was seen on 5 June.
# The trial's phones were of one maker, sat 0.5 to 5.2 m apart and kept their places for a quarter
# of an hour at a time (its published data: 15 minutes recorded of the median pair, 18 of the most).
_LEG: Final = {
    "ios": "0",
    "models_android": "1",
    "duration_s": "1260",
    "aboard_at_start": "1",
    "stay_median_s": "36000",
    "moves_per_hour": "0",
}
_BEFORE_S: Final = 300.0  # phones begin within one scan's period; the leg proper is after it
_FURTHEST_M: Final = 5.2
_RULES_MINUTES: Final = 15.0


def tram(seeds: Sequence[int], on_progress: Progress) -> list[ComparedStatistic]:
    """Simulate a leg in the tram; return the shares that three countries' rules notify."""
    hits = {(name, near): _Tally() for name in _RULES for near in (True, False)}
    for done, seed in enumerate(seeds, start=1):
        played = _play("tram", _LEG, seed)
        attenuation, observer, peer = _attenuations(played)
        middle = np.nanmedian(played.tracks.xy, axis=1)
        apart_m = np.linalg.norm(middle[:, None] - middle[None], axis=2)
        np.fill_diagonal(apart_m, np.inf)
        contact = apart_m <= played.scenario.policy.within_m
        others = ~contact & (apart_m <= _FURTHEST_M)
        for name, rule in _RULES.items():
            minutes = _minutes(rule, attenuation, observer, peer, len(contact))
            notified = minutes >= _RULES_MINUTES
            hits[name, True].add_table(notified, contact)
            hits[name, False].add_table(notified, others)
        on_progress(done, len(seeds))
    published = {
        "swiss": (0.0, 0.0, 0.05),
        "german": (0.0, 0.0, 0.05),
        "italian": (0.5, 0.35, 0.65),
    }
    return [
        _published(
            f"tram_{name}_rule_{'contacts' if near else 'others'}_notified",
            tally.share(),
            *published[name],
            _TRAM,
        )
        for (name, near), tally in hits.items()
    ]


def _attenuations(played: Run) -> tuple[Floats, Ints, Ints]:
    """Return attenuation (dB), observer and sender of every record in the leg, each (n,).

    Attenuation corrects for phone models, as the platforms' calibration table does; the offsets of
    single specimens stay in it.
    """
    scenario = played.scenario
    exact = replace(scenario.channel, receiver_sd_db=0.0, transmitter_sd_db=0.0)
    models = draw_phones(scenario.people.count, scenario.phones, exact, Streams(played.seed))
    opened = open_run(played)
    after = opened.sightings.time - played.start >= _BEFORE_S
    observer, peer = opened.owner[after], opened.peer[after]
    received_dbm = opened.sightings.rssi_dbm[after] + models.correction_db[observer]
    return models.tx_dbm[peer] - received_dbm, observer, peer


def _minutes(
    rule: BucketRule, attenuation: Floats, observer: Ints, peer: Ints, people: int
) -> Floats:
    """Return (people, people) weighted minutes: each scan stands for the time to the next."""
    timings = BROADCASTING.timings[System.ANDROID]
    pause_s = (timings.scan_pause_min_s + timings.scan_pause_max_s) / 2
    minutes = np.zeros((people, people))
    credit = rule.weight(attenuation) * (timings.scan_s + pause_s) / SECONDS_PER_MINUTE
    np.add.at(minutes, (observer, peer), credit)
    return minutes


@dataclass(frozen=True, slots=True)
class Trial:
    """How to simulate one trial, and with how many seeds by default."""

    play: Callable[[Sequence[int], Progress], list[ComparedStatistic]]
    seeds: int


TRIALS: Final[Mapping[str, Trial]] = MappingProxyType(
    {"office": Trial(office, 3), "ward": Trial(ward, 30), "tram": Trial(tram, 5)}
)
"""Name -> trial."""
