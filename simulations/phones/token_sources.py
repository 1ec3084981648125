"""Where the tokens of a crowd come from, under any protocol but BlueTrace.

A source serves both fidelities: it makes the ``Exchange`` of a phone object, and the same tokens
for all phones in columns. Both draw each secret from a stream of its own, named after the phone
and the number of the time that the secret serves. So no order of calls matters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from simulations.streams import Streams
from tracetogether.diagnosis import AfterDiagnosis
from tracetogether.exchange import Advertisement, Exchange
from tracetogether.sightings import Sightings
from tracetogether.units import Bools, Bytes2D, Entropy, Floats, Ints


@dataclass(frozen=True, slots=True)
class TokenDraws:
    """What the tokens of a run depend on.

    Attributes:
        protocol: name of the protocol.
        streams: the run's random draws.
        app: (a,) people with the app, ascending.
        begin_s, end_s: begin and end of the run, epoch seconds.
        advertised_dbm: transmit power that phones state at this radio.
    """

    protocol: str
    streams: Streams
    app: Ints
    begin_s: float
    end_s: float
    advertised_dbm: float

    def entropy(self, person: int, number: int) -> Entropy:
        """Return the random bytes of a phone for the ``number``-th day, window or epoch."""
        return self.streams.entropy("tokens", self.protocol, person, number)

    def numbers(self, length_s: int) -> range:
        """Return the numbers of all days, windows or epochs that the run touches."""
        return range(int(self.begin_s // length_s), int(self.end_s // length_s) + 1)


class ClockedEntropy:
    """The random bytes of one phone, from the stream of the time that its clock shows.

    Args:
        draws: the run's draws.
        person: whose phone.
        length_s: length of a day, window or epoch.
        clock: returns epoch seconds.
    """

    def __init__(
        self, draws: TokenDraws, person: int, length_s: int, clock: Callable[[], float]
    ) -> None:
        self._draws = draws
        self._person = person
        self._length_s = length_s
        self._clock = clock
        self._number: int | None = None
        self._stream: Entropy = bytes

    def __call__(self, count: int) -> bytes:
        """Return ``count`` bytes."""
        number = int(self._clock() // self._length_s)
        if number != self._number:
            self._number, self._stream = number, self._draws.entropy(self._person, number)
        return self._stream(count)


@dataclass(frozen=True, slots=True)
class HeardColumns:
    """n records of phones, in columns.

    Attributes:
        observer: (n,) who recorded.
        peer: (n,) whose token it was.
        time: (n,) when, epoch seconds.
        sent: (n,) a time at which the peer sent this token.
    """

    observer: Ints
    peer: Ints
    time: Floats
    sent: Floats


class TokenSource(Protocol):
    """The tokens of a crowd under one protocol."""

    version: int
    """Of the protocol, as records hold it."""

    tells_power: bool
    """Whether a record holds a transmit power: the radio's, or the token's if it states one."""

    power_dbm: float | None
    """Transmit power that the token states; None if it states none."""

    @property
    def after(self) -> AfterDiagnosis[Any, Any, Any]:
        """The three steps after a diagnosis."""
        ...

    def exchange(self, person: int, model: str, clock: Callable[[], float]) -> Exchange:
        """Return the exchange of a phone object.

        Args:
            person: who carries it.
            model: of the phone.
            clock: returns epoch seconds.
        """
        ...

    def changes_at(self, now: Floats) -> Floats:
        """Return (n,) when what is shown at n times has to be replaced, epoch seconds."""
        ...

    def logged(self, heard: HeardColumns) -> tuple[Bytes2D, Ints]:
        """Return (t, width) hexadecimal texts of the tokens in records, and (n,) each one's row."""
        ...

    def recorded(self, heard: HeardColumns) -> Bools:
        """Return (n,) which broadcast tokens leave a record, of those that phones heard."""
        ...

    def whole(self, shown: Advertisement) -> bytes:
        """Return what phones exchange in a connection, in place of what they would broadcast."""
        ...

    def heard_as(self, value: bytes) -> Sequence[tuple[str, bytes]]:
        """Return such a value as the advertisements that say the same: address, service data."""
        ...

    def secrets(self, person: int) -> Any:  # noqa: ANN401 - each protocol has its own
        """Return what a phone keeps of its own, for its report."""
        ...

    def people(self, reports: Mapping[int, Any], near: Sightings) -> tuple[Ints, Ints]:
        """Return (n,) whose phone recorded each reading that counts, and (n,) whom it heard.

        Args:
            reports: person -> report, in the order in which they were published.
            near: what ``after.near`` returned; observers are numbers of people, as text.
        """
        ...


class TokensByTime:
    """What sources share whose token depends on the phone and the time alone.

    Args:
        draws: what the tokens depend on.
        each_s: how long a phone shows one token.
    """

    version = 1
    tells_power = True
    power_dbm: float | None = None

    def __init__(self, draws: TokenDraws, each_s: int) -> None:
        self.draws = draws
        self._each_s = each_s
        self._first = int(draws.begin_s // each_s)
        self._count = int(draws.end_s // each_s) - self._first + 1

    def changes_at(self, now: Floats) -> Floats:
        """Return (n,) the ends of the tokens shown at n times, epoch seconds."""
        return np.asarray((np.floor_divide(now, self._each_s) + 1.0) * self._each_s)

    def token_index(self, phone: Ints, time: Floats) -> Ints:
        """Return (n,) a number of the token that each phone shows at a time (epoch seconds)."""
        number = np.floor_divide(time, self._each_s).astype(np.int64) - self._first
        return np.asarray(phone * self._count + number)

    def recorded(self, heard: HeardColumns) -> Bools:
        """Return (n,) True: each token is whole."""
        return np.ones(len(heard.time), dtype=np.bool_)

    def whole(self, shown: Advertisement) -> bytes:
        """Return the service data."""
        return shown.service_data

    def heard_as(self, value: bytes) -> Sequence[tuple[str, bytes]]:
        """Return the value as service data."""
        return [("", value)]

    def logged(self, heard: HeardColumns) -> tuple[Bytes2D, Ints]:
        """Return the texts of the tokens heard, each once, and each record's row."""
        index, row = np.unique(self.token_index(heard.peer, heard.sent), return_inverse=True)
        phone, number = np.divmod(index, self._count)
        return hexadecimal(self._tokens(phone, number + self._first)), row.reshape(-1)

    def _tokens(self, phone: Ints, number: Ints) -> Bytes2D:
        """Return the n tokens of phones at the ``number``-th times; by phone, then by number."""
        raise NotImplementedError


def hexadecimal(tokens: Bytes2D) -> Bytes2D:
    """Return (n, 2 * width) ASCII codes of the hexadecimal text of each token.

    >>> hexadecimal(np.array([[1, 254]], dtype=np.uint8)).tobytes()
    b'01fe'
    """
    text = np.frombuffer(np.ascontiguousarray(tokens).tobytes().hex().encode(), np.uint8)
    return text.reshape(len(tokens), 2 * tokens.shape[1])


def by_pseudonym(pseudonyms: Mapping[str, int], near: Sightings) -> tuple[Ints, Ints]:
    """Return (n,) observers and (n,) peers of readings; peers are pseudonyms of people."""
    observer = near.observer.numbers({name: int(name or 0) for name in near.observer.names})
    return observer, near.peer.numbers(pseudonyms)
