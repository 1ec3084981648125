"""The law of adoption, and publications beside a city."""

import json
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.city.adoption_law import (
    ADOPTIONS,
    FOLLOWED,
    LAW_CITY,
    LAW_SETTINGS,
    SEEDS,
    app_shares,
    fit,
    fits,
    law_points,
)
from simulations.city.calibration import attempt_scale
from simulations.city.published_studies import compare_study, flat_detection, play_study
from simulations.city.scenario import city_key, load_city
from simulations.city.study_settings import ABUEG, HINCH, STUDIES, WYMANT
from tracetogether.cli.city import city

SMALL = {"people.count": "1500", "days": "60", "disease.start_cases": "30"}


@cache
def small_scale() -> float:
    return attempt_scale(load_city(LAW_CITY, LAW_SETTINGS | SMALL))


def test_the_law_is_tried_at_eight_adoptions_with_twenty_seeds() -> None:
    assert (len(ADOPTIONS), SEEDS) == (8, 20)
    town = load_city(LAW_CITY, LAW_SETTINGS)
    assert (town.quarantine.compliance, town.app.false_listings, town.app.adoption) == (0, 0, 0)


def test_the_fit_finds_a_square_and_refuses_others() -> None:
    u = np.array(ADOPTIONS)
    error = 0.005 * u**2
    noise = np.array([0.3, -0.8, 1.1, -0.2, 0.5, -1.2, 0.1, 0.4]) * error
    square = fit(u, 0.3 * u**2 + noise, error)
    assert square.constant == pytest.approx(0.3, rel=0.02)
    assert square.p > 0.5
    assert square.exponent_low < 2 < square.exponent_high
    assert 0.04 < square.admitted < 0.08
    other = fit(u, 0.3 * u**1.8 + noise, error)
    assert other.p < 1e-6
    assert other.exponent_high < 1.9
    with_floor = fit(u, 0.3 * u**2 + 0.002 + noise, error)
    assert with_floor.p < 1e-3


def test_shares_are_of_transmissions_whose_two_people_have_the_app() -> None:
    def shares(adoption: str, more: dict[str, str]) -> tuple[float, float]:
        town = load_city(LAW_CITY, LAW_SETTINGS | SMALL | more | {"app.adoption": adoption})
        found = app_shares((town, 1, small_scale()))
        assert found.transmissions > 500
        return found.both, found.traced

    assert shares("0", {}) == (0.0, 0.0)
    both, traced = shares("1", {})
    assert both == 1.0
    assert 0.02 < traced < 0.5
    half, half_traced = shares("0.5", {})
    assert half == pytest.approx(0.25, abs=0.08)
    assert 0 < half_traced < traced / 2
    assert shares("1", {"app.consent": "0"}) == (1.0, 0.0)
    assert shares("1", {"app.look_back_days": "1"})[1] < traced


def test_points_have_seeds_of_their_own_and_a_square() -> None:
    points = law_points(SMALL, adoptions=(0.4, 0.8), seeds=2)
    low, high = points
    assert low.transmissions != high.transmissions  # other seeds are other epidemics
    assert high.both.mean / low.both.mean == pytest.approx(4, rel=0.35)
    assert fits(points)[0].constant == pytest.approx(1, abs=0.3)


def test_every_setting_of_a_study_is_named_as_published_derived_or_assumed() -> None:
    for study in STUDIES:
        origins = {row.origin for row in study.settings}
        assert origins <= {"published", "derived", "assumed"}
        assert "assumed" in origins  # nobody publishes everything that a city needs
        assert all(len(row.reason) > 10 and row.keys for row in study.settings)
        keys = [key for row in study.settings for key in row.keys]
        assert len(keys) == len(set(keys))
        assert all(city_key(key).name == key for key in keys)
        load_city("small-town", study.keys())


def test_a_flat_table_lists_its_share_and_nobody_falsely() -> None:
    drawn = flat_detection(0.8, "gaen").drawn(3)
    assert drawn.listed / 2**32 == pytest.approx(0.8, abs=1e-4)
    assert (drawn.false_per_hour == 0).all()


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name.split()[0])
def test_a_study_is_compared_with_both_kinds_of_finding(study: object) -> None:
    lines = compare_study(study, seeds=2, people=300)
    assert [line.finds for line in lines] == ["captured"] * (len(lines) // 2) + ["radio"] * (
        len(lines) // 2
    )
    assert [line.result for line in lines[: len(lines) // 2]] == list(study.results)
    for line in lines:
        middle = line.ours.mean
        low, high = (middle if y is None else y for y in (line.ours.low, line.ours.high))
        assert line.agrees == (low <= line.result.high and high >= line.result.low)


def test_studies_have_what_they_publish() -> None:
    assert HINCH.keys()["closures.end_day"] == HINCH.keys()["app.start_day"]
    lockdown = int(HINCH.keys()["closures.end_day"]) - int(HINCH.keys()["closures.start_day"])
    assert lockdown == 35
    assert 0.56 in HINCH.adoptions
    assert ABUEG.adoptions == (0.0, 0.15)
    assert WYMANT.keys()["app.consent"] == "0.72"


def test_the_command_prints_what_was_chosen() -> None:
    words = ["laws", "--part", "wymant", "--seeds", "1", "--people", "300", "--workers", "1"]
    said = json.loads(CliRunner().invoke(city, [*words, "--json"]).stdout)
    assert [row["study"] for row in said["studies"]] == [WYMANT.name] * 4
    assert "published" in CliRunner().invoke(city, words).stdout
    assert FOLLOWED["quarantine.compliance"] != LAW_SETTINGS["quarantine.compliance"]
    assert play_study.__doc__
