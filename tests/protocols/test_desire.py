"""DESIRE: tokens of an encounter, slices of an EBID, reports and questions."""

from itertools import combinations

import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import answers, raw
from tests.protocols.test_gaen import log_of
from tests.protocols.test_gaen_export import flips
from tracetogether.desire import air, keys, report
from tracetogether.desire.tracing import DesireTracing
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import RemoteProtocolError

(KNOWN,) = answers("desire")["vectors"]
ALICE, BOB = KNOWN["alice"], KNOWN["bob"]


@pytest.mark.parametrize(("own", "other"), [(ALICE, BOB), (BOB, ALICE)], ids=["alice", "bob"])
def test_tokens_of_both_sides(own: dict, other: dict) -> None:
    assert keys.ebid_of(raw(own["sk"])).hex() == own["ebid"]
    exposure, request = keys.encounter_tokens(raw(own["sk"]), raw(other["ebid"]))
    assert (exposure.hex(), request.hex()) == (own["exposure"], own["request"])


def test_what_one_reports_is_what_the_other_asks_with() -> None:
    assert (ALICE["exposure"], BOB["exposure"]) == (BOB["request"], ALICE["request"])


@pytest.mark.parametrize("ebid", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)])
def test_an_ebid_that_is_no_key_is_a_named_error(ebid: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no public key"):
        keys.encounter_tokens(raw(ALICE["sk"]), ebid)


def test_many_ebids_are_the_single_ones_and_a_bad_one_is_left_out() -> None:
    secret = raw(ALICE["sk"])
    found = keys.encounter_tokens_many(secret, [raw(BOB["ebid"]), bytes(32), b"short"])
    assert found == [keys.encounter_tokens(secret, raw(BOB["ebid"])), None, None]


def test_any_two_slices_give_the_ebid() -> None:
    ebid = raw(ALICE["ebid"])
    slices = air.slices_of(ebid)
    for chosen in combinations(slices, 2):
        assert air.ebid_from({part.number: part.data for part in chosen}) == ebid
    for part in slices:
        assert air.ebid_from({part.number: part.data}) is None
        written = air.write_advertisement(part)
        assert len(written) == 28
        assert air.read_advertisement(written) == part
    assert air.ebid_from({}) is None
    assert [air.slice_at(time) for time in (0, 19.9, 20, 40, 60)] == [0, 0, 1, 2, 0]
    with pytest.raises(RemoteProtocolError, match="number 0, 1 or 2"):
        air.read_advertisement(bytes.fromhex("1416feff03") + bytes(16))


def pair(own: bytes, other: bytes) -> str:
    return b"".join(keys.encounter_tokens(own, keys.ebid_of(other))).hex()


def test_from_report_to_sightings() -> None:
    entropy = counted_entropy(9)
    case, near, replayed = (keys.new_secret(entropy) for _ in range(3))
    case_log = log_of([pair(case, near), "odd"], [100.0, 100.0])
    # The third phone heard the case's EBID, played back where the case was not: only a phone that
    # the case heard too shares a token that the case reports.
    crowd = log_of(
        [pair(near, case), pair(near, replayed), pair(replayed, case)], [101.0] * 3,
        ["near", "near", "replayed"],
    )  # fmt: skip
    tracing = DesireTracing()
    reports = [tracing.report(None, case_log, 0.0, 1_000.0)]
    assert [len(tokens) for tokens in reports] == [1]
    published = tracing.publish(reports, 2_000.0)
    found = tracing.near(crowd, published, 2_000.0)
    assert found.observer.to_list() == ["near"]
    assert len(tracing.near(crowd, tracing.publish([], 0.0), 2_000.0)) == 0
    assert len(tracing.report(None, case_log, 101.0, 1_000.0)) == 0
    asked = report.request_tokens(crowd, 0, 1_000)
    assert len(asked) == 3
    assert published[0].tobytes() in {row.tobytes() for row in asked}


def test_lists_come_back_and_every_flipped_bit_is_a_named_error() -> None:
    entropy = counted_entropy(10)
    log = log_of([(entropy(32) + entropy(32)).hex() for _ in range(3)], [1.0, 2.0, 3.0])
    data = report.write_tokens(report.EXPOSURES, report.exposure_tokens(log, 0, 9))
    assert len(data) == 4 + 3 * 32 + 32
    assert len(report.read_tokens(report.EXPOSURES, data)) == 3
    with pytest.raises(InvalidReportError, match="another kind"):
        report.read_tokens(report.REQUESTS, data)
    for changed in flips(data):
        with pytest.raises(InvalidReportError):
            report.read_tokens(report.EXPOSURES, changed)
    tokens = report.exposure_tokens(log, 0, 9)
    with pytest.raises(InvalidReportError, match="out of order"):
        report.read_tokens(b"DSEX", report.write_tokens(b"DSEX", tokens[::-1]))
