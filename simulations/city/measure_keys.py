"""The measures of a city's scenario: each key is declared once, with limits and default.

All measures are off by default. Each has a first day and a first day without it again.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from simulations.settings.declared import Share, about

FOREVER: Final = 10_000
"""A day after the end of every run."""

_StartDay = Annotated[int, about("First day of the measure.", ge=0, le=FOREVER)]
_EndDay = Annotated[int, about("First day without the measure again.", ge=0, le=FOREVER)]
_LookBack = Annotated[int, about("Days before the result whose contacts are traced.", ge=1, le=21)]
_QuarantineDays = Annotated[
    int, about("Days that contacts stay at home, counted from the contact.", ge=1, le=60)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationKeys:
    """People with symptoms stay away from everybody outside their household."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    compliance: Annotated[Share, about("Share of people with symptoms who stay at home.")] = 0.0
    days: Annotated[
        int, about("How long they and people with a positive test stay at home.", ge=1, le=60)
    ] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SymptomTestKeys:
    """Tests of people with symptoms. A positive one isolates the case and begins tracing."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    share: Annotated[Share, about("Share of people with symptoms who get a test.")] = 0.0
    delay_days: Annotated[int, about("Days from the test to its result.", ge=0, le=30)] = 1
    daily_per_100k: Annotated[
        float, about("Tests per day and 100,000 people; the others wait.", ge=0, le=1e5)
    ] = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineKeys:
    """How contacts follow the advice to stay at home."""

    compliance: Annotated[Share, about("Share of contacts who follow advice to stay at home.")] = (
        0.8
    )
    lost_per_false_alarm: Annotated[
        Share,
        about("Share of those who comply that is lost by each earlier alarm without infection."),
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdQuarantineKeys:
    """People who live with a positive case stay at home."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    compliance: Annotated[Share, about("Share of such people who stay at home.")] = 0.0
    days: Annotated[int, about("Days that they stay at home.", ge=1, le=60)] = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class AppKeys:
    """The contact tracing app."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    adoption: Annotated[Share, about("Share of all people with the app.")] = 0.0
    young_weight: Annotated[
        float, about("Adoption below 20 years, relative to that from 20 to 59.", ge=0, le=5)
    ] = 0.5
    old_weight: Annotated[
        float, about("Adoption from 60 years, relative to that from 20 to 59.", ge=0, le=5)
    ] = 0.7
    ios: Annotated[Share, about("Share of iPhones among the phones with the app.")] = 0.4
    protocol: Annotated[
        Literal[
            "bluetrace",
            "gaen",
            "dp3t-low-cost",
            "dp3t-unlinkable",
            "dp3t-hybrid",
            "tcn",
            "robert",
            "desire",
        ],
        about(
            "bluetrace: phones connect, and the authority reads uploads and calls contacts; the "
            "others: phones only send and show warnings themselves, and the authority learns no "
            "contact by name. Of robert, a server that knows pseudonyms decides who is warned."
        ),
    ] = "bluetrace"
    consent: Annotated[Share, about("Share of positive cases with the app who upload.")] = 0.9
    pin_delay_days: Annotated[
        int, about("Days from the result until contacts know, for PIN and upload.", ge=0, le=30)
    ] = 0
    look_back_days: _LookBack = 14
    quarantine_days: _QuarantineDays = 14
    second_degree: Annotated[
        bool, about("Whether contacts of contacts with the app are traced too.")
    ] = False
    false_listings: Annotated[
        float,
        about("People listed falsely, relative to the detection table; 0: nobody.", ge=0, le=10),
    ] = 1.0
    hours_home: Annotated[
        float, about("Hours a day in reach of people of other homes.", ge=0, le=24)
    ] = 0.0
    hours_school: Annotated[float, about("Hours at school on school days.", ge=0, le=24)] = 6.0
    hours_work: Annotated[float, about("Hours at work on working days.", ge=0, le=24)] = 8.0
    hours_transport: Annotated[
        float, about("Hours in buses and trains on working days.", ge=0, le=24)
    ] = 1.0
    hours_city: Annotated[
        float, about("Hours a day in shops, restaurants and the like.", ge=0, le=24)
    ] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TracerKeys:
    """Tracers ask cases whom they met, and call those people."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    cases_per_100k: Annotated[
        float, about("Cases per day and 100,000 people that tracers can ask.", ge=0, le=1e5)
    ] = 0.0
    delay_days: Annotated[int, about("Days from the result to the calls.", ge=0, le=30)] = 2
    look_back_days: _LookBack = 14
    quarantine_days: _QuarantineDays = 14
    recall_home: Annotated[Share, about("Share of contacts at home that a case names.")] = 1.0
    recall_known: Annotated[
        Share, about("Share of contacts in class and team that a case names.")
    ] = 0.75
    recall_seen: Annotated[
        Share, about("Share of other contacts at school, at work and nearby that a case names.")
    ] = 0.25
    recall_strangers: Annotated[
        Share, about("Share of contacts in the city and in transport that a case names.")
    ] = 0.05
    least_minutes: Annotated[float, about("Minutes that make a contact count.", ge=0, le=1440)] = (
        15.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureKeys:
    """Contacts that do not take place."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    school: Annotated[Share, about("Share of contacts at school that do not take place.")] = 0.0
    work: Annotated[Share, about("Share of contacts at work that do not take place.")] = 0.0
    transport: Annotated[Share, about("Share of contacts in transport that do not take place.")] = (
        0.0
    )
    neighbourhood: Annotated[
        Share, about("Share of contacts in the neighbourhood that do not take place.")
    ] = 0.0
    city: Annotated[Share, about("Share of contacts in the city that do not take place.")] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskKeys:
    """Masks outside the home."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    wearing: Annotated[Share, about("Share of people who wear one.")] = 0.0
    efficacy: Annotated[
        Share, about("Share of the hazard that one mask takes away, on either side.")
    ] = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKeys:
    """Gates at places, which let in people who show a pass."""

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    policy: Annotated[
        Literal["advice", "strict-2020"],
        about(
            "advice: a positive test takes the passes away for 14 days, and contacts keep theirs; "
            "strict-2020: a contact that the app lists takes them away too, for 7 days."
        ),
    ] = "advice"
    venues: Annotated[
        Share, about("Share of places in the neighbourhood and the city that have a gate.")
    ] = 0.0
    transport: Annotated[Share, about("Share of rides in buses and trains behind a gate.")] = 0.0
    shown: Annotated[
        Share, about("Share of people at a gate who must show a pass; the others walk in.")
    ] = 1.0
    visits: Annotated[
        float, about("Places that a person visits on a day out, for what gates learn.", ge=0, le=50)
    ] = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceKeys:
    """Check-in at places by poster, and places with a device that speaks BlueTrace.

    Cases who upload their contact log report their visits too, and phones look for their own
    places in what is published.
    """

    start_day: _StartDay = 0
    end_day: _EndDay = FOREVER
    check_in: Annotated[
        Share, about("Share of people with the app who scan the poster wherever there is one.")
    ] = 0.0
    posters_shops: Annotated[
        Share, about("Share of small places in the neighbourhood with a poster.")
    ] = 1.0
    posters_halls: Annotated[Share, about("Share of large places in the city with a poster.")] = 1.0
    posters_vehicles: Annotated[Share, about("Share of buses and trains with a poster.")] = 1.0
    places_shops: Annotated[
        Share,
        about("Share of small places in the neighbourhood with a device that speaks BlueTrace."),
    ] = 0.0
    places_halls: Annotated[Share, about("Share of large places in the city with a device.")] = 0.0
    places_vehicles: Annotated[Share, about("Share of buses and trains with a device.")] = 0.0
    visits: Annotated[
        float,
        about("Places that a person visits on a day, rides left out.", ge=0, le=50),
    ] = 2.0
    visit_minutes: Annotated[float, about("Mean minutes of a visit.", ge=2, le=600)] = 45.0
    ride_minutes: Annotated[float, about("Mean minutes of a ride.", ge=2, le=600)] = 30.0
    delay_days: Annotated[
        int, about("Days from the result until phones show the warning.", ge=1, le=30)
    ] = 1
    tested: Annotated[Share, about("Share of those warned who take a test.")] = 0.5
    test_from_day: Annotated[
        int, about("Days after an infection from which on this test shows it.", ge=0, le=14)
    ] = 3
    stay_home: Annotated[Share, about("Share of those warned who stay at home.")] = 0.1
    home_days: Annotated[int, about("How long they stay at home.", ge=1, le=60)] = 5
