"""The three steps after a diagnosis, as ``diagnosis.AfterDiagnosis`` wants them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tracetogether.sightings import Sightings
from tracetogether.tcn.keys import KEY_LIFE_S
from tracetogether.tcn.near import near
from tracetogether.tcn.report import NumberReport, read_report, write_report


@dataclass(frozen=True, slots=True)
class AuthorisationKey:
    """One report key of a phone: since when it was used, and how many numbers it gave."""

    rak: bytes = field(repr=False)
    start: float
    used: int


@dataclass(frozen=True, slots=True)
class TcnTracing:
    """A phone signs one report per key; everybody who heard a number of it is warned."""

    def report(
        self, secrets: Sequence[AuthorisationKey], log: Sightings, since: float, until: float
    ) -> list[bytes]:
        """Return signed reports of the keys in use in [since, until)."""
        del log
        return [
            write_report(key.rak, 1, key.used)
            for key in secrets
            if key.used and key.start + KEY_LIFE_S > since and key.start < until
        ]

    def publish(self, reports: Sequence[Sequence[bytes]], now: float) -> list[NumberReport]:
        """Return the reports whose signature fits.

        Raises:
            InvalidReportError: one does not.
        """
        del now
        return [read_report(data) for report in reports for data in report]

    def near(self, log: Sightings, published: Sequence[NumberReport], now: float) -> Sightings:
        """Return the readings that count; a peer is a report."""
        del now  # no time is bound to a number
        return near(log, published)
