"""Records of partners' TempIDs: split at intake, sealed by hour, judged abroad, then counted."""

import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.authority_world import DAY, NOON
from tests.partners_world import ANN, BEN, LATER, Border, authority_of, recognise
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.handover.sending import people_at_least
from tracetogether.authority.handover.taking import BATCHES_OF_PARTNER
from tracetogether.authority.partners.batches import RecordAnswers, read_message, write_batch
from tracetogether.authority.partners.record_keys import RecordKeys
from tracetogether.authority.partners.records import ForeignRecords
from tracetogether.crypto import SigningKey
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    RateLimitedError,
    TrustError,
    UnreadableMessageError,
)
from tracetogether.labels import Labels
from tracetogether.parameters import RECORDS_A_BATCH, REFUSED_RECORDS_AN_HOUR
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting

A_DAY = 86_400.0
TOMORROW = NOON + 13 * 3_600  # lists that were fetched at noon still hold


@pytest.fixture
def border() -> Border:
    return Border.open()


def three_kinds(border: Border) -> tuple[list[Sighting], str, str]:
    """Return a log with people of three organisations, and the users of the first two."""
    own, other = (place.issuance.register().user_id for place in (border.home, border.abroad))
    third = authority_of("NZ_MOH", b"third")
    start = NOON - 6 * 3_600
    rows = [
        *border.rows(border.home, own, start),
        *border.rows(border.abroad, other, start + 3_600),
        *border.rows(third, third.issuance.register().user_id, start + 7_200),
    ]
    return rows, own, other


def rejected(border: Border, case_id: str) -> dict[Rejection, int]:
    case = border.home.casework.case(case_id, by=CONSOLE)
    return dict(border.home.tracing.contacts(case, by=CONSOLE).rejected)


def test_one_upload_with_three_organisations(border: Border) -> None:
    rows, own, other = three_kinds(border)
    case_id = border.upload(rows)
    assert rejected(border, case_id) == {Rejection.FOREIGN: 120, Rejection.FOREIGN_UNKNOWN: 120}
    case = border.home.casework.case(case_id, by=CONSOLE)
    found = border.home.tracing.contacts(case, by=CONSOLE).contacts
    assert [contact.user_id for contact in found] == [own]
    (handed,) = border.home.record_sending.of_case(case, by=CONSOLE)
    assert (handed.organisation, handed.people, handed.records) == ("AU_DTA", 1, 120)
    assert handed.tempids in {3, 4}
    assert handed.state == "waits"

    (taken,) = border.send()
    assert (taken.records, taken.accepted) == (120, 120)
    assert border.home.record_sending.of_case(case, by=CONSOLE)[0].state == "sent"
    (there,) = border.abroad.casework.cases(by=CONSOLE)
    assert (there.origin, there.unconfirmed) == ("SG_MOH", False)
    (contact,) = border.abroad.tracing.contacts(there, by=CONSOLE).contacts
    assert contact.user_id == other
    assert contact.close_contact
    (kept,) = border.abroad.store.desk.contacts_of([there.case_id])
    assert kept.close_contact


def test_the_partner_judges_as_the_sender_would_have(border: Border) -> None:
    """Rounded times and a shuffled order change the minutes by less than a tenth."""
    start = NOON - 6 * 3_600
    users = [border.abroad.issuance.register().user_id for _ in range(4)]
    rows = [
        row
        for n, user in enumerate(users)
        for row in border.rows(border.abroad, user, start + 60 * n, 12 + 9 * n)
    ]
    border.upload(rows)
    border.send()
    (there,) = border.abroad.casework.cases(by=CONSOLE)
    by_partner = {
        contact.user_id: contact.minutes.median
        for contact in border.abroad.tracing.contacts(there, by=CONSOLE).contacts
    }
    case = border.abroad.casework.open_case(users[0], NOON, by=CONSOLE)
    body_rows = [row for row in rows if row.peer]
    whole = border.abroad
    other = whole.issuance.register().user_id
    case = whole.casework.open_case(other, NOON, by=CONSOLE)
    from tests.partners_world import world_of

    world_of(whole).take(case, body_rows, NOON)
    direct = {
        contact.user_id: contact.minutes.median
        for contact in whole.tracing.contacts(case, by=CONSOLE).contacts
    }
    assert by_partner.keys() == direct.keys() == set(users)
    for user, minutes in direct.items():
        assert by_partner[user] == pytest.approx(minutes, rel=0.1, abs=0.5)


def test_a_batch_names_no_uploader_no_case_and_no_order(border: Border) -> None:
    rows, *_ = three_kinds(border)
    case_id = border.upload(rows)
    border.home.record_sending.pack(LATER)
    (batch,) = border.home.record_sending.to_send("AU_DTA", LATER)
    case = border.home.casework.case(case_id, by=CONSOLE)
    keys = RecordKeys(border.abroad.custody.keys)
    message = read_message(batch.message, border.abroad.record_taking._keys_of("SG_MOH", LATER))
    assert not isinstance(message, RecordAnswers)
    opening = keys.of_kid(message.kid, LATER)
    assert opening is not None
    records = message.open(opening)
    plain = opening.open(message.sealed, b"tracetogether/v1/records/SG_MOH/AU_DTA/%d" % batch.hour)
    for secret in (case.case_id, case.user_id, "SG_MOH"):
        assert secret.encode() not in plain
    assert (records.time % 10 == 0).all()
    assert (np.diff(records.time) < 0).any()  # a log ascends


def test_the_same_batch_counts_once(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    border.home.record_sending.pack(LATER)
    (batch,) = border.home.record_sending.to_send("AU_DTA", LATER)
    take = border.abroad.record_taking.from_partner
    first = take("SG_MOH", batch.message, LATER)
    assert not first.already
    late = LATER + 20 * A_DAY
    border.abroad.partners.update("SG_MOH", border.home.passes.trust_list(late), late, by=ANN)
    for later in (LATER + 1, late):
        assert take("SG_MOH", batch.message, later).already
    (there,) = border.abroad.casework.cases(by=CONSOLE)
    assert len(border.abroad.store.upload_ids(there.case_id)) == 1


def test_a_second_signature_that_holds_makes_no_second_batch(border: Border) -> None:
    """Of an ECDSA signature (r, s) anybody computes (r, -s), which holds too."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    rows, *_ = three_kinds(border)
    border.upload(rows)
    border.home.record_sending.pack(LATER)
    (batch,) = border.home.record_sending.to_send("AU_DTA", LATER)
    s = int.from_bytes(batch.message[-32:])
    twin = batch.message[:-32] + (order - s).to_bytes(32)
    take = border.abroad.record_taking.from_partner
    assert not take("SG_MOH", batch.message, LATER).already
    assert take("SG_MOH", twin, LATER).already


def batch_of(
    border: Border,
    tokens: list[str],
    *,
    hour: int = int(NOON // 3_600),
    by: SigningKey | None = None,
    sender: str = "SG_MOH",
    receiver: str = "AU_DTA",
    at: float = NOON,
) -> bytes:
    """Return a batch that a partner makes of any TempIDs."""
    from tracetogether.bluetrace.token_text import raw_of_texts

    raw, _ = raw_of_texts(tokens)
    n = len(tokens)
    records = ForeignRecords(
        raw,
        np.full(n, at),
        np.full(n, -60.0),
        np.full(n, np.nan),
        Labels.constant("iPhone 8", n),
        Labels.constant("Pixel 3a", n),
    )
    to = RecordKeys(border.abroad.custody.keys).opening(DAY).public
    signing = RecordKeys(border.home.custody.keys).signing() if by is None else by
    return write_batch(records, sender=sender, receiver=receiver, hour=hour, to=to, by=signing)[1]


def invented(count: int) -> list[str]:
    from base64 import b64encode

    return [b64encode(os.urandom(61)).decode() for _ in range(count)]


def good(border: Border, count: int, at: float = NOON) -> list[str]:
    found = []
    for _ in range(count):
        user = border.abroad.issuance.register().user_id
        tempid = border.abroad.issuance.batch(user, at).at(at)
        assert tempid is not None
        found.append(tempid.text)
    return found


def test_invented_tempids_make_no_case_and_answers_are_counts_of_days_that_are_over(
    border: Border,
) -> None:
    take = border.abroad.record_taking.from_partner
    taken = take("SG_MOH", batch_of(border, invented(200)), LATER)
    assert (taken.records, taken.accepted) == (200, 0)
    assert border.abroad.casework.cases(by=CONSOLE) == []
    assert answered(border, LATER) == {}  # of today nothing is said
    said = answered(border, TOMORROW)
    assert set(said) == {(DAY, "failed_decryption")}
    assert said[DAY, "failed_decryption"] in {200, 205}


def answered(border: Border, now: float) -> dict[tuple[int, str], int]:
    message = border.abroad.record_taking.answers_for("SG_MOH", now)
    taken = border.home.record_taking.from_partner("AU_DTA", message, now)
    found = border.home.record_taking.all_answers(by=CONSOLE)
    assert taken.answers == len(found)
    return {(row.day, row.reason): row.count for row in found if not row.ours}


def test_answers_do_not_tell_of_one_tempid_who_withdrew(border: Border) -> None:
    tokens = good(border, 1)
    (user,) = border.abroad.store.all_users()
    border.abroad.issuance.withdraw(user, NOON)
    border.abroad.record_taking.from_partner("SG_MOH", batch_of(border, tokens), LATER)
    assert {reason for _, reason in answered(border, TOMORROW)} == {"accepted"}
    assert border.abroad.casework.cases(by=CONSOLE) == []


def test_one_record_more_changes_an_answer_with_a_chance_of_a_fifth() -> None:
    counts = Counter()
    border = Border()
    from tracetogether.authority.handover.rows import AnswerCount

    taking = border.abroad.record_taking
    for day in range(DAY - 20, DAY):
        for other in range(30):
            row = AnswerCount(f"P{other}", day, ours=True, reason="accepted", count=7)
            counts[taking._rounded(replace(row, count=8)) - taking._rounded(row)] += 1
            assert taking._rounded(row) in {5, 10}
    assert set(counts) == {0, 5}
    assert 80 <= counts[5] <= 160  # of 600; 120 are expected


def test_a_tempid_sent_many_times_is_counted_once(border: Border) -> None:
    (token,) = good(border, 1)
    times = batch_of(border, [token] * 500)
    taken = border.abroad.record_taking.from_partner("SG_MOH", times, LATER)
    assert taken.accepted == 500
    (row,) = border.abroad.record_taking.all_answers(by=CONSOLE)
    assert (row.reason, row.count) == ("accepted", 1)


def test_one_bad_record_does_not_fail_a_batch(border: Border) -> None:
    tokens = [*good(border, 3), *invented(2), *good(border, 1, NOON - 3 * A_DAY)]
    taken = border.abroad.record_taking.from_partner("SG_MOH", batch_of(border, tokens), LATER)
    assert (taken.records, taken.accepted) == (6, 3)
    counts = {row.reason: row.count for row in border.abroad.record_taking.all_answers(by=CONSOLE)}
    assert counts == {"accepted": 3, "failed_decryption": 3}


def test_a_flood_is_refused_and_recorded(border: Border) -> None:
    quota = replace(BATCHES_OF_PARTNER, at_most=3)
    assert BATCHES_OF_PARTNER.at_most * RECORDS_A_BATCH == 1_000_000
    take = replace(border.abroad.record_taking, quota=quota).from_partner
    for _ in range(3):
        take("SG_MOH", batch_of(border, []), LATER)
    with pytest.raises(RateLimitedError):
        take("SG_MOH", batch_of(border, []), LATER)
    entries = border.abroad.audit.entries(by=CONSOLE)
    assert [entry.act for entry in entries][-1] == "records.refused"
    assert not take("SG_MOH", batch_of(border, []), TOMORROW).already


def test_false_origins_are_refused(border: Border) -> None:
    third = authority_of("NZ_MOH", b"third")
    recognise(border.abroad, third)
    theirs = RecordKeys(third.custody.keys).signing()
    take = border.abroad.record_taking.from_partner
    forged = [
        ("NZ_MOH", batch_of(border, [], sender="SG_MOH", by=theirs)),  # names another
        ("SG_MOH", batch_of(border, [], sender="SG_MOH", by=theirs)),
        ("SG_MOH", batch_of(border, [], sender="NZ_MOH", by=theirs)),  # by the wrong door
        ("SG_MOH", batch_of(border, [], by=SigningKey.generate())),
        ("XX_YY", batch_of(border, [], sender="XX_YY")),
        ("SG_MOH", b"nothing"),
        ("SG_MOH", batch_of(border, [])[:-1]),
    ]
    for door, message in forged:
        with pytest.raises(TrustError, match="no partner signed"):
            take(door, message, LATER)
    assert border.abroad.record_taking.all_taken(by=CONSOLE) == []
    assert not take("NZ_MOH", batch_of(border, [], sender="NZ_MOH", by=theirs), LATER).already
    with pytest.raises(TrustError, match="another authority"):
        border.abroad.record_taking.from_file(forged[0][1], LATER, by=CONSOLE)


def test_a_batch_for_another_is_refused(border: Border) -> None:
    with pytest.raises(InvalidRequestError, match="is for NZ_MOH"):
        border.abroad.record_taking.from_partner(
            "SG_MOH", batch_of(border, [], receiver="NZ_MOH"), LATER
        )


@pytest.mark.parametrize("days", [-22, 2])
def test_a_batch_of_long_ago_or_of_tomorrow_is_refused(border: Border, days: int) -> None:
    hour = int(NOON // 3_600) + 24 * days
    with pytest.raises(InvalidRequestError, match="too long ago"):
        border.abroad.record_taking.from_partner("SG_MOH", batch_of(border, [], hour=hour), LATER)


def test_a_removed_partner_is_refused_at_once(border: Border) -> None:
    border.abroad.partners.remove("SG_MOH", LATER, by=ANN)
    with pytest.raises(TrustError):
        border.abroad.record_taking.from_partner("SG_MOH", batch_of(border, []), LATER)
    border.home.partners.remove("AU_DTA", LATER, by=ANN)
    rows, *_ = three_kinds(border)
    case_id = border.upload(rows)
    assert rejected(border, case_id) == {Rejection.FOREIGN_UNKNOWN: 240}
    assert border.home.record_sending.pack(LATER + 3_600) == 0


def test_records_wait_while_a_partners_list_is_over(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    late = NOON + 2 * A_DAY
    assert border.home.record_sending.pack(late) == 0
    border.home.partners.update("AU_DTA", border.abroad.passes.trust_list(late), late, by=ANN)
    assert border.home.record_sending.pack(late) == 1


def test_a_partner_recognised_for_passes_alone_sends_no_records() -> None:
    border = Border()
    key = border.home.passes.list_key(by=CONSOLE)
    border.abroad.partners.add(border.home.passes.trust_list(NOON), NOON, days=9, by=ANN)
    said = border.home.partners.own_fingerprint(key)
    border.abroad.partners.confirm("SG_MOH", said, NOON, by=BEN)
    with pytest.raises(TrustError):
        border.abroad.record_taking.from_partner("SG_MOH", batch_of(border, []), LATER)


def test_our_trust_list_passes_on_no_keys_for_records(border: Border) -> None:
    rows = list(border.home.partners.rows(NOON))
    assert rows == []  # recognised for records alone: a gate has no use for them
    assert {"AU_DTA"} == set(border.home.partners.for_records(NOON))


def test_a_second_log_adds_nothing_that_was_there(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    border.upload(rows)
    (taken,) = border.send()
    assert taken.records == 120  # both logs came in one hour and hold the same records


def test_strangers_are_stopped_before_their_messages_are_read(border: Border) -> None:
    taking = border.abroad.record_taking
    for _ in range(REFUSED_RECORDS_AN_HOUR):
        taking.check_address("192.0.2.7", LATER)
        with pytest.raises(TrustError):
            taking.from_partner("SG_MOH", b"x", LATER, address="192.0.2.7")
    with pytest.raises(RateLimitedError):
        taking.check_address("192.0.2.7", LATER)
    taking.check_address("192.0.2.8", LATER)


def test_a_case_of_a_partner_has_no_pin_and_is_merged_with_none(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    border.send()
    abroad = border.abroad
    (case,) = abroad.casework.cases(by=CONSOLE)
    with pytest.raises(ConflictError, match="handed over"):
        abroad.pins.issue(case, LATER, by=CONSOLE)
    own = abroad.casework.open_case(abroad.issuance.register().user_id, LATER, by=CONSOLE)
    with pytest.raises(ConflictError, match="handed over"):
        abroad.merging.merge_cases(case.case_id, own.case_id, LATER, by=CONSOLE)
    assert abroad.graphs.graph(by=CONSOLE).cases == 0


def test_files_carry_batches_and_answers(border: Border) -> None:
    rows, *_ = three_kinds(border)
    case_id = border.upload(rows)
    case = border.home.casework.case(case_id, by=CONSOLE)
    first = border.home.record_sending.export("AU_DTA", LATER, by=CONSOLE)
    again = border.home.record_sending.export("AU_DTA", LATER + 1, by=CONSOLE)
    assert [batch.digest for batch in first] == [batch.digest for batch in again]
    assert border.home.record_sending.of_case(case, by=CONSOLE)[0].state == "exported"
    taking = border.abroad.record_taking
    taken = [taking.from_file(batch.message, LATER, by=CONSOLE) for batch in (*first, *again)]
    assert [found.already for found in taken] == [False, True]
    answers = taking.export_answers("SG_MOH", TOMORROW, by=CONSOLE)
    assert border.home.record_taking.from_file(answers, TOMORROW, by=CONSOLE).answers == 1


def test_files_are_carried_by_those_who_may(border: Border) -> None:
    tracer = Caller("eve", frozenset({Role.TRACER}))
    for call in (
        lambda: border.home.record_sending.export("AU_DTA", NOON, by=tracer),
        lambda: border.home.record_taking.from_file(b"", NOON, by=tracer),
        lambda: border.home.record_taking.export_answers("AU_DTA", NOON, by=tracer),
        lambda: border.home.record_sending.all_outgoing(by=tracer),
        lambda: border.home.record_taking.all_taken(by=tracer),
    ):
        with pytest.raises(AccessDeniedError):
            call()


def test_a_batch_that_does_not_arrive_is_tried_again_later_and_later(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    sending = border.home.record_sending
    sending.pack(LATER)
    (batch,) = sending.to_send("AU_DTA", LATER)
    pauses = []
    for _ in range(12):
        batch = sending.failed(batch, "unreachable", LATER)
        pauses.append(batch.next_try_at - LATER)
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == 6 * 3_600
    assert sending.to_send("AU_DTA", LATER) == []
    (again,) = sending.to_send("AU_DTA", LATER + 6 * 3_600)
    assert (again.tries, again.fault) == (12, "unreachable")


def test_everything_is_deleted_on_time(border: Border) -> None:
    rows, *_ = three_kinds(border)
    border.upload(rows)
    border.send()
    for place in (border.home, border.abroad):
        place.purge(NOON + 27 * A_DAY, clock_is_right=True)
        assert place.record_sending.all_outgoing(by=CONSOLE) == []
        assert place.record_taking.all_taken(by=CONSOLE) == []
        assert place.record_taking.all_answers(by=CONSOLE) == []
        assert place.casework.cases(by=CONSOLE) == []
    assert len(list(border.abroad.store.all_users())) == 1  # the contact; not the case's number


def test_people_are_counted_by_tempids_that_overlap() -> None:
    time = np.array([0, 100, 900, 1_000, 50, 120, 950.0])
    assert people_at_least(["a", "a", "b", "b", "c", "c", "c"], time) == 2
    assert people_at_least(["a", "b", "c"], np.array([0, 900, 1_800.0])) == 1
    assert people_at_least([], np.array([])) == 0


def test_columns_that_are_not_whole_are_refused(border: Border) -> None:
    from tracetogether.cbor import read_cbor, write_cbor

    records = ForeignRecords.none()
    kept = read_cbor(records.write(), most_bytes=9_999)
    assert isinstance(kept, dict)
    for change in ({2: 1}, {2: -1}, {2: 5_001}, {3: b"x"}, {7: None}, {8: ["a" * 65]}, {1: 2}):
        with pytest.raises(UnreadableMessageError):
            ForeignRecords.read(write_cbor({**kept, **change}))
    with pytest.raises(UnreadableMessageError):
        ForeignRecords.read(write_cbor([]))
    assert len(ForeignRecords.read(write_cbor(kept))) == 0


def test_what_travels_comes_back(border: Border) -> None:
    rows, *_ = three_kinds(border)
    from tracetogether.bluetrace.upload import parse_upload, write_upload

    log = parse_upload(write_upload(rows)).records
    sent = ForeignRecords.of_log(log, np.arange(len(log)))
    came = ForeignRecords.read(sent.write())
    assert came.texts() == list(log.token)
    np.testing.assert_array_equal(came.time, sent.time)
    np.testing.assert_array_equal(came.rssi_dbm, log.rssi_dbm)
    np.testing.assert_array_equal(came.tx_power_dbm, log.tx_power_dbm)
    assert came.model_central.to_list() == log.model_central.to_list()
    assert np.abs(came.time - log.time).max() <= 5
