"""The device of a place: phones hear it, it hears nobody, and nothing of theirs stays with it."""

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.authority_world import World
from tests.leaping_loop import leap
from tests.radio_world import HASTY, air, complaints, opener, until
from tests.radio_world import world as on_the_air
from tracetogether import device as machine
from tracetogether.adapters import http_api
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.tempid import OpenedTempID
from tracetogether.cli import cli
from tracetogether.cli.node_folder import LOG
from tracetogether.cli.node_live import live
from tracetogether.parameters import PhoneTimings
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.units import SECONDS_PER_DAY, Entropy

pytestmark = pytest.mark.network
BRISK = PhoneTimings(scan_s=1.0, scan_pause_min_s=0.1, scan_pause_max_s=0.3)
CANARY = "Canary 7f3a91"
wall = time.time  # noqa: TID251 - the authority and the nodes read the same clock


@pytest.fixture
def authority(entropy: Entropy) -> World:
    return World.of(entropy, since=wall() - SECONDS_PER_DAY)


@pytest.fixture
def url(authority: World) -> Iterator[str]:
    with http_api.running(http_api.create_app(authority.authority)) as address:
        yield address


def run(*words: object) -> str:
    result = CliRunner().invoke(cli, ["node", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_threat_place_keeps_nothing_of_a_phone_that_notes_it(
    tmp_path: Path,
    url: str,
    authority: World,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place, credential = authority.authority.places.add("Canteen 3", "", wall(), by=CONSOLE)
    PhoneRegistration(place.user_id, credential).save(tmp_path / "place.json")
    device, ann = tmp_path / "device", tmp_path / "ann"
    run("init", device, "--server", url, "--place", tmp_path / "place.json", "--model", "Pi")
    run("init", ann, "--server", url, "--model", CANARY)
    assert not (device / LOG).exists()
    capsys.readouterr()

    async def meet() -> str:
        link = air()
        told: list[str] = []
        nodes = []
        for folder, only in ((device, True), (ann, False)):
            radio = opener(link.controller(folder.name), now=wall)
            work = live(
                folder, radio, as_json=True, timings=BRISK, pauses=HASTY, peripheral_only=only
            )
            nodes.append(asyncio.ensure_future(work))

        def noted() -> bool:
            with SqliteContactLog.open(ann / LOG, read_only=True) as log:
                told[:] = [row.peer for row in log.rows() if row.as_central]
            return bool(told)

        await until(noted)
        await asyncio.sleep(0.3)  # for what the phone wrote
        for node in nodes:
            node.cancel()
        await asyncio.gather(*nodes, return_exceptions=True)
        return told[0]

    token = asyncio.run(meet())
    opened = authority.authority.issuance.issuer.open(token, wall())
    assert isinstance(opened, OpenedTempID)
    assert opened.user_id == place.user_id
    # The phone wrote its model and its TempID; no file of the device has either.
    written = everything_below(ann)
    assert CANARY.encode() in written
    batch = json.loads((ann / "phone.batch").read_text())
    own = {tempid["tempID"].encode() for tempid in batch["tempIDs"]}
    kept = everything_below(device)
    assert CANARY.encode() not in kept
    assert not any(tempid in kept for tempid in own)
    assert not (device / LOG).exists()
    # Nor do events or the log of the program.
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert not any("Canary" in str(event) for event in said if event["event"] != "sighting")
    assert CANARY not in caplog.text
    assert complaints(caplog) == []


def test_nothing_that_a_phone_wrote_stays_in_memory_and_nobody_is_called() -> None:
    async def meet() -> None:
        async with on_the_air() as here:
            place = here.start("place", peripheral_only=True)
            taken: list[bytes] = []
            before = place.node.report

            def report(happened: object) -> None:
                if isinstance(happened, machine.PayloadWritten):
                    taken.append(happened.value[:8])
                before(happened)

            place.node._tuner._report = report
            place.node._tuner.lose("so that the radio is opened with the report above")
            ann = here.start("ann")
            await until(lambda: len(ann.log.rows()) > 0 and bool(taken))
            await asyncio.sleep(0.5)
            gc.collect()
            held = [kept for kept in gc.get_objects() if isinstance(kept, machine.PayloadWritten)]
            assert held == []
            assert len(place.log) == 0
            assert place.node.counts["scans"] == 0
            assert place.node.counts["connections_tried"] == 0
            assert here.met() == {("ann", "place")}

    leap(meet())


def test_a_places_folder_only_speaks_and_says_so(
    tmp_path: Path, url: str, authority: World
) -> None:
    place, credential = authority.authority.places.add("Hall", "", wall(), by=CONSOLE)
    PhoneRegistration(place.user_id, credential).save(tmp_path / "place.json")
    run("init", tmp_path / "pi", "--server", url, "--place", tmp_path / "place.json")
    for words, says in (
        ([], "add --peripheral-only"),
        (["--peripheral-only", "--central-only"], "hears nobody"),
        (["--peripheral-only", "--later-scans"], "hears nobody"),
    ):
        command = ["node", "run", str(tmp_path / "pi"), *words]
        refused = CliRunner().invoke(cli, command)
        assert refused.exit_code == 2
        assert says in refused.output
