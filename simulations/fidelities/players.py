"""What either fidelity is given to play, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulations.phones.phone_states import StateChange
from simulations.phones.phones import CrowdPhones
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.contactlog import MemoryContactLog
from tracetogether.rejection import Rejection
from tracetogether.units import Ints


@dataclass(frozen=True, slots=True)
class Crowd:
    """People with their phones, where they are, and all chance.

    Attributes:
        scenario: what is played.
        start: epoch seconds of the beginning.
        venue, tracks: where, and where everybody is.
        phones: one per person.
        app: (a,) the people whose phones run the app, ascending.
        user_ids: person -> user id, of those.
        changes: what their owners do to them, in order of time.
        streams: the run's chance.
    """

    scenario: Scenario
    start: float
    venue: Room
    tracks: CrowdTracks
    phones: CrowdPhones
    app: Ints
    user_ids: Mapping[int, str] = field(repr=False)
    changes: list[StateChange] = field(repr=False)
    streams: Streams


@dataclass(frozen=True, slots=True)
class PhoneResults:
    """What the phones did.

    Attributes:
        logs: person -> contact log, of those with the app.
        counts: what the phones did, by name, all together.
        per_phone: person -> the same of one phone.
        rejections: messages that phones did not believe, by reason.
    """

    logs: Mapping[int, MemoryContactLog] = field(repr=False)
    counts: Mapping[str, int]
    per_phone: Mapping[int, Mapping[str, int]] = field(repr=False)
    rejections: Mapping[Rejection, int]
