"""Later scans of an address whose TempID is known: each is one more record, within bounds."""

from dataclasses import replace

import pytest

from tests.test_device import NOW, PEER, Phone
from tracetogether.bluetrace.payload import CentralPayload as Wrote
from tracetogether.bluetrace.payload import PeripheralPayload as Said
from tracetogether.bluetrace.payload import encode_read, encode_write
from tracetogether.device import (
    Connect,
    Connected,
    Device,
    Disconnected,
    Heard,
    PayloadRead,
    PayloadWritten,
    WriteDone,
)
from tracetogether.known_addresses import (
    MAX_ADDRESSES,
    MAX_LATER_SCANS_A_MINUTE,
    KnownAddresses,
)
from tracetogether.parameters import BLUETRACE, TIMINGS
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy

EVERY_S = 20.0
OFTEN = replace(TIMINGS, later_scan_s=EVERY_S)
LIFE_S = BLUETRACE.validity_s
ONE, TWO = "T" * 84, "U" * 84


@pytest.fixture
def phone(entropy: Entropy) -> Phone:
    made = Phone(entropy)
    made.device = Device(
        made.exchange,
        made.log,
        start=NOW,
        timings=OFTEN,
        chance=lambda: 0.5,
        note_later_scans=True,
    )
    list(made.until(NOW))
    return made


def exchange(
    phone: Phone, now: float, *, peer: str = PEER, token: str = ONE, rssi: float = -61.0
) -> None:
    """Let ``phone`` hear ``peer``, connect to it and read its token, within 3 s."""
    assert phone.do(Heard(peer, rssi, 1.0), now) == (Connect(peer),)
    phone.do(Connected(peer), now + 1)
    phone.do(PayloadRead(peer, encode_read(Said(token, "iPhone 8", "SG_OTC"))), now + 2)
    phone.do(WriteDone(peer, ok=True), now + 2.5)
    phone.do(Disconnected(peer), now + 3)


def write(phone: Phone, now: float, *, peer: str = PEER, token: str = ONE) -> None:
    phone.do(PayloadWritten(peer, encode_write(Wrote(token, "Galaxy S7", "SG_OTC", -70))), now)


def rows(phone: Phone) -> list[Sighting]:
    phone.device.write_waiting()
    return phone.log.rows()


def levels(phone: Phone) -> list[tuple[float, str, float]]:
    return [(row.time - NOW, row.peer, row.rssi_dbm) for row in rows(phone)]


def test_a_later_scan_is_recorded_like_an_exchange(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    assert phone.do(Heard(PEER, -55.0, 7.0), NOW + 48) == ()
    first, later = rows(phone)
    assert later == Sighting(
        NOW + 48, ONE, -55.0, 7.0, first.peer_model, first.observer_model, "SG_OTC", 2
    )


def test_without_the_option_only_exchanges_are_recorded(entropy: Entropy) -> None:
    phone = Phone(entropy)
    list(phone.until(NOW))
    exchange(phone, NOW + 1)
    phone.do(Heard(PEER, -55.0), NOW + 48)
    assert len(rows(phone)) == 1


def test_what_a_peer_wrote_tells_its_token_too(phone: Phone) -> None:
    """The peer's record holds its own level; this phone's hold this phone's."""
    write(phone, NOW + 1)
    phone.do(Heard(PEER, -55.0), NOW + 2)
    written, heard = rows(phone)
    assert (written.as_central, written.rssi_dbm) == (False, -70)
    assert (heard.as_central, heard.rssi_dbm, heard.peer_model) == (True, -55.0, "Galaxy S7")


def test_a_peer_is_recorded_once_in_so_many_seconds(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    for tenth in range(30, 1_000):
        phone.do(Heard(PEER, -55.0), NOW + 1 + tenth / 10)
    times = [time for time, _, _ in levels(phone)][1:]
    assert times == [1 + EVERY_S * n for n in range(1, 5)]


def test_one_level_makes_one_record(phone: Phone) -> None:
    """After its rest a known peer is connected to again, by the very level that was noted."""
    exchange(phone, NOW + 1)
    exchange(phone, NOW + 200, rssi=-44.0)
    assert levels(phone) == [(3, ONE, -61), (200, ONE, -44)]
    exchange(phone, NOW + 400, token=TWO, rssi=-45.0)  # the token changed meanwhile
    assert levels(phone)[2:] == [(400, ONE, -45), (402, TWO, -45)]


def test_two_values_written_within_a_second_are_two_records(phone: Phone) -> None:
    write(phone, NOW + 1)
    write(phone, NOW + 1.5)
    assert len(rows(phone)) == 2


def test_a_new_address_belongs_to_nobody_until_an_exchange(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    assert phone.do(Heard("new address", -50.0), NOW + 50) == (Connect("new address"),)
    assert len(rows(phone)) == 1
    phone.do(Disconnected("new address"), NOW + 51)
    exchange(phone, NOW + 100, peer="new address", token=TWO)
    phone.do(Heard("new address", -50.0), NOW + 150)
    phone.do(Heard(PEER, -52.0), NOW + 151)
    assert [peer for _, peer, _ in levels(phone)] == [ONE, TWO, TWO, ONE]


def test_an_address_that_says_another_token_is_credited_to_that(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    write(phone, NOW + 30, token=TWO)
    phone.do(Heard(PEER, -50.0), NOW + 50)
    assert [peer for _, peer, _ in levels(phone)] == [ONE, TWO, TWO]


def test_no_record_lies_beyond_the_life_of_a_token(phone: Phone) -> None:
    """The life counts from the first exchange, under whatever address."""
    exchange(phone, NOW + 1)  # which ends at NOW + 3
    exchange(phone, NOW + 600, peer="new address")
    ends = NOW + 3 + LIFE_S
    phone.do(Heard("new address", -50.0), ends - EVERY_S)
    phone.do(Heard("new address", -50.0), ends)
    assert [time for time, _, _ in levels(phone)] == [3, 602, ends - EVERY_S - NOW]


def test_threat_spoofed_address_counts_only_for_a_tempid_already_met_and_in_its_time(
    phone: Phone,
) -> None:
    """A stranger shouts under two addresses once a second for an hour, and never connects."""
    exchange(phone, NOW + 1)
    for second in range(4, 3_600):
        phone.do(Heard(PEER, -20.0), NOW + second)
        phone.do(Heard("never met", -20.0), NOW + second)
    loud = [row for row in rows(phone) if row.rssi_dbm == -20.0]
    assert {row.peer for row in loud} == {ONE}
    assert len(loud) == LIFE_S // EVERY_S
    assert loud[-1].time < NOW + 3 + LIFE_S


def test_the_memory_goes_with_the_token(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    list(phone.until(NOW + LIFE_S - 60))
    assert len(phone.device._known) == 1
    list(phone.until(NOW + LIFE_S + 60))
    assert len(phone.device._known) == 0


def test_a_clock_that_is_set_back_forgets_the_addresses(phone: Phone) -> None:
    exchange(phone, NOW + 5_000)
    phone.do(Heard(PEER, -50.0), NOW + 10)
    assert len(rows(phone)) == 1


def test_a_crowd_is_recorded_up_to_a_bound(phone: Phone) -> None:
    for number in range(200):
        write(phone, NOW + 1 + number / 10, peer=f"p{number}", token=f"{number:084d}")
    for number in range(200):
        phone.do(Heard(f"p{number}", -50.0), NOW + 30 + number / 100)
    assert len(rows(phone)) == 200 + MAX_LATER_SCANS_A_MINUTE
    write(phone, NOW + 40, peer="another", token=ONE)  # exchanges have a bound of their own
    assert len(rows(phone)) == 201 + MAX_LATER_SCANS_A_MINUTE


def test_later_scans_wait_for_the_next_scan(phone: Phone) -> None:
    exchange(phone, NOW + 1)
    phone.do(Heard(PEER, -55.0), NOW + 30)
    assert len(phone.log) == 1
    list(phone.until(NOW + 60))
    assert len(phone.log) == 2


def test_strangers_cannot_make_the_memory_grow() -> None:
    known = KnownAddresses[int, int, int](life_s=LIFE_S, every_s=EVERY_S)
    for number in range(3 * MAX_ADDRESSES):
        known.learn(number, number % 7, number, number / 100)
        known.learn(number % 7, number, number, number / 100)
    assert len(known) == len(known._tokens) == MAX_ADDRESSES
    known.forget_expired(1e6)
    assert len(known) == len(known._tokens) == 0
