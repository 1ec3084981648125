"""What stands above the table of a node at work, and in its status line: what is wrong now."""

import asyncio
import json

import pytest

from tests.radio_world import NOW
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.cli.console import out
from tracetogether.cli.node_live import JsonOutput, view
from tracetogether.contactlog import MemoryContactLog
from tracetogether.node import Node
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.sightings import Sighting

DAY = 86_400


def node_in_trouble() -> tuple[Node, MemoryContactLog]:
    log = MemoryContactLog.of([Sighting(NOW - day * DAY, "T", -60.0) for day in range(20)])
    log.purge(NOW + 60 * DAY)

    async def nothing(*_: object) -> object:
        raise AssertionError("it does not run")

    node = Node(
        BlueTraceExchange(model="A", organisation="SG_MOH"),
        log,
        open_radio=nothing,  # type: ignore[arg-type]
        fetch=nothing,
        clock=lambda: NOW,
        chance=lambda: 0.5,
    )
    node.troubles["clock"] = "this machine's clock is 20 minutes behind the authority's"
    return node, log


def test_the_table_has_a_line_for_everything_that_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node, log = node_in_trouble()
    calibration = Calibration.prior(BLUETRACE_TRANSMIT)
    out().print(view(node, log, NOW, calibration))
    shown = " ".join(capsys.readouterr().out.split())
    assert "! this machine's clock is 20 minutes behind the authority's" in shown
    assert "! 20 sightings are older than 21 days by this machine's clock, which jumped" in shown
    node.troubles.clear()
    log.purge(NOW)
    out().print(view(node, log, NOW, calibration))
    assert "!" not in capsys.readouterr().out


def test_the_status_line_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    node, log = node_in_trouble()

    async def attend() -> None:
        running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        running.get_loop().call_soon(running.set_result, None)
        await JsonOutput().attend(node, log, running)

    asyncio.run(attend())
    status = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(status["troubles"]) == {"clock", "log_clock"}
