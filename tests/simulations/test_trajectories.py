import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from simulations.one_run import run
from simulations.people.trajectories import choose_scene, load_tracks, on_recorded_tracks
from simulations.settings.scenario import load_scenario
from simulations.streams import Streams
from tracetogether.cli.simulate import simulate
from tracetogether.errors import InvalidReadingsError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two scenes of two minutes: a pair that stands together with one far off, and one alone."""
    places = {"ann": (100.0, 50.0), "bob": (101.0, 50.0), "cat": (160.0, 50.0)}
    lines = ["scenario,when,id,x,y"]
    for t in range(121):
        lines += [f"yard,{5000 + t},{who},{x},{y}" for who, (x, y) in places.items()]
        lines.append(f"attic,{9000 + t},dot,0,0")
    file = tmp_path / "tracks.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(simulate, ["run", *(str(word) for word in words)])


def test_recorded_people_get_phones_and_are_traced(table: Path, tmp_path: Path) -> None:
    words = ("train-carriage", "--trajectories", table, "--columns", "scene=scenario,t=when,id=id")
    settings = [
        word
        for setting in ("adoption=1", "phones.ios=0", "policy.minutes=1", "floor_dbm=-80")
        for word in ("--set", setting)
    ]
    folder = tmp_path / "kept"
    done = call(*words, "--scene", "yard", *settings, "--out", folder, "--json")
    assert done.exit_code == 0, done.output
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (manifest["people"], manifest["duration_s"]) == (3, 120)
    assert manifest["title"].endswith("on the recorded tracks yard")
    assert manifest["digest"] == json.loads(done.stdout)["digest"]
    truth = (folder / "truth.csv").read_text("utf-8").splitlines()
    near, *_ = [row for row in truth[1:] if ",2.0000,1.000," in row]
    ann, bob = (int(name) for name in near.split(",")[:2])
    pairs = {
        (int(row.split(",")[0]), int(row.split(",")[-1]))
        for row in (folder / "contact-logs.csv").read_text("utf-8").splitlines()[1:]
    }
    assert pairs == {(ann, bob), (bob, ann)}  # nobody hears anybody at 60 m


def test_errors_name_what_is_wrong_with_the_tracks(table: Path) -> None:
    words = ("lift", "--trajectories", table, "--columns", "t=when")
    several = call(*words)
    assert isinstance(several.exception, InvalidReadingsError)
    assert "several scenes (yard, attic): choose with --scene" in str(several.exception)
    assert "no scene 'cellar'" in str(call(*words, "--scene", "cellar").exception)
    assert "has 1 people" in str(call(*words, "--scene", "attic").exception)
    alone = call("lift", "--scene", "yard")
    assert alone.exit_code == 2
    assert "need --trajectories" in alone.output


def test_the_scenario_takes_the_recording_s_people_time_and_place(table: Path) -> None:
    lift = load_scenario("lift")
    scenes = load_tracks(table, {"t": "when"}, lift.people, Streams(1))
    yard = choose_scene(scenes, "yard", table)
    scenario, tracks = on_recorded_tracks(lift, yard)
    ann, bob = yard.names.index("ann"), yard.names.index("bob")
    assert (scenario.people.count, scenario.duration_s) == (3, 120.0)
    assert scenario.venue.room().inside(tracks.xy).all()
    assert np.allclose(tracks.xy[bob, 0] - tracks.xy[ann, 0], [1.0, 0.0], atol=1e-4)
    assert scenario.channel == lift.channel
    with pytest.raises(ValueError, match="not of the scenario's people"):
        run(lift, seed=1, tracks=tracks)
