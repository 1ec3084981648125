"""What all phones wrote down, in columns: who, when, whom, under which TempID, how strongly."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tracetogether.bluetrace.payload import PROTOCOL_VERSION
from tracetogether.contactlog import MemoryContactLog
from tracetogether.sightings import Sighting
from tracetogether.units import Bools, Bytes2D, Floats, Ints


class RecordColumns:
    """Records as they come in; ``token_s`` is a time at which the peer's TempID was in use."""

    def __init__(self) -> None:
        self._phone = array("q")
        self._time = array("d")
        self._peer = array("q")
        self._token_s = array("d")
        self._rssi = array("d")
        self._central = array("b")

    def add(
        self,
        phone: int,
        now: float,
        peer: int,
        token_s: float,
        rssi_dbm: float,
        *,
        as_central: bool,
    ) -> None:
        """Write down one record."""
        self._phone.append(phone)
        self._time.append(now)
        self._peer.append(peer)
        self._token_s.append(token_s)
        self._rssi.append(rssi_dbm)
        self._central.append(as_central)

    def extend(
        self, phone: Ints, time_s: Floats, peer: Ints, token_s: Floats, rssi_dbm: Floats
    ) -> None:
        """Write down many records of phones that read without a connection."""
        self._phone.frombytes(np.ascontiguousarray(phone, dtype=np.int64).tobytes())
        self._time.frombytes(np.ascontiguousarray(time_s, dtype=np.float64).tobytes())
        self._peer.frombytes(np.ascontiguousarray(peer, dtype=np.int64).tobytes())
        self._token_s.frombytes(np.ascontiguousarray(token_s, dtype=np.float64).tobytes())
        self._rssi.frombytes(np.ascontiguousarray(rssi_dbm, dtype=np.float64).tobytes())
        self._central.frombytes(np.ones(len(phone), dtype=np.int8).tobytes())

    def columns(self) -> tuple[Ints, Floats, Ints, Floats, Floats, Bools]:
        """Return phone, time, peer, token time, RSSI and side, in order of phone and time."""
        phone = np.frombuffer(self._phone, dtype=np.int64)
        time = np.frombuffer(self._time, dtype=np.float64)
        order = np.lexsort((time, phone))
        return (
            phone[order],
            time[order],
            np.frombuffer(self._peer, dtype=np.int64)[order],
            np.frombuffer(self._token_s, dtype=np.float64)[order],
            np.frombuffer(self._rssi, dtype=np.float64)[order],
            np.frombuffer(self._central, dtype=np.int8)[order].astype(np.bool_),
        )


@dataclass(frozen=True, slots=True)
class ContactLogs(Mapping[int, MemoryContactLog]):
    """All contact logs of a crowd in columns, in order of phone and time; a log when asked for.

    Attributes:
        app: (a,) the people with the app, ascending.
        first: (a + 1,) where each one's records begin.
        time: (n,) epoch seconds.
        peer: (n,) whose TempID it truly was.
        token: (n,) row in ``tokens``.
        rssi_dbm: (n,) as written down.
        as_central: (n,) whether this phone read the TempID or was told it.
        tokens: (t, 84) texts of the TempIDs heard, ASCII.
        model: a name per person.
        advertised_dbm: (P,) transmit power that each phone advertises; NaN where it tells none.
        organisation: the authority.
    """

    app: Ints
    first: Ints
    time: Floats
    peer: Ints
    token: Ints
    rssi_dbm: Floats
    as_central: Bools
    tokens: Bytes2D = field(repr=False)
    model: Sequence[str]
    advertised_dbm: Floats
    organisation: str

    def __len__(self) -> int:
        return len(self.app)

    def __iter__(self) -> Iterator[int]:
        return iter(self.app.tolist())

    def __getitem__(self, person: int) -> MemoryContactLog:
        return MemoryContactLog.of(self.rows(person))

    @property
    def owner(self) -> Ints:
        """Return (n,) whose record each is."""
        return np.repeat(self.app, np.diff(self.first))

    @property
    def tx_power_dbm(self) -> Floats:
        """Return (n,) transmit powers as recorded: only who reads is told; NaN otherwise."""
        return np.where(self.as_central, self.advertised_dbm[self.peer], np.nan)

    def span(self, person: int) -> slice:
        """Return where ``person``'s records are.

        Raises:
            KeyError: ``person`` has no app.
        """
        at = int(np.searchsorted(self.app, person))
        if at == len(self.app) or self.app[at] != person:
            raise KeyError(person)
        return slice(int(self.first[at]), int(self.first[at + 1]))

    def rows(self, person: int) -> list[Sighting]:
        """Return ``person``'s records in order of time."""
        mine = self.span(person)
        own = self.model[person]
        powers = self.tx_power_dbm_of(mine)
        return [
            Sighting(
                time=time,
                peer=bytes(self.tokens[token]).decode("ascii"),
                rssi_dbm=rssi,
                tx_power_dbm=power,
                peer_model=self.model[peer],
                observer_model=own,
                organisation=self.organisation,
                version=PROTOCOL_VERSION,
                as_central=central,
            )
            for time, peer, token, rssi, power, central in zip(
                self.time[mine].tolist(),
                self.peer[mine].tolist(),
                self.token[mine].tolist(),
                self.rssi_dbm[mine].tolist(),
                powers,
                self.as_central[mine].tolist(),
                strict=True,
            )
        ]

    def tx_power_dbm_of(self, mine: slice) -> list[float | None]:
        """Return the recorded transmit powers of some records; None where none was told."""
        told = np.where(self.as_central[mine], self.advertised_dbm[self.peer[mine]], np.nan)
        return [None if np.isnan(one) else one for one in told.tolist()]
