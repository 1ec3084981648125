"""A script of meetings, for whatever drives phones: who is where when, and what must be recorded.

Bob comes to ann, stays, and leaves; cat comes meanwhile and stays. All get new TempIDs twice.
`FULL` lasts 36 s. `SHORT` is the same in 12 s, for drivers that run at the speed of a real clock.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from simulations.radio.channel import direct_loss_db
from tests.radio_world import NOW
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.contactlog import ContactLog
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, TIMINGS, PhoneTimings

START: Final = NOW
TX_POWER_DBM: Final = 0.0
FLOOR_DBM: Final = -75.0
BREAKPOINT_M, BEYOND_EXPONENT = 10.0, 3.0
NAMES: Final = ("ann", "bob", "cat")
WITHIN_DB: Final = 2.5
"""How far recorded levels may differ: whole decibels, phones that differ in height by 25 cm, and
the 1 dB of the mock."""
ONE_SIDED: Final = 4
"""Exchanges of a pair that only the central may have. Two phones that connect to each other at
once share one link, and the first to finish ends it before the other has written."""
ALONE: Final = 2
"""Exchanges of those without any record of the other phone within a round of scanning: its attempt
ended before it had read, or the script ended first."""


@dataclass(frozen=True, slots=True)
class Met:
    """A record of a contact log, with the TempID opened.

    Attributes:
        observer, peer: by name.
        window: which of the peer's TempIDs.
        at_s: seconds after the start.
        rssi_dbm, as_central: as recorded.
    """

    observer: str
    peer: str
    window: int
    at_s: float
    rssi_dbm: float
    as_central: bool


@dataclass(frozen=True)
class Script:
    """Where three people are over time, and how much the drivers may differ.

    Attributes:
        times_s: shape (8,), seconds after the start. They are within reach (about 30 m) while they
            are near: ann and bob from between the 2nd and 3rd time until between the 6th and 7th.
        validity_s: of a TempID.
        rhythm: of the phones.
        round_s: the longest round of scanning with its pause.
        within_s: how late a record may be: a round of scanning, the rest that a peer is given, and
            a connection (0.1 s on the bumble link, 0.3 s on D-Bus, up to 2.6 s on a simulated
            phone).
        per_pair: least and most exchanges a second of a pair in reach, and one more for each new
            TempID, which comes with a new address. Either phone begins one after each rest.
    """

    times_s: tuple[float, ...]
    validity_s: int
    rhythm: PhoneTimings
    round_s: float
    within_s: float
    per_pair: tuple[float, float]
    places_m: dict[str, tuple[float, ...]] = field(
        default_factory=lambda: {
            "ann": (0.0,) * 8,
            "bob": (60.0, 60.0, 1.0, 1.0, 1.0, 1.0, 60.0, 60.0),
            "cat": (-60.0, -60.0, -60.0, -60.0, -3.0, -3.0, -3.0, -3.0),
        }
    )

    @property
    def length_s(self) -> float:
        """Seconds from the start to the end."""
        return self.times_s[-1]

    def batches(self) -> dict[str, TempIDBatch]:
        """Issue each person's TempIDs."""
        issuer = TempIDIssuer(
            KeyRing.generate(START - 86_400),
            parameters=replace(BLUETRACE, validity_s=self.validity_s, early_start_s=0),
        )
        count = int(self.length_s / self.validity_s) + 2
        return {name: issuer.issue(name.ljust(28, "A"), START, count) for name in NAMES}

    def place_m(self, name: str, at_s: float) -> float:
        """Return where somebody is, on a line."""
        return float(np.interp(at_s, self.times_s, self.places_m[name]))

    def level_dbm(self, a: str, b: str, at_s: float) -> float | None:
        """Return the level of one phone at another; None beyond reach."""
        distance_m = max(abs(self.place_m(a, at_s) - self.place_m(b, at_s)), 0.1)
        loss_db = float(direct_loss_db(np.array([distance_m]), BREAKPOINT_M, BEYOND_EXPONENT)[0])
        level = TX_POWER_DBM - loss_db
        return level if level >= FLOOR_DBM else None

    def in_reach_s(self, a: str, b: str) -> tuple[float, float]:
        """Return from when until when two phones reach each other."""
        grid = np.arange(0.0, self.length_s, 0.1)
        within = [at for at in grid if self.level_dbm(a, b, at) is not None]
        return float(within[0]), float(within[-1])

    def check(self, name: str, found: Iterable[Met]) -> None:
        """Hold a driver's contact logs to the script; two that pass agree with each other."""
        rows = list(found)
        for first, second in (("ann", "bob"), ("ann", "cat"), ("bob", "cat")):
            begin, end = self.in_reach_s(first, second)
            windows = set(range(int(begin // self.validity_s), int(end // self.validity_s) + 1))
            for observer, peer in ((first, second), (second, first)):
                pair = [row for row in rows if (row.observer, row.peer) == (observer, peer)]
                where = f"{name}: {observer}'s record of {peer}: {pair}"
                assert {row.window for row in pair} == windows, where
                assert begin - 0.2 <= pair[0].at_s <= begin + self.within_s, where
                assert end - self.within_s <= pair[-1].at_s <= end + self.within_s / 2, where
                least, most = (rate * (end - begin) for rate in self.per_pair)
                assert least <= len(pair) <= most + len(windows), (where, least, most)
                for row in pair:
                    self._check_row(name, row)
            # Every exchange is on both sides, with the level that the central heard.
            exchanges = [row for row in rows if {row.observer, row.peer} == {first, second}]
            central = Counter(row.rssi_dbm for row in exchanges if row.as_central)
            peripheral = Counter(row.rssi_dbm for row in exchanges if not row.as_central)
            assert not peripheral - central, (name, exchanges)
            assert (central - peripheral).total() <= ONE_SIDED, (name, exchanges)
            alone = [row for row in exchanges if row.as_central and not self._met(row, exchanges)]
            assert len(alone) <= ALONE, (name, alone, exchanges)

    def _check_row(self, name: str, row: Met) -> None:
        # The level is heard before the connection, the token is read after it.
        heard = np.arange(row.at_s - self.within_s / 2, row.at_s + 0.2, 0.1)
        levels = [self.level_dbm(row.observer, row.peer, at) for at in heard]
        known = [level for level in levels if level is not None]
        assert min(known) - WITHIN_DB <= row.rssi_dbm <= max(known) + WITHIN_DB, (row, name)
        window_begin = row.window * self.validity_s
        assert window_begin <= row.at_s, row
        assert row.at_s <= window_begin + self.validity_s + self.within_s / 2, row

    def _met(self, row: Met, exchanges: Sequence[Met]) -> bool:
        """Say whether the other phone recorded this one at about that time."""
        return any(
            other.observer == row.peer and abs(other.at_s - row.at_s) <= self.round_s
            for other in exchanges
        )


FULL: Final = Script(
    times_s=(0.0, 2.0, 5.0, 15.0, 18.0, 22.0, 25.0, 36.0),
    validity_s=14,
    rhythm=replace(
        TIMINGS,
        scan_s=2.0,
        scan_pause_min_s=0.1,
        scan_pause_max_s=0.5,
        connection_timeout_s=4.0,
        queue_max_s=2.0,
        blacklist_s=2.0,
        refresh_check_s=1.0,
        change_s=0.15,  # as 10 s are to a TempID of a quarter of an hour
    ),
    round_s=2.5,
    within_s=7.0,
    per_pair=(0.1, 1.0),
)
SHORT: Final = Script(
    times_s=(0.0, 0.5, 1.5, 5.0, 6.0, 7.5, 8.5, 12.0),
    validity_s=5,
    rhythm=replace(
        FULL.rhythm,
        scan_s=0.5,
        scan_pause_max_s=0.2,
        connection_timeout_s=2.0,
        queue_max_s=0.5,
        blacklist_s=0.5,
        refresh_check_s=0.3,
    ),
    round_s=1.2,
    within_s=2.5,
    per_pair=(0.3, 3.0),
)


def met(batches: dict[str, TempIDBatch], logs: dict[str, ContactLog]) -> list[Met]:
    """Return what the phones recorded, by time, with each TempID's owner and number."""
    owners = {
        tempid.text: (name, window)
        for name, batch in batches.items()
        for window, tempid in enumerate(batch)
    }
    found = [
        Met(observer, *owners[row.peer], row.time - START, row.rssi_dbm, row.as_central)
        for observer, log in logs.items()
        for row in log.rows()
    ]
    return sorted(found, key=lambda record: record.at_s)
