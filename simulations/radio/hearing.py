"""When a scan could hear an advertiser: packet timing collapsed into a table, drawn once.

One row of a table is one scan as it might go: the moments at which an advertisement starts while
the receiver listens, and on which channel. Whether such a packet is strong enough is the
channel's business. No packet is simulated during a run.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.phones.phones import CHANNELS, RadioHabits
from tracetogether.units import Bools, Floats, Ints

MAX_CHANCES: Final = 4
"""Later chances in the same scan hardly matter: four losses in a row are a link out of reach."""

_DELAY_S: Final = 0.010  # advDelay: every advertisement comes up to 10 ms late (Bluetooth Core)


@dataclass(frozen=True, slots=True)
class HearingTable:
    """R scans as they might go, each with up to MAX_CHANCES chances to hear.

    Attributes:
        at_s: (R, MAX_CHANCES) seconds after the scan's beginning, ascending; NaN for no chance.
        channel: (R, MAX_CHANCES) index of the advertising channel listened on.
    """

    at_s: Floats
    channel: Ints

    @property
    def possible(self) -> Bools:
        """Which scans can hear at all."""
        return ~np.isnan(self.at_s[:, 0])


def hearing_table(
    advertiser: RadioHabits,
    scanner: RadioHabits,
    scan_s: float,
    chance: np.random.Generator,
    rows: int = 4096,
) -> HearingTable:
    """Return the table of one kind of advertiser and one kind of scanner, by Monte Carlo.

    The first listening window opens as the scan begins; windows go round the three channels. An
    advertisement goes out on all three within a few milliseconds, so it is heard in any window
    that holds its beginning, on that window's channel.
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
