"""Shapes for charges: people without a phone, for whom somebody's phone keeps passes."""

from typing import Annotated

from pydantic import Field

from tracetogether.shapes.bodies import USER_ID, AnswerBody, RequestBody


class ChargeCode(RequestBody):
    """The code that a person without a phone got at the desk, and gave to a relative."""

    code: Annotated[
        str,
        Field(
            max_length=20,
            repr=False,
            description="Case, blanks and hyphens don't matter.",
            examples=["K7Q2D-MXFT3"],
        ),
    ]


class ChargeShown(AnswerBody):
    """A person without a phone, for whom this phone keeps passes; the service knows no name."""

    charge_id: Annotated[str, Field(examples=["JBSWY3DPEB"])]
    user_id: Annotated[
        str, Field(repr=False, description="Show it at a test for this person.", examples=[USER_ID])
    ]
    added_at: Annotated[float, Field(description="Epoch seconds.")]


class ChargesShown(AnswerBody):
    """All charges of this phone, the oldest first."""

    charges: list[ChargeShown]


class ConsentGiven(AnswerBody):
    """What a person without a phone takes home from the desk. The code is shown only here."""

    charge_id: Annotated[
        str, Field(description="The person ends the charge with it.", examples=["JBSWY3DPEB"])
    ]
    code: Annotated[str, Field(repr=False, examples=["K7Q2D-MXFT3"])]
    expires_at: Annotated[
        float, Field(validation_alias="expiry", description="Epoch seconds; it works once.")
    ]


class EndedAtDesk(RequestBody):
    """Why the desk ends a charge."""

    reason: Annotated[
        str,
        Field(max_length=200, description="In the audit log.", examples=["asked at the desk"]),
    ]
