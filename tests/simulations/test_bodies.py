import numpy as np
import pytest

from simulations.people.bodies import (
    BODY_RADIUS_M,
    OBSTRUCTION_LIMIT_DB,
    Carry,
    body_units,
    obstruction_of,
    phone_positions,
    shadow_db,
)

EVERY_CARRY = np.array(list(Carry))


def test_a_phone_in_the_hand_is_in_front() -> None:
    here = phone_positions(np.zeros((1, 2)), np.array([np.pi / 2]), np.array([Carry.HAND]))
    assert here[0] == pytest.approx([0.0, 0.35])
    behind = phone_positions(np.zeros((1, 2)), np.zeros(1), np.array([Carry.BACK_POCKET]))
    assert behind[0, 0] < 0


def test_phones_turn_with_their_owners() -> None:
    for carry in Carry:
        reach = [
            np.linalg.norm(phone_positions(np.zeros((1, 2)), np.array([a]), np.array([carry])))
            for a in np.linspace(0, 6, 7)
        ]
        assert np.ptp(reach) < 1e-9


def test_the_body_loss_is_largest_straight_through_the_body() -> None:
    directions = np.linspace(-np.pi, np.pi, 721)
    for carry in Carry:
        column = np.full(len(directions), carry)
        loss = shadow_db(directions, np.zeros(len(directions)), column, 13.0)
        assert loss.max() == pytest.approx(13.0, abs=1e-3)
        assert loss.min() == pytest.approx(0.0, abs=1e-3)
    front = shadow_db(np.zeros(4), np.zeros(4), EVERY_CARRY, 13.0)
    assert front[Carry.HAND] == 0
    assert front[Carry.BACK_POCKET] > 8


def test_bodies_in_the_way() -> None:
    def loss(*others: tuple[float, float]) -> float:
        """Return the loss on a link from (0, 0) to (4, 0)."""
        x, y = np.array(others).T
        units = body_units(x, y, np.array([4.0]), np.array([0.0]), np.array([16.0]))
        return float(obstruction_of(np.nansum(units), 2.5))

    nan = (np.nan, np.nan)
    assert loss(nan) == 0
    assert loss((2.0, 0.0)) == pytest.approx(2.5, rel=0.02)
    assert loss((2.0, 3 * BODY_RADIUS_M)) < 0.01
    assert loss((6.0, 0.0)) < 0.01  # beyond the other end
    assert loss((1.0, 0.0), (3.0, 0.0), nan) > 1.8 * loss((2.0, 0.0))
    assert loss(*[(0.1 * k, 0.0) for k in range(5, 35)]) <= OBSTRUCTION_LIMIT_DB
