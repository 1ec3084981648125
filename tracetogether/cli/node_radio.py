"""Bluetooth adapters by name, for the commands that use one."""

import re
from typing import Final

from tracetogether.errors import MissingExtraError
from tracetogether.exchange import RadioProfile
from tracetogether.node.radio import OpenRadio, Radio, Report

_BLUEZ_NAME: Final = re.compile(r"hci\d+")


def opener_of(name: str, profile: RadioProfile, *, central_only: bool) -> OpenRadio:
    """Return the function that opens an adapter of BlueZ, or a transport of bumble, by name.

    Raises:
        MissingExtraError: the packages for Bluetooth are not installed.
    """
    try:
        from tracetogether.adapters import (  # noqa: PLC0415 - optional packages
            bleak_radio,
            bumble_radio,
        )
    except ImportError:
        raise MissingExtraError("Bluetooth", "radio") from None
    if _BLUEZ_NAME.fullmatch(name):

        async def open_radio(report: Report) -> Radio:
            return await bleak_radio.open_bluez(name, profile, report, central_only=central_only)

    else:
        pause = name.startswith(("usb", "serial", "hci-socket"))  # some chips need it
        habits = bumble_radio.BumbleHabits(pause_advertising=pause, central_only=central_only)

        async def open_radio(report: Report) -> Radio:
            return await bumble_radio.open_adapter(name, profile, report, habits=habits)

    return open_radio
