"""Places: devices at fixed spots that speak BlueTrace as an Android does, and listen to nobody.

In the columns of a run they come after the people. Nobody carries them, so no body shadows them,
and they are in nobody's way. What they send varies from place to place as it does between phones.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from simulations.people.bodies import FIXED
from simulations.phones.phones import CHANNELS, CrowdPhones
from simulations.phones.radios import System
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture, Room
from simulations.settings.keys import ChannelKeys, PlaceKeys
from simulations.streams import Streams

MODEL: Final = "Raspberry Pi"
_CHANNEL_SD_DB: Final = 0.8  # as phones' antennas
_FAILURE: Final = 0.03  # assumed: as a new phone


def with_places(
    tracks: CrowdTracks,
    phones: CrowdPhones,
    places: Sequence[PlaceKeys],
    room: Room,
    channel: ChannelKeys,
    streams: Streams,
) -> tuple[CrowdTracks, CrowdPhones]:
    """Return tracks and phones with n places after the people."""
    if not places:
        return tracks, phones
    chance = streams.generator("phones", "places")
    count, ticks = len(places), tracks.ticks
    corner = np.array([room.length_m, room.width_m]) / 2.0  # a room's origin is its centre
    at = (np.array([place.at for place in places]) - corner).astype(np.float32)
    still = np.zeros((count, ticks), dtype=np.float32)
    code = np.ones((count, ticks), dtype=np.int8)
    sent = np.array([place.tx_dbm for place in places])
    return (
        CrowdTracks(
            xy=np.concatenate([tracks.xy, np.repeat(at[:, None], ticks, axis=1)]),
            facing=np.concatenate([tracks.facing, still]),
            posture=np.concatenate([tracks.posture, code * np.int8(Posture.STANDING)]),
            carry=np.concatenate([tracks.carry, code * np.int8(FIXED)]),
            tick_s=tracks.tick_s,
        ),
        CrowdPhones(
            model=(*phones.model, *[MODEL] * count),
            system=np.concatenate([phones.system, np.full(count, int(System.ANDROID))]),
            advertised_dbm=np.concatenate([phones.advertised_dbm, sent]),
            tx_dbm=np.concatenate(
                [phones.tx_dbm, sent + channel.transmitter_sd_db * chance.normal(size=count)]
            ),
            correction_db=np.concatenate([phones.correction_db, np.zeros(count)]),
            channel_db=np.concatenate(
                [phones.channel_db, _CHANNEL_SD_DB * chance.normal(size=(count, CHANNELS))]
            ),
            failure=np.concatenate([phones.failure, np.full(count, _FAILURE)]),
        ),
    )
