"""Ten phones at known distances on bumble's stack, and the real authority over HTTP."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.authority_world import OPERATOR_TOKEN, World
from tests.radio_world import BRISK, Room, complaints, until
from tests.radio_world import world as air_world
from tracetogether.adapters import http_api
from tracetogether.adapters.http_client import AuthorityClient, Registered
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import write_upload
from tracetogether.parameters import BLUETRACE, BlueTraceParameters
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Entropy

pytestmark = pytest.mark.network

wall = time.time  # noqa: TID251 - the server reads the same clock
VALIDITY_S = 4
NAMES = [f"p{number}" for number in range(10)]
SPACING_M = 0.6


@pytest.fixture
def world(entropy: Entropy) -> World:
    return World.of(entropy, since=wall() - SECONDS_PER_DAY)


@pytest.fixture
def url(world: World) -> Iterator[str]:
    brief: BlueTraceParameters = replace(BLUETRACE, validity_s=VALIDITY_S, early_start_s=0)
    issuer = TempIDIssuer(world.keys, "SG_MOH", parameters=brief)
    issuance = replace(world.authority.issuance, issuer=issuer, parameters=brief)
    authority = replace(world.authority, issuance=issuance)
    with http_api.running(http_api.create_app(authority)) as address:
        yield address


def test_ten_phones_meet_rotate_and_one_uploads(url: str, caplog: pytest.LogCaptureFixture) -> None:
    registered: dict[str, Registered] = {}
    clients: dict[str, AuthorityClient] = {}
    tokens: dict[str, str] = {}  # token -> name

    def fetcher(name: str) -> object:
        async def fetch() -> object:
            batch = await asyncio.to_thread(clients[name].fetch_batch)
            tokens.update({one.text: name for one in batch})
            return batch

        return fetch

    async def meet() -> dict[str, list[object]]:
        room = Room({name: SPACING_M * place for place, name in enumerate(NAMES)})
        timings = replace(BRISK, blacklist_s=3.0)
        async with air_world(room) as here:
            here.issuing.owners = tokens
            for name in NAMES:
                here.start(
                    name,
                    fetch=fetcher(name),  # type: ignore[arg-type]
                    timings=timings,
                    now=wall,
                    advertise_every_s=0.1,
                )

            def rotated() -> bool:
                """Every phone was met under two TempIDs at least."""
                rows = [row for phone in here.phones.values() for row in phone.log.rows()]
                known = {row.peer for row in rows}
                return all(
                    sum(owner == name and token in known for token, owner in tokens.items()) >= 2
                    for name in NAMES
                )

            await until(lambda: len(here.met()) == 90 and rotated(), within_s=180)
        assert here.air.open_links == 0
        for phone in here.phones.values():
            assert not phone.node.device.rejections
        return {name: phone.log.rows() for name, phone in here.phones.items()}

    for name in NAMES:
        clients[name] = AuthorityClient(url)
        registered[name] = clients[name].register()
    logs = asyncio.run(meet())
    assert complaints(caplog) == []
    for rows in logs.values():
        for row in rows:
            # whoever reads, the level is that of the distance, and so is what is written down
            assert -57 <= row.rssi_dbm <= -34

    with AuthorityClient(url, operator_token=OPERATOR_TOKEN) as operator:
        case_id = operator.open_case(registered["p0"].user_id)
        body = write_upload(logs["p0"])
        receipt = clients["p0"].upload(
            body, clients["p0"].redeem_pin(operator.issue_pin(case_id), body)
        )
        assert receipt["rejected"] == {}
        assert receipt["accepted"] == len(logs["p0"])
        contacts = operator.contacts(case_id)["contacts"]
    for client in clients.values():
        client.close()
    assert len(contacts) == 9
    assert len({one["pseudonym"] for one in contacts}) == 9
    nearest = sorted(one["nearest_m"] for one in contacts)
    assert nearest[0] < nearest[-1]

    heard = Sightings.from_rows(logs["p0"])
    level = {name: [] for name in NAMES[1:]}
    for row in logs["p0"]:
        level[tokens[row.peer]].append(row.rssi_dbm)
    means = [sum(values) / len(values) for values in level.values()]
    assert means == sorted(means, reverse=True)  # the farther the weaker
    assert len(heard) == len(logs["p0"])
