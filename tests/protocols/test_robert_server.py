"""ROBERT from registration to a warning: keys agreed by ECDH, sealed tuples, requests, uploads."""

import numpy as np
import pytest

from tests.conftest import counted_entropy
from tests.protocols.test_gaen_export import flips
from tracetogether.crypto import AgreementKey
from tracetogether.diagnosis import InvalidReportError
from tracetogether.errors import LocalProtocolError
from tracetogether.exchange import Heard
from tracetogether.robert.exchange import RobertExchange
from tracetogether.robert.keys import ServerKeys, phone_keys
from tracetogether.robert.registration import PhoneEnrolment, RobertRegistration
from tracetogether.robert.report import records_of, write_records
from tracetogether.robert.server import RobertServer
from tracetogether.robert.status import RequestKind
from tracetogether.robert.tuples import HelloTuples, seal_tuples, seal_tuples_many, sealed_bytes
from tracetogether.sightings import Sighting, Sightings
from tracetogether.units import SECONDS_PER_DAY

NOON = 1_600_041_600.0 + 43_200
DAY = int(NOON) // SECONDS_PER_DAY
SERVER_KEYS = ServerKeys.new(DAY - 1, 8, counted_entropy(1))


def server() -> RobertServer:
    return RobertServer(SERVER_KEYS, entropy=counted_entropy(2))


def registered(here: RobertServer, now: float = NOON) -> tuple[RobertRegistration, HelloTuples]:
    phone = PhoneEnrolment(here.public)
    return phone.finished(here.register(phone.public, now), issued_at=now)


def test_both_sides_agree_on_the_published_secret() -> None:
    """Compare with RFC 5903, section 8.1: ECDH over P-256."""
    own = AgreementKey.from_entropy(
        lambda _: bytes.fromhex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")
    )
    assert own.public.hex() == (
        "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"
    )
    other = AgreementKey.from_entropy(
        lambda _: bytes.fromhex("c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53")
    )
    secret = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"
    assert own.shared(other.public) == other.shared(own.public) == bytes.fromhex(secret)
    assert repr(own) == "AgreementKey()"


def test_points_that_are_none_are_refused() -> None:
    own = AgreementKey.from_entropy(counted_entropy(3))
    far = bytearray(own.public)
    far[-1] ^= 1  # not on the curve
    for wrong in (b"", b"\x00", bytes(65), own.public[:-1], bytes(far), b"\x02" + own.public[1:33]):
        assert own.shared(wrong) is None
        with pytest.raises(InvalidReportError, match="no point of P-256"):
            server().register(wrong, NOON)
        with pytest.raises(InvalidReportError, match="no point of P-256"):
            PhoneEnrolment(wrong)
    draws = iter([bytes(32), b"\xff" * 32, bytes(31) + b"\x01"])
    first = AgreementKey.from_entropy(lambda _: next(draws))  # 0 and a number past the order
    assert first.public[1:5].hex() == "6b17d1f2"  # the curve's base point
    assert not list(draws)


def test_a_phone_registers_and_shows_what_the_server_opens() -> None:
    here = server()
    kept, batch = registered(here)
    assert len(here.registered) == 1
    assert here.registered.mac_keys == (kept.mac_key,)
    assert len(batch.by_epoch) == 4 * 96
    assert kept.start == SERVER_KEYS.start
    assert kept.mac_key.hex() not in repr((kept, batch, here))
    phone = RobertExchange(batch=batch)
    ann = RobertExchange(batch=registered(here)[1])
    rows = []
    for hour in (0, 13, 48, 95):
        now = NOON + 3_600 * hour
        heard = Heard("aa", -60.0, service_data=phone.advertisement(now).service_data)
        rows.append(ann.overheard(heard, now=now + 30))
    log = Sightings.from_rows([row for row in rows if isinstance(row, Sighting)])
    later = NOON + 96 * 3_600
    upload = write_records(records_of(log, 0, later))
    found = here.take(upload, later)
    assert len(found) == 4
    (peer,) = found.peer.names
    assert int(peer, 16) in here.registered.id.tolist()


def test_a_warning_reaches_the_phone_that_was_met_once() -> None:
    here = server()
    (ann, ann_tuples), (ben, ben_tuples) = registered(here), registered(here)
    shown = RobertExchange(batch=ann_tuples).advertisement(NOON)
    case = RobertExchange(batch=ben_tuples)
    row = case.overheard(Heard("aa", -55.0, service_data=shown.service_data), now=NOON)
    assert isinstance(row, Sighting)
    log = Sightings.from_rows([row])
    assert ask(here, ann, ann_tuples, NOON + 10) is False
    found = here.take(write_records(records_of(log, 0, NOON + 1)), NOON + 600)
    here.expose(found.peer.names)
    here.expose(["0123456789"])  # a phone that left meanwhile
    assert ask(here, ben, ben_tuples, NOON + 620) is False
    assert ask(here, ann, ann_tuples, NOON + 620) is True
    assert ask(here, ann, ann_tuples, NOON + 630) is False  # only what is new
    here.expose(found.peer.names)
    here.delete_history(ann.request(RequestKind.DELETE_HISTORY, ann_tuples, NOON + 640), NOON + 640)
    assert ask(here, ann, ann_tuples, NOON + 650) is False
    here.unregister(ann.request(RequestKind.UNREGISTER, ann_tuples, NOON + 660), NOON + 660)
    with pytest.raises(InvalidReportError, match="not registered"):
        ask(here, ann, ann_tuples, NOON + 670)
    assert not len(here.take(write_records(records_of(log, 0, NOON + 1)), NOON + 680))


def ask(here: RobertServer, phone: RobertRegistration, batch: HelloTuples, now: float) -> bool:
    answer = here.status(phone.request(RequestKind.STATUS, batch, now), now)
    assert len(answer) == 1 + sealed_bytes(4 * 96)
    exposed, fresh = phone.status(answer, issued_at=now)
    assert fresh.at(now) == batch.at(now)
    assert fresh.ahead_s(now + 2) == (2, 2)
    return exposed


def test_requests_count_once_in_time_and_of_their_writer_alone() -> None:
    here = server()
    (ann, batch), (ben, _) = registered(here), registered(here)
    for turn, (delay, fits) in enumerate(((-181, False), (-180, True), (180, True), (181, False))):
        sent = NOON + 1_000 * turn
        said = ann.request(RequestKind.STATUS, batch, sent)
        if not fits:
            with pytest.raises(InvalidReportError, match="off by 181 seconds"):
                here.status(said, sent + delay)
            continue
        here.status(said, sent + delay)
        with pytest.raises(InvalidReportError, match="answered before"):
            here.status(said, sent + delay)
    later = NOON + 5_000
    said = ann.request(RequestKind.STATUS, batch, later)
    with pytest.raises(InvalidReportError, match="MAC"):
        here.unregister(said, later)  # another kind
    forged = ben.request(RequestKind.STATUS, batch, later)  # ann's EBID, ben's key
    with pytest.raises(InvalidReportError, match="MAC"):
        here.status(forged, later)
    for changed in flips(said):
        with pytest.raises(InvalidReportError, match=r"MAC|not registered"):
            here.status(changed, later)
    here.status(said, later)  # what was refused did not use the request up
    with pytest.raises(LocalProtocolError, match="register"):
        ann.request(RequestKind.STATUS, batch, NOON + 5 * SECONDS_PER_DAY)


def test_every_flipped_bit_of_an_answer_is_a_named_error() -> None:
    here = server()
    phone = PhoneEnrolment(here.public)
    answer = here.register(phone.public, NOON)
    kept, batch = phone.finished(answer)
    sealed = answer[8:300]
    for changed in flips(sealed):
        with pytest.raises(InvalidReportError, match="damaged or of another phone"):
            kept.tuples(changed + answer[300:])
    other = PhoneEnrolment(here.public)
    with pytest.raises(InvalidReportError, match="of another phone"):
        other.finished(answer)
    for size in (0, 7, 8, 11, 12, 27, len(answer) - 1):
        with pytest.raises(InvalidReportError):
            phone.finished(answer[:size])
    with pytest.raises(InvalidReportError, match="neither 0 nor 1"):
        kept.status(b"\x02" + answer[8:])
    assert kept.status(b"\x01" + answer[8:])[1] == batch


def test_tuples_end_where_the_server_has_no_key() -> None:
    here = server()
    _, batch = registered(here, (DAY + 5) * SECONDS_PER_DAY + 900.0)
    assert len(batch.by_epoch) == 2 * 96 - 1
    early = RobertServer(ServerKeys({}, bytes(32)), entropy=counted_entropy(4))
    assert not registered(early)[1].by_epoch


def test_many_phones_get_what_each_gets_alone() -> None:
    phones, secrets = [5, 2**40 - 1, 77], [bytes([number] * 32) for number in range(3)]
    late = (DAY + 5) * SECONDS_PER_DAY + 900.0  # two days of keys are left
    for now in (NOON, late):
        many = seal_tuples_many(SERVER_KEYS, phones, secrets, now, entropy=counted_entropy(7))
        draw = counted_entropy(7)
        alone = [
            seal_tuples(SERVER_KEYS, phone, secret, now, entropy=draw)
            for phone, secret in zip(phones, secrets, strict=True)
        ]
        assert many == alone
    assert seal_tuples_many(SERVER_KEYS, [], [], NOON) == []


def test_labels_of_the_specification_give_other_keys() -> None:
    own, spec = phone_keys(bytes(32)), phone_keys(bytes(32), (b"authentication key", b"x"))
    assert len(set(own) | set(spec)) == 4
    assert {len(key) for key in own} == {32}
    assert np.array_equal(SERVER_KEYS.day_of(np.array([0])), [18_414])  # 1 June 2020
