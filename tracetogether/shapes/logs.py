"""Shape of an uploaded contact log: what to send, for the OpenAPI document.

The service reads a log leniently, record by record (``bluetrace.upload``). So these shapes check no
request: they say what a phone should send, and a test compares what the library's phones write.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tracetogether.parameters import MAX_UPLOAD_BYTES, MAX_UPLOAD_RECORDS


class LogRecord(BaseModel):
    """One signal that a phone received. A record of the wrong form is counted as `malformed`."""

    model_config = ConfigDict(extra="allow")

    timestamp: Annotated[
        float,
        Field(
            description="Epoch seconds in UTC. Above 10,000,000,000 it is read as milliseconds. "
            "At most 21 days old and at most 5 minutes ahead, else `implausible`.",
            examples=[1_586_304_100],
        ),
    ]
    msg: Annotated[
        str,
        Field(description="The TempID that was heard, as the other phone sent it."),
    ] = ""
    modelC: Annotated[str, Field(description="Phone model of the central.")] = ""  # noqa: N815 - OpenTrace's name
    modelP: Annotated[str, Field(description="Phone model of the peripheral.")] = ""  # noqa: N815 - OpenTrace's name
    rssi: Annotated[
        float | None,
        Field(description="Level in dBm that the central heard the peripheral at."),
    ] = None
    txPower: Annotated[  # noqa: N815 - OpenTrace's name
        float | None,
        Field(
            description="Transmit power in dBm that the peripheral advertised. Only in records of "
            "the central; left out if it is unknown."
        ),
    ] = None
    org: Annotated[
        str,
        Field(description="Organisation code that the other phone sent.", examples=["SG_MOH"]),
    ] = ""
    v: Annotated[int, Field(description="Protocol version that the other phone sent.")] = 2
    id: Annotated[
        int | None, Field(description="Number of the row on the phone. It is not read.")
    ] = None


class ContactLogBody(BaseModel):
    """A phone's contact log in OpenTrace's JSON."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "description": "A phone's contact log in OpenTrace's JSON, in UTF-8, with at most "
            f"{MAX_UPLOAD_BYTES:,} bytes. The digest of `POST /v1/upload-tokens` is taken over "
            "these bytes before compression."
        },
    )

    records: Annotated[list[LogRecord], Field(max_length=MAX_UPLOAD_RECORDS)]
    events: Annotated[
        list[dict[str, object]],
        Field(description="OpenTrace's status events. They are not read."),
    ] = []
