"""Phones on bumble's real host stack, over virtual controllers and the mended air."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.leaping_loop import leap
from tests.radio_world import (
    BRISK,
    NOW,
    Room,
    World,
    air,
    clock,
    complaints,
    opener,
    until,
    world,
)
from tracetogether.adapters.bumble_radio import BumbleRadio, open_adapter
from tracetogether.adapters.bumble_radio.virtual_air import Air
from tracetogether.bluetrace.handshake import PROFILE, SERVICE_UUID
from tracetogether.device import PayloadWritten
from tracetogether.errors import LinkError, RadioError
from tracetogether.exchange import Advertisement, Heard
from tracetogether.node.radio import RadioLimits
from tracetogether.parameters import BlueTraceParameters


@pytest.fixture(autouse=True)
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert complaints(caplog) == []


class Ears:
    """Keeps what a radio reports."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.written: list[PayloadWritten] = []

    def __call__(self, happened: Heard | PayloadWritten) -> None:
        if isinstance(happened, Heard):
            self.heard.append(happened)
        else:
            self.written.append(happened)


@asynccontextmanager
async def two_radios(
    link: Air | None = None, left: dict[str, Any] | None = None, **right: Any
) -> AsyncIterator[tuple[BumbleRadio, Ears, BumbleRadio, Ears]]:
    """Two bare radios; the first shows itself and the second has heard it."""
    link = link or air()
    showing, listening = Ears(), Ears()
    first = await opener(link.controller("first"), **(left or {}))(showing)
    second = await opener(link.controller("second"), **right)(listening)
    try:
        yield first, showing, second, listening
    finally:
        await first.close()
        await second.close()


def shown(value: bytes, expiry: float = 1e12) -> Advertisement:
    return Advertisement(SERVICE_UUID, b"a1b", value, expiry)


async def hear(radio: BumbleRadio, ears: Ears) -> Heard:
    """Return the next advertisement heard."""
    ears.heard.clear()
    await radio.scan(on=True)
    await until(lambda: len(ears.heard) > 0)
    await radio.scan(on=False)
    return ears.heard[-1]


def test_two_phones_exchange_and_both_have_a_record() -> None:
    async def meet() -> World:
        async with world(Room({"ann": 0.0, "bob": 1.0})) as here:
            ann, bob = here.start("ann"), here.start("bob")
            await until(lambda: len(here.met()) == 2)
            assert ann.controller.le_connections.keys().isdisjoint({"bob"})
            del bob
        return here

    here = leap(meet())
    (of_ann,) = here.phones["bob"].log.rows()
    (of_bob,) = here.phones["ann"].log.rows()
    assert {of_ann.as_central, of_bob.as_central} == {True, False}
    assert of_ann.peer_model == "model of ann"
    assert of_bob.peer_model == "model of bob"
    # 40.2 dB at 1 m; the peripheral has the central's reading
    assert of_ann.rssi_dbm == of_bob.rssi_dbm == -40.0
    central = of_ann if of_ann.as_central else of_bob
    assert central.tx_power_dbm == 0.0
    assert here.air.open_links == 0


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_five_phones_all_meet_even_on_a_lossy_air(loss: float) -> None:
    async def meet() -> None:
        names = ["a", "b", "c", "d", "e"]
        room = Room({name: 0.7 * place for place, name in enumerate(names)})
        async with world(room, loss=loss) as here:
            for name in names:
                here.start(name)
            await until(lambda: len(here.met()) == 20, within_s=20)
        assert here.air.open_links == 0
        for phone in here.phones.values():
            assert not phone.node.device.rejections

    leap(meet())


def test_some_chips_must_not_advertise_while_they_connect() -> None:
    async def meet() -> None:
        async with world() as here:
            here.start("ann", pause_advertising=True)
            here.start("bob", pause_advertising=True)
            here.start("cat", pause_advertising=True)
            await until(lambda: len(here.met()) == 6, within_s=20)

    leap(meet())


def test_who_is_out_of_range_is_not_met() -> None:
    async def meet() -> None:
        async with world(Room({"ann": 0.0, "bob": 1.0, "far": 500.0})) as here:
            for name in ("ann", "bob", "far"):
                here.start(name)
            await until(lambda: len(here.met()) == 2)
            await until(lambda: here.phones["far"].node.counts["scans"] >= 2)
            assert here.phones["far"].node.counts["heard"] == 0
            here.room.places["far"] = 1.5  # and comes near
            await until(lambda: len(here.met()) == 6)

    leap(meet())


def test_address_and_token_change_together_and_none_is_served_expired() -> None:
    async def live() -> None:
        async with world() as here:
            here.issuing.issuer = type(here.issuing.issuer)(
                here.issuing.issuer._keys,
                parameters=BlueTraceParameters(validity_s=1, early_start_s=0),
            )
            brisk = replace(BRISK, blacklist_s=0.3)
            ann = here.start("ann", timings=brisk)
            here.start("bob", timings=brisk)
            addresses: dict[str, set[str]] = {}

            def look() -> bool:
                shown_by_ann = ann.controller.le_legacy_advertiser
                token = here.phones["ann"].node.device._exchange.advertisement(clock())
                if shown_by_ann.enabled and token is not None:
                    addresses.setdefault(str(shown_by_ann.address), set())
                return len(addresses) >= 3

            await until(look)
            await until(lambda: len({row.peer for row in ann.log.rows()}) >= 2)
            for phone in here.phones.values():
                for row in phone.log.rows():
                    opened = here.issuing.issuer.open(row.peer, row.time)
                    assert not isinstance(opened, str), opened
                    assert opened.start <= row.time <= opened.expiry

    leap(live())


@pytest.mark.parametrize("mtu", [23, 60, 512])
@pytest.mark.parametrize("size", [22, 59, 150, 512])
def test_long_values_arrive_whole_in_both_directions(mtu: int, size: int) -> None:
    async def exchange() -> None:
        there, back = bytes(range(256)) * 2, bytes(range(255, -1, -1)) * 2
        async with two_radios(mtu=mtu) as (first, showing, second, listening):
            await first.advertise(shown(there[:size]))
            heard = await hear(second, listening)
            link = await second.connect(heard.peer)
            assert await link.read() == there[:size]
            await link.write(back[:size])
            await link.close()
            assert [value.value for value in showing.written] == [back[:size]]

    leap(exchange())


def test_what_is_heard_says_power_and_manufacturer_data() -> None:
    async def listen() -> None:
        async with two_radios(left={"tx_power_dbm": -12}) as (first, _, second, ears):
            await first.advertise(shown(b"x"))
            heard = await hear(second, ears)
            assert (heard.tx_power_dbm, heard.manufacturer_data) == (-12.0, b"a1b")

    leap(listen())


def test_an_expired_value_is_not_served() -> None:
    async def exchange() -> None:
        async with two_radios() as (first, _, second, ears):
            await first.advertise(shown(b"old", expiry=NOW - 1))
            link = await second.connect((await hear(second, ears)).peer)
            with pytest.raises(LinkError, match="refuses"):
                await link.read()
            await link.close()

    leap(exchange())


def test_no_second_connection_to_who_is_connected() -> None:
    async def exchange() -> None:
        async with two_radios() as (first, at_first, second, at_second):
            await first.advertise(shown(b"1"))
            await second.advertise(shown(b"2"))
            to_first, to_second = await hear(second, at_second), await hear(first, at_first)
            link = await second.connect(to_first.peer)
            with pytest.raises(LinkError, match="connected already"):
                await first.connect(to_second.peer)
            await link.close()

    leap(exchange())


def test_a_connection_attempt_can_be_given_up_and_the_next_one_works() -> None:
    async def exchange() -> None:
        async with two_radios() as (first, _, second, ears):
            await first.advertise(shown(b"1"))
            heard = await hear(second, ears)
            await first.advertise(None)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await second.connect(heard.peer)
            await first.advertise(shown(b"1"))
            link = await second.connect((await hear(second, ears)).peer)
            assert await link.read() == b"1"
            await link.close()

    leap(exchange())


def test_an_attempt_given_up_while_it_begins_does_not_linger() -> None:
    async def exchange() -> None:
        link = air()
        async with two_radios(link) as (first, _, second, ears):
            await first.advertise(shown(b"1"))
            heard = await hear(second, ears)
            await first.advertise(None)
            trying = [phone for phone in link._phones if phone.name == "second"]
            for steps in range(12):  # at each step of its beginning
                attempt = asyncio.ensure_future(second.connect(heard.peer))
                for _ in range(steps):
                    await asyncio.sleep(0)
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                await until(lambda: trying[0].pending_le_connection is None)
            await first.advertise(shown(b"1"))
            one = await second.connect((await hear(second, ears)).peer)
            assert await one.read() == b"1"
            await one.close()

    leap(exchange())


def test_a_host_that_restarts_finds_a_fresh_controller() -> None:
    async def exchange() -> None:
        link = air()
        async with two_radios(link) as (first, _, second, ears):
            await first.advertise(shown(b"1"))
            heard = await hear(second, ears)
            await second.connect(heard.peer)
            await first.advertise(None)
            await second.scan(on=True)
            (controller,) = [phone for phone in link._phones if phone.name == "second"]
            again = await opener(controller)(ears)  # the host before is lost, and closed nothing
            assert link.open_links == 0
            assert not controller.listens
            await first.advertise(shown(b"2"))
            one = await again.connect((await hear(again, ears)).peer)
            assert await one.read() == b"2"
            await one.close()
            await again.close()

    leap(exchange())


def test_two_who_want_the_same_peer_do_not_both_get_it() -> None:
    async def exchange() -> None:
        link = air()
        ears = [Ears(), Ears(), Ears()]
        radios = [
            await opener(link.controller(name), limits=RadioLimits(incoming=1))(ear)
            for name, ear in zip("abc", ears, strict=True)
        ]
        await radios[0].advertise(shown(b"1"))
        peer = (await hear(radios[1], ears[1])).peer
        links = await asyncio.gather(
            *(radio.connect(peer) for radio in radios[1:]), return_exceptions=True
        )
        await until(lambda: link.open_links <= 2)  # two ends of one connection
        values = []
        for opened in links:
            if not isinstance(opened, BaseException):
                try:
                    values.append(await opened.read())
                except LinkError:
                    values.append(None)
                await opened.close()
        assert values.count(b"1") == 1
        for radio in radios:
            await radio.close()

    leap(exchange())


def test_who_leaves_in_the_middle_of_an_exchange_is_given_up() -> None:
    async def exchange() -> None:
        room = Room()
        link = air(room, supervision_s=0.05)
        async with two_radios(link) as (first, _, second, ears):
            await first.advertise(shown(b"x" * 100))
            connection = await second.connect((await hear(second, ears)).peer)
            room.places["first"] = 1e6
            with pytest.raises(LinkError):
                await connection.read()
            await connection.close()
            assert link.open_links == 0

    leap(exchange())


def test_who_holds_a_connection_is_sent_away_and_others_get_in() -> None:
    async def exchange() -> None:
        link = air()
        limits = RadioLimits(incoming_s=0.1, writes=1)
        async with two_radios(link, left={"limits": limits}) as (first, showing, second, ears):
            await first.advertise(shown(b"1"))
            held = await second.connect((await hear(second, ears)).peer)
            await held.write(b"once")
            with pytest.raises(LinkError):
                await held.write(b"twice")
            third_ears = Ears()
            third = await opener(link.controller("third"))(third_ears)
            got_in = await third.connect((await hear(third, third_ears)).peer)
            assert await got_in.read() == b"1"
            await until(lambda: link.open_links == 0)
            assert [value.value for value in showing.written] == [b"once"]
            await third.close()

    leap(exchange())


def test_a_missing_adapter_is_one_line() -> None:
    async def open_radio() -> None:
        await open_adapter("serial:/nowhere", PROFILE, Ears())

    with pytest.raises(RadioError, match="can't open the Bluetooth adapter at serial:/nowhere"):
        leap(open_radio())
