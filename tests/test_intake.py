"""Upload PINs, upload tokens, logs: bound to one user, used once, checked at every edge."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from tests.authority_world import DAY, NOON, World
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.case import Case
from tracetogether.authority.intake import pins, uploads
from tracetogether.authority.intake.uploads import unseal
from tracetogether.bluetrace.tempid import TempIDIssuer, new_user_id
from tracetogether.bluetrace.upload import write_upload
from tracetogether.crypto import hmac_sha256, sha256
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    InvalidUploadError,
    KeyRingError,
    NotFoundError,
    SealError,
)
from tracetogether.keyring import KeyRing
from tracetogether.parameters import (
    RETENTION,
    UPLOAD_CLOCK_AHEAD_S,
    UPLOAD_PIN_LIFETIME_S,
    UPLOAD_PIN_TRIES,
    UPLOAD_TOKEN_LIFETIME_S,
)
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting

BODY = b'{"records": [], "events": []}'
DIGEST = sha256(BODY)


def other_than(pin: str) -> str:
    return f"{(int(pin) + 1) % 10**8:08d}"


# --- cases ---


def test_a_case_is_of_today_by_default(world: World) -> None:
    opened = partial(world.authority.casework.open_case, by=CONSOLE)
    assert opened(world.user(), NOON).day == DAY
    assert opened(world.user(), NOON, DAY - 21).day == DAY - 21
    assert opened(world.user(), NOON, DAY + 1).date == "2020-05-05"


def test_a_case_outside_of_what_a_log_holds_is_refused(world: World) -> None:
    user = world.user()
    with pytest.raises(InvalidRequestError, match="future"):
        world.authority.casework.open_case(user, NOON, DAY + 2, by=CONSOLE)
    with pytest.raises(InvalidRequestError, match="21 days"):
        world.authority.casework.open_case(user, NOON, DAY - 22, by=CONSOLE)


@pytest.mark.parametrize("user_id", ["", "nobody", "Ä" * 28, "\ud800", "A" * 28])
def test_a_case_needs_a_user(world: World, user_id: str) -> None:
    with pytest.raises(NotFoundError, match="no such user"):
        world.authority.casework.open_case(user_id, NOON, by=CONSOLE)


@pytest.mark.parametrize("case_id", ["", "nothing", "\ud800"])
def test_an_unknown_case_is_refused(world: World, case_id: str) -> None:
    with pytest.raises(NotFoundError, match="no such case"):
        world.authority.casework.case(case_id, by=CONSOLE)


# --- PINs ---


def test_a_right_pin_becomes_a_token_for_its_user_case_and_log(world: World, case: Case) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    token = world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)
    leave = world.authority.intake.tokens.open(token, NOON)
    assert (leave.user_id, leave.case_id, leave.log_sha256) == (case.user_id, case.case_id, DIGEST)
    assert leave.expiry == NOON + UPLOAD_TOKEN_LIFETIME_S


def test_a_pin_is_used_once(world: World, case: Case) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)
    with pytest.raises(AccessDeniedError):
        world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)


def test_the_last_of_five_tries_may_be_right_the_sixth_may_not(world: World, case: Case) -> None:
    for wrong_tries, accepted in ((UPLOAD_PIN_TRIES - 1, True), (UPLOAD_PIN_TRIES, False)):
        pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
        for _ in range(wrong_tries):
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(case.user_id, other_than(pin), DIGEST, NOON)
        if accepted:
            assert world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)
        else:
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)


def test_a_pin_lives_for_a_day(world: World, case: Case) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    with pytest.raises(AccessDeniedError):
        world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON + UPLOAD_PIN_LIFETIME_S)
    last = NOON + UPLOAD_PIN_LIFETIME_S - 1
    assert world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, last)


def test_a_new_pin_replaces_the_old_one(world: World, case: Case) -> None:
    old = world.authority.pins.issue(case, NOON, by=CONSOLE)
    new = world.authority.pins.issue(case, NOON, by=CONSOLE)
    with pytest.raises(AccessDeniedError):
        world.authority.intake.redeem_pin(case.user_id, old, DIGEST, NOON)
    assert world.authority.intake.redeem_pin(case.user_id, new, DIGEST, NOON)


def test_all_refusals_look_alike_and_cost_alike(  # noqa: C901 - one situation each
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh() -> tuple[Case, str]:
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        return case, world.authority.pins.issue(case, NOON, by=CONSOLE)

    def wrong() -> tuple[str, str, float]:
        case, pin = fresh()
        return case.user_id, other_than(pin), NOON

    def expired() -> tuple[str, str, float]:
        case, pin = fresh()
        return case.user_id, pin, NOON + UPLOAD_PIN_LIFETIME_S

    def used() -> tuple[str, str, float]:
        case, pin = fresh()
        world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)
        return case.user_id, pin, NOON

    def void() -> tuple[str, str, float]:
        case, pin = fresh()
        for _ in range(UPLOAD_PIN_TRIES):
            with pytest.raises(AccessDeniedError):
                world.authority.intake.redeem_pin(case.user_id, other_than(pin), DIGEST, NOON)
        return case.user_id, pin, NOON

    def anothers() -> tuple[str, str, float]:
        fresh()
        _, pin = fresh()
        return world.user(), pin, NOON

    def unknown_user() -> tuple[str, str, float]:
        return "A" * 28, fresh()[1], NOON

    calls: list[str] = []

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            calls.append(name)
            return real(*arguments)

        return call

    said, steps = set(), {}
    for situation in (wrong, expired, used, void, anothers, unknown_user):
        user_id, pin, now = situation()
        with monkeypatch.context() as patch:
            patch.setattr(pins, "hmac_sha256", counted("hmac", hmac_sha256))
            for step in ("count_up", "try_pin", "last_audit", "add_audit"):
                patch.setattr(world.store, step, counted(step, getattr(world.store, step)))
            calls.clear()
            with pytest.raises(AccessDeniedError) as caught:
                world.authority.intake.redeem_pin(user_id, pin, DIGEST, now)
        said.add(str(caught.value))
        steps[situation.__name__] = tuple(calls)
        assert pin not in str(caught.value)
        assert user_id not in str(caught.value)
    assert len(said) == 1
    # Only a try at an open PIN has an entry of its own in the audit log. All cost as many
    # statements and digests: tests/test_threats_pins.py counts them.
    at_open_pin = {steps.pop("wrong"), steps.pop("used")}
    assert [calls.count("add_audit") for calls in at_open_pin] == [1]
    assert [calls.count("add_audit") for calls in set(steps.values())] == [0]


@pytest.mark.parametrize(
    "pin", ["", "1234567", "123456789", "1234567x", "１２３４５６７８", "\ud800"]
)
def test_what_is_no_pin_costs_no_try(world: World, case: Case, pin: str) -> None:
    right = world.authority.pins.issue(case, NOON, by=CONSOLE)
    for _ in range(UPLOAD_PIN_TRIES + 1):
        with pytest.raises(InvalidUploadError, match="8 digits"):
            world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)
    assert world.authority.intake.redeem_pin(case.user_id, right, DIGEST, NOON)


@pytest.mark.parametrize("digest", [b"", DIGEST[:-1], DIGEST + b"x"])
def test_what_is_no_digest_costs_no_pin(world: World, case: Case, digest: bytes) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    with pytest.raises(InvalidUploadError, match="SHA-256"):
        world.authority.intake.redeem_pin(case.user_id, pin, digest, NOON)
    assert world.authority.intake.redeem_pin(case.user_id, pin, DIGEST, NOON)


def test_no_pin_is_kept_and_its_digest_is_keyed_by_the_day(world: World, case: Case) -> None:
    pin = world.authority.pins.issue(case, NOON, by=CONSOLE)
    kept = world.store.try_pin(case.user_id, NOON)
    assert kept is not None
    message = f"{case.user_id}/{case.case_id}/{pin}".encode()
    assert kept.digest == hmac_sha256(world.keys.day_key("upload-pin", DAY), message)
    assert pin not in repr(vars(world.store))
    assert case.user_id not in repr(kept)


def test_no_pin_for_a_case_that_is_gone(world: World, case: Case) -> None:
    world.store.drop_cases(NOON + 1)
    with pytest.raises(NotFoundError):
        world.authority.pins.issue(case, NOON, by=CONSOLE)


# --- uploads ---


def test_a_log_is_taken_in_and_counted(world: World, case: Case) -> None:
    rows = world.heard(world.user(), NOON - 3600, 30)
    receipt = world.take(case, rows, NOON)
    assert (receipt.records, receipt.accepted, dict(receipt.rejected)) == (90, 90, {})
    (upload,) = world.store.uploads(case.case_id)
    assert unseal(upload, world.keys) == write_upload(rows)


def test_a_stored_log_is_sealed(world: World, case: Case) -> None:
    rows = world.heard(world.user(), NOON - 3600, 30)
    world.take(case, rows, NOON)
    (upload,) = world.store.uploads(case.case_id)
    assert rows[0].peer.encode() not in upload.sealed
    assert b"Pixel" not in upload.sealed
    for place in (0, 16, len(upload.sealed) - 1):
        changed = bytearray(upload.sealed)
        changed[place] ^= 1
        with pytest.raises(SealError):
            unseal(replace(upload, sealed=bytes(changed)), world.keys)
    with pytest.raises(SealError):
        unseal(replace(upload, case_id="ANOTHER"), world.keys)
    with pytest.raises(SealError):
        unseal(replace(upload, token_id="another"), world.keys)
    world.keys.destroy_before(DAY + 1)
    with pytest.raises(KeyRingError):
        unseal(upload, world.keys)


def test_a_second_upload_of_the_same_log_is_a_conflict(world: World, case: Case) -> None:
    token = world.token(case, BODY, NOON)
    world.authority.intake.take_upload(token, BODY, NOON)
    with pytest.raises(ConflictError, match="already received"):
        world.authority.intake.take_upload(token, BODY, NOON)
    assert len(world.store.uploads(case.case_id)) == 1


def test_one_changed_byte_is_refused_and_the_right_log_is_still_taken(
    world: World, case: Case
) -> None:
    token = world.token(case, BODY, NOON)
    for changed in (BODY[:-1] + b" ", BODY + b" ", b""):
        with pytest.raises(InvalidUploadError, match="not the log"):
            world.authority.intake.take_upload(token, changed, NOON)
    assert world.authority.intake.take_upload(token, BODY, NOON).records == 0


def test_a_token_expires(world: World, case: Case) -> None:
    token = world.token(case, BODY, NOON)
    late = NOON + UPLOAD_TOKEN_LIFETIME_S
    for refused in (
        lambda: world.authority.intake.check_token(token, late),
        lambda: world.authority.intake.take_upload(token, BODY, late),
        lambda: world.authority.intake.take_upload("", BODY, NOON),
        lambda: world.authority.intake.take_upload(token[:-4] + "AAAA", BODY, NOON),
    ):
        with pytest.raises(InvalidUploadError, match="token"):
            refused()
    world.authority.intake.check_token(token, late - 1)
    assert world.authority.intake.take_upload(token, BODY, late - 1).records == 0


def test_threat_oversized_log_over_the_limit_is_refused(
    world: World, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", len(BODY))
    over = BODY + b" "
    token = world.token(case, over, NOON)
    with pytest.raises(InvalidUploadError, match="larger"):
        world.authority.intake.take_upload(token, over, NOON)
    assert world.take(case, BODY, NOON).records == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"records": 1}', b"\xff", b"{" * 100_000])
def test_what_is_no_log_is_refused(world: World, case: Case, body: bytes) -> None:
    with pytest.raises(InvalidUploadError):
        world.take(case, body, NOON)
    assert not world.store.uploads(case.case_id)


def test_no_upload_to_a_case_that_is_gone(world: World, case: Case) -> None:
    token = world.token(case, BODY, NOON)
    world.store.drop_cases(NOON + 1)
    with pytest.raises(NotFoundError, match="closed"):
        world.authority.intake.take_upload(token, BODY, NOON)


def test_every_rejection_is_counted_by_its_reason(world: World, case: Case) -> None:
    good = world.heard(world.user(), NOON - 3600, 2)
    own = world.heard(case.user_id, NOON - 3600, 1)
    far = RETENTION.log_s + 1
    body = json.loads(
        write_upload(
            [
                *good,
                *own,
                replace(good[0], peer=""),
                replace(good[0], peer="x" * 84),
                replace(good[0], time=good[0].time + 1800),
                replace(good[0], rssi_dbm=127),
                replace(good[0], rssi_dbm=0),
                replace(good[0], rssi_dbm=-128),
                *world.heard(world.user(), NOON - far, 1)[:1],
                *world.heard(world.user(), NOON + UPLOAD_CLOCK_AHEAD_S + 1, 1)[:1],
            ]
        )
    )
    body["records"].append(7)
    receipt = world.take(case, json.dumps(body).encode(), NOON)
    assert dict(receipt.rejected) == {
        Rejection.SELF_TEMPID: 3,
        Rejection.NO_MSG: 1,
        Rejection.FAILED_DECRYPTION: 1,
        Rejection.EXPIRED_ID: 1,
        Rejection.INVALID_RSSI: 3,
        Rejection.IMPLAUSIBLE: 2,
        Rejection.MALFORMED: 1,
    }
    assert receipt.accepted == len(good)
    assert receipt.records == len(body["records"])


def test_another_authoritys_tempids_are_foreign_and_damage_is_not(world: World, case: Case) -> None:
    good = world.heard(world.user(), NOON - 3600, 4)
    there = TempIDIssuer(KeyRing.generate(NOON - 86_400), "AU_DTA")
    token = there.issue(new_user_id(), NOON - 3600, 1).tempids[0].text
    foreign = replace(good[0], peer=token, organisation="AU_DTA", time=NOON - 3600)
    destroyed = replace(foreign, time=NOON - 2 * 86_400)  # no key of ours was there either
    receipt = world.take(
        case,
        [
            *[replace(row, organisation="SG_MOH") for row in good],
            replace(
                good[0], organisation="AU_DTA", time=good[0].time + 1
            ),  # ours, whatever it says
            foreign,
            destroyed,
            replace(foreign, organisation="SG_MOH"),
            replace(foreign, organisation=""),
            replace(foreign, peer="not_found"),
            replace(foreign, peer="A" * 83 + "="),
        ],
        NOON,
    )
    assert receipt.accepted == len(good) + 1
    assert dict(receipt.rejected) == {Rejection.FOREIGN_UNKNOWN: 2, Rejection.FAILED_DECRYPTION: 4}


def test_a_right_pin_whose_log_came_in_says_when_and_to_nobody_else(
    world: World, case: Case
) -> None:
    intake, pins = world.authority.intake, world.authority.pins
    pin = pins.issue(case, NOON, by=CONSOLE)
    token = intake.redeem_pin(case.user_id, pin, sha256(BODY), NOON, attempt="a" * 32)
    with pytest.raises(AccessDeniedError, match="not accepted"):  # nothing came in so far
        intake.redeem_pin(case.user_id, pin, DIGEST, NOON, attempt="b" * 32)
    intake.take_upload(token, BODY, NOON + 60)
    with pytest.raises(
        ConflictError, match=r"received .* at 20\d\d-\d\d-\d\d 12:01 UTC.*PIN is spent"
    ):
        intake.redeem_pin(case.user_id, pin, DIGEST, NOON + 90, attempt="b" * 32)
    with pytest.raises(ConflictError, match=r"already received .* 12:01 UTC"):
        intake.take_upload(token, BODY, NOON + 90)
    for user, number in ((world.user(), pin), (case.user_id, other_than(pin))):
        with pytest.raises(AccessDeniedError, match="wrong, expired, used, or another user's"):
            intake.redeem_pin(user, number, DIGEST, NOON + 90, attempt="b" * 32)


@pytest.mark.parametrize(
    ("offset_s", "accepted"),
    [
        (-RETENTION.log_s, True),
        (-RETENTION.log_s - 1, False),
        (UPLOAD_CLOCK_AHEAD_S, True),
        (UPLOAD_CLOCK_AHEAD_S + 1, False),
    ],
)
def test_threat_oversized_log_limits_the_range_of_times(
    world: World, case: Case, offset_s: int, accepted: bool
) -> None:
    (row,) = world.heard(world.user(), NOON + offset_s, 1)[:1]
    assert row.time == NOON + offset_s
    assert world.take(case, [row], NOON).accepted == int(accepted)


@pytest.mark.parametrize(("rssi_dbm", "accepted"), [(-126, 1), (-127, 0), (-1, 1), (0, 0)])
def test_threat_oversized_log_limits_the_range_of_signal_strength(
    world: World, case: Case, rssi_dbm: float, accepted: int
) -> None:
    (row,) = world.heard(world.user(), NOON - 60, 1)[:1]
    assert world.take(case, [replace(row, rssi_dbm=rssi_dbm)], NOON).accepted == accepted


def test_strange_tokens_in_a_log_do_no_harm(world: World, case: Case) -> None:
    strange = ["\ud800", "\x00" * 84, "=" * 84, "A" * 84, "é" * 84, "A" * 100_000]
    rows = [{"timestamp": NOON - 60, "msg": token, "rssi": -60} for token in strange]
    receipt = world.take(case, json.dumps({"records": rows}).encode(), NOON)
    assert receipt.accepted == 0
    assert receipt.rejected[Rejection.FAILED_DECRYPTION] == len(strange)


def test_threat_wrong_purpose_refuses_an_upload_token_as_a_tempid(world: World, case: Case) -> None:
    token = world.token(case, BODY, NOON)
    rows = [Sighting(NOON, text, -60) for text in (token, token[:84], token[-84:])]
    assert world.take(case, rows, NOON).accepted == 0
    tempid = world.heard(world.user(), NOON, 1)[0].peer
    with pytest.raises(InvalidUploadError, match="token"):
        world.authority.intake.take_upload(tempid, BODY, NOON)
