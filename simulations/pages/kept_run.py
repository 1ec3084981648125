"""Reads a kept run into columns, for its page."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.pages.recording import (
    CONTACTS,
    LOGS,
    MANIFEST,
    POSITIONS,
    TRACKS,
    TRUTH,
    expect_own_files,
)
from simulations.people.bodies import Carry
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Room
from simulations.settings.scenario import Scenario, scenario_of_keys
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.units import Bools, Floats, Ints

_ROWS_AT_ONCE: Final = 10_000
NOBODY: Final = -1
"""The number of a person that a line does not name."""


@dataclass(frozen=True, slots=True, eq=False)
class ListedColumns:
    """Every line of every contact list beside the truth; columns of length l, in each list's order.

    Attributes:
        case, person: whose list, and who is on it; NOBODY if nobody of this run.
        chance: P(the policy's minutes or more); NaN in runs of earlier versions.
        minutes: (3, l) minutes near as estimated: 5 %, median, 95 %.
        nearest_m: smallest distance as estimated, the median.
        close: whether the list holds the person as a close contact.
        true_minutes, true_nearest_m: the truth.
        true: whether the two really met the policy.
    """

    case: Ints
    person: Ints
    chance: Floats
    minutes: Floats
    nearest_m: Floats
    close: Bools
    true_minutes: Floats
    true_nearest_m: Floats
    true: Bools


@dataclass(frozen=True, slots=True, eq=False)
class TruthColumns:
    """What happened between pairs of people; columns of length n.

    Attributes:
        first, second: the two people.
        minutes: within the policy's distance.
        nearest_m: smallest distance, metres.
        space: where they were near for longest; "" if not known.
    """

    first: Ints
    second: Ints
    minutes: Floats
    nearest_m: Floats
    space: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class KeptRun:
    """A kept run of P people.

    Attributes:
        folder: where it is kept.
        manifest: what the run's file says.
        scenario: what was played; None in runs of earlier versions.
        room: the venue; None in runs of earlier versions.
        tracks: where everybody was.
        app: the people with the app, ascending.
        cases: those who were index cases, ascending.
        carry: (P,) code of the usual place of each phone.
        groups: (P,) name of each person's group; "" for none.
        lists: every contact list.
        truth: what happened.
    """

    folder: Path
    manifest: Mapping[str, Any]
    scenario: Scenario | None
    room: Room | None
    tracks: CrowdTracks = field(repr=False)
    app: Ints
    cases: Ints
    carry: Ints
    groups: tuple[str, ...]
    lists: ListedColumns = field(repr=False)
    truth: TruthColumns = field(repr=False)

    @property
    def name(self) -> str:
        """The scenario's name and the seed."""
        return f"{self.manifest['scenario']}, seed {self.manifest['seed']}"

    @property
    def people(self) -> int:
        """The number of people."""
        return self.tracks.people

    @property
    def scores(self) -> Mapping[str, Any]:
        """The scores, as the manifest has them."""
        return dict(self.manifest["scores"])

    @property
    def within_m(self) -> float:
        """The policy's distance, metres."""
        return float(self.scores["within_m"])

    @property
    def least_minutes(self) -> float:
        """The policy's minutes."""
        return float(self.scores["minutes"])

    @property
    def least_chance(self) -> float | None:
        """From which chance on a person is listed; None in runs of earlier versions."""
        return None if self.scenario is None else self.scenario.policy.least_chance

    @property
    def duration_s(self) -> float:
        """How long the run lasted, s."""
        return float(self.manifest["duration_s"])


def read_kept_run(folder: Path) -> KeptRun:
    """Read the run kept in a folder.

    Raises:
        StoreError: the folder holds no complete run, or a damaged one.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        expect_own_files(manifest, folder)
        with np.load(folder / POSITIONS) as stored:
            tracks = CrowdTracks(
                **{name: stored[name] for name in TRACKS}, tick_s=float(stored["tick_s"])
            )
            app = stored["app"].astype(np.int64)
            groups = stored["group"].tolist() if "group" in stored else [""] * tracks.people
        scenario = _scenario(manifest)
        lists = _lists(folder)
        return KeptRun(
            folder=folder,
            manifest=manifest,
            scenario=scenario,
            room=None if scenario is None else scenario.venue.room(),
            tracks=tracks,
            app=app,
            cases=np.array(manifest.get("index_cases", app.tolist()), dtype=np.int64),
            carry=_usual_carry(tracks),
            groups=tuple(groups),
            lists=lists,
            truth=_truth(folder),
        )
    except FileNotFoundError as error:
        raise StoreError(
            f"{folder} holds no complete run ({Path(error.filename).name} is missing); make one "
            "in an empty folder: tracetogether simulate run SCENARIO --out DIR"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise StoreError(f"{folder} holds a damaged run: {error}") from None


def log_rows(run: KeptRun) -> dict[str, tuple[str, ...]]:
    """Return the columns of all contact logs, as texts: person, time, token, rssi_dbm, peer.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        found = _columns(run.folder / LOGS)
        return {name: found[name] for name in ("person", "time", "token", "rssi_dbm", "peer")}
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{run.folder} holds a damaged run: {error}") from None


def _scenario(manifest: Mapping[str, Any]) -> Scenario | None:
    try:
        return scenario_of_keys(manifest["keys"], source=MANIFEST, placed=False)
    except (KeyError, ScenarioError):
        return None


def _usual_carry(tracks: CrowdTracks) -> Ints:
    """Return (P,) where each phone is for most of the run, as the scores count it."""
    counts = np.stack([(tracks.carry == place).sum(axis=1) for place in Carry])
    return np.asarray(counts.argmax(axis=0), dtype=np.int64)


def _lists(folder: Path) -> ListedColumns:
    rows = _columns(folder / CONTACTS)
    nobody = (str(NOBODY),) * len(rows["case"])
    return ListedColumns(
        case=_whole(rows["case"]),
        person=_whole(tuple(map(_or, rows["person"], nobody))),
        chance=_numbers(rows.get("chance", ("",) * len(nobody))),
        minutes=np.stack(
            [_numbers(rows[name]) for name in ("minutes_low", "minutes", "minutes_high")]
        ),
        nearest_m=_numbers(rows["nearest_m"]),
        close=_whole(rows["close_contact"]) > 0,
        true_minutes=_numbers(rows["true_minutes"]),
        true_nearest_m=_numbers(rows["true_nearest_m"]),
        true=_whole(rows["true_contact"]) > 0,
    )


def _truth(folder: Path) -> TruthColumns:
    rows = _columns(folder / TRUTH)
    return TruthColumns(
        first=_whole(rows["person"]),
        second=_whole(rows["other"]),
        minutes=_numbers(rows["minutes"]),
        nearest_m=_numbers(rows["nearest_m"]),
        space=rows.get("space", ("",) * len(rows["person"])),
    )


def _columns(file: Path) -> dict[str, tuple[str, ...]]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = csv.reader(lines)
        heads = next(rows)
        columns: list[list[str]] = [[] for _ in heads]
        while chunk := list(islice(rows, _ROWS_AT_ONCE)):
            for column, values in zip(columns, zip(*chunk, strict=True), strict=True):
                column.extend(values)
        return {head: tuple(column) for head, column in zip(heads, columns, strict=True)}


def _or(text: str, otherwise: str) -> str:
    return text or otherwise


def _whole(texts: tuple[str, ...]) -> Ints:
    return np.array(texts, dtype=np.str_).astype(np.int64) if texts else np.empty(0, np.int64)


def _numbers(texts: tuple[str, ...]) -> Floats:
    return np.array([float(text or "nan") for text in texts], dtype=np.float64)
