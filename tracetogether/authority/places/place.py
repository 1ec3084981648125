"""A place as a value: a device that speaks at a fixed spot, keeps nothing and listens to nobody."""

from dataclasses import dataclass, field
from enum import Enum


class PlaceState(Enum):
    """How a place is."""

    NEW = "new"  # its device has never fetched TempIDs
    SPEAKING = "speaking"  # its device has TempIDs for this moment
    SILENT = "silent"  # the TempIDs that it fetched last are over
    RETIRED = "retired"  # its credential has ended


@dataclass(frozen=True, slots=True)
class Place:
    """A place; its TempIDs name ``user_id``, and no user has that id.

    Attributes:
        place_id: random, ten characters.
        user_id: what its TempIDs open to.
        credential_digest: of its device's credential.
        name: such as "Canteen 3".
        site: the building or grounds that it is in; "" if nobody said. Two places of different
            sites can't be heard at one time.
        added_by: name of the operator.
        added_at: epoch seconds.
        seen_at: when its device fetched TempIDs last, epoch seconds; None: never.
        retired_at: since when its credential is over, epoch seconds; None: it is not.
        retired_by: who retired it, or "".
    """

    place_id: str
    user_id: str = field(repr=False)
    credential_digest: bytes = field(repr=False)
    name: str
    site: str
    added_by: str
    added_at: float
    seen_at: float | None = None
    retired_at: float | None = None
    retired_by: str = ""


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """A place as operators see it.

    Attributes:
        place: the place.
        state: how it is now.
        hours: full hours of the last 14 days for which its device had TempIDs.
    """

    place: Place
    state: PlaceState
    hours: int
