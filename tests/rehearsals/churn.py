"""Phones that come, go, fail and come back for a long time: what grows, stays open, breaks.

    python -m tests.rehearsals.churn --hours 24            # a day, on a clock that leaps
    python -m tests.rehearsals.churn --link-seconds 600    # the link at 20-ms intervals, this clock

Prints a line for each sample and what came of it; exit status 1 if anything grew, leaked or broke.
"""

import argparse
import asyncio
import gc
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from bumble import hci
from bumble.device import Device
from bumble.host import Host
from bumble.transport.common import AsyncPipeSink

from tests.leaping_loop import leap
from tests.radio_world import BRISK, HASTY, Phone, Room, World, clock
from tracetogether.contactlog import ContactLog
from tracetogether.errors import UnreachableError
from tracetogether.node import PAUSES, Pauses
from tracetogether.parameters import TIMINGS, PhoneTimings
from tracetogether.sightings import Sighting

PAGE_KIB: Final = 4
FAR_M: Final = 1e6
WARM: Final = 0.4  # share of the samples that caches may take to fill
GROWTH_SDS: Final = 3.0
GROWTH_SHARE: Final = 0.02


def rss_kib() -> float:
    """Return how much memory this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB


class Tally(ContactLog):
    """A contact log that counts and forgets: what grows is then not the log."""

    def __init__(self) -> None:
        self.count = 0

    def append(self, rows: Iterable[Sighting]) -> None:
        self.count += len(list(rows))

    def rows(self, start: float | None = None, end: float | None = None) -> list[Sighting]:
        return []

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        return 0

    def set_aside(self) -> int:
        return 0

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True)
class Trend:
    """How a quantity went over the later samples.

    Attributes:
        level: its mean.
        growth: by how much the line through the samples rises from the first to the last.
        noise: standard deviation of the samples about that line.
    """

    level: float
    growth: float
    noise: float

    @property
    def flat(self) -> bool:
        """Whether the rise is within the noise, or too little to matter."""
        return self.growth <= max(GROWTH_SDS * self.noise, GROWTH_SHARE * self.level)

    @classmethod
    def of(cls, values: list[float]) -> "Trend":
        """Return the trend of samples taken at equal intervals, without the first ones."""
        late = np.array(values[int(WARM * len(values)) :])
        at = np.arange(len(late))
        slope, start = np.polyfit(at, late, 1)
        noise = float(np.std(late - (start + slope * at)))
        return cls(float(late.mean()), float(slope * (len(late) - 1)), noise)


@dataclass
class Churned:
    """What came of it.

    Attributes:
        happened: changes made, and what the phones counted.
        rss_kib, objects, tasks: samples.
        errors: what was logged as an error or reached nobody.
        links_left, tasks_left: at the end, when every phone has stopped.
    """

    happened: Counter[str] = field(default_factory=Counter)
    rss_kib: list[float] = field(default_factory=list)
    objects: list[float] = field(default_factory=list)
    tasks: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    links_left: int = 0
    tasks_left: int = 0

    def faults(self) -> list[str]:
        """Return what is not as it should be."""
        found = list(self.errors)
        for name in ("rss_kib", "objects", "tasks"):
            trend = Trend.of(getattr(self, name))
            if not trend.flat:
                found.append(f"{name} grows: {trend}")
        if self.links_left:
            found.append(f"{self.links_left} ends of links were left open")
        if self.tasks_left:
            found.append(f"{self.tasks_left} tasks were left")
        return found


class _Complaints(logging.Handler):
    def __init__(self, to: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._to = to

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        # bumble says so when both ends hang up at the same moment
        if "Unknown disconnection handle" not in message:
            self._to.append(message)


class Crowd:
    """Phones on one air, and what befalls them."""

    def __init__(
        self, phones: int, timings: PhoneTimings, pauses: Pauses, advertise_every_s: float
    ) -> None:
        self.here = World(Room(), supervision_s=1.0)
        self.here.issuing.issuer = type(self.here.issuing.issuer)(self.here.issuing.issuer._keys)
        self.reachable = True
        self.counts: Counter[str] = Counter()
        self._timings = timings
        self._pauses = pauses
        self._every_s = advertise_every_s
        self._rng = np.random.default_rng(5)
        self._made = 0
        self._guests: list[tuple[Device, Any]] = []
        for _ in range(phones):
            self.join()

    def join(self) -> None:
        """Let another phone come."""
        self._made += 1
        name = f"p{self._made}"
        self.here.room.places[name] = float(self._rng.uniform(0, 8))

        async def fetch() -> object:
            if not self.reachable:
                raise UnreachableError("the authority does not answer: this is a rehearsal")
            return self.here.issuing.issuer.issue(name.ljust(28, "A"), clock() - 60, 100)

        self.here.start(
            name,
            log=Tally(),
            timings=self._timings,
            pauses=self._pauses,
            fetch=fetch,
            advertise_every_s=self._every_s,
        )

    async def leave(self, phone: Phone) -> None:
        """Let a phone end, or its battery."""
        del self.here.phones[phone.name]
        if self._rng.random() < 0.5:
            phone.controller.leave()  # in the middle of whatever it does
            self.counts["vanished"] += 1
        phone.stop.set()
        await phone.task
        self._tally(phone)
        with suppress(ValueError):
            phone.controller.leave()
        self.here.room.places.pop(phone.name, None)

    async def befall(self) -> None:
        """Let one thing happen."""
        phones = list(self.here.phones.values())
        phone = phones[int(self._rng.integers(len(phones)))]
        match int(self._rng.integers(6)):
            case 0 | 1:
                far = self.here.room.places[phone.name] == FAR_M
                self.here.room.places[phone.name] = float(self._rng.uniform(0, 8)) if far else FAR_M
                self.counts["walked"] += 1
            case 2:
                await self.leave(phone)
                self.join()
                self.counts["ended and replaced"] += 1
            case 3:
                self.reachable = not self.reachable
                self.counts["authority came or went"] += 1
            case 4:
                if phone.node._tuner.radio is not None:
                    phone.node._tuner.lose("the adapter is pulled out: this is a rehearsal")
                self.counts["adapters pulled out"] += 1
            case _:
                await self._hold(phone)
                self.counts["held a connection"] += 1

    async def _hold(self, phone: Phone) -> None:
        """Let a stranger connect and stay; the node disconnects it."""
        for device, controller in self._guests:
            await device.power_off()
            controller.leave()
        self._guests.clear()
        shown = phone.controller.le_legacy_advertiser
        if not shown.enabled:
            return
        self._made += 1
        controller = self.here.air.controller(f"s{self._made}")
        host = Host(controller, AsyncPipeSink(controller))
        device = Device(name="s", address=hci.Address.generate_static_address(), host=host)
        await device.power_on()
        self._guests.append((device, controller))
        with suppress(Exception):  # it may have gone; that is what it is about
            await device.connect(shown.address, timeout=2.0)

    async def end(self) -> None:
        """Let all stop."""
        for device, controller in self._guests:
            await device.power_off()
            controller.leave()
        for phone in list(self.here.phones.values()):
            phone.stop.set()
            await phone.task
            self._tally(phone)

    def _tally(self, phone: Phone) -> None:
        self.counts.update(phone.node.counts)
        self.counts["sightings"] += len(phone.log)
        self.counts["rejections"] += sum(phone.node.device.rejections.values())


async def churn(
    seconds: float,
    *,
    samples: int,
    befall_every_s: float,
    phones: int,
    timings: PhoneTimings = TIMINGS,
    pauses: Pauses = HASTY,
    advertise_every_s: float,
    on_sample: Callable[[str], None] = lambda _: None,
) -> Churned:
    """Let phones live for so long on the running loop's clock."""
    result = Churned()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: result.errors.append(str(context)))
    handler = _Complaints(result.errors)
    logging.getLogger().addHandler(handler)
    crowd = Crowd(phones, timings, pauses, advertise_every_s)
    try:
        begin = loop.time()
        befall_at = begin + befall_every_s
        for number in range(1, samples + 1):
            sample_at = begin + seconds * number / samples
            while befall_at < sample_at:
                await asyncio.sleep(befall_at - loop.time())
                await crowd.befall()
                befall_at = max(befall_at, loop.time()) + befall_every_s
            await asyncio.sleep(max(0.0, sample_at - loop.time()))
            gc.collect()
            result.rss_kib.append(rss_kib())
            result.objects.append(len(gc.get_objects()))
            result.tasks.append(len(asyncio.all_tasks()))
            on_sample(
                f"{loop.time() - begin:9.0f} s  rss {result.rss_kib[-1] / 1024:7.1f} MiB  "
                f"objects {result.objects[-1]:9,.0f}  tasks {result.tasks[-1]:4.0f}  "
                f"links {crowd.here.air.open_links:3}  connections {crowd.here.air.connections:,}"
            )
        await crowd.end()
    finally:
        logging.getLogger().removeHandler(handler)
    await asyncio.sleep(5)  # the last words of bumble's
    result.links_left = crowd.here.air.open_links
    result.tasks_left = len(asyncio.all_tasks()) - 1
    result.happened = crowd.counts
    result.happened["connections on the air"] = crowd.here.air.connections
    result.happened["reports on the air"] = crowd.here.air.reports
    return result


def day(
    hours: float,
    on_sample: Callable[[str], None] = lambda _: None,
    *,
    befall_every_s: float = 197.0,
) -> Churned:
    """Let phones live at their own rhythm for ``hours`` of a leaping clock."""
    work: Coroutine[Any, Any, Churned] = churn(
        hours * 3600,
        samples=max(10, round(2 * hours)),
        befall_every_s=befall_every_s,
        phones=3,
        pauses=replace(PAUSES, look_up_s=600.0),
        advertise_every_s=2.0,
        on_sample=on_sample,
    )
    return leap(work)


def link(
    seconds: float,
    on_sample: Callable[[str], None] = lambda _: None,
    *,
    run: Callable[[Coroutine[Any, Any, Churned]], Churned] = asyncio.run,
) -> Churned:
    """Let phones live fifty times as fast, advertising every 20 ms, on this machine's clock."""
    timings = replace(BRISK, blacklist_s=1.0)
    return run(
        churn(
            seconds,
            samples=max(10, round(seconds / 15)),
            befall_every_s=1.7,
            phones=4,
            timings=timings,
            advertise_every_s=0.02,
            on_sample=on_sample,
        )
    )


def main() -> None:
    """Run one of them and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--hours", type=float, help="simulated hours")
    which.add_argument("--link-seconds", type=float, help="seconds on the link at 20 ms")
    chosen = parser.parse_args()
    print_now: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731
    result = day(chosen.hours, print_now) if chosen.hours else link(chosen.link_seconds, print_now)
    print(json.dumps(result.happened, indent=1))
    for name in ("rss_kib", "objects", "tasks"):
        print(f"{name}: {Trend.of(getattr(result, name))}")
    faults = result.faults()
    print("faults:", *(faults or ["none"]), sep="\n  ")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
