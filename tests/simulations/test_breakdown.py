from dataclasses import replace

import pytest

from simulations.one_run import Run, run
from simulations.phones.battery import ASSUMED, battery_percent_per_hour
from simulations.phones.radios import System
from simulations.scores.breakdown import Breakdown, break_down
from simulations.scores.scoring import score_run
from simulations.settings.scenario import Scenario
from tracetogether.parameters import TIMINGS


def broken_down(played: Run, cases: int | None = None) -> Breakdown:
    return break_down(played, score_run(played, cases=cases))


def test_kinds_add_up(short_run: Run) -> None:
    scored = score_run(short_run)
    scores, parts = scored.scores, break_down(short_run, scored)
    names = [share.name for share in parts.by_systems]
    assert names == ["android-android", "android-ios", "ios-android", "ios-ios"]
    assert (
        sum(share.true_contacts or 0 for share in parts.by_systems) == scores.found + scores.missed
    )
    assert sum(share.found or 0 for share in parts.by_systems) == scores.found
    windows = sum(share.windows for share in parts.by_systems)
    assert windows == sum(share.windows for share in parts.by_carry) > 20
    assert 0 < sum(share.recorded for share in parts.by_systems) <= windows
    for share in (*parts.by_systems, *parts.by_distance, *parts.by_carry):
        assert 0 <= share.recorded <= share.windows
        if share.share is not None:
            assert share.share.low <= share.share.median <= share.share.high
    there, back = (
        share for share in parts.by_systems if share.name in {"android-ios", "ios-android"}
    )
    assert there.windows == back.windows  # being near is mutual
    assert parts.to_json()["by_systems"][0]["name"] == "android-android"  # type: ignore[index]


def test_everything_near_is_recorded_when_nothing_stands_in_the_way(short_run: Run) -> None:
    (closest, *_) = broken_down(short_run).by_distance
    assert closest.name == "0-1 m"
    assert closest.share is not None
    assert closest.share.median > 0.7


def test_locked_iphones_miss_what_androids_do_not(short: Scenario) -> None:
    def share(name: str, **phones: float) -> float:
        played = run(replace(short, phones=replace(short.phones, locked=1.0, **phones)), seed=1)
        parts = broken_down(played, cases=1)
        found = next(share for share in parts.by_systems if share.name == name).share
        assert found is not None
        return found.median

    assert share("ios-ios", ios=1.0) < 0.45
    assert share("android-android", ios=0.0) > 0.75


def test_lost_records_have_a_reason(short: Scenario) -> None:
    longer = replace(short, duration_s=1100.0, phones=replace(short.phones, stale_tempid=True))
    played = run(longer, seed=1)
    parts = broken_down(played, cases=1)
    assert parts.lost["expired_id"] > 0
    tried, came = played.counts["connections_tried"], played.counts["connections"]
    assert parts.lost["connections_failed"] == tried - came > 0


def test_who_cannot_open_tempids_cannot_say(short_run: Run) -> None:
    with pytest.raises(ValueError, match="elsewhere"):
        score_run(replace(short_run, issuer=None))


def battery(counts: dict[str, int], system: System = System.ANDROID) -> float:
    return battery_percent_per_hour(
        counts,
        TIMINGS,
        system=system,
        advertise_every_s=1.0,
        listening_share=0.1,
        duration_s=3600.0,
    )


def test_battery_is_the_sum_of_what_a_phone_did() -> None:
    idle = battery({})
    assert idle == pytest.approx(100 * 0.003 * 10 / 3000)
    scans = battery({"scans": 75}) - idle
    seconds = 75 * 8.0
    assert scans == pytest.approx(100 * seconds * (80 + 0.1 * 10) / 3600 / ASSUMED.capacity_mah)
    links = battery({"connections_tried": 40, "served": 20}) - idle
    assert links == pytest.approx(100 * 60 * 3.0 * 90 / 3600 / 3000)
    assert battery({"front_s": 3600}) == idle
    assert battery({"front_s": 3600}, System.IOS) - idle == pytest.approx(100 * 150 / 3000)


def test_battery_of_a_crowd(short_run: Run, short: Scenario) -> None:
    cost = broken_down(short_run, cases=1).battery_percent_per_hour
    assert 0.1 < cost["android"] < 2.5  # Herald: 1.2 - 2.5 measured, of a busier app
    assert cost["ios"] > 4  # the screen has to stay on
    locked = run(replace(short, phones=replace(short.phones, locked=1.0)), seed=1)
    dark = broken_down(locked, cases=1).battery_percent_per_hour
    assert dark["ios"] < cost["ios"] / 3
