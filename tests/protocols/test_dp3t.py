"""DP-3T: keys, reports, files and matching of its three designs, against the known answers."""

from datetime import datetime

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import answers, raw
from tests.protocols.test_gaen import log_of
from tests.protocols.test_gaen_export import flips
from tracetogether.crypto import SigningKey
from tracetogether.diagnosis import InvalidReportError
from tracetogether.dp3t import keys, near, report
from tracetogether.dp3t.air import read_advertisement, write_advertisement
from tracetogether.dp3t.report import NumberedSecrets, PublishedSecrets
from tracetogether.dp3t.tracing import HybridTracing, LowCostTracing, UnlinkableTracing
from tracetogether.errors import RemoteProtocolError

KNOWN = answers("dp3t")
DAY = 18_400
DAY_S = 86_400
SIGNER = SigningKey.from_secret(bytes(range(1, 33)))


def texts(table: np.ndarray) -> list[str]:
    return [row.tobytes().hex() for row in table]


@pytest.mark.parametrize("known", KNOWN["low_cost"], ids=lambda known: known["sk"][:8])
def test_a_day_of_the_low_cost_design(known: dict) -> None:
    key = raw(known["sk"])
    (ephids,) = keys.day_ephids([key])
    assert texts(ephids) == known["ephids"]
    assert keys.next_day_key(key).hex() == known["next_sk"]
    assert keys.day_keys(key, 2)[1].hex() == known["next_sk"]


def test_many_days_at_once_are_the_single_ones() -> None:
    secrets = [raw(known["sk"]) for known in KNOWN["low_cost"]]
    parts = list(keys.day_ephids(secrets, chunk=2))
    assert [len(part) for part in parts] == [192, 96]
    expected = [text for known in KNOWN["low_cost"] for text in known["ephids"]]
    assert texts(np.concatenate(parts)) == expected


@pytest.mark.parametrize("known", KNOWN["unlinkable"], ids=lambda known: known["hashed"][:8])
def test_an_epoch_of_the_unlinkable_design(known: dict) -> None:
    ephid = keys.epoch_ephid(raw(known["seed"]))
    assert ephid.hex() == known["ephid"]
    assert keys.observation(ephid, known["epoch"]).hex() == known["hashed"]
    many = keys.seed_observations([raw(known["seed"])], np.array([known["epoch"]]))
    assert texts(many) == [known["hashed"]]


@pytest.mark.parametrize("known", KNOWN["epochs"], ids=lambda known: known["utc"])
def test_numbers_of_epochs(known: dict) -> None:
    assert keys.epoch_of(datetime.fromisoformat(known["utc"]).timestamp()) == known["epoch"]


@pytest.mark.parametrize("known", KNOWN["hybrid"], ids=lambda known: str(known["window_s"]))
def test_a_window_of_the_hybrid_design(known: dict) -> None:
    (ephids,) = keys.window_ephids([raw(known["seed"])], known["window_s"])
    assert texts(ephids) == known["ephids"]


def test_the_sending_order_is_a_permutation() -> None:
    order = keys.sending_order(96, counted_entropy(1))
    assert sorted(order.tolist()) == list(range(96)) != order.tolist()


def test_advertisements() -> None:
    ephid = bytes(range(16))
    assert read_advertisement(write_advertisement(ephid)) == ephid
    assert len(write_advertisement(ephid)) == 27
    with pytest.raises(RemoteProtocolError, match="has 16 bytes, not 15"):
        read_advertisement(bytes.fromhex("121668fd") + bytes(15))
    with pytest.raises(ValueError, match="16 bytes"):
        write_advertisement(bytes(17))


def test_low_cost_counts_within_the_day_and_before_publication() -> None:
    key = bytes(32)
    (ephids,) = keys.day_ephids([key])
    begin = DAY * DAY_S
    times = [begin - 1, begin, begin + DAY_S - 1, begin + DAY_S]
    log = log_of([ephids[40].tobytes().hex()] * 4, times)
    person = NumberedSecrets.of([key], [DAY], 32)
    late = PublishedSecrets(person, begin + 2 * DAY_S)
    assert near.low_cost_matches(log, late).row.tolist() == [1, 2]
    assert near.low_cost_span(DAY, begin + 2 * DAY_S) == (begin, begin + DAY_S)
    early = PublishedSecrets(person, begin + DAY_S - 1)
    assert near.low_cost_matches(log, early).row.tolist() == [1]
    assert near.low_cost_span(DAY, begin + DAY_S - 1) == (begin, begin + DAY_S - 1)


def test_low_cost_follows_the_chain_and_derives_each_day_once_for_a_crowd() -> None:
    first = counted_entropy(2)(32)
    later = keys.day_keys(first, 5)[4]
    (ephids,) = keys.day_ephids([later])
    time = (DAY + 4) * DAY_S + 60.0
    crowd = [f"phone {number}" for number in range(50)]
    log = log_of([ephids[7].tobytes().hex()] * 50, [time] * 50, crowd)
    published = PublishedSecrets(NumberedSecrets.of([first], [DAY], 32), (DAY + 6) * DAY_S)
    found = near.low_cost_matches(log, published)
    assert (found.derived, found.searched) == (7, 7 * 96)
    assert found.row.tolist() == list(range(50))
    named = near.low_cost_near(log, published)
    assert set(named.peer.to_list()) == {first.hex()}
    assert named.observer.to_list() == crowd


@pytest.mark.parametrize("window_s", [7_200, 14_400])
def test_hybrid_counts_within_the_window(window_s: int) -> None:
    seed, window = bytes(range(16)), DAY * DAY_S // window_s + 1
    (ephids,) = keys.window_ephids([seed], window_s)
    begin, end = near.hybrid_span(window, window_s)
    assert end - begin == window_s
    log = log_of([ephids[-1].tobytes().hex()] * 4, [begin - 1, begin, end - 1, end])
    published = PublishedSecrets(NumberedSecrets.of([seed], [window], 16), end, window_s)
    found = near.hybrid_matches(log, published)
    assert found.row.tolist() == [1, 2]
    assert (found.derived, found.searched) == (1, window_s // 900)
    assert set(near.hybrid_near(log, published).peer.to_list()) == {seed.hex()}


def test_unlinkable_counts_within_the_epoch() -> None:
    seed, epoch = bytes(range(32)), 2_000_000
    begin, end = near.unlinkable_span(epoch)
    log = log_of([keys.epoch_ephid(seed).hex()] * 4, [begin - 1, begin, end - 1, end])
    published = report.filter_of([NumberedSecrets.of([seed], [epoch], 32)], end)
    found = near.unlinkable_near(log, published)
    assert found.time.tolist() == [begin, end - 1]
    assert set(found.peer.to_list()) == {keys.epoch_ephid(seed).hex()}


def test_reports_hold_what_they_should_and_no_day_before() -> None:
    chain = NumberedSecrets.of([bytes(32)], [DAY], 32)
    until = (DAY + 10) * DAY_S
    found = report.low_cost_report(chain, (DAY + 3) * DAY_S + 5, until)
    assert found.number.tolist() == [DAY + 3]
    assert found.secret[0].tobytes() == keys.day_keys(bytes(32), 4)[3]
    assert report.low_cost_report(chain, 0, until).number.tolist() == [DAY]
    seeds = NumberedSecrets.of([bytes([n]) * 16 for n in range(12)], list(range(12)), 16)
    windows = report.hybrid_report(seeds, 14_400 * 2 + 1, 14_400 * 5)
    assert windows.number.tolist() == [2, 3, 4]
    epochs = NumberedSecrets.of([bytes([n]) * 32 for n in range(9)], list(range(9)), 32)
    assert report.unlinkable_report(epochs, 900, 2_700).number.tolist() == [1, 2]


def test_published_files_come_back_and_every_flipped_bit_is_a_named_error() -> None:
    entropy = counted_entropy(3)
    day = PublishedSecrets(NumberedSecrets.of([entropy(32) for _ in range(2)], [5, 6], 32), 1e9)
    window = PublishedSecrets(
        NumberedSecrets.of([entropy(16) for _ in range(3)], [7, 8, 9], 16), 1e9, 7_200
    )
    epochs = NumberedSecrets.of([entropy(32) for _ in range(5)], [1, 2, 3, 4, 5], 32)
    cuckoo = report.filter_of([epochs], 1e9)
    low_cost = report.write_low_cost(day, SIGNER)
    hybrid = report.write_hybrid(window, SIGNER)
    unlinkable = report.write_unlinkable(cuckoo, SIGNER)
    assert len(low_cost) == 4 + 8 + 2 * 36 + 64
    assert len(hybrid) == 4 + 4 + 8 + 3 * 20 + 64
    for data, read, expected in (
        (low_cost, report.read_low_cost, day),
        (hybrid, report.read_hybrid, window),
    ):
        found = read(data, SIGNER.public)
        sorted_rows = expected.secrets.shuffled_by_secret()
        assert np.array_equal(found.secrets.secret, sorted_rows.secret)
        assert np.array_equal(found.secrets.number, sorted_rows.number)
        assert (found.published, found.window_s) == (expected.published, expected.window_s)
    found = report.read_unlinkable(unlinkable, SIGNER.public)
    assert np.array_equal(found.cuckoo.places, cuckoo.cuckoo.places)
    for data, read in (
        (low_cost, report.read_low_cost),
        (hybrid, report.read_hybrid),
        (unlinkable, report.read_unlinkable),
    ):
        for changed in flips(data):
            with pytest.raises(InvalidReportError):
                read(changed, SIGNER.public)


@pytest.mark.parametrize("design", ["low_cost", "hybrid", "unlinkable"])
def test_from_report_to_sightings(design: str) -> None:
    entropy = counted_entropy(4)
    begin = DAY * DAY_S
    if design == "low_cost":
        tracing, secrets = LowCostTracing(), NumberedSecrets.of([entropy(32)], [DAY], 32)
        (sent,) = keys.day_ephids(secrets.listed())
    elif design == "hybrid":
        tracing = HybridTracing()
        secrets = NumberedSecrets.of([entropy(16)], [begin // 14_400], 16)
        (sent,) = keys.window_ephids(secrets.listed())
    else:
        tracing = UnlinkableTracing()
        secrets = NumberedSecrets.of([entropy(32)], [begin // 900], 32)
        sent = np.frombuffer(keys.epoch_ephid(secrets.listed()[0]), np.uint8).reshape(1, 16)
    heard = log_of([sent[0].tobytes().hex(), "no hex", "ab" * 16], [begin + 5.0] * 3)
    until = begin + 1.5 * DAY_S
    published = tracing.publish([tracing.report(secrets, heard, begin, until)], until)
    found = tracing.near(heard, published, until)
    assert found.time.tolist() == [begin + 5.0]
    assert len(tracing.near(log_of([], []), published, until)) == 0
