"""One run: people, phones and air put together, played on SimPy's clock from start to end."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import simpy

from simulations.air import Air
from simulations.channel import Channel
from simulations.crowd import move
from simulations.handset import Handset
from simulations.phone_states import draw_changes, live_states, seconds_in_front
from simulations.phones import Phones, draw_phones
from simulations.scenario import Scenario
from simulations.streams import Streams
from simulations.tempids import LocalTempIDs, TempIDSource
from simulations.tracks import Tracks
from simulations.venue import Room
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.contactlog import MemoryContactLog
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import Ints

DEFAULT_START: Final = 1_593_590_400
"""2020-07-01 08:00 UTC: any day will do, but a run must not read the clock."""

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
    tracks: Tracks = field(repr=False)
    phones: Phones = field(repr=False)
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
    """
    streams = Streams(seed)
    venue = scenario.venue.room()
    tracks = move(scenario, venue, streams)
    phones = draw_phones(scenario.people.count, scenario.phones, scenario.channel, streams)
    app = _with_app(scenario, streams)
    channel = Channel(tracks, phones, scenario.channel, streams, venue.walls_x)
    air = Air(channel, tracks, phones, app, scenario.channel, streams, scenario.phones)
    issuer = None
    if source is None:
        local = LocalTempIDs(start, streams)
        source, issuer = local, local.issuer
    if on_time is not None:
        on_time(start)
    env = simpy.Environment(initial_time=start)
    fleet: dict[int, Handset] = {}
    for person in app.tolist():
        fleet[person] = Handset(
            env,
            person,
            source.enrol(person),
            begin_s=start,
            phones=phones,
            air=air,
            streams=streams,
            source=source,
            on_time=on_time,
            fleet=fleet,
            habits=scenario.phones,
        )
    changes = draw_changes(app.tolist(), scenario.phones, scenario.duration_s, streams)
    env.process(live_states(env, changes, start, air.change))
    _play(env, start, scenario.duration_s, on_progress)
    counts: Counter[str] = Counter()
    rejections: Counter[Rejection] = Counter()
    for handset in fleet.values():
        counts.update(handset.counts)
        rejections.update(handset.device.rejections)
    in_front = seconds_in_front(changes, scenario.duration_s)
    logs = {person: handset.log for person, handset in fleet.items()}
    counts["records"] = sum(len(log) for log in logs.values())
    return Run(
        scenario=scenario,
        seed=seed,
        start=start,
        venue=venue,
        tracks=tracks,
        phones=phones,
        logs=logs,
        user_ids={person: handset.user_id for person, handset in fleet.items()},
        issuer=issuer,
        counts=dict(sorted(counts.items())),
        per_phone={
            person: {**handset.counts, "front_s": round(in_front[person])}
            for person, handset in fleet.items()
        },
        rejections=dict(rejections),
        digest=log_digest(logs),
    )


def _with_app(scenario: Scenario, streams: Streams) -> Ints:
    """Return who has the app: the exact share, chosen by one draw per person.

    With a higher adoption the same people have it and some more: varying adoption varies
    nothing else.
    """
    people = scenario.people.count
    order = np.argsort(streams.generator("adoption").random(people), kind="stable")
    return np.sort(order[: round(scenario.people.adoption * people)]).astype(np.int64)


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
