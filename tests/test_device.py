"""The phone as one machine: scripts of inputs, lists of actions."""

import itertools
import json
from collections.abc import Iterator

import numpy as np
import pytest

from tracetogether.adapters.sqlite_log import SqliteContactLog
from tracetogether.bluetrace.handshake import BlueTraceExchange
from tracetogether.bluetrace.payload import CentralPayload as Wrote
from tracetogether.bluetrace.payload import PeripheralPayload as Said
from tracetogether.bluetrace.payload import encode_read, encode_write
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.bluetrace.upload import parse_upload, write_upload
from tracetogether.contactlog import MemoryContactLog
from tracetogether.device import (
    Action,
    Advertise,
    BatchReceived,
    Connect,
    Connected,
    DeadlinePassed,
    Device,
    Disconnect,
    Disconnected,
    FetchBatch,
    Input,
    PayloadRead,
    PayloadWritten,
    ReadPayload,
    Scan,
    WriteDone,
    WritePayload,
)
from tracetogether.errors import LocalProtocolError, StoreError
from tracetogether.exchange import Heard
from tracetogether.keyring import KeyRing
from tracetogether.parameters import TIMINGS
from tracetogether.rejection import Rejection
from tracetogether.units import Entropy

NOW = 1_600_000_000.0
PEER = "aa:bb"


class Phone:
    """A device with all it needs, and short words to drive it."""

    def __init__(
        self, entropy: Entropy, *, with_batch: bool = True, model: str = "Pixel 3a"
    ) -> None:
        self.issuer = TempIDIssuer(KeyRing.generate(NOW, entropy=entropy), entropy=entropy)
        self.user = new_user_id(entropy)
        self.exchange = BlueTraceExchange(
            model=model, organisation="SG_OTC", batch=self.batch() if with_batch else None
        )
        self.log = MemoryContactLog()
        self.device = Device(self.exchange, self.log, start=NOW, chance=lambda: 0.5)

    def batch(self, now: float = NOW, count: int = 100):
        return self.issuer.issue(self.user, now - 60, count)

    def do(self, happened: Input, now: float) -> tuple[Action, ...]:
        return self.device.receive(happened, now=now)

    def until(self, end: float) -> Iterator[tuple[float, Action]]:
        """Let deadlines pass; yield what the device does."""
        for _ in range(100_000):
            due = self.device.next_deadline
            if due > end:
                return
            for action in self.do(DeadlinePassed(), due):
                yield due, action
        pytest.fail("the device never comes to rest")


@pytest.fixture
def phone(entropy: Entropy) -> Phone:
    one = Phone(entropy)
    list(one.until(NOW))
    return one


def test_a_new_phone_advertises_and_scans_at_once(entropy: Entropy) -> None:
    first, second = Phone(entropy).do(DeadlinePassed(), NOW)
    assert isinstance(first, Advertise)
    assert first.advertisement is not None
    assert second == Scan(8.0)


def test_rhythm_of_an_hour(entropy: Entropy) -> None:
    done = list(Phone(entropy).until(NOW + 3_600))
    scans = [time for time, action in done if isinstance(action, Scan)]
    gaps = {round(later - earlier, 3) for earlier, later in itertools.pairwise(scans)}
    assert gaps == {8 + 39.5}
    off = sum(
        1 for _, action in done if isinstance(action, Advertise) and action.advertisement is None
    )
    assert 3_600 // 185 <= off <= 3_600 // 185 + 4  # and at each change of the TempID
    values = {
        json.loads(action.advertisement.value)["id"]
        for _, action in done
        if isinstance(action, Advertise) and action.advertisement
    }
    assert len(values) == 5  # windows of 900 s, the first begun 60 s ago
    assert not any(isinstance(action, FetchBatch) for _, action in done)


def test_what_is_on_the_air_is_never_expired(entropy: Entropy) -> None:
    one = Phone(entropy)
    expiry = None
    for time, action in one.until(NOW + 4_000):
        assert expiry is None or time <= expiry
        if isinstance(action, Advertise):
            expiry = action.advertisement.expiry if action.advertisement else None


def test_a_tempid_changes_in_a_silence_of_random_length(entropy: Entropy) -> None:
    """Nobody sees the moment itself: it would tell one phone from others for a whole day."""
    one = Phone(entropy)
    one.device = Device(one.exchange, one.log, start=NOW, chance=np.random.default_rng(1).random)
    one.exchange.renew(one.batch(NOW, 100))
    early, late, shown, hidden = [], [], None, NOW
    for time, action in one.until(NOW + 24 * 3_600):
        if not isinstance(action, Advertise):
            continue
        if action.advertisement is None:
            hidden = time
        else:
            if shown is not None and action.advertisement.value != shown.value:
                early.append(shown.expiry - hidden)
                late.append(time - shown.expiry)
                # While it is silent it connects to nobody, with whichever token.
                assert one.device._quiet_until == time
            shown = action.advertisement
    assert len(early) > 85
    for moments in (early, late):
        assert min(moments) >= 0
        assert max(moments) <= TIMINGS.advertise_gap_s + 2 * TIMINGS.change_s
        assert np.std(moments) > 2
    assert abs(np.corrcoef(early, late)[0, 1]) < 0.3
    assert np.mean(early) + np.mean(late) < 12  # of 900 s


def test_a_silent_phone_connects_to_nobody_and_ties_no_two_tempids(entropy: Entropy) -> None:
    one = Phone(entropy)
    (tempid, *_) = one.batch(NOW)
    list(one.until(tempid.expiry - 10.5))
    one.do(Heard(PEER, -61), tempid.expiry - 10.2)
    one.do(Connected(PEER), tempid.expiry - 10.1)
    hidden = [action for _, action in one.until(tempid.expiry - 5)]
    assert Advertise(None) in hidden
    value = encode_read(Said("T" * 84, "iPhone 8", "SG_OTC"))
    assert one.do(PayloadRead(PEER, value), tempid.expiry + 1) == (Disconnect(PEER),)
    assert len(one.log) == 1  # it was read, and nothing was written over the old address
    one.do(Disconnected(PEER), tempid.expiry + 2)
    assert one.do(Heard("other", -61), tempid.expiry + 3) == ()
    list(one.until(tempid.expiry + 10))
    assert one.do(Heard("other", -61), tempid.expiry + 11) == (Connect("other"),)


def test_the_pause_between_scans_is_drawn(entropy: Entropy) -> None:
    one = Phone(entropy)
    draws = iter([0.0, 0.999999])
    one.device = Device(one.exchange, one.log, start=NOW, chance=lambda: next(draws))
    scans = [time for time, action in one.until(NOW + 60) if isinstance(action, Scan)]
    assert [round(time - NOW, 3) for time in scans] == [0, 44.0]


def test_a_whole_exchange_as_central(phone: Phone) -> None:
    assert phone.do(Heard(PEER, -61, 1), NOW + 1) == (Connect(PEER),)
    assert phone.do(Connected(PEER), NOW + 2) == (ReadPayload(PEER),)
    value = encode_read(Said("T" * 84, "iPhone 8", "SG_OTC"))
    (write,) = phone.do(PayloadRead(PEER, value), NOW + 3)
    assert isinstance(write, WritePayload)
    assert json.loads(write.value)["rs"] == -61
    assert phone.do(WriteDone(PEER, ok=True), NOW + 4) == (Disconnect(PEER),)
    assert phone.do(Disconnected(PEER), NOW + 5) == ()
    (row,) = phone.log.rows()
    assert (row.time, row.peer, row.rssi_dbm, row.tx_power_dbm) == (NOW + 3, "T" * 84, -61, 1)
    assert (row.peer_model, row.observer_model, row.as_central) == ("iPhone 8", "Pixel 3a", True)


def test_after_an_exchange_a_peer_rests(phone: Phone) -> None:
    test_a_whole_exchange_as_central(phone)
    assert phone.do(Heard(PEER, -61), NOW + 50) == ()
    assert phone.do(Heard(PEER, -61), NOW + 103.9) == ()
    assert phone.do(Heard(PEER, -61), NOW + 104) == (Connect(PEER),)


def test_a_peer_that_wrote_to_us_is_logged_and_rests(phone: Phone) -> None:
    value = encode_write(Wrote("U" * 84, "iPhone 8", "SG_OTC", -70))
    assert phone.do(PayloadWritten(PEER, value), NOW + 1) == ()
    (row,) = phone.log.rows()
    assert (row.peer, row.rssi_dbm, row.as_central) == ("U" * 84, -70, False)
    assert phone.do(Heard(PEER, -61), NOW + 100) == ()
    assert phone.do(Heard(PEER, -61), NOW + 101) == (Connect(PEER),)


def test_a_failed_read_still_writes(phone: Phone) -> None:
    phone.do(Heard(PEER, -61), NOW)
    phone.do(Connected(PEER), NOW + 1)
    (write,) = phone.do(PayloadRead(PEER, None), NOW + 2)
    assert isinstance(write, WritePayload)
    assert phone.do(WriteDone(PEER, ok=False), NOW + 3) == (Disconnect(PEER),)
    assert len(phone.log) == 0


def test_one_connection_at_a_time_newest_first(phone: Phone) -> None:
    assert phone.do(Heard("a", -61), NOW) == (Connect("a"),)
    assert phone.do(Heard("a", -60), NOW + 0.5) == ()
    assert phone.do(Heard("b", -61), NOW + 1) == ()
    assert phone.do(Heard("c", -61), NOW + 2) == ()
    assert phone.do(Heard("b", -61), NOW + 3) == ()  # seen again: newest now
    assert phone.do(Disconnected("a"), NOW + 4) == (Connect("b"),)
    assert phone.do(Disconnected("b"), NOW + 5) == (Connect("c"),)
    assert phone.do(Disconnected("c"), NOW + 6) == ()


def test_who_waited_too_long_is_dropped(phone: Phone) -> None:
    phone.do(Heard("a", -61), NOW)
    phone.do(Heard("b", -61), NOW + 1)
    assert phone.do(Disconnected("a"), NOW + 8.1) == ()


def test_a_connection_that_hangs_is_given_up(phone: Phone) -> None:
    phone.do(Heard(PEER, -61), NOW + 1)
    assert phone.device.next_deadline == NOW + 7
    assert phone.do(DeadlinePassed(), NOW + 7) == (Disconnect(PEER),)
    assert phone.do(Connected(PEER), NOW + 8) == (Disconnect(PEER),)  # too late
    assert phone.do(Disconnected(PEER), NOW + 9) == ()
    assert phone.do(Heard(PEER, -61), NOW + 10) == (Connect(PEER),)


def test_even_a_hang_up_that_nobody_confirms_ends(phone: Phone) -> None:
    phone.do(Heard(PEER, -61), NOW + 1)
    phone.do(DeadlinePassed(), NOW + 7)
    assert phone.do(DeadlinePassed(), NOW + 13) == ()
    assert phone.do(Heard(PEER, -61), NOW + 14) == (Connect(PEER),)


def test_news_of_other_connections_is_ignored(phone: Phone) -> None:
    for news in (
        Disconnected("x"),
        WriteDone("x", ok=True),
        PayloadRead("x", b"{}"),
    ):
        assert phone.do(news, NOW) == ()
    assert len(phone.log) == 0


def test_a_connection_that_comes_too_late_is_ended(phone: Phone) -> None:
    assert phone.do(Connected("x"), NOW) == (Disconnect("x"),)


def test_what_cannot_have_happened_is_the_drivers_fault(phone: Phone) -> None:
    phone.do(Heard(PEER, -61), NOW)
    with pytest.raises(LocalProtocolError, match="WRITE_DONE"):
        phone.do(WriteDone(PEER, ok=True), NOW)


@pytest.mark.parametrize("rssi", [127.0, 0.0, float("nan"), -float("inf"), -127.0, 100.0])
def test_readings_that_are_none_are_counted(phone: Phone, rssi: float) -> None:
    assert phone.do(Heard(PEER, rssi), NOW) == ()
    assert phone.device.rejections == {Rejection.INVALID_RSSI: 1}


def test_what_is_not_believed_is_counted_not_logged(phone: Phone) -> None:
    phone.do(PayloadWritten(PEER, b"garbage"), NOW)
    phone.do(Heard("b", -60), NOW)
    phone.do(Connected("b"), NOW)
    phone.do(PayloadRead("b", b"\xff"), NOW)
    assert phone.device.rejections == {Rejection.MALFORMED: 2}
    assert len(phone.log) == 0


def test_a_phone_without_tokens_fetches_and_stays_silent(entropy: Entropy) -> None:
    one = Phone(entropy, with_batch=False)
    assert one.do(DeadlinePassed(), NOW) == (FetchBatch(), Scan(8.0))
    assert one.do(BatchReceived(None), NOW + 1) == ()
    asked = [time for time, action in one.until(NOW + 2_000) if isinstance(action, FetchBatch)]
    assert asked == [NOW + 540, NOW + 1_080, NOW + 1_620]
    (shown,) = one.do(BatchReceived(one.batch(NOW + 2_000)), NOW + 2_000)
    assert isinstance(shown, Advertise)


def test_without_a_token_it_reads_but_does_not_write(entropy: Entropy) -> None:
    one = Phone(entropy, with_batch=False)
    one.do(DeadlinePassed(), NOW)
    one.do(Heard(PEER, -61), NOW)
    one.do(Connected(PEER), NOW)
    value = encode_read(Said("T" * 84, "iPhone 8", "SG_OTC"))
    assert one.do(PayloadRead(PEER, value), NOW) == (Disconnect(PEER),)
    assert len(one.log) == 1


def test_without_a_token_a_peer_is_read_once_and_rests(entropy: Entropy) -> None:
    one = Phone(entropy, with_batch=False)
    value = encode_read(Said("T" * 84, "iPhone 8", "SG_OTC"))
    links = []
    for second in range(200):  # the peer is heard every second, a link takes no time
        now = NOW + second
        for action in one.do(Heard(PEER, -61), now):
            links.append(second)
            assert action == Connect(PEER)
            assert one.do(Connected(PEER), now) == (ReadPayload(PEER),)
            assert one.do(PayloadRead(PEER, value), now) == (Disconnect(PEER),)
            assert one.do(Disconnected(PEER), now) == ()
    assert links == [0, 100]
    assert len(one.log) == len(links)


def test_without_a_token_a_peer_that_could_not_be_read_is_tried_again(entropy: Entropy) -> None:
    one = Phone(entropy, with_batch=False)
    one.do(Heard(PEER, -61), NOW)
    one.do(Connected(PEER), NOW)
    assert one.do(PayloadRead(PEER, None), NOW) == (Disconnect(PEER),)
    assert one.do(Disconnected(PEER), NOW) == ()
    assert one.do(Heard(PEER, -61), NOW + 1) == (Connect(PEER),)


def test_a_batch_is_renewed_before_it_ends(entropy: Entropy) -> None:
    one = Phone(entropy)
    for time, action in one.until(NOW + 44_000):
        if isinstance(action, FetchBatch):
            assert NOW + 43_200 <= time <= NOW + 43_200 + TIMINGS.refresh_check_s
            one.do(BatchReceived(one.batch(time)), time)
            break
    else:
        pytest.fail("no batch was fetched")
    assert not any(isinstance(action, FetchBatch) for _, action in one.until(NOW + 80_000))


def test_tokens_that_ran_out_take_the_phone_off_the_air(entropy: Entropy) -> None:
    one = Phone(entropy)
    one.exchange.renew(one.batch(count=1))
    last = [action for _, action in one.until(NOW + 2_000) if isinstance(action, Advertise)][-1]
    assert last.advertisement is None


def test_the_log_is_purged_daily(entropy: Entropy) -> None:
    one = Phone(entropy)
    for day in range(22):
        one.log.add(time=NOW + (day - 21) * 86_400 + 10, peer=f"{day}", rssi_dbm=-60)
    list(one.until(NOW))
    assert len(one.log) == 22
    list(one.until(NOW + 86_400))
    assert len(one.log) == 21


def test_a_clock_set_back_a_year_stops_nothing(entropy: Entropy) -> None:
    one = Phone(entropy)
    list(one.until(NOW + 100))
    one.do(Heard(PEER, -61), NOW + 100)
    earlier = NOW - 365 * 86_400
    one.do(DeadlinePassed(), earlier)
    assert one.device.next_deadline < earlier + 60
    done = [action for _, action in one.until(earlier + 600)]
    assert sum(isinstance(action, Scan) for action in done) > 10
    assert any(isinstance(action, FetchBatch) for action in done)
    assert not any(isinstance(action, Advertise) and action.advertisement for action in done)


def test_a_clock_that_leaps_ahead_stops_nothing(phone: Phone) -> None:
    later = NOW + 30 * 86_400
    phone.do(DeadlinePassed(), later)
    done = [action for _, action in phone.until(later + 600)]
    assert sum(isinstance(action, Scan) for action in done) > 10


def test_a_thousand_made_up_peers_a_second_cost_bounded_memory(phone: Phone) -> None:
    for n in range(20_000):
        phone.do(Heard(f"fake-{n}", -60), NOW + n / 1_000)
        phone.do(PayloadWritten(f"other-{n}", b"junk"), NOW + n / 1_000)
    assert len(phone.device._queue) <= 4_096
    assert len(phone.device._rest_until) <= 4_096
    assert phone.device.rejections[Rejection.MALFORMED] == 20_000


def test_a_wrong_clock_does_not_hammer_the_authority(entropy: Entropy) -> None:
    """The batch that comes is for the authority's time, not for this phone's."""
    one, wrong = Phone(entropy, with_batch=False), NOW + 3 * 86_400
    now, asked = wrong, 0
    while now < wrong + 3_600:
        actions = one.do(DeadlinePassed(), now)
        while FetchBatch() in actions:
            asked += 1
            actions = one.do(BatchReceived(one.batch(NOW)), now)
        now = one.device.next_deadline
    assert 1 <= asked <= 2 * (3_600 / TIMINGS.refresh_check_s + 1)


class FullLog(MemoryContactLog):
    """A log whose disk is full until it is not."""

    full = True

    def append(self, rows) -> None:
        if self.full:
            raise StoreError("the disk is full")
        super().append(rows)

    def purge(self, now: float, *, confirmed: bool = False) -> int:
        if self.full:
            raise StoreError("the disk is full")
        return super().purge(now, confirmed=confirmed)


def test_a_full_disk_stops_no_exchange_and_loses_no_sighting(entropy: Entropy) -> None:
    one = Phone(entropy)
    one.log = FullLog()
    one.device = Device(one.exchange, one.log, start=NOW, chance=lambda: 0.5)
    assert len(one.do(DeadlinePassed(), NOW)) == 2
    one.do(Heard(PEER, -61), NOW + 1)
    one.do(Connected(PEER), NOW + 2)
    (write,) = one.do(PayloadRead(PEER, encode_read(Said("T" * 84, "m", "o"))), NOW + 3)
    assert isinstance(write, WritePayload)
    assert "disk is full" in str(one.device.store_error)
    one.log.full = False
    list(one.until(NOW + 60))
    assert one.device.store_error is None
    assert [row.peer for row in one.log.rows()] == ["T" * 84]


def test_a_talkative_peer_fills_no_log(phone: Phone) -> None:
    for n in range(5_000):
        value = encode_write(Wrote(f"{n:084d}", "m", "o", -60))
        phone.do(PayloadWritten(f"p{n}", value), NOW + n / 100)
    assert len(phone.log) <= 240
    assert phone.device.rejections[Rejection.IMPLAUSIBLE] >= 4_700


def test_what_a_peer_says_can_always_be_stored_and_uploaded(phone: Phone, tmp_path) -> None:
    with SqliteContactLog.open(tmp_path / "log.db", now=NOW) as log:
        phone.device = Device(phone.exchange, log, start=NOW, chance=lambda: 0.5)
        for said in (
            rb'{"id":"\ud800","rs":-50}',
            rb'{"id":"a","mc":"\udfff","rs":-50}',
            rb'{"id":"a","rs":-50,"v":1e30}',
            b'{"id":"' + b"a" * 300 + b'","rs":-50}',
        ):
            phone.do(PayloadWritten("x", said), NOW)
        phone.do(Heard("y", -60, float("nan")), NOW + 1)
        phone.do(Connected("y"), NOW + 1)
        phone.do(PayloadRead("y", b'{"id":"T"}'), NOW + 1)
        assert phone.device.store_error is None
        assert phone.device.rejections == {Rejection.MALFORMED: 4}
        assert len(parse_upload(write_upload(log.rows())).records) == 1


@pytest.mark.parametrize("leap_d", [22, 60, 179, 200, 7_300])
def test_a_clock_that_is_wrong_for_hours_costs_a_running_phone_nothing(
    phone: Phone, leap_d: int
) -> None:
    for day in range(20):
        phone.log.add(time=NOW - day * 86_400, peer="T", rssi_dbm=-60)
    phone.do(DeadlinePassed(), NOW)
    for hour in range(3):
        phone.do(DeadlinePassed(), NOW + leap_d * 86_400 + hour * 3600)
        assert len(phone.log) == 20
    phone.do(DeadlinePassed(), NOW + 600)
    assert len(phone.log) == 20


def test_two_devices_meet_and_both_have_a_record(entropy_of) -> None:
    """A link between two machines, by hand: what one writes, the other receives."""
    one, other = Phone(entropy_of(1)), Phone(entropy_of(2), model="iPhone 8")
    shown = [
        action.advertisement
        for phone in (one, other)
        for action in phone.do(DeadlinePassed(), NOW)
        if isinstance(action, Advertise)
    ]
    one.do(Heard("other", -58, 1), NOW + 1)
    one.do(Connected("other"), NOW + 2)
    (write,) = one.do(PayloadRead("other", shown[1].value), NOW + 2)
    other.do(PayloadWritten("one", write.value), NOW + 2)
    one.do(WriteDone("other", ok=True), NOW + 2)
    one.do(Disconnected("other"), NOW + 3)
    mine, theirs = one.log.rows()[0], other.log.rows()[0]
    assert one.issuer.open(theirs.peer, theirs.time).user_id == one.user
    assert other.issuer.open(mine.peer, mine.time).user_id == other.user
    assert mine.rssi_dbm == theirs.rssi_dbm == -58


def test_payloads_do_not_show_in_inputs_and_actions() -> None:
    for secret in (
        PayloadRead("p", b"SECRET"),
        PayloadWritten("p", b"SECRET"),
        WritePayload("p", b"SECRET"),
        BatchReceived("SECRET"),
    ):
        assert "SECRET" not in repr(secret)
