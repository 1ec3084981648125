"""`tracetogether node`: a folder, a process on a virtual adapter, a real authority on loopback."""

import asyncio
import contextlib
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from bumble.transport import open_transport
from click.testing import CliRunner, Result

from tests.authority_world import OPERATOR_TOKEN, World
from tests.radio_world import HASTY, air, complaints, opener, until
from tracetogether.adapters import bleak_radio, bumble_radio, http_api
from tracetogether.adapters.bumble_radio import BumbleHabits
from tracetogether.adapters.bumble_radio.virtual_air import Air
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.upload import parse_upload
from tracetogether.cli import cli
from tracetogether.cli.node_folder import BATCH, CREDENTIAL, LOG, SETTINGS, load_batch
from tracetogether.cli.node_live import live
from tracetogether.errors import RadioError, StoreError, UnreachableError
from tracetogether.node import Node
from tracetogether.node.radio import Radio
from tracetogether.parameters import PhoneTimings
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy

pytestmark = pytest.mark.network

wall = time.time  # noqa: TID251 - the processes under test read the same clock
BRISK = PhoneTimings(scan_s=1.0, scan_pause_min_s=0.1, scan_pause_max_s=0.3)


@pytest.fixture
def world(entropy: Entropy) -> World:
    return World.of(entropy, since=wall() - SECONDS_PER_DAY)


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with http_api.running(http_api.create_app(world.authority)) as address:
        yield address


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["node", *map(str, words)])


def home(folder: Path, url: str) -> Path:
    result = run("init", folder, "--server", url, "--model", f"Model {folder.name}")
    assert result.exit_code == 0, result.output
    return folder


def test_init_registers_and_keeps_its_secrets(tmp_path: Path, url: str) -> None:
    folder = home(tmp_path / "ann", url)
    assert {path.name for path in folder.iterdir()} >= {SETTINGS, LOG, CREDENTIAL, BATCH}
    for name in (SETTINGS, CREDENTIAL, BATCH):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    batch = load_batch(folder)
    assert batch is not None
    assert batch.at(wall()) is not None
    again = run("init", folder, "--server", url)
    assert isinstance(again.exception, StoreError)
    assert "there is a node" in str(again.exception)


def test_init_without_a_server_makes_nothing(tmp_path: Path) -> None:
    with http_api.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    result = run("init", tmp_path / "ann", "--server", f"http://127.0.0.1:{port}")
    assert isinstance(result.exception, UnreachableError)
    assert not (tmp_path / "ann").exists()


@pytest.mark.parametrize(
    "words",
    [("run",), ("log", "show"), ("log", "export"), ("log", "purge"), ("upload", "--pin", 1)],
)
def test_without_a_node_each_command_says_how_to_make_one(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert isinstance(result.exception, StoreError)
    assert "no node in the folder node: " in str(result.exception)
    assert "`tracetogether node init --server URL`" in str(result.exception)


@pytest.mark.parametrize(
    ("radio", "said"),
    [
        ("serial:/nowhere", "can't open the Bluetooth adapter at serial:/nowhere (.*plugged in"),
        ("nonsense", "no kind of Bluetooth adapter called nonsense: say hci0"),
    ],
)
def test_without_an_adapter_run_is_one_line(
    tmp_path: Path, url: str, radio: str, said: str
) -> None:
    result = run("run", home(tmp_path / "ann", url), "--radio", radio)
    assert isinstance(result.exception, RadioError)
    assert re.search(said.replace("(", r"\("), str(result.exception))
    assert "\n" not in str(result.exception)
    assert result.output == ""  # no empty table before it


@pytest.mark.parametrize("radio", ["hci0", "usb:0"])
@pytest.mark.parametrize("central_only", [True, False])
def test_central_only_is_said_and_reaches_the_adapter(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, radio: str, *, central_only: bool
) -> None:
    asked: list[bool] = []

    async def bluez(*_: object, **how: bool) -> Radio:
        asked.append(how["central_only"])
        raise RadioError("this is a test")

    async def bumble(*_: object, habits: BumbleHabits) -> Radio:
        asked.append(habits.central_only)
        raise RadioError("this is a test")

    monkeypatch.setattr(bleak_radio, "open_bluez", bluez)
    monkeypatch.setattr(bumble_radio, "open_adapter", bumble)
    words = ["--central-only"] if central_only else []
    result = run("run", home(tmp_path / "ann", url), "--radio", radio, *words)
    assert isinstance(result.exception, RadioError)
    assert ("no phone hears this node" in result.stderr) is central_only
    assert asked == [central_only]


def test_damaged_settings_are_an_error_and_a_damaged_batch_is_fetched_again(
    tmp_path: Path, url: str
) -> None:
    folder = home(tmp_path / "ann", url)
    (folder / BATCH).write_text("{")
    assert load_batch(folder) is None
    (folder / SETTINGS).write_text('{"nobody": 1}')
    assert "damaged" in str(run("log", "show", folder).exception)


def test_the_log_is_shown_exported_and_shortened(tmp_path: Path, url: str) -> None:
    folder = home(tmp_path / "ann", url)
    now = wall()
    with SqliteContactLog.open(folder / LOG) as log:
        log.append([Sighting(now - 60, "T" * 84, -61.0, None, "Pixel 3a", "Own", "SG_MOH")])
    shown = run("log", "show", folder)
    assert "Pixel 3a" in shown.output
    assert "-61" in shown.output
    (row,) = json.loads(run("log", "show", folder, "--json").output)
    assert (row["token"], row["rssi_dbm"], row["as_central"]) == ("T" * 84, -61.0, True)
    assert json.loads(run("log", "show", folder, "--json", "--hours", 0).output) == []
    exported = run("log", "export", folder)
    assert len(parse_upload(exported.stdout_bytes).records) == 1
    assert run("log", "export", folder, "--output", tmp_path / "log.json").exit_code == 0
    assert len(parse_upload((tmp_path / "log.json").read_bytes()).records) == 1
    twice = run("log", "export", folder, "--output", tmp_path / "log.json")
    assert isinstance(twice.exception, StoreError)
    purged = json.loads(run("log", "purge", folder, "--json").output)
    assert purged == {"dropped": 0, "left": 1, "set_aside": 0}


def test_a_purge_under_a_wrong_clock_drops_nothing_and_says_why(tmp_path: Path, url: str) -> None:
    folder = home(tmp_path / "node", url)
    ago = wall() - 60 * 86_400
    with SqliteContactLog.open(folder / LOG, now=ago) as log:
        log.purge(ago, confirmed=True)
        log.append([Sighting(ago, "T" * 84, -61.0)])
    purged = run("log", "purge", folder)
    assert "Dropped 0 sightings, 1 left" in purged.stdout
    assert "clock, which jumped" in purged.stderr


def test_two_nodes_meet_and_one_uploads(
    tmp_path: Path, url: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = home(tmp_path / "ann", url), home(tmp_path / "bob", url)

    async def meet() -> None:
        link = air()
        nodes = [
            asyncio.ensure_future(
                live(
                    folder,
                    opener(link.controller(folder.name), now=wall),
                    as_json=as_json,
                    timings=BRISK,
                    pauses=HASTY,
                )
            )
            for folder, as_json in ((ann, True), (bob, False))
        ]

        def met() -> bool:
            with (
                SqliteContactLog.open(ann / LOG, read_only=True) as first,
                SqliteContactLog.open(bob / LOG, read_only=True) as second,
            ):
                return len(first) > 0 and len(second) > 0

        await until(met)
        signal.raise_signal(signal.SIGTERM)  # one handler a process: it ends the node begun last
        ended, going = await asyncio.wait(nodes, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert ended
        for task in going:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(meet())
    assert complaints(caplog) == []
    (row,) = json.loads(run("log", "show", ann, "--json").output)[:1]
    assert row["peer_model"] == "Model bob"

    with AuthorityClient(url, operator_token=OPERATOR_TOKEN) as operator:
        me = PhoneRegistration.load(ann / CREDENTIAL).user_id
        case_id = operator.open_case(me)
        pin = operator.issue_pin(case_id)
        sent = run("upload", ann, "--pin", pin, "--json")
        assert sent.exit_code == 0, sent.output
        assert json.loads(sent.output)["rejected"] == {}
        (contact,) = operator.contacts(case_id)["contacts"]
    assert contact["encounters"] == 1


@contextlib.asynccontextmanager
async def process(
    folder: Path, link: Air, socket: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A node as a process of its own, at a virtual controller behind a socket."""
    transport = await open_transport(f"unix-server:{socket}")
    link.controller(folder.name, transport.source, transport.sink)
    words = ["-m", "tracetogether", "node", "run", str(folder), "--json"]
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        "--radio",
        f"unix-client:{socket}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()
        await transport.close()


# bumble's server transport leaves its listening socket to the garbage collector.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_process_meets_ends_at_sigterm_and_loses_nothing_when_killed(
    tmp_path: Path, url: str
) -> None:
    ann, bob = home(tmp_path / "ann", url), home(tmp_path / "bob", url)

    async def story() -> None:
        link = air()
        stays = asyncio.ensure_future(
            live(
                bob,
                opener(link.controller("bob"), now=wall),
                as_json=True,
                seconds=60.0,
                timings=BRISK,
                pauses=HASTY,
            )
        )
        events = []
        async with process(ann, link, tmp_path / "1.hci") as node:
            assert node.stdout is not None
            async with asyncio.timeout(30):
                while not any(line["event"] == "sighting" for line in events):
                    events.append(json.loads(await node.stdout.readline()))
            node.kill()  # each reported sighting is on the disk
            await node.wait()
        tokens = {line["token"] for line in events if line["event"] == "sighting"}
        with SqliteContactLog.open(ann / LOG, read_only=True) as log:
            assert tokens <= {row.peer for row in log.rows()}
        async with process(ann, link, tmp_path / "2.hci") as node:
            assert node.stdout is not None
            async with asyncio.timeout(30):
                first = json.loads(await node.stdout.readline())
                assert first["event"] == "started"
                node.send_signal(signal.SIGTERM)
                out, err = await node.communicate()
            assert node.returncode == 0, err
            assert json.loads(out.splitlines()[-1])["event"] == "status"
            assert err == b""
        stays.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stays

    asyncio.run(story())


def test_without_bluez_run_is_one_line(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nowhere")
    result = run("run", home(tmp_path / "ann", url))
    assert isinstance(result.exception, RadioError)
    assert "system bus" in str(result.exception)


@pytest.mark.parametrize("asked", [True, False])
def test_a_node_records_later_scans_if_asked(
    asked: bool, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Node] = []

    class Kept(Node):
        def __init__(self, *what: object, **how: object) -> None:
            super().__init__(*what, **how)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr("tracetogether.cli.node_live.Node", Kept)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nowhere")
    run("run", home(tmp_path / "ann", url), *["--later-scans"] * asked)
    assert [node.device._known is not None for node in made] == [asked]
