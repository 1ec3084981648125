"""Input and result of both fidelities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulations.phones.phone_states import StateChange
from simulations.phones.phones import CrowdPhones
from simulations.phones.token_sources import TokenSource
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.contactlog import MemoryContactLog
from tracetogether.rejection import Rejection
from tracetogether.units import Ints


@dataclass(frozen=True, slots=True)
class Crowd:
    """People with their phones and tracks, and all random draws.

    Attributes:
        scenario: what is simulated.
        start: epoch seconds of the beginning.
        venue, tracks: the room, and where everybody is.
        phones: one per person.
        app: (a,) the people whose phones run the app, ascending.
        user_ids: person -> user id, for people with the app.
        changes: changes of the phones' states, in order of time.
        streams: the run's random draws.
        tokens: the tokens of another protocol; None for BlueTrace.
        places: how many of the last tracks, phones and user ids are places', which speak only.
        homes: the authority of each person and place.
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
    tokens: TokenSource | None = None
    places: int = 0
    homes: Sequence[str] = ()

    @property
    def people(self) -> int:
        """The number of people; indices from here on are those of places."""
        return len(self.phones) - self.places

    @property
    def listening(self) -> Ints:
        """The people whose phones run the app."""
        return self.app[: len(self.app) - self.places]


@dataclass(frozen=True, slots=True)
class PhoneResults:
    """What the phones did.

    Attributes:
        logs: person -> contact log, for people with the app.
        counts: name -> what all phones did together, such as scans.
        per_phone: person -> the same for one phone.
        rejections: reason -> messages that phones rejected.
    """

    logs: Mapping[int, MemoryContactLog] = field(repr=False)
    counts: Mapping[str, int]
    per_phone: Mapping[int, Mapping[str, int]] = field(repr=False)
    rejections: Mapping[Rejection, int]
