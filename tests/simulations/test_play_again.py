"""`simulate run --from manifest.json`: the same run again, or a refusal that says why not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tracetogether.cli.simulate import simulate
from tracetogether.errors import StoreError

SHORT = {"duration_s": "60", "count": "12", "policy.minutes": "0.5", "adoption": "0.7"}
TRACKS = "scene,t,id,x,y\n" + "".join(
    f"queue,{t},{person},{person * 0.7 + t * 0.02},0\n" for t in range(41) for person in range(5)
)


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(simulate, ["run", *(str(word) for word in words)])


def refused(*words: str | Path) -> str:
    done = call(*words)
    assert isinstance(done.exception, StoreError), done.output
    return str(done.exception)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    settings = [word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")]
    assert call("train-carriage", "--seed", "7", *settings, "--out", folder).exit_code == 0
    return folder


def manifest_of(folder: Path) -> dict[str, object]:
    said: dict[str, object] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return said


def test_a_kept_run_is_played_again_to_the_same_files(kept: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    done = call("--from", kept / "manifest.json", "--out", again, "--json")
    assert done.exit_code == 0, done.output
    assert "The same digest" in done.stderr
    said = json.loads(done.stdout)
    assert (said["digest"], said["seed"]) == (manifest_of(kept)["digest"], 7)
    assert manifest_of(again) == manifest_of(kept)
    assert call("--from", kept).exit_code == 0  # the folder names it as well


def test_recorded_tracks_are_played_again_from_what_was_kept(tmp_path: Path) -> None:
    file, first, again = (tmp_path / name for name in ("tracks.csv", "first", "again"))
    file.write_text(TRACKS, "utf-8")
    words = ["train-carriage", "--trajectories", file, "--set", "adoption=1", "--out", first]
    assert call(*words).exit_code == 0
    file.unlink()
    assert call("--from", first / "manifest.json", "--out", again).exit_code == 0
    assert manifest_of(again) == manifest_of(first)
    assert manifest_of(first)["recorded_tracks"] == "tracks.csv, scene queue"
    (first / "positions.npz").write_bytes((again / "positions.npz").read_bytes()[:-1])
    assert "is not the file that manifest.json was written with" in refused("--from", first)
    (first / "positions.npz").unlink()
    assert "put that file beside it" in refused("--from", first)


def edited(kept: Path, tmp_path: Path, change: Callable[[dict[str, object]], object]) -> Path:
    said = manifest_of(kept)
    change(said)
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(said), "utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said["versions"].update(tracetogether="0.0.1"), "tracetogether (0.0.1, here"),
        (lambda said: said["versions"].update(numpy="1.0"), "numpy (1.0, here"),
        (
            lambda said: said["provenance"]["tables"].update({"tracetogether.parameters": "0"}),
            "table tracetogether.parameters (0, here",
        ),
        (
            lambda said: said["provenance"]["code"].update({"simulations/radio": "0"}),
            "code of simulations/radio (0, here",
        ),
        (lambda said: said.pop("provenance"), "an earlier version, which did not write them down"),
    ],
)
def test_what_differs_is_said_and_refused(
    kept: Path, tmp_path: Path, change: Callable[[dict[str, object]], object], words: str
) -> None:
    file = edited(kept, tmp_path, change)
    said = refused("--from", file)
    assert words in said
    assert "--despite-changes" in said
    done = call("--from", file, "--despite-changes")
    assert done.exit_code == 0
    assert words in " ".join(done.stderr.split())


def test_a_table_that_is_other_in_memory_is_refused(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracetogether.parameters.MAX_PEOPLE_A_MINUTE", 1)
    assert "table tracetogether.parameters" in refused("--from", kept)


def test_a_manifest_that_was_changed_is_no_result(kept: Path, tmp_path: Path) -> None:
    other_keys = edited(kept, tmp_path, lambda said: said["keys"]["people"].update(adoption=1.0))  # type: ignore[index]
    out = tmp_path / "out"
    assert "the manifest was changed" in refused("--from", other_keys, "--out", out)
    assert list(out.iterdir()) == []
    wrong = edited(kept, tmp_path, lambda said: said["keys"]["people"].update(adoption=7))  # type: ignore[index]
    assert "is damaged: " in refused("--from", wrong)
    assert "from 0 to 1" in refused("--from", wrong)
    without = edited(kept, tmp_path, lambda said: said.pop("seed"))
    assert "'seed' is missing" in refused("--from", without)
    without.write_text("[]")
    assert "is not the manifest of a run" in refused("--from", without)
    assert "choose another --out" in refused("--from", kept, "--out", kept)


@pytest.mark.parametrize(
    "words",
    [
        ("train-carriage",),
        ("--seed", "7"),
        ("--set", "adoption=1"),
        ("--scene", "queue"),
    ],
)
def test_nothing_is_said_twice(kept: Path, words: tuple[str, ...]) -> None:
    done = call("--from", kept / "manifest.json", *words)
    assert done.exit_code == 2
    assert "leave out" in done.output
    assert call().exit_code == 2
    assert call("lift", "--despite-changes").exit_code == 2


def test_a_report_of_files_of_two_runs_is_refused(kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert call("lift", "--set", "duration_s=60", "--out", other).exit_code == 0
    for name in ("contacts.csv", "truth.csv", "contact-logs.csv", "positions.npz"):
        before = (other / name).read_bytes()
        (other / name).write_bytes((kept / name).read_bytes())
        done = CliRunner().invoke(simulate, ["report", str(other), "-o", str(tmp_path / "x.html")])
        assert isinstance(done.exception, StoreError)
        assert f"{name} is not the file" in str(done.exception)
        assert not (tmp_path / "x.html").exists()
        (other / name).write_bytes(before)


def test_no_picture_of_an_earlier_run_is_left(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for file in kept.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert (folder / "picture.png").exists()
    nobody = ("--set", "adoption=0", "--set", "duration_s=60")
    assert call("lift", *nobody, "--out", folder).exit_code == 0
    assert not (folder / "picture.png").exists()
