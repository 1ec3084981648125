"""The air of a run with phone objects: advertisements shown, scans, and whether links succeed.

A scan is one event: all phones within reach go through the channel at once, in columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import ndtr

from simulations.phones.link_steps import LINK_MARGIN_DB, MAX_INCOMING, NEWS_S, Purpose
from simulations.phones.phone_states import PhoneState, StateChange
from simulations.phones.phones import CrowdPhones
from simulations.phones.protocols import radio_of
from simulations.phones.radios import HABITS, Habit, PhoneRadio, System
from simulations.places.tracks import CrowdTracks
from simulations.radio.channel import Channel, Readings
from simulations.radio.hearing import MAX_CHANCES, HearingTable, hearing_table
from simulations.radio.neighbours import meeting_places, within_reach
from simulations.settings.keys import ChannelKeys, PhoneKeys
from simulations.streams import Noise, Streams
from tracetogether.exchange import Advertisement
from tracetogether.units import Bools, Floats, Ints

_SYSTEM: Final = {
    Habit.ANDROID: System.ANDROID,
    Habit.IOS: System.IOS,
    Habit.IOS_BACK: System.IOS,
    Habit.BROADCAST: System.ANDROID,  # both systems keep the same times there
    Habit.ANDROID_FAST: System.ANDROID,
}
Codes8 = np.ndarray[tuple[int, ...], np.dtype[np.int8]]
IN_FRONT: Final = PhoneKeys(ios=0.0)
"""Phones at their best: the app always in front, Bluetooth always on."""


@lru_cache(maxsize=4)
def hearing_tables(
    radio: PhoneRadio, streams: Streams
) -> Mapping[tuple[Habit, Habit], HearingTable]:
    """Return (sender, listener) -> the run's table of when an advertisement can be heard."""
    scan_s = {system: radio.timings[system].scan_s for system in System}
    return {
        (sender, listener): hearing_table(
            HABITS[sender],
            HABITS[listener],
            scan_s[_SYSTEM[listener]],
            streams.generator("air", "hearing", sender.name, listener.name),
        )
        for sender in radio.kinds()
        for listener in radio.kinds()
    }


def hidden(keys: PhoneKeys, system: Ints, state: Codes8) -> Bools:
    """Return (n,) which phones only some iPhones can see: iPhones with the app not in front."""
    if radio_of(keys).by_system or not keys.ios_background_rules:
        return np.zeros(len(system), dtype=np.bool_)
    return np.asarray((system == System.IOS) & (state != PhoneState.FRONT))


def habits_of(keys: PhoneKeys, system: Ints, hides: Bools) -> Ints:
    """Return (n,) codes of Habit of phones with that system, hidden or not."""
    radio = radio_of(keys)
    in_front = np.array([int(radio.habits[each]) for each in System])[system]
    return np.where(hides, int(Habit.IOS_BACK), in_front).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Reception:
    """One advertisement that was received.

    Attributes:
        at_s: seconds after the start of the run.
        tx: person whose phone sent it.
        rssi_dbm: signal strength as the receiver reports it.
    """

    at_s: float
    tx: int
    rssi_dbm: float


class SimulatedAir:
    """The radio between the phones of one run of P people.

    Args:
        channel: levels and losses.
        tracks: where everybody is.
        phones: one per person.
        app: (a,) the people whose phones run the app.
        keys: the scenario's settings of the channel.
        streams: the run's random draws.
        habits: the scenario's settings of phones and owners.

    Attributes:
        state: (P,) codes of PhoneState.
        shown: each phone's advertisement; None while it shows none.
        served: each phone's readable value.
        incoming: number of links that each phone serves.
    """

    def __init__(
        self,
        channel: Channel,
        tracks: CrowdTracks,
        phones: CrowdPhones,
        app: Ints,
        keys: ChannelKeys,
        streams: Streams,
        habits: PhoneKeys = IN_FRONT,
    ) -> None:
        self._channel = channel
        self._phones = phones
        self._habits = habits
        self.state = np.zeros(len(phones), dtype=np.int8)
        self._awake_until = np.full(len(phones), -np.inf)
        self._news_at = np.full((len(phones), len(phones)), -np.inf)  # by (woken, by whom)
        self._app = app
        self._keys = keys
        self._tracks = tracks
        self._present = tracks.present()
        self._tick_s = tracks.tick_s
        self._through = np.zeros((len(phones), len(phones)))  # by (central, peripheral)
        self._scan_noise: Noise = streams.noise("air", "scan")
        self._link_noise: Noise = streams.noise("air", "link")
        radio = radio_of(habits)
        self._scan_s = {system: radio.timings[system].scan_s for system in System}
        self._kinds = radio.kinds()
        self._tables = hearing_tables(radio, streams)
        self.shown: list[Advertisement | None] = [None] * len(phones)
        self.served: list[bytes | None] = [None] * len(phones)
        self.incoming: list[int] = [0] * len(phones)

    def change(self, change: StateChange) -> None:
        """Put a phone into another state."""
        self.state[change.person] = change.state

    def wake(self, phone: int, at_s: float) -> None:
        """Let ``phone``'s app run for ``awake_s`` after a Bluetooth event."""
        self._awake_until[phone] = max(self._awake_until[phone], at_s + self._habits.awake_s)

    def is_on(self, phone: int) -> bool:
        """Return whether ``phone``'s Bluetooth is on."""
        return bool(self.state[phone] != PhoneState.OFF)

    def _hidden(self, phones: Ints) -> Bools:
        return hidden(self._habits, self._phones.system[phones], self.state[phones])

    def show(self, phone: int, advertisement: Advertisement | None) -> None:
        """Set ``phone``'s advertisement; its value stays readable while it shows none."""
        self.shown[phone] = advertisement
        if advertisement is not None:
            self.served[phone] = advertisement.value

    def listen(self, rx: int, at_s: float) -> list[Reception]:
        """Return what phone ``rx`` hears in the scan that begins at ``at_s``, in order of time.

        This is the first received advertisement of each sender. Whether the sender shows one at
        that moment is known only then; see ``shown``.
        """
        system = System(int(self._phones.system[rx]))
        begin, end = self._tick(at_s), self._tick(at_s + self._scan_s[system])
        there = self._present[:, begin] | self._present[:, end]
        tx = self._app[there[self._app] & (self._app != rx)]
        places = meeting_places(self._tracks, tx, begin, end)
        here = meeting_places(self._tracks, np.array([rx]), begin, end)
        tx = tx[within_reach((*places.T,), (*here.T,), self._keys.reach_m)]
        tx = tx[self.state[tx] != PhoneState.OFF]
        if system is System.ANDROID:  # it looks for the service, which hidden phones don't show
            tx = tx[~self._hidden(tx)]
        if not (there[rx] and len(tx) and self.is_on(rx)):
            return []
        millisecond = round(at_s * 1e3)
        draw = self._scan_noise.hashes(tx, rx, millisecond)
        after_s = np.empty((len(tx), MAX_CHANCES))
        on = np.empty((len(tx), MAX_CHANCES), dtype=np.int64)
        both = np.append(rx, tx)
        habit = habits_of(self._habits, self._phones.system[both], self._hidden(both))
        listener, habit = Habit(int(habit[0])), habit[1:]
        for sender in self._kinds:
            rows = habit == sender
            table = self._tables[sender, listener]
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
        came = np.flatnonzero(readings.received & self._seen(rx, tx[which], when, readings))
        _, first = np.unique(which[came], return_index=True)  # chances ascend in time
        rows = came[first]
        margin = readings.level_dbm[rows] - self._keys.floor_dbm - LINK_MARGIN_DB
        self._through[rx, tx[which[rows]]] = ndtr(margin / self._keys.floor_width_db)
        found = [
            Reception(float(when[row]), int(tx[which[row]]), float(readings.rssi_dbm[row]))
            for row in rows
        ]
        return sorted(found, key=lambda reception: (reception.at_s, reception.tx))

    def _seen(self, rx: int, tx: Ints, when: Floats, readings: Readings) -> Bools:
        """Return (n,) which packets the receiver's system reports to its app.

        A locked iPhone reports hidden phones only while its app runs: for ``awake_s`` after a
        connection to it, or after it heard a visible phone that it had not heard for NEWS_S.
        """
        hidden = self._hidden(tx)
        if not (hidden.any() and self.state[rx] == PhoneState.LOCKED):
            return np.ones(len(tx), dtype=np.bool_)
        news = ~hidden & readings.received & (when - self._news_at[rx, tx] >= NEWS_S)
        awake = when < self._awake_until[rx]
        if news.any():
            since = np.sort(when[news])
            last = np.searchsorted(since, when, side="right") - 1
            awake |= (last >= 0) & (when - since[last] < self._habits.awake_s)
            self._news_at[rx, tx[news]] = when[news]
            self.wake(rx, float(since[-1]))
        return np.asarray(~hidden | awake)

    def _tick(self, at_s: float) -> int:
        return min(int(at_s / self._tick_s), len(self._present[0]) - 1)

    def chance(self, a: int, b: int, at_s: float, what: int) -> float:
        """Return the uniform number of this link, time and purpose."""
        return self._link_noise.uniform_one(a, b, round(at_s * 1e6), what)

    def reachable(self, central: int, peripheral: int, at_s: float) -> float:
        """Return the probability that a step of a link succeeds; 0 if one phone is gone or off.

        It depends on the level at which ``central`` heard ``peripheral`` last, seconds ago:
        Phi((level - floor - margin) / floor width), the share of packets that are received.
        """
        tick = self._tick(at_s)
        if not (self._present[central, tick] and self._present[peripheral, tick]):
            return 0.0
        if not (self.is_on(central) and self.is_on(peripheral)):
            return 0.0
        return float(self._through[central, peripheral])

    def accepts(self, central: int, peripheral: int, at_s: float) -> bool:
        """Return whether a connection that ``central`` requests now is established."""
        if self.shown[peripheral] is None or self.incoming[peripheral] >= MAX_INCOMING:
            return False
        sound = (1.0 - self._phones.failure[peripheral]) * (1.0 - self._phones.failure[central])
        likely = float(sound) * self.reachable(central, peripheral, at_s)
        return self.chance(central, peripheral, at_s, Purpose.ACCEPT) < likely
