"""The phones in a crowd: models with offsets of their own, and what their systems do in time.

Models are plausible names; what each sends and reports is DRAWN per run from the spread that
recordings show, never copied from a calibration table, so that no estimator can have been told.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from simulations.keys import ChannelKeys, PhoneKeys
from simulations.streams import Streams
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.units import Floats, Ints

CHANNELS: Final = 3  # advertising channels 37, 38, 39
CHANNEL_MHZ: Final = np.array([2402.0, 2426.0, 2480.0])

ANDROID_TX_POWER_DBM: Final = 1.0  # TX_POWER_HIGH, as Android advertises it

_TX_MEAN_DBM, _TX_SD_DB = -1.6, 5.3  # 20 phones at TX_POWER_HIGH in an anechoic chamber
_CORRECTION_MEAN_DB, _CORRECTION_SD_DB = 3.6, 4.4  # 551 measured models
_TX_CORRECTION_CORRELATION = -0.41
_CHANNEL_BIAS_DB: Final = np.array([0.5, 0.6, -1.1])  # channel 39 is the weak one
_CHANNEL_SD_DB: Final = 0.8  # antennas are not equally well matched to all three


class System(IntEnum):
    """Operating system; the value is its code in columns."""

    ANDROID = 0
    IOS = 1


@dataclass(frozen=True, slots=True)
class RadioHabits:
    """How a system spaces its advertisements and its listening.

    Attributes:
        advertise_every_s: between advertisements; each adds up to 10 ms of its own.
        window_s, interval_s: the receiver is on for ``window_s`` in every ``interval_s``.
    """

    advertise_every_s: float
    window_s: float
    interval_s: float


HABITS: Final = {
    # ADVERTISE_MODE_LOW_POWER; SCAN_MODE_LOW_POWER as measured, 512 ms in 5120 ms.
    System.ANDROID: RadioHabits(1.0, 0.512, 5.12),
    # An app in front. Assumed: 152.5 ms is one of Apple's recommended intervals, and scanning in
    # front is on for most of the time. Background rules are not modelled here.
    System.IOS: RadioHabits(0.1525, 0.030, 0.040),
}

SYSTEM_TIMINGS: Final = {
    System.ANDROID: TIMINGS,
    # OpenTrace iOS: scans 10 s in every 60 s, one connection per peer in that time. It
    # advertises without pause; the machine needs some gap, which is made too short to matter.
    System.IOS: PhoneTimings(
        scan_s=10.0,
        scan_pause_min_s=50.0,
        scan_pause_max_s=50.0,
        advertise_s=900.0,
        advertise_gap_s=0.05,
        queue_max_s=10.0,
        blacklist_s=55.0,
    ),
}

_ANDROID_MODELS: Final = (
    ("Pixel 3a", 2019),
    ("Galaxy S7", 2016),
    ("Galaxy A50", 2019),
    ("Galaxy S20", 2020),
    ("Redmi Note 4", 2017),
    ("Redmi Note 8", 2019),
    ("P20 Lite", 2018),
    ("Oppo A5", 2018),
    ("Nexus 5X", 2015),
)
_IOS_MODELS: Final = (
    ("iPhone SE", 2016),
    ("iPhone 7", 2016),
    ("iPhone 8", 2017),
    ("iPhone XR", 2018),
    ("iPhone 11", 2019),
)
_NEWEST: Final = 2020


@dataclass(frozen=True, slots=True)
class Phones:
    """n phones in columns.

    Attributes:
        model: n names of models.
        system: (n,) codes of System.
        advertised_dbm: (n,) transmit power that the phone advertises; NaN where it tells none.
        tx_dbm: (n,) what its model and its own specimen truly send.
        correction_db: (n,) how much LESS than the truth its model reports.
        channel_db: (n, 3) antenna offsets on the advertising channels.
        failure: (n,) chance that a connection to it fails for reasons of its own.
    """

    model: tuple[str, ...]
    system: Ints
    advertised_dbm: Floats
    tx_dbm: Floats
    correction_db: Floats
    channel_db: Floats
    failure: Floats

    def __len__(self) -> int:
        return len(self.model)


def draw_phones(count: int, keys: PhoneKeys, channel: ChannelKeys, streams: Streams) -> Phones:
    """Return ``count`` phones: models by chance, offsets by model, and each specimen's own."""
    models = (*_ANDROID_MODELS[: keys.models_android], *_IOS_MODELS[: keys.models_ios])
    first_ios = min(keys.models_android, len(_ANDROID_MODELS))
    tx_of_model, correction_of_model = _model_offsets([name for name, _ in models], streams)
    chance = streams.generator("phones", "mix")
    is_ios = chance.random(count) < keys.ios
    pick = chance.random(count)
    model = np.where(
        is_ios,
        first_ios + (pick * (len(models) - first_ios)).astype(np.int64),
        (pick * first_ios).astype(np.int64),
    )
    own = streams.generator("phones", "specimens")
    age = _NEWEST - np.array([year for _, year in models])[model]
    return Phones(
        model=tuple(models[index][0] for index in model.tolist()),
        system=np.where(is_ios, System.IOS, System.ANDROID).astype(np.int64),
        advertised_dbm=np.where(is_ios, np.nan, ANDROID_TX_POWER_DBM),
        tx_dbm=tx_of_model[model] + channel.transmitter_sd_db * own.normal(size=count),
        correction_db=correction_of_model[model] + channel.receiver_sd_db * own.normal(size=count),
        channel_db=_CHANNEL_BIAS_DB + _CHANNEL_SD_DB * own.normal(size=(count, CHANNELS)),
        # Old phones drop more connections: an assumption, 3 % new and 1 % more per year of age.
        failure=0.03 + 0.01 * age.astype(np.float64),
    )


def _model_offsets(names: list[str], streams: Streams) -> tuple[Floats, Floats]:
    """Return transmit power (dBm) and receiver correction (dB) of each model, this run's."""
    normals = np.array(
        [streams.generator("phones", "model", name).normal(size=2) for name in names]
    )
    rho = _TX_CORRECTION_CORRELATION
    second = rho * normals[:, 0] + np.sqrt(1 - rho**2) * normals[:, 1]
    return (
        _TX_MEAN_DBM + _TX_SD_DB * normals[:, 0],
        _CORRECTION_MEAN_DB + _CORRECTION_SD_DB * second,
    )
