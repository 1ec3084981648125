"""The order of an exchange, and what a phone believes."""

import itertools
import json
import math

import pytest

from tracetogether.bluetrace.handshake import CENTRAL, SERVICE_UUID, BlueTraceExchange
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.errors import LocalProtocolError
from tracetogether.exchange import LinkEvent, LinkState, Step
from tracetogether.keyring import KeyRing
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import Entropy

NOW = 1_600_000_000


@pytest.fixture
def issuer(entropy: Entropy) -> TempIDIssuer:
    return TempIDIssuer(KeyRing.generate(NOW, entropy=entropy), entropy=entropy)


@pytest.fixture
def exchange(issuer: TempIDIssuer, entropy: Entropy) -> BlueTraceExchange:
    batch = issuer.issue(new_user_id(entropy), NOW - 60, 4)
    return BlueTraceExchange(model="Pixel 3a", organisation="SG_OTC", batch=batch, entropy=entropy)


def test_the_usual_way_is_connect_read_write_hang_up() -> None:
    state, steps = LinkState.CONNECTING, []
    for event in (
        LinkEvent.CONNECTED,
        LinkEvent.VALUE_READ,
        LinkEvent.WRITE_DONE,
        LinkEvent.DISCONNECTED,
    ):
        state, step = CENTRAL[state, event]
        steps.append(step)
    assert steps == [Step.READ, Step.WRITE, Step.HANG_UP, Step.FINISH]
    assert state is LinkState.CLOSED


def test_a_central_writes_even_if_the_read_failed() -> None:
    assert CENTRAL[LinkState.READING, LinkEvent.READ_FAILED] == (LinkState.WRITING, Step.WRITE)


def test_every_open_state_can_time_out_and_be_cut() -> None:
    open_states = set(LinkState) - {LinkState.CLOSED}
    for state in open_states:
        assert (state, LinkEvent.TIMED_OUT) in CENTRAL
        assert CENTRAL[state, LinkEvent.DISCONNECTED] == (LinkState.CLOSED, Step.FINISH)


def test_no_sequence_of_time_outs_leaves_a_connection_open() -> None:
    for state in set(LinkState) - {LinkState.CLOSED}:
        once, _ = CENTRAL[state, LinkEvent.TIMED_OUT]
        if once is not LinkState.CLOSED:
            once, _ = CENTRAL[once, LinkEvent.TIMED_OUT]
        assert once is LinkState.CLOSED


def test_nothing_leads_out_of_closed_and_finish_leads_into_it() -> None:
    assert all(state is not LinkState.CLOSED for state, _ in CENTRAL)
    for state, step in CENTRAL.values():
        assert (step is Step.FINISH) == (state is LinkState.CLOSED)


def test_the_advertisement_carries_the_valid_tempid(exchange: BlueTraceExchange) -> None:
    shown = exchange.advertisement(NOW)
    assert shown is not None
    said = json.loads(shown.value)
    assert (said["mp"], said["o"], said["v"]) == ("Pixel 3a", "SG_OTC", 2)
    assert len(said["id"]) == 84
    assert shown.service == SERVICE_UUID
    assert shown.expiry == NOW + 840
    assert len(shown.manufacturer_data) == 3
    assert int(shown.manufacturer_data, 16) >= 0
    later = exchange.advertisement(NOW + 840)
    assert later is not None
    assert json.loads(later.value)["id"] != said["id"]
    assert said["id"] not in repr(shown)


def test_no_token_means_nothing_to_say(exchange: BlueTraceExchange) -> None:
    empty = BlueTraceExchange(model="m", organisation="o")
    for silent, now in ((empty, NOW), (exchange, NOW + 3_540), (exchange, NOW - 61)):
        assert silent.advertisement(now) is None
        assert silent.message(now, -60) is None
        assert silent.renewal_due(now)


def test_two_phones_record_each_other(
    exchange: BlueTraceExchange, issuer: TempIDIssuer, entropy: Entropy
) -> None:
    other = BlueTraceExchange(
        model="iPhone 8", organisation="SG_OTC", batch=issuer.issue(new_user_id(entropy), NOW, 1)
    )
    shown = other.advertisement(NOW)
    assert shown is not None
    read = exchange.read(shown.value, now=NOW + 1.5, rssi_dbm=-61, tx_power_dbm=1)
    assert read == Sighting(
        NOW + 1.5,
        json.loads(shown.value)["id"],
        -61,
        1,
        "iPhone 8",
        "Pixel 3a",
        "SG_OTC",
        2,
        as_central=True,
    )
    message = exchange.message(NOW + 2, -61)
    assert message is not None
    written = other.written(message, now=NOW + 2)
    assert isinstance(written, Sighting)
    assert (written.rssi_dbm, written.tx_power_dbm, written.peer_model) == (-61, None, "Pixel 3a")
    assert written.as_central is False


def test_what_is_not_believed(exchange: BlueTraceExchange) -> None:
    def heard(value: bytes) -> object:
        return exchange.read(value, now=NOW, rssi_dbm=-60, tx_power_dbm=None)

    own = exchange.advertisement(NOW)
    assert own is not None
    assert heard(own.value) is Rejection.SELF_TEMPID
    assert heard(b"garbage") is Rejection.MALFORMED
    assert heard(b'{"id":"","mp":"m","o":"o","v":2}') is Rejection.NO_MSG
    assert exchange.written(b"garbage", now=NOW) is Rejection.MALFORMED
    for none in ("Missing TempID", "not_found", "<unknown>"):
        assert heard(json.dumps({"id": none, "mp": "m", "o": "o"}).encode()) is Rejection.NO_MSG
    for rssi in (127, 0, -127, -128, 20, 100):
        said = json.dumps({"id": "T", "mc": "m", "o": "o", "rs": rssi, "v": 2}).encode()
        assert exchange.written(said, now=NOW) is Rejection.INVALID_RSSI


@pytest.mark.parametrize("power", [127.0, -127.0, -59.0, float("nan")])
def test_a_transmit_power_that_is_none_is_not_written_down(
    exchange: BlueTraceExchange, power: float
) -> None:
    said = json.dumps({"id": "T", "mp": "m", "o": "o", "v": 2}).encode()
    read = exchange.read(said, now=NOW, rssi_dbm=-60, tx_power_dbm=power)
    assert isinstance(read, Sighting)
    assert read.tx_power_dbm is None
    if not math.isnan(power):  # which no JSON can say
        sighting = {"msg": "T", "modelC": "m", "org": "o", "rssi": -60, "txPower": power, "v": 1}
        written = exchange.written(json.dumps(sighting).encode(), now=NOW)
        assert isinstance(written, Sighting)
        assert (written.rssi_dbm, written.tx_power_dbm) == (-60, None)


def test_own_tokens_of_a_day_are_known_whenever_a_batch_was_fetched(
    exchange: BlueTraceExchange, issuer: TempIDIssuer, entropy: Entropy
) -> None:
    user = new_user_id(entropy)
    batches = [issuer.issue(user, NOW + 43_200 * half_day, 100) for half_day in range(6)]
    for batch in batches:
        exchange.renew(batch)
    now = NOW + 43_200 * 5

    def heard(token: str) -> object:
        said = json.dumps({"id": token, "mp": "m", "o": "o", "v": 2}).encode()
        return exchange.read(said, now=now, rssi_dbm=-60, tx_power_dbm=None)

    for batch in batches:
        for tempid in batch:
            if now - 86_400 < tempid.expiry:
                assert heard(tempid.text) is Rejection.SELF_TEMPID
    assert isinstance(heard(batches[0].tempids[0].text), Sighting)  # it is not kept for ever


def test_own_tokens_of_the_last_batch_are_still_known(
    exchange: BlueTraceExchange, issuer: TempIDIssuer, entropy: Entropy
) -> None:
    old = exchange.advertisement(NOW)
    assert old is not None
    exchange.renew(issuer.issue(new_user_id(entropy), NOW, 2))
    assert exchange.read(old.value, now=NOW, rssi_dbm=-60, tx_power_dbm=None) is (
        Rejection.SELF_TEMPID
    )
    with pytest.raises(LocalProtocolError, match="TempIDBatch"):
        exchange.renew("no batch")


def test_every_pair_of_the_table_is_spelled_with_known_words() -> None:
    known = set(itertools.product(LinkState, LinkEvent))
    assert set(CENTRAL) <= known
