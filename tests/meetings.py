"""One script of meetings, for whatever drives phones: who stands where when, and what follows.

Bob comes to ann, stays, and leaves; cat comes meanwhile and stays. All hold new TempIDs twice.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simulations.radio.channel import direct_loss_db
from tests.radio_world import NOW
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.contactlog import ContactLog
from tracetogether.keyring import KeyRing
from tracetogether.parameters import BLUETRACE, TIMINGS

START: Final = NOW
VALIDITY_S: Final = 14
LENGTH_S: Final = 36.0
TX_POWER_DBM: Final = 0.0
FLOOR_DBM: Final = -75.0
BREAKPOINT_M, BEYOND_EXPONENT = 10.0, 3.0
NAMES: Final = ("ann", "bob", "cat")
TIMES_S: Final = np.array([0.0, 2.0, 5.0, 15.0, 18.0, 22.0, 25.0, LENGTH_S])
PLACES_M: Final = {
    "ann": np.zeros(len(TIMES_S)),
    "bob": np.array([60.0, 60.0, 1.0, 1.0, 1.0, 1.0, 60.0, 60.0]),
    "cat": np.array([-60.0, -60.0, -60.0, -60.0, -3.0, -3.0, -3.0, -3.0]),
}
"""On a line. Within reach, about 30 m: ann and bob from second 3.5 on until 23.5, bob and cat and
ann and cat from second 16.5 on, bob until 23.5."""

RHYTHM: Final = replace(
    TIMINGS,
    scan_s=2.0,
    scan_pause_min_s=0.1,
    scan_pause_max_s=0.5,
    connection_timeout_s=4.0,
    queue_max_s=2.0,
    blacklist_s=2.0,
    refresh_check_s=1.0,
    change_s=0.15,  # as 10 s are to a TempID of a quarter of an hour
)

# What the drivers may differ in.
WITHIN_DB: Final = 2.5  # whole decibels, phones that differ in height by 25 cm, the mock's 1 dB
WITHIN_S: Final = 7.0
"""A round of scanning (2.5 s), the rest that a peer is given (2 s), and a connection: 0.1 s on the
bumble link, 0.3 s on D-Bus, up to 2.6 s on a simulated phone."""
PER_PAIR: Final = (0.1, 1.0)
"""Exchanges a second of a pair in reach, and one more for each new TempID (it comes with a new
address): either of them begins one after each rest of 2 s at most, and they get one in two
rounds of scanning with the slowest connections at least."""

ONE_SIDED: Final = 4
"""Exchanges of a pair that only the central may have: two phones that connect to each other
at once share one link, and who is done first ends it before the other has written; so that either
side may lack its part."""

ALONE: Final = 2
"""Of those, without any record of the other phone's within a round of scanning: its own attempt
ended before it had read, or the end of the script cut it short."""

_ROUND_S: Final = 2.5


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


class Script:
    """The script with TempIDs issued for it."""

    def __init__(self) -> None:
        issuer = TempIDIssuer(
            KeyRing.generate(START - 86_400),
            parameters=replace(BLUETRACE, validity_s=VALIDITY_S, early_start_s=0),
        )
        count = int(LENGTH_S / VALIDITY_S) + 2
        self.batches: dict[str, TempIDBatch] = {
            name: issuer.issue(name.ljust(28, "A"), START, count) for name in NAMES
        }
        self._owners = {
            tempid.text: (name, window)
            for name, batch in self.batches.items()
            for window, tempid in enumerate(batch)
        }

    def met(self, logs: dict[str, ContactLog]) -> list[Met]:
        """Return what the phones wrote down, by time."""
        found = []
        for observer, log in logs.items():
            for row in log.rows():
                peer, window = self._owners[row.peer]
                found.append(
                    Met(observer, peer, window, row.time - START, row.rssi_dbm, row.as_central)
                )
        return sorted(found, key=lambda one: one.at_s)


def place_m(name: str, at_s: float) -> float:
    """Return where somebody is."""
    return float(np.interp(at_s, TIMES_S, PLACES_M[name]))


def level_dbm(a: str, b: str, at_s: float) -> float | None:
    """Return the level of one phone at another; None beyond reach."""
    distance_m = max(abs(place_m(a, at_s) - place_m(b, at_s)), 0.1)
    loss_db = float(direct_loss_db(np.array([distance_m]), BREAKPOINT_M, BEYOND_EXPONENT)[0])
    level = TX_POWER_DBM - loss_db
    return level if level >= FLOOR_DBM else None


def in_reach_s(a: str, b: str) -> tuple[float, float]:
    """Return from when until when two phones reach each other."""
    grid = np.arange(0.0, LENGTH_S, 0.1)
    there = [at for at in grid if level_dbm(a, b, at) is not None]
    return float(there[0]), float(there[-1])


def check(name: str, found: Iterable[Met]) -> None:
    """Hold the contact logs of one driver to the script; two that pass agree with each other."""
    rows = list(found)
    for first, second in (("ann", "bob"), ("ann", "cat"), ("bob", "cat")):
        begin, end = in_reach_s(first, second)
        windows = {int(begin // VALIDITY_S), int(end // VALIDITY_S)}
        windows |= set(range(min(windows), max(windows)))
        for observer, peer in ((first, second), (second, first)):
            pair = [row for row in rows if (row.observer, row.peer) == (observer, peer)]
            where = f"{name}: {observer}'s record of {peer}: {pair}"
            assert {row.window for row in pair} == windows, where
            assert begin - 0.2 <= pair[0].at_s <= begin + WITHIN_S, where
            assert end - WITHIN_S <= pair[-1].at_s <= end + WITHIN_S / 2, where
            least, most = (rate * (end - begin) for rate in PER_PAIR)
            assert least <= len(pair) <= most + len(windows), (where, least, most)
            for row in pair:
                # The level is heard before the connection, the token is read after it.
                heard = np.arange(row.at_s - WITHIN_S / 2, row.at_s + 0.2, 0.1)
                levels = [level_dbm(observer, peer, at) for at in heard]
                known = [level for level in levels if level is not None]
                assert min(known) - WITHIN_DB <= row.rssi_dbm <= max(known) + WITHIN_DB, (row, name)
                window_begin = row.window * VALIDITY_S
                assert window_begin <= row.at_s, row
                assert row.at_s <= window_begin + VALIDITY_S + WITHIN_S / 2, row
        # Every exchange is on both sides, with the level that the central heard.
        exchanges = [row for row in rows if {row.observer, row.peer} == {first, second}]
        central = Counter(row.rssi_dbm for row in exchanges if row.as_central)
        peripheral = Counter(row.rssi_dbm for row in exchanges if not row.as_central)
        assert not peripheral - central, (name, exchanges)
        assert (central - peripheral).total() <= ONE_SIDED, (name, exchanges)
        alone = [row for row in exchanges if row.as_central and not _answered(row, exchanges)]
        assert len(alone) <= ALONE, (name, alone, exchanges)


def _answered(row: Met, exchanges: Sequence[Met]) -> bool:
    """Say whether the other phone wrote something down of this one at about that time."""
    return any(
        one.observer == row.peer and abs(one.at_s - row.at_s) <= _ROUND_S for one in exchanges
    )
