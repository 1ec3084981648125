"""Figures of gates, check-in and places that a city's page shows, and ratios of them over seeds."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from simulations.city.seed_means import SeedRatio

GATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kept_out_cases": "people with a positive test whom gates kept out",
        "kept_out_contacts": "times that a contact's passes were withheld",
        "kept_out_days_not": "days without a pass of contacts who were not infected",
        "gate_showings": "times that a gate asked for a pass",
        "gate_bits": "bits about health that gates learned, at most",
    }
)
"""Figures of gates, in words."""
PRESENCE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reports": "cases who reported visits",
        "pairs_warned": "warnings to people who were in the same place, one for each case",
        "alerted": "people whom phones warned",
        "tests_of_warned": "their tests",
        "positives_of_warned": "positive ones",
        "warned_home_days_not": "their days at home, if they were not infected",
        "published": "visits that were published",
        "stays_learned": "stays at places that the authority learned",
    }
)
"""Figures of check-in and places, in words."""
SHARES_OF_GATES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "gates_infected": (
            "kept_out_contacts_infected",
            "kept_out_contacts",
            "of these contacts, infected then",
        ),
        "gates_falsely": (
            "kept_out_contacts_falsely",
            "kept_out_contacts",
            "of these contacts, met no case",
        ),
    }
)
"""Share -> the two figures whose ratio it is, and words."""
SHARES_OF_PRESENCE: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        **{
            f"{kind}_{way}": (f"{kind}_by_{way}", kind, f"{of} found by {name}")
            for kind, of in (
                ("contacts", "contacts outside home"),
                ("air", "people who shared the air"),
            )
            for way, name in (
                ("bluetooth", "Bluetooth"),
                ("check_in", "check-in"),
                ("places", "places"),
                ("any", "all together"),
            )
        },
        "warned_infected": ("pairs_warned_infected", "pairs_warned", "of those warned, infected"),
        "warned_no_contact": (
            "pairs_warned_no_contact",
            "pairs_warned_counted",
            "of those warned, no contact of 15 minutes",
        ),
    }
)
"""The same of check-in and places."""
MEASURE_FIGURES: Final = (*GATES, *PRESENCE)


def ratios_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, SeedRatio]:
    """Return the shares of some runs by name; those without a denominator are left out."""
    found = {}
    for name, (over, under, _) in {**SHARES_OF_GATES, **SHARES_OF_PRESENCE}.items():
        if all(row.get(under) is not None and row.get(over) is not None for row in rows):
            bottom = [float(row[under]) for row in rows]
            if sum(bottom):
                top = [float(row[over]) for row in rows]
                found[name] = SeedRatio.of(top, bottom, most=1.0)
    return found
