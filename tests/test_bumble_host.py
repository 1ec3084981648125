"""What bumble's host does with answers and connections that come too late."""

import asyncio

import pytest
from bumble import hci

from tests.leaping_loop import leap
from tests.radio_world import air, complaints, opener, until
from tracetogether.adapters.bumble_radio import BumbleRadio
from tracetogether.bluetrace.handshake import SERVICE_UUID
from tracetogether.exchange import Advertisement, Heard


def test_an_answer_that_nobody_waits_for_is_no_answer_to_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask() -> None:
        radio: BumbleRadio = await opener(air().controller("one"))(lambda _: None)
        device = radio._device
        asked = asyncio.ensure_future(
            device.send_sync_command(hci.HCI_LE_Read_Buffer_Size_Command())
        )
        await asyncio.sleep(0)
        pending = device.host.pending_response
        assert pending is not None
        pending.cancel()  # as a time-out does
        late = hci.HCI_Command_Status_Event(0, 1, hci.HCI_LE_READ_BUFFER_SIZE_COMMAND)
        device.host.on_command_processed(late)
        with pytest.raises(asyncio.CancelledError):
            await asked
        asked = asyncio.ensure_future(device.send_sync_command(hci.HCI_Read_BD_ADDR_Command()))
        await asyncio.sleep(0)
        device.host.on_command_processed(late)  # an answer to the one before
        assert (await asked).bd_addr is not None
        await radio.close()

    leap(ask())
    assert complaints(caplog) == []


def test_a_connection_that_comes_after_all_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def connect() -> None:
        link = air()
        heard: list[Heard] = []
        first = await opener(link.controller("first"))(lambda _: None)
        second = await opener(link.controller("second"))(heard.append)  # type: ignore[arg-type]
        await first.advertise(Advertisement(SERVICE_UUID, b"a1b", b"1", 1e12))
        await second.scan(on=True)
        await until(lambda: len(heard) > 0)
        device = second._device  # type: ignore[attr-defined]
        attempt = asyncio.ensure_future(device.connect(hci.Address(heard[0].peer), timeout=None))
        await asyncio.sleep(0)
        attempt.cancel()  # as the end of a loop does: nobody tells the controller
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await asyncio.sleep(5)
        assert link.open_links == 0
        await first.close()
        await second.close()

    leap(connect())
    assert complaints(caplog) == []
