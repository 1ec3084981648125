"""Shapes of places, and of the stays of a case at them."""

from typing import Annotated, Literal

from pydantic import Field

from tracetogether.authority.places.place import PlaceState
from tracetogether.shapes.bodies import USER_ID, AnswerBody, RequestBody, path

_NAME = ["Canteen 3"]
_ID = ["MZXW6YTBOI"]


class NewPlace(RequestBody):
    """A place, before its device has a credential."""

    name: Annotated[str, Field(max_length=100, examples=_NAME)]
    site: Annotated[
        str,
        Field(max_length=100, description="Building or grounds.", examples=["North campus"]),
    ] = ""


class PlaceAdded(AnswerBody):
    """A new place. The credential is shown only here; it goes into the place's device."""

    place_id: Annotated[str, Field(examples=_ID)]
    name: Annotated[str, Field(examples=_NAME)]
    site: str
    user_id: Annotated[str, Field(repr=False, examples=[USER_ID])]
    credential: Annotated[str, Field(repr=False)]


class PlaceLine(AnswerBody):
    """A place in the list."""

    place_id: Annotated[str, path("place.place_id", examples=_ID)]
    name: Annotated[str, path("place.name", examples=_NAME)]
    site: Annotated[str, path("place.site")]
    state: PlaceState
    last_seen: Annotated[
        float | None, path("place.seen_at", description="When it fetched TempIDs last.")
    ]
    hours: Annotated[int, Field(description="Hours of the last 14 days for which it had TempIDs.")]
    added_at: Annotated[float, path("place.added_at")]
    added_by: Annotated[str, path("place.added_by")]
    retired_at: Annotated[float | None, path("place.retired_at")]


class PlaceLines(AnswerBody):
    """All places: those in service by name, then retired ones."""

    places: list[PlaceLine]


class PlaceWarning(RequestBody):
    """For which time everybody is warned who was at a place."""

    since: Annotated[float, Field(ge=0, le=2.0**33, strict=False, description="Epoch seconds.")]
    until: Annotated[float, Field(ge=0, le=2.0**33, strict=False, description="Epoch seconds.")]
    reason: Annotated[str, Field(max_length=200, description="In the audit log.")]


class PlaceWarned(AnswerBody):
    """A place that was warned of."""

    tempids: Annotated[int, Field(description="TempIDs that the place had for that time.")]
    new: Annotated[int, Field(description="Those that were not warned of before.")]


class StayLine(AnswerBody):
    """A time that a case's phone was at a place; it is no contact with anybody."""

    place_id: Annotated[str, path("place.place_id", examples=_ID)]
    place: Annotated[str, path("place.name", examples=_NAME)]
    site: Annotated[str, path("place.site")]
    begin: Annotated[float, Field(serialization_alias="from", description="Epoch seconds.")]
    end: Annotated[float, Field(serialization_alias="to", description="Epoch seconds.")]
    readings: Annotated[int, Field(description="How often the phone recorded the place.")]
    fault: Annotated[
        Literal["", "two_places"],
        Field(description="two_places: it overlaps with a stay at another site."),
    ]


class StayLines(AnswerBody):
    """The stays of a case in its traced days, in order of time."""

    case_id: str
    stays: list[StayLine]
