"""Which readings of a table can't be true, why, and what is most likely the matter with it."""

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
_TIME_LIMIT_S: Final = 1e14  # beyond, seconds in a float run together


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the readings of a table.

    Attributes:
        valid: (n,) which readings can be true.
        reasons: why the others can't -> how many; each is counted once.
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
        """Judge readings, (n,) each.

        Args:
            time: epoch seconds; NaN where there is none.
            rssi_dbm: signal strengths.
            observer: who heard; where the peer is given too, nobody hears themselves.
            peer: who was heard.
            may_lack_peer: a reading need not say who was heard.
            odd_times: how many of the times are NaN for being no times.
        """
        valid = (np.abs(time) < _TIME_LIMIT_S) & is_rssi(rssi_dbm)
        own = None if observer is None or peer is None else same_names(observer, peer)
        lacks_peer = None if may_lack_peer or peer is None else peer.codes == UNKNOWN
        for fault in (own, lacks_peer):
            if fault is not None:
                valid = valid & ~fault
        tiny = is_rssi(rssi_dbm) & (rssi_dbm > -1)
        tiny &= bool(np.all(tiny | ~valid))  # one such reading may be, not all of a table
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
        told = describe(self.reasons)
        reason = max(self.reasons, key=lambda reason: self.reasons[reason], default="")
        known = rssi_dbm[np.isfinite(rssi_dbm)]
        remedy = {
            NO_TIME: "name the column of times",
            ODD_TIME: "write all times in one unit",
            NO_PEER: "name the column that says who was heard",
            NO_RSSI: "name the column of signal strengths",
            TINY_RSSI: "signal strengths are in another unit than dBm",
            UNKNOWN_RSSI: "the radio measured no signal strength",
            SELF: "name two different columns for who heard and who was heard",
        }.get(reason, "signal strengths are negative numbers of dBm")
        if reason == WRONG_RSSI and known.min() > 0:
            remedy = (
                "signal strengths are bytes without a sign; subtract 256 from each"
                if known.min() > 127 and known.max() < 256
                else "signal strengths are positive: they lack their minus sign, or are no dBm"
            )
        return f"none of its {len(rssi_dbm):,} readings can be used: {told}; {remedy}"


def describe(reasons: Mapping[str, int]) -> str:
    """Return counts by reason as one phrase: "3 without a time, 1 in which ..."."""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def same_names(left: Labels, right: Labels) -> Bools:
    """Return in which rows both columns have the same name."""
    place = {name: code for code, name in enumerate(right.names)}
    table = np.array([*(place.get(name, -2) for name in left.names), -2], dtype=np.int64)
    return np.asarray(table[left.codes] == right.codes)


def known_transmit_power(power_dbm: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Return transmit powers, NaN where they are none, and what was found out about them.

    A power of 0 dBm in all readings says that the radio gave none.
    """
    effect = "it is left out, so that distances are those of the average phone and less certain."
    told = np.isfinite(power_dbm)
    wrong = told & ~is_transmit_power(power_dbm)
    notes = []
    if wrong.any():
        notes.append(
            f"{int(wrong.sum()):,} readings tell {power_dbm[wrong][0]:g} dBm for the transmit "
            "power, which is none (127: not known; less than -50: a beacon's level at 1 m, such as "
            f"an iBeacon's -59); {effect}"
        )
        power_dbm, told = np.where(wrong, np.nan, power_dbm), told & ~wrong
    if told.any() and not power_dbm[told].any():
        notes.append(
            "The transmit power is 0 in every reading, which mostly means that it is not known; "
            f"{effect}"
        )
        power_dbm = np.where(told, np.nan, power_dbm)
    return power_dbm, tuple(notes)
