"""Scenes with known answers: people at known places, signal that follows their distance."""

import numpy as np

from tracetogether.evaluation.scene import Scene, Tracks
from tracetogether.labels import Labels
from tracetogether.proximity.calibration import Calibration, ModelOffsets
from tracetogether.proximity.pathloss import PathLoss
from tracetogether.sightings import Sightings

CALIBRATION = Calibration({"known": ModelOffsets(0.0, 0.0, 0.0, 0.0, measured=True)})
"""Attenuation is minus the RSSI."""

START = 1_600_000_200.0


def line_scene(
    name: str = "line",
    places: tuple[float, ...] = (0.0, 1.0, 2.5, 6.0),
    *,
    minutes: float = 20.0,
    every_s: float = 10.0,
    noise_db: float = 0.0,
    seed: int = 1,
) -> Scene:
    """Return people who stay at places on a line; everybody hears everybody."""
    chance = np.random.default_rng(seed)
    count = len(places)
    times = np.arange(0.0, minutes * 60, every_s)
    observer, peer, tick = (
        part.ravel() for part in np.meshgrid(range(count), range(count), range(len(times)))
    )
    apart = observer != peer
    observer, peer, tick = observer[apart], peer[apart], tick[apart]
    distance = np.abs(np.array(places)[observer] - np.array(places)[peer])
    level = PathLoss(at_1m_db=52.8).attenuation_db(distance) + chance.normal(
        0, noise_db, len(distance)
    )
    names = tuple("abcdefghij"[:count])
    known = Labels.constant("known", len(tick))
    sightings = Sightings.from_columns(
        time=START + times[tick] + chance.uniform(0, 1, len(tick)),
        observer=Labels(observer.astype(np.int32), names),
        peer=Labels(peer.astype(np.int32), names),
        rssi_dbm=-level,
        observer_model=known,
        peer_model=known,
    )
    return Scene(name, sightings, distance, standing(names, places, minutes))


def standing(names: tuple[str, ...], places: tuple[float, ...], minutes: float) -> Tracks:
    """Return tracks at 2 Hz of people who stay where they are."""
    samples = int(minutes * 120)
    person = np.repeat(np.arange(len(names)), samples)
    return Tracks(
        time=np.tile(START + np.arange(samples) / 2, len(names)),
        person=Labels(person.astype(np.int32), names),
        x_m=np.array(places)[person],
        y_m=np.zeros(len(person)),
    )
