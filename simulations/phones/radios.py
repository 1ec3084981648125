"""Radios: when phones of a system send and listen, with what power, and whether they connect.

A protocol has a radio of its own, and every protocol can be put on BlueTrace's: TempIDs of
BlueTrace and public keys of DESIRE are too long for an advertisement of 31 bytes, while a value
that is read by a connection has room for the tokens of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.proximity.calibration import (
    BLUETRACE_TRANSMIT,
    EXPOSURE_NOTIFICATION_TRANSMIT,
    TransmitPrior,
)

ANDROID_TX_POWER_DBM: Final = 1.0  # TX_POWER_HIGH, as Android advertises it


class System(IntEnum):
    """Operating system; the value is the code in columns."""

    ANDROID = 0
    IOS = 1


@dataclass(frozen=True, slots=True)
class RadioHabits:
    """Intervals of a phone's advertisements and of its receiver.

    Attributes:
        advertise_every_s: between advertisements, without the random delay of up to 10 ms.
        window_s: time that the receiver is on in every ``interval_s``.
        interval_s: see window_s.
    """

    advertise_every_s: float
    window_s: float
    interval_s: float


class Habit(IntEnum):
    """Kinds of RadioHabits; ANDROID and IOS (app in front) have the codes of System."""

    ANDROID = 0
    IOS = 1
    IOS_BACK = 2
    BROADCAST = 3
    ANDROID_FAST = 4


HABITS: Final = {
    # ADVERTISE_MODE_LOW_POWER; SCAN_MODE_LOW_POWER as measured, 512 ms in 5120 ms.
    Habit.ANDROID: RadioHabits(1.0, 0.512, 5.12),
    # App in front. Assumed: 152.5 ms is one of Apple's recommended intervals, and the receiver is
    # on most of the time.
    Habit.IOS: RadioHabits(0.1525, 0.030, 0.040),
    # App not in front. Assumed: 1022.5 ms is another of Apple's intervals. Apple says that scan
    # windows are further apart, but not how far.
    Habit.IOS_BACK: RadioHabits(1.0225, 0.030, 0.300),
    # Exposure notification: every 250 ms, and the whole scan is one window.
    Habit.BROADCAST: RadioHabits(0.250, 4.0, 4.0),
    # StopCovid: ADVERTISE_MODE_LOW_LATENCY; the receiver as Habit.ANDROID (assumed).
    Habit.ANDROID_FAST: RadioHabits(0.100, 0.512, 5.12),
}

# The simulated phones behave like OpenTrace's: they change the TempID without a silence (0 s).
_ANDROID: Final = replace(TIMINGS, change_s=0.0)
# OpenTrace iOS scans 10 s in every 60 s, with one connection per peer in that time. It
# advertises without pause; Device needs a gap, so it has a very short one.
_IOS: Final = PhoneTimings(
    scan_s=10.0,
    scan_pause_min_s=50.0,
    scan_pause_max_s=50.0,
    advertise_s=900.0,
    advertise_gap_s=0.05,
    queue_max_s=10.0,
    blacklist_s=55.0,
    change_s=0.0,
)
_BROADCAST: Final = PhoneTimings(
    # Published: a scan of 4 s every 210 to 300 s; new address and token every 10 to 20 minutes.
    scan_s=4.0,
    scan_pause_min_s=206.0,
    scan_pause_max_s=296.0,
    advertise_s=900.0,
    advertise_gap_s=0.05,
    blacklist_s=0.0,  # each scan writes down everybody again
    change_s=0.0,
)


@dataclass(frozen=True, slots=True, eq=False)
class PhoneRadio:
    """How phones of both systems use Bluetooth.

    Attributes:
        name: of the radio.
        connects: whether tokens are read and written by connections; otherwise they are broadcast.
        habits: system -> habits with the app in front, or at any time if ``by_system``.
        by_system: whether the operating system itself sends, so that iOS hides nothing.
        timings: system -> when a phone scans and advertises.
        sends_dbm: mean and standard deviation of what models radiate at this setting.
        advertised_dbm: transmit power that phones state.
        iphones_tell: whether iPhones state it too.
        transmit: what an estimator knows of unknown phones at this setting.
    """

    name: str
    connects: bool
    habits: Mapping[System, Habit]
    by_system: bool
    timings: Mapping[System, PhoneTimings]
    sends_dbm: tuple[float, float]
    advertised_dbm: float
    iphones_tell: bool
    transmit: TransmitPrior

    def kinds(self) -> list[Habit]:
        """Return the habits that phones can have."""
        behind = set() if self.by_system else {Habit.IOS_BACK}
        return sorted({*self.habits.values()} | behind)

    def habits_of_system(self, system: System) -> RadioHabits:
        """Return the habits of a phone whose app is in front."""
        return HABITS[self.habits[system]]


CONNECTING: Final = PhoneRadio(
    name="connecting",
    connects=True,
    habits=MappingProxyType({System.ANDROID: Habit.ANDROID, System.IOS: Habit.IOS}),
    by_system=False,
    timings=MappingProxyType({System.ANDROID: _ANDROID, System.IOS: _IOS}),
    sends_dbm=(-1.6, 5.3),  # 20 phones at TX_POWER_HIGH in an anechoic chamber
    advertised_dbm=ANDROID_TX_POWER_DBM,
    iphones_tell=False,
    transmit=BLUETRACE_TRANSMIT,
)
"""OpenTrace's: a connection for each exchange, by an app."""

BROADCASTING: Final = PhoneRadio(
    name="broadcasting",
    connects=False,
    habits=MappingProxyType({System.ANDROID: Habit.BROADCAST, System.IOS: Habit.BROADCAST}),
    by_system=True,
    timings=MappingProxyType({System.ANDROID: _BROADCAST, System.IOS: _BROADCAST}),
    sends_dbm=(-24.7, 7.4),  # 551 models at ULTRA_LOW, the setting of exposure notification
    advertised_dbm=-21.0,  # what Android's setting ULTRA_LOW is called
    iphones_tell=True,
    transmit=EXPOSURE_NOTIFICATION_TRANSMIT,
)
"""Exposure notification's: the operating system broadcasts 31 bytes, and scans every 4 minutes."""

_MEDIUM_DBM: Final = (-10.2, 6.4)
"""Assumed: Android's MEDIUM is called -7 dBm. Phones radiate 2.6 dB less than HIGH is called and
3.7 dB less than ULTRA_LOW is called; the middle of both, and of both spreads."""

FAST_BROADCASTING: Final = PhoneRadio(
    name="fast-broadcasting",
    connects=False,
    habits=MappingProxyType({System.ANDROID: Habit.ANDROID_FAST, System.IOS: Habit.IOS}),
    by_system=False,
    timings=MappingProxyType(
        {
            System.ANDROID: replace(_ANDROID, blacklist_s=0.0),
            System.IOS: replace(_IOS, blacklist_s=0.0),
        }
    ),
    sends_dbm=_MEDIUM_DBM,
    advertised_dbm=-7.0,
    iphones_tell=True,
    transmit=TransmitPrior(mean_dbm=_MEDIUM_DBM[0], sd_db=_MEDIUM_DBM[1], nominal_dbm=-7.0),
)
"""StopCovid's: an app broadcasts every 100 ms with medium power. Its scans are assumed to be
OpenTrace's, and iOS is assumed to treat it as any other app."""
