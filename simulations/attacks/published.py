"""What others published about the attacks; only what was read in the source named."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PublishedFinding:
    """A finding of others, and where it stands; it was not measured here."""

    says: str
    source: str


def _found(says: str, source: str) -> PublishedFinding:
    return PublishedFinding(says, source)


PUBLISHED: Final[Mapping[str, tuple[PublishedFinding, ...]]] = {
    "sniffers": (
        _found(
            "An EphID spread over several advertisements is heard whole by over 99.9 % within 5 m "
            "in 5 minutes, and by under 1 % at 16 m: a claim.",
            "DP-3T white paper, 25 May 2020, section 6",
        ),
    ),
    "nerd": (
        _found(
            "Over 90 % of cases are identified by memory alone, in a simulation of GAEN.",
            "arXiv 2010.05514",
        ),
        _found(
            "A user of ROBERT needs 96 accounts a day to learn the time.",
            "DP-3T's analysis of ROBERT",
        ),
    ),
    "replay": (
        _found(
            "The Corona-Warn-App did not accept identifiers of 19:40 that were played at 10:46 of "
            "the same day; it accepted two plays in time.",
            "corona-warn-companion, issue 15",
        ),
    ),
    "relay": (
        _found("All deployed protocols fall.", "DP-3T (GR2); Baumgärtner 2020; Casagrande 2020"),
    ),
    "clock": (
        _found(
            "Shown on SwissCovid, Immuni, NHS COVID-19, Corona-Warn-App and Coronalert; without a "
            "false time where keys are published while they count, as in AT, DK, ES, IT, NL, CA.",
            "Iovino, Vaudenay, Vuagnoux 2020",
        ),
    ),
    "power": (
        _found(
            "GAEN's metadata can be changed on the way; Android drops powers outside -50..20 dBm.",
            "Vaudenay and Vuagnoux, named by Dehaye and Reardon 2020; Android's published code",
        ),
    ),
    "shared-keys": (
        _found(
            "All deployed protocols fall; TEnK-U is a market of keys.", "Auerbach and others 2020"
        ),
    ),
    "graph": (
        _found(
            "StopCovid to 22 June 2020: 68 people declared themselves, 205 contacts were uploaded, "
            "14 people were notified.",
            "Libération; Génération-NT",
        ),
    ),
    "tags": (_found("A server that makes tokens can mark people.", "DP-3T's analysis of ROBERT"),),
    "counting": (
        _found(
            "Corona-Warn-App, 22 June to 19 August 2020: 16,717 of 89,664 keys were real.",
            "micb25/dka",
        ),
    ),
}
"""Name of an attack -> what was published of it. None of it was measured here."""
