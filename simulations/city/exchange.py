"""How a city is divided into shards, and what shards send to each other.

A shard owns the people from one number up to another. Only it reads and changes what they are:
infected, at home, tested. When it finds out something about other people, such as an infection, it
sends rows to the shard that owns them.

A shard is a generator. At each exchange it yields what it sends to each shard, and goes on with
what all shards sent to it. So it knows nothing of processes and clusters: its driver
carries the rows. All shards reach the same exchanges in the same order, because only the scenario
and the day decide whether there is one. One shard alone has nothing to send, and never stops.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bools, Ints

Answer = TypeVar("Answer")
Columns = tuple[npt.NDArray[Any], ...]
"""Rows in columns of the same length."""
Exchange = Generator[list[Columns], Sequence[Columns], Answer]
"""Yields rows for each shard, gets rows from each shard, and returns an answer."""


@dataclass(frozen=True, slots=True)
class OwnPeople:
    """The part of a city's people that one shard owns.

    Attributes:
        bounds: the first person of each shard, in order, and last the number of people.
        number: which shard this is, from 0.
    """

    bounds: tuple[int, ...]
    number: int

    @classmethod
    def all_of(cls, people: int) -> "OwnPeople":
        """Return the part of a shard that owns everybody."""
        return cls((0, people), 0)

    @property
    def low(self) -> int:
        """Return the first person of this shard."""
        return self.bounds[self.number]

    @property
    def high(self) -> int:
        """Return the person after the last one of this shard."""
        return self.bounds[self.number + 1]

    @property
    def shards(self) -> int:
        """Return the number of all shards."""
        return len(self.bounds) - 1

    def owns(self, people: Ints) -> Bools:
        """Return which people this shard owns."""
        return np.asarray((people >= self.low) & (people < self.high))

    def to_owners(self, people: Ints, *columns: npt.NDArray[Any]) -> Exchange[Columns]:
        """Send each row to the shard that owns its person.

        Args:
            people: one for each row.
            columns: the rows.

        Returns:
            The rows that were sent to this shard, in the order of the shards that sent them.
        """
        if self.shards == 1:
            return columns
        owner = np.searchsorted(self.bounds[1:-1], people, side="right")
        sent = []
        for shard in range(self.shards):
            rows = np.flatnonzero(owner == shard)
            sent.append(tuple(column[rows] for column in columns))
        return joined((yield sent))

    def to_first(self, *columns: npt.NDArray[Any]) -> Exchange[Columns]:
        """Send all rows to the first shard, which settles what concerns the whole city.

        Returns:
            The rows of all shards in the first shard, and no rows in others.
        """
        if self.shards == 1:
            return columns
        nothing = tuple(column[:0] for column in columns)
        return joined((yield [columns] + [nothing] * (self.shards - 1)))


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the rows of several parts, one behind the other."""
    return tuple(np.concatenate(same) for same in zip(*parts, strict=True))


class Stepper(Generic[Answer]):
    """A shard that is run from one exchange to the next.

    Args:
        shard: the generator.

    Attributes:
        answers: what the shard returned; empty while it runs.
    """

    def __init__(self, shard: Exchange[Answer]) -> None:
        self._shard = shard
        self._started = False
        self.answers: list[Answer] = []

    def step(self, received: Sequence[Columns] = ()) -> list[Columns] | None:
        """Run to the next exchange, and return what the shard sends; None at its end.

        Args:
            received: what each shard sent to this one; nothing in the first step.
        """
        try:
            if self._started:
                return self._shard.send(received)
            self._started = True
            return next(self._shard)
        except StopIteration as end:
            self.answers.append(end.value)
            return None


def even_bounds(people: int, shards: int) -> tuple[int, ...]:
    """Return bounds that divide people evenly; see ``OwnPeople``.

    >>> even_bounds(10, 3)
    (0, 3, 6, 10)
    """
    return tuple(people * shard // shards for shard in range(shards + 1))


def in_turn(shards: Sequence[Exchange[Answer]]) -> list[Answer]:
    """Run shards in this process, one after the other between exchanges."""
    steppers = [Stepper(shard) for shard in shards]
    sent = [stepper.step() for stepper in steppers]
    while (letters := [parts for parts in sent if parts is not None]) and len(letters) == len(sent):
        sent = [
            stepper.step([parts[number] for parts in letters])
            for number, stepper in enumerate(steppers)
        ]
    return [answer for stepper in steppers for answer in stepper.answers]
