"""Known answers for the radio: advertisements, reads in parts, and the order of an exchange."""

from collections.abc import Iterator
from typing import Any, Final

from tracetogether.bluetrace.handshake import CENTRAL, PROFILE
from tracetogether.conformance.payload_vectors import payload_vectors
from tracetogether.exchange import LinkEvent, LinkState
from tracetogether.node.advertising import (
    encode_advertisement,
    parse_advertisement,
)

TX_POWER_DBM: Final = -7
MANUFACTURER_DATA: Final = b"4f2"
_WHOLE: Final = (
    LinkEvent.CONNECTED,
    LinkEvent.VALUE_READ,
    LinkEvent.WRITE_DONE,
    LinkEvent.DISCONNECTED,
)
EXCHANGES: Final = {
    "a whole exchange": _WHOLE,
    "the value can't be read: the central writes all the same": (
        LinkEvent.CONNECTED,
        LinkEvent.READ_FAILED,
        LinkEvent.WRITE_DONE,
        LinkEvent.DISCONNECTED,
    ),
    "the peer refuses what is written": (
        LinkEvent.CONNECTED,
        LinkEvent.VALUE_READ,
        LinkEvent.WRITE_FAILED,
        LinkEvent.DISCONNECTED,
    ),
    "the connection does not come about in time": (
        LinkEvent.TIMED_OUT,
        LinkEvent.DISCONNECTED,
    ),
    "the peer never answers": (
        LinkEvent.CONNECTED,
        LinkEvent.TIMED_OUT,
        LinkEvent.DISCONNECTED,
    ),
    "an answer comes after the time-out": (
        LinkEvent.CONNECTED,
        LinkEvent.TIMED_OUT,
        LinkEvent.VALUE_READ,
        LinkEvent.DISCONNECTED,
    ),
    "the peer goes away": (LinkEvent.CONNECTED, LinkEvent.DISCONNECTED),
}
MTUS: Final = (23, 60, 185, 512)


def exchange_vectors() -> dict[str, Any]:
    """Return the content of exchange.json."""
    return {
        "about": "`profile` says where on the air the protocol lives. `advertise` is what a phone "
        "shows; `hear` is what it makes of packets. `steps` is the central's whole table, and "
        "`exchanges` are ways through it. `reads` are the ATT requests for one value at several "
        "MTUs; [offset, bytes of the answer].",
        "profile": {
            "service": PROFILE.service,
            "characteristic": PROFILE.characteristic,
            "properties": ["read", "write", "write without response"],
            "company_id": PROFILE.company_id,
        },
        "advertise": list(_shown()),
        "hear": list(_heard()),
        "steps": [
            {"state": state.name, "event": event.name, "next": following.name, "do": step.name}
            for (state, event), (following, step) in CENTRAL.items()
        ],
        "exchanges": [
            {"about": about, "steps": list(_way(events))} for about, events in EXCHANGES.items()
        ],
        "reads": _reads(),
    }


def _shown() -> Iterator[dict[str, object]]:
    """Yield packets that a phone advertises."""
    for about, manufacturer_data, power in (
        ("an Android phone: flags, service, power, three characters", MANUFACTURER_DATA, -7),
        ("without a known power", MANUFACTURER_DATA, None),
        ("manufacturer data that are too long give way from the end", b"4f2a9c", -7),
    ):
        packet = encode_advertisement(PROFILE.service, PROFILE.company_id, manufacturer_data, power)
        yield {
            "about": about,
            "manufacturer_data": manufacturer_data.decode(),
            "tx_power_dbm": power,
            "packet_hex": packet.hex(),
        }


def packets() -> dict[str, bytes]:
    """Return packets that a phone may get, by what they are."""
    android = encode_advertisement(
        PROFILE.service, PROFILE.company_id, MANUFACTURER_DATA, TX_POWER_DBM
    )
    flags, service = android[:3], android[3:21]
    return {
        "an Android phone": android,
        "an iPhone: the name TR and no manufacturer data": flags + service + b"\x03\x09TR",
        "an incomplete list of services": flags + service[:1] + b"\x06" + service[2:],
        "manufacturer data of another company": flags + service + bytes.fromhex("05ff4c001001"),
        "manufacturer data without a byte after the company": flags + service + b"\x03\xff\xff\x03",
        "manufacturer data cut in the middle of the company": flags + service + b"\x02\xff\xff",
        "a field that is cut short: what stood before it counts": flags + service + b"\x09\x0a",
        "padding of zeros": flags + service + bytes(10),
        "a power of two bytes": flags + service + b"\x03\x0a\x0c\x00",
        "another service": flags + service[:2] + bytes(16),
        "no service": flags,
        "nothing": b"",
    }


def _heard() -> Iterator[dict[str, object]]:
    for about, packet in packets().items():
        said = parse_advertisement(packet, PROFILE.service, PROFILE.company_id)
        yield {
            "about": about,
            "packet_hex": packet.hex(),
            "is_a_phone": said is not None,
            "manufacturer_data": None if said is None else said.manufacturer_data.decode(),
            "tx_power_dbm": None if said is None else said.tx_power_dbm,
        }


def _way(events: tuple[LinkEvent, ...]) -> Iterator[dict[str, str]]:
    """Yield each step of an exchange."""
    state = LinkState.CONNECTING
    for event in events:
        state, step = CENTRAL[state, event]
        yield {"event": event.name, "do": step.name, "state": state.name}


def _reads() -> dict[str, Any]:
    value = str(payload_vectors()["send"]["value_to_be_read"]["text"])
    return {
        "value": value,
        "requests": [{"mtu": mtu, "parts": parts_of(len(value.encode()), mtu)} for mtu in MTUS],
    }


def parts_of(size: int, mtu: int) -> list[list[int]]:
    """Return [offset, bytes] of each answer when a value of ``size`` bytes is read.

    The first part is an ATT Read, the others are Read Blob requests. A part that fills its packet
    may not be the last one, so that another request follows it (Core, vol. 3, part F, 3.4.4.5).
    """
    room = mtu - 1
    parts = [[0, min(room, size)]]
    while parts[-1][1] == room:
        offset = sum(parts[-1])
        parts.append([offset, min(room, size - offset)])
    return parts
