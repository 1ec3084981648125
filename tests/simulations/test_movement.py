import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.places.tracks import CrowdTracks
from simulations.studies.movement import (
    BADGES,
    PEDESTRIANS_M_S,
    load_badges,
    meetings,
    validate_movement,
    walking_speeds,
)
from simulations.studies.validation import ComparedStatistic
from tracetogether.cli.simulate import simulate
from tracetogether.errors import InvalidReadingsError


def standing(xy: list[list[float]], facing: list[float], ticks: int = 121) -> CrowdTracks:
    """Return people who stay for two minutes."""
    places = np.repeat(np.array(xy, np.float32)[:, None], ticks, axis=1)
    return CrowdTracks(
        xy=places,
        facing=np.repeat(np.array(facing, np.float32)[:, None], ticks, axis=1),
        posture=np.full(places.shape[:2], 2, np.int8),
        carry=np.zeros(places.shape[:2], np.int8),
    )


def test_badges_see_who_is_near_and_faces_them() -> None:
    people = standing([[0, 0], [1, 0], [1, 1.2], [9, 9]], [0.0, np.pi, 0.0, 0.0])
    people.facing[1, 60:] = 0.0  # the second turns away half-way
    found = meetings(people)
    assert found.length_s.tolist() == [60.0]  # only the first two, until then
    assert found.person_hours == pytest.approx(4 * 7 * 20 / 3600)
    assert found.statistics()["contact_min_per_hour"] == pytest.approx(
        2 * 60 / 60 / found.person_hours
    )


def test_lists_of_contacts(tmp_path: Path) -> None:
    file = tmp_path / "tij.dat"
    file.write_text("100 1 2 A A\n120 2 1 A A\n100 1 3 A B\n200 1 2 A A\n")
    found = load_badges(file)
    assert sorted(found.length_s) == [20.0, 20.0, 40.0]
    assert found.person_hours == pytest.approx((100 + 100 + 0) / 3600)
    file.write_text("time one other\n")
    with pytest.raises(InvalidReadingsError, match="no list of contacts"):
        load_badges(file)


def test_walking_speeds_are_of_those_who_walk() -> None:
    people = standing([[0, 0], [5, 5]], [0.0, 0.0])
    people.xy[0, :, 0] = 1.3 * np.arange(121)
    people.posture[0] = 3
    assert walking_speeds(people).tolist() == pytest.approx([1.3], abs=1e-4)


@pytest.fixture(scope="module")
def rows() -> dict[str, ComparedStatistic]:
    return {row.statistic: row for row in validate_movement(seeds=(0,))}


@pytest.mark.parametrize(
    "statistic",
    [
        "walking_m_s_corridor-pass",
        "walking_m_s_stadium-exit",
        *(f"{figure}_{name}" for name, figures in BADGES.items() for figure in figures),
    ],
)
def test_people_move_and_meet_as_recorded_ones(
    rows: dict[str, ComparedStatistic], statistic: str
) -> None:
    assert rows[statistic].ok, rows[statistic]


def test_the_command(rows: dict[str, ComparedStatistic], tmp_path: Path) -> None:
    file = tmp_path / "tij.dat"
    file.write_text("100 1 2\n120 2 1\n4100 1 2\n")
    words = ["validate", "movement", "--seeds", "1", "--office", str(file), "--json"]
    said = {row["statistic"]: row for row in json.loads(CliRunner().invoke(simulate, words).stdout)}
    assert list(said) == list(rows)
    office = said["contact_mean_s_office-day"]
    assert office["simulated"] == rows["contact_mean_s_office-day"].simulated
    assert (office["measured"], office["source"]) == (30.0, str(file))


@pytest.mark.slow
def test_the_figures_are_those_of_the_recordings(recordings: Path) -> None:
    folder = recordings / "sociopatterns"
    for name, file in (
        ("office-day", "workplace_InVS15_tij.dat.gz"),
        ("conference", "SFHH_tij.dat.gz"),
    ):
        found = load_badges(folder / file).statistics()
        for statistic, value in BADGES[name].items():
            assert found[statistic] == pytest.approx(value, rel=0.01)
    tracks = recordings / "pedestrian" / "eth_ucy.csv.gz"
    measured = validate_movement(pedestrians=tracks, seeds=(0,))[0].reference
    assert measured == pytest.approx(PEDESTRIANS_M_S, rel=0.03)
