"""The three steps after a diagnosis, as ``diagnosis.AfterDiagnosis`` wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracetogether.desire.near import near
from tracetogether.desire.report import exposure_tokens, joined
from tracetogether.sightings import Sightings
from tracetogether.units import Bytes2D


@dataclass(frozen=True, slots=True)
class DesireTracing:
    """A case reports its exposure tokens; everybody asks with request tokens."""

    def report(self, secrets: None, log: Sightings, since: float, until: float) -> Bytes2D:
        """Return the exposure tokens of [since, until)."""
        del secrets
        return exposure_tokens(log, since, until)

    def publish(self, reports: Sequence[Bytes2D], now: float) -> Bytes2D:
        """Return all exposure tokens, which the server keeps."""
        del now
        return joined(reports)

    def near(self, log: Sightings, published: Bytes2D, now: float) -> Sightings:
        """Return the readings that count; a peer is an encounter in one epoch."""
        del now
        return near(log, published)
