"""The settings of three publications about apps, each named as published, derived or assumed.

They were written down before the first run, and nothing is fitted to the publications' results.
What a city cannot express is listed as left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Origin = Literal["published", "derived", "assumed"]


@dataclass(frozen=True, slots=True)
class StudySetting:
    """A value of a scenario's keys, and where it comes from.

    Attributes:
        keys: key -> value as text.
        origin: published: the authors give it; derived: computed from what they give; assumed: not
            known to us, or needed because a city is built differently.
        reason: the source or the computation, in words.
    """

    keys: Mapping[str, str]
    origin: Origin
    reason: str


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """A result of a publication.

    Attributes:
        name: what it is.
        figure: the published value in words.
        low, high: range in which ours agrees; one-sided ranges end at plus or minus infinity.
    """

    name: str
    figure: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AppStudy:
    """A publication that a city is compared with.

    Attributes:
        name: authors and year.
        title: with the address.
        settings: of the city, for all runs.
        adoptions: shares of people with the app that are run.
        captured: share of contacts that the authors assume the app captures.
        seeds: number of runs of each adoption.
        window_days: length of the first and last stretch that suppression compares; see
            ``published_studies``.
        results: what is compared.
        left_out: what the authors' model has and a city has not.
    """

    name: str
    title: str
    settings: Sequence[StudySetting]
    adoptions: Sequence[float]
    captured: float
    seeds: int
    window_days: int
    results: Sequence[PublishedResult]
    left_out: str

    def keys(self) -> dict[str, str]:
        """Return all settings in one mapping."""
        return {key: value for row in self.settings for key, value in row.keys.items()}


_INF: Final = float("inf")
_CAPTURED: Final = 0.8

HINCH: Final = AppStudy(
    "Hinch et al. 2020",
    "Effective configurations of a digital contact tracing app: a report to NHSX (16 April 2020)",
    (
        StudySetting({"people.count": "30000"}, "assumed", "They run 1,000,000 people."),
        StudySetting(
            {
                "people.ages.from_0": "0.121",
                "people.ages.from_10": "0.113",
                "people.ages.from_20": "0.131",
                "people.ages.from_30": "0.133",
                "people.ages.from_40": "0.128",
                "people.ages.from_50": "0.135",
                "people.ages.from_60": "0.106",
                "people.ages.from_70": "0.083",
                "people.ages.from_80": "0.049",
                "people.households.size_1": "0.27",
                "people.households.size_2": "0.36",
                "people.households.size_3": "0.16",
                "people.households.size_4": "0.15",
                "people.households.size_5": "0.04",
                "people.households.size_6": "0.02",
            },
            "published",
            "Ages and households of the United Kingdom, from their parameter file.",
        ),
        StudySetting(
            {
                "contacts.classroom.size": "11",
                "contacts.team.size": "8",
                "contacts.school.number": "0",
                "contacts.workplace.number": "0",
                "contacts.neighbourhood.number": "0",
                "contacts.city.number": "4",
                "contacts.city.spread": "0.87",
            },
            "derived",
            "Their means a day: 10 at school, 7 at work, 4 at random with standard deviation 4. "
            "Their networks at work and school are drawn again each day from a larger one.",
        ),
        StudySetting(
            {
                "people.pupils": "1",
                "people.students": "0",
                "people.workers": "1",
                "people.riders": "0",
            },
            "assumed",
            "Everybody from 0 to 69 has the network of work or school, as in their model.",
        ),
        StudySetting(
            {
                "contacts.household.hazard": "2",
                "contacts.classroom.hazard": "1",
                "contacts.team.hazard": "1",
                "contacts.city.hazard": "1",
            },
            "published",
            "A contact at home infects twice as much as another one.",
        ),
        StudySetting(
            {
                "contacts.household.minutes": "300",
                "contacts.classroom.minutes": "60",
                "contacts.team.minutes": "60",
                "contacts.city.minutes": "30",
            },
            "assumed",
            "Their contacts have no minutes. Ours matter for what the radio finds.",
        ),
        StudySetting(
            {
                "disease.reproduction_number": "2.95",
                "disease.generation_mean_days": "6",
                "disease.generation_sd_days": "2.5",
            },
            "derived",
            "Published: doubling in 3.5 days, generation time 6 +- 2.5 days (gamma). These give R.",
        ),
        StudySetting(
            {
                "disease.silent_young": "0.18",
                "disease.silent_adult": "0.18",
                "disease.silent_old": "0.18",
                "disease.silent_infectiousness": "0.47",
                "disease.spread": "0.37",
                "disease.incubation_median_days": "5.54",
                "disease.incubation_spread": "0.40",
            },
            "derived",
            "Published: 18 % without symptoms, relative infectiousness 0.29 without and 0.48 with "
            "mild symptoms, onset after 6 +- 2.5 days. Mild and severe are one group here, with "
            "their spread.",
        ),
        StudySetting(
            {
                "disease.start_cases": "30",
                "closures.school": "0.8",
                "closures.work": "0.8",
                "closures.city": "0.8",
                "closures.start_day": "12",
                "closures.end_day": "47",
                "days": "147",
            },
            "derived",
            "Published: a lockdown of 35 days leaves 20 % of contacts outside the home, and begins "
            "when 1 % are infected; the app begins at its end. With 0.1 % on day 0, doubling in "
            "3.5 days gives 1 % on day 12.",
        ),
        StudySetting(
            {
                "tests.share": "0.8",
                "tests.delay_days": "0",
                "isolation.compliance": "0.8",
                "isolation.days": "7",
            },
            "published",
            "80 % isolate when symptoms begin, for 7 days; contacts are traced at once, because "
            "people report symptoms themselves.",
        ),
        StudySetting(
            {
                "household_quarantine.compliance": "0.87",
                "household_quarantine.days": "14",
                "quarantine.compliance": "0.87",
                "app.quarantine_days": "14",
            },
            "derived",
            "Published: 14 days, everybody complies at first and 2 % drop out each day. On average "
            "87 % are still at home.",
        ),
        StudySetting(
            {
                "app.start_day": "47",
                "app.look_back_days": "7",
                "app.young_weight": "0.48",
                "app.old_weight": "0.53",
            },
            "derived",
            "Published: contacts of 7 days; 80 % of those with a smartphone, by decade of age, "
            "which is 56 % of all.",
        ),
        StudySetting(
            {"app.consent": "1", "app.protocol": "bluetrace", "app.ios": "0.5"},
            "assumed",
            "Everybody who reports symptoms releases the log.",
        ),
    ),
    (0.0, 0.14, 0.28, 0.56),
    _CAPTURED,
    10,
    14,
    (
        PublishedResult("share of runs suppressed at 56 %", "suppressed", 0.9, 1.0),
        PublishedResult("cases averted at 28 %", "lower uptake still lowers cases", 0.0, 1.0),
        PublishedResult("cases averted at 14 %", "lower uptake still lowers cases", 0.0, 1.0),
    ),
    "Shielding of people over 70 after the lockdown, susceptibility by age, more contacts at home "
    "during the lockdown, and symptoms of other illnesses, which send 0.2 % of all people home "
    "each day. Households of contacts stay where they are.",
)

_OPENABM_QUARANTINE: Final = StudySetting(
    {"quarantine.compliance": "0.73", "household_quarantine.compliance": "0.73"},
    "derived",
    "OpenABM-Covid19, which they use: 90 % comply at first, 3 % drop out each day of 14. Whether "
    "they changed these two is not known to us.",
)

ABUEG: Final = AppStudy(
    "Abueg et al. 2021",
    "Modeling the effect of exposure notification and non-pharmaceutical interventions on COVID-19 "
    "transmission in Washington state, npj Digital Medicine 4:49, "
    "https://doi.org/10.1038/s41746-021-00422-7",
    (
        StudySetting(
            {"people.count": "30000", "days": "150", "disease.start_cases": "60"},
            "assumed",
            "They run three counties of 0.8 to 2.3 million people from July to the end of 2020.",
        ),
        StudySetting(
            {"disease.reproduction_number": "1.5"},
            "assumed",
            "They fit each county. With isolation and tracers R is slightly above 1.",
        ),
        StudySetting(
            {
                "disease.generation_mean_days": "6",
                "disease.generation_sd_days": "2.5",
            },
            "published",
            "OpenABM-Covid19, which they use.",
        ),
        StudySetting(
            {"tests.share": "0.8", "tests.delay_days": "1"},
            "published",
            "OpenABM-Covid19: 80 % of those with symptoms get a test, results take a day.",
        ),
        StudySetting(
            {"isolation.compliance": "0.8"}, "assumed", "The same share isolates at once."
        ),
        _OPENABM_QUARANTINE,
        StudySetting(
            {
                "tracers.cases_per_100k": "15",
                "tracers.delay_days": "2",
            },
            "assumed",
            "They have manual tracing with limited staff. Ours: 15 cases a day and 100,000 people.",
        ),
        StudySetting(
            {
                "app.look_back_days": "10",
                "app.protocol": "gaen",
                "app.ios": "0.5",
                "app.consent": "1",
            },
            "assumed",
            "OpenABM-Covid19 traces 7 to 10 days. Participation means that people also upload.",
        ),
    ),
    (0.0, 0.15),
    _CAPTURED,
    20,
    14,
    (
        PublishedResult("infections averted at 15 %", "8 % (counties: 4 to 20 %)", 0.04, 0.20),
        PublishedResult("deaths averted at 15 %", "6 %", 0.06, 0.06),
    ),
    "The counties' people, work networks and mobility by day. People and contacts are those of "
    "small-town.",
)

WYMANT: Final = AppStudy(
    "Wymant et al. 2021",
    "The epidemiological impact of the NHS COVID-19 app, Nature 594, 408-412, "
    "https://doi.org/10.1038/s41586-021-03606-z",
    (
        StudySetting({"days": "98"}, "published", "24 September to the end of December 2020."),
        StudySetting(
            {"people.count": "30000", "disease.start_cases": "150"},
            "assumed",
            "They look at England and Wales; about 0.5 % were infected in a fortnight.",
        ),
        StudySetting(
            {"disease.reproduction_number": "1.5"},
            "assumed",
            "Between lockdowns R was 1.1 to 1.5 with isolation and tracing in place.",
        ),
        StudySetting(
            {
                "tests.share": "0.7",
                "tests.delay_days": "2",
                "isolation.compliance": "0.7",
            },
            "assumed",
            "Results of tests took about two days.",
        ),
        StudySetting(
            {"app.consent": "0.72"}, "published", "72 % of users with a result consent (table 2)."
        ),
        StudySetting(
            {"app.look_back_days": "5"},
            "published",
            "The app's window was 5 days (Leng et al. 2022, doi:10.1038/s43856-022-00143-2).",
        ),
        StudySetting(
            {
                "quarantine.compliance": "0.6",
                "household_quarantine.compliance": "0.6",
                "app.quarantine_days": "14",
                "tracers.cases_per_100k": "100",
                "tracers.delay_days": "3",
            },
            "assumed",
            "How well people kept quarantine is their assumption too; manual tracing worked beside "
            "the app.",
        ),
        StudySetting(
            {"app.protocol": "gaen", "app.ios": "0.5"},
            "assumed",
            "The app uses exposure notification. Half the phones are iPhones.",
        ),
    ),
    (0.23, 0.33),
    _CAPTURED,
    20,
    14,
    (
        PublishedResult(
            "% fewer cases per point of uptake (modelling)", "0.79 (0.37 to 1.10)", 0.37, 1.10
        ),
        PublishedResult(
            "% fewer cases per point of uptake (statistics)", "2.26 (1.50 to 3.00)", 1.50, 3.00
        ),
    ),
    "Regions with their own uptake, two versions of the app, and the lockdown of November 2020. "
    "People and contacts are those of small-town.",
)

STUDIES: Final = (HINCH, ABUEG, WYMANT)
