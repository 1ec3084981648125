"""The picture of a sweep: what it draws, and what its title says."""

from pathlib import Path

import numpy as np
import pytest

from simulations.pages.sweep_picture import Curve, draw_sweep, exponent, headline
from simulations.studies.sweep import Point
from tracetogether.errors import ScenarioError, StoreError
from tracetogether.picture_style import digest_of_columns, save_figure
from tracetogether.units import Interval

ADOPTION = "people.adoption"


def point(found: float, half: float = 0.02, **settings: str) -> Point:
    share = Interval(found - half, found, found + half)
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return Point(keys, 5, 0, share, share, share, share, share)


def square(*adoptions: float) -> list[Point]:
    return [point(at**2, 0.01 * at**2, people__adoption=f"{at:g}") for at in adoptions]


def words_of(points: list[Point], **asked: object) -> list[str]:
    figure = draw_sweep(points, scenario="a $x$ bus", **asked)  # type: ignore[arg-type]
    (axes,) = figure.get_axes()
    entries = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return [axes.get_title(loc="left"), *entries, *(text.get_text() for text in axes.texts)]


def test_the_title_says_the_power_that_the_points_have() -> None:
    points = square(0.2, 0.4, 0.6, 0.8, 1.0)
    title, *rest = words_of(points)
    assert title.startswith("Contacts on the list: 4 % at adoption 0.2, 100 % at 1; power 2.0 ±")
    assert "a $x$ bus: 5 runs of each setting, bars show the central 90 %" in rest
    linear = [point(at, 0.01, people__adoption=f"{at:g}") for at in (0.2, 0.5, 1.0)]
    assert "power 1.0" in words_of(linear)[0]


def test_the_exponent_and_its_width() -> None:
    x = np.array([0.25, 0.5, 1.0])
    shares = tuple(Interval(0.9 * at**1.5, at**1.5, 1.1 * at**1.5) for at in x)
    power, half = exponent(Curve("", x, shares)) or (0.0, 0.0)
    assert power == pytest.approx(1.5)
    # Of three equal weights: sd of a logarithm / root of the sum of squares of log x.
    assert half == pytest.approx(0.1 / np.sqrt(2 * np.log(2) ** 2), rel=1e-6)
    assert exponent(Curve("", x[:2], shares[:2])) is None


def test_the_title_does_not_claim_a_change_that_is_none() -> None:
    flat = [point(0.30 + 0.01 * at, 0.05, phones__ios=f"{at}") for at in (0, 1)]
    assert words_of(flat)[0] == "Contacts on the list: 30 % at ios 0, 31 % at 1, no clear change"
    falling = [point(0.6 - 0.3 * at, 0.05, phones__ios=f"{at}") for at in (0, 1)]
    assert words_of(falling)[0] == "Contacts on the list: 60 % at ios 0, 30 % at 1"
    worded = [point(0.2, motion__kind="stay"), point(0.4, motion__kind="walk")]
    assert words_of(worded)[0] == "Contacts on the list: 40 % at most, with kind walk"
    assert headline([Curve("", np.array([]), ())], ADOPTION, "found") == "There was no contact"


def test_two_keys_give_a_curve_for_each_value() -> None:
    points = [
        point(adoption * (0.5 + share / 2), people__adoption=f"{adoption}", phones__ios=f"{share}")
        for adoption in (0.4, 0.8)
        for share in (0, 1)
    ]
    _, *rest = words_of(points)
    assert rest[:2] == ["0", "1"]
    other = words_of(points, x="ios", by="adoption")
    assert other[1:3] == ["0.4", "0.8"]
    with pytest.raises(ScenarioError, match="choose one measure"):
        draw_sweep(points, scenario="bus", measures=("found", "recorded"))
    with pytest.raises(ScenarioError, match=r"count was not varied; varied: people\.adoption, ph"):
        draw_sweep(points, scenario="bus", x="people.count")


def test_marks_stand_at_their_value() -> None:
    points = square(0.2, 0.6, 1.0)
    assert " downloads, June 2020" in words_of(points, marks={0.32: "downloads, June 2020"})
    assert "the square" in words_of(points, square=True)
    worded = [point(0.2, motion__kind="stay"), point(0.4, motion__kind="walk")]
    with pytest.raises(ScenarioError, match="no mark and no square"):
        draw_sweep(worded, scenario="bus", square=True)


def test_too_much_for_one_picture_is_refused() -> None:
    three = [
        point(0.1, people__adoption=f"{app}", phones__ios=f"{ios}", people__count=f"{3 + app}")
        for app in (0, 1)
        for ios in (0, 1)
    ]
    with pytest.raises(ScenarioError, match=r"people.count was varied as well"):
        draw_sweep(three, scenario="bus")
    many = [
        point(0.1, people__adoption=f"{first}", phones__ios=f"0.{second}")
        for first in (0, 1)
        for second in range(1, 9)
    ]
    with pytest.raises(ScenarioError, match="up to 6 curves, not 8"):
        draw_sweep(many, scenario="bus")
    with pytest.raises(ScenarioError, match="'fond'; did you mean 'found'"):
        draw_sweep(square(0.5, 1.0), scenario="bus", measures=("fond",))


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_file_carries_version_and_digest(tmp_path: Path, ending: str) -> None:
    figure = draw_sweep(square(0.2, 0.6, 1.0), scenario="bus")
    digest = digest_of_columns(np.arange(3))
    first = save_figure(figure, tmp_path / f"a.{ending}", made_of=digest).read_bytes()
    assert b"tracetogether 0" in first
    assert f"digest {digest}".encode() in first
    again = save_figure(figure, tmp_path / f"b.{ending}", made_of=digest).read_bytes()
    assert again == first
    assert not figure.texts  # the mark in the corner is no part of the figure


def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    figure = draw_sweep(square(0.2, 1.0), scenario="bus")
    with pytest.raises(StoreError, match=r"end its name in .png, .svg or .pdf"):
        save_figure(figure, tmp_path / "a.doc", made_of="0")
    assert not list(tmp_path.iterdir())
