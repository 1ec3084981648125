"""The records in all phones' contact logs, in columns."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from simulations.phones.token_sources import HeardColumns, TokenSource
from tracetogether.contactlog import MemoryContactLog
from tracetogether.sighting_writer import MAX_SIGHTINGS_PER_MINUTE
from tracetogether.sightings import Sighting
from tracetogether.units import Bools, Bytes2D, Floats, Ints

_MINUTE_S: Final = 60


class RecordColumns:
    """Collects records; ``token_s`` is a time at which the peer's TempID was in use.

    Attributes:
        unbelieved: number of records that ``columns`` left out, since a device accepts at most
            MAX_SIGHTINGS_PER_MINUTE of exchanges.
    """

    def __init__(self) -> None:
        self.unbelieved = 0
        self._rows: list[tuple[int, float, int, float, float, bool, bool]] = []
        self._parts: list[tuple[Ints, Floats, Ints, Floats, Floats, Bools]] = []

    def add(
        self,
        phone: int,
        now: float,
        peer: int,
        token_s: float,
        rssi_dbm: float,
        *,
        as_central: bool,
        by_exchange: bool = True,
    ) -> None:
        """Add one record, of an exchange or of a later scan."""
        self._rows.append((phone, now, peer, token_s, rssi_dbm, as_central, by_exchange))

    def extend(
        self, phone: Ints, time_s: Floats, peer: Ints, token_s: Floats, rssi_dbm: Floats
    ) -> None:
        """Add n records of phones that read without a connection."""
        read = np.ones(len(phone), dtype=np.bool_)
        self._parts.append((phone, time_s, peer, token_s, rssi_dbm, read))

    def columns(
        self, recorded: Callable[[HeardColumns], Bools] | None = None
    ) -> tuple[Ints, Floats, Ints, Floats, Floats, Bools]:
        """Return phone, time, peer, token time, RSSI and side, in order of phone and time.

        Args:
            recorded: returns which tokens leave a record; None if all do.
        """
        # Floats hold whole numbers up to 2**53 exactly.
        rows = np.array(self._rows, dtype=np.float64).reshape(-1, 7)
        parts = [tuple(rows.T), *self._parts]
        columns = [np.concatenate([part[place] for part in parts]) for place in range(6)]
        if recorded is not None:
            phone, time, peer, sent = columns[:4]
            heard = HeardColumns(phone.astype(np.int64), peer.astype(np.int64), time, sent)
            leaves = recorded(heard)
            rows = rows[leaves[: len(rows)]]
            columns = [column[leaves] for column in columns]
        order = np.lexsort((columns[1], columns[0]))
        limited = np.ones(len(order), dtype=np.bool_)
        limited[: len(rows)] = rows[:, 6] > 0
        said = np.flatnonzero(limited[order])
        phone, time = columns[0][order[said]], columns[1][order[said]]
        kept = np.ones(len(order), dtype=np.bool_)
        kept[said] = believed(phone.astype(np.int64), time)
        self.unbelieved = int((~kept).sum())
        order = order[kept]
        phone, time, peer, token_s, rssi_dbm, as_central = (column[order] for column in columns)
        return (
            phone.astype(np.int64),
            time,
            peer.astype(np.int64),
            token_s,
            rssi_dbm,
            as_central.astype(np.bool_),
        )


def believed(phone: Ints, time_s: Floats) -> Bools:
    """Return (n,) which records a device keeps: at most MAX_SIGHTINGS_PER_MINUTE in any minute.

    Args:
        phone: (n,) whose record, ascending.
        time_s: (n,) when, ascending within a phone.
    """
    kept = np.ones(len(phone), dtype=np.bool_)
    most = MAX_SIGHTINGS_PER_MINUTE
    close = (time_s[most:] - time_s[:-most] < _MINUTE_S) & (phone[most:] == phone[:-most])
    for busy in np.unique(phone[most:][close]).tolist():
        recent: deque[float] = deque(maxlen=most)
        begin, end = np.searchsorted(phone, [busy, busy + 1]).tolist()
        for row, at_s in enumerate(time_s[begin:end].tolist(), start=begin):
            if len(recent) == most and at_s - recent[0] < _MINUTE_S:
                kept[row] = False
            else:
                recent.append(at_s)
    return kept


@dataclass(frozen=True, slots=True)
class ContactLogs(Mapping[int, MemoryContactLog]):
    """All contact logs of a crowd in columns of n records, in order of phone and time.

    As a mapping, it makes a person's log from the columns.

    Attributes:
        app: (a,) the people with the app, ascending.
        first: (a + 1,) where each person's records begin.
        time: (n,) epoch seconds.
        peer: (n,) person whose token it truly was.
        sent: (n,) a time at which the peer had this token in use, epoch seconds.
        token: (n,) row in ``tokens``.
        rssi_dbm: (n,) signal strength as recorded.
        as_central: (n,) whether this phone read the token; otherwise the peer wrote it.
        tokens: (t, width) texts of the tokens heard, ASCII.
        model: phone model of each person.
        advertised_dbm: (P,) transmit power that each phone advertises; NaN where it has none.
        organisation: (P,) each one's authority; "" if the protocol has none.
        version: of the protocol.
        token_tells_power: whether a token states the power too, and not the radio alone.
        tells_model: whether a record names the peer's model.
    """

    app: Ints
    first: Ints
    time: Floats
    peer: Ints
    sent: Floats
    token: Ints
    rssi_dbm: Floats
    as_central: Bools
    tokens: Bytes2D = field(repr=False)
    model: Sequence[str]
    advertised_dbm: Floats
    organisation: Sequence[str]
    version: int
    token_tells_power: bool
    tells_model: bool

    def spoken_in(self, source: TokenSource, sent: Floats, advertised_dbm: Floats) -> "ContactLogs":
        """Return the same records with the tokens of another protocol.

        Args:
            source: of the tokens.
            sent: (n,) a time at which the peer had its token in use, epoch seconds.
            advertised_dbm: (P,) transmit power that each phone's radio states; NaN for none.
        """
        texts, token = source.logged(HeardColumns(self.owner, self.peer, self.time, sent))
        if source.power_dbm is not None:
            advertised_dbm = np.full(len(advertised_dbm), source.power_dbm)
        elif not source.tells_power:
            advertised_dbm = np.full(len(advertised_dbm), np.nan)
        return replace(
            self,
            sent=sent,
            token=token,
            tokens=texts,
            advertised_dbm=advertised_dbm,
            organisation=("",) * len(self.model),
            version=source.version,
            token_tells_power=source.power_dbm is not None,
            tells_model=False,
        )

    def __len__(self) -> int:
        return len(self.app)

    def __iter__(self) -> Iterator[int]:
        return iter(self.app.tolist())

    def __getitem__(self, person: int) -> MemoryContactLog:
        return MemoryContactLog.of(self.rows(person))

    @property
    def owner(self) -> Ints:
        """Return (n,) the person in whose log each record is."""
        return np.repeat(self.app, np.diff(self.first))

    @property
    def tx_power_dbm(self) -> Floats:
        """Return (n,) recorded transmit powers; NaN where the phone learned none."""
        return np.where(self.power_known, self.advertised_dbm[self.peer], np.nan)

    @property
    def power_known(self) -> Bools:
        """Return (n,) whether a record can hold the power: by reading, or by the token."""
        return np.asarray(self.as_central | self.token_tells_power)

    def span(self, person: int) -> slice:
        """Return the rows of ``person``'s records.

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
        powers = self.tx_power_dbm[mine]
        return [
            Sighting(
                time=time,
                peer=bytes(self.tokens[token]).decode("ascii"),
                rssi_dbm=rssi,
                tx_power_dbm=power,
                peer_model=self.model[peer] if self.tells_model else None,
                observer_model=own,
                organisation=self.organisation[peer],
                version=self.version,
                as_central=central,
            )
            for time, peer, token, rssi, power, central in zip(
                self.time[mine].tolist(),
                self.peer[mine].tolist(),
                self.token[mine].tolist(),
                self.rssi_dbm[mine].tolist(),
                (None if np.isnan(dbm) else dbm for dbm in powers.tolist()),
                self.as_central[mine].tolist(),
                strict=True,
            )
        ]

    def canonical(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Yield each person's records as texts of all their fields, in order."""
        texts = [bytes(row).decode("ascii") for row in self.tokens]
        power = ["None" if np.isnan(dbm) else str(dbm) for dbm in self.advertised_dbm.tolist()]
        rssi = {dbm: str(dbm) for dbm in np.unique(self.rssi_dbm).tolist()}
        version = str(self.version)
        peer_model = [str(name if self.tells_model else None) for name in self.model]
        columns = (self.time, self.token, self.peer, self.rssi_dbm, self.as_central)
        time, token, peer, rssi_dbm, central = (column.tolist() for column in columns)
        known = self.power_known.tolist()
        bounds = self.first.tolist()
        for place, person in enumerate(self.app.tolist()):
            own = str(self.model[person])
            yield (
                person,
                sorted(
                    (
                        f"{time[row]:.6f}",
                        texts[token[row]],
                        rssi[rssi_dbm[row]],
                        power[peer[row]] if known[row] else "None",
                        peer_model[peer[row]],
                        own,
                        self.organisation[peer[row]],
                        version,
                        str(central[row]),
                    )
                    for row in range(bounds[place], bounds[place + 1])
                ),
            )
