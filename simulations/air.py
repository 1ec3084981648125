"""The shared medium: who shows what, who hears whom in a scan, and whether links come about.

A scan is one event: every phone that could be heard goes through the channel at once, in columns.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from simulations.channel import Channel
from simulations.hearing import MAX_CHANCES, HearingTable, hearing_table
from simulations.keys import ChannelKeys
from simulations.phones import HABITS, SYSTEM_TIMINGS, Phones, System
from simulations.streams import Noise, Streams
from simulations.tracks import Tracks
from tracetogether.exchange import Advertisement
from tracetogether.units import Ints

LINK_MARGIN_DB: Final = 3.0  # a connection wants more than a single advertisement does
MAX_INCOMING: Final = 4  # links that a phone's controller serves at once; phones differ, 4 to 7


@dataclass(frozen=True, slots=True)
class Reception:
    """One advertisement that came through.

    Attributes:
        at_s: seconds after the start of the run.
        tx: who sent it.
        rssi_dbm: as the receiver reports it.
    """

    at_s: float
    tx: int
    rssi_dbm: float


class Air:
    """What lies between the phones of one run.

    Args:
        channel: levels and losses.
        tracks: where everybody is.
        phones: one per person.
        app: (a,) the people whose phones run the app.
        keys: the scenario's channel.
        streams: the run's chance.
    """

    def __init__(
        self,
        channel: Channel,
        tracks: Tracks,
        phones: Phones,
        app: Ints,
        keys: ChannelKeys,
        streams: Streams,
    ) -> None:
        self._channel = channel
        self._phones = phones
        self._app = app
        self._keys = keys
        self._present = tracks.present()
        self._tick_s = tracks.tick_s
        self._through = np.zeros((len(phones), len(phones)))  # by (central, peripheral)
        self._scan_noise: Noise = streams.noise("air", "scan")
        self._link_noise: Noise = streams.noise("air", "link")
        self._tables: dict[tuple[int, int], HearingTable] = {
            (sender, listener): hearing_table(
                HABITS[sender],
                HABITS[listener],
                SYSTEM_TIMINGS[listener].scan_s,
                streams.generator("air", "hearing", sender.name, listener.name),
            )
            for sender in System
            for listener in System
        }
        self.shown: list[Advertisement | None] = [None] * len(phones)
        self.served: list[bytes | None] = [None] * len(phones)
        self.incoming: list[int] = [0] * len(phones)

    def show(self, phone: int, advertisement: Advertisement | None) -> None:
        """Let ``phone`` advertise; its value stays readable while it pauses."""
        self.shown[phone] = advertisement
        if advertisement is not None:
            self.served[phone] = advertisement.value

    def listen(self, rx: int, at_s: float) -> list[Reception]:
        """Return what phone ``rx`` hears in the scan that begins at ``at_s``, in order of time.

        Of each sender, the first advertisement that comes through. Whether it was on the air at
        that very moment is known only then: ask ``shown``.
        """
        system = System(int(self._phones.system[rx]))
        begin, end = self._tick(at_s), self._tick(at_s + SYSTEM_TIMINGS[system].scan_s)
        there = self._present[:, begin] | self._present[:, end]
        tx = self._app[there[self._app] & (self._app != rx)]
        if not (there[rx] and len(tx)):
            return []
        millisecond = round(at_s * 1e3)
        draw = self._scan_noise.hashes(tx, rx, millisecond)
        after_s = np.empty((len(tx), MAX_CHANCES))
        on = np.empty((len(tx), MAX_CHANCES), dtype=np.int64)
        for sender in System:
            rows = self._phones.system[tx] == sender
            table = self._tables[sender, system]
            chosen = (draw[rows] % np.uint64(len(table.at_s))).astype(np.int64)
            after_s[rows] = table.at_s[chosen]
            on[rows] = table.channel[chosen]
        which, chance = np.nonzero(~np.isnan(after_s))
        if not len(which):
            return []
        when = at_s + after_s[which, chance]
        readings = self._channel.readings(
            tx[which], np.full(len(which), rx), when, on[which, chance]
        )
        came = np.flatnonzero(readings.received)
        _, first = np.unique(which[came], return_index=True)  # chances ascend in time
        rows = came[first]
        margin = readings.level_dbm[rows] - self._keys.floor_dbm - LINK_MARGIN_DB
        self._through[rx, tx[which[rows]]] = ndtr(margin / self._keys.floor_width_db)
        found = [
            Reception(float(when[row]), int(tx[which[row]]), float(readings.rssi_dbm[row]))
            for row in rows
        ]
        return sorted(found, key=lambda one: (one.at_s, one.tx))

    def _tick(self, at_s: float) -> int:
        return min(int(at_s / self._tick_s), len(self._present[0]) - 1)

    def chance(self, a: int, b: int, at_s: float, what: int) -> float:
        """Return a uniform number of its own for each (link, time, purpose)."""
        return self._link_noise.uniform_one(a, b, round(at_s * 1e6), what)

    def reachable(self, central: int, peripheral: int, at_s: float) -> float:
        """Return the chance that a step of their link gets through, 0 if one of them is gone.

        It goes by the level at which ``central`` heard ``peripheral`` last, seconds ago.
        """
        tick = self._tick(at_s)
        if not (self._present[central, tick] and self._present[peripheral, tick]):
            return 0.0
        return float(self._through[central, peripheral])

    def accepts(self, central: int, peripheral: int, at_s: float) -> bool:
        """Return whether a connection that ``central`` asks for now comes about."""
        if self.shown[peripheral] is None or self.incoming[peripheral] >= MAX_INCOMING:
            return False
        sound = (1.0 - self._phones.failure[peripheral]) * (1.0 - self._phones.failure[central])
        likely = float(sound) * self.reachable(central, peripheral, at_s)
        return self.chance(central, peripheral, at_s, 0) < likely
