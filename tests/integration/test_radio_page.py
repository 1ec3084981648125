"""What docs/reference/radio.md says of the radio, seen on the air."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bumble import att
from bumble.gatt import Characteristic

from tests.integration.test_strange_peers import stranger
from tests.leaping_loop import leap
from tests.radio_world import complaints, until, world
from tracetogether.bluetrace.handshake import COMPANY_ID, SERVICE_UUID
from tracetogether.conformance import known_answers
from tracetogether.node.advertising import encode_advertisement

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "radio.md"
EXCHANGE = known_answers.shipped("exchange.json")


@pytest.fixture(autouse=True)
def nothing_goes_unhandled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert complaints(caplog) == []


def test_the_page_has_the_codes_own_numbers() -> None:
    written = runpy.run_path(str(PAGE.with_name("write_radio.py")))["page"]()
    assert PAGE.read_text("utf-8") == written, "run `python docs/reference/write_radio.py`"


def test_the_value_has_the_properties_and_the_packet_has_the_bytes() -> None:
    async def meet() -> None:
        async with world() as here, stranger(here) as other:
            here.start("ours")
            peer, value = await other.visit(here, "ours", 23)
            kinds = Characteristic.Properties
            names = {
                "read": kinds.READ,
                "write": kinds.WRITE,
                "write without response": kinds.WRITE_WITHOUT_RESPONSE,
            }
            wanted = [names[name] for name in EXCHANGE["profile"]["properties"]]
            assert value.properties == wanted[0] | wanted[1] | wanted[2]
            shown = here.phones["ours"].controller.le_legacy_advertiser.advertising_data
            made = encode_advertisement(SERVICE_UUID, COMPANY_ID, shown[-3:], 0)
            assert bytes(shown) == made
            assert len(shown) == 31
            int(shown[-3:], 16)  # three hexadecimal digits
            await peer.connection.disconnect()

    leap(meet())


@pytest.mark.parametrize("row", EXCHANGE["reads"]["requests"], ids=lambda row: f"MTU {row['mtu']}")
def test_a_value_is_read_in_the_parts_of_the_page(row: dict[str, Any]) -> None:
    parts: list[list[int]] = []

    async def meet() -> None:
        async with world() as here, stranger(here) as other:
            other.value = EXCHANGE["reads"]["value"].encode()
            server = other.device.gatt_server
            server.max_mtu = row["mtu"]
            send = server.send_response

            def watched(bearer: Any, response: Any) -> None:
                part = None
                if isinstance(response, att.ATT_Read_Response):
                    part = response.attribute_value
                elif isinstance(response, att.ATT_Read_Blob_Response):
                    part = response.part_attribute_value
                if part is not None:
                    parts.append([sum(size for _, size in parts), len(part)])
                send(bearer, response)

            server.send_response = watched  # type: ignore[method-assign]
            await other.show(b"4f2")
            ours = here.start("ours")
            await until(lambda: len(ours.log) == 1 and len(other.written) == 1)

    leap(meet())
    assert parts == row["parts"]
