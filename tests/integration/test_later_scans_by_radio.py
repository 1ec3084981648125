"""Nodes on bumble's host stack record later scans of addresses whose TempID they know."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.leaping_loop import leap
from tests.radio_world import BRISK, NOW, Room, World, clock, until, world
from tracetogether.adapters.bumble_radio.radio import BumbleRadio
from tracetogether.parameters import BlueTraceParameters
from tracetogether.sightings import Sighting

LIFE_S = 8
EVERY_S = 1.0
SHORT = BlueTraceParameters(validity_s=LIFE_S, early_start_s=0)
ONCE = replace(BRISK, blacklist_s=1e6, later_scan_s=EVERY_S)
"""Phones that connect once to each address."""


async def meet(seconds: float, *, note: bool = True) -> World:
    async with world(Room({"ann": 0.0, "bob": 1.0}), parameters=SHORT) as here:
        for name in here.room.places:
            here.start(name, timings=ONCE, note_later_scans=note)
        await until(lambda: clock() >= NOW + seconds, within_s=seconds + 1)
    return here


def rows(here: World, name: str) -> list[Sighting]:
    return here.phones[name].log.rows()


def exchanges(here: World) -> int:
    return sum(phone.node.counts["writes"] for phone in here.phones.values())


def test_two_nodes_record_later_scans_under_the_tempid_of_that_time() -> None:
    """Each TempID comes with a new address; no record lies outside its TempID's window."""
    here = leap(meet(3.0 * LIFE_S))
    for name, other in (("ann", "bob"), ("bob", "ann")):
        found = rows(here, name)
        later = len(found) - exchanges(here)
        assert len({row.peer for row in found}) >= 3
        assert later > 0.6 * 3 * LIFE_S / EVERY_S
        assert {here.issuing.owners[row.peer] for row in found} == {other}
        for row in found:
            opened = here.issuing.issuer.open(row.peer, row.time)
            assert not isinstance(opened, str), opened
            assert (row.rssi_dbm, row.peer_model) == (-40.0, f"model of {other}")
        for token in {row.peer for row in found}:
            heard = [row.time for row in found if row.peer == token and row.tx_power_dbm == 0.0]
            # The first may be of the exchange, some time after what it heard.
            gaps = [after - before for before, after in pairwise(heard[1:])]
            assert min(gaps, default=EVERY_S) >= EVERY_S - 1e-6


def test_without_the_option_each_exchange_leaves_one_record_on_each_side() -> None:
    here = leap(meet(3.0 * LIFE_S, note=False))
    assert len(rows(here, "ann")) == len(rows(here, "bob")) == exchanges(here) > 0


def test_an_address_that_stays_is_not_believed_beyond_the_life_of_a_tempid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on BlueZ, where the address does not change with the TempID."""

    async def keep_address(radio: BumbleRadio) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(BumbleRadio, "_new_address", keep_address)
    here = leap(meet(3.0 * LIFE_S))
    assert exchanges(here) == 1
    for name in ("ann", "bob"):
        found = rows(here, name)
        assert len({row.peer for row in found}) == 1
        assert LIFE_S - 2 * EVERY_S < found[-1].time - found[0].time < LIFE_S
        assert len(here.phones[name].node.device._known) == 0
        assert here.phones[name].node.counts["heard"] > 3 * len(found)
