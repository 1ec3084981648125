"""What the app costs a battery, from what its phone did. Every figure assumed is named here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulations.phones.phones import System
from tracetogether.parameters import PhoneTimings

SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class BatteryAssumptions:
    """Currents on top of an idle phone.

    Nobody publishes them one by one; these are round numbers of the right size, chosen so that an
    app which does nothing else lands near what was measured of whole apps: 1.2-2.5 % per hour
    (Herald), under 5 % of a day's use (exposure notification, where the system scans).

    Attributes:
        capacity_mah: of the battery.
        awake_ma: processor kept awake while the app scans or is connected.
        radio_ma: receiver or sender on, besides.
        link_s: length of a connection.
        advertisement_s: sender's time for one advertisement on three channels.
        screen_ma: screen that has to stay on, where the app only works in front.
    """

    capacity_mah: float = 3000.0
    awake_ma: float = 80.0
    radio_ma: float = 10.0
    link_s: float = 3.0
    advertisement_s: float = 0.003
    screen_ma: float = 150.0


ASSUMED: Final = BatteryAssumptions()


def battery_percent_per_hour(
    counts: Mapping[str, int],
    timings: PhoneTimings,
    *,
    system: System,
    advertise_every_s: float,
    listening_share: float,
    duration_s: float,
    assumed: BatteryAssumptions = ASSUMED,
) -> float:
    """Return the share of its battery that the app takes from one phone in an hour, percent.

    Args:
        counts: what the phone did: scans, connections_tried, served, front_s.
        timings: how long a scan lasts.
        system: on iPhones, time in front is time with the screen on for the app's sake.
        advertise_every_s: between advertisements.
        listening_share: share of a scan with the receiver on.
        duration_s: of the run.
        assumed: the currents.
    """
    scanning_s = counts.get("scans", 0) * timings.scan_s
    links_s = (counts.get("connections_tried", 0) + counts.get("served", 0)) * assumed.link_s
    sending_s = duration_s / advertise_every_s * assumed.advertisement_s
    charge = (scanning_s + links_s) * assumed.awake_ma
    charge += (scanning_s * listening_share + links_s + sending_s) * assumed.radio_ma
    if system is System.IOS:
        charge += counts.get("front_s", 0) * assumed.screen_ma
    mah_per_hour = charge / duration_s  # mA s per s, so mAh per hour
    return 100.0 * mah_per_hour / assumed.capacity_mah
