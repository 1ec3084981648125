"""The checks of a phone: green on this library's node, and each red where one thing is wrong."""

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest
from bumble import att, hci
from bumble.core import UUID
from bumble.device import Device
from bumble.gatt import Characteristic, Service
from bumble.gatt_server import Server
from bumble.transport.common import AsyncPipeSink

from tests.leaping_loop import leap
from tests.radio_world import Room, complaints, world
from tracetogether import device as machine
from tracetogether.adapters.bumble_radio import BumbleLink, BumbleRadio, radio
from tracetogether.adapters.bumble_radio.host import BumbleHost
from tracetogether.bluetrace import handshake
from tracetogether.bluetrace.handshake import CENTRAL, PROFILE, BlueTraceExchange
from tracetogether.conformance.checklist import CheckResult, Verdict
from tracetogether.conformance.peer_bench import PeerBench, PeerSettings
from tracetogether.conformance.peer_checks import PEER_CHECKS, run_peer_checks
from tracetogether.errors import LinkError
from tracetogether.exchange import LinkEvent, LinkState, Step

NAMES = [check.name for check in PEER_CHECKS]
Patch = pytest.MonkeyPatch


def check(names: Collection[str] = NAMES, **how: Any) -> Verdict:
    """Run checks against a node of ours on a virtual link."""

    async def meet() -> Verdict:
        async with world() as here:
            ours = here.start("ours", **how)
            ours.controller.public_address = hci.Address(
                "11:22:33:44:55:66", hci.Address.PUBLIC_DEVICE_ADDRESS
            )
            controller = here.air.controller("checks")
            level = Room().level_dbm("checks", "ours")
            settings = PeerSettings(PROFILE, wait_s=10, finish_s=8, rest_s=5, level_dbm=level)
            bench = PeerBench(controller, AsyncPipeSink(controller), settings)
            await bench.power_on()
            try:
                chosen = [check for check in PEER_CHECKS if check.name in names]
                return await run_peer_checks(chosen, bench)
            finally:
                await bench.close()
                controller.leave()

    return leap(meet())


@pytest.fixture
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert complaints(caplog) == []


@pytest.mark.usefixtures("nothing_goes_unhandled")
def test_our_own_node_passes_all_checks() -> None:
    verdict = check()
    assert [found.check for found in verdict.findings] == NAMES
    other = [found for found in verdict.findings if found.outcome is not CheckResult.PASSED]
    assert [(found.check, found.saw) for found in other] == []


def changed_sent(patch: Patch, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON that our phones send."""
    encode = getattr(handshake, name)

    def wrong(payload: Any) -> bytes:
        said = json.loads(encode(payload))
        change(said)
        return json.dumps(said).encode()

    patch.setattr(handshake, name, wrong)


def shown_packet(patch: Patch, change: Callable[[bytes], bytes]) -> None:
    """Change the packet that our phones advertise."""
    encode = radio.encode_advertisement
    patch.setattr(radio, "encode_advertisement", lambda *args: change(encode(*args)))


def public_address(patch: Patch) -> None:
    """Advertise with the address of the chip."""
    start = BumbleHost.start_advertising

    async def wrong(self: BumbleHost, **how: Any) -> None:
        await start(self, own_address_type=hci.OwnAddressType.PUBLIC, **how)

    patch.setattr(BumbleHost, "start_advertising", wrong)


def only_readable(patch: Patch) -> None:
    def add(self: BumbleRadio, _characteristic: str) -> None:
        value: Characteristic[bytes] = Characteristic(
            UUID(PROFILE.characteristic),
            Characteristic.Properties.READ,
            Characteristic.READABLE,
            b"{}",
        )
        self._device.add_service(Service(UUID(PROFILE.service), [value]))

    patch.setattr(BumbleRadio, "_add_service", add)


def other_service(patch: Patch) -> None:
    """Advertise a service that is not there."""

    def add(self: BumbleRadio, _characteristic: str) -> None:
        self._device.add_service(Service(UUID("1234"), []))

    patch.setattr(BumbleRadio, "_add_service", add)


def offset_ignored(patch: Patch) -> None:
    """Answer each request for a part with the first part."""

    def blob(self: Server, bearer: Any, request: Any) -> None:
        value = {"id": "A" * 82 + "==", "mp": "x" * 30, "o": "", "v": 2}
        part = json.dumps(value).encode()[: bearer.att_mtu - 1]
        self.send_response(bearer, att.ATT_Read_Blob_Response(part_attribute_value=part))

    patch.setattr(Server, "on_att_read_blob_request", blob)


def another_value_each_time(patch: Patch) -> None:
    read = BumbleRadio._read
    count = iter(range(1_000))

    def wrong(self: BumbleRadio, connection: Any) -> bytes:
        said = json.loads(read(self, connection))
        return json.dumps({**said, "n": next(count)}).encode()

    patch.setattr(BumbleRadio, "_read", wrong)


def writes_refused(patch: Patch) -> None:
    def wrong(self: BumbleRadio, connection: Any, value: bytes) -> None:
        raise att.ATT_Error(att.ATT_WRITE_NOT_PERMITTED_ERROR)

    patch.setattr(BumbleRadio, "_written", wrong)


def silent_after(patch: Patch, cls: Any, method: str) -> None:
    """Serve nothing any more once ``method`` got bytes that are no UTF-8."""
    take, read = getattr(cls, method), BumbleRadio._read
    broken: list[bool] = []

    def wrong(*args: Any) -> Any:
        if any(isinstance(arg, bytes) and b"\xff" in arg for arg in args):
            broken.append(True)
        return take(*args)

    def mute(self: BumbleRadio, connection: Any) -> bytes:
        if broken:
            raise att.ATT_Error(att.ATT_UNLIKELY_ERROR_ERROR)
        return read(self, connection)

    patch.setattr(cls, method, wrong)
    patch.setattr(BumbleRadio, "_read", mute)


def never_connects(patch: Patch) -> None:
    async def wrong(self: BumbleRadio, peer: str) -> BumbleLink:
        raise LinkError("this is a test")

    patch.setattr(BumbleRadio, "connect", wrong)


def never_hangs_up(patch: Patch) -> None:
    async def wrong(self: BumbleLink) -> None: ...

    patch.setattr(BumbleLink, "close", wrong)


def first_part_only(patch: Patch) -> None:
    async def wrong(self: BumbleLink) -> bytes:
        request = att.ATT_Read_Request(attribute_handle=(await self._find()).handle)
        return bytes((await self._request(request)).attribute_value)

    patch.setattr(BumbleLink, "_read", wrong)


def gives_up_unread_peers(patch: Patch) -> None:
    table = {**CENTRAL, (LinkState.READING, LinkEvent.READ_FAILED): (
        LinkState.CLOSING, Step.HANG_UP)}  # fmt: skip
    patch.setattr(BlueTraceExchange, "transitions", property(lambda _: table))


FAULTS: list[tuple[str, str, Callable[[Patch], object], dict[str, Any]]] = [
    ("advertises", "never", lambda _: None, {"central_only": True}),
    ("advertises", "another service", lambda patch: shown_packet(
        patch, lambda packet: packet[:5] + bytes(16) + packet[21:]), {}),
    ("packet", "a name", lambda patch: shown_packet(
        patch, lambda packet: packet[:21] + b"\x04\x09Ann"), {}),
    ("packet", "no flags", lambda patch: shown_packet(patch, lambda packet: packet[3:]), {}),
    ("packet", "nothing after the company", lambda patch: shown_packet(
        patch, lambda packet: packet[:21] + b"\x03\xff\xff\x03"), {}),
    ("packet", "cut short", lambda patch: shown_packet(patch, lambda packet: packet[:-1]), {}),
    ("address", "a static one", lambda patch: patch.setattr(
        hci.Address, "generate_private_address", hci.Address.generate_static_address), {}),
    ("address", "the chip's", public_address, {}),
    ("service", "not there", other_service, {}),
    ("service", "can't be written", only_readable, {}),
    ("value", "without organisation", lambda patch: changed_sent(
        patch, "encode_read", lambda said: said.pop("o")), {}),
    ("value", "a short TempID", lambda patch: changed_sent(
        patch, "encode_read", lambda said: said.update(id="A" * 80)), {}),
    ("value", "version 1", lambda patch: changed_sent(
        patch, "encode_read", lambda said: said.update(v=1)), {}),
    ("parts", "ignores offsets", offset_ignored, {}),
    ("steady", "changes", another_value_each_time, {}),
    ("takes-writes", "refuses", writes_refused, {}),
    ("survives", "falls silent", lambda patch: silent_after(patch, BumbleRadio, "_written"), {}),
    ("pairing", "pairs", lambda patch: patch.setattr(
        BumbleHost, "on_smp_pdu", Device.on_smp_pdu), {}),
    ("connects", "never", never_connects, {}),
    ("hangs-up", "never", never_hangs_up, {}),
    ("reads-all", "only the first part", first_part_only, {}),
    ("writes", "no level", lambda patch: changed_sent(
        patch, "encode_write", lambda said: said.pop("rs")), {}),
    ("writes", "another level", lambda patch: changed_sent(
        patch, "encode_write", lambda said: said.update(rs=-5)), {}),
    ("writes", "the peripheral's key", lambda patch: changed_sent(
        patch, "encode_write", lambda said: said.update(mp=said.pop("mc"))), {}),
    ("same-id", "another TempID", lambda patch: changed_sent(
        patch, "encode_write", lambda said: said.update(id="A" * 82 + "==")), {}),
    ("rests", "comes back at once", lambda patch: patch.setattr(
        machine.Device, "_rest", lambda *_: None), {}),
    ("writes-anyway", "gives up", gives_up_unread_peers, {}),
    ("bad-peer", "falls silent", lambda patch: silent_after(
        patch, handshake, "parse_read"), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fault", "how"), [
    pytest.param(name, fault, how, id=f"{name}: {about}") for name, about, fault, how in FAULTS
])  # fmt: skip
def test_a_faulty_phone_fails_the_check(
    monkeypatch: Patch, name: str, fault: Callable[[Patch], object], how: dict[str, Any]
) -> None:
    fault(monkeypatch)
    (found,) = check({name}, **how).findings
    assert found.outcome is CheckResult.FAILED, found.saw
    assert found.saw
    assert found.remedy


def test_each_check_of_a_phone_has_a_fault() -> None:
    assert {name for name, *_ in FAULTS} == {*NAMES}
