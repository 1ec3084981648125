"""Readings of a table that can't be true: which, why, and the most likely cause."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.labels import UNKNOWN, Labels
from tracetogether.units import Bools, Floats, is_rssi, is_transmit_power

NO_TIME: Final = "without a time"
ODD_TIME: Final = "with a time unlike the others"
NO_PEER: Final = "that don't say who was heard"
NO_RSSI: Final = "without a signal strength (blank)"
UNKNOWN_RSSI: Final = "with a stand-in for an unknown signal strength (-127, 127, 100 or 0)"
TINY_RSSI: Final = "with a signal strength between -1 and 0 dBm"
WRONG_RSSI: Final = "with a signal strength that is not between -127 and 0 dBm"
SELF: Final = "in which a phone hears itself"

_STAND_INS: Final = (-127.0, 127.0, 100.0, 0.0)
_TIME_LIMIT_S: Final = 1e14  # above this, float64 can't tell seconds apart


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of a table's readings.

    Attributes:
        valid: (n,) which readings can be true.
        reasons: reason -> number of readings; each reading counts once.
    """

    valid: Bools
    reasons: Mapping[str, int]

    @classmethod
    def of(
        cls,
        time: Floats,
        rssi_dbm: Floats,
        *,
        observer: Labels | None = None,
        peer: Labels | None = None,
        may_lack_peer: bool = True,
        odd_times: int = 0,
    ) -> "Faults":
        """Return the faults of n readings.

        Args:
            time: (n,) epoch seconds; NaN for none.
            rssi_dbm: (n,) signal strengths, dBm.
            observer: (n,) the receiving phones; with ``peer``, a phone can't receive itself.
            peer: (n,) the received phones.
            may_lack_peer: whether a reading without peer is valid.
            odd_times: number of times that are NaN because they were not times.
        """
        valid = (np.abs(time) < _TIME_LIMIT_S) & is_rssi(rssi_dbm)
        own = None if observer is None or peer is None else same_names(observer, peer)
        lacks_peer = None if may_lack_peer or peer is None else peer.codes == UNKNOWN
        for fault in (own, lacks_peer):
            if fault is not None:
                valid = valid & ~fault
        tiny = is_rssi(rssi_dbm) & (rssi_dbm > -1)
        tiny &= bool(
            np.all(tiny | ~valid)
        )  # single readings may be that strong, a whole table can't
        valid = valid & ~tiny
        if valid.all():
            return cls(valid, {})
        timed = np.abs(time) < _TIME_LIMIT_S
        left = timed.copy()
        odd = min(odd_times, int((~timed).sum()))
        reasons = {ODD_TIME: odd, NO_TIME: int((~timed).sum()) - odd}
        for reason, rows in (
            (NO_PEER, lacks_peer),
            (NO_RSSI, np.isnan(rssi_dbm)),
            (UNKNOWN_RSSI, np.isin(rssi_dbm, _STAND_INS)),
            (WRONG_RSSI, ~is_rssi(rssi_dbm)),
            (TINY_RSSI, tiny),
            (SELF, own),
        ):
            if rows is not None:
                reasons[reason] = int((left & rows).sum())
                left &= ~rows
        return cls(valid, {reason: count for reason, count in reasons.items() if count})

    def likely_cause(self, rssi_dbm: Floats) -> str:
        """Return why no reading can be used, and what to do."""
        reason = max(self.reasons, key=lambda reason: self.reasons[reason], default="")
        known = rssi_dbm[np.isfinite(rssi_dbm)]
        counts = describe(self.reasons)
        remedy = {
            NO_TIME: "name the column of times",
            ODD_TIME: "write all times in one unit",
            NO_PEER: "name the column that says who was heard",
            NO_RSSI: "name the column of signal strengths",
            TINY_RSSI: "signal strengths are in another unit than dBm",
            UNKNOWN_RSSI: "the radio measured no signal strength",
            SELF: "name two different columns for the observer and the peer",
        }.get(reason, "signal strengths are negative numbers of dBm")
        if reason == WRONG_RSSI and known.min() > 0:
            remedy = (
                "signal strengths are bytes without a sign; subtract 256 from each"
                if known.min() > 127 and known.max() < 256
                else "signal strengths are positive: they lack their minus sign, or are no dBm"
            )
        return f"none of its {len(rssi_dbm):,} readings can be used: {counts}; {remedy}"


def describe(reasons: Mapping[str, int]) -> str:
    """Return counts by reason as one phrase.

    >>> describe({NO_TIME: 3, SELF: 1})
    '3 without a time, 1 in which a phone hears itself'
    """
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def same_names(left: Labels, right: Labels) -> Bools:
    """Return (n,) the rows in which both columns have the same name."""
    place = {name: code for code, name in enumerate(right.names)}
    table = np.array([*(place.get(name, -2) for name in left.names), -2], dtype=np.int64)
    return np.asarray(table[left.codes] == right.codes)


def known_transmit_power(power_dbm: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Return (n,) transmit powers, NaN where impossible, and notes for the user.

    If all readings have 0 dBm, the radio did not report a power.
    """
    effect = "it is left out, so that distances are those of the average phone and less certain."
    known = np.isfinite(power_dbm)
    wrong = known & ~is_transmit_power(power_dbm)
    notes = []
    if wrong.any():
        notes.append(
            f"{int(wrong.sum()):,} readings tell {power_dbm[wrong][0]:g} dBm for the transmit "
            "power, which is none (127: not known; less than -50: a beacon's level at 1 m, such as "
            f"an iBeacon's -59); {effect}"
        )
        power_dbm, known = np.where(wrong, np.nan, power_dbm), known & ~wrong
    if known.any() and not power_dbm[known].any():
        notes.append(
            "The transmit power is 0 in every reading, which mostly means that it is not known; "
            f"{effect}"
        )
        power_dbm = np.where(known, np.nan, power_dbm)
    return power_dbm, tuple(notes)
