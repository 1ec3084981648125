"""What follows exactly from how protocols are made: the expectations beside measured attacks."""

import math
from collections.abc import Mapping
from typing import Final

from simulations.attacks.deployment import DAYS
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

LINKED_S: Final[Mapping[str, float]] = {
    "bluetrace": 0,
    "robert": 0,
    "gaen": SECONDS_PER_DAY,
    "dp3t-low-cost": DAYS * SECONDS_PER_DAY,
    "dp3t-hybrid": 4 * SECONDS_PER_HOUR,
    "dp3t-hybrid-2h": 2 * SECONDS_PER_HOUR,
    "dp3t-unlinkable": 900,
    "tcn": 6 * SECONDS_PER_HOUR,
    "desire": 0,
}
"""For how long what is published joins a person's sightings, seconds."""

LAST_ACCEPTED_S: Final[Mapping[str, int | None]] = {
    "bluetrace": 900,
    "robert": 180,
    "gaen": 2 * SECONDS_PER_HOUR + 600 - 1,
    "dp3t-low-cost": SECONDS_PER_DAY - 1,
    "dp3t-hybrid": 4 * SECONDS_PER_HOUR - 1,
    "dp3t-hybrid-2h": 2 * SECONDS_PER_HOUR - 1,
    "dp3t-unlinkable": 900 - 1,
    "tcn": None,
    "desire": 0,
}
"""Whole seconds after its sending, at the begin of its time, at which a token last counts."""

EARLIEST_S: Final[Mapping[str, int | None]] = {
    "bluetrace": 0,
    "robert": -180,
    "gaen": -2 * SECONDS_PER_HOUR,
    "dp3t-low-cost": 0,
    "dp3t-hybrid": 0,
    "dp3t-hybrid-2h": 0,
    "dp3t-unlinkable": 0,
    "tcn": None,
    "desire": 0,
}
"""The same before its sending, for a phone whose clock is late: the first second that counts."""

_TO_CROWD: Final = ("alarms_to_crowd", "alarms_two_way")
_FROM_CROWD: Final = ("alarms_from_crowd", "alarms_two_way")

RELAYED: Final[Mapping[str, tuple[str, ...]]] = {
    "bluetrace": _FROM_CROWD,
    "robert": _FROM_CROWD,
    "gaen": _TO_CROWD,
    "dp3t-low-cost": _TO_CROWD,
    "dp3t-hybrid": _TO_CROWD,
    "dp3t-hybrid-2h": _TO_CROWD,
    "dp3t-unlinkable": _TO_CROWD,
    "tcn": _TO_CROWD,
    "desire": ("alarms_two_way",),
}
"""In which directions a relay raises alarms. Where a case reports what it heard, the crowd must be
heard by the case; where a case's own tokens are published, the crowd must hear them."""

CLOCKS: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "bluetrace": (0, 1, 0, 0),
    "robert": (0, 1, 0, 0),
    "gaen": (1, 1, 0, 1),
    "dp3t-low-cost": (1, 1, 0, 0),
    "dp3t-hybrid": (1, 1, 1, 1),
    "dp3t-hybrid-2h": (1, 1, 1, 1),
    "dp3t-unlinkable": (0, 1, 0, 0),
    "tcn": (1, 1, 1, 1),
    "desire": (0, 0, 0, 0),
}
"""Alarms of one phone: clock set back with public values, with captured tokens; right clock with
public values, and with keys that are published while they are still sent."""


def linked_share(window_s: float, days: int = DAYS) -> float:
    """Return the share of pairs of sightings that fall into the same window.

    Sightings are at uniform times over ``days``. One of a pair lies in some window, and the other
    lies in the same one with the window's share of the whole time.
    """
    return window_s / (days * SECONDS_PER_DAY)


def picked_by_phase(people: int, phases: int) -> float:
    """Return how often the phone with the right moment of change is picked among ``people``.

    Each has one of ``phases`` moments at random. Of those with the same moment as the person's,
    one is picked: the mean of 1 / (1 + Binomial(people - 1, 1 / phases)).
    """
    return (1 - (1 - 1 / phases) ** people) * phases / people


def known_edges(diagnosed: float) -> float:
    """Return the share of true contacts that an authority learns by name, with perfect logs.

    A contact stays unknown only if neither of the two is diagnosed, who each are with the
    probability ``diagnosed``.
    """
    return 1 - (1 - diagnosed) ** 2


def graph_bits(people: int, contacts: int) -> float:
    """Return the bits of a contact graph: log2 of the number of graphs with these contacts."""
    return _log2_choose(people * (people - 1) // 2, contacts)


def bits_learned(people: int, contacts: int, diagnosed: int, known: int) -> float:
    """Return by how many bits the logs of diagnosed people narrow the graph down.

    Args:
        people: how many.
        contacts: edges of the graph; the number is taken as known.
        diagnosed: how many people's logs the authority holds, whole.
        known: how many contacts these logs hold.
    """
    healthy = people - diagnosed
    left = _log2_choose(healthy * (healthy - 1) // 2, contacts - known)
    return graph_bits(people, contacts) - left


def _log2_choose(whole: int, part: int) -> float:
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole} can't be chosen")
    logs = math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
    return logs / math.log(2)


OWN_PAST: Final[Mapping[str, tuple[float, float]]] = {
    "bluetrace": (1 / DAYS, 1 / DAYS),
    "robert": (0.0, 0.0),
    "gaen": (1.0, 1.0),
    "dp3t-low-cost": (1.0, 1.0),
    "dp3t-hybrid": (1.0, 1.0),
    "dp3t-hybrid-2h": (1.0, 1.0),
    "dp3t-unlinkable": (1.0, 1.0),
    "tcn": (1.0, 1.0),
    "desire": (900 / (DAYS * SECONDS_PER_DAY), 1.0),
}
"""Share of own sightings of 14 days, and of meetings, that seized phones confirm at the end: a
batch of one day, tokens of days to come, all secrets that a report needs, or one epoch's."""


def opened_share(protocol: str, days: int, uploads: float) -> tuple[float, float]:
    """Return which share of an archive a stolen database names, with its keys and without.

    Args:
        protocol: its name.
        days: length of the archive, at least 14.
        uploads: share of the people who reported their last 14 days.
    """
    if protocol == "bluetrace":
        return min(RETENTION.day_keys_days / days, 1.0), 0.0
    if protocol == "robert":
        return 1.0, 0.0
    public = 0.0 if protocol == "desire" else uploads * min(DAYS / days, 1.0)
    return public, public
