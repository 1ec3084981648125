"""Bodies found by cells of the floor are those that trying everybody finds, to the bit."""

import numpy as np
import pytest

from simulations.people.bodies import body_units, obstruction_of
from simulations.places.cells import Cells
from simulations.places.tracks import CrowdTracks
from simulations.places.venue import Posture
from simulations.radio.neighbours import Bystanders
from tracetogether.units import Bools, Ints

PEOPLE, TICKS, LINKS = 60, 4, 500
FRAME = (-6.0, 6.0, -4.0, 4.0)
LAYER = np.arange(4000) % 2


@pytest.fixture(scope="module")
def tracks() -> CrowdTracks:
    chance = np.random.default_rng(1)
    xy = chance.uniform([-6, -4], [6, 4], (PEOPLE, TICKS, 2)).astype(np.float32)
    posture = np.full((PEOPLE, TICKS), Posture.STANDING, dtype=np.int8)
    away = chance.random((PEOPLE, TICKS)) < 0.2
    xy[away], posture[away] = np.nan, Posture.ABSENT
    none = np.zeros((PEOPLE, TICKS))
    return CrowdTracks(xy, none.astype(np.float32), posture, none.astype(np.int8))


def test_the_index_finds_the_same_bystanders_as_trying_everybody(tracks: CrowdTracks) -> None:
    chance = np.random.default_rng(2)
    a, b = chance.integers(PEOPLE, size=(2, LINKS))
    tick = chance.integers(TICKS, size=LINKS)
    ends = chance.uniform([-6.3, -4.3], [6.3, 4.3], (2, LINKS, 2))
    ends[1, :20, 1] = ends[0, :20, 1]  # along the room
    ends[1, 20:40, 0] = ends[0, 20:40, 0]  # across it
    ends[1, 40:50] = ends[0, 40:50]
    others = tracks.xy[:, tick].transpose(1, 0, 2).astype(np.float64)
    who = np.arange(PEOPLE)
    others[(who == a[:, None]) | (who == b[:, None])] = np.nan
    along, rel = ends[1] - ends[0], others - ends[0][:, None]
    length2 = np.maximum((along**2).sum(axis=1), 1e-6)[:, None]
    units = body_units(rel[..., 0], rel[..., 1], along[:, :1], along[:, 1:], length2)
    everybody = obstruction_of(np.nansum(units, axis=1), 2.5)
    found = Bystanders(tracks).blocked_db(ends[0], ends[1], a, b, tick, 2.5)
    assert np.array_equal(found, everybody)
    assert (found > 0.1).mean() > 0.3


def test_a_link_without_an_end_has_no_loss(tracks: CrowdTracks) -> None:
    nowhere = np.full((1, 2), np.nan)
    one, tick = np.array([0]), np.array([1])
    assert Bystanders(tracks).blocked_db(nowhere, np.zeros((1, 2)), one, one, tick, 2.5) == 0.0


@pytest.fixture(scope="module")
def cells() -> Cells:
    chance = np.random.default_rng(3)
    xy = chance.uniform([-6, -4], [6, 4], (len(LAYER), 2))
    return Cells(xy, LAYER, FRAME, row_m=1.0, cell_m=0.5, layers=2)


def check(cells: Cells, mine: Ints, near: Bools, layer: int) -> None:
    """Every place that is near is found once, and not many others."""
    there = LAYER[cells.order] == layer
    near = near & there
    assert len(np.unique(mine)) == len(mine)
    assert set(np.flatnonzero(near)) <= set(mine.tolist()) <= set(np.flatnonzero(there))
    assert len(mine) < 3 * near.sum() + 60


def test_along_returns_all_places_near_a_line_and_few_others(cells: Cells) -> None:
    chance = np.random.default_rng(4)
    a, b = chance.uniform([-6, -4], [6, 4], (2, 50, 2))
    layer = chance.integers(2, size=50)
    line, place = cells.along(a, b, 0.5, layer)
    along = b - a
    found = np.column_stack([cells.x, cells.y])
    for index in range(50):
        rel = found - a[index]
        part = np.clip(rel @ along[index] / (along[index] @ along[index]), 0, 1)
        near = np.linalg.norm(rel - part[:, None] * along[index], axis=1) <= 0.5
        check(cells, place[line == index], near, int(layer[index]))


def test_near_returns_all_places_near_a_point_and_few_others(cells: Cells) -> None:
    chance = np.random.default_rng(5)
    points = chance.uniform([-6, -4], [6, 4], (50, 2))
    layer = chance.integers(2, size=50)
    query, place = cells.near(points, 2.0, layer)
    for index in range(50):
        near = np.hypot(cells.x - points[index, 0], cells.y - points[index, 1]) <= 2.0
        check(cells, place[query == index], near, int(layer[index]))
