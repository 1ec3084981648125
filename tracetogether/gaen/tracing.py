"""The three steps after a diagnosis, as ``diagnosis.AfterDiagnosis`` wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracetogether.gaen.near import near
from tracetogether.gaen.report import DiagnosisKeys, published_keys, report_keys
from tracetogether.sightings import Sightings


@dataclass(frozen=True, slots=True)
class GaenTracing:
    """Report own keys, publish those that expired, look for their identifiers in a log."""

    def report(
        self, secrets: DiagnosisKeys, log: Sightings, since: float, until: float
    ) -> DiagnosisKeys:
        """Return the own keys in use in [since, until); the log stays on the phone."""
        del log
        return report_keys(secrets, since, until)

    def publish(self, reports: Sequence[DiagnosisKeys], now: float) -> DiagnosisKeys:
        """Return the keys that may be published at ``now``."""
        return published_keys(reports, now)

    def near(self, log: Sightings, published: DiagnosisKeys, now: float) -> Sightings:
        """Return the readings of published keys; a peer is a key of one day."""
        del now  # a phone keeps no sighting that is too old to count
        return near(log, published)
