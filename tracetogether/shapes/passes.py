"""Shapes for passes: batches and notices for phones, declarations, signed lists for gates."""

from typing import Annotated

from pydantic import Field

from tracetogether.shapes.bodies import AnswerBody, RequestBody

_LIST = "A COSE_Sign1 message in base64; {what}."


class DeclarationAsked(RequestBody):
    """What a person declares: symptoms or none, since which day, and nothing else."""

    symptoms: Annotated[bool, Field(repr=False)]
    since: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
            repr=False,
            description="Date on which the symptoms began; only with symptoms.",
            examples=["2026-11-27"],
        ),
    ] = None


class PassesAsked(RequestBody):
    """For whom passes are asked; without it, for the owner of the phone."""

    charge_id: Annotated[
        str | None,
        Field(
            max_length=20,
            description="A person without a phone whom this phone keeps passes for.",
            examples=["JBSWY3DPEB"],
        ),
    ] = None


class DeclarationTaken(AnswerBody):
    """A declaration was stored; it replaced the earlier one of this person."""

    kept_until: Annotated[int, Field(description="Epoch seconds; it is deleted then.")]


class NoticeShown(AnswerBody):
    """What a person reads about their passes, as a code that the phone has texts for."""

    notice: Annotated[str, Field(validation_alias="code", examples=["pass.green"])]
    parameters: Annotated[
        dict[str, int | str],
        Field(description="What the text names; times are epoch seconds."),
    ]


class PassesIssued(AnswerBody):
    """Passes for 24 hours, or the notice that says why there are none."""

    notice: NoticeShown
    passes: Annotated[
        list[str],
        Field(repr=False, description="Texts of QR codes (HC1:), by hour; none if withheld."),
    ]
    refresh_time: Annotated[
        int, Field(validation_alias="refresh_at", description="Epoch seconds; ask again then.")
    ]


class TrustListShown(AnswerBody):
    """The keys that sign passes now and in the next two days, for gates."""

    trust: Annotated[str, Field(description=_LIST.format(what="holds for 24 hours"))]


class RevocationListShown(AnswerBody):
    """The numbers of revoked passes that are still valid, for gates."""

    revocations: Annotated[
        str, Field(description=_LIST.format(what="8 bytes for each pass, sorted"))
    ]
