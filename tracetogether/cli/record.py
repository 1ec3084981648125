"""`tracetogether record`: write down every advertisement of a service, with marks of distance."""

import asyncio
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

import click

from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.cli.advertisement_file import AdvertisementFile
from tracetogether.cli.console import answer, note, warn
from tracetogether.cli.node_radio import opener_of
from tracetogether.cli.options import FILE, FiniteNumber, as_json
from tracetogether.errors import InvalidReadingsError, RadioError, StoreError
from tracetogether.exchange import Heard, RadioProfile
from tracetogether.node.radio import OpenRadio, Radio, Report
from tracetogether.plain_text import counted
from tracetogether.whole_file import PRIVATE

_SAID_S: Final = 30.0
_FLUSHED_S: Final = 1.0
_READ_BYTES: Final = 4096


@click.command()
@click.argument("output", type=FILE, metavar="FILE.csv")
@click.option(
    "--radio",
    metavar="TRANSPORT",
    default="hci0",
    show_default=True,
    help="Bluetooth adapter: one of BlueZ, such as hci0, or one for bumble alone, such as usb:0.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    default=(SERVICE_UUID,),
    show_default=True,
    metavar="UUID",
    help="Service whose advertisements are written. Repeatable with an adapter of BlueZ.",
)
@click.option("--name", default=platform.node(), help="Name of this machine in the file.")
@click.option("--model", default="", help="Model of this machine, as `calibrate phones` groups it.")
@click.option(
    "--distance",
    type=FiniteNumber(0, 1000, min_open=True),
    metavar="METRES",
    help="Distance of everybody, until a mark says another.",
)
@click.option(
    "--for",
    "seconds",
    type=FiniteNumber(min=0),
    metavar="SECONDS",
    help="Stop after this time.  [default: at Ctrl-C]",
)
@as_json
def record(
    output: Path,
    radio: str,
    services: tuple[str, ...],
    name: str,
    model: str,
    distance: float | None,
    seconds: float | None,
    *,
    as_json: bool,
) -> None:
    """Write every advertisement that this machine hears into FILE.csv, until Ctrl-C.

    Type marks while it records: `1.5 m` (everybody is there now), `1.5 m PHONE`, `unknown`,
    `scene NAME`, `name ADDRESS NAME`, `model PHONE MODEL`. `evaluate`, `calibrate phones` and
    `continuity` read the file.

    The file holds the Bluetooth addresses of everybody nearby who runs the service: record only
    people who agreed.
    """
    openers = {
        service: opener_of(
            radio, RadioProfile(service, CHARACTERISTIC_UUID, COMPANY_ID), central_only=True
        )
        for service in dict.fromkeys(services)
    }
    with _new_file(output) as file:
        found = AdvertisementFile(file, name, model)
        if distance is not None:
            found.mark(f"{distance} m")
        found.begin()
        try:
            asyncio.run(listen(openers, found, seconds=seconds))
        finally:
            if not found.readings:
                output.unlink()  # an empty file would be in the way of the next attempt
    if not found.readings:
        raise RadioError(
            "nothing was heard, so no file was kept: is the app open on the phones, and is "
            f"{radio} the right adapter?"
        )
    answer(
        {"file": str(output), "readings": found.readings, "phones": len(found.phones)},
        f"{counted(found.readings, 'readings')} of {counted(len(found.phones), 'phones')} "
        f"in {output}",
        as_json=as_json,
    )


def _new_file(path: Path) -> TextIO:
    """Open a new file that only this user may read, which grows while it is recorded.

    Raises:
        StoreError: it is there already, or can't be made.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError:
        raise StoreError(f"{path} is there already: choose another name") from None
    except OSError as error:
        raise StoreError(f"can't write {path}: {error.strerror or error}") from None
    return open(handle, "w", encoding="utf-8", newline="")  # noqa: PTH123 - an open file


async def listen(
    openers: Mapping[str, OpenRadio],
    found: AdvertisementFile,
    *,
    seconds: float | None = None,
    marks: Sequence[str] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Write what radios hear, until SIGTERM or SIGINT, or for ``seconds``.

    Args:
        openers: service -> what opens a radio for it.
        found: where it is written.
        seconds: how long; None: until a signal.
        marks: taken at the start; by default lines of standard input, as they are typed.
        clock: returns epoch seconds.

    Raises:
        RadioError: there is no adapter, or it does not scan.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # Windows, or no main thread
            loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    for line in marks or ():
        _take(found, line)
    if marks is None:
        _read_lines(found)
    radios: list[Radio] = []
    try:
        for service, open_radio in openers.items():
            radios.append(await open_radio(_report(found, service, clock)))
            await radios[-1].scan(on=True)
        await _wait(stop, found)
    finally:
        for radio in radios:
            await radio.close()
        if marks is None:
            with suppress(Exception):  # a file that the loop can't watch was never watched
                loop.remove_reader(sys.stdin.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)


def _report(found: AdvertisementFile, service: str, clock: Callable[[], float]) -> Report:
    def report(event: object) -> None:
        if isinstance(event, Heard):
            found.heard(event, time=clock(), service=service)

    return report


def _take(found: AdvertisementFile, line: str) -> None:
    """Take a mark, and say what holds from now on."""
    if line.strip():
        try:
            note(found.mark(line))
        except InvalidReadingsError as error:
            warn(str(error))


def _read_lines(found: AdvertisementFile) -> None:
    """Take lines of standard input as marks, where the system can watch it."""
    loop = asyncio.get_running_loop()
    rest = bytearray()

    def read() -> None:
        # Not by readline: what Python keeps of a second line would wait for a third.
        came = os.read(sys.stdin.fileno(), _READ_BYTES)
        rest.extend(came or b"\n")
        *lines, left = bytes(rest).split(b"\n")
        rest[:] = left
        for line in lines:
            _take(found, line.decode("utf-8", "replace"))
        if not came:
            loop.remove_reader(sys.stdin.fileno())

    # Windows watches sockets alone; a regular file is always ready, and epoll refuses it.
    with suppress(NotImplementedError, OSError, ValueError):
        loop.add_reader(sys.stdin.fileno(), read)


async def _wait(stop: asyncio.Event, found: AdvertisementFile) -> None:
    """Write the file to the disk each second, until the end."""
    began = said = time.monotonic()
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSHED_S):
                await stop.wait()
        found.file.flush()
        now = time.monotonic()
        if now - said >= _SAID_S:
            said = now
            note(
                f"{now - began:.0f} s: {counted(found.readings, 'readings')} of "
                f"{counted(len(found.phones), 'phones')}"
            )
