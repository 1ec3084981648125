import numpy as np
import pytest

from simulations.places.venue import Room


def build(**changes: float) -> Room:
    keys = {
        "length_m": 23.0,
        "width_m": 3.2,
        "doors_per_side": 4,
        "seats_per_bench": 7,
        "seat_pitch_m": 0.45,
        "standing_places": 40,
    }
    return Room.carriage(**{**keys, **changes})  # type: ignore[arg-type]


def test_counts_and_walls() -> None:
    carriage = build()
    assert carriage.seats.shape == (2 * 3 * 7, 2)
    assert carriage.doors.shape == (8, 2)
    assert carriage.standing.shape == (40, 2)
    for places in (carriage.seats, carriage.standing, carriage.doors):
        assert carriage.inside(places).all()
    assert not carriage.inside(np.array([[0.0, 1.7], [12.0, 0.0]])).any()


def test_seats_and_places_do_not_overlap() -> None:
    carriage = build()
    places = np.concatenate([carriage.seats, carriage.standing])
    gap = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(gap, np.inf)
    assert gap.min() >= 0.449


def test_benches_are_between_doors_and_face_the_aisle() -> None:
    carriage = build()
    beside = np.abs(carriage.seats[:, 0, None] - carriage.doors[None, :, 0]).min(axis=1)
    assert beside.min() > 0.65
    look = np.column_stack([np.cos(carriage.seat_facing), np.sin(carriage.seat_facing)])
    assert ((carriage.seats * look).sum(axis=1) < 0).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a bench of 10 seats"):
        build(seats_per_bench=10)
    with pytest.raises(ValueError, match="standing places, not 300"):
        build(standing_places=300)
