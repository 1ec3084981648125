"""Prices of what measures use, so that a run can say what they cost in money."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from simulations.settings.declared import about

_MOST: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceKeys:
    """Prices in any currency. All are 0 by default, and change nothing but the figure "cost"."""

    isolation_day: Annotated[float, about("Price of a day of a case at home.", ge=0, le=_MOST)] = (
        0.0
    )
    quarantine_day: Annotated[
        float, about("Price of a day of a contact in quarantine.", ge=0, le=_MOST)
    ] = 0.0
    test: Annotated[float, about("Price of a test.", ge=0, le=_MOST)] = 0.0
    interview: Annotated[
        float, about("Price of asking a case for contacts, the call left out.", ge=0, le=_MOST)
    ] = 0.0
    call: Annotated[float, about("Price of a call by a tracer.", ge=0, le=_MOST)] = 0.0
    upload: Annotated[float, about("Price of an upload of a contact log.", ge=0, le=_MOST)] = 0.0

    def cost(self, counts: Mapping[str, int]) -> float:
        """Return what the counts of ``CityCosts`` cost."""
        quarantine = counts["quarantine_days_infected"] + counts["quarantine_days_not"]
        return (
            self.isolation_day * counts["isolation_days"]
            + self.quarantine_day * quarantine
            + self.test * counts["tests"]
            + self.interview * counts["interviews"]
            + self.call * counts["calls"]
            + self.upload * counts["uploads"]
        )
