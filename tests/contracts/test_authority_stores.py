"""Users, operators, settings, counts, the audit log, cases and PINs, on SQLite and PostgreSQL."""

from dataclasses import replace

import pytest

from tests.authority_world import NOON
from tests.store_rows import OTHER, USER, case, contact_list, operator, pin, upload
from tracetogether.authority.access.audit import START, Audit
from tracetogether.authority.access.permissions import CONSOLE, Role
from tracetogether.authority.cases.case import CaseQuery, CaseState
from tracetogether.authority.oversight.statistics import Counts
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import AuditError

# --- users ---


def test_users_are_found_by_digest_and_id(store: AuthorityStore) -> None:
    assert store.user_of(b"digest") is None
    assert not store.has_user(USER)
    assert store.add_user(USER, b"digest")
    assert store.user_of(b"digest") == USER
    assert store.user_of(b"diges") is None
    assert store.has_user(USER)
    assert not store.has_user(USER.upper())


def test_no_user_or_digest_twice(store: AuthorityStore) -> None:
    assert store.add_user(USER, b"digest")
    assert not store.add_user(USER, b"other")
    assert not store.add_user(OTHER, b"digest")
    assert store.user_of(b"digest") == USER
    assert store.user_of(b"other") is None
    assert not store.has_user(OTHER)


def test_removing_a_user_removes_their_cases_pins_and_uploads(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.add_upload(upload("a"))
    filled.put_contact_list(contact_list())
    assert filled.registered([USER, OTHER, "nobody"]) == {USER, OTHER}
    assert filled.remove_user(USER)
    assert not filled.remove_user(USER)
    assert filled.registered([USER, OTHER]) == {OTHER}
    assert filled.user_of(USER.encode()) is None
    assert [found.case_id for found in filled.cases()] == ["CASE2"]
    assert filled.try_pin(USER, NOON) is None
    assert list(filled.uploads("CASE1")) == []
    assert filled.contact_list("CASE1", "within-2m") is None


def test_many_users_are_looked_up_at_once(store: AuthorityStore) -> None:
    for number in range(5):
        store.add_user(str(number), bytes([number]))
    assert store.registered([str(number) for number in range(3, 40_000)]) == {"3", "4"}
    assert store.registered([]) == set()


# --- operators ---


def test_operators_come_back_by_name(store: AuthorityStore) -> None:
    second, first = operator("b", "t", Role.TRACER, Role.AUDITOR), operator("a")
    assert store.add_operator(second)
    assert store.add_operator(first)
    assert list(store.operators()) == [first, second]


def test_no_operator_or_token_twice(store: AuthorityStore) -> None:
    assert store.add_operator(operator("a"))
    assert not store.add_operator(operator("a", "other"))
    assert not store.add_operator(replace(operator("a"), name="b"))
    assert list(store.operators()) == [operator("a")]


def test_an_operator_is_disabled_once_and_keeps_the_name(store: AuthorityStore) -> None:
    store.add_operator(operator("a"))
    assert store.disable_operator("a")
    assert not store.disable_operator("a")
    assert not store.disable_operator("b")
    assert list(store.operators()) == [replace(operator("a"), disabled=True)]
    assert not store.add_operator(operator("a", "new"))


# --- transactions and the audit log ---


def test_a_failed_transaction_stores_nothing_and_a_nested_one_joins_it(
    store: AuthorityStore,
) -> None:
    class StoppedError(Exception):
        pass

    audit = Audit(store)

    def stop_half_way() -> None:
        with store.atomic():
            store.add_user(USER, b"digest")
            with store.atomic():
                audit.record("act", NOON, by="test")
            assert store.has_user(USER)
            raise StoppedError

    with pytest.raises(StoppedError):
        stop_half_way()
    assert not store.has_user(USER)
    assert audit.verify(by=CONSOLE) == (0, START)
    with store.atomic():
        store.add_user(USER, b"digest")
        audit.record("act", NOON, by="test")
    assert store.has_user(USER)
    assert audit.verify(by=CONSOLE)[0] == 1


def test_the_audit_log_comes_back_as_it_was_written(store: AuthorityStore) -> None:
    audit = Audit(store)
    for number in range(5):
        audit.record("act", NOON + number / 3, by="op", subject="CASE", count=number, text="ä\n")
    entries = list(audit.entries(by=CONSOLE))
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[2].time == NOON + 2 / 3
    assert entries[2].details == {"count": 2, "text": "ä\n"}
    assert [entry.number for entry in audit.entries(after=2, limit=2, by=CONSOLE)] == [3, 4]
    number, digest = audit.verify(by=CONSOLE)
    assert number == 5
    audit.record("more", NOON, by="op")
    assert audit.verify((5, digest), by=CONSOLE)[0] == 6
    with pytest.raises(AuditError, match="differs from the noted one"):
        audit.verify((5, bytes(32)), by=CONSOLE)
    with pytest.raises(AuditError, match="cut off"):
        audit.verify((7, digest), by=CONSOLE)


# --- counts and notes ---


def test_requests_are_counted_by_name_subject_and_window(store: AuthorityStore) -> None:
    assert [store.count_up("a", b"x", 60) for _ in range(3)] == [1, 2, 3]
    assert store.count_up("b", b"x", 60) == 1
    assert store.count_up("a", b"y", 60) == 1
    assert store.count_up("a", b"x", 120) == 1
    assert store.counted("a", b"x", 60) == 3
    assert store.counted("a", b"z", 60) == 0
    for left in (2, 1, 0, 0):
        store.count_down("a", b"x", 60)
        assert store.counted("a", b"x", 60) == left
    store.count_down("a", b"z", 60)
    assert store.counted("a", b"z", 60) == 0
    assert store.drop_counts(120) == 3
    assert store.counted("a", b"x", 60) == 0


def test_many_subjects_are_counted_in_one_call(store: AuthorityStore) -> None:
    many = {number.to_bytes(4, "big"): 60 + number % 2 for number in range(12_000)}
    first, second, *_ = many
    assert set(store.count_up_each("a", many, 0).values()) == {1}
    assert store.count_up_each("a", many, 1) == dict.fromkeys(many, 2)
    assert store.count_up_each("a", {first: 60, second: 61}, 2) == {first: 3, second: 3}
    assert store.count_up_each("a", {first: 60}, 4) == {}
    assert store.count_up("a", first, 60) == 5
    assert store.count_up_each("b", {first: 60}, 0) == {first: 1}
    assert store.count_up_each("a", {first: 61}, 0) == {first: 1}
    assert store.count_up_each("a", {}, 0) == {}
    assert store.counted("a", second, 61) == 3


def test_a_setting_has_its_last_value(store: AuthorityStore) -> None:
    assert store.setting("x") is None
    store.put_setting("x", "1")
    store.put_setting("x", "2")
    assert store.setting("x") == "2"


def test_everything_is_counted(filled: AuthorityStore) -> None:
    filled.add_operator(operator("a"))
    filled.put_pin(pin())
    filled.add_upload(upload("a"))
    filled.put_contact_list(contact_list())
    Audit(filled).record("act", NOON, by="test")
    size = len(upload("a").sealed)
    for ago in (0, 1, 36, 37):  # hours; the last is the day before yesterday
        filled.count_up("batches", b"x" * 32, int(NOON) - ago * 3_600)
    filled.count_up("pin-tries", b"x" * 32, int(NOON))
    assert filled.counts(NOON) == Counts(2, 1, 2, 1, 1, size, 1, 3, 1, 0, 3)
    assert filled.counts(NOON + 100).open_pins == 0


# --- cases ---


def test_cases_come_back_unchanged_and_the_newest_first(filled: AuthorityStore) -> None:
    newer = replace(case("CASE3", opened_at=NOON + 0.5), state=CaseState.CLOSED)
    assert filled.add_case(newer)
    assert filled.case("CASE3") == newer
    assert filled.case("case3") is None
    assert [found.case_id for found in filled.cases()] == ["CASE3", "CASE1", "CASE2"]


def test_no_second_open_case_of_a_user(filled: AuthorityStore) -> None:
    second = case("CASE3")
    assert not filled.add_case(second)
    assert filled.case("CASE3") is None
    assert [found.case_id for found in filled.desk.open_cases_of(USER)] == ["CASE1"]
    filled.desk.put_case(replace(case("CASE1"), state=CaseState.CLOSED, closed_at=NOON))
    assert filled.desk.open_cases_of(USER) == []
    assert filled.add_case(second)
    assert filled.desk.open_cases_of(USER) == [second]


def test_a_case_is_confirmed_once(filled: AuthorityStore) -> None:
    closed = replace(case("CASE3"), state=CaseState.CLOSED, unconfirmed=True)
    assert filled.add_case(closed)
    query = CaseQuery(unconfirmed=True)
    assert [summary.case for summary in filled.desk.cases_page(query, 0).cases] == [closed]
    assert filled.confirm_case("CASE3")
    assert not filled.confirm_case("CASE3")
    assert not filled.confirm_case("CASE9")
    assert filled.case("CASE3") == replace(closed, unconfirmed=False)
    filled.desk.put_case(closed)
    assert filled.case("CASE3") == closed


def test_no_case_twice(filled: AuthorityStore) -> None:
    assert not filled.add_case(case("CASE1", OTHER))
    found = filled.case("CASE1")
    assert found is not None
    assert found.user_id == USER


def test_a_touch_never_moves_the_time_back(filled: AuthorityStore) -> None:
    assert filled.touch_case("CASE1", NOON + 10)
    assert filled.touch_case("CASE1", NOON + 5)
    assert not filled.touch_case("CASE9", NOON)
    assert filled.case("CASE1") == replace(case("CASE1"), active_at=NOON + 10)
    assert filled.case("CASE2") == case("CASE2", OTHER)


def test_cases_are_deleted_by_their_last_touch(filled: AuthorityStore) -> None:
    filled.touch_case("CASE1", NOON + 10)
    assert filled.drop_cases(NOON) == 0
    assert filled.drop_cases(NOON + 10) == 1
    assert [found.case_id for found in filled.cases()] == ["CASE1"]
    assert filled.drop_cases(NOON + 10) == 0


# --- PINs ---


def test_each_try_of_a_pin_counts_and_none_is_left_after_the_last(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    left = [filled.try_pin(USER, NOON) for _ in range(6)]
    assert [tried and tried.tries_left for tried in left] == [4, 3, 2, 1, 0, None]
    assert left[0] == replace(pin(), tries_left=4)


def test_a_pin_is_tried_until_it_expires(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    assert filled.try_pin(USER, NOON + 99.9) is not None
    assert filled.try_pin(USER, NOON + 100) is None


def test_a_user_without_a_pin_has_no_try(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    assert filled.try_pin(OTHER, NOON) is None
    assert filled.try_pin("nobody", NOON) is None


def test_a_pin_is_used_once(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    tried = filled.try_pin(USER, NOON)
    assert tried is not None
    assert filled.use_pin(tried, b"attempt")
    assert not filled.use_pin(tried, b"other")
    assert filled.try_pin(USER, NOON) == replace(pin(), tries_left=3, used=True, attempt=b"attempt")


def test_a_new_pin_replaces_the_old_one(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    old = filled.try_pin(USER, NOON)
    filled.put_pin(pin(digest=b"new"))
    assert old is not None
    assert not filled.use_pin(old, b"")
    new = filled.try_pin(USER, NOON)
    assert new == replace(pin(digest=b"new"), tries_left=4)


def test_pins_of_two_users_are_independent(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.put_pin(pin(OTHER, "CASE2"))
    first = filled.try_pin(USER, NOON)
    assert first is not None
    assert filled.use_pin(first, b"")
    assert filled.try_pin(OTHER, NOON) == replace(pin(OTHER, "CASE2"), tries_left=4)


def test_used_up_pins_are_deleted(filled: AuthorityStore) -> None:
    filled.put_pin(pin())
    filled.put_pin(replace(pin(OTHER, "CASE2"), tries_left=1))
    assert filled.drop_pins(NOON) == 0
    assert filled.try_pin(OTHER, NOON) is not None
    assert filled.drop_pins(NOON) == 1
    assert filled.drop_pins(NOON + 99) == 0
    assert filled.drop_pins(NOON + 100) == 1


@pytest.mark.parametrize(("attempt", "gone"), [(b"", 1), (b"attempt", 0)])
def test_a_used_pin_stays_for_the_attempt_that_used_it(
    filled: AuthorityStore, attempt: bytes, gone: int
) -> None:
    filled.put_pin(pin())
    tried = filled.try_pin(USER, NOON)
    assert tried is not None
    assert filled.use_pin(tried, attempt)
    assert filled.drop_pins(NOON) == gone
    assert filled.drop_pins(NOON + 100) == 1 - gone
