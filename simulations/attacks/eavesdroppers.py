"""Attackers who only listen: what outsiders make of tokens that they wrote down."""

from typing import ClassVar

import numpy as np

from simulations.attacks.deployment import (
    BEGIN,
    DAYS,
    END,
    LISTENER,
    PUBLISHED_AFTER_S,
    Deployment,
    TokensHeard,
)
from simulations.attacks.deployments import deploy
from simulations.attacks.expectations import LINKED_S, linked_share
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.streams import Streams
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import Floats

NOTHING: Sightings = Sightings.from_rows([])


def pairs_linked(peers: Labels, sightings: int) -> float:
    """Return the share of all pairs of ``sightings`` that have the same known pseudonym."""
    sizes = np.bincount(peers.codes[peers.codes >= 0], minlength=1).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / (sightings * (sightings - 1)))


def reported(
    deployment: Deployment, ill: list[int], log: Sightings = NOTHING, *, since: float = BEGIN
) -> Deployment:
    """Return the deployment after the ill reported all since ``since``, and its publication."""
    deployment.hand_over(ill, log, since=since, until=END, published=END + PUBLISHED_AFTER_S)
    return deployment


def linked_by_public(deployment: Deployment, victim: int, times: Floats) -> float:
    """Return the share of pairs of sightings of a victim that an outsider links after the upload.

    Args:
        deployment: in which the victim has reported.
        victim: number of a phone.
        times: (n,) of the sightings, epoch seconds.
    """
    archive = deployment.log(TokensHeard.of(LISTENER, victim, times))
    return pairs_linked(deployment.recognised(archive).peer, len(times))


def linked_by_server(deployment: Deployment, victim: int, times: Floats) -> float:
    """Return the same share for the server, to whom the outsider gives the archive."""
    archive = deployment.log(TokensHeard.of(LISTENER, victim, times))
    return pairs_linked(deployment.opened(archive).peer, len(times))


class Linkability(Attack):
    """An outsider with all sightings of a diagnosed person joins those that belong together."""

    name = "linkability"
    summary = "join a diagnosed person's sightings with what is public after the upload"
    metrics: ClassVar = {
        "linked_share": "pairs of a case's sightings that an outsider joins",
        "linked_by_server": "pairs that the server joins, if it gets the outsider's archive",
    }
    takes = ("sightings",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return receivers for as long as the sightings last."""
        return AttackCost(devices=settings.sightings, hours=DAYS * 24)

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return the linked shares, for sightings at uniform times over 14 days."""
        public, server = [], []
        for repeat in range(settings.repeats):
            streams = Streams(settings.seed)
            secrets = Streams(streams.noise("victim", protocol).hashes(repeat).item())
            deployment = reported(deploy(protocol, secrets, 1), [0])
            chance = streams.generator("sightings", protocol, repeat)
            times = np.sort(chance.uniform(BEGIN, END, settings.sightings))
            public.append(linked_by_public(deployment, 0, times))
            server.append(linked_by_server(deployment, 0, times))
        expected = linked_share(LINKED_S[protocol])
        source = f"exact: window / {DAYS} days" if expected else "exact: nothing is published"
        by_server = 1.0 if protocol in {"bluetrace", "robert"} else expected
        why = "exact: the server opens each token" if by_server == 1 != expected else source
        return [
            mean_row(protocol, "linked_share", public, expected, source),
            mean_row(protocol, "linked_by_server", server, by_server, why),
        ]
