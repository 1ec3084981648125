"""Reads a kept run's manifest, to repeat the run with the same digest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulations.pages.recording import (
    MANIFEST,
    POSITIONS,
    RECORDED_TRACKS,
    TRACKS,
    file_digest,
    is_a_run,
)
from simulations.places.tracks import CrowdTracks
from simulations.provenance import Provenance, provenance
from simulations.settings.scenario import Scenario, scenario_of_keys
from tracetogether.errors import ScenarioError, StoreError

_VERSIONS: Final = ("tracetogether", "numpy")
"""The versions in the manifest that a digest depends on."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """The part of a manifest that is needed to repeat the run.

    Attributes:
        scenario: every key as simulated.
        seed, start: as simulated.
        tracks: the recorded tracks of the run; None if it had none.
        digest: digest of all contact logs.
        recorded_tracks: source of the recorded tracks, if any.
        differs: differences in version, code and tables here, in words.
    """

    scenario: Scenario
    seed: int
    start: float
    tracks: CrowdTracks | None
    digest: str
    recorded_tracks: str | None
    differs: tuple[str, ...]

    def expect_the_same_code(self, manifest: Path) -> None:
        """Refuse to repeat the run with another version, code or tables.

        Raises:
            StoreError: something differs; the message names it.
        """
        if self.differs:
            raise StoreError(
                f"{manifest} can't be played again to the same digest, because this is not what it "
                f"was played with: {'; '.join(self.differs)}. Install what it names, or give "
                "--despite-changes for a run with the same keys and seed and another digest"
            )


def read_run(manifest: Path) -> RecordedRun:
    """Read the manifest of a run.

    Args:
        manifest: the file, or its folder.

    Raises:
        StoreError: the file is no manifest, or its recorded tracks are missing or changed.
    """
    file = manifest / MANIFEST if manifest.is_dir() else manifest
    if not is_a_run(file):
        raise StoreError(
            f"{file} is not the manifest of a run; one is made by: tracetogether simulate run "
            f"SCENARIO --out DIR, as DIR/{MANIFEST}"
        )
    try:
        said: dict[str, Any] = json.loads(file.read_text("utf-8"))
        keys = dict(said["keys"])
        recorded: str | None = said.get(RECORDED_TRACKS)
        return RecordedRun(
            scenario=scenario_of_keys(keys, source=str(file), placed=recorded is None),
            seed=int(said["seed"]),
            start=float(said["start"]),
            tracks=None if recorded is None else _tracks(file, said),
            digest=str(said["digest"]),
            recorded_tracks=recorded,
            differs=tuple(_differences(said)),
        )
    except (OSError, ValueError, KeyError, TypeError, ScenarioError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise StoreError(f"{file} is damaged: {reason}") from None


def _differences(said: Mapping[str, Any]) -> list[str]:
    """Return the differences between a manifest's provenance and this process."""
    here = provenance()
    versions = said["versions"]
    found = [
        f"{name} ({versions.get(name)}, here {here.versions[name]})"
        for name in _VERSIONS
        if versions.get(name) != here.versions[name]
    ]
    if "provenance" not in said:
        return [*found, "code and tables (an earlier version, which did not write them down)"]
    others = Provenance.from_json(said["provenance"]).differences(here)
    return list(dict.fromkeys([*found, *others]))


def _tracks(file: Path, said: Mapping[str, Any]) -> CrowdTracks:
    """Return the recorded tracks kept beside the manifest."""
    kept = file.with_name(POSITIONS)
    if not kept.exists():
        raise StoreError(
            f"{file} is of a run on recorded tracks, which are in {kept.name}: put that file "
            "beside it, or play the recording itself: tracetogether simulate run SCENARIO "
            "--trajectories FILE"
        )
    if file_digest(kept) != said["sha256"][POSITIONS]:
        raise StoreError(f"{kept} is not the file that {file.name} was written with")
    with np.load(kept) as stored:
        columns = {name: stored[name] for name in TRACKS}
        return CrowdTracks(**columns, tick_s=float(stored["tick_s"]))
