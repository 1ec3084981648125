"""Objects and columns play the same crowd: the same receptions exactly, the same contact logs."""

from functools import partial
from typing import Any

import pytest

import simulations.fidelities.air
import simulations.fidelities.links
import simulations.one_run
from simulations.fidelities.links import Links
from simulations.fidelities.objects import ObjectPhone
from simulations.fidelities.scans import Packets
from simulations.fidelities.vectorized import VectorizedPhones
from simulations.one_run import Run, fidelity_of, run
from simulations.settings.scenario import load_scenario
from tracetogether.errors import ScenarioError

SMALL = {"count": "20", "duration_s": "150", "length_m": "9", "width_m": "3"}
CROWDS: dict[str, tuple[str, dict[str, str]]] = {
    "androids": ("stadium-exit", {"ios": "0"}),
    "in front": ("stadium-exit", {"ios": "0.5", "locked": "0", "background": "0"}),
    "locked": ("queue", {"ios": "0.6", "locked": "0.7", "background": "0.2", "lit_every_s": "60"}),
    "all iPhones": ("queue", {"ios": "1", "locked": "0.9", "background": "0", "lit_every_s": "60"}),
    "no rules": ("stadium-exit", {"ios": "0.6", "ios_background_rules": "false"}),
    "fixed addresses": ("queue", {"rotating_addresses": "false", "duration_s": "220"}),
    "stale": (
        "queue",
        {"ios": "1", "locked": "0", "stale_tempid": "true", "duration_s": "1000", "count": "6"},
    ),
    "dropped Bluetooth": ("queue", {"bluetooth_drops_per_hour": "60", "bluetooth_off_s": "30"}),
    "later scans": (
        "queue",
        {"later_scans": "true", "duration_s": "1100", "ios": "0.4", "count": "12", "locked": "0.5"}
        | {"reconnect_s": "150"},
    ),
    "later scans, stale": (
        "queue",
        {"later_scans": "true", "stale_tempid": "true", "duration_s": "1100", "ios": "1"}
        | {"count": "6", "locked": "0", "rotating_addresses": "false"},
    ),
    "places": (
        "queue",
        {"ios": "0.8", "locked": "0.9", "background": "0.1", "duration_s": "1000", "count": "10"}
        | {"places.1.at": "[1.0, 1.0]", "places.2.at": "[6, 2]", "later_scans": "true"},
    ),
    "gaen": ("queue", {"protocol": "gaen", "duration_s": "500", "ios": "0.5"}),
    "gaen, same radio": (
        "queue",
        {"protocol": "gaen", "radio": "same", "ios": "0.5", "locked": "0.5", "duration_s": "700"}
        | {"count": "8"},
    ),
    **{
        f"{protocol}, {radio} radio": (
            "queue",
            {"protocol": protocol, "radio": radio, "ios": "0.5", "locked": "0.5", "count": "6"}
            | {"duration_s": "960"},
        )
        for protocol in ("dp3t-low-cost", "dp3t-unlinkable", "dp3t-hybrid", "robert", "tcn")
        for radio in ("own", "same")
    },
    "desire, own radio": ("queue", {"protocol": "desire", "duration_s": "1900", "count": "6"}),
    "desire, same radio": (
        "queue",
        {"protocol": "desire", "radio": "same", "ios": "0.5", "duration_s": "960", "count": "6"},
    ),
    "short of sight": ("queue", {"reach_m": "3", "ios": "0.4"}),
    "rooms": ("office-day", {"count": "20", "length_m": "30", "width_m": "10"}),
}


def both(name: str, settings: dict[str, str], seed: int = 1) -> tuple[Run, Run]:
    scenario = load_scenario(name, SMALL | settings)
    objects = run(scenario, seed=seed, fidelity="object")
    return objects, run(scenario, seed=seed, fidelity="vectorized")


EVERY_DAY = ("robert, own radio", "dp3t-unlinkable, same radio", "desire, same radio")
"""Of the protocols on each radio; the others are played at night."""


@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param(
            name,
            marks=[pytest.mark.slow] if " radio" in name and name not in EVERY_DAY else [],
        )
        for name in CROWDS
    ],
)
def test_the_same_crowd_in_objects_and_in_columns(
    crowd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[int, int, float, float]] = []
    in_columns: list[Packets] = []
    original = ObjectPhone._hear

    def hear(phone: ObjectPhone, reception: Any) -> None:
        before = phone.counts["receptions"]
        original(phone, reception)
        if phone.counts["receptions"] > before:
            heard.append((phone.person, reception.tx, reception.at_s, reception.rssi_dbm))

    monkeypatch.setattr(ObjectPhone, "_hear", hear)
    monkeypatch.setattr(
        simulations.one_run,
        "VectorizedPhones",
        partial(VectorizedPhones, on_receptions=in_columns.append),
    )
    objects, columns = both(*CROWDS[crowd])
    found = [
        row
        for columns in in_columns
        for row in zip(
            columns.rx.tolist(),
            columns.tx.tolist(),
            columns.when_s.tolist(),
            columns.rssi_dbm.tolist(),
            strict=True,
        )
    ]
    assert sorted(found) == sorted(heard)
    assert len(found) > 0
    assert columns.counts["records"] > 0
    assert columns.counts == objects.counts
    assert columns.per_phone == objects.per_phone
    assert columns.rejections == objects.rejections
    assert columns.user_ids == objects.user_ids
    for person in objects.logs:
        assert columns.logs[person].rows() == objects.logs[person].rows()
    assert columns.digest == objects.digest


@pytest.mark.slow
def test_where_connection_limits_bind_the_logs_are_still_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty packed crowds: queues grow, controllers that serve one link are busy."""
    monkeypatch.setattr(simulations.fidelities.links, "MAX_INCOMING", 1)
    monkeypatch.setattr(simulations.fidelities.air, "MAX_INCOMING", 1)
    refused = 0
    accepts = Links._accepts

    def counting(links: Links, phone: int, link: Any, *rest: Any) -> bool:
        nonlocal refused
        refused += links._incoming[link.peer] >= 1
        return accepts(links, phone, link, *rest)

    monkeypatch.setattr(Links, "_accepts", counting)
    crowded = {
        "count": "24",
        "duration_s": "30",
        "length_m": "4",
        "width_m": "3",
        "seat_pitch_m": "0.35",
        "aboard_at_start": "1",
        "stay_median_s": "3600",
        "adoption": "1",
        "ios": "0.2",
    }
    for seed in range(1, 21):
        objects, columns = both("queue", crowded, seed)
        assert columns.digest == objects.digest
        assert columns.counts == objects.counts
        assert columns.counts["receptions"] > columns.counts["connections_tried"]
    assert refused > 20


def test_large_crowds_are_played_in_columns() -> None:
    small, large = (load_scenario("stadium-exit", {"count": n}) for n in ("100", "12000"))
    assert fidelity_of(small, "auto") == "object"
    assert fidelity_of(large, "auto") == "vectorized"
    assert fidelity_of(large, "auto", own_issuer=False) == "object"
    with pytest.raises(ScenarioError, match="up to 10000 people, not 12000"):
        fidelity_of(large, "object")
    with pytest.raises(ScenarioError, match="issuer"):
        fidelity_of(large, "vectorized", own_issuer=False)
    with pytest.raises(ScenarioError, match=r"'fast'.*object"):
        fidelity_of(small, "fast")
