"""Checks of a phone over Bluetooth: what it shows and serves, and what it does with a peer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from bumble import hci
from bumble.core import ProtocolError
from bumble.gatt import Characteristic

from tracetogether.bluetrace.payload import MAX_PAYLOAD_BYTES, PROTOCOL_VERSION
from tracetogether.bluetrace.token_text import raw_of_texts
from tracetogether.conformance.checklist import (
    Check,
    CheckFailedError,
    CheckNotTriedError,
    Finding,
    PeerRefusedError,
    Verdict,
    require,
)
from tracetogether.conformance.known_phones import OTHER_USER, batch_of
from tracetogether.conformance.peer_bench import PeerBench, PeerVisit, said_in
from tracetogether.units import is_rssi

_TOKEN: Final = batch_of(OTHER_USER, 1).tempids[0].text
_READ: Final = json.dumps(
    {"id": _TOKEN, "mp": "Scripted phone", "o": "CONFORMANCE", "v": 2}
).encode()
_WRITE: Final = json.dumps(
    {"id": _TOKEN, "mc": "Scripted phone", "o": "CONFORMANCE", "rs": -61, "v": 2}
).encode()
_GARBAGE: Final = (b"{", b"\xff" * 100, b"[]" * 200)
_FLAGS, _NAMES, _MANUFACTURER = 0x01, {0x08, 0x09}, 0xFF
_IPHONE: Final = b"TR"
_STATIC: Final = 3  # the two highest bits of a random address that stays until a restart
_RSSI_SLACK_DB: Final = 1.0


PeerCheck = Check[Callable[[PeerBench], Awaitable[str]]]


async def run_peer_checks(checks: Iterable[PeerCheck], bench: PeerBench) -> Verdict:
    """Run checks in their order; one that fails stops no other."""
    return Verdict([await _found(check, bench) for check in checks])


async def _found(check: PeerCheck, bench: PeerBench) -> Finding:
    try:
        return check.passed(await check.run(bench))
    except (CheckFailedError, CheckNotTriedError) as error:
        return check.ended(error)
    except (TimeoutError, ProtocolError, hci.HCI_Error) as error:
        return check.ended(CheckFailedError(f"the connection broke: {type(error).__name__}"))
    finally:
        await bench.hide()


def fields_of(packet: bytes) -> list[tuple[int, bytes]]:
    """Return the fields of an advertisement.

    Raises:
        CheckFailedError: a field is cut short.
    """
    fields, at = [], 0
    while at < len(packet) and packet[at]:
        end = at + 1 + packet[at]
        require(end <= len(packet), "a field of the advertisement is cut short")
        fields.append((packet[at + 1], packet[at + 2 : end]))
        at = end
    return fields


async def _advertises(bench: PeerBench) -> str:
    heard = await bench.find()
    kinds = hci.HCI_LE_Advertising_Report_Event.EventType
    event = getattr(heard, "event_type", kinds.ADV_IND)
    require(event == kinds.ADV_IND, "its advertisement can't be connected to")
    return f"at {heard.rssi} dBm, {len(heard.data)} bytes"


async def _packet(bench: PeerBench) -> str:
    fields = fields_of((await bench.find()).data)
    kinds = [kind for kind, _ in fields]
    require(_FLAGS in kinds, "the flags are missing")
    company = bench.settings.profile.company_id.to_bytes(2, "little")
    for kind, content in fields:
        if kind in _NAMES:
            require(content == _IPHONE, "it shows a name")
        if kind == _MANUFACTURER:
            require(content[:2] == company, "the manufacturer data are another company's")
            require(len(content) > 2, "nothing follows the company: an iPhone ignores that")
    return f"fields of the types {', '.join(f'0x{kind:02X}' for kind in kinds)}"


async def _address(bench: PeerBench) -> str:
    address = (await bench.find()).address
    require(address.is_random, "it advertises its public address, which never changes")
    highest = bytes(address)[-1] >> 6
    require(highest != _STATIC, "its random address is static: it stays until a restart")
    return "a private random address"


async def _service(bench: PeerBench) -> str:
    async with bench.visit() as (_, value):
        kinds = Characteristic.Properties
        for kind in (kinds.READ, kinds.WRITE):
            require(value.properties & kind, f"the value lacks the property {kind.name}")
    return "one value, to be read and written"


def _checked_payload(said: dict[str, Any], model: str) -> str:
    """Return the TempID of a payload of version 2.

    Raises:
        CheckFailedError: a key is missing or has the wrong kind.
    """
    for key in ("id", model, "o"):
        require(isinstance(said.get(key), str), f"the key {key} is missing or no text")
    require(said.get("v") == PROTOCOL_VERSION, f"v is not {PROTOCOL_VERSION}")
    token = str(said["id"])
    _, well_formed = raw_of_texts([token])
    require(well_formed.all(), f"id has {len(token)} characters and is no TempID")
    return token


async def _value(bench: PeerBench) -> str:
    async with bench.visit() as (_, value):
        said = await bench.read(value)
    bench.ids.add(_checked_payload(said, "mp"))
    size = len(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())
    require(size <= MAX_PAYLOAD_BYTES, f"the value has {size} bytes")
    return f"id, mp, o, v in {size} bytes"


async def _parts(bench: PeerBench) -> str:
    async with bench.visit(mtu=23) as (_, value):
        said = await bench.read(value)
    bench.ids.add(_checked_payload(said, "mp"))
    return "the same form in parts of 22 bytes"


async def _steady(bench: PeerBench) -> str:
    async with bench.visit() as (_, value):
        first, second = [await bench.read(value) for _ in range(2)]
    require(first == second, "two reads of one connection return different values")
    return "two reads, one value"


async def _takes(bench: PeerBench) -> str:
    async with bench.visit(mtu=23) as (_, value):
        await value.write_value(_WRITE, with_response=True)
    return f"{len(_WRITE)} bytes in parts, confirmed"


async def _survives(bench: PeerBench) -> str:
    for garbage in _GARBAGE:
        with suppress(PeerRefusedError):  # it may refuse, and must not fall silent
            async with bench.visit() as (_, value):
                await value.write_value(garbage, with_response=True)
    async with bench.visit() as (_, value):
        _checked_payload(await bench.read(value), "mp")
    return f"{len(_GARBAGE)} bad values, and it still serves its own"


async def _pairing(bench: PeerBench) -> str:
    async with bench.visit() as (peer, _):
        try:
            async with asyncio.timeout(5.0):
                await peer.connection.pair()
        except (ProtocolError, TimeoutError):
            return "it refuses to pair"
    raise CheckFailedError("it pairs with anybody")


async def _meeting(bench: PeerBench, value: bytes | None) -> PeerVisit:
    """Show a phone with ``value`` and return the connection of the phone under test.

    Raises:
        CheckFailedError: it does not connect.
    """
    await bench.show(value)
    visitor = await bench.visited()
    if visitor is None:
        msg = f"no connection within {bench.settings.wait_s:g} s of advertising"
        raise CheckFailedError(msg)
    with_limit = bench.settings.finish_s
    try:
        async with asyncio.timeout(with_limit):
            await visitor.ended.wait()
    except TimeoutError:
        msg = f"the connection is still open after {with_limit:g} s"
        raise CheckFailedError(msg) from None
    return visitor


async def _connects(bench: PeerBench) -> str:
    await bench.show(_READ)
    visitor = await bench.visited()
    require(visitor, f"no connection within {bench.settings.wait_s:g} s of advertising")
    return "it connects"


async def _hangs_up(bench: PeerBench) -> str:
    await _meeting(bench, _READ)
    return f"disconnected within {bench.settings.finish_s:g} s"


async def _reads_all(bench: PeerBench) -> str:
    visitor = await _meeting(bench, _READ)
    read = f"it read {visitor.covered} of {len(_READ)} bytes"
    require(visitor.covered == len(_READ), read)
    return read


async def _writes(bench: PeerBench) -> str:
    visitor = await _meeting(bench, _READ)
    require(visitor.written, "it wrote nothing")
    said = said_in(visitor.written[0])
    _checked_payload(said, "mc")
    level = said.get("rs")
    numeric = isinstance(level, int | float) and not isinstance(level, bool)
    require(numeric and is_rssi(float(level or 0)), f"rs is {level!r}, no level")
    known = bench.settings.level_dbm
    if known is not None and isinstance(level, int | float):
        off = abs(level - known)
        require(off <= _RSSI_SLACK_DB, f"rs is {level}; the advertisement had {known:g} dBm")
    return f"id, mc, rs, o, v; rs is {level}"


async def _same_id(bench: PeerBench) -> str:
    visitor = await _meeting(bench, _READ)
    require(visitor.written, "it wrote nothing")
    written = _checked_payload(said_in(visitor.written[0]), "mc")
    await bench.hide()
    async with bench.visit() as (_, value):
        bench.ids.add(_checked_payload(await bench.read(value), "mp"))
    require(written in bench.ids, "it writes another TempID than the one that it serves")
    return "one TempID in both roles"


async def _rests(bench: PeerBench) -> str:
    await _meeting(bench, _READ)
    await bench.advertise_on()
    again = await bench.visited(bench.settings.rest_s)
    require(again is None, f"it connects again within {bench.settings.rest_s:g} s")
    return f"no second connection within {bench.settings.rest_s:g} s"


async def _writes_anyway(bench: PeerBench) -> str:
    visitor = await _meeting(bench, None)
    require(visitor.written, "it writes nothing to a phone that can't be read")
    _checked_payload(said_in(visitor.written[0]), "mc")
    return "it writes all the same"


async def _bad_peer(bench: PeerBench) -> str:
    await _meeting(bench, b"\xff" * 100)
    await bench.hide()
    async with bench.visit() as (_, value):
        _checked_payload(await bench.read(value), "mp")
    return "it hangs up, and still serves its own value"


PEER_CHECKS: Final = (
    PeerCheck(
        "advertises",
        "it advertises the service, and can be connected to",
        "Advertise the service's UUID as connectable (ADV_IND). Both must have the same UUIDs.",
        _advertises,
    ),
    PeerCheck(
        "packet",
        "the advertisement has the fields of the page, and no name",
        "Send flags, the service, and manufacturer data with at least one byte after the company.",
        _packet,
    ),
    PeerCheck(
        "address",
        "its address is random and private",
        "Advertise with a private address, and change it together with the TempID.",
        _address,
    ),
    PeerCheck(
        "service",
        "it has the service, with a value to be read and written",
        "Offer one characteristic with read and write, and without encryption.",
        _service,
    ),
    PeerCheck(
        "value",
        "its value is a payload of version 2",
        "Serve {id, mp, o, v} as JSON, id being a TempID of 84 characters.",
        _value,
    ),
    PeerCheck(
        "parts",
        "its value can be read in parts",
        "Answer a request at an offset with value[offset:].",
        _parts,
    ),
    PeerCheck(
        "steady",
        "it serves one value for a whole connection",
        "Keep the value that a connection read first until it ends.",
        _steady,
    ),
    PeerCheck(
        "takes-writes",
        "it takes a value that is written in parts",
        "Collect prepared parts, and confirm each request.",
        _takes,
    ),
    PeerCheck(
        "survives",
        "bad values do not stop it",
        "Count what is no payload as malformed, answer the request, and go on.",
        _survives,
    ),
    PeerCheck(
        "pairing",
        "it does not pair",
        "Refuse each request to pair: a paired phone shows its identity.",
        _pairing,
    ),
    PeerCheck(
        "connects",
        "it connects to a phone that advertises",
        "Scan for the service at least once in 51 seconds, and connect to what is new.",
        _connects,
    ),
    PeerCheck(
        "hangs-up",
        "it ends its connection",
        "Disconnect after the write is confirmed, and 6 s after the beginning whatever happens.",
        _hangs_up,
    ),
    PeerCheck(
        "reads-all",
        "it reads the whole value",
        "Read on at the next offset as long as a part fills its packet.",
        _reads_all,
    ),
    PeerCheck(
        "writes",
        "it writes a payload of version 2, with the level of the advertisement",
        "Write {id, mc, rs, o, v} as JSON; rs is the RSSI of the advertisement.",
        _writes,
    ),
    PeerCheck(
        "same-id",
        "it shows one TempID in both roles",
        "Write the TempID that is served at the same time.",
        _same_id,
    ),
    PeerCheck(
        "rests",
        "it leaves a peer alone after an exchange",
        "Do not connect to the same address again for 100 s.",
        _rests,
    ),
    PeerCheck(
        "writes-anyway",
        "it writes even if reading failed",
        "After an error of the read, write all the same: the other phone may still profit.",
        _writes_anyway,
    ),
    PeerCheck(
        "bad-peer",
        "a peer with a bad value does not stop it",
        "Count what is no payload as malformed, hang up, and go on.",
        _bad_peer,
    ),
)
"""All checks of a phone, in their order."""
