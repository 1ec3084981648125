"""Where people carry their phones over time."""

import numpy as np

from simulations.people.bodies import Carry
from simulations.settings.keys import PeopleKeys
from simulations.streams import Streams


def carry_over_time(
    keys: PeopleKeys, people: int, ticks: int, streams: Streams
) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Return (people, ticks) codes of Carry.

    Each person alternates between the hand and one other place, which is drawn once. Both states
    last exponential times. Their means are 2 * hand_change_s * in_hand and
    2 * hand_change_s * (1 - in_hand), so the share of time in the hand is ``keys.in_hand``.
    """
    shares = np.array([keys.stowed.front_pocket, keys.stowed.back_pocket, keys.stowed.bag])
    places = np.array([Carry.FRONT_POCKET, Carry.BACK_POCKET, Carry.BAG], dtype=np.int8)
    noise = streams.noise("mobility", "carry")
    everybody = np.arange(people)
    upto = np.cumsum(shares / shares.sum())[:-1]
    stowed = places[np.searchsorted(upto, noise.uniform(everybody, 0), side="right")]
    in_hand = noise.uniform(everybody, 1) < keys.in_hand
    changes = np.zeros((people, ticks), dtype=np.bool_)
    if 0.0 < keys.in_hand < 1.0:
        at, who, now_in_hand, drawn = np.zeros(people, dtype=np.int64), everybody, in_hand, 2
        while len(who):
            share = np.where(now_in_hand, keys.in_hand, 1.0 - keys.in_hand)
            mean_s = np.maximum(2.0 * keys.hand_change_s * share, 1.0)
            at = at + 1 + (-np.log(noise.uniform(who, drawn)) * mean_s).astype(np.int64)
            within = at < ticks
            at, who, now_in_hand = at[within], who[within], ~now_in_hand[within]
            changes[who, at] = True
            drawn += 1
    else:
        in_hand[:] = bool(keys.in_hand)
    held = np.logical_xor.accumulate(changes, axis=1) ^ in_hand[:, None]
    return np.where(held, np.int8(Carry.HAND), stowed[:, None])
