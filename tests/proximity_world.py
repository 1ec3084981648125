"""Synthetic scenes with known geometry: people who stand, sit and walk, and what phones hear."""

from dataclasses import dataclass

import numpy as np

from tracetogether.evaluation.scene import Scene, Tracks
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings

START = 1_600_000_020.0  # the beginning of a minute, and of a quarter of an hour plus 3 minutes


@dataclass(frozen=True)
class Radio:
    """How the synthetic phones differ; by default noisier and longer than the model believes."""

    at_2m_db: float = 59.0
    slope_db: float = 15.0
    receiver_db: float = 3.0
    transmitter_db: float = 2.0
    pair_db: float = 2.0
    turning_db: float = 3.5
    turning_minutes: float = 4.0
    packet_db: float = 4.0
    floor_db: float = 74.0  # half are lost at this attenuation
    heavy: bool = True  # packets' errors are Student t


def positions(people: int, minutes: int, rng: np.random.Generator, size_m: float = 1.6):
    """Return (people, minutes, 2) places of people who mostly stay and now and then walk."""
    place = rng.normal(0, size_m, (people, 2))
    tracks = np.empty((people, minutes, 2))
    for minute in range(minutes):
        walks = rng.random(people) < 0.04
        place = np.where(walks[:, None], rng.normal(0, size_m, (people, 2)), place)
        tracks[:, minute] = place + rng.normal(0, 0.05, (people, 2))
    return tracks


def scene(
    seed: int, people: int = 8, minutes: int = 20, radio: Radio | None = None, name: str = "room"
) -> tuple[Scene, np.ndarray]:
    """Return a scene in which everybody scans every 10 s, and where everybody was."""
    rng = np.random.default_rng(seed)
    radio = radio or Radio()
    where = positions(people, minutes, rng)
    distance = np.hypot(*(where[:, None] - where[None]).transpose(3, 0, 1, 2)).clip(0.2)
    keep = np.exp(-1 / radio.turning_minutes)
    turning = np.zeros((people, people, minutes))
    state = rng.normal(0, radio.turning_db, (people, people))
    for minute in range(minutes):
        turning[:, :, minute] = (state + state.T) / np.sqrt(2)
        state = keep * state + np.sqrt(1 - keep**2) * rng.normal(0, radio.turning_db, state.shape)
    pair = rng.normal(0, radio.pair_db, (people, people))
    offset = (
        rng.normal(0, radio.receiver_db, people)[:, None]
        + rng.normal(0, radio.transmitter_db, people)
        + (pair + pair.T) / np.sqrt(2)
    )
    level = radio.at_2m_db + radio.slope_db * np.log10(distance / 2) + offset[:, :, None] + turning
    observer, peer, scan, packet = np.nonzero(
        np.ones((people, people, minutes * 6, 2)) * ~np.eye(people, dtype=bool)[:, :, None, None]
    )
    minute = scan // 6
    noise = rng.standard_t(4, len(scan)) if radio.heavy else rng.normal(0, 1, len(scan))
    attenuation = level[observer, peer, minute] + radio.packet_db * noise
    heard = rng.random(len(scan)) < 1 / (1 + np.exp((attenuation - radio.floor_db) / 3))
    time = START + 10 * scan + 3 * packet + observer * 0.01
    names = tuple(f"p{n:02d}" for n in range(people))

    def label(codes):
        return Labels(codes[heard].astype(np.int32), names)

    nameless = Labels(np.zeros(heard.sum(), dtype=np.int32), ("known",))
    rssi = np.clip(np.rint(-24.7 - 3.6 - attenuation), -126, -1)
    sightings = Sightings.from_columns(
        time=time[heard],
        observer=label(observer),
        peer=label(peer),
        rssi_dbm=rssi[heard],
        observer_model=nameless,
        peer_model=nameless,
    )
    grid = np.arange(minutes * 60)
    tracks = Tracks(
        np.tile(START + grid, people),
        Labels(np.repeat(np.arange(people), len(grid)).astype(np.int32), names),
        where[:, grid // 60, 0].ravel(),
        where[:, grid // 60, 1].ravel(),
    )
    return (
        Scene(name, sightings, distance[observer, peer, minute][heard], tracks),
        where,
    )
