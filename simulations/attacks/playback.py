"""Attackers who send tokens of others: later, elsewhere, or to phones whose clock is wrong."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import BEGIN, Deployment, TokensHeard
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.expectations import EARLIEST_S, LAST_ACCEPTED_S
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, exact_row
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_DAY, Bools, Floats

_LONGEST_S: Final = 12 * SECONDS_PER_DAY
_CASE, _OTHER = 0, 1


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
            reported(deployment, [_CASE], heard)
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
