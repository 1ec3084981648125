"""What two phones say to each other over the air: UTF-8 JSON, no framing.

A central reads ``{id, mp, o, v}`` from a peripheral and writes ``{id, mc, rs, o, v}``
to it (BlueTrace V2). The older keys of V1 (``msg, modelP, org, v`` and ``msg, modelC, rssi,
txPower, org, v``) are read, never sent. Keys may come in any order, numbers as floats.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from tracetogether.errors import RemoteProtocolError

PROTOCOL_VERSION: Final = 2
_MAX_VERSION: Final = 255
_SURROGATE: Final = re.compile(
    "[\ud800-\udfff]"
)  # half a character: JSON can spell it, UTF-8 can't
MAX_PAYLOAD_BYTES: Final = 512  # Bluetooth Core: the longest value an attribute can have


@dataclass(frozen=True, slots=True)
class PeripheralPayload:
    """What a peripheral says of itself; ``token`` may be anything that the other phone sent."""

    token: str = field(repr=False)
    model: str
    organisation: str
    version: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class CentralPayload:
    """What a central says: itself, and how strongly it heard the peripheral (dBm)."""

    token: str = field(repr=False)
    model: str
    organisation: str
    rssi_dbm: float
    tx_power_dbm: float | None = None  # V1 only: V2 does not carry it
    version: int = PROTOCOL_VERSION


def encode_read(payload: PeripheralPayload) -> bytes:
    """Return the value that a central will read."""
    return _dump(
        {
            "id": payload.token,
            "mp": payload.model,
            "o": payload.organisation,
            "v": payload.version,
        }
    )


def encode_write(payload: CentralPayload) -> bytes:
    """Return the value to write to a peripheral; the RSSI goes out as an integer (Android)."""
    return _dump(
        {
            "id": payload.token,
            "mc": payload.model,
            "o": payload.organisation,
            "rs": round(payload.rssi_dbm),
            "v": payload.version,
        }
    )


def parse_read(value: bytes) -> PeripheralPayload:
    """Read what a peripheral says.

    Raises:
        RemoteProtocolError: it is no BlueTrace payload.
    """
    said = _load(value)
    return PeripheralPayload(
        token=_text(said, "id", "msg"),
        model=_text(said, "mp", "modelP"),
        organisation=_text(said, "o", "org"),
        version=_version(said),
    )


def parse_write(value: bytes) -> CentralPayload:
    """Read what a central says.

    Raises:
        RemoteProtocolError: it is no BlueTrace payload.
    """
    said = _load(value)
    rssi = _number(said, "rs", "rssi")
    if rssi is None:
        msg = "a central's payload lacks the RSSI (rs)"
        raise RemoteProtocolError(msg)
    return CentralPayload(
        token=_text(said, "id", "msg"),
        model=_text(said, "mc", "modelC"),
        organisation=_text(said, "o", "org"),
        rssi_dbm=rssi,
        tx_power_dbm=_number(said, "txPower", "txPower"),
        version=_version(said),
    )


def _dump(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _load(value: bytes) -> Mapping[str, object]:
    if len(value) > MAX_PAYLOAD_BYTES:
        msg = f"a payload of {len(value)} bytes; an attribute holds {MAX_PAYLOAD_BYTES}"
        raise RemoteProtocolError(msg)
    try:
        said = json.loads(value.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        msg = "a payload is not JSON in UTF-8"
        raise RemoteProtocolError(msg) from None
    if not isinstance(said, dict):
        msg = "a payload is not a JSON object"
        raise RemoteProtocolError(msg)
    return said


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _text(said: Mapping[str, object], key: str, old_key: str) -> str:
    value = said.get(key, said.get(old_key, ""))
    if not isinstance(value, str) or _SURROGATE.search(value):
        msg = f"a payload's {key!r} is not text"
        raise RemoteProtocolError(msg)
    return value


def _number(said: Mapping[str, object], key: str, old_key: str) -> float | None:
    value = said.get(key, said.get(old_key))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"a payload's {key!r} is not a number"
        raise RemoteProtocolError(msg)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        msg = f"a payload's {key!r} is out of range"
        raise RemoteProtocolError(msg)
    return number


def _version(said: Mapping[str, object]) -> int:
    version = _number(said, "v", "v")
    if version is None:
        return PROTOCOL_VERSION
    if not 0 <= version <= _MAX_VERSION:
        msg = "a payload's version is out of range"
        raise RemoteProtocolError(msg)
    return int(version)
