"""Scan detection: when a scan can receive an advertiser, as a table that is drawn once.

A scanner listens for ``window_s`` in every ``interval_s``, on one of three channels in turn. An
advertiser sends every ``advertise_every_s`` plus a random delay of up to 10 ms, on all three
channels. A scan can receive an advertisement only if it begins within a listening window. A row of
the table is one random scan: the times of these chances, and their channels. A run draws a row for
each scan and pair, instead of simulating each packet. The channel model then decides whether a
packet is strong enough.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.phones.phones import CHANNELS
from simulations.phones.radios import RadioHabits
from tracetogether.units import Bools, Floats, Ints

MAX_CHANCES: Final = 4
"""Chances per scan that are kept: after four lost packets the link is almost surely too weak."""

_DELAY_S: Final = 0.010  # advDelay (Bluetooth Core): a random delay of up to 10 ms


@dataclass(frozen=True, slots=True)
class HearingTable:
    """R random scans, each with up to MAX_CHANCES chances to receive.

    Attributes:
        at_s: (R, MAX_CHANCES) seconds after the scan begins, ascending; NaN for no chance.
        channel: (R, MAX_CHANCES) index of the advertising channel, 0 to 2.
    """

    at_s: Floats
    channel: Ints

    @property
    def possible(self) -> Bools:
        """(R,) which scans have at least one chance."""
        return ~np.isnan(self.at_s[:, 0])


def hearing_table(
    advertiser: RadioHabits,
    scanner: RadioHabits,
    scan_s: float,
    chance: np.random.Generator,
    rows: int = 4096,
) -> HearingTable:
    """Return the table for one kind of advertiser and one kind of scanner, by Monte Carlo.

    The first listening window opens when the scan begins; windows rotate over the three channels.
    An advertisement is sent on all three within a few milliseconds. So a window receives it, on
    its own channel, if the advertisement begins within the window.

    Args:
        advertiser: intervals of the sending phone.
        scanner: intervals of the scanning phone.
        scan_s: length of a scan.
        chance: random generator.
        rows: number of scans to draw.

    >>> habits = RadioHabits(advertise_every_s=1.0, window_s=4.0, interval_s=4.0)  # always on
    >>> table = hearing_table(habits, habits, 4.0, np.random.default_rng(1), rows=8)
    >>> bool(table.possible.all())
    True
    """
    count = int(np.ceil(scan_s / advertiser.advertise_every_s)) + 2
    gaps = advertiser.advertise_every_s + chance.uniform(0, _DELAY_S, (rows, count))
    phase = chance.uniform(0, 1, (rows, 1)) * (advertiser.advertise_every_s + _DELAY_S / 2)
    at = np.cumsum(gaps, axis=1) - gaps[:, :1] + phase - advertiser.advertise_every_s
    window = np.floor(at / scanner.interval_s)
    listening = (at >= 0) & (at < scan_s) & (at - window * scanner.interval_s < scanner.window_s)
    first = chance.integers(CHANNELS, size=(rows, 1))
    channel = (window.astype(np.int64) + first) % CHANNELS
    at = np.where(listening, at, np.inf)
    order = np.argsort(at, axis=1, kind="stable")[:, :MAX_CHANCES]
    chosen = np.take_along_axis(at, order, axis=1)
    return HearingTable(
        at_s=np.where(np.isinf(chosen), np.nan, chosen),
        channel=np.take_along_axis(channel, order, axis=1),
    )
