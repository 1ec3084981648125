"""Every protocol that only broadcasts, as one phone speaks it: tokens, clocks, reports, radio."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import tracetogether
from tests.conftest import counted_entropy
from tests.leaping_loop import leap
from tests.radio_world import BRISK, Room, World, clock, until
from tracetogether.contactlog import MemoryContactLog
from tracetogether.desire.air import PROFILE as DESIRE
from tracetogether.desire.air import SLICE_S
from tracetogether.desire.exchange import DesireExchange
from tracetogether.desire.report import exposure_tokens, request_tokens
from tracetogether.desire.tracing import DesireTracing
from tracetogether.device import Advertise, Connect, DeadlinePassed, Device, FetchBatch
from tracetogether.diagnosis import AfterDiagnosis
from tracetogether.dp3t.air import PROFILE as DP3T
from tracetogether.dp3t.exchange import HybridExchange, LowCostExchange, UnlinkableExchange
from tracetogether.dp3t.tracing import HybridTracing, LowCostTracing, UnlinkableTracing
from tracetogether.exchange import Exchange, Heard, RadioProfile
from tracetogether.gaen.air import PROFILE as GAEN
from tracetogether.gaen.exchange import GaenExchange
from tracetogether.gaen.tracing import GaenTracing
from tracetogether.node.advertising import encode_advertisement, parse_advertisement
from tracetogether.parameters import TIMINGS
from tracetogether.rejection import Rejection
from tracetogether.robert.air import PROFILE as ROBERT
from tracetogether.robert.exchange import RobertExchange
from tracetogether.robert.keys import Registrations, ServerKeys
from tracetogether.robert.tracing import RobertTracing
from tracetogether.robert.tuples import HelloTuples, seal_tuples
from tracetogether.sightings import Sighting, Sightings
from tracetogether.tcn.air import PROFILE as TCN
from tracetogether.tcn.exchange import TcnExchange
from tracetogether.tcn.tracing import TcnTracing
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

NOW = 1_600_041_600.0  # 0:00 UTC
TODAY = int(NOW) // SECONDS_PER_DAY
PEER = "aa:bb"
SERVER = ServerKeys.new(TODAY - 8, 20, counted_entropy(1))
PHONES = Registrations.new(4, counted_entropy(2))
TUPLES_KEY = bytes(range(32))
DAYS_96 = 96 * 20


def robert(phone: int = 0) -> RobertExchange:
    first = NOW - 8 * SECONDS_PER_DAY
    sealed = seal_tuples(SERVER, int(PHONES.id[phone]), TUPLES_KEY, first, count=DAYS_96)
    batch = HelloTuples.opened(
        sealed, mac_key=PHONES.mac_keys[phone], tuples_key=TUPLES_KEY, start=SERVER.start
    )
    return RobertExchange(model="Pixel 3a", batch=batch)


@dataclass(frozen=True)
class Spoken:
    """How one protocol is spoken and what follows a diagnosis."""

    profile: RadioProfile
    phone: Callable[[], Exchange]
    tracing: AfterDiagnosis
    lives_s: int  # a token
    listener_reports: bool = False  # who heard, not who was heard
    token_bytes: int = 16  # of the service data: the rest may change within a token


SPOKEN = {
    "gaen": Spoken(GAEN, GaenExchange, GaenTracing(), 600),
    "dp3t-low-cost": Spoken(DP3T, LowCostExchange, LowCostTracing(), 900),
    "dp3t-hybrid": Spoken(DP3T, HybridExchange, HybridTracing(), 900),
    "dp3t-unlinkable": Spoken(DP3T, UnlinkableExchange, UnlinkableTracing(), 900),
    "tcn": Spoken(TCN, TcnExchange, TcnTracing(), 900),
    "robert": Spoken(ROBERT, robert, RobertTracing(SERVER, PHONES), 900, listener_reports=True),
}
ALL = {**SPOKEN, "desire": Spoken(DESIRE, DesireExchange, DesireTracing(), 900)}


@pytest.fixture(params=ALL)
def spoken(request: pytest.FixtureRequest) -> Spoken:
    return ALL[request.param]


def said_by(phone: Exchange, now: float, rssi_dbm: float = -60.0, peer: str = PEER) -> Heard:
    shown = phone.advertisement(now)
    assert shown is not None
    return Heard(peer, rssi_dbm, service_data=shown.service_data)


def device_of(exchange: Exchange) -> tuple[Device, MemoryContactLog]:
    log = MemoryContactLog()
    return Device(exchange, log, start=NOW, timings=TIMINGS, chance=lambda: 0.5), log


def found(spoken: Spoken, owner: Exchange, log: Sightings, later: float) -> Sightings:
    """Return which readings of ``owner`` count after one report; not for DESIRE."""
    tracing = spoken.tracing
    report = tracing.report(owner.own_keys(), log, NOW - 9 * SECONDS_PER_DAY, later)  # type: ignore[attr-defined]
    return tracing.near(log, tracing.publish([report], later), later)


def test_no_protocol_is_named_in_what_serves_them_all() -> None:
    room = Path(tracetogether.__file__).parent
    rooms = [room / f"{name}.py" for name in ("device", "exchange", "contactlog", "diagnosis")]
    rooms += sorted((room / "node").glob("*.py"))
    assert len(rooms) > 9
    words = re.compile(r"(?i)bluetrace|gaen|dp-?3t|robert|\btcn|desire|exposure notif")
    named = {path.name: words.findall(path.read_text("utf-8")) for path in rooms}
    assert {name: hits for name, hits in named.items() if hits} == {}


def test_what_is_shown_fits_31_bytes_and_names_its_end(spoken: Spoken) -> None:
    phone = spoken.phone()
    shown = phone.advertisement(NOW + 5)
    assert shown is not None
    profile = spoken.profile
    data = encode_advertisement(profile.service, profile.company_id, b"", None, shown.service_data)
    assert len(data) <= 31
    read = parse_advertisement(data, profile.service, profile.company_id)
    assert read is not None
    assert read.service_data == shown.service_data
    assert profile.values == ()
    assert shown.value is None
    assert shown.ends == NOW + spoken.lives_s == NOW + phone.token_life_s
    assert NOW + 5 < shown.expiry <= shown.ends
    assert phone.conversation is None
    assert phone.has_token(NOW)
    other = phone.advertisement(NOW + spoken.lives_s)
    assert other is not None
    assert other.token != shown.token
    again = phone.advertisement(NOW + 5)
    if spoken.profile is not DESIRE:  # its secrets don't outlive their epoch
        assert again == shown


def test_a_device_records_and_connects_to_nobody(spoken: Spoken) -> None:
    device, log = device_of(spoken.phone())
    ben = spoken.phone() if spoken.profile is not ROBERT else robert(1)
    heard = []
    for second in (0, SLICE_S, 241, 500):
        heard += device.receive(said_by(ben, NOW + second), now=NOW + second)
    assert not [action for action in heard if isinstance(action, Connect)]
    device.write_waiting()
    rows = list(log.rows())
    wanted = [NOW + SLICE_S] if spoken.profile is DESIRE else [NOW]
    # A peer rests between two records; DESIRE's first slice alone is none.
    assert [row.time for row in rows][: len(wanted)] == wanted
    assert len(rows) == 3
    assert {row.rssi_dbm for row in rows} == {-60.0}


def test_what_is_not_believed_is_counted(spoken: Spoken) -> None:
    own = spoken.phone()
    ben = spoken.phone() if spoken.profile is not ROBERT else robert(1)
    whole = said_by(ben, NOW).service_data
    assert own.overheard(said_by(own, NOW), now=NOW) is Rejection.SELF_TEMPID
    for size in range(16):
        cut = Heard("cc", -60.0, service_data=whole[:size])
        assert own.overheard(cut, now=NOW) is Rejection.MALFORMED
    for level in (0.0, 3.0, -127.0, float("nan")):
        said = own.overheard(replace(said_by(ben, NOW), rssi_dbm=level), now=NOW)
        assert said in {Rejection.INVALID_RSSI, None}  # None: DESIRE's first slice
    for wrong in (said_by(ben, NOW), said_by(ben, NOW + SLICE_S)):
        last = own.overheard(wrong, now=NOW + SLICE_S)
    assert isinstance(last, Sighting)


def test_a_report_finds_those_who_heard_and_nobody_else() -> None:
    for name, spoken in SPOKEN.items():
        ann, ben = spoken.phone(), (robert(1) if name == "robert" else spoken.phone())
        carl = robert(2) if name == "robert" else spoken.phone()
        rows = []
        for minute in range(0, 180, 7):
            now = NOW + 60 * minute
            rows.append(ann.overheard(said_by(ben, now), now=now))
            rows.append(ann.overheard(said_by(carl, now), now=now))
        assert all(isinstance(row, Sighting) for row in rows)
        log = Sightings.from_rows([row for row in rows if isinstance(row, Sighting)])
        later = NOW + 2 * SECONDS_PER_DAY
        near = found(spoken, ben, log, later)
        if spoken.listener_reports:
            assert len(near) == len(log), name
            assert set(near.peer.names) == {f"{int(PHONES.id[row]):010x}" for row in (1, 2)}
        else:
            assert sorted(near.time.tolist()) == sorted(log.time[::2].tolist()), name


def test_two_phones_of_desire_share_tokens_that_a_listener_does_not_have() -> None:
    phones = {name: DesireExchange() for name in ("ann", "ben", "eve")}
    logs: dict[str, list[Sighting]] = {name: [] for name in phones}
    for second in range(0, 3_600, 50):
        now = NOW + second
        for name, phone in phones.items():
            for other in {"ann", "ben"} - {name}:  # eve only listens
                address = f"{other} {second // 900}"
                said = phone.overheard(said_by(phones[other], now, peer=address), now=now)
                if isinstance(said, Sighting):
                    logs[name].append(said)
    whole = {name: Sightings.from_rows(rows) for name, rows in logs.items()}
    assert 40 < len(whole["ann"]) < 3_600 // 50  # one slice of each epoch is no sighting
    tracing = DesireTracing()
    reported = tracing.publish([tracing.report(None, whole["ben"], 0, NOW + 9_999)], NOW + 9_999)
    assert len(reported) == 4
    assert np.array_equal(reported, request_tokens(whole["ann"], 0, NOW + 9_999))
    assert len(tracing.near(whole["ann"], reported, NOW + 9_999)) == len(whole["ann"])
    assert not len(tracing.near(whole["eve"], reported, NOW + 9_999))
    assert not len(tracing.near(whole["ben"], exposure_tokens(whole["eve"], 0, NOW + 9_999), NOW))


def test_slices_of_another_ebid_are_not_joined() -> None:
    ann, ben, carl = (DesireExchange() for _ in range(3))
    assert ann.overheard(said_by(ben, NOW), now=NOW) is None
    # Another phone took the address over: its slices begin again.
    assert ann.overheard(said_by(carl, NOW), now=NOW) is None
    later = NOW + SLICE_S
    joined = ann.overheard(said_by(carl, later), now=later)
    assert isinstance(joined, Sighting)
    # The third slice of somebody else does not fit the two.
    third = NOW + 2 * SLICE_S
    assert ann.overheard(said_by(ben, third), now=third) is None
    assert isinstance(ann.overheard(said_by(ben, third + SLICE_S), now=third + SLICE_S), Sighting)
    # In its next epoch ann has another secret, and carl's EBID may still be on the air.
    again = ann.overheard(said_by(carl, later), now=NOW + 900)
    assert again is None or (isinstance(again, Sighting) and again.peer != joined.peer)


def test_made_up_slices_cost_a_bounded_number_of_addresses() -> None:
    ann = DesireExchange()
    for number in range(5_000):
        ann.overheard(Heard(f"a{number}", -60.0, service_data=bytes(17)), now=NOW)
    assert len(ann._heard) == 4_096
    # Two slices of zeros are a point of small order: no key.
    ann.overheard(Heard("zz", -60.0, service_data=bytes(17)), now=NOW)
    low = Heard("zz", -60.0, service_data=b"\x01" + bytes(16))
    assert ann.overheard(low, now=NOW) is Rejection.MALFORMED


def test_the_phone_of_robert_shows_nothing_without_a_tuple_and_asks_in_time() -> None:
    phone = RobertExchange()
    device, _ = device_of(phone)
    assert FetchBatch() in device.receive(DeadlinePassed(), now=NOW)
    assert phone.advertisement(NOW) is None
    assert phone.renewal_due(NOW)
    assert phone.ahead_s(None, NOW) == (0.0, 0.0)
    sealed = seal_tuples(SERVER, int(PHONES.id[0]), TUPLES_KEY, NOW)
    batch = HelloTuples.opened(
        sealed,
        mac_key=PHONES.mac_keys[0],
        tuples_key=TUPLES_KEY,
        start=SERVER.start,
        issued_at=NOW - 3,
    )
    phone.renew(batch)
    assert phone.ahead_s(batch, NOW) == (3.0, 3.0)
    assert phone.has_token(NOW)
    assert not phone.has_token(NOW - 1)
    assert not phone.renewal_due(NOW + 2 * SECONDS_PER_DAY - 1)
    assert phone.renewal_due(NOW + 2 * SECONDS_PER_DAY)
    assert not phone.has_token(NOW + 4 * SECONDS_PER_DAY)
    with pytest.raises(TypeError, match="tuples of ROBERT are wanted, not int"):
        phone.renew(3)


def test_a_hello_is_fresh_for_three_minutes_and_its_power_is_kept() -> None:
    ann, ben = robert(), robert(1)
    said = said_by(ben, NOW + 500)
    for delay, believed in ((-181, False), (-180, True), (180, True), (181, False)):
        answer = ann.overheard(said, now=NOW + 500 + delay)
        assert isinstance(answer, Sighting) is believed
        if believed:
            assert (answer.tx_power_dbm, answer.version) == (-15.0, 2)
        else:
            assert answer is Rejection.EXPIRED_ID
    loud = replace(said, service_data=said.service_data[:-1] + b"\x7f")  # 127: not known
    answer = ann.overheard(loud, now=NOW + 500)
    assert isinstance(answer, Sighting)
    assert answer.tx_power_dbm is None


@pytest.mark.parametrize("window_s", [0, 899, 1_000, 8 * 900 * 7])
def test_windows_are_whole_epochs_of_a_day(window_s: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {window_s} s"):
        HybridExchange(window_s=window_s)
    HybridExchange(window_s=2 * SECONDS_PER_HOUR)


@pytest.mark.parametrize("name", ["dp3t-low-cost", "dp3t-hybrid", "dp3t-unlinkable", "tcn"])
def test_what_is_shown_after_a_report_does_not_follow_from_it(name: str) -> None:
    spoken = SPOKEN[name]
    ben, ann = spoken.phone(), spoken.phone()
    before = ann.overheard(said_by(ben, NOW), now=NOW)
    report = spoken.tracing.report(ben.own_keys(), Sightings.from_rows([]), 0, NOW + 100)
    ben.begin_anew()
    after = [
        ann.overheard(said_by(ben, now), now=now)
        for now in (NOW + 100, NOW + 1_000, NOW + 2 * SECONDS_PER_DAY)
    ]
    log = Sightings.from_rows([row for row in (before, *after) if isinstance(row, Sighting)])
    later = NOW + 3 * SECONDS_PER_DAY
    assert len(log) == 4
    assert spoken.tracing.near(
        log, spoken.tracing.publish([report], later), later
    ).time.tolist() == [NOW]


@pytest.mark.parametrize("name", ["gaen", "dp3t-low-cost", "dp3t-hybrid", "dp3t-unlinkable", "tcn"])
def test_own_secrets_are_deleted_after_14_days(name: str) -> None:
    phone = SPOKEN[name].phone()
    tokens = [said_by(phone, NOW + 3_600 * hour).service_data[:16] for hour in range(0, 40 * 24, 3)]
    last = NOW + 3_600 * (40 * 24 - 3)
    known = set(phone._own)  # type: ignore[attr-defined]
    kept = [number for number, token in enumerate(tokens) if token in known]
    oldest = (last - (NOW + 3 * 3_600 * kept[0])) / SECONDS_PER_DAY
    assert 13.5 < oldest <= 15
    text = str(phone.own_keys())
    assert not any(token.hex() in text for token in tokens[-50:])


def test_a_chain_before_the_clock_was_set_back_serves_again() -> None:
    phone = LowCostExchange()
    day = SECONDS_PER_DAY
    phone.advertisement(NOW + 5 * day)  # it began with a clock five days ahead
    first = phone.own_keys()
    phone.advertisement(NOW)
    assert phone.own_keys().number.tolist() == [TODAY]  # the other one is not in use yet
    for turn in range(1, 5):
        phone.advertisement(NOW + turn * day)
    phone.advertisement(NOW + 5 * day)
    assert phone.own_keys().number.tolist() == [TODAY, TODAY + 5]
    assert phone.own_keys().secret[1].tobytes() == first.secret[0].tobytes()
    phone.advertisement(NOW + 30 * day)
    assert phone.own_keys().number.tolist() == [TODAY + 16]  # one chain, 14 days long
    assert LowCostExchange().own_keys().number.tolist() == []
    empty = LowCostTracing().report(LowCostExchange().own_keys(), Sightings.from_rows([]), 0, NOW)
    assert len(empty) == 0


def test_a_device_is_silent_between_tokens_and_not_between_their_parts() -> None:
    device, _ = device_of(DesireExchange())
    shown: list[tuple[float, bool]] = []
    now = NOW
    while now < NOW + 2_000:
        actions = device.receive(DeadlinePassed(), now=now)
        radio = [action for action in actions if isinstance(action, Advertise)]
        shown += [(now, action.advertisement is not None) for action in radio]
        now = device.next_deadline
    silent = [(begin, end - begin) for (begin, on), (end, _) in pairwise(shown) if not on]
    changes = [(begin, length) for begin, length in silent if length == 10.0]
    pauses = [length for _, length in silent if length != 10.0]
    assert [begin for begin, _ in changes] == [NOW + 895, NOW + 1_795]  # half of 10 s either way
    assert set(pauses) == {TIMINGS.advertise_gap_s}
    assert len(shown) > 2_000 / SLICE_S


class Clocks(RuleBasedStateMachine):
    """A phone whose clock leaps back and forth for days: what it showed can still be found."""

    @initialize(name=st.sampled_from(sorted(SPOKEN)))
    def begin(self, name: str) -> None:
        self.name = name
        self.spoken = SPOKEN[name]
        self.phone = self.spoken.phone()
        self.ann = robert(1) if name == "robert" else self.spoken.phone()
        self.now = NOW
        self.rows: list[Sighting] = []
        self.slots: dict[bytes, int] = {}  # token -> when it was shown, in lives of a token

    @rule(seconds=st.integers(1, 4_000))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(days=st.floats(-2.5, 2.5))
    def leap(self, days: float) -> None:
        self.now = min(max(NOW - 3 * 86_400, self.now + 86_400 * days), NOW + 3 * 86_400)

    @rule()
    def show(self) -> None:
        shown = self.phone.advertisement(self.now)
        assert shown is not None
        assert self.now < shown.expiry <= shown.ends
        heard = Heard(PEER, -60.0, service_data=shown.service_data)
        row = self.ann.overheard(heard, now=self.now)
        assert isinstance(row, Sighting)
        assert self.phone.overheard(heard, now=self.now) is Rejection.SELF_TEMPID
        self.rows.append(row)
        token = shown.token[1][:16]
        slot = int(self.now // self.spoken.lives_s)
        assert self.slots.setdefault(token, slot) == slot  # no token serves two times

    def teardown(self) -> None:
        if not getattr(self, "rows", None):
            return
        later = NOW + 4 * 86_400
        self.phone.advertisement(later)
        log = Sightings.from_rows(self.rows)
        near = found(self.spoken, self.phone, log, later + 86_400)
        assert sorted(near.time.tolist()) == sorted(log.time.tolist())


TestClocks = Clocks.TestCase
TestClocks.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


@pytest.mark.parametrize("name", ["robert", "desire", "dp3t-low-cost"])
def test_two_nodes_hear_each_other_without_a_connection(name: str) -> None:
    spoken, rows = ALL[name], {"ann": 0, "ben": 1}

    async def meet() -> None:
        here = World(Room({"ann": 0.0, "ben": 1.0}))
        brisk = replace(BRISK, blacklist_s=0.5)
        phones = {who: RobertExchange() if name == "robert" else spoken.phone() for who in rows}
        server = replace(ServerKeys.new(int(clock()) // SECONDS_PER_DAY, 2), start=int(clock()))

        def fetch(row: int) -> Callable[[], Awaitable[object]]:
            async def tuples() -> HelloTuples:
                sealed = seal_tuples(server, int(PHONES.id[row]), TUPLES_KEY, clock(), count=9)
                key = PHONES.mac_keys[row]
                start = server.start
                return HelloTuples.opened(
                    sealed, mac_key=key, tuples_key=TUPLES_KEY, start=start, issued_at=clock()
                )

            return tuples

        try:
            for who, row in rows.items():
                here.start(
                    who,
                    exchange=phones[who],
                    profile=spoken.profile,
                    timings=brisk,
                    fetch=fetch(row),
                )
            logs = [phone.log for phone in here.phones.values()]
            await until(lambda: all(len(log.rows()) >= 3 for log in logs), within_s=90.0)
        finally:
            await here.stop()
        ann, ben = (here.phones[who].log.sightings() for who in ("ann", "ben"))
        later = max(ann.time.max(), ben.time.max()) + 1
        if name == "desire":
            reported = exposure_tokens(ben, 0, later)
            assert len(DesireTracing().near(ann, reported, later))
        elif name == "robert":
            tracing = RobertTracing(server, PHONES)
            near = tracing.near(
                ben, tracing.publish([tracing.report(None, ben, 0, later)], later), 0
            )
            assert len(near) == len(ben)
            assert near.peer.names == (f"{int(PHONES.id[0]):010x}",)
            assert set(ben.tx_power_dbm.tolist()) == {-15.0}
        else:
            report = spoken.tracing.report(phones["ben"].own_keys(), ben, 0, later)
            published = spoken.tracing.publish([report], later)
            assert len(spoken.tracing.near(ann, published, later)) == len(ann)
        for phone in here.phones.values():
            assert phone.node.counts["connections"] == 0
        assert here.air.open_links == 0

    leap(meet())
