"""The simulated radio channel compared with recordings, statistic by statistic.

``channel_statistics`` computes every statistic from columns of readings, simulated or recorded.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulations.people.walking import move
from simulations.phones.phones import CrowdPhones, draw_phones
from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel
from simulations.scores.intervals import Measured, flat
from simulations.settings.keys import ChannelKeys
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from simulations.studies.channel_statistics import (
    ChannelStatistics,
    channel_spread_db,
    channel_statistics,
    turning_db,
    within_group_sd,
)
from tracetogether.units import Floats, Ints

DEFAULT_SEEDS: Final = (0, 1, 2, 3)

_EVERY_S: Final = 60.0  # between two readings of a pair
_SCAN_S: Final = 8.0
_GROUPS: Final = 1000
_REACH_M: Final = 10.0


@dataclass(frozen=True, slots=True)
class ComparedStatistic:
    """A simulated figure beside one from recordings or publications.

    Attributes:
        statistic: its name; the ending is the unit.
        simulated: mean over seeds, or a share with its central 90 %; None without any pair.
        reference: the figure from elsewhere, or the middle of several.
        low, high: range in which the simulated figure agrees.
        source: where the reference comes from.
        beside: "measured" or "published": what the reference is, and its key in JSON.
    """

    statistic: str
    simulated: float | Measured | None
    reference: float
    low: float
    high: float
    source: str
    beside: str = "measured"

    @property
    def ok(self) -> bool:
        """Return whether the simulated figure lies in the range."""
        figure = self.simulated
        value = figure if isinstance(figure, float | None) else figure.median
        return value is not None and bool(self.low <= value <= self.high)

    def to_json(self) -> dict[str, object]:
        """Return the figures as the command line prints them."""
        figure = self.simulated
        return {
            "statistic": self.statistic,
            **({"simulated": figure} if isinstance(figure, float) else flat("simulated", figure)),
            self.beside: self.reference,
            "low": self.low,
            "high": self.high,
            "ok": self.ok,
            "source": self.source,
        }


_EXP05: Final = "DP-3T exp05, five scenes with cameras"
_STATIC: Final = "MITRE and others, phones at rest"
MEASURED: Final[tuple[tuple[str, float, float, float, str], ...]] = (
    # statistic, measured, low, high, source
    ("exponent", 1.41, 0.97, 1.98, _EXP05),
    ("at_1m_db", 52.8, 49.0, 56.0, _EXP05),
    ("sigma_db", 7.4, 6.0, 7.7, _EXP05),
    ("pair_offset_sd_db", 5.3, 4.8, 5.8, _EXP05),
    ("within_pair_sd_db", 4.9, 4.5, 5.3, _EXP05),
    ("reciprocity_corr", 0.42, 0.31, 0.54, _EXP05),
    ("difference_sd_db", 5.6, 5.0, 6.2, _EXP05),
    ("within_scan_sd_db", 3.5, 3.3, 3.7, _STATIC),
    ("static_10s_sd_db", 3.9, 3.7, 4.1, _STATIC),
    ("channel_spread_db", 4.6, 2.6, 6.6, "anechoic chamber 2.6, screened room 6.6"),
    ("rotation_max_min_db", 10.0, 9.0, 20.0, "MITRE, reflecting rooms 9-11, outdoors 20"),
    ("loss_10db_above_floor", 0.0, 0.0, 0.15, "levels 10 dB above the floor: nearly all heard"),
    ("loss_at_floor", 0.5, 0.4, 0.6, "half of the packets at the sensitivity floor"),
)

LASTING: Final = tuple(name for name, *_ in MEASURED[:7])  # what lasting_spreads returns


@dataclass(frozen=True, slots=True)
class ChannelScene:
    """A carriage in which phone models are known and single specimens are not, as in recordings.

    Attributes:
        tracks, phones, channel, keys: the people, their phones, the radio and its settings.
        tx_of_model, correction_of_model: (P,) transmit power (dBm) and receiver correction (dB) of
            each phone's model; a specimen differs from its model.
    """

    tracks: CrowdTracks
    phones: CrowdPhones
    channel: Channel
    keys: ChannelKeys
    tx_of_model: Floats
    correction_of_model: Floats

    @classmethod
    def of(cls, scenario: Scenario, seed: int) -> "ChannelScene":
        """Return the scene of a scenario with one seed."""
        streams = Streams(seed)
        people = scenario.people.count
        room = scenario.venue.room()
        tracks = move(scenario, room, streams)
        phones = draw_phones(people, scenario.phones, scenario.channel, streams)
        exact = replace(scenario.channel, receiver_sd_db=0.0, transmitter_sd_db=0.0)
        models = draw_phones(people, scenario.phones, exact, streams)
        channel = Channel(tracks, phones, scenario.channel, streams, room.walls)
        return cls(tracks, phones, channel, scenario.channel, models.tx_dbm, models.correction_db)

    def apart_m(self, first: Ints, second: Ints, time_s: Floats) -> Floats:
        """Return (n,) true distances in metres of n pairs of people, each at its own time."""
        gap = self.tracks.position(first, time_s) - self.tracks.position(second, time_s)
        return np.asarray(np.linalg.norm(gap, axis=1))

    def links(self, count: int, chance: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw ``count`` senders and as many receivers, never the sender itself."""
        people = self.tracks.people
        tx = chance.integers(people, size=count)
        return tx, (tx + chance.integers(1, people, size=count)) % people


def validate_channel(
    scenario: Scenario,
    *,
    seeds: Sequence[int] = DEFAULT_SEEDS,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ComparedStatistic]:
    """Return every statistic of the scenario's channel beside the measured one.

    Args:
        scenario: whose people, phones and channel are used.
        seeds: runs to average.
        on_progress: called with (runs done, runs in all).
    """
    found: dict[str, list[float]] = {name: [] for name, *_ in MEASURED}
    for done, seed in enumerate(seeds, start=1):
        for name, value in _statistics(ChannelScene.of(scenario, seed), seed):
            found[name].append(value)
        if on_progress is not None:
            on_progress(done, len(seeds))
    return [
        ComparedStatistic(name, float(np.mean(found[name])), measured, low, high, source)
        for name, measured, low, high, source in MEASURED
    ]


def _statistics(scene: ChannelScene, seed: int) -> Iterable[tuple[str, float]]:
    lasting = lasting_spreads(scene)
    for name in LASTING:
        yield name, getattr(lasting, name)
    yield "within_scan_sd_db", spread_in_groups(scene, 4.0, 16)
    yield "static_10s_sd_db", spread_in_groups(scene, 10.0, 24)
    yield "channel_spread_db", _between_channels(scene)
    yield "rotation_max_min_db", turning_round_db(scene.keys, seed)
    strong, weak = _loss_by_level(scene)
    yield "loss_10db_above_floor", strong
    yield "loss_at_floor", weak


def lasting_spreads(scene: ChannelScene) -> ChannelStatistics:
    """Return statistics of readings of every pair, both ways, once a minute.

    Attenuation is calibrated by phone model, as that of the recordings is.
    """
    people = scene.tracks.people
    tx, rx = (column.ravel() for column in np.divmod(np.arange(people**2), people))
    tx, rx = tx[tx != rx], rx[tx != rx]
    chance = np.random.Generator(np.random.Philox(0))
    parts = []
    for begin in np.arange(0.0, scene.tracks.ticks - _SCAN_S, _EVERY_S):
        time = begin + chance.uniform(0, _SCAN_S, len(tx))
        readings = scene.channel.readings(tx, rx, time, chance.integers(3, size=len(tx)))
        attenuation = scene.tx_of_model[tx] - readings.rssi_dbm - scene.correction_of_model[rx]
        columns = [attenuation, scene.apart_m(tx, rx, time), tx, rx]
        parts.append(np.column_stack(columns)[readings.received])
    attenuation, distance, sender, receiver = np.concatenate(parts).T
    return channel_statistics(
        attenuation, distance, sender.astype(np.int64), receiver.astype(np.int64)
    )


def spread_in_groups(
    scene: ChannelScene, span_s: float, packets: int, channels: Ints | None = None
) -> float:
    """Return the pooled standard deviation (dB) of one link's readings within ``span_s`` seconds.

    Args:
        scene: where the links are drawn from.
        span_s: length of the time span.
        packets: readings in each span.
        channels: advertising channels of a span's readings, in turn; drawn if None.
    """
    chance = np.random.Generator(np.random.Philox(2))
    tx, rx = scene.links(_GROUPS, chance)
    begin = chance.uniform(0, scene.tracks.ticks - 1 - span_s, _GROUPS)
    time = (begin[:, None] + chance.uniform(0, span_s, (_GROUPS, packets))).ravel()
    sender, receiver = np.repeat(tx, packets), np.repeat(rx, packets)
    on = chance.integers(3, size=len(time)) if channels is None else np.resize(channels, len(time))
    readings = scene.channel.readings(sender, receiver, time, on)
    kept = readings.received & (scene.apart_m(sender, receiver, time) < _REACH_M)
    group = np.repeat(np.arange(_GROUPS), packets)
    return within_group_sd(readings.rssi_dbm[kept], group[kept])


def _between_channels(scene: ChannelScene) -> float:
    chance = np.random.Generator(np.random.Philox(3))
    count, packets = 300, 18
    tx, rx = scene.links(count, chance)
    begin = chance.uniform(0, scene.tracks.ticks - 11.0, count)
    time = (begin[:, None] + np.linspace(0, 10, packets)).ravel()
    group = np.repeat(np.arange(count), packets)
    on = np.resize(np.arange(3), len(time))
    level = scene.channel.level_dbm(np.repeat(tx, packets), np.repeat(rx, packets), time, on)
    kept = np.isfinite(level)
    return channel_spread_db(level[kept], on[kept], group[kept])


def turning_round_db(keys: ChannelKeys, seed: int) -> float:
    """Return highest less lowest mean level (dB) while one person turns round, eight directions.

    The two people stand 1.83 m (6 ft) apart. The figure is the median over twelve places.
    """
    places, turns, packets = 12, 8, 30
    found = []
    for place in range(places):
        x = place * 0.11
        tracks = _turning(x, turns)
        channel = Channel(tracks, plain_phones(2), keys, Streams(1000 * seed + place))
        time = (np.arange(turns)[:, None] + np.linspace(0, 0.9, packets)).ravel()
        on = np.resize(np.arange(3), len(time))
        nobody = np.zeros(len(time), dtype=np.int64)
        level = channel.level_dbm(nobody, nobody + 1, time, on)
        found.append(turning_db(level, np.repeat(np.arange(turns), packets)))
    return float(np.median(found))


def _turning(x: float, turns: int) -> CrowdTracks:
    """Return two people face to face; the first turns by 1 / ``turns`` of a circle a second."""
    xy = np.zeros((2, turns, 2), np.float32)
    xy[:, :, 0] = np.array([x, x + 1.83])[:, None]
    facing = np.zeros((2, turns), np.float32)
    facing[0] = np.arange(turns) * 2 * np.pi / turns
    facing[1] = np.pi
    return CrowdTracks(
        xy=xy,
        facing=facing,
        posture=np.full((2, turns), 2, np.int8),
        carry=np.zeros((2, turns), np.int8),
    )


def plain_phones(count: int) -> CrowdPhones:
    """Return ``count`` phones that are all alike."""
    return CrowdPhones(
        model=("plain",) * count,
        system=np.zeros(count, dtype=np.int64),
        advertised_dbm=np.full(count, 1.0),
        tx_dbm=np.full(count, -1.6),
        correction_db=np.full(count, 3.6),
        channel_db=np.zeros((count, 3)),
        failure=np.zeros(count),
    )


def _loss_by_level(scene: ChannelScene) -> tuple[float, float]:
    """Return the share of packets lost at least 10 dB above the floor, and within 1 dB of it."""
    faint = replace(scene.keys, floor_dbm=-70.0)  # gives a carriage enough weak links
    channel = Channel(scene.tracks, scene.phones, faint, Streams(5))
    chance = np.random.Generator(np.random.Philox(6))
    count = 8000
    tx, rx = scene.links(count, chance)
    time = chance.uniform(0, scene.tracks.ticks - 1, count)
    on = chance.integers(3, size=count)
    above = channel.level_dbm(tx, rx, time, on) - faint.floor_dbm
    readings = channel.readings(tx, rx, time, on)
    strong, weak = above >= 10.0, np.abs(above) < 1.0
    return float(1 - readings.received[strong].mean()), float(1 - readings.received[weak].mean())
