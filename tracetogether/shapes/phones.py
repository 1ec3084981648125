"""Shapes for phones: registration, batches of TempIDs, upload tokens and receipts."""

from typing import Annotated, Literal

from pydantic import Field

from tracetogether.rejection import Rejection
from tracetogether.shapes.bodies import USER_ID, AnswerBody, RequestBody


class PinAndDigest(RequestBody):
    """An upload PIN, and the digest of the log to upload with it."""

    pin: Annotated[str, Field(pattern=r"^[0-9]{8}$", repr=False, examples=["04917362"])]
    sha256: Annotated[
        str,
        Field(
            pattern=r"^[0-9a-fA-F]{64}$",
            repr=False,
            description="SHA-256 of the log's JSON before any compression, in hexadecimal.",
            examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
    ]
    attempt: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{32}$",
            repr=False,
            description="A random name of this attempt; the phone can repeat it.",
            examples=["9f86d081884c7d659a2feaa0c55ad015"],
        ),
    ] = None


class Registered(AnswerBody):
    """A phone's registration. The credential is shown only here."""

    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]
    credential: Annotated[
        str, Field(repr=False, description="The phone sends it as `Authorization: Bearer`.")
    ]


class TempIDInBatch(AnswerBody):
    """One TempID and when to use it."""

    tempID: Annotated[  # noqa: N815 - OpenTrace's name
        str,
        Field(
            pattern=r"^[A-Za-z0-9+/]{82}==$",
            repr=False,
            description="84 base64 characters: 61 bytes.",
        ),
    ]
    startTime: Annotated[int, Field(description="Epoch seconds; show it from then on.")]  # noqa: N815 - OpenTrace's name
    expiryTime: Annotated[int, Field(description="Epoch seconds; don't show it any more.")]  # noqa: N815 - OpenTrace's name


class Batch(AnswerBody):
    """A batch of TempIDs, as OpenTrace's getTempIDs answers."""

    status: Literal["SUCCESS"]
    tempIDs: list[TempIDInBatch]  # noqa: N815 - OpenTrace's name
    refreshTime: Annotated[int, Field(description="When to fetch the next batch.")]  # noqa: N815 - OpenTrace's name


class UploadTokenIssued(AnswerBody):
    """Permission to upload one log, once."""

    upload_token: Annotated[str, Field(repr=False)]
    expires_at: Annotated[float, Field(description="Epoch seconds.")]


class Receipt(AnswerBody):
    """The fate of an upload's records."""

    records: int
    accepted: int
    rejected: Annotated[dict[Rejection, int], Field(description="By reason.")]
