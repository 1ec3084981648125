"""A phone of Exposure Notification: what it shows, what it takes, and no connection ever."""

from dataclasses import replace

import pytest

from tests.leaping_loop import leap
from tests.radio_world import BRISK, Room, World, clock, until
from tracetogether.contactlog import MemoryContactLog
from tracetogether.device import (
    Advertise,
    Connect,
    DeadlinePassed,
    Device,
    PayloadWritten,
    Scan,
)
from tracetogether.errors import LocalProtocolError
from tracetogether.exchange import Exchange, Heard
from tracetogether.gaen.air import PROFILE
from tracetogether.gaen.exchange import GaenExchange
from tracetogether.gaen.near import near
from tracetogether.gaen.report import published_keys, report_keys
from tracetogether.node.advertising import encode_advertisement, parse_advertisement
from tracetogether.parameters import TIMINGS
from tracetogether.rejection import Rejection
from tracetogether.units import SECONDS_PER_DAY

NOW = 1_600_041_600.0  # 0:00 UTC
PEER = "aa:bb"


def said_by(phone: GaenExchange, now: float, rssi_dbm: float = -60.0) -> Heard:
    return Heard(PEER, rssi_dbm, service_data=phone.advertisement(now).service_data)


def device_of(exchange: Exchange) -> tuple[Device, MemoryContactLog]:
    log = MemoryContactLog()
    return Device(exchange, log, start=NOW, timings=TIMINGS, chance=lambda: 0.5), log


def test_the_advertisement_is_the_31_bytes_of_the_specification() -> None:
    phone = GaenExchange()
    shown = phone.advertisement(NOW)
    data = encode_advertisement(shown.service, 0, b"", 0, shown.service_data)
    assert data[:11].hex() == "02010603036ffd17166ffd"
    assert data[11:] == shown.service_data
    assert len(data) == 31
    read = parse_advertisement(data, "FD6F", 0)
    assert read is not None
    assert read.service_data == shown.service_data
    assert parse_advertisement(data, "FD6E", 0) is None
    assert shown.value is None
    assert shown.expiry == NOW + 600


def test_a_device_records_what_it_overhears_and_connects_to_nobody() -> None:
    device, log = device_of(GaenExchange(model="Pixel 3a"))
    ben = GaenExchange()
    first = device.receive(DeadlinePassed(), now=NOW)
    assert [type(action) for action in first] == [Advertise, Scan]
    actions = device.receive(said_by(ben, NOW), now=NOW)
    actions += device.receive(said_by(ben, NOW + 1), now=NOW + 1)  # in the same scan
    actions += device.receive(said_by(ben, NOW + 240), now=NOW + 240)
    assert not [action for action in actions if isinstance(action, Connect)]
    device.write_waiting()
    rows = list(log.rows())
    assert [(row.time, row.rssi_dbm) for row in rows] == [(NOW, -60.0), (NOW + 240, -60.0)]
    assert {row.peer for row in rows} == {ben.advertisement(NOW).service_data.hex()}
    with pytest.raises(LocalProtocolError, match="only broadcasts"):
        device.receive(PayloadWritten(PEER, b"{}"), now=NOW + 241)


def test_what_is_not_believed_is_counted() -> None:
    own = GaenExchange()
    device, log = device_of(own)
    device.receive(said_by(own, NOW), now=NOW)
    device.receive(Heard("cc", -60.0, service_data=b"short"), now=NOW)
    device.receive(Heard("dd", 3.0, service_data=bytes(20)), now=NOW)
    device.write_waiting()
    assert not list(log.rows())
    assert device.rejections == {
        Rejection.SELF_TEMPID: 1,
        Rejection.MALFORMED: 1,
        Rejection.INVALID_RSSI: 1,
    }


def test_identifiers_change_every_ten_minutes_and_keys_every_day_for_14_days() -> None:
    phone = GaenExchange()
    shown = {phone.advertisement(NOW + 600.0 * turn).service_data for turn in range(144)}
    assert len(shown) == 144
    assert len(phone.own_keys()) == 1
    for day in range(20):
        phone.advertisement(NOW + day * SECONDS_PER_DAY)
    keys = phone.own_keys()
    assert len(keys) == 15  # today's and those of 14 days
    assert keys.start.tolist() == sorted(keys.start.tolist())
    again = phone.advertisement(NOW + 19 * SECONDS_PER_DAY).service_data
    phone.advertisement(NOW + 18 * SECONDS_PER_DAY)  # the clock was set back, and forward again
    assert phone.advertisement(NOW + 19 * SECONDS_PER_DAY).service_data == again


def test_a_report_finds_the_sighting_and_its_power() -> None:
    device, log = device_of(GaenExchange())
    ben = GaenExchange(tx_power_dbm=-21)
    device.receive(said_by(ben, NOW + 60), now=NOW + 60)
    device.write_waiting()
    later = NOW + 2 * SECONDS_PER_DAY
    published = published_keys([report_keys(ben.own_keys(), NOW, later)], later)
    found = near(log.sightings(), published)
    assert found.tx_power_dbm.tolist() == [-21.0]
    assert len(near(log.sightings(), published_keys([], later))) == 0


def test_two_nodes_hear_each_other_without_a_connection() -> None:
    async def meet() -> None:
        here = World(Room({"ann": 0.0, "ben": 1.0}))
        brisk = replace(BRISK, blacklist_s=0.5)
        phones = {name: GaenExchange(model=name) for name in ("ann", "ben")}
        try:
            for name, exchange in phones.items():
                here.start(name, exchange=exchange, profile=PROFILE, timings=brisk)
            logs = [phone.log for phone in here.phones.values()]
            await until(lambda: all(len(log.rows()) >= 3 for log in logs))
        finally:
            await here.stop()
        for name, other in (("ann", "ben"), ("ben", "ann")):
            heard = {row.peer for row in here.phones[name].log.rows()}
            assert heard <= {
                phones[other].advertisement(clock() - back).service_data.hex() for back in (0, 600)
            }
            assert here.phones[name].node.counts["connections"] == 0
        assert here.air.open_links == 0

    leap(meet())
