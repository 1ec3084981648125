import csv
import json
from pathlib import Path

import numpy as np
import pytest

from simulations.one_run import Run, run
from simulations.pages.recording import prepare_folder, save_run
from simulations.scores.breakdown import break_down
from simulations.scores.scoring import score_run
from simulations.scores.truth import ground_truth
from simulations.settings.scenario import load_scenario
from tracetogether.errors import StoreError


@pytest.fixture(scope="module")
def folder(short_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(short_run, tmp_path_factory.mktemp("kept") / "run")


def save(played: Run, folder: Path) -> Path:
    scored = score_run(played)
    return save_run(played, scored, break_down(played, scored), folder)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_manifest(short_run: Run, folder: Path) -> None:
    said = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert said["digest"] == short_run.digest
    assert said["seed"] == 1
    assert said["scenario"] == "short"
    scored = score_run(short_run)
    parts = break_down(short_run, scored)
    assert said["scores"] == scored.scores.to_json() | parts.to_json()
    assert said["keys"]["people"]["count"] == 16
    assert set(said["versions"]) == {"tracetogether", "python", "numpy"}
    for name in said["files"]:
        assert (folder / name).stat().st_size > 0


def test_positions_come_back(short_run: Run, folder: Path) -> None:
    kept = np.load(folder / "positions.npz")
    assert np.array_equal(kept["xy"], short_run.tracks.xy, equal_nan=True)
    assert kept["app"].tolist() == short_run.app.tolist()
    assert dict(zip(kept["app"].tolist(), kept["user_ids"].tolist(), strict=True)) == dict(
        short_run.user_ids
    )


def test_every_row_of_every_log_is_there(short_run: Run, folder: Path) -> None:
    kept = rows(folder / "contact-logs.csv")
    assert len(kept) == short_run.counts["records"]
    person = int(kept[0]["person"])
    first = short_run.logs[person].rows()[0]
    assert kept[0]["token"] == first.peer
    assert float(kept[0]["rssi_dbm"]) == first.rssi_dbm


def test_truth_and_contacts(short_run: Run, folder: Path) -> None:
    minutes = ground_truth(short_run.tracks, 2.0).table()
    kept = rows(folder / "truth.csv")
    for row in kept:
        pair = int(row["person"]), int(row["other"])
        assert float(row["minutes"]) == pytest.approx(minutes[pair], abs=1e-4)
    present = short_run.tracks.present()[:, :-1]
    together = (present[:, None] & present[None]).any(axis=2)
    assert len(kept) == np.triu(together, k=1).sum() > (np.triu(minutes) > 0).sum()
    listed = rows(folder / "contacts.csv")
    assert all(
        (float(row["chance"]) >= 0.3) == (row["close_contact"] == "1")
        for row in listed
        if row["chance"] != "0.3000"
    )
    for case in {row["case"] for row in listed}:
        order = [float(row["chance"]) for row in listed if row["case"] == case]
        assert order == sorted(order, reverse=True)
    found = sum(row["close_contact"] == row["true_contact"] == "1" for row in listed)
    assert found == score_run(short_run).scores.found


def test_groups_and_spaces_of_a_plan_are_kept(tmp_path: Path) -> None:
    home = load_scenario("home", {"duration_s": "7200"})
    played = run(home, seed=1)
    folder = save(played, tmp_path / "home")
    kept = np.load(folder / "positions.npz")
    names = list(home.people.groups)
    assert kept["group"].tolist() == [names[number] for number in home.people.group_of()]
    plan = played.venue.plan
    assert plan is not None
    assert kept["spaces"].tolist() == list(plan.names)
    there = played.tracks.present()
    assert (kept["space"][~there] == -1).all()
    spaces = rows(folder / "truth.csv")
    ticks = played.tracks.ticks - 1
    for row in spaces:
        pair = [int(row["person"]), int(row["other"])]
        assert [row["group"], row["other_group"]] == kept["group"][pair].tolist()
        gap = np.linalg.norm(np.diff(played.tracks.xy[pair, :ticks], axis=0)[0], axis=-1)
        near = kept["space"][pair[0], :ticks][gap <= home.policy.within_m]
        counts = np.bincount(near[near >= 0], minlength=len(plan.names))
        assert row["space"] == (plan.names[counts.argmax()] if counts.any() else "")
    assert len({row["space"] for row in spaces}) > 1


def test_the_same_run_may_be_kept_again(short_run: Run, folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    save(short_run, folder)
    for name in ("contact-logs.csv", "truth.csv", "contacts.csv", "manifest.json"):
        assert (folder / name).read_bytes() == before[name]


def test_something_else_is_not_overwritten(short_run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="nothing was overwritten"):
        save(short_run, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="not a recorded run"):
        prepare_folder(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreError, match="can't make the folder"):
        prepare_folder(file)
