"""Attackers who remember when they heard whom: a camera at a place, a user with an own app."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import BEGIN, DAYS, END, LISTENER, Deployment, TokensHeard
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
from simulations.attacks.town import SmallTown
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, Floats, Ints

_LAST_DAY: Final = END - SECONDS_PER_DAY
_REMEMBERED_S: Final = SECONDS_PER_HOUR
"""A person remembers who was around in an hour, and not when exactly."""
_SLOT_S: Final = 900
ANSWERS_ONLY: Final = frozenset({"bluetrace", "robert", "desire"})
"""Protocols whose server compares: a user learns that there was a case, and no more."""


class Paparazzi(Attack):
    """A camera with a receiver keeps a picture and a token of each who passes."""

    name = "paparazzi"
    summary = "keep a photo and a token of each who passes, and name the diagnosed later"
    metrics: ClassVar = {
        "named": "share of the diagnosed passers-by that have a photo and are recognised",
        "named_wrongly": "share of those recognised who are not diagnosed",
    }
    takes = ("people", "uploads", "photos")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one camera with a receiver for a day."""
        del settings
        return AttackCost(devices=1, hours=24)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return who is named; everybody passes once, and the receiver misses some."""
        people = settings.people
        deployment = deploy(protocol, Streams(settings.seed), people)
        chance = Streams(settings.seed).generator("passers-by")
        named, wrong = [], []
        for _ in range(settings.repeats):
            times = _LAST_DAY + np.sort(chance.choice(SECONDS_PER_DAY, people, replace=False))
            heard = chance.random(people) < settings.photos
            ill = np.flatnonzero(chance.random(people) < settings.uploads)
            who = np.flatnonzero(heard)
            archive = deployment.log(TokensHeard.of(LISTENER, who, times[who].astype(np.float64)))
            reported(deployment, ill.tolist(), since=_LAST_DAY)
            known = who[np.searchsorted(times[who], deployment.recognised(archive).time)]
            right = np.isin(known, ill)
            named.append(float(right.sum() / max(len(ill), 1)))
            wrong.append(float((~right).sum() / max(len(known), 1)))
        public = protocol not in ANSWERS_ONLY
        expected = settings.photos if public else 0.0
        source = "exact: share heard" if public else "exact: nothing is public"
        return [
            mean_row(protocol, "named", named, expected, source),
            mean_row(protocol, "named_wrongly", wrong, 0.0, "exact: tokens don't collide"),
        ]


def anonymity(learnt: list[Floats], met: Floats, whom: Ints) -> list[int]:
    """Return of each reading that warned a user how many people may have been the case.

    Args:
        learnt: times that belong together, one array for each pseudonym.
        met: (n,) when the user met somebody.
        whom: (n,) whom.
    """
    hour = met // _REMEMBERED_S
    sizes = []
    for times in learnt:
        people: set[int] | None = None
        for at in np.unique(times // _REMEMBERED_S):
            there = set(whom[hour == at].tolist())
            people = there if people is None else people & there
        sizes += [len(people or ())] * len(times)
    return sizes


def anonymity_of_accounts(learnt: list[Floats], met: Floats, whom: Ints) -> list[int]:
    """Return the same where one answer covers all times of an account: everybody met then."""
    sizes = []
    for times in learnt:
        sizes += [len(np.unique(whom[np.isin(met, times)]))] * len(times)
    return sizes


class Nerd(Attack):
    """A user with a changed app reads at which times the case was near, and remembers who was."""

    name = "nerd"
    summary = "a user with a changed app finds out which of the people met is the case"
    metrics: ClassVar = {
        "anonymity_set": "number of people who could be the case, if linked times are joined",
        "found": "share of readings where this is one person",
        "accounts_a_day": "accounts that a user needs for an answer of each quarter of an hour",
    }
    takes = ("people", "accounts")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return the accounts, for 14 days."""
        return AttackCost(devices=1, hours=DAYS * 24, accounts=settings.accounts)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return the sets of people; each repeat is another user of the town and another case."""
        people, accounts = settings.people, settings.accounts
        chance = Streams(settings.seed).generator("nerds")
        town = SmallTown.build(people, DAYS, chance)
        first, second, at = town.meetings(chance)
        deployment = deploy(protocol, Streams(settings.seed), people + accounts)
        sizes, found = [], []
        for user in chance.choice(people, min(settings.repeats, people), replace=False).tolist():
            mine = (first == user) | (second == user)
            whom, times = np.where(first[mine] == user, second[mine], first[mine]), at[mine]
            case = int(chance.choice(whom))
            sets = np.array(
                _sets_of(protocol, deployment, people, accounts, whom, times, case), float
            )
            sizes.append(float(sets.mean()))
            found.append(float((sets == 1).mean()))
        per_day = SECONDS_PER_DAY / _SLOT_S if protocol in ANSWERS_ONLY else 1.0
        why = "exact: an answer an account" if per_day > 1 else "exact: one phone sees all times"
        return [
            mean_row(protocol, "anonymity_set", sizes),
            mean_row(protocol, "found", found),
            exact_row(protocol, "accounts_a_day", per_day, per_day, why),
        ]


def _sets_of(
    protocol: str,
    deployment: Deployment,
    people: int,
    accounts: int,
    whom: Ints,
    times: Floats,
    case: int,
) -> list[int]:
    """Return the anonymity sets of one user, whose accounts take turns by time."""
    account = people + ((times - BEGIN) * accounts // (END - BEGIN)).astype(np.int64)
    log = deployment.log(TokensHeard.of(account, whom, times).both_ways())
    reported(deployment, [case], log)
    learnt = [
        group for phone in np.unique(account).tolist() for group in deployment.learnt(phone, log)
    ]
    if protocol in ANSWERS_ONLY:
        return anonymity_of_accounts(learnt, times, whom)
    return anonymity(learnt, times, whom)
