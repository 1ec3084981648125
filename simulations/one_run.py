"""One run: people, phones and radio put together, simulated on SimPy's clock from start to end."""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import simpy

from simulations.fidelities.objects import ObjectPhones
from simulations.fidelities.players import Crowd
from simulations.fidelities.record_columns import ContactLogs
from simulations.fidelities.vectorized import VectorizedPhones
from simulations.people.walking import move
from simulations.phones.fixed import with_places
from simulations.phones.link_steps import ORGANISATION
from simulations.phones.phone_states import draw_changes, seconds_in_front
from simulations.phones.phones import CrowdPhones, draw_phones
from simulations.phones.protocols import PROTOCOLS, SimulatedProtocol, hear_the_same, radio_of
from simulations.phones.tempids import HomeTempIDs, LocalTempIDs, TempIDSource
from simulations.phones.token_sources import TokenDraws, TokenSource
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.contactlog import MemoryContactLog
from tracetogether.errors import ScenarioError
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import Ints

DEFAULT_START: Final = 1_593_590_400
"""2020-07-01 08:00 UTC. Any day would do, but a run must not read the system clock."""

FIDELITIES: Final = ("auto", "object", "vectorized")
VECTORIZED_FROM: Final = 150
"""Number of people from which ``auto`` means vectorized."""
MOST_OBJECTS: Final = 10_000
"""Largest crowd of objects, whose arrays of people by people then take 1.6 GB."""

_PROGRESS_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Run:
    """What happened in one run.

    Attributes:
        scenario, seed: what was run.
        start: epoch seconds of the beginning.
        venue: the room.
        tracks: where everybody was at every second, the ground truth.
        phones: one per person, with or without the app.
        logs: person -> contact log, for people with the app.
        user_ids: person -> user id, for people with the app.
        place_ids: the user id of each of the scenario's places.
        issuer: opens the TempIDs; None if they came from an authority elsewhere, if the phones
            speak another protocol, or if people are of several authorities.
        homes: each person's authority; empty if all have the same.
        sources: code -> the issuer of an authority, if there are several.
        tokens: the tokens of another protocol; None for BlueTrace.
        counts: name -> what all phones did together, such as scans.
        per_phone: person -> the same for one phone, and seconds with the app in front (front_s).
        rejections: reason -> messages that phones rejected.
        digest: SHA-256 (hex) over all rows of all logs in canonical order.
    """

    scenario: Scenario
    seed: int
    start: float
    venue: Room = field(repr=False)
    tracks: CrowdTracks = field(repr=False)
    phones: CrowdPhones = field(repr=False)
    logs: Mapping[int, MemoryContactLog] = field(repr=False)
    user_ids: Mapping[int, str] = field(repr=False)
    place_ids: tuple[str, ...] = field(repr=False)
    issuer: TempIDIssuer | None = field(repr=False)
    tokens: TokenSource | None = field(repr=False)
    counts: Mapping[str, int]
    per_phone: Mapping[int, Mapping[str, int]] = field(repr=False)
    rejections: Mapping[Rejection, int]
    digest: str
    homes: tuple[str, ...] = ()
    sources: Mapping[str, LocalTempIDs] = field(default_factory=dict, repr=False)

    @property
    def protocol(self) -> SimulatedProtocol:
        """What the phones spoke."""
        return PROTOCOLS[self.scenario.phones.protocol]

    @property
    def app(self) -> Ints:
        """The people whose phones run the app, in order."""
        return np.array(sorted(self.logs), dtype=np.int64)


def run(
    scenario: Scenario,
    *,
    seed: int,
    start: float = DEFAULT_START,
    source: TempIDSource | None = None,
    on_time: Callable[[float], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    fidelity: str = "auto",
    tracks: CrowdTracks | None = None,
) -> Run:
    """Simulate ``scenario`` once.

    The same scenario and seed give the same run on every machine. A ``source`` of TempIDs with
    random numbers of its own (a real authority) changes the tokens, and so the digest, but not the
    readings.

    Args:
        scenario: what to simulate.
        seed: of all random draws.
        start: epoch seconds of the beginning.
        source: where phones fetch TempIDs; by default the real issuer in this process.
        on_time: called with the simulated time (epoch seconds) before each call of ``source``.
        on_progress: called with (seconds done, seconds in all) about a hundred times.
        fidelity: object (one per phone), vectorized (all phones in columns) or auto: vectorized
            for large crowds. Both give the same run, to the digest.
        tracks: recorded tracks, used instead of the scenario's motion. They have the scenario's
            number of people and duration (``trajectories.on_recorded_tracks``).

    Raises:
        ValueError: the tracks are of other people or another duration.
        ScenarioError: the crowd is too large for objects, or a vectorized run has a ``source``.
    """
    chosen = fidelity_of(scenario, fidelity, own_issuer=source is None)
    streams = Streams(seed)
    venue = scenario.venue.room()
    if tracks is None:
        tracks = move(scenario, venue, streams)
    elif (tracks.people, tracks.ticks) != (scenario.people.count, int(scenario.duration_s) + 1):
        raise ValueError("the tracks are not of the scenario's people and duration")
    phones = draw_phones(scenario.people.count, scenario.phones, scenario.channel, streams)
    app = _with_app(scenario, streams)
    count = len(scenario.places)
    homes = homes_of(scenario, streams)
    if homes and source is not None:
        raise ScenarioError("people.home has issuers of this process: leave the source out")
    there = (*homes, *[next(iter(scenario.people.home))] * count) if homes else ()
    local: LocalTempIDs | HomeTempIDs | None = None
    if source is None:
        local = HomeTempIDs(start, streams, there) if there else LocalTempIDs(start, streams)
    fetched_from = local or source
    if fetched_from is None:
        raise AssertionError("one of the two is given")
    if on_time is not None:
        on_time(start)
    user_ids = {person: fetched_from.enrol(person) for person in app.tolist()}
    changes = draw_changes(app.tolist(), scenario.phones, scenario.duration_s, streams)
    tokens = _tokens_of(scenario, start, app, streams)
    if count and local is None:
        raise ScenarioError("[[places]] have TempIDs of this process: leave the source out")
    place_ids = tuple(fetched_from.enrol(len(phones) + number) for number in range(count))
    their_tracks, their_phones = with_places(
        tracks, phones, scenario.places, venue, scenario.channel, streams
    )
    crowd = Crowd(
        scenario,
        start,
        venue,
        their_tracks,
        their_phones,
        np.append(app, np.arange(len(phones), len(phones) + count)),
        user_ids | {len(phones) + number: place for number, place in enumerate(place_ids)},
        changes,
        streams,
        tokens,
        count,
        there or (ORGANISATION,) * (len(phones) + count),
    )
    env = simpy.Environment(initial_time=start)
    players: VectorizedPhones | ObjectPhones
    if local is not None and chosen == "vectorized":
        players = VectorizedPhones(crowd, local)
        env.process(players.live(env))
        # Columns make many small objects without cycles: a search for cycles would find nothing.
        with _without_collecting():
            _play(env, start, scenario.duration_s, on_progress)
            outcome = players.outcome()
    else:
        players = ObjectPhones(crowd, env, fetched_from, on_time)
        _play(env, start, scenario.duration_s, on_progress)
        outcome = players.outcome()
    in_front = seconds_in_front(changes, scenario.duration_s)
    return Run(
        scenario=scenario,
        seed=seed,
        start=start,
        venue=venue,
        tracks=tracks,
        phones=phones,
        logs=outcome.logs,
        user_ids=user_ids,
        place_ids=place_ids,
        issuer=local.issuer if isinstance(local, LocalTempIDs) and tokens is None else None,
        tokens=tokens,
        counts=outcome.counts,
        per_phone={
            person: {**mine, "front_s": round(in_front[person])}
            for person, mine in outcome.per_phone.items()
        },
        rejections=outcome.rejections,
        digest=log_digest(outcome.logs),
        homes=homes,
        sources=local.sources if isinstance(local, HomeTempIDs) else {},
    )


def homes_of(scenario: Scenario, streams: Streams) -> tuple[str, ...]:
    """Return the authority of each person: exact shares, chosen by one draw per person.

    Empty if the scenario names none.
    """
    people = scenario.people
    if not people.home:
        return ()
    order = np.argsort(streams.generator("homes").random(people.count), kind="stable")
    code = np.empty(people.count, dtype=np.int64)
    code[order] = np.repeat(np.arange(len(people.home)), people.at_home())
    names = tuple(people.home)
    return tuple(names[number] for number in code.tolist())


def _tokens_of(scenario: Scenario, start: float, app: Ints, streams: Streams) -> TokenSource | None:
    keys = scenario.phones
    make = PROTOCOLS[keys.protocol].tokens
    if make is None:
        return None
    power = radio_of(keys).advertised_dbm
    end = start + scenario.duration_s
    return make(TokenDraws(keys.protocol, streams, app, start, end, power))


def spoken_in(played: Run, protocol: str) -> Run:
    """Return a run as it is under another protocol whose phones hear the same.

    The radio is not played again: the records keep who heard whom and when. The other protocol's
    tokens are made for them, so that logs and digest are those of a run of its own.

    Args:
        played: a vectorized run.
        protocol: its phones share radio and times with those of the run; see ``hear_the_same``.

    Raises:
        ValueError: they don't, or the run is none in columns.
    """
    keys, logs = played.scenario.phones, played.logs
    scenario = played.scenario.with_({"phones.protocol": protocol})
    if not (isinstance(logs, ContactLogs) and hear_the_same(keys, scenario.phones)):
        raise ValueError(f"what was heard under {keys.protocol} is not what {protocol} would hear")
    streams = Streams(played.seed)
    tokens = _tokens_of(scenario, played.start, played.app, streams)
    if tokens is None:
        raise ValueError("TempIDs of BlueTrace come from an issuer: play the run")
    # BlueTrace serves the TempID that it showed last; others make a value when it is read.
    sent = logs.sent
    if played.tokens is None:
        sent = np.where(logs.as_central, logs.time, sent)
    spoken = logs.spoken_in(tokens, sent, played.phones.advertised_dbm)
    return replace(
        played,
        scenario=scenario,
        logs=spoken,
        issuer=None,
        tokens=tokens,
        digest=log_digest(spoken),
    )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Switch Python's cycle collector off for a while, in this process."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _with_app(scenario: Scenario, streams: Streams) -> Ints:
    """Return the people with the app: the exact share of phones, chosen by one draw per person.

    A higher adoption keeps these people and adds some. So adoption changes nothing else. Where
    groups have fewer phones than members, the people with a phone are drawn first: groups in which
    all have one, then those with the smallest of a uniform number divided by their group's share.
    """
    people = scenario.people
    order = np.argsort(streams.generator("adoption").random(people.count), kind="stable")
    if people.phones < people.count:
        share = np.array([group.carriers for group in people.groups.values()])[people.group_of()]
        drawn = streams.generator("adoption", "phones").random(people.count)
        drawn = np.divide(drawn, share, out=np.full(people.count, np.inf), where=share > 0)
        drawn[share == 1] = 0.0
        carriers = np.argsort(drawn, kind="stable")[: people.phones]
        order = order[np.isin(order, carriers)]
    return np.sort(order[: people.with_app]).astype(np.int64)


def fidelity_of(scenario: Scenario, wanted: str, *, own_issuer: bool = True) -> str:
    """Return "object" or "vectorized": the meaning of ``wanted`` for this scenario.

    Raises:
        ScenarioError: ``wanted`` is unknown or not possible here.
    """
    people = scenario.people.count
    if wanted not in FIDELITIES:
        raise ScenarioError(f"there is no fidelity {wanted!r}; there are {', '.join(FIDELITIES)}")
    if wanted == "auto":
        return "vectorized" if own_issuer and people >= VECTORIZED_FROM else "object"
    if wanted == "object" and people > MOST_OBJECTS:
        raise ScenarioError(
            f"an object per phone is for up to {MOST_OBJECTS} people, not {people}: "
            "leave it to --fidelity auto"
        )
    if wanted == "vectorized" and not own_issuer:
        raise ScenarioError(
            "--fidelity vectorized fetches from the issuer in this process: use --fidelity object"
        )
    return wanted


def _play(
    env: simpy.Environment,
    start: float,
    duration_s: float,
    on_progress: Callable[[int, int], None] | None,
) -> None:
    total = int(duration_s)
    for step in range(1, _PROGRESS_STEPS + 1):
        env.run(until=start + duration_s * step / _PROGRESS_STEPS)
        if on_progress is not None:
            on_progress(total * step // _PROGRESS_STEPS, total)


def log_rows(logs: Mapping[int, MemoryContactLog]) -> Iterator[tuple[int, Sighting]]:
    """Yield each person and sighting of all logs in canonical order: by person, then all fields."""
    for person in sorted(logs):
        for row in sorted(logs[person].rows(), key=_canonical):
            yield person, row


def log_digest(logs: Mapping[int, MemoryContactLog]) -> str:
    """Return SHA-256 (hex) over all rows in canonical order."""
    digest = hashlib.sha256()
    if isinstance(logs, ContactLogs):
        for person, rows in logs.canonical():
            digest.update("".join([f"{person}\n{row!r}\n" for row in rows]).encode())
        return digest.hexdigest()
    for person, row in log_rows(logs):
        digest.update(f"{person}\n{_canonical(row)!r}\n".encode())
    return digest.hexdigest()


def _canonical(row: Sighting) -> tuple[str, ...]:
    fields = (
        f"{row.time:.6f}",
        row.peer,
        row.rssi_dbm,
        row.tx_power_dbm,
        row.peer_model,
        row.observer_model,
        row.organisation,
        row.version,
        row.as_central,
    )
    return tuple(str(value) for value in fields)
