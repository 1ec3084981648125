"""Speeds and lengths of contacts of simulated people, compared with recorded people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from simulations.people.trajectories import load_tracks
from simulations.people.walking import move
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture
from simulations.settings.keys import PeopleKeys
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from simulations.studies.validation import ComparedStatistic
from tracetogether.errors import InvalidReadingsError
from tracetogether.tables.csv_text import opened
from tracetogether.units import Floats, Ints

DEFAULT_SEEDS: Final = (0, 1)

BADGE_S: Final = 20
"""Seconds between two reports of a SocioPatterns badge about which badges it faces."""
_BADGE_M: Final = 1.5  # their reach
_BADGE_COS: Final = 0.3  # worn on the chest: seen up to 70 degrees off


@dataclass(frozen=True, slots=True)
class Meetings:
    """Face-to-face contacts of a crowd as badges see them.

    Attributes:
        length_s: (n,) length of each contact, a multiple of BADGE_S.
        person_hours: hours that people were there, summed over people.
    """

    length_s: Floats
    person_hours: float

    def statistics(self) -> dict[str, float]:
        """Return the mean and 99 % quantile of lengths (s), and minutes met per person and hour."""
        return {
            "contact_mean_s": float(self.length_s.mean()),
            "contact_q99_s": float(np.quantile(self.length_s, 0.99)),
            "contact_min_per_hour": float(2 * self.length_s.sum() / 60 / self.person_hours),
        }


def meetings(tracks: CrowdTracks) -> Meetings:
    """Return the contacts that badges would see: two people near, each facing the other."""
    every = round(BADGE_S / tracks.tick_s)
    x, y = tracks.xy[:, ::every, 0], tracks.xy[:, ::every, 1]
    facing = tracks.facing[:, ::every]
    lengths = []
    for person in range(tracks.people - 1):
        across, along = x[person + 1 :] - x[person], y[person + 1 :] - y[person]
        way = np.arctan2(along, across)
        seen = np.cos(facing[person] - way) > _BADGE_COS
        seen &= np.cos(facing[person + 1 :] - way - np.pi) > _BADGE_COS
        near = (np.hypot(across, along) <= _BADGE_M) & seen  # NaN (absent) compares false
        edges = np.diff(np.pad(near.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        begin, end = np.argwhere(edges == 1), np.argwhere(edges == -1)
        lengths.append((end[:, 1] - begin[:, 1]) * BADGE_S)
    there = tracks.present()[:, ::every].sum() * BADGE_S / 3600.0
    return Meetings(np.concatenate(lengths).astype(np.float64), float(there))


def load_badges(path: Path) -> Meetings:
    """Read a SocioPatterns list of contacts: time (s) and two badges in each line.

    A person counts as there from the first to the last contact of a day.

    Raises:
        InvalidReadingsError: the file can't be read.
    """
    try:
        with opened(path) as (_, file):
            table = np.loadtxt(file, usecols=(0, 1, 2), dtype=np.int64, ndmin=2)
    except (OSError, ValueError) as error:
        raise InvalidReadingsError(
            f"{path}: no list of contacts (time and two badges in each line): {error}"
        ) from None
    if not len(table):
        raise InvalidReadingsError(f"{path} holds no contact")
    time, low, high = table[:, 0], table[:, 1:].min(axis=1), table[:, 1:].max(axis=1)
    order = np.lexsort((time, high, low))
    time, low, high = time[order], low[order], high[order]
    same = (np.diff(low) == 0) & (np.diff(high) == 0) & (np.diff(time) <= BADGE_S)
    begin = np.flatnonzero(np.concatenate([[True], ~same]))
    length = np.diff(np.append(begin, len(time))) * BADGE_S
    return Meetings(length.astype(np.float64), _person_hours(time, low, high))


def _person_hours(time: Ints, low: Ints, high: Ints) -> float:
    person, at = np.concatenate([low, high]), np.concatenate([time, time])
    _, stay = np.unique(np.stack([person, at // 86_400], axis=1), axis=0, return_inverse=True)
    stay = stay.reshape(-1)
    first, last = np.full(stay.max() + 1, np.inf), np.full(stay.max() + 1, -np.inf)
    np.minimum.at(first, stay, at)
    np.maximum.at(last, stay, at)
    return float((last - first).sum() / 3600.0)


def walking_speeds(tracks: CrowdTracks) -> Floats:
    """Return each walking person's median speed, m/s."""
    step = np.linalg.norm(np.diff(tracks.xy, axis=1), axis=2) / tracks.tick_s
    walking = (tracks.posture[:, :-1] == Posture.WALKING) & ~np.isnan(step)
    return np.array(
        [np.median(row[on]) for row, on in zip(step, walking, strict=True) if on.sum() > 3]
    )


# scenario, and by what factor its speed may differ
_SPEEDS: Final = (("corridor-pass", 1.15), ("stadium-exit", 1.15))
PEDESTRIANS_M_S: Final = 1.27
"""ETH's and UCY's recorded pedestrians, median over people who walk."""
BADGES: Final = {
    "office-day": {"contact_mean_s": 46.4, "contact_q99_s": 300.0, "contact_min_per_hour": 5.07},
    "conference": {"contact_mean_s": 54.0, "contact_q99_s": 440.0},
}
"""SocioPatterns' InVS 2015 (an office) and SFHH 2009 (a conference).

Of the conference only the lengths: the badges' minutes per hour are over two days, most of them
talks, and the scenario is the hour between them.
"""
_FACTOR: Final = 2.0  # badges miss beats and people differ: a size, not a figure
_SOURCES: Final = {"office-day": "SocioPatterns InVS 2015", "conference": "SocioPatterns SFHH 2009"}


def validate_movement(
    *,
    pedestrians: Path | None = None,
    badges: dict[str, Path] | None = None,
    seeds: Sequence[int] = DEFAULT_SEEDS,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ComparedStatistic]:
    """Compare speeds and contact lengths of scenarios with those of recorded crowds.

    Args:
        pedestrians: recorded tracks (scene, t, id, x, y), to take the measured speed from.
        badges: scenario -> list of contacts, to take measured contacts from.
        seeds: runs to average.
        on_progress: called with (runs done, runs in all).

    Raises:
        InvalidReadingsError: a file can't be read.
    """
    names = [*(name for name, _ in _SPEEDS), *BADGES]
    total, done = len(names) * len(seeds), 0
    tracks: dict[str, list[CrowdTracks]] = {}
    for name in names:
        scenario = load_scenario(name)
        for seed in seeds:
            tracks.setdefault(name, []).append(move(scenario, scenario.venue.room(), Streams(seed)))
            done += 1
            if on_progress is not None:
                on_progress(done, total)
    speed = PEDESTRIANS_M_S if pedestrians is None else _recorded_speed(pedestrians)
    rows = []
    for name, factor in _SPEEDS:
        medians = [float(np.median(walking_speeds(played))) for played in tracks[name]]
        source = "ETH and UCY, pedestrians" if pedestrians is None else str(pedestrians)
        rows.append(_within_factor(f"walking_m_s_{name}", medians, speed, factor, source))
    for name, known in BADGES.items():
        file = (badges or {}).get(name)
        measured = known if file is None else load_badges(file).statistics()
        source = _SOURCES[name] if file is None else str(file)
        found = [meetings(played).statistics() for played in tracks[name]]
        for statistic in known:
            values = [statistics[statistic] for statistics in found]
            label = f"{statistic}_{name}"
            rows.append(_within_factor(label, values, measured[statistic], _FACTOR, source))
    return rows


def _within_factor(
    statistic: str, simulated: list[float], measured: float, factor: float, source: str
) -> ComparedStatistic:
    mean = float(np.mean(simulated))
    low, high = measured / factor, measured * factor
    return ComparedStatistic(statistic, mean, measured, low, high, source)


def _recorded_speed(path: Path) -> float:
    """Return the median over people who walk of their median speeds."""
    scenes = load_tracks(path, {}, PeopleKeys(count=2, adoption=1.0), Streams(0))
    speeds = np.concatenate([walking_speeds(scene.tracks) for scene in scenes])
    return float(np.median(speeds))
