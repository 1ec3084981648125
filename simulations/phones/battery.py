"""Battery use of the app, from the counted work of a phone. All assumed figures are here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulations.phones.radios import System
from tracetogether.parameters import PhoneTimings

SECONDS_PER_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class BatteryAssumptions:
    """Currents in addition to an idle phone.

    Nobody publishes the single currents. These are round numbers of the right size: they give
    about what was measured for whole apps, 1.2-2.5 % per hour (Herald) and under 5 % of a day's use
    (exposure notification, where the system scans).

    Attributes:
        capacity_mah: of the battery.
        awake_ma: processor awake while the app scans or is connected.
        radio_ma: receiver or transmitter on, in addition.
        link_s: duration of a connection.
        advertisement_s: transmitter's time for one advertisement on three channels.
        screen_ma: screen on, while an app works only in the foreground.
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
    """Return the battery use of the app on one phone, percent of the capacity per hour.

    Args:
        counts: the phone's work: scans, connections_tried, served, front_s (s).
        timings: give the length of a scan.
        system: on iOS, time in the foreground keeps the screen on.
        advertise_every_s: between advertisements.
        listening_share: share of a scan with the receiver on.
        duration_s: of the run.
        assumed: the currents.

    >>> use = battery_percent_per_hour({"scans": 75}, PhoneTimings(), system=System.ANDROID,
    ...     advertise_every_s=1.0, listening_share=0.1, duration_s=3600.0)
    >>> round(use, 2)
    0.45
    """
    scanning_s = counts.get("scans", 0) * timings.scan_s
    links_s = (counts.get("connections_tried", 0) + counts.get("served", 0)) * assumed.link_s
    sending_s = duration_s / advertise_every_s * assumed.advertisement_s
    charge = (scanning_s + links_s) * assumed.awake_ma
    charge += (scanning_s * listening_share + links_s + sending_s) * assumed.radio_ma
    if system is System.IOS:
        charge += counts.get("front_s", 0) * assumed.screen_ma
    mah_per_hour = charge / duration_s  # mA s per s = mAh per hour
    return 100.0 * mah_per_hour / assumed.capacity_mah
