"""What protocols cost: each formula gives the bytes, and the counts, of the code itself."""

import json
import os
from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from simulations.scores.cost import (
    PROTOCOLS,
    Cost,
    Use,
    batch_bytes,
    cost_of,
    export_bytes,
    filter_bytes,
    hellos_bytes,
    hybrid_bytes,
    keys_bytes,
    low_cost_bytes,
    tokens_bytes,
    upload_bytes,
    work_of,
)
from simulations.scores.work_speeds import SPEEDS, Work, measure_speeds
from tests.conftest import counted_entropy
from tracetogether.bluetrace.handshake import PROFILE as BLUETRACE
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.bluetrace.upload import write_upload
from tracetogether.cli import cli
from tracetogether.crypto import SigningKey
from tracetogether.desire.air import slices_of
from tracetogether.desire.air import write_advertisement as desire_advertisement
from tracetogether.desire.exchange import DesireExchange
from tracetogether.desire.report import EXPOSURES, REQUESTS, distinct, write_tokens
from tracetogether.dp3t.air import write_advertisement as dp3t_advertisement
from tracetogether.dp3t.near import hybrid_matches, low_cost_matches
from tracetogether.dp3t.report import (
    NumberedSecrets,
    PublishedSecrets,
    filter_of,
    write_hybrid,
    write_low_cost,
    write_unlinkable,
)
from tracetogether.exchange import Heard
from tracetogether.gaen.air import ExposureAdvertisement
from tracetogether.gaen.air import write_advertisement as gaen_advertisement
from tracetogether.gaen.export import (
    ExportHeader,
    ExportSigner,
    key_message,
    write_export,
    write_export_bin,
)
from tracetogether.gaen.near import matches
from tracetogether.gaen.report import DiagnosisKeys, padded_keys
from tracetogether.keyring import KeyRing
from tracetogether.node.advertising import encode_advertisement
from tracetogether.protobuf import bytes_field
from tracetogether.robert.air import HelloAdvertisement
from tracetogether.robert.air import write_advertisement as robert_advertisement
from tracetogether.robert.keys import ServerKeys
from tracetogether.robert.report import HelloRecords, write_records
from tracetogether.robert.status import RequestKind, write_request
from tracetogether.robert.tuples import HelloTuples, seal_tuples
from tracetogether.sightings import Sighting, Sightings
from tracetogether.tcn.air import write_advertisement as tcn_advertisement
from tracetogether.tcn.report import read_report, write_report

NOW = 1_600_041_600.0
DAY = int(NOW) // 86_400
SIGNER = SigningKey.generate()
NOTHING = Sightings.from_rows([])


def secrets(count: int, width: int, number: int) -> NumberedSecrets:
    return NumberedSecrets.of([os.urandom(width) for _ in range(count)], [number] * count, width)


def diagnosis_keys(count: int) -> DiagnosisKeys:
    starts = [DAY * 144 - 144 * (number % 10) for number in range(count)]
    return DiagnosisKeys.of(
        [os.urandom(16) for _ in starts],
        starts,
        transmission_risk=5,
        report_type=1,
        days_since_onset=3,
    )


def export(keys: DiagnosisKeys) -> bytes:
    header = ExportHeader(int(NOW), int(NOW) + 86_400, "DE", signers=(ExportSigner("v1", "262"),))
    return write_export(header, keys, SIGNER)


@pytest.mark.parametrize("count", [1, 7, 100])
def test_a_batch_of_tempids_and_a_log_of_bluetrace(count: int) -> None:
    issuer = TempIDIssuer(KeyRing.generate(NOW - 86_400))
    batch = issuer.issue(new_user_id(os.urandom), NOW, count)
    assert len(msgspec.json.encode(batch.to_json())) == batch_bytes(count)
    text = batch.tempids[0].text
    for rows in (1, 9, 10, 100, 1_234):
        log = [
            Sighting(
                time=NOW,
                peer=text,
                rssi_dbm=-60.0,
                observer_model="Pixel 3a",
                peer_model="Pixel 3a",
                organisation="SG_MOH",
            )
        ] * rows
        assert len(write_upload(log)) == upload_bytes(rows, 22)


@pytest.mark.parametrize("count", [1, 10, 333])
def test_files_of_dp3t(count: int) -> None:
    low = write_low_cost(PublishedSecrets(secrets(count, 32, DAY), NOW), SIGNER)
    assert len(low) == low_cost_bytes(count)
    hybrid = write_hybrid(PublishedSecrets(secrets(count, 16, DAY * 6), NOW, 14_400), SIGNER)
    assert len(hybrid) == hybrid_bytes(count)
    cuckoo = write_unlinkable(filter_of([secrets(count, 32, DAY * 96)], NOW), SIGNER)
    assert len(cuckoo) == filter_bytes(count)


def test_files_of_gaen_before_and_after_they_are_compressed() -> None:
    header = ExportHeader(int(NOW), int(NOW) + 86_400, "DE", signers=(ExportSigner("v1", "262"),))
    empty = len(write_export_bin(header, diagnosis_keys(0)))
    for count in (1, 20, 500):
        keys = diagnosis_keys(count)
        assert len(write_export_bin(header, keys)) == empty + keys_bytes(count)
        said = bytes_field(7, key_message(keys.key[0].tobytes(), int(keys.start[0]), 144, 5, 1, 3))
        assert len(said) * count == keys_bytes(count)
    for count in (2_000, 10_000):
        assert len(export(diagnosis_keys(count))) == pytest.approx(export_bytes(count), rel=0.02)
    assert len(export(diagnosis_keys(0))) == pytest.approx(export_bytes(0), abs=3)  # DER: r and s


@pytest.mark.parametrize("count", [0, 1, 500])
def test_lists_of_robert_and_desire(count: int) -> None:
    hello = HelloRecords(
        np.zeros((count, 16), np.uint8),
        np.full(count, NOW),
        np.full(count, -60.0),
        np.zeros(count, np.int64),
    )
    assert len(write_records(hello)) == hellos_bytes(count)
    tokens = distinct(np.frombuffer(os.urandom(32 * count), np.uint8).reshape(-1, 32))
    for kind in (EXPOSURES, REQUESTS):
        assert len(write_tokens(kind, tokens)) == tokens_bytes(count)


def test_whole_days_of_each_protocol() -> None:
    use = Use(users=1, cases_day=6, days=5, contacts_epoch=0.25, readings=2, files_day=2, padding=3)
    cost = {name: cost_of(name, use) for name in PROTOCOLS}
    records = 5 * 96 * 0.25 * 2
    assert cost["bluetrace"].up_bytes_case == upload_bytes(int(records), 22)
    assert cost["bluetrace"].down_bytes_day == 2 * batch_bytes(100)
    assert cost["robert"].up_bytes_case == hellos_bytes(records)
    request = write_request(bytes(32), RequestKind.STATUS, bytes(8), 1, 3)
    assert cost["robert"].up_bytes_day == len(request)
    sealed = seal_tuples(ServerKeys.new(DAY, 5), 1, bytes(32), NOW)
    assert cost["robert"].down_bytes_day == 1 + len(sealed)
    real = diagnosis_keys(6 * 5 // 2)
    assert cost["gaen"].down_bytes_day == 2 * export_bytes(len(padded_keys(real, 3 * len(real))))
    assert cost["gaen"].up_bytes_case == keys_bytes(5)
    low = write_low_cost(PublishedSecrets(secrets(3, 32, DAY), NOW), SIGNER)
    assert cost["dp3t-low-cost"].down_bytes_day == 2 * len(low)
    hybrid = write_hybrid(PublishedSecrets(secrets(3 * 30, 16, 1), NOW, 14_400), SIGNER)
    assert cost["dp3t-hybrid"].down_bytes_day == 2 * len(hybrid)
    cuckoo = write_unlinkable(filter_of([secrets(96 * 5, 32, 1) for _ in range(3)], NOW), SIGNER)
    assert cost["dp3t-unlinkable"].down_bytes_day == 2 * len(cuckoo)
    report = write_report(bytes(32), 1, 24)
    assert cost["tcn"].down_bytes_day == len(report) * 6 * 4 * 5
    assert cost["tcn"].up_bytes_case == len(report) * 4 * 5
    assert cost["desire"].up_bytes_case == tokens_bytes(5 * 24)
    assert cost["desire"].up_bytes_day == tokens_bytes(14 * 24)
    assert cost["desire"].down_bytes_day == 1


def test_advertisements() -> None:
    sent = {
        "bluetrace": encode_advertisement(BLUETRACE.service, BLUETRACE.company_id, b"abc", -5),
        "gaen": gaen_advertisement(ExposureAdvertisement(bytes(16), bytes(4))),
        "robert": robert_advertisement(HelloAdvertisement(bytes(16), -15)),
        "tcn": tcn_advertisement(bytes(16)),
        "desire": desire_advertisement(slices_of(bytes(32))[2]),
    }
    sent |= {name: dp3t_advertisement(bytes(16)) for name in PROTOCOLS if "dp3t" in name}
    assert {name: len(data) for name, data in sent.items()} == {
        name: cost_of(name).air_bytes for name in PROTOCOLS
    }


def test_the_counted_work_is_what_the_code_counts() -> None:
    use = Use(users=3, cases_day=6, days=5, contacts_epoch=2, readings=1, padding=2)
    work = {name: work_of(name, use) for name in PROTOCOLS}
    keys = padded_keys(diagnosis_keys(30), 60)
    assert work["gaen"][0] == {Work.KEY_MATCHED: matches(NOTHING, keys).derived}
    assert work["gaen"][1][Work.KEY_WRITTEN] == len(keys)
    first = PublishedSecrets(secrets(6, 32, DAY - 4), NOW + 100)
    low = low_cost_matches(NOTHING, first)
    assert work["dp3t-low-cost"][0] == {Work.DAY_KEY_MATCHED: low.derived}
    seeds = PublishedSecrets(secrets(6 * 30, 16, DAY * 6), NOW, 14_400)
    assert work["dp3t-hybrid"][0] == {Work.EPHID_MATCHED: hybrid_matches(NOTHING, seeds).searched}
    cuckoo = filter_of([secrets(96 * 5, 32, 1) for _ in range(6)], NOW).cuckoo
    assert work["dp3t-unlinkable"][1][Work.FILTER_BUILT] == len(cuckoo)
    sealed = seal_tuples(ServerKeys.new(DAY, 5), 1, bytes(32), NOW)
    tuples = HelloTuples.opened(sealed, mac_key=bytes(32), tuples_key=bytes(32), start=0)
    assert work["robert"][1][Work.TUPLE_MADE] == 3 * len(tuples.by_epoch)
    report = read_report(write_report(bytes(32), 1, 24))
    reports = work["tcn"][0][Work.REPORT_VERIFIED]
    assert reports == 6 * 5 * 4
    assert work["tcn"][0][Work.NUMBER_DERIVED] == reports * len(report.numbers())


def test_a_phone_of_desire_computes_as_many_encounters_as_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tracetogether.desire import exchange as room

    computed: list[bytes] = []
    real = room.encounter_tokens_many

    def counted(secret: bytes, others: list[bytes]) -> object:
        computed.extend(others)
        return real(secret, others)

    monkeypatch.setattr(room, "encounter_tokens_many", counted)
    phones = [DesireExchange(entropy=counted_entropy(number)) for number in range(3)]
    for epoch in range(4):  # of a day's 96
        for second in range(0, 900, 110):
            now = NOW + 900 * epoch + second
            for number, other in enumerate(phones[1:]):
                shown = other.advertisement(now)
                heard = Heard(f"{epoch} {number}", -60.0, service_data=shown.service_data)
                phones[0].overheard(heard, now=now)
    encounters = work_of("desire", Use(contacts_epoch=2))[0][Work.ENCOUNTER]
    assert len(computed) == encounters / 96 * 4


def test_every_input_moves_its_numbers() -> None:
    base = Use(users=1_000, cases_day=10.0, days=5)
    before = {name: cost_of(name, base) for name in PROTOCOLS}

    def moved(**changes: float) -> dict[str, set[str]]:
        after = {name: cost_of(name, replace(base, **changes)) for name in PROTOCOLS}
        return {
            name: {
                field.name
                for field in fields(Cost)
                if getattr(after[name], field.name) > getattr(before[name], field.name)
            }
            for name in PROTOCOLS
        }

    public = {"gaen", "dp3t-low-cost", "dp3t-hybrid", "dp3t-unlinkable", "tcn"}
    cases = moved(cases_day=20.0)
    assert {name for name in PROTOCOLS if "down_bytes_day" in cases[name]} == public
    padded = moved(padding=5.0)
    assert padded["gaen"] == {"down_bytes_day", "server_cpu_s_day", "phone_cpu_s_day"}
    assert not any(padded[name] for name in PROTOCOLS if name != "gaen")
    users = moved(users=2_000)
    assert {name for name in PROTOCOLS if "server_cpu_s_day" in users[name]} == {
        "bluetrace",
        "robert",
        "desire",
    }
    contacts = moved(contacts_epoch=9.0)
    assert {name for name in PROTOCOLS if "up_bytes_case" in contacts[name]} == {
        "bluetrace",
        "robert",
        "desire",
    }
    assert "battery_mah_day" in contacts["bluetrace"]
    files = moved(files_day=12)
    assert all("down_bytes_day" in files[name] for name in public - {"tcn"})
    assert all("up_bytes_case" in moved(days=10)[name] for name in PROTOCOLS if "low" not in name)


def test_published_sizes_come_out() -> None:
    """Return the white paper's figures: 6,294 cases a day in Germany, five days each."""
    german = Use(cases_day=6_294, days=5)
    down = {name: cost_of(name, german).down_bytes_day / 1e6 for name in PROTOCOLS}
    assert down["dp3t-low-cost"] == pytest.approx(0.227, abs=0.001)  # 36 bytes; .19 MB had 32
    assert down["dp3t-hybrid"] == pytest.approx(3.78, abs=0.01)
    assert down["dp3t-unlinkable"] == pytest.approx(18.3, abs=0.1)  # 17.29 with smaller items
    asked = cost_of("desire", Use(contacts_epoch=20.0)).up_bytes_day
    assert asked == pytest.approx(0.86e6, rel=0.01)


def test_speeds_cover_all_kinds_of_work_and_costs_follow_them() -> None:
    measured = measure_speeds(pieces=40, repeats=1)
    assert set(measured) == set(SPEEDS) == set(Work)
    assert all(value > 0 for value in SPEEDS.values())
    for name in PROTOCOLS:
        once = cost_of(name)
        twice = cost_of(name, speeds={kind: 2 * value for kind, value in SPEEDS.items()})
        assert twice.server_cpu_s_day == pytest.approx(2 * once.server_cpu_s_day)
        assert twice.phone_cpu_s_day == pytest.approx(2 * once.phone_cpu_s_day)
        assert json.loads(json.dumps(once.to_json()))["battery_mah_day"] > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"days": 15}, "covers 1 to 14 days, not 15"),
        ({"padding": 0.5}, "at least 1"),
        ({"contacts_epoch": -1.0}, "negative"),
        ({"window_h": 5}, "does not divide a day"),
    ],
)
def test_use_that_makes_no_sense_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Use(**wrong)
    with pytest.raises(ValueError, match="no protocol 'pepp-pt': there are bluetrace, gaen"):
        cost_of("pepp-pt")


def test_the_command_prints_the_formulas_and_refuses_what_makes_no_sense() -> None:
    words = ["simulate", "costs", "--cases-day", "6294", "--days", "5", "--padding", "5.4"]
    done = CliRunner().invoke(cli, [*words, "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    use = Use(cases_day=6_294, days=5, padding=5.4)
    assert said["use"]["padding"] == 5.4
    assert said["protocols"] == [
        {"protocol": name, **cost_of(name, use).to_json()} for name in PROTOCOLS
    ]
    shown = CliRunner().invoke(cli, words).stdout
    assert "A day of 1,000,000 users and 6,294 cases" in shown
    assert all(name in shown for name in PROTOCOLS)
    wrong = CliRunner().invoke(cli, ["simulate", "costs", "--window-h", "5"])
    assert wrong.exit_code == 2
    assert "does not divide a day" in wrong.stderr
