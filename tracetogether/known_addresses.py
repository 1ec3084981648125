"""Which token belongs to which Bluetooth address, for as long as that can be true.

After an exchange a phone knows the token of one address. Until the address or the token changes,
every later advertisement of that address comes from the same peer, so its level is one more reading
of that token. A phone can't see when a peer's token ends. So it counts the token's whole life from
the first time it had that token: the token may end earlier, but can't be valid for longer.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from math import inf
from typing import Final, Generic, TypeVar

from tracetogether.units import SECONDS_PER_MINUTE

MAX_ADDRESSES: Final = 4_096  # the addresses learned first are forgotten first
MAX_LATER_SCANS_A_MINUTE: Final = 150
"""With a minute's exchanges still fewer than MAX_PEOPLE_A_MINUTE: an authority believes no record
of a minute with more."""

Address = TypeVar("Address", bound=Hashable)
Token = TypeVar("Token", bound=Hashable)
About = TypeVar("About")


@dataclass(slots=True)
class _KnownToken(Generic[About]):
    about: About
    first_s: float
    heard_s: float  # when the level recorded last was heard


class KnownAddresses(Generic[Address, Token, About]):
    """The tokens of addresses nearby.

    Args:
        life_s: how long a token is valid.
        every_s: least time between two records of one token.

    >>> known = KnownAddresses[str, str, str](life_s=900.0, every_s=20.0)
    >>> known.learn("aa:bb", "token", "Pixel 3a", 0.0)
    >>> [known.due("aa:bb", now) for now in (5.0, 10.0, 25.0, 900.0)]
    ['Pixel 3a', None, 'Pixel 3a', None]
    """

    def __init__(self, *, life_s: float, every_s: float) -> None:
        self._life_s = life_s
        self._every_s = every_s
        self._token_of: dict[Address, Token] = {}  # learned last comes last
        self._tokens: dict[Token, _KnownToken[About]] = {}
        self._recent: deque[float] = deque(maxlen=MAX_LATER_SCANS_A_MINUTE)

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._token_of)

    def learn(
        self,
        address: Address,
        token: Token,
        about: About,
        now: float,
        heard_s: float | None = None,
    ) -> None:
        """Remember that ``address`` has ``token`` from now on, in place of an earlier one.

        Args:
            address: the peer's address.
            token: what it said in an exchange.
            about: what ``due`` returns for it.
            now: the time of the exchange, seconds.
            heard_s: when this phone heard the level that the exchange recorded, seconds; None if
                the peer heard it.
        """
        heard_s = -inf if heard_s is None else heard_s
        known = self._tokens.get(token)
        if known is None or not 0 <= now - known.first_s < self._life_s:
            self._tokens.pop(token, None)
            self._tokens[token] = _KnownToken(about, now, heard_s)
        else:
            known.about = about
            known.heard_s = max(known.heard_s, heard_s)
        self._token_of.pop(address, None)
        self._token_of[address] = token
        if len(self._token_of) > MAX_ADDRESSES:
            del self._token_of[next(iter(self._token_of))]
        if len(self._tokens) > MAX_ADDRESSES:
            del self._tokens[next(iter(self._tokens))]

    def due(self, address: Address, now: float) -> About | None:
        """Return whose level an advertisement of ``address`` gives, to be recorded now.

        Returns:
            What ``learn`` was given with the token. None if the address is unknown, its token may
            have expired, a level of that token was recorded less than ``every_s`` ago, or too much
            was recorded within the last minute.
        """
        token = self._token_of.get(address)
        known = None if token is None else self._tokens.get(token)
        if (
            known is None
            or not 0 <= now - known.first_s < self._life_s
            or now - known.heard_s < self._every_s
        ):
            return None
        recent = self._recent
        if len(recent) == recent.maxlen and 0 <= now - recent[0] < SECONDS_PER_MINUTE:
            return None
        recent.append(now)
        known.heard_s = now
        return known.about

    def recorded(self, address: Address, token: Token, heard_s: float | None) -> bool:
        """Return whether ``due`` gave this token for what was heard at ``heard_s``."""
        known = self._tokens.get(token)
        return (
            known is not None and known.heard_s == heard_s and self._token_of.get(address) == token
        )

    def forget_expired(self, now: float) -> None:
        """Forget all tokens that may have expired, with their addresses."""
        self._tokens = {
            token: known
            for token, known in self._tokens.items()
            if 0 <= now - known.first_s < self._life_s
        }
        self._token_of = {
            address: token for address, token in self._token_of.items() if token in self._tokens
        }

    def clear(self) -> None:
        """Forget everything."""
        self._token_of.clear()
        self._tokens.clear()
