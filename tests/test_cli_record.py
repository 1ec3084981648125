"""`tracetogether record`: advertisements of virtual phones, and marks of distance."""

import asyncio
import contextlib
import csv
import io
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.radio_world import Room, air, opener
from tracetogether.bluetrace.handshake import PROFILE
from tracetogether.cli import cli
from tracetogether.cli.advertisement_file import COLUMNS, AdvertisementFile
from tracetogether.cli.record import listen
from tracetogether.errors import InvalidReadingsError, RadioError, StoreError
from tracetogether.evaluation import read_recording
from tracetogether.exchange import Advertisement, Heard

SHOWN = Advertisement(PROFILE.service, b"", b"{}", expiry=4e9)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def recorder() -> tuple[AdvertisementFile, io.StringIO]:
    text = io.StringIO()
    found = AdvertisementFile(text, "desk", "Pi 4")
    found.begin()
    return found, text


def test_marks_hold_from_then_on() -> None:
    found, text = recorder()
    heard = Heard("AA:01", -60.0, tx_power_dbm=4.0)
    other = Heard("AA:02", -71.0)
    for step, said in enumerate(
        [None, "1.5 m", "3m AA:02", "name AA:01 ben", "model ben Pixel 4a", "unknown", "scene yard"]
    ):
        if said is not None:
            found.mark(said)
        found.heard(heard, time=100.0 + step, service="s")
        found.heard(other, time=100.5 + step, service="s")
    rows = rows_of(text.getvalue())
    assert [row["distance"] for row in rows if row["tx"] in ("AA:01", "ben")] == [
        *["", "1.5", "1.5", "1.5", "1.5", "", ""]
    ]
    assert [row["distance"] for row in rows if row["tx"] == "AA:02"] == [
        *["", "1.5", "3", "3", "3", "", ""]
    ]
    assert [row["tx"] for row in rows[::2]] == ["AA:01"] * 3 + ["ben"] * 4
    assert [row["tx_model"] for row in rows[::2]] == [""] * 4 + ["Pixel 4a"] * 3
    assert {row["scene"] for row in rows[:12]} == {"1"}
    assert {row["scene"] for row in rows[12:]} == {"yard"}
    first = ["100.000", "desk", "AA:01", "-60", "4", "Pi 4", "", "", "1", "s"]
    assert list(rows[0].items()) == list(zip(COLUMNS, first, strict=True))
    assert (found.readings, found.phones) == (14, {"AA:01": 7, "AA:02": 7})


@pytest.mark.parametrize("line", ["near", "0", "-1 m", "1e9", "nan", "scene", "name AA:01"])
def test_what_is_no_mark_is_refused(line: str) -> None:
    found, _ = recorder()
    with pytest.raises(InvalidReadingsError, match=r"is no mark: write a distance such as 1\.5 m"):
        found.mark(line)


def test_a_name_may_hold_spaces() -> None:
    found, _ = recorder()
    assert found.mark("2 my old phone") == "my old phone at 2 m"


def test_advertisements_of_virtual_phones_are_recorded_and_read(tmp_path: Path) -> None:
    room = Room({"desk": 0.0, "ben": 1.0, "cem": 4.0})
    found, text = recorder()

    async def story() -> None:
        link = air(room)
        async with contextlib.AsyncExitStack() as stack:
            for name in ("ben", "cem"):
                radio = await opener(link.controller(name))(lambda _: None)
                stack.push_async_callback(radio.close)
                await radio.advertise(SHOWN)
            opens = {PROFILE.service: opener(link.controller("desk"))}
            await listen(opens, found, seconds=2.5, marks=["nonsense", "1 m"])

    asyncio.run(story())
    assert len(found.phones) == 2
    assert all(count > 2 for count in found.phones.values())
    file = tmp_path / "record.csv"
    file.write_text(text.getvalue(), "utf-8")
    (scene,) = read_recording(file).scenes
    assert scene.distance_m is not None
    assert set(scene.distance_m.tolist()) == {1.0}
    near, far = sorted(
        {
            peer: scene.sightings.take(scene.sightings.peer == peer).rssi_dbm.mean()
            for peer in found.phones
        }.values(),
        reverse=True,
    )
    assert near - far > 5  # the channel's loss from 1 to 4 m


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "record.csv"
    file.write_text("mine", "utf-8")
    done = CliRunner().invoke(cli, ["record", str(file), "--radio", "hci0"])
    assert isinstance(done.exception, StoreError)
    assert "choose another name" in str(done.exception)
    assert file.read_text("utf-8") == "mine"


def test_without_an_adapter_it_is_one_line_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nowhere")
    file = tmp_path / "record.csv"
    done = CliRunner().invoke(cli, ["record", str(file)])
    assert isinstance(done.exception, RadioError)
    assert not file.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
def test_a_process_takes_typed_marks_and_keeps_all_when_it_is_killed(tmp_path: Path) -> None:
    from bumble.transport import open_transport

    file, socket = tmp_path / "record.csv", tmp_path / "desk.hci"

    def distances() -> set[str]:
        return {row["distance"] for row in rows_of(file.read_text("utf-8"))}

    async def story() -> None:
        link = air()
        transport = await open_transport(f"unix-server:{socket}")
        link.controller("desk", transport.source, transport.sink)
        radio = await opener(link.controller("ben"))(lambda _: None)
        await radio.advertise(SHOWN)
        words = ["-m", "tracetogether", "record", str(file), "--radio", f"unix-client:{socket}"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(b"2 m\nscene yard\n")
            async with asyncio.timeout(30):
                while b"scene yard" not in await process.stderr.readline():
                    pass
            process.stdin.write(b"0.5\n")
            async with asyncio.timeout(30):
                while "0.5" not in distances():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.1)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
            await radio.close()
            await transport.close()

    asyncio.run(story())
    rows = rows_of(file.read_text("utf-8"))
    assert {row["scene"] for row in rows if row["distance"] == "0.5"} == {"yard"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
