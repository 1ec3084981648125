"""A running node: what it hears, as a table that refreshes or as lines of JSON."""

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.cli.console import (
    interval_text,
    note,
    out,
    print_json,
    right,
    table,
    utc_text,
)
from tracetogether.cli.node_folder import CREDENTIAL, LOG, NodeSettings, load_batch, save_batch
from tracetogether.cli.node_log import NodeLog
from tracetogether.contactlog import ContactLog, MemoryContactLog
from tracetogether.node import PAUSES, Node, Pauses
from tracetogether.node.radio import OpenRadio
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import encounters
from tracetogether.sightings import Sighting

SHOWN_S: Final = 900.0  # the table shows peers heard in this time
_REFRESH_S: Final = 5.0
_STATUS_S: Final = 60.0
_TOKEN_SHOWN: Final = 10
_T = TypeVar("_T")


async def live(
    folder: Path,
    open_radio: OpenRadio,
    *,
    as_json: bool,
    seconds: float | None = None,
    timings: PhoneTimings = TIMINGS,
    pauses: Pauses = PAUSES,
    note_later_scans: bool = False,
    peripheral_only: bool = False,
) -> Node:
    """Run the node in ``folder`` until SIGTERM or SIGINT, or for ``seconds``.

    Raises:
        RadioError: there is no adapter at the start.
        StoreError: the folder can't be read.
    """
    settings = NodeSettings.load(folder)
    credential = PhoneRegistration.load(folder / CREDENTIAL).credential
    output = JsonOutput() if as_json else TableOutput()

    async def fetch() -> TempIDBatch:
        def ask() -> TempIDBatch:
            with settings.client(credential) as client:
                return client.fetch_batch()

        batch = await _in_thread(ask)
        save_batch(folder, batch)
        return batch

    with _log_of(folder, output, keeps_nothing=peripheral_only) as log:
        exchange = BlueTraceExchange(
            model=settings.model,
            organisation=settings.organisation,
            batch=_due(load_batch(folder)),
            service=settings.service,
        )
        node = Node(
            exchange,
            log,
            open_radio=open_radio,
            fetch=fetch,
            clock=time.time,
            chance=_chance,
            timings=timings,
            pauses=pauses,
            note_later_scans=note_later_scans,
            peripheral_only=peripheral_only,
            tell=output.event,
        )
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError):  # Windows, or no main thread
                loop.add_signal_handler(number, stop.set)
        if seconds is not None:
            loop.call_later(seconds, stop.set)
        running = asyncio.ensure_future(node.run(stop))
        try:
            await output.attend(node, log, running)
        finally:
            stop.set()
            await running
            for number in (signal.SIGTERM, signal.SIGINT):
                with suppress(NotImplementedError, RuntimeError):
                    loop.remove_signal_handler(number)
    return node


def _log_of(
    folder: Path, output: "JsonOutput | TableOutput", *, keeps_nothing: bool
) -> AbstractContextManager[ContactLog]:
    """Return the node's log; of one that only speaks, a log that stays empty and has no file."""
    if keeps_nothing:
        return nullcontext(MemoryContactLog())
    return closing(NodeLog(folder / LOG, output.event, output.sighting))


def _due(batch: TempIDBatch | None) -> TempIDBatch | None:
    """Return the batch, due for renewal at once: the server's answer confirms the clock.

    The clock may have been changed, or may have stopped, since the last run.
    """
    return None if batch is None else replace(batch, refresh_at=0)


class JsonOutput:
    """Prints each event as one JSON object on a line."""

    def event(self, name: str, text: str) -> None:
        """Print an event of the node."""
        self._print(name, text=text)

    def sighting(self, row: Sighting) -> None:
        """Print a recorded sighting."""
        self._print(
            "sighting",
            sighted_at=row.time,
            token=row.peer,
            rssi_dbm=row.rssi_dbm,
            tx_power_dbm=row.tx_power_dbm,
            peer_model=row.peer_model,
            as_central=row.as_central,
        )

    async def attend(self, node: Node, log: ContactLog, running: asyncio.Future[None]) -> None:
        """Print the node's status every minute, until the node ends."""
        self._print("started")
        while not running.done():
            await asyncio.wait([running], timeout=_STATUS_S)
            self._print(
                "status",
                sightings=len(log),
                counts=dict(node.counts),
                troubles=all_troubles(node, log),
                rejections={why.value: n for why, n in node.device.rejections.items()},
            )

    def _print(self, event: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        print_json({"event": event, "time": time.time(), **facts}, indent=None)


class TableOutput:
    """Shows the peers nearby in a table that refreshes; prints events on stderr."""

    def event(self, name: str, text: str) -> None:
        """Print an event of the node."""
        note(f"{utc_text(time.time())}  {name}: {text}")

    def sighting(self, row: Sighting) -> None:
        """Do nothing: the table is made from the log."""

    async def attend(self, node: Node, log: ContactLog, running: asyncio.Future[None]) -> None:
        """Show the table until the node ends, unless the node fails at the start."""
        calibration = Calibration.prior(BLUETRACE_TRANSMIT)
        await asyncio.wait([running], timeout=_REFRESH_S)
        if running.done() and running.exception() is not None:
            return
        with Live(console=out(), auto_refresh=False) as screen:
            screen.update(view(node, log, time.time(), calibration), refresh=True)
            while not running.done():
                await asyncio.wait([running], timeout=_REFRESH_S)
                screen.update(view(node, log, time.time(), calibration), refresh=True)


def view(node: Node, log: ContactLog, now: float, calibration: Calibration) -> Group:
    """Return a line for each trouble, and below them the table of peers."""
    troubles = [Text(f"! {text}", style="yellow") for text in all_troubles(node, log).values()]
    return Group(*troubles, peers_table(node, log, now, calibration))


def all_troubles(node: Node, log: ContactLog) -> dict[str, str]:
    """Return the current troubles of the node and its log: subject -> text."""
    troubles = dict(node.troubles)
    aside = log.set_aside()
    if aside:
        troubles["log_clock"] = (
            f"{aside:,} sightings are older than 21 days by this machine's clock, which jumped: "
            "they are set aside until the authority confirms the clock, or for 21 days"
        )
    return troubles


def peers_table(node: Node, log: ContactLog, now: float, calibration: Calibration) -> Table:
    """Return a table of the peers heard in the last 15 minutes, the latest first."""
    rows = log.rows(now - SHOWN_S)
    latest = {row.peer: row for row in rows}
    sightings = log.sightings(now - SHOWN_S)
    met = {found.peer: found for found in encounters(sightings, calibration=calibration)}

    def interval(token: str, name: str, digits: int) -> str:
        return interval_text(getattr(met[token], name), digits) if token in met else ""

    return table(
        sorted(latest.values(), key=lambda row: -row.time),
        ("peer", lambda row: f"{row.peer[:_TOKEN_SHOWN]}…"),
        ("model", lambda row: (row.peer_model or "")[:20]),
        (right("RSSI"), lambda row: f"{row.rssi_dbm:.0f}"),
        (right("nearest, m"), lambda row: interval(row.peer, "nearest_m", 1)),
        (right("minutes < 2 m"), lambda row: interval(row.peer, "minutes", 0)),
        (right("ago"), lambda row: f"{now - row.time:.0f} s"),
        caption=f"heard {node.counts['heard']:,}, exchanges {node.counts['connections']:,}, in the "
        f"log {len(log):,}; in brackets 5 % to 95 %",
    )


def _chance() -> float:
    return secrets.randbelow(2**53) / 2**53


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Run ``work`` in a daemon thread, which can't stop the program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(put: Callable[[Any], None], value: object) -> None:
        if not done.done():
            put(value)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where the future is awaited
            outcome: tuple[Callable[[Any], None], object] = (done.set_exception, error)
        else:
            outcome = (done.set_result, result)
        with suppress(RuntimeError):  # the loop is closed: nothing awaits the future
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, daemon=True, name="fetch").start()
    return await done
