"""Numbers of passes: computed from the day's key, never stored.

A number is a pseudorandom function of user, hour and place in the hour. Without the day's key
nobody can tell two numbers of one phone from numbers of two phones. With it the authority computes
again which numbers a person holds, for as long as the key exists.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from tracetogether.crypto import hmac_sha256
from tracetogether.healthcode.passes import NUMBER_BYTES
from tracetogether.keyring import KeyRing
from tracetogether.parameters import PASSES
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, utc_day

_SCREEN: Final = "pass"
_PAPER: Final = "paper-pass"


def hour_of(now: float) -> int:
    """Return the number of the hour that holds ``now`` (epoch seconds), since 1970."""
    return int(now // SECONDS_PER_HOUR)


def numbers_of_hours(
    keys: KeyRing, user_id: str, hours: Iterable[int]
) -> Iterator[tuple[int, bytes]]:
    """Return an iterator over (hour, number) of a user's passes, two for each hour.

    A number has 8 bytes: HMAC(key of the day, user / hour / place in the hour), cut.

    Raises:
        KeyRingError: the keys of a day were destroyed.
    """
    day, key = -1, b""
    for hour in hours:
        if utc_day(hour * SECONDS_PER_HOUR) != day:
            day = utc_day(hour * SECONDS_PER_HOUR)
            key = keys.day_key(_SCREEN, day)
        for place in range(PASSES.an_hour):
            message = f"{user_id}/{hour}/{place}".encode()
            yield hour, hmac_sha256(key, message)[:NUMBER_BYTES]


def paper_number(keys: KeyRing, user_id: str, day: int) -> bytes:
    """Return the number of the paper pass that a user gets on a UTC day, 8 bytes.

    Raises:
        KeyRingError: the keys of that day were destroyed.
    """
    return hmac_sha256(keys.day_key(_PAPER, day), user_id.encode())[:NUMBER_BYTES]


def numbers_still_valid(keys: KeyRing, user_id: str, now: float) -> Iterator[bytes]:
    """Return an iterator over the numbers of all passes that a user could still show.

    These are the passes of this hour and of all later ones of a batch, and papers of the last
    days. Numbers of passes that the user never fetched are among them: nothing is stored.
    """
    first = hour_of(now - PASSES.clock_skew_s)
    hours = range(first, hour_of(now) + PASSES.hours + 1)
    known = [hour for hour in hours if keys.has_day(utc_day(hour * SECONDS_PER_HOUR))]
    for _, number in numbers_of_hours(keys, user_id, known):
        yield number
    for day in range(utc_day(now - PASSES.paper_s), utc_day(now) + 1):
        if keys.has_day(day) and now < day * SECONDS_PER_DAY + SECONDS_PER_DAY + PASSES.paper_s:
            yield paper_number(keys, user_id, day)
