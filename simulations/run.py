"""One run: people, phones and air put together, played on SimPy's clock from start to end."""

import gc
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import simpy

from simulations.fidelities.objects import ObjectPhones
from simulations.fidelities.players import Crowd
from simulations.fidelities.record_columns import ContactLogs
from simulations.fidelities.vectorized import VectorizedPhones
from simulations.people.crowd import move
from simulations.phones.phone_states import draw_changes, seconds_in_front
from simulations.phones.phones import CrowdPhones, draw_phones
from simulations.phones.tempids import LocalTempIDs, TempIDSource
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
"""2020-07-01 08:00 UTC: any day will do, but a run must not read the clock."""

FIDELITIES: Final = ("auto", "object", "vectorized")
VECTORIZED_FROM: Final = 150
"""People from which ``auto`` plays the phones in columns."""
MOST_OBJECTS: Final = 10_000
"""They keep arrays of people by people: 1.6 GB at that."""

_PROGRESS_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Run:
    """What happened in one run.

    Attributes:
        scenario, seed: what was run.
        start: epoch seconds of the beginning.
        venue: where.
        tracks: where everybody was at every second, the ground truth.
        phones: one per person, whether the app is on it or not.
        logs: person -> contact log, of those with the app.
        user_ids: person -> user id, of those with the app.
        issuer: opens the TempIDs; None where they came from an authority elsewhere.
        counts: what the phones did, by name, all together.
        per_phone: person -> the same of one phone, and seconds with the app in front (front_s).
        rejections: messages that phones did not believe, by reason.
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
    issuer: TempIDIssuer | None = field(repr=False)
    counts: Mapping[str, int]
    per_phone: Mapping[int, Mapping[str, int]] = field(repr=False)
    rejections: Mapping[Rejection, int]
    digest: str

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
    """Play ``scenario`` once.

    The same scenario and seed give the same run, wherever and however often. With a ``source``
    of TempIDs that has chance of its own (a real authority), the readings are still the same,
    but the tokens and with them the digest are not.

    Args:
        scenario: what to play.
        seed: of all chance.
        start: epoch seconds at which it begins.
        source: where phones fetch TempIDs; by default the real issuer in this process.
        on_time: told the simulated time (epoch seconds) before ``source`` is asked for anything.
        on_progress: told (seconds done, seconds in all) about a hundred times.
        fidelity: object (one per phone), vectorized (all phones in columns) or auto: vectorized
            for large crowds. Both give the same run, to the digest.
        tracks: where everybody is, if not as the scenario moves them: recorded tracks, of the
            scenario's number of people and duration (``trajectories.on_recorded_tracks``).

    Raises:
        ValueError: the tracks are of other people or another duration.
        ScenarioError: the crowd is too large for objects, or a vectorized run has a ``source``.
    """
    chosen = fidelity_of(scenario, fidelity, own_issuer=source is None)
    # What columns make is small, plentiful and without cycles: looking through it finds nothing.
    with _without_collecting() if chosen == "vectorized" else nullcontext():
        return _run(scenario, seed, start, source, on_time, on_progress, chosen, tracks)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Keep Python's collector of cycles from running, in this process, for a while."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _run(
    scenario: Scenario,
    seed: int,
    start: float,
    source: TempIDSource | None,
    on_time: Callable[[float], None] | None,
    on_progress: Callable[[int, int], None] | None,
    chosen: str,
    tracks: CrowdTracks | None,
) -> Run:
    """Play ``scenario`` in the fidelity that was chosen; see ``run``."""
    streams = Streams(seed)
    venue = scenario.venue.room()
    if tracks is None:
        tracks = move(scenario, venue, streams)
    elif (tracks.people, tracks.ticks) != (scenario.people.count, int(scenario.duration_s) + 1):
        raise ValueError("the tracks are not of the scenario's people and duration")
    phones = draw_phones(scenario.people.count, scenario.phones, scenario.channel, streams)
    app = _with_app(scenario, streams)
    local = LocalTempIDs(start, streams) if source is None else None
    fetched_from = local or source
    if fetched_from is None:
        raise AssertionError("one of the two is given")
    if on_time is not None:
        on_time(start)
    user_ids = {person: fetched_from.enrol(person) for person in app.tolist()}
    changes = draw_changes(app.tolist(), scenario.phones, scenario.duration_s, streams)
    crowd = Crowd(scenario, start, venue, tracks, phones, app, user_ids, changes, streams)
    env = simpy.Environment(initial_time=start)
    players: VectorizedPhones | ObjectPhones
    if local is not None and chosen == "vectorized":
        players = VectorizedPhones(crowd, local)
        env.process(players.live(env))
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
        issuer=None if local is None else local.issuer,
        counts=outcome.counts,
        per_phone={
            person: {**mine, "front_s": round(in_front[person])}
            for person, mine in outcome.per_phone.items()
        },
        rejections=outcome.rejections,
        digest=log_digest(outcome.logs),
    )


def _with_app(scenario: Scenario, streams: Streams) -> Ints:
    """Return who has the app: the exact share, chosen by one draw per person.

    With a higher adoption the same people have it and some more: varying adoption varies
    nothing else.
    """
    people = scenario.people.count
    order = np.argsort(streams.generator("adoption").random(people), kind="stable")
    return np.sort(order[: scenario.people.with_app]).astype(np.int64)


def fidelity_of(scenario: Scenario, wanted: str, *, own_issuer: bool = True) -> str:
    """Return "object" or "vectorized": what ``wanted`` means for this scenario.

    Raises:
        ScenarioError: it can't be had.
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
    """Yield (person, sighting) of all logs in canonical order: by person, then by all fields."""
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
