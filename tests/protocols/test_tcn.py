"""TCN: ratchet, signed reports and matching, against the known answers."""

import pytest

from tests.conftest import counted_entropy
from tests.protocols.known_answers import answers, raw
from tests.protocols.test_gaen import log_of
from tests.protocols.test_gaen_export import flips
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import RemoteProtocolError
from tracetogether.tcn import air, keys
from tracetogether.tcn.near import near
from tracetogether.tcn.report import read_report, write_report
from tracetogether.tcn.tracing import AuthorisationKey, TcnTracing

(KNOWN,) = answers("tcn")["vectors"]
RAK = raw(KNOWN["rak"])
REPORT = KNOWN["report"]
SIGNED = raw(REPORT["signed"])


def test_the_ratchet() -> None:
    rvk = keys.verification_key(RAK)
    assert rvk.hex() == KNOWN["rvk"]
    states = keys.states(RAK, 10)
    assert [state.hex() for state in states[1:]] == KNOWN["tck"]
    numbers = [keys.number_of(index, states[index]).hex() for index in range(1, 10)]
    assert numbers == KNOWN["tcn"]
    assert [row.tobytes().hex() for row in keys.numbers(rvk, states[0], 1, 9)] == KNOWN["tcn"]


def test_a_report_is_the_published_one_and_discloses_its_numbers() -> None:
    written = write_report(
        RAK, REPORT["j1"], REPORT["j2"], memo_kind=REPORT["memo_type"], memo=raw(REPORT["memo"])
    )
    assert written == SIGNED
    report = read_report(SIGNED)
    assert (report.first, report.last, report.memo) == (2, 10, b"symptom data")
    assert [row.tobytes().hex() for row in report.numbers()] == REPORT["tcns"]
    assert KNOWN["tcn"][0] not in REPORT["tcns"]


def test_every_flipped_bit_of_a_report_is_a_named_error() -> None:
    for changed in flips(SIGNED):
        with pytest.raises(InvalidReportError):
            read_report(changed)


@pytest.mark.parametrize("size", [0, 133, len(SIGNED) - 1, len(SIGNED) + 1])
def test_other_lengths_are_named_errors(size: int) -> None:
    with pytest.raises(InvalidReportError):
        read_report((SIGNED + b"\0")[:size])


def test_sizes_of_reports() -> None:
    assert len(write_report(RAK, 1, 1)) == 134
    assert len(write_report(RAK, 1, 65_535, memo=bytes(255))) == 389
    for first, last in ((0, 1), (2, 1), (1, 65_536)):
        with pytest.raises(ValueError, match="numbers from 1"):
            write_report(RAK, first, last)
    with pytest.raises(ValueError, match="memo"):
        write_report(RAK, 1, 1, memo=bytes(256))


def test_a_disclosed_number_counts_whenever_it_was_heard() -> None:
    heard = log_of(
        [*REPORT["tcns"][:2], *REPORT["tcns"][:1], KNOWN["tcn"][0]], [0.0, 9e8, 2e9, 5.0]
    )
    found = near(heard, [read_report(SIGNED)])
    assert found.time.tolist() == [0.0, 9e8, 2e9]
    assert set(found.peer.to_list()) == {KNOWN["rvk"]}


def test_advertisements() -> None:
    number = bytes(range(16))
    sent = air.write_advertisement(number)
    assert air.read_advertisement(sent) == number
    assert sent.hex().startswith("02011a030319c0131619c0")
    with pytest.raises(RemoteProtocolError, match="not 3"):
        air.read_advertisement(bytes.fromhex("061619c0010203"))


def test_from_report_to_sightings() -> None:
    entropy = counted_entropy(6)
    tracing = TcnTracing()
    own = [
        AuthorisationKey(keys.new_authorisation_key(entropy), 21_600.0 * n, 24) for n in range(4)
    ]
    number = keys.numbers(keys.verification_key(own[2].rak), keys.first_state(own[2].rak), 1, 24)[9]
    heard = log_of([number.tobytes().hex(), "11" * 16], [50_000.0, 50_000.0])
    reports = tracing.report(own, heard, 21_600.0, 86_400.0)
    assert len(reports) == 3  # of the keys 1, 2 and 3; the first key ended as the time began
    published = tracing.publish([reports], 90_000.0)
    assert tracing.near(heard, published, 90_000.0).time.tolist() == [50_000.0]
    assert len(tracing.near(heard, [], 90_000.0)) == 0
