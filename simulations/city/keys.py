"""The tables of a city's scenario: each key is declared once, with limits, meaning and default."""

from dataclasses import dataclass, field
from typing import Annotated, Final

from simulations.city.measure_keys import (
    AppKeys,
    ClosureKeys,
    GateKeys,
    HouseholdQuarantineKeys,
    IsolationKeys,
    MaskKeys,
    PresenceKeys,
    QuarantineKeys,
    SymptomTestKeys,
    TracerKeys,
)
from simulations.city.price_keys import PriceKeys
from simulations.settings.declared import Share, about

SCHEMA: Final = 1
LAYERS: Final = (
    "household",
    "classroom",
    "team",
    "school",
    "workplace",
    "neighbourhood",
    "city",
    "transport",
)
"""Layers of contacts, in the order of their numbers."""
HOUSEHOLD, CLASSROOM, TEAM, SCHOOL, WORKPLACE, NEIGHBOURHOOD, CITY, TRANSPORT = range(len(LAYERS))
_Minutes = Annotated[float, about("Mean minutes within 2 m of one contact.", ge=0, le=1440)]
_Hazard = Annotated[
    float, about("Infectiousness of a mean contact, relative to other layers.", ge=0, le=50)
]
_Number = Annotated[int, about("Contacts per person and day.", ge=0, le=30)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeShares:
    """Shares of people by decade of age; they are scaled to a sum of 1."""

    from_0: Annotated[Share, about("Share of people from 0 to 9 years.")]
    from_10: Annotated[Share, about("Share of people from 10 to 19 years.")]
    from_20: Annotated[Share, about("Share of people from 20 to 29 years.")]
    from_30: Annotated[Share, about("Share of people from 30 to 39 years.")]
    from_40: Annotated[Share, about("Share of people from 40 to 49 years.")]
    from_50: Annotated[Share, about("Share of people from 50 to 59 years.")]
    from_60: Annotated[Share, about("Share of people from 60 to 69 years.")]
    from_70: Annotated[Share, about("Share of people from 70 to 79 years.")]
    from_80: Annotated[Share, about("Share of people of 80 years or more.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdShares:
    """Shares of households by size; they are scaled to a sum of 1."""

    size_1: Annotated[Share, about("Share of households of one person.")]
    size_2: Annotated[Share, about("Share of households of two people.")] = 0.0
    size_3: Annotated[Share, about("Share of households of three people.")] = 0.0
    size_4: Annotated[Share, about("Share of households of four people.")] = 0.0
    size_5: Annotated[Share, about("Share of households of five people.")] = 0.0
    size_6: Annotated[Share, about("Share of households of six people.")] = 0.0
    size_7: Annotated[Share, about("Share of households of seven people.")] = 0.0
    size_8: Annotated[Share, about("Share of households of eight people.")] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CityPeopleKeys:
    """The people: how many, how old, and with whom they live and spend the day."""

    count: Annotated[int, about("Number of people.", ge=50, le=200_000_000)]
    ages: Annotated[AgeShares, about("How old people are.")]
    households: Annotated[HouseholdShares, about("How many people live together.")]
    pupils: Annotated[Share, about("Share of people from 0 to 19 years who go to school.")] = 0.0
    students: Annotated[Share, about("Share of people from 20 to 29 years who study.")] = 0.0
    workers: Annotated[
        Share, about("Share of people from 20 to 69 years, students left out, who go to work.")
    ] = 0.0
    riders: Annotated[Share, about("Share of people who ride to work or school and back.")] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupKeys:
    """Contacts in a group whose members all meet, such as a class."""

    size: Annotated[int, about("Greatest number of members.", ge=2, le=200)]
    minutes: _Minutes
    hazard: _Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomKeys:
    """Contacts with people who are drawn at random each day."""

    number: Annotated[float, about("Mean number of contacts per person and day.", ge=0, le=30)]
    spread: Annotated[
        float,
        about(
            "Standard deviation between people of their mean numbers, over the mean.", ge=0, le=2
        ),
    ] = 0.0
    minutes: _Minutes
    hazard: _Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class ColleagueKeys:
    """Contacts with people of the same school or workplace, other ones each day."""

    number: _Number
    minutes: _Minutes
    hazard: _Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkplaceKeys:
    """Contacts at work outside the team, and how large workplaces are."""

    number: _Number
    minutes: _Minutes
    hazard: _Hazard
    size_median: Annotated[float, about("Median number of people at work.", ge=2, le=1000)] = 10.0
    size_spread: Annotated[
        float, about("Standard deviation of the logarithm of that number.", ge=0, le=2)
    ] = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeKeys:
    """Contacts in the household: everybody meets everybody each day."""

    minutes: _Minutes
    hazard: _Hazard


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportKeys:
    """Contacts on the way: on each of two trips a rider sits near three others."""

    minutes: _Minutes
    hazard: _Hazard
    neighbourhoods: Annotated[
        int, about("Neighbourhoods of 5,000 people that share a line.", ge=1, le=100)
    ] = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactKeys:
    """Who meets whom, by layer. A contact's minutes and its hazard are in proportion."""

    household: Annotated[HomeKeys, about("At home.")]
    classroom: Annotated[GroupKeys, about("In the same class.")]
    team: Annotated[GroupKeys, about("In the same team at work.")]
    school: Annotated[ColleagueKeys, about("At school outside the class.")]
    workplace: Annotated[WorkplaceKeys, about("At work outside the team.")]
    neighbourhood: Annotated[RandomKeys, about("In the same neighbourhood.")]
    city: Annotated[RandomKeys, about("Anywhere in the city.")]
    transport: Annotated[TransportKeys, about("In buses and trains.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiseaseKeys:
    """The infection."""

    reproduction_number: Annotated[
        float,
        about(
            "Mean number of people whom a case on day 0 infects, if nothing is done. The cases of "
            "day 0 are drawn at random, and everybody else is susceptible.",
            ge=0,
            le=20,
        ),
    ]
    generation_mean_days: Annotated[
        float, about("Mean time from an infection to those that it causes.", ge=1.5, le=12)
    ] = 5.5
    generation_sd_days: Annotated[
        float, about("Standard deviation of that time.", ge=0.5, le=6)
    ] = 2.1
    spread: Annotated[
        float,
        about(
            "Standard deviation between people of their infectiousness, over the mean; 1.5 is "
            "a dispersion k of 0.44 (Adam et al. 2020).",
            ge=0,
            le=3,
        ),
    ] = 1.5
    incubation_median_days: Annotated[
        float, about("Median time from infection to symptoms.", ge=1, le=14)
    ] = 5.1
    incubation_spread: Annotated[
        float, about("Standard deviation of the logarithm of that time.", ge=0, le=1)
    ] = 0.42
    silent_young: Annotated[
        Share, about("Share of infections without symptoms below 20 years.")
    ] = 0.5
    silent_adult: Annotated[
        Share, about("Share of infections without symptoms from 20 to 59 years.")
    ] = 0.3
    silent_old: Annotated[Share, about("Share of infections without symptoms from 60 years.")] = 0.2
    silent_infectiousness: Annotated[
        Share, about("Infectiousness without symptoms, relative to that with symptoms.")
    ] = 0.5
    start_cases: Annotated[
        int,
        about("Infected people on day 0; 0 for one in 20,000, but at least 20.", ge=0, le=100_000),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CityScenario:
    """A city, its people, the infection and the measures. The file's name gives ``name``."""

    name: str
    schema: Annotated[int, about("Version of these keys.", ge=SCHEMA, le=SCHEMA)]
    title: Annotated[str, about("Short title.")]
    modelled_on: Annotated[
        str, about("What in the world this stands for, and the source of its numbers.")
    ]
    days: Annotated[int, about("Simulated days.", ge=1, le=2000)] = 120
    people: Annotated[CityPeopleKeys, about("Who lives there.")]
    contacts: Annotated[ContactKeys, about("Who meets whom.")]
    disease: Annotated[DiseaseKeys, about("The infection.")]
    isolation: Annotated[IsolationKeys, about("Isolation of people with symptoms.")] = field(
        default_factory=IsolationKeys
    )
    tests: Annotated[SymptomTestKeys, about("Tests of people with symptoms.")] = field(
        default_factory=SymptomTestKeys
    )
    quarantine: Annotated[QuarantineKeys, about("How contacts follow advice.")] = field(
        default_factory=QuarantineKeys
    )
    household_quarantine: Annotated[
        HouseholdQuarantineKeys, about("Quarantine of the households of cases.")
    ] = field(default_factory=HouseholdQuarantineKeys)
    app: Annotated[AppKeys, about("The contact tracing app.")] = field(default_factory=AppKeys)
    tracers: Annotated[TracerKeys, about("CityTracing by telephone.")] = field(
        default_factory=TracerKeys
    )
    closures: Annotated[ClosureKeys, about("Contacts that do not take place.")] = field(
        default_factory=ClosureKeys
    )
    masks: Annotated[MaskKeys, about("Masks.")] = field(default_factory=MaskKeys)
    gates: Annotated[GateKeys, about("Gates that ask for a pass.")] = field(
        default_factory=GateKeys
    )
    presence: Annotated[PresenceKeys, about("Check-in at places, and places that speak.")] = field(
        default_factory=PresenceKeys
    )
    prices: Annotated[PriceKeys, about("What measures cost.")] = field(default_factory=PriceKeys)
