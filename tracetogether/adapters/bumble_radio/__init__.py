"""A phone's radio on bumble: virtual controllers, or a USB or serial dongle, in both roles.

Bumble is the whole Bluetooth host and owns the controller; the system's own (BlueZ) must not use
it at the same time. With each new value to serve comes a new random address.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final

from bumble import hci
from bumble.device import DeviceConfiguration
from bumble.transport import open_transport
from bumble.transport.common import TransportSink, TransportSource, TransportSpecError

from tracetogether.adapters.bumble_radio.host import BumbleHost, CalmHost
from tracetogether.adapters.bumble_radio.link import BumbleLink
from tracetogether.adapters.bumble_radio.radio import BumbleHabits, BumbleRadio
from tracetogether.adapters.bumble_radio.tasks import reason
from tracetogether.errors import RadioError
from tracetogether.exchange import RadioProfile
from tracetogether.node.radio import LIMITS, RadioLimits, Report

__all__ = [
    "HABITS",
    "BumbleHabits",
    "BumbleLink",
    "BumbleRadio",
    "open_adapter",
    "open_controller",
]

HABITS: Final = BumbleHabits()
_POWER_ON_S: Final = 10.0


async def open_controller(
    source: TransportSource,
    sink: TransportSink,
    profile: RadioProfile,
    report: Report,
    *,
    habits: BumbleHabits = HABITS,
    limits: RadioLimits = LIMITS,
    clock: Callable[[], float] = time.time,
    on_close: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> BumbleRadio:
    """Open the radio of a controller whose packets come from ``source`` and go to ``sink``.

    Where the habits name no transmit power, the controller is asked for its own.

    Raises:
        RadioError: the controller does not answer.
    """
    config = DeviceConfiguration(name="", address=hci.Address.generate_private_address())
    device = BumbleHost(config=config, host=CalmHost(source, sink))
    try:
        async with asyncio.timeout(_POWER_ON_S):
            await device.power_on()
            power = await device.send_sync_command(
                hci.HCI_LE_Read_Advertising_Physical_Channel_Tx_Power_Command()
            )
    except Exception as error:  # noqa: BLE001 - a stack that promises no kinds of error
        msg = f"the Bluetooth controller does not answer ({reason(error)}): plug it in again"
        raise RadioError(msg) from None
    if habits.tx_power_dbm is None:
        habits = replace(habits, tx_power_dbm=power.tx_power_level)
    return BumbleRadio(
        device, profile, report, habits=habits, limits=limits, clock=clock, on_close=on_close
    )


async def open_adapter(
    transport: str,
    profile: RadioProfile,
    report: Report,
    *,
    habits: BumbleHabits = HABITS,
    clock: Callable[[], float] = time.time,
) -> BumbleRadio:
    """Open the radio at one of bumble's transports, such as ``usb:0`` or ``serial:/dev/ttyACM0``.

    Raises:
        RadioError: there is nothing, or it does not answer.
    """
    try:
        opened = await open_transport(transport)
    except TransportSpecError:
        msg = (
            f"there is no kind of Bluetooth adapter called {transport}: "
            "say hci0 for BlueZ's, usb:0 or serial:/dev/ttyACM0 for one of your own"
        )
        raise RadioError(msg) from None
    except Exception as error:  # noqa: BLE001 - each transport raises its library's own
        msg = (
            f"can't open the Bluetooth adapter at {transport} ({reason(error)}): "
            "is it plugged in, and may this user open it?"
        )
        raise RadioError(msg) from None
    try:
        return await open_controller(
            opened.source,
            opened.sink,
            profile,
            report,
            habits=habits,
            clock=clock,
            on_close=[opened.close],
        )
    except BaseException:
        await opened.close()
        raise
