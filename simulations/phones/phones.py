"""The phones of a crowd: models with their offsets.

Models have plausible names. Each run DRAWS what a model sends and reports, from the spread that
recordings show. Nothing is copied from a calibration table, so no estimator can know the offsets.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.phones.protocols import radio_of
from simulations.phones.radios import System
from simulations.settings.keys import ChannelKeys, PhoneKeys
from simulations.streams import Streams
from tracetogether.units import Floats, Ints

CHANNELS: Final = 3  # advertising channels 37, 38, 39
CHANNEL_MHZ: Final = np.array([2402.0, 2426.0, 2480.0])

_CORRECTION_MEAN_DB, _CORRECTION_SD_DB = 3.6, 4.4  # 551 measured models
_TX_CORRECTION_CORRELATION = -0.41
_CHANNEL_BIAS_DB: Final = np.array([0.5, 0.6, -1.1])  # channel 39 is weaker
_CHANNEL_SD_DB: Final = 0.8  # antennas don't match all three channels equally


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
class CrowdPhones:
    """n phones in columns.

    Attributes:
        model: names of the n models.
        system: (n,) codes of System.
        advertised_dbm: (n,) transmit power that the phone advertises; NaN for none.
        tx_dbm: (n,) true transmit power, of the model and this single phone.
        correction_db: (n,) true level minus reported RSSI, of the model and this single phone.
        channel_db: (n, 3) antenna offsets on the three advertising channels.
        failure: (n,) probability that a connection to the phone fails by its own fault.
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


def draw_phones(count: int, keys: PhoneKeys, channel: ChannelKeys, streams: Streams) -> CrowdPhones:
    """Return ``count`` phones with random models, offsets per model, and offsets per phone."""
    models = (*_ANDROID_MODELS[: keys.models_android], *_IOS_MODELS[: keys.models_ios])
    first_ios = min(keys.models_android, len(_ANDROID_MODELS))
    radio = radio_of(keys)
    tx_of_model, correction_of_model = _model_offsets(
        [name for name, _ in models], radio.sends_dbm, streams
    )
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
    return CrowdPhones(
        model=tuple(models[index][0] for index in model.tolist()),
        system=np.where(is_ios, System.IOS, System.ANDROID).astype(np.int64),
        advertised_dbm=np.where(is_ios & ~radio.iphones_tell, np.nan, radio.advertised_dbm),
        tx_dbm=tx_of_model[model] + channel.transmitter_sd_db * own.normal(size=count),
        correction_db=correction_of_model[model] + channel.receiver_sd_db * own.normal(size=count),
        channel_db=_CHANNEL_BIAS_DB + _CHANNEL_SD_DB * own.normal(size=(count, CHANNELS)),
        # Assumed: new phones drop 3 % of connections, and 1 % more per year of age.
        failure=0.03 + 0.01 * age.astype(np.float64),
    )


def _model_offsets(
    names: list[str], tx_mean_and_sd: tuple[float, float], streams: Streams
) -> tuple[Floats, Floats]:
    """Return the transmit power (dBm) and the receiver correction (dB) of each model.

    Both are normal, with the correlation that was measured over models.
    """
    normals = np.array(
        [streams.generator("phones", "model", name).normal(size=2) for name in names]
    )
    rho = _TX_CORRECTION_CORRELATION
    second = rho * normals[:, 0] + np.sqrt(1 - rho**2) * normals[:, 1]
    return (
        tx_mean_and_sd[0] + tx_mean_and_sd[1] * normals[:, 0],
        _CORRECTION_MEAN_DB + _CORRECTION_SD_DB * second,
    )
