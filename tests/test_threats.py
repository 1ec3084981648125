"""Threats in docs/explanation/threat-model.md against logs, keys, storage and retention.

The tests of the table's other rows are in the files of the code that they test. Find all tests of
a row with `git grep test_threat_NAME`.
"""

import gzip
import os
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.authority_world import DAY, NOON, NOW, World
from tests.conftest import counted_entropy
from tests.fresh_stores import fresh_store, inside
from tracetogether.adapters.http_api.operators import metrics_text
from tracetogether.adapters.sql_store import SqlStore
from tracetogether.adapters.sql_store.tables import METADATA
from tracetogether.authority.access.limits import BATCHES
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake.uploads import unseal
from tracetogether.authority.service import Authority
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload import write_upload
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.crypto import Aead
from tracetogether.errors import (
    AuditError,
    InvalidUploadError,
    KeyRingError,
    RateLimitedError,
    SealError,
    StoreError,
)
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    BATCHES_AN_HOUR,
    MAX_PEOPLE_A_MINUTE,
    MAX_RECORDS_A_SECOND,
    TEMPIDS_OF_A_DAY_KEY,
    UPLOADS_OF_A_TEMPID,
)
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY, Entropy

HOUR = 3_600.0
BODY = b'{"records": []}'


@pytest.fixture
def sql_world(entropy: Entropy, tmp_path: Path) -> World:
    store = fresh_store(tmp_path / "a.db")
    return World.of(entropy, store=store)


def other_than(pin: str) -> str:
    return f"{(int(pin) + 1) % 10**8:08d}"


def acts(world: World) -> list[str]:
    return [entry.act for entry in world.authority.audit.entries(limit=10**6, by=CONSOLE)]


def test_threat_swapped_upload_of_other_bytes_is_refused(world: World, case: Case) -> None:
    token = world.token(case, BODY, NOON)
    for body in (BODY + b" ", BODY[:-1], b""):
        with pytest.raises(InvalidUploadError, match="not the log"):
            world.authority.intake.take_upload(token, body, NOON)


def test_threat_own_tempids_are_rejected_and_counted(world: World, case: Case) -> None:
    rows = [*world.heard(case.user_id, NOON - HOUR, 1), *world.heard(world.user(), NOON - HOUR, 1)]
    receipt = world.take(case, rows, NOON)
    assert receipt.rejected == {Rejection.SELF_TEMPID: 3}


def test_threat_forged_tempid_never_opens_and_costs_two_decryptions(world: World) -> None:
    count = 100_000
    raw = np.frombuffer(os.urandom(61 * count), np.uint8).reshape(count, 61)
    texts = [b64encode(row.tobytes()).decode() for row in raw]
    opened = world.authority.issuance.issuer.open_many(texts, np.full(count, NOON))
    assert not opened.accepted.any()
    assert opened.decryptions <= 2 * count


def test_threat_forged_tempid_with_any_flipped_bit_is_rejected(world: World) -> None:
    tempid = world.authority.issuance.batch(world.user(), NOON).at(NOON)
    assert tempid is not None
    raw = b64decode(tempid.text)
    flipped = []
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        flipped.append(b64encode(changed).decode())
    issuer = world.authority.issuance.issuer
    assert len(flipped) == 488
    assert not issuer.open_many(flipped, np.full(488, NOON)).accepted.any()


def test_threat_replayed_tempid_after_its_window_is_rejected(world: World, case: Case) -> None:
    tempid = world.authority.issuance.batch(world.user(), NOON - HOUR).at(NOON - HOUR)
    assert tempid is not None
    rows = [Sighting(float(tempid.expiry + late), tempid.text, -60) for late in (0, 1, 960)]
    receipt = world.take(case, rows, NOON)
    assert (receipt.accepted, receipt.rejected) == (1, {Rejection.EXPIRED_ID: 2})


def test_threat_replayed_tempid_in_too_many_logs_raises_an_alert(
    world: World,
) -> None:
    (row,) = world.heard(world.user(), NOON - HOUR, 0.4)
    other = world.heard(world.user(), NOON - HOUR, 0.4)
    for number in range(UPLOADS_OF_A_TEMPID + 3):
        one = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        world.take(one, [row, row] if number else [row, *other], NOON + number)
        over = number + 1 > UPLOADS_OF_A_TEMPID
        assert acts(world).count("tempid.alert") == int(over), number  # once, and goes on
    alert = next(
        entry for entry in world.authority.audit.entries(by=CONSOLE) if entry.act == "tempid.alert"
    )
    assert (alert.by, alert.details) == ("clock", {"tempids": 1})
    assert row.peer not in repr(alert)
    world.authority.purge(NOON + 23 * SECONDS_PER_DAY, clock_is_right=True)
    assert isinstance(world.store, SqlStore)
    assert "hearers" not in {name for name, *_ in world.store.all_counts()}


@pytest.mark.parametrize("extra", [0, 1])
def test_threat_oversized_log_limits_the_records_of_one_person_per_second(
    world: World, case: Case, extra: int
) -> None:
    (row,) = world.heard(world.user(), NOON - HOUR, 0.4)
    receipt = world.take(case, [row] * (MAX_RECORDS_A_SECOND + extra), NOON)
    assert receipt.accepted == MAX_RECORDS_A_SECOND
    assert receipt.rejected == ({Rejection.IMPLAUSIBLE: extra} if extra else {})


@pytest.mark.parametrize("extra", [0, 1])
def test_threat_oversized_log_limits_the_people_per_minute(
    world: World, case: Case, extra: int
) -> None:
    at = NOON - HOUR
    rows = [world.heard(world.user(), at, 0.4)[0] for _ in range(MAX_PEOPLE_A_MINUTE + extra)]
    alone = world.heard(world.user(), at + 60, 0.4)
    receipt = world.take(case, [*rows, *alone], NOON)
    assert receipt.accepted == 1 + (0 if extra else MAX_PEOPLE_A_MINUTE)


def test_threat_wrong_purpose_has_another_key(world: World) -> None:
    purposes = ("tempid", "tempid-iv", "upload-pin", "upload-token", "upload-key", "contact")
    keys = {
        world.keys.day_key(purpose, day)
        for purpose in (*purposes, "limiter")
        for day in (DAY, DAY + 1)
    }
    assert len(keys) == 14


def test_threat_worn_key_stays_far_below_the_random_iv_limit_in_a_city(world: World) -> None:
    """A key per day, and IVs that are a function of what they seal: asking often adds none."""
    assert 5_600_000 * 96 < 2**32 / 7
    user = world.user()
    asked = {
        tempid.text for _ in range(10) for tempid in world.authority.issuance.batch(user, NOON)
    }
    assert len(asked) == 100


def test_threat_worn_key_seals_on_one_day_only_and_a_metric_counts_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted where AES-GCM is called."""
    sealed: dict[int, dict[bytes | None, int]] = {}
    real = Aead.seal_many

    def counted(
        self: Aead, ivs: list[bytes], plain: list[bytes], associated: bytes | None = None
    ) -> bytes:
        days = sealed.setdefault(id(self), {})
        days[associated] = days.get(associated, 0) + len(plain)
        return real(self, ivs, plain, associated)

    monkeypatch.setattr(Aead, "seal_many", counted)
    user = world.user()
    for hours in range(0, 48, 5):
        now = NOW + hours * HOUR
        world.authority.limits.take(BATCHES, user, now)
        world.authority.issuance.batch(user, now)
    by_day = {said: count for days in sealed.values() for said, count in days.items()}
    assert all(len(days) == 1 for days in sealed.values())  # one day for each key
    assert len(by_day) == len(sealed) >= 4  # and one key for each day
    text = metrics_text(world.authority.monitoring.metrics(NOW + 47 * HOUR, by=CONSOLE))
    assert "\ntracetogether_tempids_of_day_key 1000\n" in text
    assert "\ntracetogether_day_key_overused 0\n" in text
    assert max(by_day.values()) <= 1000


def test_threat_worn_key_raises_an_alert(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A city's day fits 8 times into the bound: a key of 7 days would do, one of 8 would not."""
    assert 7 * 5_600_000 * 96 < TEMPIDS_OF_A_DAY_KEY < 8 * 5_600_000 * 96
    for calls, over in ((TEMPIDS_OF_A_DAY_KEY // 100, 0), (TEMPIDS_OF_A_DAY_KEY // 100 + 1, 1)):
        counts = replace(world.store.counts(NOW), batches=calls)
        monkeypatch.setattr(type(world.store), "counts", lambda *_, said=counts: said)
        assert f"_day_key_overused {over}\n" in metrics_text(
            world.authority.monitoring.metrics(NOW, by=CONSOLE)
        )


def test_threat_worn_key_without_a_day_issues_nothing(world: World) -> None:
    authority = Authority.assemble(
        KeyRing.of_static(bytes(32)), name="SG_MOH", store=world.store, save_keys=lambda _: None
    )
    with pytest.raises(KeyRingError, match="no day keys"):
        authority.issuance.batch(world.user(), NOW)


def test_threat_leaked_key_quarantine_hides_its_days_unless_asked(world: World, case: Case) -> None:
    world.take(case, world.heard(world.user(), NOON - HOUR, 30, rssi_dbm=-45), NOON)
    tracing = world.authority.tracing
    assert len(tracing.contacts(case, by=CONSOLE).contacts) == 1
    world.authority.custody.quarantine(DAY, DAY, NOON, by=CONSOLE)
    traced = tracing.contacts(case, by=CONSOLE)
    assert (traced.contacts, traced.rejected) == ((), {Rejection.QUARANTINED: 90})
    assert len(tracing.contacts(case, believe_quarantined=True, by=CONSOLE).contacts) == 1
    assert acts(world)[-1] == "keys.quarantined"


def test_threat_leaked_key_says_nothing_about_the_keys_after_a_rotation(
    entropy: Entropy, tmp_path: Path
) -> None:
    ring = KeyRing.generate(NOON, entropy=entropy)
    ring.save(tmp_path / "stolen.txt")
    issuer = TempIDIssuer(ring)
    before = issuer.issue("A" * 28, NOON, 100)
    first = ring.rotate(NOON, entropy=counted_entropy(9))
    assert first == DAY + 2  # phones hold TempIDs of today and tomorrow
    with pytest.raises(KeyRingError, match="already"):
        ring.rotate(NOON)
    assert all(
        not isinstance(issuer.open(tempid.text, tempid.start), Rejection) for tempid in before
    )
    ring.save(tmp_path / "keys.txt")
    stolen, loaded = (KeyRing.load(tmp_path / name) for name in ("stolen.txt", "keys.txt"))
    assert loaded.same_as(ring)
    assert stolen.day_key("tempid", first - 1) == ring.day_key("tempid", first - 1)
    assert stolen.day_key("tempid", first) != ring.day_key("tempid", first)
    ring.destroy_before(first + 1)
    assert ring.day_key("tempid", first + 1) == loaded.day_key("tempid", first + 1)
    loaded.adopt(ring)
    assert loaded.oldest_day == first + 1
    ring.adopt(stolen)
    assert ring.oldest_day == first + 1


def test_threat_costly_log_needs_at_most_two_decryptions_per_token(world: World) -> None:
    near = world.user()
    rows = world.heard(near, NOON - HOUR, 14)
    tokens = {row.peer for row in rows}
    opened = world.authority.issuance.issuer.open_many(
        [row.peer for row in rows], np.array([row.time for row in rows])
    )
    assert opened.decryptions <= 2 * len(rows)
    assert len(tokens) <= 3


def test_threat_stolen_database_log_opens_only_with_its_key_in_its_place(
    world: World, case: Case
) -> None:
    world.take(case, world.heard(world.user(), NOON - HOUR, 1), NOON)
    world.take(case, BODY, NOON + 1)
    one, other = world.store.uploads(case.case_id)
    assert unseal(other, world.keys) == BODY
    for changed in (
        type(one)(other.token_id, one.case_id, one.user_id, NOON, one.wrapped_key, one.sealed),
        type(one)(one.token_id, "OTHER", one.user_id, NOON, one.wrapped_key, one.sealed),
        type(one)(one.token_id, one.case_id, one.user_id, NOON, other.wrapped_key, one.sealed),
        type(one)(one.token_id, one.case_id, one.user_id, NOON, one.wrapped_key, other.sealed),
    ):
        with pytest.raises(SealError):
            unseal(changed, world.keys)
    with pytest.raises(SealError):
        unseal(one, KeyRing.generate(NOW, entropy=counted_entropy(3)))


def test_threat_stolen_database_keeps_a_gzipped_log_sealed_as_it_came(
    world: World, case: Case
) -> None:
    token, packed = world.token(case, BODY, NOON), gzip.compress(BODY)
    world.authority.intake.take_upload(token, BODY, NOON, packed=packed)
    (kept,) = world.store.uploads(case.case_id)
    assert unseal(kept, world.keys) == BODY
    assert len(kept.sealed) == 16 + len(packed) + 16


@pytest.mark.parametrize("place", ["sqlite", "postgres"])
def test_threat_audit_tampering_is_refused_by_the_database_and_detected(
    place: str, request: pytest.FixtureRequest, tmp_path: Path, entropy: Entropy
) -> None:
    where = tmp_path / "a.db" if place == "sqlite" else request.getfixturevalue("postgres_url")
    with SqlStore.create(where, name="SG_MOH") as store:
        world = World.of(entropy, store=store)
        world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        head = world.authority.audit.verify(by=CONSOLE)

        def change(statement: str) -> None:
            with inside(store).transactions.writing() as connection:
                connection.exec_driver_sql(statement)

        statements = ["UPDATE audit SET act = 'x'", "DELETE FROM audit WHERE number = 1"]
        names = "rowid, number, time_s, by, act, subject, details, previous, digest"
        if place == "sqlite":
            statements += [
                "INSERT OR REPLACE INTO audit VALUES (1, 9, 'x', 'x', 'x', '{}', '', '')",
                "REPLACE INTO audit VALUES (1, 9, 'x', 'x', 'x', '{}', '', '')",
                f"REPLACE INTO audit ({names}) SELECT 1, 99, 9, 'x', 'x', 'x', '{{}}', '', ''",
                "UPDATE OR REPLACE audit SET number = 1 WHERE number = 2",
            ]
        statements.append(
            "INSERT INTO audit VALUES (1, 9, 'x', 'x', 'x', '{}', '', '') "
            "ON CONFLICT (number) DO UPDATE SET act = 'x'"
        )
        for statement in statements:
            with pytest.raises(StoreError, match="append-only"):
                change(statement)
        assert world.authority.audit.verify(by=CONSOLE) == head
        drop = "DROP TRIGGER audit_append_only ON audit"
        change(drop if place == "postgres" else "DROP TRIGGER audit_no_update")
        change("UPDATE audit SET act = 'x' WHERE number = 1")
        with pytest.raises(AuditError, match="entry 1 was changed"):
            world.authority.audit.verify(by=CONSOLE)


@pytest.mark.parametrize("place", ["sqlite", "postgres"])
def test_threat_late_deletion_leaves_nothing_after_day_25(
    place: str, request: pytest.FixtureRequest, entropy: Entropy, tmp_path: Path
) -> None:
    """No rows, no blobs, no keys of the old uploads; the audit chain still holds."""
    where = tmp_path / "a.db" if place == "sqlite" else request.getfixturevalue("postgres_url")
    with SqlStore.create(where, name="SG_MOH") as store:
        world = World.of(entropy, since=NOON, store=store)
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        rows = world.heard(world.user(), NOON + HOUR, 30, rssi_dbm=-45)
        world.take(case, rows, NOON + 2 * HOUR)
        world.authority.tracing.refresh(case)
        (old,) = store.uploads(case.case_id)  # as a backup of that day holds it
        assert unseal(old, world.keys) == write_upload(rows)
        before = store.counts(NOON)
        assert (before.uploads, before.contact_lists, before.contacts) == (1, 2, 2)
        keys = [world.keys.day_key("upload-key", DAY)]
        # 25 days after the day's end
        world.authority.purge(NOW + 26 * SECONDS_PER_DAY + 1, clock_is_right=True)
        left = store.counts(NOON)
        assert (left.cases, left.open_pins, left.uploads, left.sealed_bytes) == (0, 0, 0, 0)
        assert (left.contact_lists, left.contacts) == (0, 0)
        assert world.authority.audit.verify(by=CONSOLE)[0] == left.audit_entries
        assert acts(world)[-1] == "purged"
        with pytest.raises(KeyRingError):
            world.keys.day_key("upload-key", DAY)
        with inside(store).transactions.reading() as connection:
            if place == "postgres":
                names = connection.exec_driver_sql(
                    "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace"
                ).scalars()
                assert [name for name in names if f"_d{DAY}" in name] == []  # no partition either
            for table in METADATA.sorted_tables:
                said = repr(connection.execute(table.select()).all()).encode()
                assert rows[0].peer.encode() not in said
                assert repr(keys[0])[2:-1].encode() not in said
        for file in tmp_path.iterdir():
            assert rows[0].peer.encode() not in file.read_bytes()
            assert keys[0] not in file.read_bytes()
        with pytest.raises(KeyRingError, match="destroyed"):
            unseal(old, world.keys)
        assert not world.authority.purge.overdue(NOW + 26 * SECONDS_PER_DAY + 2 * HOUR)
        assert world.authority.purge.overdue(NOW + 26 * SECONDS_PER_DAY + 3 * HOUR)


def test_threat_withdrawn_user_is_in_no_contact_list(world: World, case: Case) -> None:
    leaver, stayer = world.user(), world.user()
    rows = [
        *world.heard(leaver, NOON - HOUR, 30, rssi_dbm=-45),
        *world.heard(stayer, NOON - HOUR, 30, rssi_dbm=-45),
    ]
    world.take(case, rows, NOON)
    assert len(world.authority.tracing.contacts(case, by=CONSOLE).contacts) == 2
    world.authority.issuance.withdraw(leaver, NOON)
    traced = world.authority.tracing.contacts(case, by=CONSOLE)
    assert [contact.user_id for contact in traced.contacts] == [stayer]
    assert traced.rejected == {Rejection.WITHDRAWN: 90}
    world.authority.tallies.tell(NOON + HOUR)  # counted by the hour, as strangers can do it too
    assert acts(world)[-1] == "users.withdrawn"


def test_threat_withdrawn_user_leaves_no_case_and_no_log(world: World, case: Case) -> None:
    world.take(case, BODY, NOON)
    world.authority.issuance.withdraw(case.user_id, NOON)
    assert world.store.cases() == []
    assert world.store.counts(NOON).uploads == 0


def test_threat_batch_flood_of_a_thousand_calls_gives_one_batch_or_a_refusal(world: World) -> None:
    user = world.user()
    batches = {
        tuple(tempid.text for tempid in world.authority.issuance.batch(user, NOON))
        for _ in range(1_000)
    }
    assert len(batches) == 1
    refused = 0
    for _ in range(1_000):
        try:
            world.authority.limits.take(BATCHES, user, NOON)
        except RateLimitedError:
            refused += 1
    assert refused == 1_000 - BATCHES_AN_HOUR


def test_threat_wrong_purpose_refuses_the_upload_token_of_another_authority(world: World) -> None:
    foreign = UploadTokens(world.keys, "AU_DTA").seal("u", "C", bytes(32), NOON)
    with pytest.raises(InvalidUploadError, match="upload token"):
        world.authority.intake.take_upload(foreign, BODY, NOON)


def test_threat_leaky_error_of_a_malformed_log_repeats_none_of_it(world: World, case: Case) -> None:
    body = write_upload(world.heard(world.user(), NOON, 1))[:-3]
    token = world.token(case, body, NOON)
    with pytest.raises(InvalidUploadError) as caught:
        world.authority.intake.take_upload(token, body, NOON)
    assert "msg" not in str(caught.value)
    assert caught.value.__suppress_context__
