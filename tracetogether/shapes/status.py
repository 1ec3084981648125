"""Shapes of orders, restrictions, test results and appeals."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from tracetogether.authority.status.appeal import AppealState
from tracetogether.authority.status.order import OrderKind
from tracetogether.authority.status.restriction import (
    Ending,
    Ground,
    RestrictionEvidence,
    RestrictionState,
)
from tracetogether.shapes.bodies import USER_ID, AnswerBody, RequestBody, path

_LATEST = 2.0**33  # the year 2242
_Time = Annotated[float, Field(ge=0, le=_LATEST, strict=False, description="Epoch seconds.")]
_Small = Annotated[int | None, Field(description="In full tens; null stands for 0 to 9.")]


class NewOrder(RequestBody):
    """An order, before anybody is restricted by it."""

    kind: Annotated[OrderKind, Field(strict=False)]
    legal_basis: Annotated[str, Field(max_length=200, examples=["Infectious Diseases Act, 15"])]
    place: Annotated[str, Field(max_length=200, examples=["Canteen 3"])]
    window_from: _Time
    window_to: _Time
    ends_at: _Time
    most_people: Annotated[int, Field(ge=0, le=2**31 - 1, examples=[30])]


class OrderLine(AnswerBody):
    """A registered order."""

    order_id: Annotated[str, Field(examples=["MZXW6YTBOI"])]
    kind: OrderKind
    legal_basis: str
    place: str
    window_from: float
    window_to: float
    ends_at: float
    most_people: Annotated[int, Field(description="People that it restricts at most.")]
    people: Annotated[int, Field(description="People restricted by it so far.")]
    registered_by: str
    registered_at: float
    ended_at: Annotated[float | None, Field(description="When somebody ended it early.")]
    ended_by: str


class OrderLines(AnswerBody):
    """All orders that are kept, the newest first."""

    orders: list[OrderLine]


class OrderEnded(AnswerBody):
    """An order that was ended."""

    restrictions: Annotated[int, Field(description="Restrictions that ended with it.")]


class NewRestriction(RequestBody):
    """A restriction on one person."""

    user_id: Annotated[str, Field(max_length=64, repr=False, examples=[USER_ID])]
    ground: Annotated[Ground, Field(strict=False)]
    reference: Annotated[
        str,
        Field(max_length=32, description="Id of the person's open case, or of a registered order."),
    ]
    evidence: Annotated[
        RestrictionEvidence,
        Field(strict=False, description="`none` only by an order of kind border."),
    ]
    until: _Time
    begins_at: Annotated[
        float | None, Field(ge=0, le=_LATEST, strict=False, description="Default: now.")
    ] = None


class RestrictionLine(AnswerBody):
    """A restriction, with a pseudonym in place of the person."""

    restriction_id: Annotated[str, path("restriction.restriction_id", examples=["MZXW6YTBOI"])]
    pseudonym: str
    state: RestrictionState
    ground: Annotated[Ground, path("restriction.ground")]
    reference: Annotated[str, path("restriction.reference")]
    begins_at: Annotated[float, path("restriction.begins_at")]
    until: Annotated[float, path("restriction.until")]
    evidence: Annotated[RestrictionEvidence, path("restriction.evidence")]
    set_by: Annotated[str, path("restriction.set_by")]
    set_at: Annotated[float, path("restriction.set_at")]
    confirmed_by: Annotated[str, path("restriction.confirmed_by")]
    confirmed_at: Annotated[float | None, path("restriction.confirmed_at")]
    suspends_at: Annotated[
        float | None,
        path(
            "restriction.suspends_at", description="An appeal undecided by then lets passes go on."
        ),
    ]
    ended_at: Annotated[float | None, path("restriction.ended_at")]
    ending: Annotated[Ending, path("restriction.ending")]


class RestrictionLines(AnswerBody):
    """A page of restrictions that are not over, the newest first; there is no export."""

    restrictions: list[RestrictionLine]
    total: int
    offset: int


class NewResult(RequestBody):
    """A negative test of one person."""

    user_id: Annotated[str, Field(max_length=64, repr=False, examples=[USER_ID])]
    negative: bool
    date: Annotated[dt.date, Field(strict=False, examples=["2020-05-04"])]
    laboratory: Annotated[str, Field(max_length=100, examples=["National laboratory"])]


class ResultTaken(AnswerBody):
    """What a test lifted."""

    lifted: Annotated[list[str], Field(description="Ids of restrictions.")]


class AppealLine(AnswerBody):
    """An appeal, as the person's phone sees it."""

    appeal_id: Annotated[str, Field(examples=["MZXW6YTBOI"])]
    restriction_id: str
    opened_at: float
    state: AppealState
    decided_at: float | None


class AppealLines(AnswerBody):
    """A person's appeals."""

    appeals: list[AppealLine]


class ShownAppealLine(AnswerBody):
    """An appeal, as operators see it."""

    appeal_id: Annotated[str, path("appeal.appeal_id", examples=["MZXW6YTBOI"])]
    opened_at: Annotated[float, path("appeal.opened_at")]
    due_at: Annotated[float, Field(description="The restriction is suspended afterwards.")]
    overdue: bool
    state: Annotated[AppealState, path("appeal.state")]
    decided_at: Annotated[float | None, path("appeal.decided_at")]
    decided_by: Annotated[str, path("appeal.decided_by")]
    restriction: Annotated[RestrictionLine, path("about")]


class ShownAppealLines(AnswerBody):
    """All appeals, the open ones first."""

    appeals: list[ShownAppealLine]


class AppealDecision(RequestBody):
    """What somebody decides who took no part in the restriction."""

    outcome: Literal["lifted", "corrected", "upheld"]
    until: Annotated[
        float | None,
        Field(ge=0, le=_LATEST, strict=False, description="The earlier end, for `corrected` only."),
    ] = None


class RestrictionFiguresShape(AnswerBody):
    """Public counts, of the last midnight of the authority's zone."""

    at: Annotated[float, Field(description="Epoch seconds.")]
    in_force: Annotated[
        dict[str, int | None], Field(description="People by ground, in full tens; null: 0 to 9.")
    ]
    without_evidence: _Small
    appeals: Annotated[
        dict[str, int | None], Field(description="By state, in full tens; null: 0 to 9.")
    ]
    overdue: _Small
