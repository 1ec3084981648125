"""Attackers who follow phones by the moment at which their tokens change."""

from typing import ClassVar

import numpy as np

from simulations.attacks.deployment import BEGIN
from simulations.attacks.deployments import deploy
from simulations.attacks.expectations import picked_by_phase
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.streams import Streams
from tracetogether.parameters import BLUETRACE
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Floats

_MORNING_S = BEGIN + 9 * SECONDS_PER_HOUR
_DAYS = 3


def picked_right(before: Floats, after: Floats, period_s: float) -> Floats:
    """Return how often each person is picked among all by the nearest moment of change.

    Args:
        before: (n,) a moment of change of each, epoch seconds.
        after: (n,) a later one of each.
        period_s: tokens change so often.

    Returns:
        (n,) 1 divided by the number of those that are as near, if the person is among them.
    """
    apart = np.abs(before[:, None] - after[None, :]) % period_s
    apart = np.minimum(apart, period_s - apart)
    nearest = apart == apart.min(axis=1, keepdims=True)
    return np.asarray(np.diag(nearest) / nearest.sum(axis=1))


class ChangeMoments(Attack):
    """Two receivers see phones change their tokens, and pair phones by the second of the change."""

    name = "change"
    summary = "pair phones seen at two places by the second at which they change their tokens"
    metrics: ClassVar = {
        "picked_same_day": "people picked rightly among all, hours later on the same day",
        "picked_next_day": "people picked rightly among all on the next day",
    }
    takes = ("people",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return two receivers for a day."""
        del settings
        return AttackCost(devices=2, hours=24)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return the shares of right picks; each repeat is a crowd of other phones."""
        people = settings.people
        same, other = [], []
        for repeat in range(min(settings.repeats, 5)):
            streams = Streams(Streams(settings.seed).noise("crowd").hashes(repeat).item())
            deployment = deploy(protocol, streams, people, _DAYS)
            moments = [
                np.array(
                    [deployment.next_change(phone, _MORNING_S + later) for phone in range(people)]
                )
                for later in (0.0, 5.0 * SECONDS_PER_HOUR, float(SECONDS_PER_DAY))
            ]
            period = deployment.token_s
            same.append(float(picked_right(moments[0], moments[1], period).mean()))
            other.append(float(picked_right(moments[0], moments[2], period).mean()))
        own_phase = protocol == "bluetrace"
        expected = picked_by_phase(people, BLUETRACE.validity_s) if own_phase else 1 / people
        source = "exact: a phase of 900 a day" if own_phase else "exact: all change at once"
        next_day = "exact: another phase each day" if own_phase else source
        return [
            mean_row(protocol, "picked_same_day", same, expected, source),
            mean_row(protocol, "picked_next_day", other, 1 / people, next_day),
        ]
