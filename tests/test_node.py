"""What drives a phone: failing adapters, an absent authority, leaping clocks, a clean stop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.leaping_loop import leap
from tests.radio_world import BRISK, HASTY, Issuing, clock, complaints, until
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.contactlog import ContactLog, MemoryContactLog
from tracetogether.device import PayloadWritten
from tracetogether.errors import LinkError, RadioError, StoreError
from tracetogether.exchange import Advertisement, Heard
from tracetogether.node import PAUSES, Node, Pauses
from tracetogether.node.backoff import Backoff
from tracetogether.node.radio import Link, Radio, Report
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting


class Peer:
    """A link to a phone with a fixed value."""

    def __init__(self, value: bytes | None, *, takes: bool = True) -> None:
        self.value = value
        self.takes = takes
        self.got: list[bytes] = []
        self.closed = 0

    async def read(self) -> bytes:
        if self.value is None:
            raise LinkError("no value")
        return self.value

    async def write(self, value: bytes) -> None:
        if not self.takes:
            raise LinkError("refused")
        self.got.append(value)

    async def close(self) -> None:
        self.closed += 1


class Adapter:
    """A radio in memory; ``fails`` makes its next commands fail, ``hangs`` never end."""

    def __init__(self) -> None:
        self.shown: list[Advertisement | None] = []
        self.scans: list[bool] = []
        self.peers: dict[str, Peer] = {}
        self.opened = self.closed = self.attempts = 0
        self.fails = self.hangs = self.gone = False
        self.refuses = ""  # a role, or both

    def opener(self) -> Callable[[Report], Awaitable[Radio]]:
        async def open_radio(report: Report) -> Radio:
            if self.gone:
                raise RadioError("there is no adapter")
            self.report = report
            self.opened += 1
            self.fails = self.hangs = False
            return self

        return open_radio

    async def advertise(self, advertisement: Advertisement | None) -> None:
        await self._obey()
        if advertisement is not None and "advertising" in self.refuses:
            raise RadioError("maximum advertisements reached")
        self.shown.append(advertisement)

    async def scan(self, *, on: bool) -> None:
        await self._obey()
        if on and "scanning" in self.refuses:
            raise RadioError("the adapter is busy")
        self.scans.append(on)

    async def connect(self, peer: str) -> Link:
        self.attempts += 1
        await self._obey()
        if peer not in self.peers:
            await asyncio.Event().wait()  # nobody answers
        return self.peers[peer]

    async def close(self) -> None:
        self.closed += 1

    async def _obey(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise RadioError("it does not")


class Bed:
    """A node on an adapter in memory."""

    def __init__(
        self, *, log: ContactLog | None = None, pauses: Pauses = HASTY, leap_s: float = 0.0
    ) -> None:
        self.adapter = Adapter()
        self.issuing = Issuing()
        self.events: list[str] = []
        self.log = MemoryContactLog() if log is None else log
        self.stop = asyncio.Event()
        self.leap_s = leap_s
        self.exchange = BlueTraceExchange(model="Test", organisation="SG_MOH")
        self.node = Node(
            self.exchange,
            self.log,
            open_radio=self.adapter.opener(),
            fetch=self.issuing.fetch("me"),
            clock=lambda: clock() + self.leap_s,
            chance=lambda: 0.5,
            timings=BRISK,
            pauses=replace(pauses, command_s=0.05),
            tell=lambda event, _text: self.events.append(event),
        )

    def value(self, name: str = "peer") -> bytes:
        """Return what another phone would let us read."""
        other = BlueTraceExchange(
            model="Other", organisation="SG_MOH", batch=self.issuing.batch(name, clock())
        )
        said = other.advertisement(clock())
        assert said is not None
        return said.value


def live(story: Callable[[Bed], Awaitable[None]], **how: object) -> Bed:
    """Run a node, let ``story`` happen to it, stop it."""

    async def whole() -> Bed:
        bed = Bed(**how)
        task = asyncio.ensure_future(bed.node.run(bed.stop))
        try:
            await story(bed)
        finally:
            bed.stop.set()
            async with asyncio.timeout(2):
                await task
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left
        return bed

    return leap(whole())


def test_a_pause_doubles_up_to_its_bound_with_jitter() -> None:
    chances = iter([0.5, 0.5, 0.0, 1.0, 0.5])
    backoff = Backoff(1.0, 5.0, lambda: next(chances))
    assert [backoff.next_s() for _ in range(4)] == [1.0, 2.0, 2.0, 7.5]  # of 1, 2, 4 and 5 s
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_no_adapter_at_the_start_ends_it() -> None:
    async def run() -> None:
        bed = Bed()
        bed.adapter.gone = True
        await bed.node.run(bed.stop)

    with pytest.raises(RadioError, match="no adapter"):
        leap(run())


def test_it_shows_a_token_and_scans_now_and_then() -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: bed.adapter.scans.count(True) >= 2)

    bed = live(story)
    assert bed.adapter.shown[0] is not None
    assert bed.adapter.scans[:3] == [True, False, True]
    assert bed.adapter.closed == 1


def test_an_exchange_leaves_a_record_and_closes_the_link() -> None:
    async def story(bed: Bed) -> None:
        peer = bed.adapter.peers["aa"] = Peer(bed.value())
        await until(lambda: bed.node.counts["scans"] > 0 and bed.node.counts["batches"] > 0)
        bed.node.report(Heard("aa", -60.0))
        await until(lambda: peer.closed == 1)

    bed = live(story)
    (row,) = bed.log.rows()
    assert (row.rssi_dbm, row.peer_model, row.as_central) == (-60.0, "Other", True)
    assert len(bed.adapter.peers["aa"].got) == 1


@pytest.mark.parametrize("peer", [Peer(None), Peer(b"{}", takes=False), Peer(b"x" * 600)])
def test_a_peer_that_misbehaves_costs_one_connection(peer: Peer) -> None:
    async def story(bed: Bed) -> None:
        bed.adapter.peers["bad"] = peer
        good = bed.adapter.peers["good"] = Peer(bed.value())
        await until(lambda: bed.node.counts["batches"] > 0)
        bed.node.report(Heard("bad", -60.0))
        await until(lambda: peer.closed == 1)
        bed.node.report(Heard("good", -60.0))
        await until(lambda: good.closed == 1)

    assert len(live(story).log) == 1


def test_a_peer_that_never_answers_is_given_up() -> None:
    async def story(bed: Bed) -> None:
        good = bed.adapter.peers["good"] = Peer(bed.value())
        await until(lambda: bed.node.counts["batches"] > 0)
        bed.node.report(Heard("nobody", -60.0))
        await until(lambda: bed.adapter.attempts == 1)
        bed.node.report(Heard("good", -60.0))
        await until(lambda: bed.node.counts["connections_failed"] == 1)
        bed.node.report(Heard("good", -60.0))
        await until(lambda: good.closed == 1)

    live(story)


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
def test_an_adapter_that_wedges_is_opened_again_and_goes_on_showing(trouble: str) -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: bed.adapter.scans.count(True) >= 1)
        setattr(bed.adapter, trouble, True)
        bed.adapter.gone = True
        await until(lambda: "radio_lost" in bed.events)
        bed.adapter.gone = False
        bed.adapter.shown.clear()
        await until(lambda: "radio_back" in bed.events)
        await until(lambda: len(bed.adapter.shown) > 0 and True in bed.adapter.scans[1:])
        assert bed.adapter.shown[0] is not None

    bed = live(story)
    assert bed.adapter.opened == bed.adapter.closed == 2


@pytest.mark.parametrize("role", ["advertising", "scanning"])
def test_an_adapter_that_refuses_one_role_does_the_other_and_is_asked_less_and_less(
    role: str,
) -> None:
    async def story(bed: Bed) -> None:
        bed.adapter.refuses = role
        await until(lambda: f"{role}_refused" in bed.events, 30)
        await asyncio.sleep(1_000)
        # At 0, 1, 3, 7 ... 511 s, and then after 300 s; a scan is only asked for now and then.
        assert 8 <= bed.node.counts[f"{role}_refused"] <= 11
        assert role in bed.node.troubles
        assert bed.adapter.opened == 1
        other = bed.adapter.scans if role == "advertising" else bed.adapter.shown
        assert len(other) >= 10
        bed.adapter.refuses = ""
        await until(lambda: f"{role}_back" in bed.events, 400)
        assert bed.node.troubles == {}
        assert bed.events.count(f"{role}_refused") == 1

    live(story, pauses=PAUSES)


def test_an_adapter_that_opens_and_refuses_everything_is_opened_less_and_less() -> None:
    async def story(bed: Bed) -> None:
        bed.adapter.refuses = "advertising scanning"
        await asyncio.sleep(1_000)
        assert 5 <= bed.adapter.opened <= 12
        bed.adapter.refuses = ""
        await until(lambda: bool(bed.adapter.shown) and bool(bed.adapter.scans), 500)

    live(story, pauses=PAUSES)


@pytest.mark.parametrize(
    ("ahead_s", "clock_is_wrong", "batch_is_useless"),
    [
        (0, False, False),
        (30, False, False),
        (300, True, False),
        (1_200, True, False),
        (-300, True, True),
        (-1_200, True, True),
        (-7_200, True, True),
        (86_400, True, True),
    ],
)
def test_a_clock_that_differs_from_the_authoritys_is_reported_with_its_consequences(
    ahead_s: float,
    clock_is_wrong: bool,
    batch_is_useless: bool,
) -> None:
    async def story(bed: Bed) -> None:
        async def fetch() -> object:
            now = clock()  # the authority's
            return replace(bed.issuing.batch("me", now - 60), issued_at=now)

        bed.node._fetch = fetch
        await until(lambda: bed.node.counts["batches"] > 0 and bool(bed.adapter.scans))
        assert ("clock_wrong" in bed.events) == ("clock" in bed.node.troubles) == clock_is_wrong
        assert ("batch_not_valid" in bed.events) == batch_is_useless
        assert bool(bed.adapter.shown) != batch_is_useless
        if clock_is_wrong:
            side = "ahead of" if ahead_s > 0 else "behind"
            assert f"{abs(ahead_s) // 60:,} minutes {side}" in bed.node.troubles["clock"]
        bed.leap_s = 0  # the clock is corrected while the node runs, which the node notices
        await until(lambda: bed.node.troubles == {})
        assert ("clock_right" in bed.events) == clock_is_wrong
        await until(lambda: bool(bed.adapter.shown))

    live(story, leap_s=ahead_s)


@pytest.mark.parametrize("ahead_s", [-7_200, -1_200, 1_200, 7_200])
def test_a_server_that_does_not_say_its_time_still_betrays_a_wrong_clock(ahead_s: float) -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: "clock_wrong" in bed.events)

    live(story, leap_s=ahead_s)


def test_the_authoritys_time_lets_the_log_believe_the_clock() -> None:
    log = MemoryContactLog.of([Sighting(clock_start() - 60 * 86_400, "old", -50.0)])

    async def story(bed: Bed) -> None:
        await until(lambda: bed.node.counts["batches"] > 0 and len(log) == 0)

    live(story, log=log)


def test_a_radio_that_refuses_to_connect_is_opened_again() -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: bed.adapter.scans[-2:] == [True, False])
        bed.adapter.fails = True
        bed.node.report(Heard("aa", -60.0))
        await until(lambda: "radio_back" in bed.events)

    live(story)


def test_without_the_authority_it_listens_shows_nothing_and_catches_up() -> None:
    async def story(bed: Bed) -> None:
        bed.issuing.reachable = False
        await until(lambda: bed.node.counts["fetches_failed"] >= 3 and bool(bed.adapter.scans))
        assert bed.adapter.shown == []
        bed.node.report(PayloadWritten("aa", b'{"id":"T","mc":"X","rs":-70,"o":"SG","v":2}'))
        await until(lambda: len(bed.log) == 1)
        bed.issuing.reachable = True
        await until(lambda: len(bed.adapter.shown) == 1)

    live(story)


class FullDisk(MemoryContactLog):
    """A log on a disk that is full for a while."""

    full = True

    def append(self, rows: object) -> None:
        if self.full:
            raise StoreError("the disk is full")
        super().append(rows)  # type: ignore[arg-type]


def test_a_full_disk_is_reported_and_waited_out() -> None:
    log = FullDisk()

    async def story(bed: Bed) -> None:
        said = PayloadWritten("aa", b'{"id":"T","mc":"X","rs":-70,"o":"SG","v":2}')
        bed.node.report(said)
        await until(lambda: "log_failed" in bed.events)
        log.full = False
        await until(lambda: len(log) == 1)  # what waited in memory

    live(story, log=log)


@pytest.mark.parametrize("leap_s", [-86_400.0, 86_400.0])
def test_a_leap_of_the_clock_is_survived(leap_s: float) -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: bed.adapter.scans.count(True) >= 1)
        bed.leap_s = leap_s
        before = bed.adapter.scans.count(True)
        batches = bed.node.counts["batches"]
        await until(lambda: bed.adapter.scans.count(True) >= before + 2)
        await until(lambda: bed.node.counts["batches"] > batches or leap_s < 0)
        shown = bed.adapter.shown[-1]
        now = clock() + leap_s
        assert shown is None or shown.expiry > now

    live(story)


def test_ten_thousand_strangers_at_once_stay_within_bounds() -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: bed.node.counts["batches"] > 0)
        for number in range(10_000):
            bed.node.report(Heard(f"{number:x}", -60.0))
            bed.node.report(PayloadWritten(f"{number:x}", b"{]"))
        assert len(bed.node._heard) == 4_096
        assert len(bed.node._inbox) <= 256 + 8
        await until(lambda: not bed.node._heard)
        assert len(bed.node.device._queue) <= 4_096

    bed = live(story)
    assert bed.node.counts["heard_dropped"] == 10_000 - 4_096
    assert bed.node.counts["written_dropped"] == 10_000 - 256
    assert bed.node.device.rejections[Rejection.MALFORMED] == 256


def test_our_own_words_played_back_are_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bed: Bed) -> None:
        await until(lambda: len(bed.adapter.shown) > 0)
        shown = bed.adapter.shown[0]
        assert shown is not None
        mirror = bed.adapter.peers["mirror"] = Peer(shown.value)
        bed.node.report(Heard("mirror", -60.0))
        await until(lambda: mirror.closed == 1)

    bed = live(story)
    assert len(bed.log) == 0
    assert bed.node.device.rejections == {Rejection.SELF_TEMPID: 1}
    assert complaints(caplog) == []


def test_a_log_may_be_any_log() -> None:
    log = MemoryContactLog.of([Sighting(clock_start(), "old", -50.0)])

    async def story(bed: Bed) -> None:
        await until(lambda: bool(bed.adapter.scans))

    assert len(live(story, log=log).log) == 1


def clock_start() -> float:
    return 1_590_000_000.0
