"""The three steps after a diagnosis in each design, as ``diagnosis.AfterDiagnosis`` wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tracetogether.dp3t.keys import DAY_KEY_BYTES, WINDOW_S, WINDOW_SEED_BYTES
from tracetogether.dp3t.near import hybrid_near, low_cost_near, unlinkable_near
from tracetogether.dp3t.report import (
    NumberedSecrets,
    PublishedFilter,
    PublishedSecrets,
    filter_of,
    hybrid_report,
    low_cost_report,
    unlinkable_report,
)
from tracetogether.sightings import Sightings


@dataclass(frozen=True, slots=True)
class LowCostTracing:
    """A person hands over one day key; all later EphIDs follow from it."""

    def report(
        self, secrets: NumberedSecrets, log: Sightings, since: float, until: float
    ) -> NumberedSecrets:
        """Return the key of the first contagious day."""
        del log
        return low_cost_report(secrets, since, until)

    def publish(self, reports: Sequence[NumberedSecrets], now: float) -> PublishedSecrets:
        """Return all keys; what is heard from ``now`` on does not count."""
        return PublishedSecrets(NumberedSecrets.concat(reports, DAY_KEY_BYTES), now)

    def near(self, log: Sightings, published: PublishedSecrets, now: float) -> Sightings:
        """Return the readings that count; a peer is a person."""
        del now
        return low_cost_near(log, published)


@dataclass(frozen=True, slots=True)
class HybridTracing:
    """A person hands over the seeds of windows, and may take some out.

    Attributes:
        window_s: length of a window, seconds.
    """

    window_s: int = WINDOW_S

    def report(
        self, secrets: NumberedSecrets, log: Sightings, since: float, until: float
    ) -> NumberedSecrets:
        """Return the seeds of the windows in [since, until)."""
        del log
        return hybrid_report(secrets, since, until, self.window_s)

    def publish(self, reports: Sequence[NumberedSecrets], now: float) -> PublishedSecrets:
        """Return all seeds."""
        seeds = NumberedSecrets.concat(reports, WINDOW_SEED_BYTES)
        return PublishedSecrets(seeds, now, self.window_s)

    def near(self, log: Sightings, published: PublishedSecrets, now: float) -> Sightings:
        """Return the readings that count; a peer is a window of a person."""
        del now
        return hybrid_near(log, published)


@dataclass(frozen=True, slots=True)
class UnlinkableTracing:
    """A person hands over the seeds of epochs; the server publishes a filter of them."""

    def report(
        self, secrets: NumberedSecrets, log: Sightings, since: float, until: float
    ) -> NumberedSecrets:
        """Return the seeds of the epochs in [since, until)."""
        del log
        return unlinkable_report(secrets, since, until)

    def publish(self, reports: Sequence[NumberedSecrets], now: float) -> PublishedFilter:
        """Return the filter of what phones keep that heard one of these epochs."""
        return filter_of(reports, now)

    def near(self, log: Sightings, published: PublishedFilter, now: float) -> Sightings:
        """Return the readings that count; a peer is an EphID."""
        del now
        return unlinkable_near(log, published)
