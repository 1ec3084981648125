"""Walls, doors and desks in pictures and on pages."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simulations.one_run import Run, run
from simulations.pages.floor import desks, floor_columns
from simulations.pages.recording import save_run
from simulations.pages.report import picture_digest, save_picture
from simulations.pages.report_page import save_page
from simulations.scores.breakdown import break_down
from simulations.scores.scoring import ScoredRun, score_run
from simulations.settings.scenario import load_scenario, parse_scenario, scenario_text

WRITER = runpy.run_path(
    str(Path(__file__).parents[2] / "docs" / "howto" / "write_school_picture.py")
)
REMEDY = "run `python docs/howto/write_school_picture.py`"
NAMED = "<b>$room"


@pytest.fixture(scope="module")
def at_home() -> tuple[Run, ScoredRun]:
    text = scenario_text("home").text.replace('"living-room"', f'"{NAMED}"')
    text = text.replace("[venue.spaces.living-room]", f"[venue.spaces.'{NAMED}']")
    scenario = parse_scenario(text, name="home", source="home.toml")
    played = run(replace(scenario, duration_s=300.0), seed=1)
    return played, score_run(played)


def test_a_page_gets_walls_doors_and_desks() -> None:
    room = load_scenario("home").venue.room()
    columns = floor_columns(room)
    assert [-5.5, -3.25, -5.5, 2.05] in columns["walls"]  # left side, up to the front door
    assert [-5.5, 2.05, -5.5, 2.95] in columns["doors"]
    assert [name for *_, name in columns["names"]] == list(load_scenario("home").venue.spaces)
    assert len(columns["desks"]) == len(columns["seats"]) == len(room.seats) == 8
    for x, y, to_x, to_y in columns["walls"]:
        assert x == to_x or y == to_y
    alone = floor_columns(load_scenario("lift").venue.room())
    assert (alone["walls"], alone["doors"], alone["desks"]) == ([], [], [])
    ward = floor_columns(load_scenario("hospital-ward").venue.room())
    assert ward["walls"] == [[x, -4.5, x, 4.5] for x in (-8.0, 0.0, 8.0)]


@pytest.mark.parametrize("name", ["school", "office-day", "dormitory", "care-home", "home"])
def test_desks_are_before_the_seats_and_in_their_room(name: str) -> None:
    room = load_scenario(name).venue.room()
    middle = desks(room).mean(axis=1)
    way = middle - room.seats
    ahead = np.stack([np.cos(room.seat_facing), np.sin(room.seat_facing)], axis=-1)
    assert (way * ahead).sum(axis=1) == pytest.approx(np.full(len(way), 0.575))
    assert np.array_equal(room.walls.rooms_at(middle), room.walls.rooms_at(room.seats))


def test_the_picture_of_a_plan_names_its_spaces(
    at_home: tuple[Run, ScoredRun], tmp_path: Path
) -> None:
    played, scored = at_home
    save_picture(played, scored.scores.cases[0], tmp_path / "home.svg")
    drawn = (tmp_path / "home.svg").read_text("utf-8")
    for name in ("corridor", "bedroom", "childrens-room", "&lt;b&gt;$room"):
        assert name in drawn


def test_the_replay_draws_the_floor(at_home: tuple[Run, ScoredRun], tmp_path: Path) -> None:
    played, scored = at_home
    folder = save_run(played, scored, break_down(played, scored), tmp_path / "run")
    save_page(folder, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    plan = page.partition('<svg class="picture plan"')[2].partition("</svg>")[0]
    columns = floor_columns(played.venue)
    assert plan.count('class="wall"') == len(columns["walls"]) > 5
    assert plan.count('class="doorway"') == len(columns["doors"]) > 2
    assert plan.count('class="desk"') == len(columns["desks"]) + len(columns["seats"])
    assert "&lt;b&gt;$room" in plan
    assert NAMED not in page


@pytest.mark.slow
def test_the_picture_of_the_how_to_shows_this_run() -> None:
    played, case = WRITER["played"]()
    assert f"digest {picture_digest(played, case)}".encode() in WRITER["PICTURE"].read_bytes(), (
        REMEDY
    )
    assert WRITER["page_with"](case) == WRITER["PAGE"].read_text("utf-8"), REMEDY
