"""Attackers who send tokens of others: later, elsewhere, or to phones whose clock is wrong."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import (
    BEGIN,
    LISTENER,
    Deployment,
    TokensHeard,
    heard_log,
    numbers_of,
)
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.expectations import CLOCKS, EARLIEST_S, LAST_ACCEPTED_S, RELAYED
from simulations.attacks.rows import (
    SIMULATED,
    Attack,
    AttackCost,
    AttackRow,
    AttackSettings,
    exact_row,
)
from simulations.streams import Streams
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Bools, Floats, Ints

_LONGEST_S: Final = 12 * SECONDS_PER_DAY
_CASE, _OTHER = 0, 1
_SITE: Final = 6  # people at a test site, the case among them
_NOON_S: Final = 12 * SECONDS_PER_HOUR
_FRESH_S: Final = 60.0  # a relay as fast as this is in time for every protocol
_WHY_CLOCK: Final = "exact: what is public, and by whose clock it counts"


def replayed(deployment: Deployment, sent: float, delays: Floats) -> Bools:
    """Return whether a token sent at ``sent`` still counts after each delay.

    One phone of the pair falls ill. Where cases report what they heard, the ill phone is the one
    that hears the replay; elsewhere its token is replayed. So both directions are played.

    Args:
        deployment: of at least two phones.
        sent: when the token was sent and recorded, epoch seconds.
        delays: (n,) seconds, in which nobody else is near.
    """
    counts = []
    for delay in delays.tolist():
        times = np.array([sent])
        met = TokensHeard.of(_OTHER, _CASE, times, times + delay)
        back = TokensHeard.of(_CASE, _OTHER, times, times + delay)
        # At delay 0 the two are near each other, and both hear. A replay is heard by one alone.
        log = deployment.log(TokensHeard.concat([met, back] if delay == 0 else [met]))
        other = deployment.log(TokensHeard.concat([met, back] if delay == 0 else [back]))
        warned = False
        for heard in (log, other):
            reported(deployment, [_CASE], heard, since=sent - SECONDS_PER_DAY)
            warned = warned or len(deployment.warned(heard)) > 0
        counts.append(warned)
    return np.array(counts, dtype=bool)


def accepted_edge(deployment: Deployment, sent: float, longest_s: int = _LONGEST_S) -> int | None:
    """Return the last whole second after sending at which a replay counts, by bisection.

    A negative ``longest_s`` looks for the first second before it, for a phone whose clock is late.

    Returns:
        Seconds; None if the replay counts at ``longest_s`` too, 0 if it never does.
    """

    def counts(delay: int) -> bool:
        return bool(replayed(deployment, sent, np.array([float(delay)]))[0])

    if counts(longest_s):
        return None
    accepted, refused = 0, longest_s
    while abs(refused - accepted) > 1:
        middle = (accepted + refused) // 2
        if counts(middle):
            accepted = middle
        else:
            refused = middle
    return accepted


def acceptance(protocol: str, delays: Floats, *, seed: int = 1, repeats: int = 12) -> Floats:
    """Return the share of replays that count after each delay, for random moments of a day.

    Args:
        protocol: its name.
        delays: (n,) seconds.
        seed: of the moments.
        repeats: how many moments.
    """
    deployment = deploy(protocol, Streams(seed), 2)
    chance = Streams(seed).generator("moments")
    moments = np.floor(BEGIN + SECONDS_PER_DAY * (1 + chance.random(repeats)))
    found = [replayed(deployment, moment, delays) for moment in moments.tolist()]
    return np.asarray(np.mean(found, axis=0))


class Replay(Attack):
    """Somebody records a token and plays it again to other phones, hours or days later."""

    name = "replay"
    summary = "record a token and play it to other phones later"
    metrics: ClassVar = {
        "last_accepted_s": "greatest delay of a replayed token that counts, seconds",
        "earliest_accepted_s": "the same for phones whose clock is late: the least, seconds",
    }

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one receiver and one sender."""
        del settings
        return AttackCost(devices=2, hours=1)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return both edges for a token recorded in the first second of its time."""
        rows = []
        first = float(BEGIN + SECONDS_PER_DAY)
        for metric, longest, expected in (
            ("last_accepted_s", _LONGEST_S, LAST_ACCEPTED_S[protocol]),
            ("earliest_accepted_s", -SECONDS_PER_DAY, EARLIEST_S[protocol]),
        ):
            deployment = deploy(protocol, Streams(settings.seed), 2)
            edge = accepted_edge(deployment, first, longest)
            why = "tokens and clocks" if expected is not None else "no time is bound"
            rows.append(exact_row(protocol, metric, edge, expected, f"exact: {why}"))
        return rows


class Relay(Attack):
    """Somebody carries what is sent at a test site live into a crowd elsewhere, or back."""

    name = "relay"
    summary = "carry tokens live between a test site with one case and a crowd elsewhere"
    metrics: ClassVar = {
        "alarms_to_crowd": "people of the crowd warned in an hour, tokens of the site played there",
        "alarms_from_crowd": "the same, tokens of the crowd played at the site",
        "alarms_two_way": "the same, both at once",
        "honest_alarms": "people at the site who were near the case, and are warned rightly",
    }
    takes = ("people", "latency_s")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return a receiver and a loud sender at either end, for an hour."""
        del settings
        return AttackCost(devices=2, hours=1)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return how many are warned: one reading a minute, 15 different minutes warn."""
        crowd = np.arange(_SITE, _SITE + settings.people)
        deployment = deploy(protocol, Streams(settings.seed), _SITE + settings.people)
        minutes = BEGIN + _NOON_S + 60.0 * np.arange(60) + 30
        there = np.tile(np.arange(1, _SITE), 60)
        honest = TokensHeard.of(there, _CASE, np.repeat(minutes, _SITE - 1)).both_ways()
        sent = np.repeat(minutes, len(crowd))
        others, later = np.tile(crowd, 60), sent + settings.latency_s
        to_crowd = TokensHeard.of(others, _CASE, sent, later)
        from_crowd = TokensHeard.of(_CASE, others, sent, later)
        found = {}
        for metric, played in (
            ("alarms_to_crowd", [to_crowd]),
            ("alarms_from_crowd", [from_crowd]),
            ("alarms_two_way", [to_crowd, from_crowd]),
        ):
            log = deployment.log(TokensHeard.concat([honest, *played]))
            reported(deployment, [_CASE], log)
            alarmed = warned_people(deployment.warned(log), least_minutes=15)
            found[metric] = len(np.intersect1d(alarmed, crowd))
            found["honest_alarms"] = len(np.intersect1d(alarmed, np.arange(1, _SITE)))
        way = RELAYED[protocol]
        fresh = settings.latency_s <= _FRESH_S
        rows = []
        for metric, value in found.items():
            works = metric == "honest_alarms" or metric in way
            count = _SITE - 1 if metric == "honest_alarms" else settings.people
            expected = float(count if works else 0) if fresh or not works else None
            source = "exact: who reports what" if fresh else SIMULATED
            rows.append(exact_row(protocol, metric, float(value), expected, source))
        return rows


def warned_people(warned: Sightings, *, least_minutes: int) -> Ints:
    """Return who is warned in at least ``least_minutes`` different minutes."""
    rows = np.column_stack([numbers_of(warned.observer), warned.time // 60]).astype(np.int64)
    people, minutes = np.unique(np.unique(rows, axis=0)[:, 0], return_counts=True)
    return np.asarray(people[minutes >= least_minutes])


class Clock(Attack):
    """Somebody sets a phone's clock back, and sends it what a case sent at that time."""

    name = "clock"
    summary = "set a phone's clock back to a time at which a case's published keys counted"
    metrics: ClassVar = {
        "alarm_set_back": "alarms of a phone set back by 3 days, tokens from public values",
        "alarm_set_back_captured": "the same with tokens that were recorded on that day",
        "alarm_real_clock": "alarms of a phone with the right time, tokens from public values",
        "alarm_published_early": "the same, if keys are published while phones still send them",
    }

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one sender, which also sends a false time."""
        del settings
        return AttackCost(devices=1, hours=0.5)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return 1 for each way in which the phone is warned."""
        now = float(BEGIN + 13 * SECONDS_PER_DAY + _NOON_S + 1_800)
        back = now - 3 * SECONDS_PER_DAY
        deployment = deploy(protocol, Streams(settings.seed), 2)
        found = {}
        for metric, at, source, at_once in (
            ("alarm_set_back", back, "public", False),
            ("alarm_set_back_captured", back, "captured", False),
            ("alarm_real_clock", now + 300, "public", False),
            ("alarm_published_early", now + 300, "public", True),
        ):
            found[metric] = _alarms_phone(deployment, at, now, source, at_once=at_once)
        return [
            exact_row(protocol, metric, float(value), float(CLOCKS[protocol][place]), _WHY_CLOCK)
            for place, (metric, value) in enumerate(found.items())
        ]


def _alarms_phone(
    deployment: Deployment, at: float, now: float, source: str, *, at_once: bool
) -> bool:
    """Return whether a phone is warned that writes down a forged token at ``at`` by its clock.

    Args:
        deployment: of two phones, the case and the phone.
        at: what the attacked phone's clock shows.
        now: when the case reports and the server publishes.
        source: "public" values, or tokens "captured" at the time ``at``.
        at_once: whether the server publishes what is still sent.
    """

    def hand_over(log: Sightings) -> None:
        deployment.hand_over([_CASE], log, since=BEGIN, until=now, published=now, at_once=at_once)

    times = np.array([at])
    nothing = TokensHeard.of(_OTHER, _CASE, times[:0])
    hand_over(deployment.log(nothing))
    if source == "captured":
        logs = [
            deployment.log(TokensHeard.of(_OTHER, _CASE, times)),
            deployment.log(TokensHeard.of(_CASE, _OTHER, times)),
        ]
    else:
        (token,) = deployment.forged(_CASE, times)
        logs = [heard_log(TokensHeard.of(who, LISTENER, times), [token]) for who in (_OTHER, _CASE)]
    for log in logs:
        hand_over(log)
        if len(deployment.warned(log)):
            return True
    return False
