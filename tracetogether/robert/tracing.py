"""The three steps after a diagnosis, as ``diagnosis.AfterDiagnosis`` wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracetogether.robert.keys import Registrations, ServerKeys
from tracetogether.robert.near import near
from tracetogether.robert.report import HelloRecords, records_of
from tracetogether.sightings import Sightings


@dataclass(frozen=True, slots=True)
class RobertTracing:
    """A case uploads what it heard; the server keeps that and opens it.

    Attributes:
        keys: the server's.
        registered: the phones that it knows.
    """

    keys: ServerKeys
    registered: Registrations

    def report(self, secrets: None, log: Sightings, since: float, until: float) -> HelloRecords:
        """Return the HELLOs heard in [since, until); the phone has no secret that others need."""
        del secrets
        return records_of(log, since, until)

    def publish(self, reports: Sequence[HelloRecords], now: float) -> HelloRecords:
        """Return all reports, which the server keeps: nothing is public."""
        del now
        return HelloRecords.concat(reports)

    def near(self, log: Sightings, published: HelloRecords, now: float) -> Sightings:
        """Return the readings that count; an observer is a case, a peer the id of a phone.

        The asking phone's own log has no part in it.
        """
        del log, now
        return near(published, self.keys, self.registered)
