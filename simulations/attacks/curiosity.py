"""What those inside learn: the authority, users who ask, thieves of a database or a phone."""

from typing import ClassVar, Final

import numpy as np

from simulations.attacks.deployment import END, TokensHeard
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.expectations import bits_learned, known_edges
from simulations.attacks.rows import Attack, AttackCost, AttackRow, AttackSettings, mean_row
from simulations.streams import Streams
from tracetogether.units import SECONDS_PER_DAY

_CONTACTS_EACH: Final = 5
_LAST_DAY: Final = END - SECONDS_PER_DAY


class GraphView(Attack):
    """The authority reads who met whom in what the diagnosed hand over."""

    name = "graph"
    summary = "the authority learns from reports which people met"
    metrics: ClassVar = {
        "edges_known": "share of all contacts that the authority learns",
        "bits_per_case": "bits that it learns about meetings, for each case",
    }
    takes = ("people", "uploads")

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return the server's own keys."""
        del settings
        return AttackCost(access="the server, its keys and all reports")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return edges and bits: random contacts, kept by both phones, reported by the ill."""
        people, contacts = settings.people, settings.people * _CONTACTS_EACH
        deployment = deploy(protocol, Streams(settings.seed), people)
        chance = Streams(settings.seed).generator("graph")
        pairs = chance.choice(people * (people - 1) // 2, contacts, replace=False)
        first, second = (ends[pairs] for ends in np.triu_indices(people, 1))
        times = np.floor(chance.uniform(_LAST_DAY, END, contacts))
        log = deployment.log(TokensHeard.of(first, second, times).both_ways())
        true = {frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}
        shares, bits = [], []
        for _ in range(settings.repeats):
            ill = np.flatnonzero(chance.random(people) < settings.uploads)
            reported(deployment, ill.tolist(), log, since=_LAST_DAY)
            known = len({frozenset(pair) for pair in deployment.contacts_learnt()} & true)
            shares.append(known / contacts)
            logs = len(ill) if known else 0
            bits.append(bits_learned(people, contacts, logs, known) / max(len(ill), 1))
        learns = protocol in {"bluetrace", "robert"}
        expected = known_edges(settings.uploads) if learns else 0.0
        source = "exact: 1 - (1 - u)^2" if learns else "exact: no contact is handed over"
        counted = "counted graphs, given the view"
        return [
            mean_row(protocol, "edges_known", shares, expected, source),
            mean_row(protocol, "bits_per_case", bits, None if learns else 0.0, counted),
        ]


class Tags(Attack):
    """The authority makes tokens of chosen people so that its helpers recognise them."""

    name = "tags"
    summary = "the authority marks chosen people's tokens, and its helpers recognise them"
    metrics: ClassVar = {
        "recognised": "share of a marked person's tokens that a helper recognises",
        "recognised_wrongly": "share of unmarked tokens that the receiver wrongly takes for marked",
    }
    takes = ("people",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return one receiver of a helper, and the server that makes tokens."""
        del settings
        return AttackCost(devices=1, hours=24, access="the server that makes tokens")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return whom the receiver recognises; only the receiver and the server know its key."""
        deployment = deploy(protocol, Streams(settings.seed), settings.people)
        tag = Streams(settings.seed).entropy("tag")(32)
        chance = Streams(settings.seed).generator("tagged")
        times = np.floor(chance.uniform(_LAST_DAY, END, settings.people))
        marked = deployment.tagged(0, times, tag)
        others = deployment.tokens(np.arange(settings.people) % settings.people, times)
        right = [float(deployment.carries_tag(token, tag)) for token in marked]
        wrong = [float(deployment.carries_tag(token, tag)) for token in others[1:]]
        expected = 1.0 if protocol in {"bluetrace", "robert"} else 0.0
        source = "exact: the server makes tokens" if expected else "exact: phones make tokens"
        return [
            mean_row(protocol, "recognised", right, expected, source),
            mean_row(protocol, "recognised_wrongly", wrong, 0.0, "exact: a mark has 64 bits"),
        ]
