"""Places in a crowd: phones note them, locked iPhones wake by them, and they are nobody."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simulations.one_run import Run, run
from simulations.radio.channel import Channel
from simulations.scores.scoring import score_run
from simulations.scores.tracing import open_run, trace
from simulations.settings.scenario import Scenario, load_scenario
from simulations.streams import Streams
from tracetogether.errors import ScenarioError

LOCKED = {"ios": "1.0", "locked": "1.0", "background": "0", "lit_every_s": "1e9"}
"""Every phone is an iPhone that stays locked; no notification lights it."""
PLACE = {"places.1.at": "[4.5, 3.5]"}
SHORT = {"duration_s": "1300", "count": "12", "adoption": "1"}


@cache
def lesson(fidelity: str = "vectorized", *, place: bool = True) -> Run:
    settings = LOCKED | SHORT | (PLACE if place else {})
    return run(load_scenario("classroom", settings), seed=1, fidelity=fidelity)


def test_locked_iphones_record_each_other_once_a_place_wakes_them() -> None:
    assert lesson(place=False).counts["records"] == 0
    woken = open_run(lesson())
    assert len(woken.owner) > 200
    assert woken.places is not None
    assert len(woken.places.time) > 50


def test_people_do_not_differ_by_the_place() -> None:
    with_it, without = lesson(), lesson(place=False)
    assert np.array_equal(with_it.tracks.xy, without.tracks.xy, equal_nan=True)
    assert with_it.phones.model == without.phones.model
    assert np.array_equal(with_it.app, without.app)
    assert with_it.user_ids.keys() == without.user_ids.keys() == with_it.logs.keys()


def test_a_place_is_on_no_list_and_keeps_no_log() -> None:
    played = lesson()
    scored = score_run(played)
    people = played.scenario.people.count
    assert (scored.scores.lines.listing.person < people).all()
    assert set(played.place_ids).isdisjoint(played.user_ids.values())
    assert people not in played.logs
    assert scored.opened.rejected == {}
    names = {contact.user_id for contact in trace(played, 0, played.scenario.policy.policy())}
    assert names <= set(played.user_ids.values())


def test_files_and_columns_open_to_the_same_places() -> None:
    columns, files = (open_run(lesson(fidelity)).places for fidelity in ("vectorized", "object"))
    assert columns is not None
    assert files is not None
    rows = [
        sorted(zip(*(part.tolist() for part in (each.owner, each.place, each.time)), strict=True))
        for each in (columns, files)
    ]
    assert rows[0] == rows[1]


def test_stays_are_compared_with_who_was_there() -> None:
    places = score_run(lesson()).scores.places
    assert places is not None
    assert (places.places, places.stays, places.wrong) == (1, 11, 0)
    assert places.shared_found is not None
    assert places.shared_falsely is not None
    assert places.shared == 110  # eleven are there, each with ten others
    assert places.shared_found.median * places.shared == 86
    assert places.shared_falsely.median == 0
    assert score_run(lesson(place=False)).scores.to_json().keys().isdisjoint({"places"})
    assert score_run(lesson()).scores.to_json()["places"] == places.to_json()


def test_a_place_is_in_nobodys_way() -> None:
    played = lesson()
    settings = played.scenario
    tracks = played.tracks
    stands = np.full((1, tracks.ticks, 2), 0.1, dtype=np.float32)
    more = replace(
        tracks,
        xy=np.concatenate([tracks.xy, stands]),
        facing=np.concatenate([tracks.facing, tracks.facing[:1]]),
        posture=np.concatenate([tracks.posture, tracks.posture[:1]]),
        carry=np.concatenate([tracks.carry, tracks.carry[:1]]),
    )
    pair = np.array([0, 3, 5]), np.array([7, 8, 11])
    at = np.full(3, 300.0), np.zeros(3, dtype=np.int64)
    alone, beside, in_the_way = (
        Channel(
            where, played.phones, settings.channel, Streams(1), played.venue.walls, people
        ).level_dbm(*pair, *at)
        for where, people in ((tracks, None), (more, tracks.people), (more, None))
    )
    assert np.array_equal(alone, beside)
    assert not np.array_equal(alone, in_the_way)


@pytest.mark.parametrize(
    ("at", "says"),
    [("[10, 3]", "within 9 by 7 m"), ("[1]", "within"), ("[1, 'x']", "list of numbers")],
)
def test_a_place_outside_the_venue_is_refused(at: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        load_scenario("classroom", {"places.1.at": at})


def test_places_speak_bluetrace_only() -> None:
    with pytest.raises(ScenarioError, match="speak BlueTrace"):
        load_scenario("classroom", {**PLACE, "protocol": "gaen"})


def test_a_second_place_follows_the_first_and_no_number_is_left_out() -> None:
    loaded: Scenario = load_scenario("classroom", {**PLACE, "places.2.at": "[1, 1]"})
    assert [place.at for place in loaded.places] == [(4.5, 3.5), (1.0, 1.0)]
    with pytest.raises(ScenarioError, match="no number 3"):
        load_scenario("classroom", {**PLACE, "places.3.at": "[1, 1]"})
