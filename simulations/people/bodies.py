"""Bodies and pockets: where a phone is on a person, and how much bodies weaken the direct wave.

Two effects, both in dB:

- The **owner's body** shadows directions away from the phone. The loss grows with the angle w off
  the phone's side as body_loss * ((1 - cos w) / 2) ** sharpness: 0 dB on the phone's side, and
  body_loss straight through the body.
- **Other bodies** near the line between the phones. Each counts exp(-(d / r)²) of a body, where d
  is its distance from the line and r its radius. tanh bounds the sum smoothly by 12 dB, since waves
  go around and over many bodies.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from tracetogether.units import Floats, Ints


class Carry(IntEnum):
    """Where the phone is; the value is the code in columns."""

    HAND = 0
    FRONT_POCKET = 1
    BACK_POCKET = 2
    BAG = 3


@dataclass(frozen=True, slots=True)
class CarryPlace:
    """One place on the body.

    Attributes:
        bearing: direction from the body's centre, radians from the direction of view.
        offset_m: distance from the body's centre, m.
        loss_db: loss by hand, cloth or bag, the same in every direction.
        sharpness: exponent of the body's shadow: 1 is wide (worn on the body), more is narrower
            (held away from it).
    """

    bearing: float
    offset_m: float
    loss_db: float
    sharpness: float


# The place shifts the mean level by 4 to 8 dB, most in the back pocket (recordings in
# docs/explanation/accuracy.md). A hand costs least because people hold phones at the edges.
_PLACES: Final = {
    Carry.HAND: CarryPlace(bearing=0.0, offset_m=0.35, loss_db=0.5, sharpness=2.5),
    Carry.FRONT_POCKET: CarryPlace(bearing=0.6, offset_m=0.16, loss_db=2.5, sharpness=2.0),
    Carry.BACK_POCKET: CarryPlace(bearing=np.pi - 0.4, offset_m=0.14, loss_db=5.5, sharpness=1.8),
    Carry.BAG: CarryPlace(bearing=-np.pi / 2, offset_m=0.25, loss_db=2.5, sharpness=2.2),
}
FIXED: Final = len(Carry)
"""The code of a device that nobody carries: no body shadows it, and nothing covers it."""
_ALL: Final = (*_PLACES.values(), CarryPlace(bearing=0.0, offset_m=0.0, loss_db=0.0, sharpness=1.0))
BEARING: Final = np.array([place.bearing for place in _ALL])
OFFSET_M: Final = np.array([place.offset_m for place in _ALL])
LOSS_DB: Final = np.array([place.loss_db for place in _ALL])
SHARPNESS: Final = np.array([place.sharpness for place in _ALL])
_OWNERS: Final = np.array([1.0] * FIXED + [0.0])

_UNITS: Final = 2.0**20  # of one body; whole units add up the same in any order
BODY_RADIUS_M: Final = 0.22
BODY_REACH_M: Final = BODY_RADIUS_M * float(np.sqrt(np.log(2.0 * _UNITS))) + 1e-6
"""Bodies further than this from a link (0.84 m) count 0 units."""
OBSTRUCTION_LIMIT_DB: Final = 12.0  # waves go around and over many bodies


def phone_positions(xy: Floats, facing: Floats, carry: Ints) -> Floats:
    """Return (..., 2) positions of the phones, m.

    Args:
        xy: (..., 2) centres of bodies, m.
        facing: (...) directions of view, radians.
        carry: (...) codes of Carry.

    >>> phone_positions(np.zeros((1, 2)), np.zeros(1), np.array([Carry.HAND]))
    array([[0.35, 0.  ]])
    """
    angle = facing + BEARING[carry]
    offset = OFFSET_M[carry]
    reach = np.stack([offset * np.cos(angle), offset * np.sin(angle)], axis=-1)
    return np.asarray(xy + reach)


def shadow_db(direction: Floats, facing: Floats, carry: Ints, body_loss_db: float) -> Floats:
    """Return (n,) the loss of the direct wave by the owner's body, dB.

    Args:
        direction: (n,) from the body towards the other phone, radians.
        facing: (n,) direction of view, radians.
        carry: (n,) codes of Carry.
        body_loss_db: loss straight through the body.

    >>> shadow_db(np.array([0.0, np.pi]), np.zeros(2), np.full(2, Carry.HAND), 20.0)
    array([ 0., 20.])
    """
    off_axis = direction - (facing + BEARING[carry])
    behind = (1.0 - np.cos(off_axis)) / 2.0  # 0: the phone's own side, 1: straight through
    return np.asarray(body_loss_db * _OWNERS[carry] * behind ** SHARPNESS[carry])


def body_units(
    rel_x: Floats, rel_y: Floats, along_x: Floats, along_y: Floats, length2: Floats
) -> Floats:
    """Return how much each body is in a link's way, in whole units of 2**-20 bodies.

    Whole units add up to the same sum in any order. Arguments broadcast.

    Args:
        rel_x: x of the body from the link's first end, m.
        rel_y: y of the body from there, m.
        along_x: x of the link's second end from the first, m.
        along_y: y of it, m.
        length2: squared length of the link, m².
    """
    fraction = rel_x * along_x
    fraction += rel_y * along_y
    fraction /= length2
    np.clip(fraction, 0.0, 1.0, out=fraction)
    off_x = fraction * along_x
    np.subtract(rel_x, off_x, out=off_x)
    off_x *= off_x
    fraction *= along_y
    np.subtract(rel_y, fraction, out=fraction)
    fraction *= fraction
    off_x += fraction  # squared distance of the body from the line
    off_x /= -(BODY_RADIUS_M**2)
    np.exp(off_x, out=off_x)
    off_x *= _UNITS
    return np.rint(off_x, out=off_x)


def obstruction_of(units: Floats, loss_db: float) -> Floats:
    """Return the loss by a sum of ``units`` from ``body_units``, dB; below 12 dB."""
    total = loss_db * (units / _UNITS)
    return np.asarray(OBSTRUCTION_LIMIT_DB * np.tanh(total / OBSTRUCTION_LIMIT_DB))
