"""Shapes of contact lists: one case's, the graph of all cases, contacts of contacts."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from tracetogether.authority.contacts.transmission import ASSUMPTIONS
from tracetogether.authority.tracing.graph import ContactGraph, Onward
from tracetogether.rejection import Rejection
from tracetogether.shapes.bodies import AnswerBody, path
from tracetogether.shapes.partners import HandedOverLine

SeenBy = Annotated[
    Literal["case", "contact", "both"], Field(description="Whose phone recorded it.")
]


class Nearness(AnswerBody):
    """Minutes within the policy's radius and nearest distance: median, 5 % and 95 %."""

    minutes: Annotated[float, path("minutes.median")]
    minutes_low: Annotated[float, path("minutes.low")]
    minutes_high: Annotated[float, path("minutes.high")]
    nearest_m: Annotated[float, path("nearest_m.median")]
    nearest_low_m: Annotated[float, path("nearest_m.low")]
    nearest_high_m: Annotated[float, path("nearest_m.high")]


class ContactDayLine(Nearness):
    """A day, in the authority's time zone, on which a contact was near."""

    day: Annotated[int, Field(description="Days since 1970-01-01.", examples=[18386])]
    date: Annotated[str, Field(examples=["2020-05-04"])]
    encounters: int
    seen_by: SeenBy


Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
"""A number as it was: days stay whole."""


class ReasonLine(AnswerBody):
    """A fact about a contact; ``code`` and ``figures`` serve translations."""

    code: Annotated[str, Field(examples=["minutes"])]
    figures: dict[str, Number]
    text: Annotated[str, Field(examples=["45 (30 to 60) min within 2 m"])]


class Likely(AnswerBody):
    """Who was near, and how likely for the policy's minutes."""

    pseudonym: str
    probability: Annotated[
        float, Field(description="Of the policy's minutes or more. Lists are sorted by it.")
    ]
    close_contact: Annotated[
        bool, Field(description="Whether `probability` reaches the policy's least chance.")
    ]


class ContactLine(Nearness, Likely):
    """A person who was near."""

    minutes_24h: Annotated[float, Field(description="In the 24 hours with the most minutes.")]
    minutes_24h_low: Annotated[float, path("busiest_24h.low")]
    minutes_24h_high: Annotated[float, path("busiest_24h.high")]
    encounters: int
    first_s: Annotated[float, Field(description="Epoch seconds.")]
    last_s: Annotated[float, Field(description="Epoch seconds.")]
    seen_by: SeenBy
    reasons: Annotated[
        list[ReasonLine], Field(description="The reasons for its place in the list come first.")
    ]
    days: list[ContactDayLine]


class Policy(AnswerBody):
    """When a contact counts as a close contact."""

    name: str
    within_m: float
    minutes: float
    rule: Annotated[
        str | None, Field(description="Counts minutes by attenuation instead of by the radius.")
    ]
    least_chance: Annotated[
        float, Field(description="A contact is close from this probability of the minutes on.")
    ]


class Contacts(AnswerBody):
    """A case's contacts in order of concern, and the records behind them."""

    case_id: Annotated[str, path("case.case_id")]
    date: Annotated[str, path("case.date")]
    traced_from: Annotated[float, Field(description="Epoch seconds.")]
    traced_until: Annotated[float, Field(description="Epoch seconds, exclusive.")]
    policy: Policy
    contacts: list[ContactLine]
    uploads: int
    unreadable_uploads: int
    records: int
    accepted: int
    in_span: int
    rejected: dict[Rejection, int]
    handed_over: Annotated[
        list[HandedOverLine],
        Field(
            default_factory=list,
            description="Records of partners' TempIDs in the case's logs, by partner.",
        ),
    ]

    def with_handed_over(self, found: Iterable[object]) -> Self:
        """Return the list with what was handed over of the case's logs."""
        return self.model_copy(
            update={"handed_over": [HandedOverLine.of(handed) for handed in found]}
        )


class CaseOfPerson(AnswerBody):
    """A case of this person."""

    case_id: str
    date: Annotated[str, Field(examples=["2020-05-04"])]


class GraphPersonLine(AnswerBody):
    """A person who is a case or was near one."""

    pseudonym: str
    cases: Annotated[
        list[CaseOfPerson],
        Field(description="Their own cases, as far as the caller needs to know them."),
    ]


class MeetingLine(AnswerBody):
    """Two people who were near one another."""

    first: Annotated[str, Field(description="A case's person.")]
    second: Annotated[str, path("contact.pseudonym")]
    probability: Annotated[
        float, path("contact.probability", description="Of the policy's minutes or more.")
    ]
    close_contact: Annotated[bool, path("contact.close_contact")]
    minutes: Annotated[float, path("contact.minutes.median")]
    minutes_low: Annotated[float, path("contact.minutes.low")]
    minutes_high: Annotated[float, path("contact.minutes.high")]
    first_date: Annotated[str, BeforeValidator(lambda days: days[0].date), path("contact.days")]
    last_date: Annotated[str, BeforeValidator(lambda days: days[-1].date), path("contact.days")]
    days: Annotated[int, BeforeValidator(len), path("contact.days")]
    seen_by: Annotated[str, path("contact.seen_by", description="`case`, `contact` or `both`.")]


class CandidateLine(AnswerBody):
    """A person who may have infected another: a ranking, not a finding."""

    infector: Annotated[str, path("infector.person")]
    infector_case: Annotated[str, path("infector.case_id")]
    infected: Annotated[str, path("infected.person")]
    infected_case: Annotated[str, path("infected.case_id")]
    share: Annotated[
        float,
        path("share.median", description="Of all sources of this infection, recorded or not."),
    ]
    share_low: Annotated[float, path("share.low")]
    share_high: Annotated[float, path("share.high")]
    direction: Annotated[
        float, Field(description="Weight of this direction among both between the two, 0 to 1.")
    ]
    days_between: Annotated[int, Field(description="From the infector's date to the other's.")]
    likeliest_date: str
    meeting_days: Annotated[int, path("meetings")]
    minutes: Annotated[float, path("minutes.median")]
    minutes_low: Annotated[float, path("minutes.low")]
    minutes_high: Annotated[float, path("minutes.high")]


class AssumptionLine(AnswerBody):
    """An assumption of the ranking."""

    code: str
    text: str
    source: str


class Graph(AnswerBody):
    """Who met whom, and who may have infected whom."""

    policy: Policy
    people: list[GraphPersonLine]
    meetings: list[MeetingLine]
    candidates: list[CandidateLine]
    assumptions: list[AssumptionLine]
    cases: int
    cases_left_out: Annotated[
        int, Field(description="Cases with logs beyond the 1,000 that are shown.")
    ]
    offset: int
    total: Annotated[int, Field(description="Cases with logs that the caller may see.")]

    @classmethod
    def of(cls, shown: ContactGraph, offset: int = 0) -> Self:
        """Return the graph of the cases from the ``offset``-th newest on."""
        same = {name: getattr(shown, name, None) for name in cls.model_fields}
        total = shown.cases + shown.cases_left_out
        there = {"assumptions": ASSUMPTIONS, "offset": offset, "total": total}
        return cls.model_validate(same | there)


class OnwardLine(ContactLine):
    """A person near a contact, after that contact had met the case."""

    through: Annotated[str, Field(description="Pseudonym of the contact.")]
    through_case: Annotated[str, Field(description="The contact's own case.")]
    through_probability: Annotated[
        float, Field(description="That the contact is a close contact of the case.")
    ]
    chain_probability: Annotated[
        float, Field(description="That both meetings were close: the product. Sorted by it.")
    ]
    days_after: Annotated[int, Field(description="From the contact's meeting with the case.")]

    @classmethod
    def of(cls, shown: Onward) -> Self:
        """Return the line of somebody near a contact."""
        return cls(
            **vars(ContactLine.of(shown.contact)),
            through=shown.through,
            through_case=shown.through_case.case_id,
            through_probability=shown.through_probability,
            chain_probability=shown.chain_probability,
            days_after=shown.days_after,
        )


class OnwardLines(AnswerBody):
    """Contacts of a case's contacts, the likeliest chain first."""

    case_id: str
    policy: Policy
    contacts: list[OnwardLine]
