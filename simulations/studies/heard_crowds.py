"""Played crowds for the study of nearness: what all logs of a run hold, beside the truth.

A crowd can be kept in a folder. Then a changed estimator is measured again in seconds, because
nothing that an estimator computes is kept.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Self

import numpy as np

from simulations.one_run import Run, run
from simulations.people.bodies import LOSS_DB
from simulations.provenance import digest_of, provenance
from simulations.scores.published import OpenedRun
from simulations.scores.tracing import open_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import ScenarioText
from tracetogether.errors import StoreError
from tracetogether.labels import Labels
from tracetogether.proximity.grid import distinct_keys
from tracetogether.sightings import Sightings
from tracetogether.units import Floats, Ints
from tracetogether.whole_file import whole_file

_OF_ESTIMATORS: Final = ("tracetogether/proximity", "tracetogether/authority/contacts")
"""Code that turns opened logs into minutes: a played crowd does not depend on it."""


@dataclass(frozen=True, slots=True)
class CrowdPlan:
    """One crowd to play: everything that a worker needs to know.

    Attributes:
        scenario: its text.
        settings: keys set in place of the scenario's.
        seed: of all random draws.
        within_m: the radius of the true minutes.
    """

    scenario: ScenarioText
    settings: tuple[tuple[str, str], ...]
    seed: int
    within_m: float


@dataclass(frozen=True, slots=True, eq=False)
class HeardCrowd:
    """All logs of one run as the authority opens them: n records, p directed pairs with a record.

    Attributes:
        people: number of people, with the app or without.
        owner: (n,) person whose log each record is from.
        peer: (n,) person whose TempID it holds.
        time: (n,) epoch seconds.
        rssi_dbm: (n,) reported signal strength.
        tx_power_dbm: (n,) advertised transmit power; NaN where unknown.
        distance_m: (n,) true distance of the two bodies at that time; NaN where one is absent.
        offset_db: (n,) what the two phones and their places on the body add to the loss: the
            attenuation that an estimator computes from the true figures has none of it.
        pair: (p,) ``owner * people + peer`` of each pair, ascending.
        true_minutes: (p,) how long each pair was within the radius.
    """

    people: int
    owner: Ints
    peer: Ints
    time: Floats
    rssi_dbm: Floats
    tx_power_dbm: Floats
    distance_m: Floats
    offset_db: Floats
    pair: Ints
    true_minutes: Floats

    @classmethod
    def of(cls, played: Run, within_m: float) -> Self:
        """Return the opened logs of a run with the true minutes within a radius."""
        opened = open_run(played)
        people = played.tracks.people
        pair = np.unique(opened.owner * people + opened.peer)
        truth = ground_truth(played.tracks, within_m, walls=played.venue.walls)
        distance_m, offset_db = _true_radio(played, opened)
        return cls(
            people=people,
            owner=opened.owner,
            peer=opened.peer,
            time=opened.sightings.time,
            rssi_dbm=opened.sightings.rssi_dbm,
            tx_power_dbm=opened.sightings.tx_power_dbm,
            distance_m=distance_m,
            offset_db=offset_db,
            pair=pair,
            true_minutes=truth.minutes_of(pair // people, pair % people),
        )

    def sightings(self) -> Sightings:
        """Return all records; people's names are their numbers."""
        names = tuple(str(person) for person in range(self.people))
        return Sightings.from_log(
            time=self.time,
            observer=Labels(self.owner.astype(np.int32), names),
            peer=Labels(self.peer.astype(np.int32), names),
            rssi_dbm=self.rssi_dbm,
            tx_power_dbm=self.tx_power_dbm,
        )

    def rows_of_pairs(self) -> Ints:
        """Return (n,) which of the pairs each record is of."""
        return distinct_keys(self.owner * self.people + self.peer, self.people**2)[1]

    def codes_of(self, observer: Labels, peer: Labels) -> Ints:
        """Return (m,) ``observer * people + peer`` of columns with names as in ``sightings``."""
        number = {str(person): person for person in range(self.people)}
        return observer.numbers(number) * self.people + peer.numbers(number)

    def save(self, path: Path) -> None:
        """Write all columns to a file.

        Raises:
            StoreError: it can't be written.
        """
        columns = {column.name: getattr(self, column.name) for column in fields(self)}
        with whole_file(path) as half:
            np.savez_compressed(half, **columns)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            with np.load(path) as held:
                columns = {column.name: held[column.name] for column in fields(cls)}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise StoreError(f"{path} is no kept crowd ({error}): remove it") from None
        return cls(**columns | {"people": int(columns["people"])})


def play_crowd(plan: CrowdPlan, folder: Path | None = None) -> HeardCrowd:
    """Play a crowd, or read it from ``folder`` if exactly the same was played before.

    Args:
        plan: what to play.
        folder: keeps played crowds; must exist.

    Raises:
        ScenarioError: the scenario is not valid.
        StoreError: the folder can't be written, or its file is damaged.
    """
    kept = None if folder is None else folder / f"crowd-{_name(plan)}.npz"
    if kept is not None and kept.exists():
        return HeardCrowd.load(kept)
    scenario = plan.scenario.read(dict(plan.settings))
    played = run(scenario, seed=plan.seed, fidelity="vectorized")
    crowd = HeardCrowd.of(played, plan.within_m)
    if kept is not None:
        crowd.save(kept)
    return crowd


def _name(plan: CrowdPlan) -> str:
    """Return a digest of all that a crowd depends on: keys, seed, radius, versions and code."""
    made_by: dict[str, Mapping[str, str]] = {
        kind: {
            name: value
            for name, value in parts.items()
            if not name.replace(".", "/").startswith(_OF_ESTIMATORS)
        }
        for kind, parts in provenance().to_json().items()
    }
    keys = asdict(plan.scenario.read(dict(plan.settings)))
    return digest_of([keys, plan.seed, plan.within_m, made_by])[:24]


def _true_radio(played: Run, opened: OpenedRun) -> tuple[Floats, Floats]:
    """Return (n,) true distances (m), and (n,) offsets (dB) of the phones of each record.

    Attenuation is transmit power - (RSSI + receiver correction). An estimator knows neither of
    the two figures exactly. The offset is what it has to subtract from -RSSI: the correction less
    the transmit power, and the loss of hand, cloth or bag at both ends. The owners' bodies are not
    in it, since their loss changes with every turn.
    """
    tracks, phones = played.tracks, played.phones
    owner, peer = opened.owner, opened.peer
    at_s = opened.sightings.time - played.start
    step = tracks.position(owner, at_s) - tracks.position(peer, at_s)
    tick = tracks.tick(at_s)
    carried = LOSS_DB[tracks.carry[owner, tick]] + LOSS_DB[tracks.carry[peer, tick]]
    offset_db = phones.correction_db[owner] - phones.tx_dbm[peer] + carried
    return np.hypot(step[:, 0], step[:, 1]), offset_db
