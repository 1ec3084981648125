"""`tracetogether conformance`: a checklist, an exit code, and nothing left behind."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.authority_world import OPERATOR_TOKEN, World
from tests.conftest import counted_entropy
from tests.faulty_server import FaultyServer
from tracetogether.adapters import http_api
from tracetogether.adapters.bumble_radio import open_adapter
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.bluetrace.handshake import PROFILE, BlueTraceExchange
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.cli import cli
from tracetogether.conformance.checklist import Verdict
from tracetogether.conformance.peer_checks import PEER_CHECKS
from tracetogether.conformance.peer_run import checked_peer
from tracetogether.conformance.upload_checks import SERVER_CHECKS
from tracetogether.contactlog import MemoryContactLog
from tracetogether.errors import RadioError, StoreError, UnreachableError
from tracetogether.keyring import KeyRing
from tracetogether.node import Node
from tracetogether.node.radio import Radio, Report
from tracetogether.parameters import TIMINGS
from tracetogether.units import SECONDS_PER_DAY

pytestmark = pytest.mark.network


@dataclass
class Here:
    """A server on loopback that keeps this machine's time."""

    url: str
    world: World
    server: FaultyServer

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, ["conformance", "server", self.url, *words])

    def counts(self) -> tuple[int, int, int]:
        found = self.world.authority.monitoring.counts(time.time(), by=CONSOLE)  # noqa: TID251
        return found.users, found.cases, found.uploads

    def pin_for(self, user_id: str) -> str:
        now = time.time()  # noqa: TID251 - as the server's
        case = self.world.authority.casework.open_case(user_id, now, by=CONSOLE)
        return self.world.authority.pins.issue(case, now, by=CONSOLE)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.chdir(tmp_path)
    world = World.of(counted_entropy(29), since=time.time() - SECONDS_PER_DAY)  # noqa: TID251
    server = FaultyServer(http_api.create_app(world.authority, answer_step_s=0))
    with http_api.running(server) as url:  # type: ignore[arg-type]
        yield Here(url, world, server)


def test_a_run_without_a_pin_leaves_nothing(here: Here) -> None:
    before = here.counts()
    done = here.run()
    assert done.exit_code == 0, done.output
    assert f"{len(SERVER_CHECKS) - 3} passed, 0 failed, 3 not tried" in done.stdout
    assert here.counts() == before
    assert list(Path().iterdir()) == []


def test_a_pin_of_the_operator_takes_two_runs(here: Here) -> None:
    first = here.run("--phone", "test.credential")
    assert first.exit_code == 0
    said = json.loads(Path("test.credential").read_text())
    assert f"stays registered; its user id is {said['user_id']}" in first.stderr
    assert Path("test.credential").stat().st_mode & 0o077 == 0
    pin = here.pin_for(said["user_id"])
    second = here.run("--phone", "test.credential", "--pin", f"{pin[:4]} {pin[4:]}", "--json")
    assert second.exit_code == 0, second.output
    told = json.loads(second.stdout)
    assert (told["passed"], told["failed"], told["not_tried"]) == (len(SERVER_CHECKS), 0, 0)
    assert here.counts() == (1, 1, 1)  # what the person who tests has to see
    for output in (first.output, second.output):
        assert said["credential"] not in output
        assert pin not in output
    third = here.run("--phone", "test.credential", "--withdraw")
    assert third.exit_code == 0
    assert here.counts() == (0, 0, 0)


def test_an_operators_token_takes_one_run_and_cleans_up(here: Here) -> None:
    Path("operator.token").write_text(OPERATOR_TOKEN)
    Path("operator.token").chmod(0o600)
    done = here.run("--operator-token", "operator.token")
    assert done.exit_code == 0, done.output
    assert f"{len(SERVER_CHECKS)} passed, 0 failed, 0 not tried" in done.stdout
    assert OPERATOR_TOKEN not in done.output
    assert here.counts() == (0, 0, 0)


def test_a_token_of_nobody_leaves_the_checks_untried(here: Here) -> None:
    Path("operator.token").write_text("nobody's token of the tests")
    Path("operator.token").chmod(0o600)
    done = here.run("--operator-token", "operator.token")
    assert done.exit_code == 0, done.output
    assert "3 not tried" in done.stdout
    assert "no PIN was issued" in done.stdout


def test_a_failure_has_a_remedy_and_the_exit_code_1(here: Here) -> None:
    here.server.fault = lambda sent: sent.headers.update(date="Sun, 04 May 2025 00:00:00 GMT")
    done = here.run("--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    failed = {found["check"]: found for found in told["checks"] if found["outcome"] == "failed"}
    assert told["failed"] == len(failed) >= 1
    assert "set the clock" in failed["clock"]["remedy"]
    shown = here.run()
    assert shown.exit_code == 1
    assert "clock: the server says its time, and it is right. Remedy: Send" in shown.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--pin", "12345678"], "--pin belongs to a phone"),
        (["--phone", "new.credential", "--pin", "12345678"], "--pin belongs to a phone"),
    ],
)
def test_wrong_use_sends_nothing(here: Here, words: list[str], complaint: str) -> None:
    done = here.run(*words)
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert here.counts() == (0, 0, 0)


def test_a_file_of_another_kind_is_no_phone(here: Here) -> None:
    Path("other.json").write_text("[]")
    Path("other.json").chmod(0o600)
    assert isinstance(here.run("--phone", "other.json").exception, StoreError)


def test_no_server_is_an_error_of_one_line() -> None:
    done = CliRunner().invoke(cli, ["conformance", "server", "http://127.0.0.1:9"])
    assert isinstance(done.exception, UnreachableError)
    assert "gave no answer" in str(done.exception)


def peer(*words: str) -> Result:
    return CliRunner().invoke(cli, ["conformance", "peer", *words])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_phone_that_is_not_there_fails_all_checks() -> None:
    place = f"tcp-server:127.0.0.1:{free_port()}"
    done = peer("--attach", place, "--wait", "0.02", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (told["passed"], told["failed"]) == (0, len(PEER_CHECKS))
    assert "no advertisement of the service within 0.02 s" in told["checks"][0]["saw"]
    assert f"A virtual controller waits at {place}" in done.stderr


@pytest.mark.parametrize("option", ["--attach", "--radio"])
def test_a_transport_that_is_none_is_an_error_of_one_line(option: str) -> None:
    done = peer(option, "nonsense")
    assert isinstance(done.exception, RadioError)
    assert "no kind of transport called nonsense" in str(done.exception)
    assert "can't open serial:/nowhere" in str(peer(option, "serial:/nowhere").exception)


def test_a_peer_is_at_one_place() -> None:
    done = peer("--attach", "tcp-server:127.0.0.1:1", "--radio", "usb:0")
    assert done.exit_code == 2
    assert "give --attach or --radio, not both" in done.stderr


@pytest.mark.slow
def test_our_own_node_passes_as_the_command_runs_it() -> None:
    done = peer()
    assert done.exit_code == 0, done.output
    assert f"{len(PEER_CHECKS)} passed, 0 failed, 0 not tried" in done.stdout


@pytest.mark.slow
def test_a_host_of_another_program_attaches_to_the_virtual_controller() -> None:
    """A node on bumble's own TCP client stands for an app with its own Bluetooth host."""
    port = free_port()
    issuer = TempIDIssuer(KeyRing.generate(time.time() - SECONDS_PER_DAY))  # noqa: TID251
    batch = issuer.issue("A" * 28, time.time() - 60, 8)  # noqa: TID251

    async def open_radio(report: Report) -> Radio:
        return await open_adapter(f"tcp-client:127.0.0.1:{port}", PROFILE, report)

    async def fetch() -> object:
        return batch

    async def meet() -> Verdict:
        node = Node(
            BlueTraceExchange(model="attached", organisation="SG_MOH"),
            MemoryContactLog(),
            open_radio=open_radio,
            fetch=fetch,
            clock=time.time,  # noqa: TID251
            chance=np.random.default_rng(1).random,
            timings=replace(TIMINGS, scan_pause_min_s=0.1, scan_pause_max_s=0.2),
        )
        stop, told = asyncio.Event(), asyncio.Event()
        checking = asyncio.ensure_future(
            checked_peer(
                PROFILE,
                attach=f"tcp-server:127.0.0.1:{port}",
                radio=None,
                wait_s=20,
                tell=lambda _: told.set(),
                rest_s=3.0,
            )
        )
        await told.wait()
        running = asyncio.ensure_future(node.run(stop))
        try:
            return await checking
        finally:
            stop.set()
            await running

    verdict = asyncio.run(meet())
    assert [(found.check, found.saw) for found in verdict.failed] == []
