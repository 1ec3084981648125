"""The adapter: it is made to do what the device wants, and opened again when it fails."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from tracetogether.errors import RadioError
from tracetogether.exchange import Advertisement
from tracetogether.node.backoff import Backoff, Pauses
from tracetogether.node.journal import Journal
from tracetogether.node.radio import OpenRadio, Radio, Report


@dataclass(slots=True)
class RadioRole:
    """One of the two things an adapter does: advertising or scanning.

    Attributes:
        name: which of the two.
        without: what follows if the adapter refuses it.
        backoff: of the retries after a refusal.
        works: the adapter has done it since it was opened.
        wait_until: the event loop's time before which it is not tried again.
        timer: wakes the tuner then.
    """

    name: str
    without: str
    backoff: Backoff
    works: bool = False
    wait_until: float = 0.0
    timer: asyncio.TimerHandle | None = None

    @property
    def refused(self) -> bool:
        """Whether the adapter refuses it now."""
        return self.backoff.pause_s > 0

    def reset(self) -> None:
        """Forget the refusals."""
        self.backoff.reset()
        self.wait_until = 0.0
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Tuner:
    """Drives one adapter.

    An adapter that fails or hangs is closed and opened again. One that has refused a role since
    it was opened, such as advertising on a laptop whose slots are taken, does the other role
    alone; the refused one is tried again now and then.

    Args:
        open_radio: opens the adapter.
        report: takes what comes in by radio.
        pauses: when to try again.
        chance: uniform numbers in [0, 1), for jitter.
        journal: takes what happens.
    """

    def __init__(
        self,
        open_radio: OpenRadio,
        report: Report,
        *,
        pauses: Pauses,
        chance: Callable[[], float],
        journal: Journal,
    ) -> None:
        self._open_radio = open_radio
        self._report = report
        self._command_s = pauses.command_s
        self._journal = journal
        self._radio: Radio | None = None
        self._broken = False
        self._changed = asyncio.Event()
        self._wanted: Advertisement | None = None
        self._scanning = False
        self._scan_ends: asyncio.TimerHandle | None = None

        def backoff() -> Backoff:
            return Backoff(pauses.radio_s, pauses.radio_most_s, chance)

        self._advertises = RadioRole(
            "advertising", "others do not hear this node; it goes on scanning", backoff()
        )
        self._scans = RadioRole(
            "scanning", "this node does not hear others; it goes on advertising", backoff()
        )
        self._reopening = backoff()

    @property
    def radio(self) -> Radio | None:
        """The adapter; None while it is lost."""
        return None if self._broken else self._radio

    async def open(self) -> None:
        """Open the adapter for the first time.

        Raises:
            RadioError: there is none.
        """
        self._radio = await self._open_radio(self._report)

    async def close(self) -> None:
        """Stop all timers and close the adapter."""
        if self._scan_ends is not None:
            self._scan_ends.cancel()
        for role in (self._advertises, self._scans):
            role.reset()
        if self._radio is not None:
            await self._radio.close()

    def advertise(self, advertisement: Advertisement | None) -> None:
        """Show this from now on; None: nothing."""
        self._wanted = advertisement
        self._changed.set()

    def scan(self, seconds: float) -> None:
        """Scan from now on, for ``seconds``."""
        self._scanning = True
        self._changed.set()
        if self._scan_ends is not None:
            self._scan_ends.cancel()
        self._scan_ends = asyncio.get_running_loop().call_later(seconds, self._end_scan)

    def _end_scan(self) -> None:
        self._scanning = False
        self._changed.set()

    def lose(self, why: str) -> None:
        """Count the adapter as failed, so that it is opened again."""
        self._journal.counts["radio_lost"] += 1
        self._journal.failed("radio", "radio_lost", why)
        self._broken = True
        self._changed.set()

    async def run(self) -> None:
        """Make the adapter do what is wanted, until this task is cancelled."""
        shown: Advertisement | None = None
        scans = False
        while True:
            await self._changed.wait()
            self._changed.clear()
            radio = self.radio
            if radio is None:
                radio = await self._reopen()
                shown, scans = None, False
            wanted, on = self._wanted, self._scanning
            if wanted is not shown and await self._command(
                self._advertises, partial(radio.advertise, wanted), begins=wanted is not None
            ):
                shown = wanted
            if on is not scans and await self._command(
                self._scans, partial(radio.scan, on=on), begins=on
            ):
                scans = on

    async def _command(
        self, role: RadioRole, command: Callable[[], Coroutine[Any, Any, None]], *, begins: bool
    ) -> bool:
        """Return whether the adapter did ``command``, which begins or ends a role."""
        now = asyncio.get_running_loop().time()
        if self._broken or (begins and now < role.wait_until):
            return False
        try:
            async with asyncio.timeout(self._command_s):
                await command()
        except TimeoutError:
            self.lose("the Bluetooth adapter hangs")
        except RadioError as error:
            other = self._scans if role is self._advertises else self._advertises
            if role.works or other.refused:
                self.lose(str(error))
            else:
                self._refused(role, str(error))
        else:
            if begins:
                role.works = True
                role.reset()
                self._reopening.reset()
                self._journal.right(role.name, f"{role.name}_back", f"{role.name} works again")
            return True
        return False

    def _refused(self, role: RadioRole, why: str) -> None:
        """Try a role later that the adapter has refused since it was opened."""
        self._journal.counts[f"{role.name}_refused"] += 1
        pause_s = role.backoff.next_s()
        loop = asyncio.get_running_loop()
        role.wait_until = loop.time() + pause_s
        role.timer = loop.call_later(pause_s, self._changed.set)
        text = f"{why}: {role.without}. It is tried again now and then"
        self._journal.wrong(role.name, f"{role.name}_refused", text)

    async def _reopen(self) -> Radio:
        """Return the adapter once it can be opened again."""
        if self._radio is not None:
            await self._radio.close()
            self._radio = None
        while self._radio is None:
            await asyncio.sleep(self._reopening.next_s())
            with suppress(RadioError):
                self._radio = await self._open_radio(self._report)
        for role in (self._advertises, self._scans):
            role.works = False
            role.reset()
        self._broken = False
        self._journal.worked("radio", "radio_back", "the Bluetooth adapter is open again")
        return self._radio
