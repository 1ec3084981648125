"""A protocol with its phones and its server, as attackers meet it.

A ``Deployment`` says what phones send, what those who hear it keep, what the diagnosed hand over,
and who learns what of it. The code of each protocol's folder does all of that; what differs here
are the secrets that phones and servers hold. All begins at midnight UTC.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Protocol, Self

import numpy as np

from simulations.streams import Streams
from tracetogether.crypto import hmac_sha256
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Floats, Ints

BEGIN: Final = 18_500 * SECONDS_PER_DAY  # 26 August 2020, 0:00 UTC
DAYS: Final = 14
END: Final = BEGIN + DAYS * SECONDS_PER_DAY
KEPT_S: Final = DAYS * SECONDS_PER_DAY
PUBLISHED_AFTER_S: Final = 2 * SECONDS_PER_HOUR
"""GAEN publishes a day's key 2 h after its end; all others are published at the same moment."""
LISTENER: Final = -1
"""The number of an observer who is no phone of the protocol, such as an attacker's receiver."""


@dataclass(frozen=True, slots=True)
class TokensHeard:
    """Tokens that went from phone to phone, n rows.

    Attributes:
        observer: (n,) number of the phone that heard, or LISTENER.
        sender: (n,) number of the phone whose token it was.
        sent: (n,) when the sender's phone sent it, epoch seconds.
        heard: (n,) when it was heard, by the clock of the observer.
        rssi_dbm: (n,) how strong.
    """

    observer: Ints
    sender: Ints
    sent: Floats
    heard: Floats
    rssi_dbm: Floats

    @classmethod
    def of(
        cls,
        observer: Ints | int,
        sender: Ints | int,
        sent: Floats,
        heard: Floats | None = None,
        rssi_dbm: Floats | float = -60.0,
    ) -> Self:
        """Return the rows; one number stands for a whole column, and all is heard as it is sent."""
        count = len(sent)
        whole = np.asarray(sent, dtype=np.float64)
        return cls(
            np.broadcast_to(np.asarray(observer, dtype=np.int64), count),
            np.broadcast_to(np.asarray(sender, dtype=np.int64), count),
            whole,
            whole if heard is None else np.asarray(heard, dtype=np.float64),
            np.broadcast_to(np.asarray(rssi_dbm, dtype=np.float64), count),
        )

    @classmethod
    def concat(cls, parts: Sequence["TokensHeard"]) -> Self:
        """Return the rows of all ``parts``."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def both_ways(self) -> "TokensHeard":
        """Return these rows, and that at the same moment the senders heard the observers."""
        other = TokensHeard(self.sender, self.observer, self.heard, self.sent, self.rssi_dbm)
        return TokensHeard.concat([self, other])

    def __len__(self) -> int:
        return len(self.sent)


class Deployment(Protocol):
    """Phones with the numbers 0 to n - 1, and their server."""

    token_s: float
    """How long a phone sends the same token, seconds."""

    def tokens(self, sender: Ints, sent: Floats) -> list[str]:
        """Return what phones send at given times, as text that a receiver writes down."""
        ...

    def next_change(self, phone: int, after: float) -> float:
        """Return when a phone next changes its token, epoch seconds."""
        ...

    def log(self, heard: TokensHeard) -> Sightings:
        """Return what observers keep; their numbers are the names of ``observer``."""
        ...

    def hand_over(
        self,
        ill: Sequence[int],
        log: Sightings,
        *,
        since: float,
        until: float,
        published: float,
        at_once: bool = False,
    ) -> None:
        """Let diagnosed people report [since, until), and the server publish at ``published``.

        Args:
            ill: numbers of phones.
            log: what all phones heard.
            since: first second of what is reported.
            until: end of it.
            published: when the server publishes.
            at_once: whether it also publishes what phones still send, where its rule is to wait.
        """
        ...

    def warned(self, log: Sightings) -> Sightings:
        """Return the readings that warn a phone: ``observer`` is that phone, ``peer`` the case.

        Args:
            log: what all phones heard.
        """
        ...

    def recognised(self, archive: Sightings) -> Sightings:
        """Return the rows of a listener's archive that public values name; a pseudonym is the peer.

        Where nothing is public this is none of them.
        """
        ...

    def opened(self, archive: Sightings) -> Sightings:
        """Return the rows of an archive whose phone the server's secrets name, as the peer."""
        ...

    def opened_without_keys(self, archive: Sightings) -> Sightings:
        """Return the rows that a thief names who has the server's tables and none of its keys."""
        ...

    def learnt(self, phone: int, log: Sightings) -> list[Floats]:
        """Return what a user with a changed app learns of the reports: times that belong together.

        Args:
            phone: the user's.
            log: what all phones heard.

        Returns:
            Times of readings, one array for each case or pseudonym that the user can tell apart.
        """
        ...

    def met(self, first: int, second: int, log: Sightings, now: float) -> int:
        """Return how many readings of each other two seized phones confirm.

        Args:
            first: number of a phone whose storage is read at ``now``.
            second: number of the other.
            log: what the two heard of each other, and nothing else.
            now: epoch seconds.
        """
        ...

    def tagged(self, phone: int, times: Floats, tag: bytes) -> list[str]:
        """Return what a phone sends whose server wants outsiders with ``tag`` to recognise it."""
        ...

    def carries_tag(self, token: str, tag: bytes) -> bool:
        """Return whether an outsider with the key ``tag`` takes a token for a tagged one."""
        ...

    def contacts_learnt(self) -> set[tuple[int, int]]:
        """Return (case, person) of each contact that the server reads in the reports."""
        ...

    def forged(self, ill: int, times: Floats) -> list[str]:
        """Return what anybody can compute of what ``ill`` sends at times, from public values.

        Returns:
            One token for each time, "" where nobody can compute it.
        """
        ...

    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows of an archive that a thief of a phone recognises as sent by it.

        Args:
            phone: whose storage the thief reads at ``now``.
            archive: what receivers wrote down.
            now: when the phone is seized, epoch seconds.
        """
        ...


@dataclass
class DayTokens(ABC):
    """Tokens of phones, made once for each phone and day.

    Attributes:
        streams: where all secrets come from.
        phones: how many phones.
        days: for how many days.
    """

    streams: Streams
    phones: int
    days: int = DAYS
    token_s: float = 900
    _made: dict[tuple[int, int], list[str]] = field(default_factory=dict, repr=False)

    def tokens(self, sender: Ints, sent: Floats) -> list[str]:
        """Return what phones send at given times, as text that a receiver writes down."""
        day, second = np.divmod(sent - BEGIN, SECONDS_PER_DAY)
        place = (second // self.token_s).astype(np.int64)
        rows = zip(sender.tolist(), day.astype(int).tolist(), place.tolist(), strict=True)
        return [self._of_day(phone, of_day)[slot] for phone, of_day, slot in rows]

    def next_change(self, phone: int, after: float) -> float:
        """Return the first second at which a phone's token differs from that at ``after``."""

        def token(time: float) -> str:
            return self.tokens(np.array([phone]), np.array([time]))[0]

        now, same, other = token(after), after, after + self.token_s
        while other - same > 1:
            middle = same + (other - same) // 2
            same, other = (middle, other) if token(middle) == now else (same, middle)
        return other

    def log(self, heard: TokensHeard) -> Sightings:
        """Return what observers keep; their numbers are the names of ``observer``."""
        return heard_log(heard, self.tokens(heard.sender, heard.sent))

    def opened_without_keys(self, archive: Sightings) -> Sightings:
        """Return what the server itself names: it has no keys."""
        return self.opened(archive)

    def learnt(self, phone: int, log: Sightings) -> list[Floats]:
        """Return the times of readings by pseudonym: the phone itself compares, and sees all."""
        warned = of_phones(self.warned(log), [phone])
        return [
            warned.time[warned.peer.codes == code] for code in np.unique(warned.peer.codes).tolist()
        ]

    def met(self, first: int, second: int, log: Sightings, now: float) -> int:
        """Return how many readings of one follow from what the other phone holds of its own."""
        return sum(
            len(self.own_past(own, of_phones(log, [other]), now))
            for own, other in ((first, second), (second, first))
        )

    def tagged(self, phone: int, times: Floats, tag: bytes) -> list[str]:
        """Return the same as ever: a phone takes nothing of its token from a server."""
        del tag
        return self.tokens(np.full(len(times), phone), times)

    def carries_tag(self, token: str, tag: bytes) -> bool:
        """Return whether the last half of a token is the keyed digest of the one before it."""
        return bears_mark(bytes.fromhex(token), tag)

    @abstractmethod
    def warned(self, log: Sightings) -> Sightings:
        """Return the readings that warn a phone."""

    @abstractmethod
    def opened(self, archive: Sightings) -> Sightings:
        """Return the rows of an archive whose phone the server's secrets name."""

    @abstractmethod
    def own_past(self, phone: int, archive: Sightings, now: float) -> Sightings:
        """Return the rows of an archive that a thief of a phone recognises as sent by it."""

    def _of_day(self, phone: int, day: int) -> list[str]:
        made = self._made.get((phone, day))
        if made is None:
            if not (0 <= phone < self.phones and 0 <= day < self.days):
                raise ValueError(f"phone {phone} of {self.phones}, day {day} of {self.days}")
            made = self._made[phone, day] = self._make(phone, day)
        return made

    def _make(self, phone: int, day: int) -> list[str]:
        """Return all tokens of a phone's day; a class with its own ``tokens`` needs none."""
        raise NotImplementedError

    def _secrets(self, name: str, count: int, width: int) -> np.typing.NDArray[np.uint8]:
        """Return ``count`` random secrets for each phone, (phones, count, width) uint8."""
        drawn = self.streams.entropy(name)(self.phones * count * width)
        return np.frombuffer(drawn, np.uint8).reshape(self.phones, count, width)


def marked(random: bytes, tag: bytes) -> bytes:
    """Return random bytes and as many of their keyed digest: only ``tag`` shows that they fit."""
    return random + hmac_sha256(tag, random)[: len(random)]


def bears_mark(value: bytes, tag: bytes) -> bool:
    """Return whether the last 16 bytes were made by ``marked`` with this key."""
    return marked(value[-16:-8], tag) == value[-16:]


def heard_log(heard: TokensHeard, tokens: Sequence[str]) -> Sightings:
    """Return a log of all observers; who heard is named by number."""
    observers, code = np.unique(heard.observer, return_inverse=True)
    return Sightings.from_log(
        time=heard.heard.astype(np.float64),
        observer=Labels(code.astype(np.int32), tuple(str(each) for each in observers.tolist())),
        peer=Labels.encode(tokens),
        rssi_dbm=np.array(heard.rssi_dbm, dtype=np.float64),
        tx_power_dbm=np.full(len(tokens), np.nan),
    )


def nothing_of(log: Sightings) -> Sightings:
    """Return none of the rows."""
    return log.take(np.empty(0, np.int64))


def numbers_of(labels: Labels) -> Ints:
    """Return the numbers of the phones that labels name, -1 for another name and for none."""
    known = [int(name) if name.isdecimal() else LISTENER for name in labels.names]
    table = np.array([*known, LISTENER], dtype=np.int64)
    return table[labels.codes]


def of_phones(log: Sightings, phones: Sequence[int]) -> Sightings:
    """Return the rows that these phones heard."""
    return log.take(np.isin(numbers_of(log.observer), np.asarray(phones, dtype=np.int64)))
