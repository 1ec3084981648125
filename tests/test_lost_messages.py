"""What asyncio says of messages to a bus that was closed meanwhile."""

import asyncio

import pytest

from tracetogether.adapters.bleak_radio.bluez_client import WithoutLostMessages


@pytest.mark.parametrize("with_own_handler", [False, True])
def test_a_message_to_a_closed_bus_prints_nothing_and_any_other_fault_does(
    caplog: pytest.LogCaptureFixture, *, with_own_handler: bool
) -> None:
    reported: list[str] = []

    async def lose(error: Exception) -> None:
        loop = asyncio.get_running_loop()
        if with_own_handler:
            loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
        for _ in range(3):  # an adapter is opened again and again
            WithoutLostMessages.install()
        handler = loop.get_exception_handler()
        assert isinstance(handler, WithoutLostMessages)
        assert not isinstance(handler.before, WithoutLostMessages)
        lost = loop.create_future()
        lost.set_exception(error)
        del lost  # nobody awaited it
        await asyncio.sleep(0)

    asyncio.run(lose(BrokenPipeError(32, "Broken pipe")))
    assert (caplog.records, reported) == ([], [])
    asyncio.run(lose(ValueError("a fault of ours")))
    assert "never retrieved" in (reported[0] if with_own_handler else caplog.text)
