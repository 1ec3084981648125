"""The figures of the posterior: path loss, offsets, how errors last, how people move.

The built-in figures were fitted to the DP-3T recording "exp05" (20 people, five scenes, Google's
calibration table, cameras as truth) and rounded; ``tracetogether calibrate fit`` prints each
of those marked "fitted" with its uncertainty, for that recording or another.
"""

import math
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, Self

import numpy as np

from tracetogether.errors import CalibrationError
from tracetogether.units import Floats

REFERENCE_M: Final = 2.0
"""Path loss is given at this distance, about which the recordings' distances lie: there the
level hardly depends on the exponent."""


PERSISTENT_SD_FACTOR: Final = 1.2
"""Multiplies what stays unknown of a pair's distance through a scene: on exp05, 90 % of the
intervals of minutes then hold the truth."""


@dataclass(frozen=True, slots=True)
class ProximityModel:
    """Prior figures of radios, bodies and people.

    Attributes:
        level_db: fitted. Attenuation at REFERENCE_M, minutes counted, not readings.
        exponent: fitted. Path-loss exponent once people's offsets are taken out.
        level_sd_db: fitted. How the level differs between scenes (furniture, crowds).
        receiver_sd_db: fitted. Offset of a person as receiver, kept through a scene: where the
            phone is carried, the body beside it, what the calibration of its model left.
        transmitter_sd_db: fitted. The same as transmitter.
        pair_sd_db: fitted. Offset that a pair keeps in both directions.
        direction_sd_db: fitted. Offset that one direction of a pair keeps beside that.
        slow_sd_db: fitted. Error of a minute that both directions share and that lasts
            (people turn).
        slow_minutes: fitted. Time in which that error falls to 1/e of its correlation.
        minute_sd_db: fitted. Error of a minute that both directions share and the next does not.
        single_sd_db: fitted. Error of a minute in one direction alone.
        distance_m: fitted. Median distance of people who hear each other.
        kept_decades: fitted. How log10 distance differs between pairs, their whole day seen.
        moving_decades: fitted. How it moves about that.
        moving_minutes: time in which that movement falls to 1/e of its correlation: who is seen
            for a minute has hardly moved, who is seen for an hour has.
        apart_decades: how the mean log10 distance of one person to all others differs between
            people; keeps their offset from taking all of it.
        density_per_m2: phones with the app per square metre of a place, for one log alone: the
            middle of offices (0.12), classrooms, parties and carriages (0.6).
        density_decades: how log10 density differs between places. A full bus has 1.6 per m2.
        place_decades: how the mean log10 distance of a place differs between places, where all
            logs of a scene are used. exp05's five scenes have sd 0.12 about their mean; of a place
            that is not among them, 90 % lie within 0.28 (Student's t of five), as of a normal
            deviation of 0.17.
        detection_decades: fitted. How far log10 distance falls per unit of the natural logarithm
            of packets per scan, against the observer's other pairs.
        spread_m: where people are in a room: standard deviation along each axis.
        spread_decades_e: its uncertainty, as the standard deviation of its natural logarithm.
        step_m: how far somebody who stays moves in a minute (the scale of a Student t with one
            degree of freedom, whose tails are the walks).
        separation_m: people are seldom nearer than this.
        level_scene_sd_db, exponent_sd: by how much a scene's own level and exponent may differ
            where everybody's positions are sought; narrower than what scenes show, as room size
            and level are hard to separate by signals.
    """

    level_db: float = 59.5
    exponent: float = 1.35
    level_sd_db: float = 1.6
    receiver_sd_db: float = 2.8
    transmitter_sd_db: float = 2.0
    pair_sd_db: float = 1.8
    direction_sd_db: float = 1.0
    slow_sd_db: float = 3.5
    slow_minutes: float = 3.0
    minute_sd_db: float = 2.0
    single_sd_db: float = 2.2
    distance_m: float = 2.3
    kept_decades: float = 0.185
    moving_decades: float = 0.17
    moving_minutes: float = 10.0
    apart_decades: float = 0.06
    place_decades: float = 0.17
    density_per_m2: float = 0.5
    density_decades: float = 0.5
    detection_decades: float = 0.06
    spread_m: float = 1.35
    spread_decades_e: float = 0.25
    step_m: float = 0.06
    separation_m: float = 0.5
    level_scene_sd_db: float = 1.0
    exponent_sd: float = 0.135

    def __post_init__(self) -> None:
        for figure in fields(self):
            value = getattr(self, figure.name)
            if not math.isfinite(value):
                raise ValueError(f"{figure.name} must be a finite number, got {value}")
            may_be_zero = figure.name in _MAY_BE_ZERO
            if figure.name not in _ANY_SIGN and not (value > 0 or (may_be_zero and value == 0)):
                raise ValueError(f"{figure.name} must be above 0, got {value}")

    @property
    def slope_db(self) -> float:
        """Decibels per factor of ten in distance."""
        return 10 * self.exponent

    @property
    def typical_db(self) -> float:
        """Attenuation at the median distance."""
        return self.level_db + self.slope_db * math.log10(self.distance_m / REFERENCE_M)

    def movement_kept(self, minutes: Floats) -> Floats:
        """Return which share of the variance of movement a mean over ``minutes`` keeps.

        That of a process whose correlation falls exponentially; 1 for a moment.
        """
        turns = np.maximum(minutes / self.moving_minutes, 1e-3)
        return np.asarray(2 / turns**2 * (turns + np.expm1(-turns)))

    def kept_variance(self, minutes: Floats) -> Floats:
        """Return the variance of log10 distance between pairs observed for ``minutes``."""
        return self.kept_decades**2 + self.moving_decades**2 * self.movement_kept(minutes)

    def moving_variance(self, minutes: Floats) -> Floats:
        """Return the variance of log10 distance about its mean over ``minutes``."""
        return self.moving_decades**2 * (1 - self.movement_kept(minutes))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model that ``calibrate fit`` wrote: the table [model] of a TOML file.

        Figures that it does not name stay as built in.

        Raises:
            CalibrationError: the file can't be read, or has an unknown or impossible figure.
        """
        try:
            document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CalibrationError(f"there is no model {path}") from None
        except OSError as error:
            raise CalibrationError(f"can't read {path}: {error.strerror or error}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise CalibrationError(f"{path} is no TOML: {error}") from None
        table = document.get("model")
        if not isinstance(table, dict):
            raise CalibrationError(f"{path} has no table [model]; calibrate fit writes one")
        known = {figure.name for figure in fields(cls)}
        for name, value in table.items():
            if name not in known:
                raise CalibrationError(
                    f"{path}: unknown figure {name!r}; known are {', '.join(sorted(known))}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise CalibrationError(f"{path}: {name} must be a number, got {value!r}")
        try:
            return cls(**{name: float(value) for name, value in table.items()})
        except ValueError as error:
            raise CalibrationError(f"{path}: {error}") from None

    def to_toml(self) -> str:
        """Return the table [model]."""
        figures = [
            f"{figure.name} = {float(getattr(self, figure.name))!r}" for figure in fields(self)
        ]
        return "\n".join(["[model]", *figures, ""])


_ANY_SIGN: Final = frozenset({"level_db"})
_MAY_BE_ZERO: Final = frozenset(
    {
        "level_sd_db",
        "direction_sd_db",
        "detection_decades",
        "apart_decades",
        "place_decades",
        "minute_sd_db",
    }
)

MODEL: Final = ProximityModel()
"""The built-in figures."""

ONE_LOG: Final = replace(MODEL, kept_decades=0.24, separation_m=0.55, moving_decades=0.14)
"""For one log alone, recorded anywhere. kept_decades: exp05's cameras saw some metres of each room;
among people spread over a whole room twice as long as wide, log10 distance has sd 0.29, movement
included. separation_m: bodies side by side on a bench are 0.45 m apart, and phones are at different
heights. moving_decades: most people in the simulator's seated scenarios hardly move, those who
stand and walk move by 0.2 and more."""

PHYSICS: Final = ProximityModel(
    level_db=58.2,
    exponent=1.3,
    level_sd_db=2.0,
    receiver_sd_db=3.0,
    transmitter_sd_db=2.0,
    pair_sd_db=2.0,
    direction_sd_db=1.0,
    slow_sd_db=3.5,
    slow_minutes=3.0,
    minute_sd_db=2.0,
    single_sd_db=2.2,
    distance_m=2.0,
    kept_decades=0.2,
    moving_decades=0.17,
    apart_decades=0.09,
)
"""What was known before anybody's recording is fitted, from publications.

level_db: free space at 2.44 GHz (46.2 dB at 2 m), and 6 dB at either end for pockets and bodies
(carrying shifts the mean by 4 to 8 dB). exponent: MITRE 1.06, Herald 0.97, Lanfer et al. 0.9 to
1.9. receiver_sd_db, transmitter_sd_db: what a calibrated phone keeps (3.0, and 1.4 to 2.1).
Errors of minutes: turning around, 9 to 11 dB from least to most; packets of one scan, 3.3 to
3.7 dB, less what a minute averages. distance_m: the 2 m of the NHS app's smoother. apart_decades:
between people of one place, 0.06; a log or two show the place no better.
"""
