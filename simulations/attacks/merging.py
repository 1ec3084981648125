"""Attackers who share one phone's secrets among many phones, or buy a leave to upload."""

from typing import ClassVar

import numpy as np

from simulations.attacks.deployment import BEGIN, DAYS, END, TokensHeard, numbers_of
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.rows import (
    Attack,
    AttackCost,
    AttackRow,
    AttackSettings,
    exact_row,
    mean_row,
)
from simulations.attacks.server_made import BlueTraceDeployment
from simulations.attacks.town import SmallTown
from simulations.streams import Streams
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.crypto import sha256
from tracetogether.units import Floats, Ints

_SHARED, _BUYER = 0, 0


class SharedKeys(Attack):
    """People in many places carry phones with one set of secrets; one of them is diagnosed."""

    name = "shared-keys"
    summary = "m phones share one set of secrets, and one diagnosis alarms everybody near any"
    metrics: ClassVar = {
        "alarms_one": "people alarmed by a case with one phone",
        "alarms_shared": "people alarmed by the same case with m phones",
        "ratio": "the second divided by the first",
        "bought_leave_works": "1 if a leave to upload that another person got serves the attacker",
    }
    takes = ("people", "devices")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return m phones for 14 days and one diagnosis."""
        return AttackCost(
            devices=settings.devices, hours=DAYS * 24, accounts=1, access="one diagnosis"
        )

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return the alarms; carriers are drawn at random from a town each time."""
        people, devices = settings.people, min(settings.devices, settings.people)
        chance = Streams(settings.seed).generator("shared keys")
        town = SmallTown.build(people, DAYS, chance)
        first, second, at = town.meetings(chance)
        deployment = deploy(protocol, Streams(settings.seed), people + 1)
        one: list[float] = []
        shared: list[float] = []
        for _ in range(min(settings.repeats, 10)):
            carriers = chance.choice(people, devices, replace=False)
            for count, alarms in ((1, one), (devices, shared)):
                met, times = _met_by(carriers[:count], first, second, at)
                log = deployment.log(TokensHeard.of(met + 1, _SHARED, times).both_ways())
                reported(deployment, [_SHARED], log)
                warned = numbers_of(deployment.warned(log).observer)
                alarms.append(float(len(np.setdiff1d(warned, [_SHARED, *(carriers + 1)]))))
        ratio = [many / max(few, 1.0) for few, many in zip(one, shared, strict=True)]
        works = leave_serves_another(protocol, settings.seed)
        bound = protocol == "bluetrace"
        why = "user and log are bound" if bound else "nothing binds a leave to a phone or log"
        return [
            mean_row(protocol, "alarms_one", one),
            mean_row(protocol, "alarms_shared", shared),
            mean_row(protocol, "ratio", ratio),
            exact_row(
                protocol, "bought_leave_works", works, 0.0 if bound else 1.0, f"exact: {why}"
            ),
        ]


def _met_by(carriers: Ints, first: Ints, second: Ints, at: Floats) -> tuple[Ints, Floats]:
    """Return whom carriers met, and when; meetings of two carriers are left out."""
    of_first, of_second = np.isin(first, carriers), np.isin(second, carriers)
    outside = of_first != of_second
    return np.where(of_first, second, first)[outside], at[outside]


def leave_serves_another(protocol: str, seed: int) -> float:
    """Return 1 if somebody else's leave to upload brings the attacker's report to the people.

    BlueTrace's leave is a token that is bound to a user and to the digest of one log. The other
    protocols' reports name nobody: a leave, of any form, comes before them, and they are taken.
    """
    deployment = deploy(protocol, Streams(seed), 2)
    times = np.array([float(END - 3_600)])
    log = deployment.log(TokensHeard.of(1, _BUYER, times).both_ways())
    if isinstance(deployment, BlueTraceDeployment):
        leaves = UploadTokens(deployment.ring, "SG_MOH", entropy=Streams(seed).entropy("leaves"))
        seller, theirs = deployment.users[1], sha256(b"the log of the seller")
        sold = leaves.open(leaves.seal(seller, "case", theirs, BEGIN), BEGIN)
        mine = sha256("".join(name or "" for name in log.peer).encode())
        if (sold.user_id, sold.log_sha256) != (deployment.users[_BUYER], mine):
            return 0.0
    reported(deployment, [_BUYER], log)
    return float(1 in numbers_of(deployment.warned(log).observer))
