from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import simpy

from simulations.fidelities.scans import News
from simulations.phones.phone_states import (
    PhoneState,
    StateChange,
    draw_changes,
    live_states,
    seconds_in_front,
)
from simulations.settings.keys import PhoneKeys
from simulations.streams import Streams

BUSY = PhoneKeys(
    ios=0.5,
    locked=0.6,
    background=0.3,
    bluetooth_drops_per_hour=1.0,
    bluetooth_off_s=360.0,
)
PEOPLE = list(range(60))
DAY_S = 28_800.0


def shares(keys: PhoneKeys) -> dict[PhoneState, float]:
    total = dict.fromkeys(PhoneState, 0.0)
    for person in PEOPLE:
        mine = draw_changes([person], keys, DAY_S, Streams(1))
        ends = [*(change.at_s for change in mine[1:]), DAY_S]
        for change, end in zip(mine, ends, strict=True):
            total[change.state] += (end - change.at_s) / DAY_S / len(PEOPLE)
    return total


@pytest.mark.slow
def test_shares_of_time_are_those_of_the_keys() -> None:
    found = shares(BUSY)
    on = 1.0 - 0.1 / 1.1  # an hour's wait, six minutes off
    assert found[PhoneState.OFF] == pytest.approx(1.0 - on, abs=0.02)
    assert found[PhoneState.BACKGROUND] == pytest.approx(0.3 * on, abs=0.03)
    assert found[PhoneState.FRONT] == pytest.approx(0.1 * on, abs=0.02)
    lit = found[PhoneState.LIT] / (found[PhoneState.LIT] + found[PhoneState.LOCKED])
    assert lit == pytest.approx(10.0 / 730.0, abs=0.004)


def test_states_of_a_person_do_not_depend_on_other_people() -> None:
    alone = draw_changes([7], BUSY, DAY_S, Streams(1))
    among = [
        change for change in draw_changes(PEOPLE, BUSY, DAY_S, Streams(1)) if change.person == 7
    ]
    assert alone == among
    assert alone[0].at_s == 0.0
    assert all(a.state is not b.state for a, b in pairwise(alone))


def test_phones_without_changes_stay_in_front() -> None:
    changes = draw_changes(PEOPLE, PhoneKeys(ios=0.5), DAY_S, Streams(1))
    assert changes == [StateChange(0.0, person, PhoneState.FRONT) for person in PEOPLE]


def test_time_in_front() -> None:
    changes = [
        StateChange(0.0, 0, PhoneState.LOCKED),
        StateChange(0.0, 1, PhoneState.FRONT),
        StateChange(30.0, 1, PhoneState.OFF),
        StateChange(90.0, 1, PhoneState.FRONT),
    ]
    assert seconds_in_front(changes, 100.0) == {0: 0.0, 1: 40.0}


def test_simpy_reports_each_change_at_its_time() -> None:
    env = simpy.Environment(initial_time=1000.0)
    changes = draw_changes(PEOPLE[:5], replace(BUSY, state_change_s=60.0), 600.0, Streams(2))
    reported: list[tuple[float, StateChange]] = []
    env.process(live_states(env, changes, 1000.0, lambda one: reported.append((env.now, one))))
    env.run(until=1600.0)
    assert [change for _, change in reported] == changes
    assert np.allclose([now - 1000.0 for now, _ in reported], [change.at_s for change in changes])


def test_a_new_address_wakes_the_app_of_a_locked_iphone_for_a_while() -> None:
    news = News(awake_s=10.0)
    hidden, android = 7, 8
    scan = [(hidden, 1.0, False), (android, 2.0, True), (hidden, 3.0, False)]
    assert news.seen(1, -np.inf, scan) == ([1, 2], 2.0)
    again = [(hidden, 60.0, False), (android, 61.0, True), (hidden, 62.0, False)]
    assert news.seen(1, -np.inf, again) == ([1], None)  # it heard that one a minute ago
    assert news.seen(1, 61.5, again) == ([0, 1], None)  # woken by a link
    assert news.seen(2, -np.inf, again) == ([1, 2], 61.0)  # another phone, to which it is news
    later = [(android, 200.0, True), (hidden, 209.9, False), (hidden, 210.0, False)]
    assert news.seen(1, -np.inf, later) == ([0, 1], 200.0)
