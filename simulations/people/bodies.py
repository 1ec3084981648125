"""Bodies and pockets: where a phone is on a person, and what the body costs the direct wave."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from tracetogether.units import Floats, Ints


class Carry(IntEnum):
    """Where the phone is; the value is its code in columns."""

    HAND = 0
    FRONT_POCKET = 1
    BACK_POCKET = 2
    BAG = 3


@dataclass(frozen=True, slots=True)
class CarryPlace:
    """One place on the body.

    Attributes:
        bearing: direction from the body's middle, radians, relative to where the person faces.
        offset_m: distance from the body's middle.
        loss_db: what hand, cloth or bag cost in every direction.
        sharpness: how narrow the shadow behind the body is: 1 wide (worn on the body), more when
            the phone is held away from it.
    """

    bearing: float
    offset_m: float
    loss_db: float
    sharpness: float


# Carry shifts the mean by 4-8 dB, back pocket worst (recordings summarised in the accuracy
# notes); the grip of a hand costs least because people hold phones at the edges.
_PLACES: Final = {
    Carry.HAND: CarryPlace(bearing=0.0, offset_m=0.35, loss_db=0.5, sharpness=2.5),
    Carry.FRONT_POCKET: CarryPlace(bearing=0.6, offset_m=0.16, loss_db=2.5, sharpness=2.0),
    Carry.BACK_POCKET: CarryPlace(bearing=np.pi - 0.4, offset_m=0.14, loss_db=5.5, sharpness=1.8),
    Carry.BAG: CarryPlace(bearing=-np.pi / 2, offset_m=0.25, loss_db=2.5, sharpness=2.2),
}
BEARING: Final = np.array([_PLACES[carry].bearing for carry in Carry])
OFFSET_M: Final = np.array([_PLACES[carry].offset_m for carry in Carry])
LOSS_DB: Final = np.array([_PLACES[carry].loss_db for carry in Carry])
SHARPNESS: Final = np.array([_PLACES[carry].sharpness for carry in Carry])

_UNITS: Final = 2.0**20
BODY_RADIUS_M: Final = 0.22
BODY_REACH_M: Final = BODY_RADIUS_M * float(np.sqrt(np.log(2.0 * _UNITS))) + 1e-6
"""Bodies further than this from a link (0.84 m) count for no unit."""
OBSTRUCTION_LIMIT_DB: Final = 12.0  # more bodies than this: waves go round and over them


def phone_positions(xy: Floats, facing: Floats, carry: Ints) -> Floats:
    """Return where the phones are.

    Args:
        xy: (..., 2) middles of bodies, m.
        facing: (...) where people look, radians.
        carry: (...) codes of Carry.
    """
    angle = facing + BEARING[carry]
    offset = OFFSET_M[carry]
    reach = np.stack([offset * np.cos(angle), offset * np.sin(angle)], axis=-1)
    return np.asarray(xy + reach)


def shadow_db(direction: Floats, facing: Floats, carry: Ints, body_loss_db: float) -> Floats:
    """Return the loss of the direct wave by the owner's body, dB.

    Args:
        direction: (n,) from the body towards the other phone, radians.
        facing: (n,) radians.
        carry: (n,) codes of Carry.
        body_loss_db: loss with the body exactly in the way.
    """
    off_axis = direction - (facing + BEARING[carry])
    behind = (1.0 - np.cos(off_axis)) / 2.0  # 0: the phone's own side, 1: straight through
    return np.asarray(body_loss_db * behind ** SHARPNESS[carry])


def obstruction_db(a: Floats, b: Floats, others: Floats, loss_db: float) -> Floats:
    """Return the loss of the direct wave by other people's bodies in its way, dB.

    Args:
        a: (n, 2) one end of each link, m.
        b: (n, 2) the other.
        others: (n, p, 2) bodies that could stand in the way; NaN for none.
        loss_db: loss of one body exactly in the way.
    """
    along = b - a
    length2 = np.maximum((along**2).sum(axis=-1), 1e-6)
    rel_x = others[..., 0] - a[:, None, 0]
    rel_y = others[..., 1] - a[:, None, 1]
    units = body_units(rel_x, rel_y, along[:, :1], along[:, 1:], length2[:, None])
    return obstruction_of(np.where(np.isnan(rel_x), 0.0, units).sum(axis=1), loss_db)


def body_units(
    rel_x: Floats, rel_y: Floats, along_x: Floats, along_y: Floats, length2: Floats
) -> Floats:
    """Return how much bodies are in the way, in whole units: they add up the same in any order.

    Args:
        rel_x: places of bodies from one end of their link, m, along the room.
        rel_y: across it.
        along_x: the link, from that end to the other, m, along the room.
        along_y: across it.
        length2: square of its length.
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
    off_x += fraction  # the square of how far the body is off the line
    off_x /= -(BODY_RADIUS_M**2)
    np.exp(off_x, out=off_x)
    off_x *= _UNITS
    return np.rint(off_x, out=off_x)


def obstruction_of(units: Floats, loss_db: float) -> Floats:
    """Return the loss that so many units of bodies make, dB."""
    total = loss_db * (units / _UNITS)
    return np.asarray(OBSTRUCTION_LIMIT_DB * np.tanh(total / OBSTRUCTION_LIMIT_DB))
