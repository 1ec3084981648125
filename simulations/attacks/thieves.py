"""Attackers who take what others store: the server's database, a phone."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import (
    BEGIN,
    DAYS,
    END,
    KEPT_S,
    LISTENER,
    PUBLISHED_AFTER_S,
    TokensHeard,
)
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import NOTHING
from simulations.attacks.expectations import OWN_PAST, opened_share
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.attacks.server_made import BlueTraceDeployment
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_DAY

_PEOPLE: Final = 20


class StolenDatabase(Attack):
    """A thief of the server's database has an archive of tokens that a receiver wrote down."""

    name = "database"
    summary = "steal the server's database and open an archive of tokens of many days with it"
    metrics: ClassVar = {
        "opened_with_keys": "share of an archive's tokens whose phone is named, with all its keys",
        "opened_without_keys": "the same with the tables alone",
    }
    takes = ("sightings", "uploads", "archive_days")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one receiver for the days of the archive, and the theft."""
        hours = settings.archive_days * 24.0
        return AttackCost(devices=1, hours=hours, access="the server's database and keys")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return what opens at the end of the archive; a share of the people reported then."""
        days = settings.archive_days
        end = BEGIN + days * SECONDS_PER_DAY
        with_keys, without = [], []
        for repeat in range(min(settings.repeats, 10)):
            streams = Streams(Streams(settings.seed).noise("theft").hashes(repeat).item())
            deployment = deploy(protocol, streams, _PEOPLE, days)
            chance = streams.generator("archive")
            times = np.sort(
                chance.choice(days * SECONDS_PER_DAY, settings.sightings, replace=False)
            )
            who = chance.integers(_PEOPLE, size=len(times))
            archive = deployment.log(TokensHeard.of(LISTENER, who, BEGIN + times.astype(float)))
            ill = chance.permutation(_PEOPLE)[: round(_PEOPLE * settings.uploads)].tolist()
            if isinstance(deployment, BlueTraceDeployment):
                deployment.ring.purge(end)
            deployment.hand_over(
                ill,
                NOTHING,
                since=end - KEPT_S,
                until=end,
                published=end + PUBLISHED_AFTER_S,
            )
            with_keys.append(len(deployment.opened(archive)) / len(archive))
            without.append(len(deployment.opened_without_keys(archive)) / len(archive))
        uploads = round(_PEOPLE * settings.uploads) / _PEOPLE
        both = opened_share(protocol, days, uploads)
        source = "exact: what keys exist, what was published"
        return [
            mean_row(protocol, "opened_with_keys", with_keys, both[0], source),
            mean_row(protocol, "opened_without_keys", without, both[1], source),
        ]


class SeizedPhone(Attack):
    """Somebody seizes phones and reads what they store."""

    name = "seized"
    summary = "seize phones: was it here, according to an archive, and did the two meet?"
    metrics: ClassVar = {
        "own_past": "share of an archive of 14 days that is recognised as sent by the phone",
        "meetings_confirmed": "share of meetings in 14 days that two seized phones confirm",
    }
    takes = ("sightings",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return the phones, unlocked."""
        del settings
        return AttackCost(access="two unlocked phones, and a receiver's archive for the first")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return what the storage at the end of 14 days says of sightings and meetings."""
        past, met = [], []
        for repeat in range(min(settings.repeats, 10)):
            streams = Streams(Streams(settings.seed).noise("seizure").hashes(repeat).item())
            deployment = deploy(protocol, streams, 2)
            chance = streams.generator("archive")
            times = np.sort(chance.choice(KEPT_S, settings.sightings, replace=False))
            seen = BEGIN + times.astype(float)
            archive = deployment.log(TokensHeard.of(LISTENER, 0, seen))
            past.append(len(deployment.own_past(0, archive, END)) / len(archive))
            log = deployment.log(TokensHeard.of(1, 0, seen).both_ways())
            met.append(deployment.met(0, 1, log, END) / len(log))
        own, meetings = OWN_PAST[protocol]
        source = f"exact: secrets kept of {DAYS} days"
        return [
            mean_row(protocol, "own_past", past, own, source),
            mean_row(protocol, "meetings_confirmed", met, meetings, source),
        ]
