"""A node at work: its log as it grows, told as a table or as lines of JSON."""

import asyncio
import secrets
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from tracetogether.adapters.http_client import PhoneRegistration
from tracetogether.bluetrace.batch import TempIDBatch
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.cli.console import err, out, print_json, utc_text
from tracetogether.cli.node_folder import CREDENTIAL, LOG, NodeSettings, load_batch, save_batch
from tracetogether.cli.node_log import NodeLog
from tracetogether.contactlog import ContactLog
from tracetogether.node import PAUSES, Node, Pauses
from tracetogether.node.radio import OpenRadio
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, Calibration
from tracetogether.proximity.encounters import encounters
from tracetogether.sightings import Sighting
from tracetogether.units import Interval

SHOWN_S: Final = 900.0  # peers heard since then are in the table
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
) -> Node:
    """Run the node in ``folder`` until SIGTERM, SIGINT or for so many seconds.

    Raises:
        RadioError: there is no adapter at the start.
        StoreError: the folder can't be read.
    """
    settings = NodeSettings.load(folder)
    credential = PhoneRegistration.load(folder / CREDENTIAL).credential
    voice = JsonVoice() if as_json else TableVoice()

    async def fetch() -> TempIDBatch:
        def ask() -> TempIDBatch:
            with settings.client(credential) as client:
                return client.fetch_batch()

        batch = await _in_thread(ask)
        save_batch(folder, batch)
        return batch

    with closing(NodeLog(folder / LOG, voice.event, voice.sighting)) as log:
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
            tell=voice.event,
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
            await voice.attend(node, log, running)
        finally:
            stop.set()
            await running
            for number in (signal.SIGTERM, signal.SIGINT):
                with suppress(NotImplementedError, RuntimeError):
                    loop.remove_signal_handler(number)
    return node


def _due(batch: TempIDBatch | None) -> TempIDBatch | None:
    """Return a batch that is used and renewed at once: the answer says whether the clock is right.

    The clock may have been set, or have stood still, since the last run.
    """
    return None if batch is None else replace(batch, refresh_at=0)


class JsonVoice:
    """Says everything as one JSON object a line."""

    def event(self, name: str, text: str) -> None:
        """Say what happened to the node."""
        self._say(name, text=text)

    def sighting(self, row: Sighting) -> None:
        """Say what was written down."""
        self._say(
            "sighting",
            sighted_at=row.time,
            token=row.peer,
            rssi_dbm=row.rssi_dbm,
            tx_power_dbm=row.tx_power_dbm,
            peer_model=row.peer_model,
            as_central=row.as_central,
        )

    async def attend(self, node: Node, log: ContactLog, running: asyncio.Future[None]) -> None:
        """Say now and then how it goes, until the node ends."""
        self._say("started")
        while not running.done():
            await asyncio.wait([running], timeout=_STATUS_S)
            self._say(
                "status",
                sightings=len(log),
                counts=dict(node.counts),
                troubles=all_troubles(node, log),
                rejections={why.value: n for why, n in node.device.rejections.items()},
            )

    def _say(self, event: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        print_json({"event": event, "time": time.time(), **facts}, indent=None)


class TableVoice:
    """Shows who is near in a table that renews itself; events go to stderr."""

    def event(self, name: str, text: str) -> None:
        """Say what happened to the node."""
        err().print(f"{utc_text(time.time())}  {name}: {text}", soft_wrap=True)

    def sighting(self, row: Sighting) -> None:
        """Nothing: the table is drawn from the log."""

    async def attend(self, node: Node, log: ContactLog, running: asyncio.Future[None]) -> None:
        """Draw the table until the node ends; none if it does not even begin."""
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
    """Return what is wrong now, a line each, and below it who was heard."""
    troubles = [Text(f"! {text}", style="yellow") for text in all_troubles(node, log).values()]
    return Group(*troubles, peers_table(node, log, now, calibration))


def all_troubles(node: Node, log: ContactLog) -> dict[str, str]:
    """Return what is wrong now with the node and its log, by what it is about."""
    troubles = dict(node.troubles)
    aside = log.set_aside()
    if aside:
        troubles["log_clock"] = (
            f"{aside:,} sightings are older than 21 days by this machine's clock, which leapt: "
            "they are set aside until the authority confirms the clock, or for 21 days"
        )
    return troubles


def peers_table(node: Node, log: ContactLog, now: float, calibration: Calibration) -> Table:
    """Return who was heard in the last quarter of an hour, the last one first."""
    rows = log.rows(now - SHOWN_S)
    latest = {row.peer: row for row in rows}
    seen = node.counts["heard"], node.counts["connections"], len(log)
    table = Table(
        "peer",
        "model",
        *[Column(name, justify="right") for name in ("RSSI", "nearest, m", "minutes < 2 m", "ago")],
        caption="heard {:,}, exchanges {:,}, in the log {:,}; in brackets 5 % to 95 %".format(
            *seen
        ),
    )
    found = {
        one.peer: one for one in encounters(log.sightings(now - SHOWN_S), calibration=calibration)
    }
    for token, row in sorted(latest.items(), key=lambda one: -one[1].time):
        met = found.get(token)
        nearest = "" if met is None else _interval(met.nearest_m, ".1f")
        minutes = "" if met is None else _interval(met.minutes, ".0f")
        ago = f"{now - row.time:.0f} s"
        model = row.peer_model or ""
        table.add_row(
            f"{token[:_TOKEN_SHOWN]}…", model[:20], f"{row.rssi_dbm:.0f}", nearest, minutes, ago
        )
    return table


def _interval(value: Interval, form: str) -> str:
    return f"{value.median:{form}} ({value.low:{form}} - {value.high:{form}})"


def _chance() -> float:
    return secrets.randbelow(2**53) / 2**53


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Run ``work`` in a thread that does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(put: Callable[[Any], None], value: object) -> None:
        if not done.done():
            put(value)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - told to who waits
            told: tuple[Callable[[Any], None], object] = (done.set_exception, error)
        else:
            told = (done.set_result, result)
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, *told)

    threading.Thread(target=run, daemon=True, name="fetch").start()
    return await done
