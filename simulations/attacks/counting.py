"""Outsiders who count the diagnosed in what a server publishes, and padding against them."""

from typing import ClassVar, Final

from simulations.attacks.deployment import Deployment
from simulations.attacks.deployments import deploy
from simulations.attacks.eavesdroppers import reported
from simulations.attacks.passers_by import ANSWERS_ONLY
from simulations.attacks.phone_made import GaenDeployment
from simulations.attacks.rows import (
    Attack,
    AttackCost,
    AttackRow,
    AttackSettings,
    exact_row,
)
from simulations.streams import Streams
from tracetogether.dp3t.report import PublishedFilter, PublishedSecrets
from tracetogether.gaen.report import DiagnosisKeys, padded_keys

_CASES: Final = 6


def items_published(published: object) -> int:
    """Return how many keys, seeds, filter entries or reports a published value shows."""
    if isinstance(published, PublishedSecrets):
        return len(published.secrets)
    if isinstance(published, PublishedFilter):
        return len(published.cuckoo)
    return len(published) if isinstance(published, DiagnosisKeys | list) else 0


class Counting(Attack):
    """Somebody counts the keys of a publication, and divides by what one person publishes."""

    name = "counting"
    summary = "count the diagnosed of a day in what is published, with or without padding"
    metrics: ClassVar = {
        "cases_read": "cases that an outsider counts for each true one",
        "real_share": "share of what is published that is of real people",
    }
    takes = ("padding",)

    def cost(self, settings: AttackSettings) -> AttackCost:
        """Return nothing: the files are public."""
        del settings
        return AttackCost(access="what is published")

    def play(self, protocol: str, settings: AttackSettings) -> list[AttackRow]:
        """Return what is counted if six people report 14 days; GAEN alone pads here."""
        deployment = deploy(protocol, Streams(settings.seed), _CASES)
        each = items_published(_published(deployment, [0]))
        whole = _published(deployment, list(range(_CASES)))
        real = items_published(whole)
        shown = real
        if isinstance(deployment, GaenDeployment) and isinstance(whole, DiagnosisKeys):
            entropy = Streams(settings.seed).entropy("padding")
            shown = len(padded_keys(whole, settings.padding, entropy=entropy))
        counted = shown / each / _CASES if each else 0.0
        share = real / shown if shown else 0.0
        nothing = protocol in ANSWERS_ONLY
        least = max(settings.padding, real) if protocol == "gaen" else real
        expected = 0.0 if nothing else least / real
        source = "exact: nothing is public" if nothing else "exact: as many for each case"
        return [
            exact_row(protocol, "cases_read", counted, expected, source),
            exact_row(protocol, "real_share", share, 0.0 if nothing else real / least, source),
        ]


def _published(deployment: Deployment, ill: list[int]) -> object:
    reported(deployment, ill)
    return getattr(deployment, "published", None)
