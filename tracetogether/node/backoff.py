"""Pauses before a retry: each is twice the one before, up to a bound, with jitter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a node waits before it tries again, in seconds.

    Attributes:
        radio_s, radio_most_s: first and longest pause before a failed adapter is opened again.
        fetch_s, fetch_most_s: the same for a batch that could not be fetched.
        peer_s, peer_most_s: the same for a peer after a failed exchange.
        command_s: an adapter that needs longer for one command counts as wedged.
        look_up_s: the node reads the clock at least this often, to notice a leap.
    """

    radio_s: float = 1.0
    radio_most_s: float = 300.0
    fetch_s: float = 5.0
    fetch_most_s: float = 540.0
    peer_s: float = 1.0
    peer_most_s: float = 60.0
    command_s: float = 30.0
    look_up_s: float = 5.0


PAUSES: Final = Pauses()


@dataclass(slots=True)
class Backoff:
    """The pause before the next try of one thing.

    Jitter spreads the retries of many nodes, which would else all come at once.

    Attributes:
        first_s, most_s: the first and the longest pause, without jitter.
        chance: uniform numbers in [0, 1).
        pause_s: the last pause without jitter; 0 if nothing failed.
    """

    first_s: float
    most_s: float
    chance: Callable[[], float]
    pause_s: float = 0.0

    def next_s(self) -> float:
        """Return how long to wait now: half to one and a half of the doubled pause, in seconds."""
        self.pause_s = min(max(2 * self.pause_s, self.first_s), self.most_s)
        return self.pause_s * (0.5 + self.chance())

    def reset(self) -> None:
        """Begin with the first pause again."""
        self.pause_s = 0.0
