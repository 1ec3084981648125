"""Later scans in columns: the records that phones make of addresses whose TempID they know.

A phone's exchanges and receptions are known before its next scan begins. So they are gone through
then, in order of time, with the memory that ``tracetogether.device`` uses too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from simulations.fidelities.record_columns import RecordColumns
from tracetogether.known_addresses import KnownAddresses
from tracetogether.parameters import BLUETRACE

_Token = tuple[int, ...]
_CROWDED: Final = 1_000  # known addresses of a phone, from which on expired ones are looked for


class Receptions(Protocol):
    """Receptions of a phone in order of time."""

    at_s: list[float]
    tx: list[int]
    name: list[int]
    rssi_dbm: list[float]


@dataclass(frozen=True, slots=True, order=True)
class Exchanged:
    """An exchange by which a phone gets a peer's TempID.

    Attributes:
        at_s: when, epoch seconds.
        name: the peer's address.
        peer: the peer.
        token_s: a time at which the peer's TempID was in use, epoch seconds.
        rssi_dbm: the level to record.
        heard_s: when the phone heard that level, epoch seconds; None if the peer heard it.
    """

    at_s: float
    name: int
    peer: int
    token_s: float
    rssi_dbm: float
    heard_s: float | None


class LaterScans:
    """What each of P phones records of exchanges and of later scans.

    Args:
        records: takes the records of all phones.
        every_s: P least times between two records of one TempID.
        token_of: returns the TempID that a phone had in use at a time (epoch seconds).
    """

    def __init__(
        self,
        records: RecordColumns,
        every_s: Sequence[float],
        token_of: Callable[[int, float], _Token],
    ) -> None:
        self._records = records
        self._token_of = token_of
        self._exchanges: list[list[Exchanged]] = [[] for _ in every_s]
        self._known = [
            KnownAddresses[int, _Token, tuple[int, float]](
                life_s=BLUETRACE.validity_s, every_s=seconds
            )
            for seconds in every_s
        ]

    def exchanged(self, phone: int, said: Exchanged) -> None:
        """Take an exchange of ``phone``, past or to come."""
        self._exchanges[phone].append(said)

    def play(self, phone: int, heard: Receptions, rows: range, until_s: float = inf) -> None:
        """Record the exchanges of ``phone`` before ``until_s`` and what it heard between them.

        Args:
            phone: whose exchanges and receptions.
            heard: its receptions.
            rows: those of its last scan, all before ``until_s``.
            until_s: epoch seconds.
        """
        exchanges = sorted(self._exchanges[phone])
        at_s, begin = heard.at_s, rows.start
        for number, said in enumerate(exchanges):
            if said.at_s >= until_s:
                self._exchanges[phone] = exchanges[number:]
                break
            end = begin
            while end < rows.stop and at_s[end] < said.at_s:
                end += 1
            self._hear(phone, heard, range(begin, end))
            begin = end
            self._learn(phone, said)
        else:
            self._exchanges[phone] = []
        self._hear(phone, heard, range(begin, rows.stop))

    def _hear(self, phone: int, heard: Receptions, rows: range) -> None:
        due, add = self._known[phone].due, self._records.add
        if not self._known[phone]:
            return
        for row in rows:
            known = due(heard.name[row], heard.at_s[row])
            if known is not None:
                add(
                    phone,
                    heard.at_s[row],
                    *known,
                    heard.rssi_dbm[row],
                    as_central=True,
                    by_exchange=False,
                )

    def _learn(self, phone: int, said: Exchanged) -> None:
        known = self._known[phone]
        token = self._token_of(said.peer, said.token_s)
        if known.recorded(said.name, token, said.heard_s):
            return
        self._records.add(
            phone,
            said.at_s,
            said.peer,
            said.token_s,
            said.rssi_dbm,
            as_central=said.heard_s is not None,
        )
        known.learn(said.name, token, (said.peer, said.token_s), said.at_s, said.heard_s)
        if len(known) > _CROWDED:
            known.forget_expired(said.at_s)
